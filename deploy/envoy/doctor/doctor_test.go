package doctor_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"weir/deploy/envoy"
	"weir/deploy/envoy/doctor"
	"weir/deploy/envoy/doctor/doctortest"
)

func expect() doctor.Expect {
	return doctor.Expect{Models: []string{"traffic-sign"}, Options: envoy.Options{
		Listen: "0.0.0.0:8080", Admin: "127.0.0.1:9901", Socket: "unix:///run/weir/extproc.sock",
		Upstream: "http://127.0.0.1:8000", GRPC: "127.0.0.1:8001", OpenAI: "http://127.0.0.1:9000/openai",
		OTLPEndpoint: "http://127.0.0.1:4317", MaxBodyBytes: 64 << 20, MaxResponseBytes: 32 << 20,
		BodyTimeout: 30 * time.Second, PhaseTimeout: 7 * time.Second, UpstreamTimeout: time.Minute,
		StreamIdleTimeout: 5 * time.Minute, MaxStreams: 256}}
}

// bootstrap is what Weir writes for that configuration.
func bootstrap(t testing.TB, e doctor.Expect) []byte {
	t.Helper()
	text, err := envoy.Bootstrap(e.Options)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func examine(t *testing.T, data []byte, e doctor.Expect) *doctor.Report {
	t.Helper()
	report, err := doctor.Envoy(data, "envoy.yaml", e)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// rulesOf returns the rules of the findings, each once, in alphabetical order.
func rulesOf(report *doctor.Report) []string {
	var found []string
	for _, f := range report.Findings {
		found = append(found, f.ID)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestShippedBootstrapIsClean(t *testing.T) {
	for name, change := range map[string]func(*doctor.Expect){
		"all":        func(*doctor.Expect) {},
		"HTTP only":  func(e *doctor.Expect) { e.GRPC, e.OpenAI, e.OTLPEndpoint = "", "", "" },
		"no gRPC":    func(e *doctor.Expect) { e.GRPC = "" },
		"no OpenAI":  func(e *doctor.Expect) { e.OpenAI = "" },
		"uploads":    func(e *doctor.Expect) { e.Upload = "http://127.0.0.1:8085/predictions/{model}" },
		"one upload": func(e *doctor.Expect) { e.Upload = "http://127.0.0.1:8085/predict" },
		"small":      func(e *doctor.Expect) { e.MaxBodyBytes, e.MaxResponseBytes = 1, 1 },
		"large":      func(e *doctor.Expect) { e.MaxBodyBytes, e.MaxStreams = 1<<30, 1<<20 },
		"short":      func(e *doctor.Expect) { e.PhaseTimeout = time.Millisecond },
		"long":       func(e *doctor.Expect) { e.PhaseTimeout, e.StreamIdleTimeout = time.Hour, 24*time.Hour },
		"by a name":  func(e *doctor.Expect) { e.Upstream, e.GRPC = "http://localhost:8000", "localhost:8001" },
		"over IPv6":  func(e *doctor.Expect) { e.Upstream, e.GRPC = "http://[::1]:8000", "[::1]:8001" },
		"other host": func(e *doctor.Expect) { e.Listen = "[::]:8080" },
	} {
		e := expect()
		change(&e)
		report := examine(t, bootstrap(t, e), e)
		if len(report.Findings)+len(report.Unjudged) > 0 {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

// TestCases holds that what is wrong is found, in each form that Envoy reads, and
// nothing else.
func TestCases(t *testing.T) {
	cases, err := doctortest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	shipped := bootstrap(t, expect())
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			root, err := c.Apply(shipped)
			if err != nil {
				t.Fatal(err)
			}
			asYAML, err := yaml.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			asJSON, err := json.Marshal(inCamelCase(root))
			if err != nil {
				t.Fatal(err)
			}
			for form, data := range map[string][]byte{"YAML": asYAML, "JSON in lowerCamelCase": asJSON} {
				report := examine(t, data, expect())
				if got := rulesOf(report); !slices.Equal(got, c.Rules) || len(report.Unjudged) > 0 != c.Unjudged {
					t.Errorf("%s: found %v, want %v: %+v", form, got, c.Rules, report)
				}
			}
		})
	}
}

// inCamelCase gives fields their other names. Keys of maps keep theirs, all of which
// have dots here.
func inCamelCase(value any) any {
	switch v := value.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name, inner := range v {
			if !strings.Contains(name, ".") {
				head, rest, _ := strings.Cut(name, "_")
				name = head
				for word := range strings.SplitSeq(rest, "_") {
					if word != "" {
						name += strings.ToUpper(word[:1]) + word[1:]
					}
				}
			}
			fields[name] = inCamelCase(inner)
		}
		return fields
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = inCamelCase(v[i])
		}
		return all
	}
	return value
}

func TestEveryRuleHasACase(t *testing.T) {
	covered := map[string]bool{}
	cases, err := doctortest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, rule := range c.Rules {
			covered[rule] = true
		}
	}
	for _, c := range commandLines {
		for _, rule := range strings.Fields(c.rules) {
			covered[rule] = true
		}
	}
	for _, r := range doctor.Rules() {
		if !covered[r.ID] {
			t.Errorf("no case finds %s", r.ID)
		}
		if r.Why == "" || r.Hint == "" || r.Severity != doctor.Error && r.Severity != doctor.Warning {
			t.Errorf("%+v is not complete", r)
		}
	}
}

// The route to the endpoint for files needs whole bodies, too.
func TestUploadsInParts(t *testing.T) {
	e := expect()
	e.Upload = "http://127.0.0.1:8085/predictions/{model}"
	const match = `- match: {safe_regex: {regex: "/predictions/[^/]+"}}`
	text := string(bootstrap(t, e))
	if strings.Count(text, match) != 1 {
		t.Fatalf("no route %s", match)
	}
	const stream = `
                          typed_per_filter_config:
                            envoy.filters.http.ext_proc:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute
                              overrides:
                                processing_mode: {request_header_mode: SEND, response_header_mode: SEND, request_body_mode: BUFFERED, response_body_mode: FULL_DUPLEX_STREAMED, request_trailer_mode: SEND, response_trailer_mode: SEND}`
	report := examine(t, []byte(strings.Replace(text, match, match+stream, 1)), e)
	if got := rulesOf(report); !slices.Equal(got, []string{"mode_mismatch"}) {
		t.Errorf("found %v, want mode_mismatch: %+v", got, report)
	}
}
