//go:build e2e

package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
)

func init() {
	helpers["stack"] = func(ctx context.Context, dir string) error {
		_, err := startStack(ctx, dir)
		return err
	}
}

// stack is Envoy in front of Triton, with Prometheus watching it.
type stack struct {
	triton     *Triton
	envoy      *Envoy
	prometheus *Prometheus
}

func startStack(ctx context.Context, dir string) (*stack, error) {
	deps, err := FindDeps()
	if err != nil {
		return nil, err
	}
	s := new(stack)
	if s.triton, err = StartTriton(ctx, deps, TritonOptions{Models: []string{"echo"}, LogDir: dir}); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(config, envoyConfig(s.triton.HTTP), 0o644); err != nil {
		return nil, err
	}
	if s.envoy, err = StartEnvoy(ctx, deps, EnvoyOptions{ConfigPath: config, LogDir: dir, Concurrency: 1}); err != nil {
		return nil, err
	}
	config = filepath.Join(dir, "prometheus.yml")
	rules := fmt.Sprintf("scrape_configs:\n- job_name: triton\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n  static_configs: [{targets: [%q]}]\n", s.triton.Metrics)
	if err := os.WriteFile(config, []byte(rules), 0o644); err != nil {
		return nil, err
	}
	s.prometheus, err = StartPrometheus(ctx, deps, PrometheusOptions{ConfigPath: config, DataDir: filepath.Join(dir, "data"), LogDir: dir})
	return s, err
}

// envoyConfig returns a bootstrap that passes everything to one upstream.
func envoyConfig(upstream string) []byte {
	host, port, _ := strings.Cut(upstream, ":")
	return fmt.Appendf(nil, `{
  "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
  "static_resources": {
    "listeners": [{
      "name": "public",
      "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
      "filter_chains": [{"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
          "stat_prefix": "public",
          "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "triton"}}]}]},
          "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]
        }
      }]}]
    }],
    "clusters": [{
      "name": "triton",
      "load_assignment": {"cluster_name": "triton", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": %q, "port_value": %s}}}}]}]}
    }]
  }
}`, host, port)
}

func (s *stack) stop() error {
	var group errgroup.Group
	for _, p := range []*Process{s.triton.Process, s.envoy.Process, s.prometheus.Process} {
		group.Go(func() error { return p.Stop(context.Background()) })
	}
	return group.Wait()
}

// infer posts a JSON request for the echo model and returns the reply.
func infer(ctx context.Context, address, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v2/models/echo/infer", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json") // which KServe insists on
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	return response.StatusCode, string(reply), err
}

func TestTwoStacksSideBySide(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	stacks := make([]*stack, len(dirs))
	var group errgroup.Group
	for i, dir := range dirs {
		group.Go(func() (err error) {
			stacks[i], err = startStack(t.Context(), dir)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, s := range stacks {
		for n := range i + 1 {
			body := fmt.Sprintf(`{"id":"stack-%d-%d","inputs":[{"name":"TEXT","datatype":"BYTES","shape":[1],"data":["text"]}]}`, i, n)
			status, reply, err := infer(t.Context(), s.envoy.Listeners["public"], body)
			if err != nil || status != http.StatusOK || !strings.Contains(reply, `"data":["text"]`) {
				t.Errorf("stack %d: status %d, %s, %v", i, status, reply, err)
			}
		}
		counts, err := s.triton.Counts(t.Context(), "echo")
		want := Counts{Success: uint64(i + 1), Inferences: uint64(i + 1), Executions: uint64(i + 1)}
		if err != nil || counts != want {
			t.Errorf("stack %d: counts %+v, %v; want %+v", i, counts, err, want)
		}
		wantScraped(t, s.prometheus, i+1)
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		wantGone(t, dirs[i])
	}
	wantGone(t, fmt.Sprintf("weir-%d-", os.Getpid()))
	wantNoSharedMemory(t, os.Getpid())
}

// wantScraped waits until Prometheus has Triton's count of successes.
func wantScraped(t *testing.T, prometheus *Prometheus, want int) {
	t.Helper()
	err := prometheus.WaitReady(t.Context(), func(ctx context.Context) error {
		body, err := get(ctx, "http://"+prometheus.HTTP+"/api/v1/query?query=nv_inference_request_success")
		if err == nil && !bytes.Contains(body, fmt.Appendf(nil, `,"%d"]`, want)) {
			err = fmt.Errorf("not %d: %s", want, body)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func wantNoSharedMemory(t *testing.T, pid int) {
	t.Helper()
	left, err := filepath.Glob(fmt.Sprintf("/dev/shm/weir-%d-*", pid))
	if err != nil || len(left) > 0 {
		t.Errorf("shared memory left behind: %q, %v", left, err)
	}
}

func TestEchoRecordsWhatItReceived(t *testing.T) {
	triton := startTritonFor(t, "echo")
	if received, err := triton.Received(); err != nil || len(received) != 0 {
		t.Errorf("before the first request: %v, %v", received, err)
	}
	body := `{"id":"7","parameters":{"note":"n"},"inputs":[
		{"name":"IMAGE","datatype":"BYTES","shape":[2],"data":["one","€"]},
		{"name":"VALUES","datatype":"FP32","shape":[1],"data":[1.5]}]}`
	if status, reply, err := infer(t.Context(), triton.HTTP, body); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %s, %v", status, reply, err)
	}
	if status, _, err := infer(t.Context(), triton.HTTP, `{"inputs":[{"name":"NO","datatype":"FP32","shape":[1],"data":[1]}]}`); err != nil || status != http.StatusBadRequest {
		t.Fatalf("input that the model does not have: status %d, %v", status, err)
	}
	received, err := triton.Received()
	if err != nil {
		t.Fatal(err)
	}
	want := []Received{{
		Model: "echo", Version: "1", ID: "7", Parameters: map[string]any{"note": "n"},
		Inputs: []ReceivedInput{
			{Name: "IMAGE", Datatype: "BYTES", Shape: []int64{2}, Bytes: []int64{3, 3}, SHA256: []string{digest("one"), digest("€")}},
			{Name: "VALUES", Datatype: "FP32", Shape: []int64{1}, Bytes: []int64{4}, SHA256: []string{digest("\x00\x00\xc0\x3f")}},
		},
	}}
	if !reflect.DeepEqual(received, want) {
		t.Errorf("received %+v\nwant %+v", received, want)
	}
	if _, err := triton.Counts(t.Context(), "absent"); err == nil {
		t.Error("counts of a model that is not there: no error")
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func startTritonFor(t *testing.T, models ...string) *Triton {
	t.Helper()
	deps, err := FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	triton, err := StartTriton(t.Context(), deps, TritonOptions{Models: models, LogDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { triton.Stop(context.Background()) })
	return triton
}

// The models must give back each datatype, shape and byte that NVIDIA's own
// client sends, over both protocols.
func TestModelsReturnWhatTritonclientSends(t *testing.T) {
	deps, err := FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	triton := startTritonFor(t, "identity", "echo_batch")
	output, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "roundtrip.py"), triton.HTTP, triton.GRPC).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var checked map[string]int
	if err := json.Unmarshal(output, &checked); err != nil || checked["http"] != 16 || checked["grpc"] != 16 {
		t.Errorf("roundtrip.py checked %s, want 16 tensors for each protocol (%v)", output, err)
	}
}

func TestStackEndsWithItsKilledParent(t *testing.T) {
	dir := t.TempDir()
	helper := startHelper(t, "stack", dir)
	sharedMemory := fmt.Sprintf("weir-%d-", helper.Pid)
	if found := processesWith(t, sharedMemory); len(found) < 2 {
		t.Fatalf("want Triton and its model, have %q", found)
	}
	if err := helper.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantGone(t, dir)
	wantGone(t, sharedMemory)
	wantNoSharedMemory(t, helper.Pid)
}

func TestKilledTritonLeavesNothing(t *testing.T) {
	triton := startTritonFor(t, "echo")
	if err := triton.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := triton.Wait(); err != nil {
		t.Error(err)
	}
	wantGone(t, fmt.Sprintf("weir-%d-", os.Getpid()))
	wantNoSharedMemory(t, os.Getpid())
}

func TestFailureToStartIsExplained(t *testing.T) {
	deps, err := FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"static_resources": {"listener": []}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		start func() error
		want  string
	}{
		{"triton", func() error {
			_, err := StartTriton(t.Context(), deps, TritonOptions{Models: []string{"absent"}, LogDir: dir})
			return err
		}, "failed to poll model 'absent'"},
		{"triton's HTTP port", func() error { return onTakenPort(t, deps, dir, "http") }, "already in use"},
		{"triton's gRPC port", func() error { return onTakenPort(t, deps, dir, "grpc") }, "already in use"},
		{"triton's metrics port", func() error { return onTakenPort(t, deps, dir, "metrics") }, "already in use"},
		{"envoy", func() error {
			_, err := StartEnvoy(t.Context(), deps, EnvoyOptions{ConfigPath: bad, LogDir: dir})
			return err
		}, "has unknown fields"},
		{"prometheus", func() error {
			_, err := StartPrometheus(t.Context(), deps, PrometheusOptions{ConfigPath: bad, DataDir: dir, LogDir: dir})
			return err
		}, "static_resources not found"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.start(); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "log: ") {
				t.Errorf("error lacks %q or the log's path:\n%v", test.want, err)
			}
			wantGone(t, dir)
		})
	}
}

// onTakenPort starts Triton with one of its ports in use and returns why that
// failed, which the package has to see as reason to try others.
func onTakenPort(t *testing.T, deps Deps, dir, service string) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	ports := make([]int, 3)
	for i := range ports {
		if ports[i], err = FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = startTriton(t.Context(), deps, TritonOptions{
		Models: []string{"echo"}, LogDir: dir, Args: []string{"--" + service + "-port=" + port},
	}, ports)
	if !portTaken(err) {
		t.Errorf("not seen as a port in use: %v", err)
	}
	return err
}
