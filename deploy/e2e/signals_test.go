//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/deploy/local"
)

// Client, Envoy and Weir are one trace, in which Weir's span is a child of Envoy's.
func TestOneTrace(t *testing.T) {
	shared.ready(t)
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	before := shared.tap.len()
	r := shared.post(t, echoInfer, textRequest("", "a\u200bb"), "Traceparent: 00-"+trace+"-"+parent+"-01", "Tracestate: canary=1")
	if r.status != http.StatusOK {
		t.Fatal(r)
	}
	find := func(service, name string) span {
		var found span
		eventually(t, "span "+name+" of "+service, func() bool {
			for _, s := range traces.trace(trace) {
				if s.service == service && (name == "" || s.Name == name) {
					found = s
				}
			}
			return found.Span != nil
		})
		return found
	}
	process := find("weir", "weir.process")
	var envoy span
	eventually(t, "Envoy's span above Weir's", func() bool {
		for _, s := range traces.trace(trace) {
			if s.service == "envoy" && hex.EncodeToString(s.ParentSpanId) == parent {
				envoy = s
			}
		}
		return envoy.Span != nil
	})
	if !descends(traces.trace(trace), process, envoy) {
		t.Errorf("weir.process is no descendant of Envoy's span: %v", traces.trace(trace))
	}
	for _, name := range []string{"weir.request.decode", "weir.request.sanitize", "weir.request.encode", "weir.response.check"} {
		if s := find("weir", name); !bytes.Equal(s.ParentSpanId, process.SpanId) {
			t.Errorf("%s is no child of weir.process", name)
		}
	}
	attributes := map[string]string{}
	for _, a := range process.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	if attributes["weir.decision.id"] != r.header.Get("x-weir-decision-id") || attributes["weir.decision"] != "sanitize" || attributes["weir.model.name"] != "echo" {
		t.Errorf("attributes %v", attributes)
	}
	sent := shared.tap.seen(before)
	if !bytes.Contains(sent, []byte("traceparent: 00-"+trace+"-")) || bytes.Contains(sent, []byte("canary")) {
		t.Errorf("the model server got %q", sent)
	}
}

// descends reports whether a span is below another one.
func descends(all []span, s, above span) bool {
	for range all {
		if bytes.Equal(s.ParentSpanId, above.SpanId) {
			return true
		}
		i := slices.IndexFunc(all, func(o span) bool { return bytes.Equal(o.SpanId, s.ParentSpanId) })
		if i < 0 {
			return false
		}
		s = all[i]
	}
	return false
}

// logged returns the line of Envoy's access log for a decision.
func (s *stack) logged(t *testing.T, id string) (line map[string]any) {
	t.Helper()
	eventually(t, "the access log of "+id, func() bool {
		text, err := os.ReadFile(s.accessLog())
		if err != nil {
			return false
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			line = nil
			if json.Unmarshal(lines.Bytes(), &line) == nil && line["weir_decision_id"] == id {
				return true
			}
		}
		return false
	})
	return line
}

func TestAccessLogShowsTheVerdict(t *testing.T) {
	shared.ready(t)
	hash := regexp.MustCompile(`^[0-9a-f]{32}$`)
	r := shared.post(t, echoInfer, textRequest("", "a\u200bb"))
	line := shared.logged(t, r.header.Get("x-weir-decision-id"))
	if line["weir_verdict"] != "sanitize" || line["weir_model"] != "echo" || line["weir_reason"] != nil || line["status"] != 200.0 || !hash.MatchString(fmt.Sprint(line["weir_body_hash"])) {
		t.Errorf("sanitised: %v", line)
	}
	r = shared.post(t, "/v2/models/absent/infer", good)
	line = shared.logged(t, r.header.Get("x-weir-decision-id"))
	if line["weir_verdict"] != "block" || line["weir_model"] != nil || line["weir_reason"] != "model_unknown" || line["status"] != 403.0 || line["weir_body_hash"] != nil {
		t.Errorf("refused: %v", line)
	}
}

// metric returns the value of a series of Weir's, 0 if there is none.
func (s *stack) metric(t *testing.T, series string) float64 {
	t.Helper()
	text, err := s.weir.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	return 0
}

// wantMoved waits until each series has grown by as much since before.
func (s *stack) wantMoved(t *testing.T, before map[string]float64, by map[string]float64) {
	t.Helper()
	for series, n := range by {
		eventually(t, fmt.Sprintf("%s grown by %v", series, n), func() bool { return s.metric(t, series) >= before[series]+n })
		if now := s.metric(t, series); now != before[series]+n {
			t.Errorf("%s grew by %v, want %v", series, now-before[series], n)
		}
	}
}

func TestMetricsMove(t *testing.T) {
	shared.ready(t)
	by := map[string]float64{
		`weir_requests_total{decision="pass",model="echo"}`:                               1,
		`weir_requests_total{decision="sanitize",model="echo"}`:                           2,
		`weir_requests_total{decision="block",model="_unknown"}`:                          3,
		`weir_findings_total{action="sanitize",model="echo",rule="text"}`:                 2,
		`weir_process_duration_seconds_count{weir_decision="block",weir_phase="request"}`: 0, // refused at the head, nothing was processed
		`weir_stream_duration_seconds_count`:                                              6,
	}
	before := map[string]float64{}
	for series := range by {
		before[series] = shared.metric(t, series)
	}
	shared.post(t, echoInfer, good)
	for range 2 {
		shared.post(t, echoInfer, textRequest("", "a\u200bb"))
	}
	for range 3 {
		shared.post(t, "/v2/repository/index", "{}")
	}
	shared.wantMoved(t, before, by)
}

// use puts a configuration to use.
func (s *stack) use(t *testing.T, config string) {
	t.Helper()
	if err := s.weir.WriteConfig(s.opts.upstream, config); err != nil {
		t.Fatal(err)
	}
	if status, err := s.weir.Reload(t.Context()); err != nil || status != http.StatusOK {
		t.Fatalf("reload: %d, %v", status, err)
	}
	s.ready(t)
}

func TestVerdictsOnAnswers(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	check := func(more string) string { return "{name: floor, output: SCORES, min_confidence: 0.6" + more + "}" }
	file := func(mode string) string { return "defaults: {mode: " + mode + "}\n" }
	unsure, sure := answerScores(0.5, 0.25, 0.25), answerScores(0.9, 0.05, 0.05)
	tests := []struct {
		name    string
		config  string
		answer  func(http.ResponseWriter, received)
		status  int
		action  string
		reason  string
		verdict string // in the access log
		shadow  string
	}{
		{"sure", probeConfig("", check("")), sure, 200, "", "", "pass", ""},
		{"block is the default", probeConfig("", check("")), unsure, 502, "block", "low_confidence", "block", ""},
		{"flag", probeConfig("", check(", action: flag")), unsure, 200, "flag", "low_confidence", "flag", ""},
		{"no probabilities", probeConfig("", check(", action: flag")), answerScores(5, 5, 5), 502, "block", "output_unreadable", "block", ""},
		{"not finite", probeConfig("", finite), answerScores(0.5, nan, 0.5), 502, "block", "output_not_finite", "block", ""},
		{"a check in shadow", probeConfig("", check(", mode: shadow")), unsure, 200, "", "", "pass", "block"},
		{"a check that is off", probeConfig("", check(", mode: off")), unsure, 200, "", "", "pass", ""},
		{"the file in shadow", probeConfig(file("shadow"), check("")), unsure, 200, "", "", "pass", "block"},
		{"the file in shadow, the check not", probeConfig(file("shadow"), check(", mode: enforce")), unsure, 502, "block", "low_confidence", "block", ""},
		{"the file off", probeConfig(file("off"), check("")), unsure, 200, "", "", "pass", ""},
		{"the file off, the check not", probeConfig(file("off"), check(", mode: enforce")), unsure, 502, "block", "low_confidence", "block", ""},
		{"the file off, the check in shadow", probeConfig(file("off"), check(", mode: shadow")), unsure, 200, "", "", "pass", "block"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.use(t, test.config)
			server.reply(test.answer)
			r := s.post(t, probeInfer, good)
			if r.status != test.status || r.header.Get("x-weir-action") != test.action || r.header.Get("x-weir-reason") != test.reason {
				t.Errorf("want %d %s %s; have %v", test.status, test.action, test.reason, r)
			}
			if test.status == 502 {
				wantRefused(t, r, 502, test.reason)
				if bytes.Contains(r.body, []byte("SCORES")) || strings.Contains(fmt.Sprint(r), "canary") {
					t.Errorf("of the answer: %v", r)
				}
			}
			line := s.logged(t, r.header.Get("x-weir-decision-id"))
			if line["weir_verdict"] != test.verdict || fmt.Sprint(line["weir_shadow"]) != map[bool]string{true: "<nil>", false: test.shadow}[test.shadow == ""] {
				t.Errorf("access log %v, want verdict %s, shadow %q", line, test.verdict, test.shadow)
			}
		})
	}
}

// photo is a JPEG with a comment and an Exif segment that hold the text.
func photo(t *testing.T, text string) string {
	t.Helper()
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	segment := func(marker byte, content string) []byte {
		return append([]byte{0xff, marker, byte((len(content) + 2) >> 8), byte(len(content) + 2)}, content...)
	}
	return string(slices.Concat(file.Bytes()[:2], segment(0xe1, "Exif\x00\x00"+text), segment(0xfe, text), file.Bytes()[2:], []byte(text)))
}

// What reaches the model in each mode, by the record of the echo model.
func TestModesOfSanitising(t *testing.T) {
	picture := photo(t, "canary")
	config := func(mode string) string {
		return "defaults: {mode: " + mode + "}\nmodels:\n  - name: echo\n    inputs:\n      IMAGE: {kind: image}\n      TEXT: {kind: text}\n"
	}
	s := private(t, stackOptions{upstream: triton.HTTP, config: config("enforce")}).ready(t)
	ask := func(t *testing.T, name, element string) (reply, local.Received) {
		body, header := message{ID: "mine", Parameters: map[string]any{"binary_data_output": true}, Inputs: []tensor{{Name: name, DataType: "BYTES", Shape: []int64{1}, blob: elements(element)}}}.encode()
		return s.post(t, echoInfer, string(body), fmt.Sprint("Inference-Header-Content-Length: ", header)), lastReceived(t)
	}
	tests := []struct {
		name, input, element string
		clean                string // what enforce makes of it; "" if it refuses
		reason               string
	}{
		{"text", "TEXT", "a\u200bb", "ab", ""},
		{"image", "IMAGE", picture, "*", ""},
		{"text that is none", "TEXT", "a\xff", "", "text_invalid_utf8"},
		{"image that is none", "IMAGE", "no image", "", "image_format_unknown"},
	}
	for _, mode := range []string{"enforce", "shadow", "off"} {
		s.use(t, config(mode))
		for _, test := range tests {
			t.Run(mode+", "+test.name, func(t *testing.T) {
				if mode == "enforce" && test.clean == "" {
					shared.unmoved(t, func() {
						r, _ := ask(t, test.input, test.element)
						wantRefused(t, r, http.StatusBadRequest, test.reason)
					})
					return
				}
				r, got := ask(t, test.input, test.element)
				if r.status != http.StatusOK || len(got.Inputs) != 1 || got.ID != r.header.Get("x-weir-decision-id") {
					t.Fatalf("%v; the model received %+v", r, got)
				}
				raw := got.Inputs[0].SHA256[0] == digest(test.element)
				if raw != (mode != "enforce") || mode == "enforce" && test.clean != "*" && got.Inputs[0].SHA256[0] != digest(test.clean) {
					t.Errorf("the model received %+v", got)
				}
				want := map[string]any{"enforce": nil, "shadow": "sanitize", "off": nil}[mode]
				if mode == "shadow" && test.clean == "" {
					want = "block"
				}
				if line := s.logged(t, r.header.Get("x-weir-decision-id")); line["weir_shadow"] != want {
					t.Errorf("access log %v, want shadow %v", line, want)
				}
			})
		}
		// Parsing, routes and limits hold in every mode.
		t.Run(mode+", law", func(t *testing.T) {
			shared.unmoved(t, func() {
				wantRefused(t, s.post(t, echoInfer, `{"inputs":[],"inputs":[`+goodInput+`]}`), bad, "json_duplicate_key")
				wantRefused(t, s.post(t, "/v2/models/identity/infer", good), forbidden, "model_unknown")
				wantRefused(t, s.post(t, "/v2/repository/index", "{}"), forbidden, "route_denied")
			})
		})
	}
	series := map[string]float64{
		`weir_findings_total{action="shadow_block",model="echo",rule="text"}`:     1,
		`weir_findings_total{action="shadow_sanitize",model="echo",rule="image"}`: 1,
	}
	s.wantMoved(t, map[string]float64{}, maps.Clone(series))
}
