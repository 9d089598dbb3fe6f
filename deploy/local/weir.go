package local

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// WeirOptions say how a Weir is started in front of a model server.
type WeirOptions struct {
	Dir      string // for its files: configuration, socket, logs
	Upstream string // the model server's HTTP address, "127.0.0.1:8000"
	GRPC     string // its gRPC address; "" keeps gRPC closed
	Dialect  string // upstream.dialect; "": triton
	OpenAI   string // URL of a server's OpenAI endpoints, upstream.openai; "": none
	Upload   string // URL of an endpoint for files, upstream.upload; "": none
	// Config is the configuration without listen, public, control and upstream,
	// which are put before it.
	Config string
	Binary string   // default: bin/weir in the repository
	Env    []string // "KEY=value", added to the environment of this process
}

// Weir is a running `weir serve`.
type Weir struct {
	*Process
	Dir     string
	Config  string // path of its configuration
	Public  string // address of metrics and health
	Control string // address of reload and recording
	grpc    string
	dialect string
	openAI  string
	upload  string
	binary  string
	env     []string
}

// StartWeir writes the configuration, starts Weir and returns when it is alive;
// that its models are ready is WaitModels.
func StartWeir(ctx context.Context, deps Deps, o WeirOptions) (*Weir, error) {
	w := &Weir{Dir: o.Dir, Config: filepath.Join(o.Dir, "weir.yaml"), grpc: o.GRPC, dialect: cmp.Or(o.Dialect, "triton"), openAI: o.OpenAI, upload: o.Upload,
		binary: o.Binary, env: append(os.Environ(), o.Env...)}
	if w.binary == "" {
		w.binary = filepath.Join(deps.Root, "bin", "weir")
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	err := withPorts(2, func(ports []int) error {
		w.Public, w.Control = loopback(ports[0]), loopback(ports[1])
		if err := w.WriteConfig(o.Upstream, o.Config); err != nil {
			return err
		}
		return w.Start(ctx)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// WriteConfig puts a configuration in the place of the old one, in one step.
func (w *Weir) WriteConfig(upstream, rest string) error {
	text := fmt.Sprintf("listen: unix://%s\npublic: %q\ncontrol: %q\nupstream: {dialect: %s, http: \"http://%s\", grpc: %q, openai: %q, upload: %q}\n%s",
		filepath.Join(w.Dir, "extproc.sock"), w.Public, w.Control, w.dialect, upstream, w.grpc, w.openAI, w.upload, rest)
	next := w.Config + ".next"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, w.Config)
}

// Start starts Weir, again after it has ended, and returns when it is alive.
func (w *Weir) Start(ctx context.Context) error {
	p, err := Start(ctx, Spec{Name: "weir", Path: w.binary, Args: []string{"serve", "--config", w.Config},
		Env: w.env, LogDir: w.Dir})
	if err != nil {
		return err
	}
	w.Process = p
	return p.WaitReady(ctx, HTTPReady("http://"+w.Public+"/healthz"))
}

// WaitModels waits until every model of the configuration is ready.
func (w *Weir) WaitModels(ctx context.Context) error {
	return w.WaitReady(ctx, HTTPReady("http://"+w.Public+"/readyz"))
}

// Reload asks for a reload and returns what Weir says of it.
func (w *Weir) Reload(ctx context.Context) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.Control+"/-/reload", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// Metrics returns the text of Weir's /metrics.
func (w *Weir) Metrics(ctx context.Context) (string, error) {
	text, err := get(ctx, "http://"+w.Public+"/metrics")
	return string(text), err
}

// Command runs another subcommand of the same binary and returns what it printed.
func (w *Weir) Command(ctx context.Context, args ...string) ([]byte, error) {
	var messages strings.Builder
	c := exec.CommandContext(ctx, w.binary, args...)
	c.Env, c.Stderr = w.env, &messages
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("weir %s: %w\n%s", strings.Join(args, " "), err, messages.String())
	}
	return out, nil
}

// StartFront starts an Envoy with the bootstrap that Weir writes for its own
// configuration. Its listener is on a free port: see Envoy.Listeners["inference"].
func (w *Weir) StartFront(ctx context.Context, deps Deps) (*Envoy, error) {
	bootstrap, err := w.Command(ctx, "envoy-config", "--config", w.Config, "--listen", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--access-log", filepath.Join(w.Dir, "access.log"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(w.Dir, "envoy.yaml")
	if err := os.WriteFile(path, bootstrap, 0o644); err != nil {
		return nil, err
	}
	return StartEnvoy(ctx, deps, EnvoyOptions{ConfigPath: path, LogDir: w.Dir})
}
