//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/deploy/envoy/doctor"
	"weir/deploy/envoy/doctor/doctortest"
	"weir/deploy/local"
)

// doctorConfig has every endpoint, so that the bootstrap has every route. Nothing of
// it has to run.
const doctorConfig = `listen: unix:///run/weir/doctor.sock
upstream: {grpc: "127.0.0.1:8001", openai: "http://127.0.0.1:8002/openai"}
telemetry: {otlp_endpoint: "http://127.0.0.1:8003"}
models: [{name: traffic-sign, inputs: {IMAGE: {kind: image}}}]
`

const minimalConfig = "defaults: {mode: enforce}\n"

// writeFile writes a file of a test and returns its path.
func writeFile(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(tempDir(t), name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// envoyConfig is the bootstrap for a configuration, which Envoy itself has accepted.
func envoyConfig(t *testing.T, config string) []byte {
	t.Helper()
	out, messages, code := weir(t, "envoy-config", "--config", config, "--envoy", deps.Envoy,
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--access-log", "/dev/null")
	if code != 0 {
		t.Fatalf("weir envoy-config ends with %d: %s", code, messages)
	}
	return []byte(out)
}

func TestEnvoyAcceptsTheBootstrap(t *testing.T) {
	for _, config := range []string{
		minimalConfig, doctorConfig,
		"limits: {max_body_bytes: 1GiB, max_response_bytes: 1GiB, max_bytes_in_flight: 4GiB, max_streams_in_flight: 100000}\n",
		"limits: {max_body_bytes: 1, max_response_bytes: 1, max_streams_in_flight: 1, request_timeout: 1ms, body_timeout: 1ms, stream_idle_timeout: 1ms}\n",
		"upstream: {http: \"http://[::1]:8000\", grpc: \"[::1]:8001\"}\n",
	} {
		envoyConfig(t, writeFile(t, "weir.yaml", []byte(config)))
	}
	out, messages, code := weir(t, "envoy-config", "--config", writeFile(t, "weir.yaml", []byte(minimalConfig)), "--envoy", "/bin/false")
	if code != 1 || out != "" || !strings.Contains(messages, "refuses the bootstrap") {
		t.Errorf("%d: %s%s", code, out, messages)
	}
}

// diagnose runs `weir doctor` and returns its report and exit code.
func diagnose(t *testing.T, args ...string) (report doctor.Report, code int) {
	t.Helper()
	out, messages, code := weir(t, append([]string{"doctor", "--output", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("weir doctor ends with %d, %v: %s%s", code, err, out, messages)
	}
	return report, code
}

func rulesOf(report doctor.Report) (found []string) {
	for _, f := range report.Findings {
		found = append(found, f.ID)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestDoctorReadsARunningEnvoy holds that the dump of an Envoy that runs the shipped
// bootstrap is clean, and that whatever is wrong in a file is found in the dump of an
// Envoy that runs it, too.
func TestDoctorReadsARunningEnvoy(t *testing.T) {
	config := writeFile(t, "weir.yaml", []byte(doctorConfig))
	shipped := envoyConfig(t, config)
	cases, err := doctortest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(cases, doctortest.Case{Name: "shipped"}) {
		if c.File || c.Since != "" && !since(c.Since) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			root, err := c.Apply(shipped)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(root, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			bootstrap := writeFile(t, "envoy.yaml", text)
			report, code := diagnose(t, "--config", config, "--strict", "--envoy", bootstrap)
			wantReport(t, c, report, code)
			envoy, err := local.StartEnvoy(context.Background(), deps, local.EnvoyOptions{ConfigPath: bootstrap,
				LogDir: filepath.Dir(bootstrap), Concurrency: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer envoy.Stop(context.Background())
			report, code = diagnose(t, "--config", config, "--strict", "--envoy", "http://"+envoy.Admin)
			wantReport(t, c, report, code)
		})
	}
}

func wantReport(t *testing.T, c doctortest.Case, report doctor.Report, code int) {
	t.Helper()
	want := 0
	switch {
	case len(c.Rules) > 0:
		want = 1
	case c.Unjudged:
		want = 2
	}
	if got := rulesOf(report); !slices.Equal(got, c.Rules) || code != want {
		t.Errorf("exit code %d, found %v, want %d, %v: %+v", code, got, want, c.Rules, report)
	}
}

// TestDoctorReadsARunningTriton examines the command line of the Triton of these
// tests, which loads and unloads models.
func TestDoctorReadsARunningTriton(t *testing.T) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", triton.Pid))
	if err != nil {
		t.Fatal(err)
	}
	args := writeFile(t, "triton.args", bytes.ReplaceAll(line, []byte{0}, []byte{'\n'}))
	config := writeFile(t, "weir.yaml", fmt.Appendf(nil, "upstream: {http: \"http://%s\", grpc: %q}\n", triton.HTTP, triton.GRPC))
	report, code := diagnose(t, "--config", config, "--triton-args", args)
	if got := rulesOf(report); code != 1 || !slices.Equal(got, []string{"triton_model_control"}) {
		t.Errorf("exit code %d, found %v: %+v", code, got, report)
	}
}

// TestDoctorKnowsTheOptionsOfTriton holds that every option which Triton lists is
// known, and that Triton reads names that are cut short.
func TestDoctorKnowsTheOptionsOfTriton(t *testing.T) {
	program := func(args ...string) string {
		c := exec.Command(filepath.Join(deps.Triton, "bin", "tritonserver"), args...)
		c.Env = []string{"LD_LIBRARY_PATH=" + filepath.Join(deps.Triton, "lib")}
		out, _ := c.CombinedOutput() // the exit code of help is not zero
		return string(out)
	}
	names := regexp.MustCompile(`(?m)^  --([a-z0-9-]+)`).FindAllStringSubmatch(program("--help"), -1)
	if len(names) < 50 {
		t.Fatalf("Triton lists %d options", len(names))
	}
	config := writeFile(t, "weir.yaml", []byte(minimalConfig))
	for _, name := range names {
		args := writeFile(t, "triton.args", []byte("--"+name[1]+"=x"))
		if report, _ := diagnose(t, "--config", config, "--triton-args", args); slices.Contains(rulesOf(report), "triton_option_unknown") {
			t.Errorf("--%s is not known", name[1])
		}
	}
	if out := program("--model-control-m=nonsense", "--model-repository=/nonexistent"); !strings.Contains(out, "model-control-mode") {
		t.Errorf("a name that is cut short: %s", out)
	}
}
