//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/deploy/local"
)

// What every test may use: the programs, and one stack that no test breaks.
var (
	deps       local.Deps
	weirBinary string
	triton     *local.Triton
	shared     *stack
	traces     *collector
	bare       func() (*local.Triton, error) // one that no Weir stands before, started when first asked for
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 && err == nil {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stderr, "e2e: logs are in", dir)
		}
	}()
	if deps, err = local.FindDeps(); err != nil {
		return 1, err
	}
	if weirBinary, err = build(dir); err != nil {
		return 1, err
	}
	ctx := context.Background()
	if traces, err = newCollector(); err != nil {
		return 1, err
	}
	if triton, err = startTriton(dir); err != nil {
		return 1, err
	}
	defer func() { err = join(err, triton.Stop(ctx)) }()
	var unguarded *local.Triton
	bare = sync.OnceValues(func() (t *local.Triton, err error) {
		unguarded, err = startTriton(filepath.Join(dir, "bare"))
		return unguarded, err
	})
	defer func() {
		if unguarded != nil {
			err = join(err, unguarded.Stop(ctx))
		}
	}()
	shared, err = startStack(ctx, stackOptions{dir: filepath.Join(dir, "shared"), upstream: triton.HTTP, grpc: triton.GRPC,
		config: sharedConfig(traces.addr)})
	if err != nil {
		return 1, err
	}
	defer func() { err = join(err, shared.stop()) }()
	return m.Run(), nil
}

func startTriton(logDir string) (*local.Triton, error) {
	return local.StartTriton(context.Background(), deps, local.TritonOptions{LogDir: logDir,
		Models: []string{"echo", "echo_batch", "identity", "traffic-sign"}})
}

func join(a, b error) error {
	if a == nil {
		return b
	}
	return a
}

// build makes a Weir that reports data races, and then exits with 66.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "weir")
	c := exec.Command("go", "build", "-race", "-o", path, "./cmd/weir")
	c.Dir = deps.Root
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weir: %w\n%s", err, out)
	}
	return path, nil
}

// sharedConfig covers all models of the shared Triton.
func sharedConfig(otlp string) string {
	identity := ""
	for _, name := range strings.Fields("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 FP32 FP64 BYTES") {
		identity += fmt.Sprintf("      %s: {kind: opaque}\n", name)
	}
	return fmt.Sprintf(`limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB}
telemetry: {otlp_endpoint: "http://%s", sample_ratio: 1}
models:
  - name: echo
    versions: ["1"]
    parameters: [note]
    inputs:
      IMAGE: {kind: image}
      TEXT: {kind: text}
  - name: echo_batch
    inputs:
      IMAGE: {kind: opaque}
      VALUES: {kind: tensor, min: -1000, max: 1000}
  - name: identity
    inputs:
%s  - name: traffic-sign
    inputs:
      IMAGE: {kind: image}
    outputs:
      SCORES: {kind: probabilities, labels: %s}
    checks:
      - {name: low-confidence, output: SCORES, min_confidence: 0.6, action: flag}
`, otlp, identity, filepath.Join(deps.Models, "traffic-sign", "labels.txt"))
}

// eventually waits until ok returns true, at most a generous time; it never makes
// a slow machine fail.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
	}
}
