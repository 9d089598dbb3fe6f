//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/deploy/local"
)

// stackOptions say what stands in front of a model server.
type stackOptions struct {
	dir      string
	upstream string                   // the model server's HTTP address
	grpc     string                   // its gRPC address; "" for none
	dialect  string                   // see local.WeirOptions
	openAI   *local.OpenAI            // nil for none
	upload   string                   // see local.WeirOptions
	config   string                   // see local.WeirOptions
	edit     func(yaml string) string // of Envoy's bootstrap; nil for the shipped one
	env      []string                 // of Weir
}

// stack is a Weir and an Envoy in front of a model server, with a tap on what
// Envoy sends there.
type stack struct {
	opts  stackOptions
	weir  *local.Weir
	envoy *local.Envoy
	tap   *tap
	taps  []*tap // all of them: HTTP, and gRPC, OpenAI and uploads if there are such
	addr  string // of Envoy's listener
}

func startStack(ctx context.Context, o stackOptions) (*stack, error) {
	s := &stack{opts: o}
	var err error
	if s.tap, err = newTap(o.upstream); err != nil {
		return nil, err
	}
	s.taps = []*tap{s.tap}
	if o.grpc != "" {
		rpc, err := newTap(o.grpc)
		if err != nil {
			return nil, err
		}
		s.taps = append(s.taps, rpc)
	}
	openAI := ""
	if o.openAI != nil {
		openAI = o.openAI.URL
		api, err := newTap(o.openAI.Addr)
		if err != nil {
			return nil, err
		}
		s.taps = append(s.taps, api)
	}
	if o.upload != "" {
		at, err := url.Parse(o.upload)
		if err != nil {
			return nil, err
		}
		files, err := newTap(at.Host)
		if err != nil {
			return nil, err
		}
		s.taps = append(s.taps, files)
	}
	s.weir, err = local.StartWeir(ctx, deps, local.WeirOptions{Dir: o.dir, Upstream: o.upstream, GRPC: o.grpc,
		Dialect: o.dialect, OpenAI: openAI, Upload: o.upload, Config: o.config, Binary: weirBinary, Env: o.env})
	if err != nil {
		return nil, err
	}
	if err := s.startEnvoy(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// front puts another Envoy in front of Weir.
func (s *stack) front(t *testing.T, edit func(string) string) {
	t.Helper()
	if err := s.envoy.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.opts.edit = edit
	if err := s.startEnvoy(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// startEnvoy starts Envoy with the bootstrap that Weir writes, but for the taps.
func (s *stack) startEnvoy(ctx context.Context) error {
	out, err := s.weir.Command(ctx, "envoy-config", "--config", s.weir.Config, "--listen", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--access-log", s.accessLog())
	if err != nil {
		return err
	}
	bootstrap := string(out)
	for _, tap := range s.taps {
		if bootstrap, err = replaceOnce(bootstrap, portValue(tap.target), portValue(tap.Addr)); err != nil {
			return err
		}
	}
	if s.opts.edit != nil {
		bootstrap = s.opts.edit(bootstrap)
	}
	path := filepath.Join(s.opts.dir, "envoy.yaml")
	if err := os.WriteFile(path, []byte(bootstrap), 0o644); err != nil {
		return err
	}
	envoy, err := local.StartEnvoy(ctx, deps, local.EnvoyOptions{ConfigPath: path, LogDir: s.opts.dir,
		Args: []string{"--file-flush-interval-msec", "50"}}) // of the access log
	if err != nil {
		return err
	}
	s.envoy, s.addr = envoy, envoy.Listeners["inference"]
	return nil
}

func (s *stack) accessLog() string { return filepath.Join(s.opts.dir, "access.log") }

func portValue(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return "port_value: " + port + "}"
}

// replaceOnce is for edits that must hit.
func replaceOnce(text, old, new string) (string, error) {
	if n := strings.Count(text, old); n != 1 {
		return "", fmt.Errorf("%q stands %d times in the bootstrap", old, n)
	}
	return strings.Replace(text, old, new, 1), nil
}

// stop ends both and reports how, with the data races that Weir found.
func (s *stack) stop() error {
	ctx := context.Background()
	var errs []error
	if s.envoy != nil {
		errs = append(errs, s.envoy.Stop(ctx))
	}
	errs = append(errs, s.weir.Stop(ctx))
	for _, tap := range s.taps {
		tap.shut()
	}
	log, err := os.ReadFile(s.weir.LogPath)
	if i := bytes.Index(log, []byte("WARNING: DATA RACE")); i >= 0 {
		err = fmt.Errorf("weir has a data race:\n%s", log[i:min(len(log), i+4<<10)])
	}
	return errors.Join(append(errs, err)...)
}

// private starts a stack for one test, which may break it.
func private(t *testing.T, o stackOptions) *stack {
	t.Helper()
	o.dir = tempDir(t)
	s, err := startStack(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tempDir is like t.TempDir, with a name that is short enough for a socket, and
// stays when the test fails.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("logs are in", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

// ready waits until all models of the policy are ready.
func (s *stack) ready(t *testing.T) *stack {
	t.Helper()
	if err := s.weir.WaitModels(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// kill ends Weir without a chance to say anything.
func (s *stack) kill(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	if err := s.weir.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := s.weir.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// ledger is what a model server can tell of the requests that reached it.
type ledger struct {
	counts  map[string]local.Counts
	records int   // of the echo models
	bytes   []int // from Envoy, of whatever kind, by tap
}

// ledger reads all of that. Triton counts a request after it has answered it, the
// echo models record it before, so it waits until both agree.
func (s *stack) ledger(t *testing.T) ledger {
	t.Helper()
	l := ledger{counts: map[string]local.Counts{}}
	eventually(t, "counters that agree with the record", func() bool {
		counted := 0
		for _, model := range []string{"echo", "echo_batch", "identity", "traffic-sign"} {
			counts, err := triton.Counts(t.Context(), model)
			if err != nil {
				t.Fatal(err)
			}
			l.counts[model] = counts
			if model != "traffic-sign" { // which keeps no record
				counted += int(counts.Success + counts.Failure)
			}
		}
		received, err := triton.Received()
		if err != nil {
			t.Fatal(err)
		}
		l.records = len(received)
		return l.records == counted
	})
	for _, tap := range s.taps {
		l.bytes = append(l.bytes, tap.len())
	}
	return l
}

// unmoved fails the test if anything of what do does reaches the model server.
func (s *stack) unmoved(t *testing.T, do func()) {
	t.Helper()
	before := s.ledger(t)
	do()
	after := s.ledger(t)
	if before.records != after.records || !maps.Equal(before.counts, after.counts) {
		t.Errorf("the model server was reached: before %+v, after %+v", before, after)
	}
	for i, tap := range s.taps {
		if before.bytes[i] != after.bytes[i] {
			t.Errorf("bytes went to the model server: %q", tap.seen(before.bytes[i]))
		}
	}
}
