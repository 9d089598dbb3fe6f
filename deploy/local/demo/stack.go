package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"weir/deploy/local"
)

//go:embed weir.yaml
var weirConfig string

// demo is the running stack and what the lines of the story share.
type demo struct {
	out        *printer
	weirBinary string

	deps       local.Deps
	dir        string // the run directory: configurations, logs, results
	spans      *receiver
	triton     *local.Triton
	weir       *local.Weir
	envoy      *local.Envoy
	prometheus *local.Prometheus
}

// inference is the name of Envoy's listener for clients.
const inference = "inference"

// start brings up Triton, Weir and Envoy on free ports. What it has started
// when it fails is stop's to end.
func (d *demo) start(ctx context.Context, withBaseline bool) (err error) {
	if d.deps, err = local.FindDeps(); err != nil {
		return err
	}
	if err := d.makeDir(); err != nil {
		return err
	}
	if d.spans, err = startReceiver(); err != nil {
		return err
	}
	if err := d.buildWeir(ctx); err != nil {
		return err
	}
	err = d.out.step("Start Triton with the demonstration models", func() (err error) {
		// With a list of models, Triton also obeys whoever asks it to load others.
		d.triton, err = local.StartTriton(ctx, d.deps, local.TritonOptions{Models: []string{signs, echo, undeclared}, LogDir: d.dir})
		return err
	})
	if err != nil {
		return err
	}
	err = d.out.step("Start Weir, wait until it knows the models", func() error { return d.startWeir(ctx, withBaseline) })
	if err != nil {
		return err
	}
	return d.out.step("Start Envoy with the bootstrap that Weir wrote", func() (err error) {
		d.envoy, err = d.weir.StartFront(ctx, d.deps)
		return err
	})
}

// makeDir makes .run/demo-PID in the repository.
func (d *demo) makeDir() error {
	d.dir = filepath.Join(d.deps.Root, ".run", fmt.Sprintf("demo-%d", os.Getpid()))
	// Left by a process that had the same id.
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return fmt.Errorf("run directory: %w", err)
	}
	return nil
}

// buildWeir builds bin/weir when it is missing, as under "go run".
func (d *demo) buildWeir(ctx context.Context) error {
	if d.weirBinary != "" {
		return nil
	}
	d.weirBinary = filepath.Join(d.deps.Root, "bin", "weir")
	if _, err := os.Stat(d.weirBinary); err == nil {
		return nil
	}
	return d.out.step("Build bin/weir", func() error {
		return d.command(ctx, local.Spec{Name: "build", Path: "go", Args: []string{"build", "-o", d.weirBinary, "./cmd/weir"}, Dir: d.deps.Root})
	})
}

func (d *demo) startWeir(ctx context.Context, withBaseline bool) (err error) {
	config := weirConfig
	if !withBaseline {
		if config, err = withoutBaseline(config); err != nil {
			return err
		}
	}
	// The configuration names files relative to its own folder, the folder of
	// this package; links make the names good in the run directory, too.
	for _, name := range []string{"models", "baselines"} {
		if err := os.Symlink(filepath.Join(d.deps.Root, "deploy", "local", name), filepath.Join(d.dir, name)); err != nil {
			return err
		}
	}
	d.weir, err = local.StartWeir(ctx, d.deps, local.WeirOptions{
		Dir: filepath.Join(d.dir, "weir"), Upstream: d.triton.HTTP, GRPC: d.triton.GRPC, Config: config, Binary: d.weirBinary,
		Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + d.spans.address},
	})
	if err != nil {
		return err
	}
	return d.weir.WaitModels(ctx)
}

// withoutBaseline takes out the line that names the baseline.
func withoutBaseline(config string) (string, error) {
	var kept []string
	for line := range strings.Lines(config) {
		if !strings.HasPrefix(strings.TrimSpace(line), "baseline:") {
			kept = append(kept, line)
		}
	}
	text := strings.Join(kept, "")
	if strings.Count(text, "\n") != strings.Count(config, "\n")-1 {
		return "", errors.New("the configuration does not have exactly one line for a baseline")
	}
	return text, nil
}

// stop ends everything and returns when nothing of it is left.
func (d *demo) stop() error {
	var group errgroup.Group
	stop := func(p *local.Process) { group.Go(func() error { return p.Stop(context.Background()) }) }
	if d.prometheus != nil {
		stop(d.prometheus.Process)
	}
	if d.envoy != nil {
		stop(d.envoy.Process)
	}
	if d.weir != nil {
		stop(d.weir.Process)
	}
	if d.triton != nil {
		stop(d.triton.Process)
	}
	err := group.Wait()
	if d.spans != nil {
		d.spans.stop()
	}
	return err
}

// command runs a program to its end, with its output in a log.
func (d *demo) command(ctx context.Context, spec local.Spec) error {
	spec.LogDir = d.dir
	p, err := local.Start(ctx, spec)
	if err != nil {
		return err
	}
	return ended(ctx, p)
}

// ended waits for a program; a program that was stopped because ctx ended has
// not done its work.
func ended(ctx context.Context, p *local.Process) error {
	if err := p.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// startClient starts a story of client.py, which writes its result to a file.
func (d *demo) startClient(ctx context.Context, story string, args ...string) (p *local.Process, result string, err error) {
	result = filepath.Join(d.dir, story+".json")
	p, err = local.Start(ctx, local.Spec{
		Name: "client", Path: d.deps.Python, LogDir: d.dir,
		Args: append([]string{filepath.Join(d.deps.Root, "deploy", "local", "demo", "client.py"), story, "--out", result}, args...),
	})
	return p, result, err
}

// client runs a story of client.py and decodes its result.
func (d *demo) client(ctx context.Context, result any, story string, args ...string) error {
	p, path, err := d.startClient(ctx, story, args...)
	if err != nil {
		return err
	}
	if err := ended(ctx, p); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// bare and through name the two ways to the model server for client.py.
func (d *demo) bare() string    { return "--bare=" + d.triton.HTTP }
func (d *demo) through() string { return "--weir=" + d.envoy.Listeners[inference] }
