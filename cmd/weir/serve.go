package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"weir/filter"
	"weir/filter/config"
	"weir/filter/extproc"
	"weir/monitor"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
)

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the firewall",
		Long: `Run the firewall: the ext_proc server on its Unix socket, metrics and health on
the public address, reload and recording on the control address. SIGHUP reloads
the configuration, SIGTERM and SIGINT end it after the exchanges in flight.`,
		Args: noArgs,
	}
	file := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := findConfig(*file)
		if err != nil {
			return err
		}
		cfg, warnings, err := config.Load(path)
		if err != nil {
			return configError(err)
		}
		d, err := newDaemon(c.Context(), path, cfg, c.ErrOrStderr())
		if err != nil {
			return err
		}
		d.logWarnings(warnings)
		return d.run(c.Context())
	}
	return c
}

// daemon is a running Weir: the singletons that outlive every configuration, and
// the configuration in use.
type daemon struct {
	path      string
	log       *slog.Logger
	level     *slog.LevelVar
	telemetry *telemetry.Telemetry
	monitor   *monitor.Monitor
	decisions *decision.Store
	filter    *filter.Filter
	extproc   *extproc.Server
	reloader  *reloader
}

// The pace of what runs beside the exchanges.
const (
	drainTimeout = 10 * time.Second
	saveEvery    = 30 * time.Second
	readTimeout  = 5 * time.Second
)

// newDaemon builds everything and puts the first configuration to use.
func newDaemon(ctx context.Context, path string, cfg *config.Config, messages io.Writer) (*daemon, error) {
	d := &daemon{path: path, level: new(slog.LevelVar), decisions: decision.New()}
	d.log = telemetry.NewLogger(messages, d.level)
	var err error
	d.telemetry, err = telemetry.New(ctx, telemetry.Config{OTLPEndpoint: cfg.Telemetry.OTLPEndpoint,
		SampleRatio: cfg.Telemetry.SampleRatio, TrustClient: cfg.Telemetry.TrustClient, Version: currentVersion()}, d.log)
	if err != nil {
		return nil, fail(exitUndecided, "telemetry: %w", err)
	}
	d.monitor = monitor.New(monitor.Options{OnAlarm: d.onAlarm})
	d.filter = filter.New(filter.Options{Monitor: d.monitor, Decisions: d.decisions, Telemetry: d.telemetry, Log: d.log, Slots: runtime.GOMAXPROCS(0)})
	d.extproc = extproc.New(d.filter, extproc.Limits{
		MaxBodyBytes:     int64(max(cfg.Limits.MaxBodyBytes, cfg.Limits.MaxResponseBytes)),
		MaxBytesInFlight: int64(cfg.Limits.MaxBytesInFlight),
		MaxStreams:       uint32(cfg.Limits.MaxStreamsInFlight),
		// Envoy's timer for a message runs meanwhile, and follows request_timeout.
		AdmissionTimeout:  min(cfg.Limits.AdmissionTimeout, cfg.Limits.RequestTimeout).Std(),
		BodyTimeout:       cfg.Limits.BodyTimeout.Std(),
		MaxStreamRequests: int(cfg.Limits.MaxStreamRequests),
	}, d.log)
	d.reloader = newReloader(d)
	d.loadState(cfg)
	if err := d.reloader.start(cfg); err != nil {
		d.close()
		return nil, fail(exitUsage, "the configuration is not valid:\n%w", err)
	}
	d.telemetry.SetStatus(d.status)
	return d, nil
}

// run serves until ctx ends or a listener fails.
func (d *daemon) run(ctx context.Context) error {
	cfg := d.reloader.config()
	l, err := d.listen(cfg)
	if err != nil {
		d.close()
		return fail(exitUndecided, "%w", err)
	}
	d.log.Info("weir serves", "version", currentVersion(), "listen", cfg.Listen,
		"public", l.public.Addr().String(), "control", l.control.Addr().String(), "config", cfg.Digest())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveGRPC(ctx, d.extproc.Register(), l.socket) })
	group.Go(func() error { return d.serveHTTP(ctx, d.publicHandler(), l.public) })
	group.Go(func() error { return d.serveHTTP(ctx, localOnly(d.controlHandler()), l.control) })
	group.Go(func() error { d.reloader.onHangup(ctx); return nil })
	group.Go(func() error { d.reloader.onChange(ctx); return nil })
	group.Go(func() error { d.saveStates(ctx, cfg); return nil })
	err = group.Wait()
	d.close()
	d.saveState(cfg)
	d.log.Info("weir ended")
	if err != nil {
		return fail(exitFindings, "%w", err)
	}
	return nil
}

// listeners are where a daemon is reached.
type listeners struct{ socket, public, control net.Listener }

// listen opens all listeners or none.
func (d *daemon) listen(cfg *config.Config) (l listeners, err error) {
	if l.socket, err = extproc.Listen(cfg.Listen, cfg.Peers, d.log); err != nil {
		return listeners{}, err
	}
	if l.public, err = net.Listen("tcp", cfg.Public); err != nil {
		l.socket.Close()
		return listeners{}, fmt.Errorf("public: %w", err)
	}
	if l.control, err = net.Listen("tcp", cfg.Control); err != nil {
		l.socket.Close()
		l.public.Close()
		return listeners{}, fmt.Errorf("control: %w", err)
	}
	return l, nil
}

// close ends what runs beside the listeners. The drift state can be saved after.
func (d *daemon) close() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	d.reloader.stop()
	if err := d.monitor.Close(ctx); err != nil {
		d.log.Warn("monitor did not end", "error", err)
	}
	if err := d.telemetry.Shutdown(ctx); err != nil {
		d.log.Warn("telemetry was not flushed", "error", err)
	}
}

func (d *daemon) logWarnings(warnings config.Warnings) {
	for _, w := range warnings {
		d.log.Warn("configuration", "issue", w.String())
	}
}

// serveGRPC serves until ctx ends, then lets the exchanges in flight finish.
func serveGRPC(ctx context.Context, server *grpc.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("ext_proc: %w", err)
	case <-ctx.Done():
	}
	force := time.AfterFunc(drainTimeout, server.Stop)
	defer force.Stop()
	server.GracefulStop()
	<-failed
	return nil
}

// serveHTTP serves until ctx ends, which also ends the context of its requests.
func (d *daemon) serveHTTP(ctx context.Context, handler http.Handler, l net.Listener) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readTimeout, IdleTimeout: time.Minute,
		ErrorLog:    slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return ctx }}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("%s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if server.Shutdown(drain) != nil {
		_ = server.Close()
	}
	<-failed
	return nil
}

// stateFile is where the drift state of a configuration is kept; "" for nowhere.
func stateFile(cfg *config.Config) string {
	if cfg.State.Dir == "" {
		return ""
	}
	return filepath.Join(string(cfg.State.Dir), "drift.json")
}

func (d *daemon) loadState(cfg *config.Config) {
	if file := stateFile(cfg); file != "" {
		if err := d.monitor.LoadState(file); err != nil {
			d.log.Warn("drift detectors start anew", "error", err)
		}
	}
}

func (d *daemon) saveState(cfg *config.Config) {
	if file := stateFile(cfg); file != "" {
		if err := d.monitor.SaveState(file); err != nil {
			d.log.Error("drift state was not saved", "error", err)
		}
	}
}

func (d *daemon) saveStates(ctx context.Context, cfg *config.Config) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.saveState(cfg)
		}
	}
}
