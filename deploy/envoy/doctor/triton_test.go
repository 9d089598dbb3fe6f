package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"weir/deploy/envoy/doctor"
)

// loopback is a command line of which there is nothing to say.
const loopback = "tritonserver --http-address=127.0.0.1 --grpc-address=127.0.0.1 --model-repository=/models "

// commandLines are command lines with the rules that they break.
var commandLines = []struct{ text, rules string }{
	{loopback, ""},
	{"--http-address=localhost\n--grpc-address\n::1\n", ""},
	{"exec 'tritonserver' --http-address \"127.0.0.1\" \\\n  --grpc-address 127.1.2.3 # a comment --allow-sagemaker=true", ""},
	{"--allow-http=false --allow-grpc=0 --allow-metrics=off", ""},
	{"args:\n- --http-address=127.0.0.1\n- --grpc-address=127.0.0.1\n", ""},
	{"", "triton_routable"},
	{"tritonserver", "triton_routable"},
	{"--http-address=127.0.0.1", "triton_routable"},
	{"--grpc-address=127.0.0.1 --http-address=0.0.0.0", "triton_routable"},
	{loopback + "--http-address=10.0.0.1", "triton_routable"},
	{loopback + "--http-addr=10.0.0.1", "triton_routable"}, // names may be cut short
	{loopback + "--metrics-address=0.0.0.0", "triton_metrics"},
	{"--allow-http=false --grpc-address=127.0.0.1", "triton_metrics"},
	{loopback + "--http-port=9000", "triton_port"},
	{loopback + "--grpc-port 8000", "triton_port"},
	{loopback + "--reuse-grpc-port=true", "triton_reuse_port"},
	{loopback + "--allow-sagemaker=true", "triton_cloud_endpoint"},
	{loopback + "--allow-vertex-ai 1", "triton_cloud_endpoint"},
	{"AIP_MODE=PREDICTION " + loopback, "triton_cloud_endpoint"},
	{"AIP_MODE=PREDICTION " + loopback + "--allow-vertex-ai=false", ""},
	{loopback + "--model-control-mode=none", ""},
	{loopback + "--model-control-mode=explicit", "triton_model_control"},
	{loopback + "--model-control=poll", "triton_model_control"},
	{loopback + "--allow-client-shm=true", "triton_shared_memory"},
	{loopback + "--http-header-forward-pattern=.*", "triton_header_forward"},
	{loopback + "--grpc-header-forward-pattern x", "triton_header_forward"},
	{loopback + "--log-verbose=0", ""},
	{loopback + "--log-verbose=1", "triton_log_verbose"},
	{loopback + "--trace-config=level=OFF", ""},
	{loopback + "--trace-config mode=opentelemetry", "triton_trace"},
	{loopback + "--trace-config=level=TENSORS", "triton_trace_tensors"},
	{loopback + "--trace-level=TENSORS", "triton_trace_tensors"},
	{loopback + "--grpc-infer-response-compression-level=high", "triton_compression"},
	{loopback + "--cache-config=local,size=1048576", "triton_response_cache"},
	{loopback + "--response-cache-byte-size=1048576", "triton_response_cache"},
	{loopback + "--http-max-input-size=67108864", ""},
	{loopback + "--http-max-input-size=1048576", "triton_input_size"},
	{loopback + "--model-store=s3://bucket/models", "triton_remote_repository"},
	{loopback + "--backend-directory gs://bucket", "triton_remote_repository"},
	{loopback + "--strict-readiness=false", "triton_readiness"},
	{loopback + "--disable-auto-complete-config --log-verbose=1", "triton_log_verbose"},
	{loopback + "--allow-everything=true", "triton_option_unknown"},
	{loopback + "--http=1", "triton_option_unknown"}, // which could be several
	{loopback + "&& curl --insecure x", ""},
}

func TestCommandLines(t *testing.T) {
	for _, c := range commandLines {
		report, err := doctor.Triton(c.text, "triton.args", expect())
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got := rulesOf(report); !slices.Equal(got, strings.Fields(c.rules)) {
			t.Errorf("%q: found %v, want %q", c.text, got, c.rules)
		}
	}
	if _, err := doctor.Triton("--http-address='127", "triton.args", expect()); err == nil {
		t.Error("a quote that is not closed is no error")
	}
}

func TestPlaceInACommandLine(t *testing.T) {
	report, err := doctor.Triton("tritonserver \\\n  --http-address=127.0.0.1 --grpc-address=127.0.0.1\\\n  --log-verbose=2\n", "triton.args", expect())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) != 1 {
		t.Fatalf("%+v", report)
	}
	if f := report.Findings[0]; f.File != "triton.args" || f.Line != 3 || f.Path != "--log-verbose" || f.What != "it is 2" {
		t.Errorf("%+v", f)
	}
}

func FuzzTriton(f *testing.F) {
	for _, c := range commandLines {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		report, err := doctor.Triton(text, "triton.args", expect())
		if err != nil {
			return
		}
		for _, finding := range report.Findings {
			if lines := strings.Count(text, "\n") + 1; finding.Line > lines {
				t.Errorf("line %d of %d", finding.Line, lines)
			}
		}
	})
}
