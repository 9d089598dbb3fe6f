package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"weir/filter"
	"weir/filter/config"
	"weir/filter/upstream"
)

// reloader puts configurations to use, one at a time.
type reloader struct {
	daemon  *daemon
	secret  []byte // drawn at start, for configurations without a key file
	hangups chan os.Signal
	current atomic.Pointer[inUse]

	mu      sync.Mutex // held for a whole reload, so that the last file read wins
	stopped bool
}

// inUse is the configuration in use, with what it runs in the background.
type inUse struct {
	config   *config.Config
	registry *upstream.Registry
	stop     func() // ends the registry's Run and waits for it
}

func newReloader(d *daemon) *reloader {
	r := &reloader{daemon: d, secret: make([]byte, 32), hangups: make(chan os.Signal, 1)}
	signal.Notify(r.hangups, syscall.SIGHUP) // from the start: by default it kills
	_, _ = rand.Read(r.secret)               // never fails since Go 1.24
	return r
}

func (r *reloader) config() *config.Config         { return r.current.Load().config }
func (r *reloader) signatures() *upstream.Registry { return r.current.Load().registry }

// start puts the first configuration to use.
func (r *reloader) start(cfg *config.Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.use(cfg)
}

// stop ends what runs in the background, for good.
func (r *reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	signal.Stop(r.hangups)
	if last := r.current.Load(); last != nil {
		last.stop()
	}
}

// reload loads the file anew and uses it. A file that cannot be used changes
// nothing; the error says why, as the log does.
func (r *reloader) reload(cause string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, old := r.daemon, r.config()
	cfg, warnings, err := config.Load(d.path)
	if err == nil {
		err = r.replace(old, cfg)
	}
	if err != nil {
		d.telemetry.ConfigRejected()
		d.log.Error("configuration rejected; the old one stays in use", "cause", cause, "error", err)
		return err
	}
	if cfg.Digest() == old.Digest() {
		d.log.Info("configuration is unchanged", "cause", cause, "config", cfg.Digest())
		return nil
	}
	d.logWarnings(warnings)
	for _, change := range config.Diff(old, cfg) {
		d.log.Info("configuration changed", "path", change.Path, "old", change.Old, "new", change.New)
	}
	d.log.Info("configuration reloaded", "cause", cause, "old", old.Digest(), "new", cfg.Digest())
	return nil
}

// replace uses cfg if it differs from old in nothing that needs a restart.
func (r *reloader) replace(old, cfg *config.Config) error {
	if r.stopped {
		return errors.New("weir is ending")
	}
	if cfg.Digest() == old.Digest() {
		r.daemon.telemetry.ConfigLoaded(cfg.Digest())
		return nil
	}
	if settled := config.NeedsRestart(old, cfg); len(settled) > 0 {
		return fmt.Errorf("needs restart: %s", strings.Join(settled, ", "))
	}
	cfg.Inherit(old)
	return r.use(cfg)
}

// use builds everything that cfg decides and then puts it to use. If it fails,
// nothing has changed.
func (r *reloader) use(cfg *config.Config) error {
	built, err := cfg.Build(r.secret)
	if err != nil {
		return err
	}
	d := r.daemon
	started, err := d.monitor.Configure(built.Monitors)
	if err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	client := cfg.Upstream.Client()
	openai := upstream.NewOpenAI(cfg.Upstream.OpenAI, cfg.Upstream.Timeout.Std())
	sources := upstream.Sources{V2: client, OpenAI: openai}
	if address, _, err := cfg.Upstream.UploadEndpoint(); cfg.Upstream.Upload != "" && err == nil { // validated
		sources.Upload = upstream.NewUpload(address, built.Policy, cfg.Upstream.Timeout.Std())
	}
	next := &inUse{config: cfg, registry: upstream.NewRegistry(sources, built.Policy, d.log)}

	// From here on nothing can fail.
	if last := r.current.Load(); last != nil {
		last.stop()
		next.registry.Inherit(last.registry)
	}
	next.stop = runRegistry(next.registry, client, openai)
	d.level.Set(cfg.Log.Level.Slog())
	d.telemetry.SetTracing(cfg.Telemetry.SampleRatio, cfg.Telemetry.TrustClient)
	d.filter.Use(&filter.Runtime{Policy: built.Policy, Codecs: built.Codecs, Signatures: next.registry,
		Digest: cfg.Digest(), Timeout: cfg.Limits.RequestTimeout.Std(), KeyEpoch: built.KeyEpoch, BodyKey: built.BodyKey})
	r.current.Store(next)
	d.telemetry.ConfigLoaded(cfg.Digest())
	d.logDetectors(started)
	return nil
}

// runRegistry reads signatures in the background until the returned function is
// called, which returns when that has ended.
func runRegistry(registry *upstream.Registry, clients ...interface{ Close() }) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		registry.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
		for _, c := range clients {
			c.Close()
		}
	}
}

// onHangup reloads on every SIGHUP until ctx ends.
func (r *reloader) onHangup(ctx context.Context) {
	defer signal.Stop(r.hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
			_ = r.reload("SIGHUP") // logged by reload
		}
	}
}

// onChange reloads when the file, or one it refers to, changes, until ctx ends.
func (r *reloader) onChange(ctx context.Context) {
	err := config.Watch(ctx, func() map[string]string { return r.config().Sources() }, func() {
		_ = r.reload("file change") // logged by reload
	})
	if err != nil {
		r.daemon.log.Error("the configuration is no longer watched; use SIGHUP", "error", err)
	}
}
