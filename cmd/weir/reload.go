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
	"syscall"

	"weir/filter"
	"weir/filter/config"
	"weir/filter/upstream"
)

// reloader puts configurations to use, one at a time.
type reloader struct {
	daemon *daemon

	mu       sync.Mutex // held for a whole reload; guards what follows
	current  *config.Config
	registry *upstream.Registry
	client   *upstream.Client
	cancel   context.CancelFunc // of the registry's Run
	done     chan struct{}      // closed when it has ended
	secret   []byte             // drawn at start, for configurations without a key file
}

func (r *reloader) config() *config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

func (r *reloader) signatures() *upstream.Registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.registry
}

// use builds everything that cfg decides and then puts it to use. If it fails,
// nothing has changed.
func (r *reloader) use(ctx context.Context, cfg *config.Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secret == nil {
		r.secret = make([]byte, 32)
		if _, err := rand.Read(r.secret); err != nil {
			return err
		}
	}
	built, err := cfg.Build(r.secret)
	if err != nil {
		return err
	}
	d := r.daemon
	if err := d.monitor.Configure(built.Monitors); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	client := upstream.NewClient(cfg.Upstream.HTTP, cfg.Upstream.Timeout.Std())
	registry := upstream.NewRegistry(client, built.Policy, d.log)
	registry.Inherit(r.registry)

	// From here on nothing can fail.
	r.stopRegistry()
	d.level.Set(cfg.Log.Level.Slog())
	d.telemetry.SetModels(modelNames(cfg))
	d.filter.Use(&filter.Runtime{Policy: built.Policy, Codec: built.Codec, Signatures: registry,
		Digest: cfg.Digest(), Timeout: cfg.Limits.RequestTimeout.Std(), KeyEpoch: built.KeyEpoch, BodyKey: built.BodyKey})
	r.current, r.registry, r.client = cfg, registry, client
	r.startRegistry(ctx)
	d.telemetry.ConfigLoaded(cfg.Digest())
	return nil
}

func (r *reloader) startRegistry(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	registry, done := r.registry, make(chan struct{})
	r.done = done
	go func() {
		defer close(done)
		registry.Run(ctx)
	}()
}

func (r *reloader) stopRegistry() {
	if r.cancel != nil {
		r.cancel()
		<-r.done
		r.client.Close()
	}
}

func (r *reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopRegistry()
	r.cancel = nil
}

// reload loads the file anew and uses it. A file that cannot be used changes
// nothing; the error says why, as the log does.
func (r *reloader) reload(ctx context.Context, cause string) error {
	d := r.daemon
	cfg, warnings, err := config.Load(d.path)
	old := r.config()
	if err == nil && cfg.Digest() == old.Digest() {
		d.telemetry.ConfigLoaded(cfg.Digest())
		d.log.Info("configuration is unchanged", "cause", cause, "config", cfg.Digest())
		return nil
	}
	if err == nil {
		if settled := config.NeedsRestart(old, cfg); len(settled) > 0 {
			err = fmt.Errorf("needs restart: %s", strings.Join(settled, ", "))
		}
	}
	if err == nil {
		err = r.use(ctx, cfg)
	}
	if err != nil {
		d.telemetry.ConfigRejected()
		d.log.Error("configuration rejected; the old one stays in use", "cause", cause, "error", err)
		return err
	}
	for _, w := range warnings {
		d.log.Warn("configuration", "issue", w.String())
	}
	for _, change := range config.Diff(old, cfg) {
		d.log.Info("configuration changed", "path", change.Path, "old", change.Old, "new", change.New)
	}
	d.log.Info("configuration reloaded", "cause", cause, "old", old.Digest(), "new", cfg.Digest())
	return nil
}

// watch reloads on SIGHUP and when the file, or one it refers to, changes.
func (r *reloader) watch(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	watched := make(chan error, 1)
	go func() {
		watched <- config.Watch(ctx, func() map[string]string { return r.config().Sources() }, func() {
			_ = r.reload(ctx, "file change") // logged by reload
		})
	}()
	for {
		select {
		case <-ctx.Done():
			<-watched
			return nil
		case err := <-watched:
			if err != nil && !errors.Is(err, context.Canceled) {
				r.daemon.log.Error("the configuration is no longer watched; use SIGHUP", "error", err)
			}
			watched = nil
			if ctx.Err() != nil {
				return nil
			}
		case <-hangups:
			_ = r.reload(ctx, "SIGHUP") // logged by reload
		}
	}
}

func modelNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Models))
	for i := range cfg.Models {
		names[i] = cfg.Models[i].Name
	}
	return names
}
