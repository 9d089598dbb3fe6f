package envoy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func options() Options {
	return Options{Listen: "0.0.0.0:8080", Admin: "127.0.0.1:9901", Socket: "unix:///run/weir/extproc.sock",
		Upstream: "http://127.0.0.1:8000", GRPC: "127.0.0.1:8001", OpenAI: "http://127.0.0.1:9000/openai",
		Upload:       "http://127.0.0.1:8085/predictions/{model}",
		OTLPEndpoint: "http://127.0.0.1:4317",
		MaxBodyBytes: 64 << 20, MaxResponseBytes: 32 << 20, BodyTimeout: 30 * time.Second, PhaseTimeout: 7 * time.Second,
		UpstreamTimeout: time.Minute, StreamIdleTimeout: 5 * time.Minute, MaxStreams: 256}
}

func TestBootstrapGolden(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"bootstrap.yaml":           func(*Options) {},
		"bootstrap-http-only.yaml": func(o *Options) { o.GRPC, o.OpenAI, o.Upload, o.OTLPEndpoint = "", "", "", "" },
		"bootstrap-one-upload.yaml": func(o *Options) {
			o.GRPC, o.OpenAI, o.Upload, o.OTLPEndpoint = "", "", "http://127.0.0.1:8085/predict", ""
		},
	} {
		o := options()
		change(&o)
		got, err := Bootstrap(o)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from what is written; look at the change, then run with -update", golden)
		}
	}
}

// TestLimitsAgree holds what makes Envoy and Weir one firewall.
func TestLimitsAgree(t *testing.T) {
	got, err := Bootstrap(options())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"failure_mode_allow: false",
		"allow_mode_override: false",
		"request_body_mode: BUFFERED",
		"response_body_mode: BUFFERED",
		"per_connection_buffer_limit_bytes: 67174400", // the larger body and 64 KiB
		"request_timeout: 0s",                         // streams last
		"message_timeout: 10s",                        // Weir's 7 s are 70 % of it
		"idle_timeout: 100s",                          // four messages and the model server
		"{max_stream_duration: 140s}",                 // and before them the head's 10 s and the body's 30 s
		"disallow_is_error: true",
		"idle_timeout: 60s", // silent connections do not use up those that there may be
		"response_attributes: [response.code_details]",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the bootstrap lacks %q", want)
		}
	}
	if n := strings.Count(string(got), "per_connection_buffer_limit_bytes: 67174400"); n != 6 {
		t.Errorf("%d buffer limits, want the same at the listener, Weir and the model server's four endpoints", n)
	}
	if strings.Contains(string(got), "retry") {
		t.Error("a request that was let through could go upstream twice")
	}
}

func TestBadOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"listen":          func(o *Options) { o.Listen = "localhost:8080" },
		"admin":           func(o *Options) { o.Admin = "" },
		"socket":          func(o *Options) { o.Socket = "tcp://1.2.3.4:5" },
		"upstream":        func(o *Options) { o.Upstream = "https://127.0.0.1:8000" },
		"upstream port":   func(o *Options) { o.Upstream = "http://127.0.0.1" },
		"upstream path":   func(o *Options) { o.Upstream = "http://127.0.0.1:8000/x" },
		"YAML in a host":  func(o *Options) { o.Upstream = "http://a\"}:8000" },
		"gRPC":            func(o *Options) { o.GRPC = "http://127.0.0.1:8001" },
		"OpenAI":          func(o *Options) { o.OpenAI = "https://api.example/v1" },
		"upload":          func(o *Options) { o.Upload = "http://127.0.0.1:8085/{model}" },
		"upload, TLS":     func(o *Options) { o.Upload = "https://127.0.0.1:8085/predict" },
		"otlp":            func(o *Options) { o.OTLPEndpoint = "127.0.0.1:4317" },
		"no body":         func(o *Options) { o.MaxBodyBytes = 0 },
		"4 GiB":           func(o *Options) { o.MaxBodyBytes = 4 << 30 },
		"no timeout":      func(o *Options) { o.PhaseTimeout = 0 },
		"no body timeout": func(o *Options) { o.BodyTimeout = 0 },
		"endless silence": func(o *Options) { o.StreamIdleTimeout = 0 },
		"no streams":      func(o *Options) { o.MaxStreams = 0 },
	} {
		o := options()
		change(&o)
		if _, err := Bootstrap(o); err == nil {
			t.Errorf("%s: Bootstrap = nil, want an error", name)
		}
	}
}
