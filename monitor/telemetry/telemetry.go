package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const (
	scope = "weir"
	// maxSeries bounds the series of one instrument; the rest is added up in one.
	maxSeries = 10_000
	// logWindow is the time in which equal refusals make one log line.
	logWindow = 10 * time.Second
	// maxScrapes bounds the scrapes that are answered at once.
	maxScrapes = 4
)

// Telemetry holds the exporters and instruments of one process. Its methods are
// safe for concurrent use. Make one with New.
type Telemetry struct {
	config   Config
	log      *slog.Logger
	limiter  *Limiter
	now      func() time.Time
	registry *prometheus.Registry
	tracer   trace.Tracer
	traces   *sdktrace.TracerProvider // nil when tracing is off
	exporter *countingExporter        // nil when tracing is off
	metrics  *sdkmetric.MeterProvider
	instruments

	status  atomic.Pointer[func() Status]
	tracing atomic.Pointer[tracing]

	mu     sync.Mutex // guards what follows
	reload reloadState
}

// New starts the exporters that config asks for and logs their troubles to log.
// It does not wait for a receiver: one that is away costs spans, never requests.
func New(ctx context.Context, config Config, log *slog.Logger) (*Telemetry, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	var exporter sdktrace.SpanExporter
	if config.OTLPEndpoint != "" {
		var err error
		if exporter, err = newOTLPExporter(ctx, config); err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
	}
	return newTelemetry(ctx, config, log, exporter, time.Now)
}

// newTelemetry is New with an exporter, nil for none, and a clock.
func newTelemetry(ctx context.Context, config Config, log *slog.Logger, exporter sdktrace.SpanExporter, now func() time.Time) (*Telemetry, error) {
	t := &Telemetry{
		config:   config,
		log:      log,
		limiter:  NewLimiter(log, logWindow),
		now:      now,
		registry: prometheus.NewRegistry(),
		tracer:   noop.NewTracerProvider().Tracer(scope),
	}
	t.SetTracing(config.SampleRatio, config.TrustClient)
	// The environment comes last: OTEL_RESOURCE_ATTRIBUTES names pod and node.
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("weir"), semconv.ServiceVersion(config.Version)),
		resource.WithFromEnv())
	if err != nil { // what could be read is in res
		log.Warn("OTEL_RESOURCE_ATTRIBUTES was not read", slog.String("error", err.Error()))
	}
	if err := t.startMetrics(res); err != nil {
		return nil, fmt.Errorf("telemetry: metrics: %w", err)
	}
	if exporter != nil {
		t.startTraces(res, exporter)
	}
	return t, nil
}

func (t *Telemetry) startMetrics(res *resource.Resource) error {
	err := errors.Join(
		t.registry.Register(collectors.NewGoCollector()),
		t.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
	if err != nil {
		return err
	}
	reader, err := otelprom.New(otelprom.WithRegisterer(t.registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return err
	}
	t.metrics = sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(reader),
		sdkmetric.WithResource(res),
		sdkmetric.WithCardinalityLimit(maxSeries),
		sdkmetric.WithExemplarFilter(exemplar.TraceBasedFilter))
	return t.newInstruments(t.metrics.Meter(scope))
}

func (t *Telemetry) startTraces(res *resource.Resource, exporter sdktrace.SpanExporter) {
	t.exporter = newCountingExporter(exporter, t)
	t.traces = sdktrace.NewTracerProvider(
		sdktrace.WithResource(res),
		sdktrace.WithSampler(sampler{t}),
		sdktrace.WithSpanProcessor(newGate(t.exporter)))
	t.tracer = t.traces.Tracer(scope)
}

// Handler serves the metrics page, in the OpenMetrics format with exemplars to a
// scraper that asks for it, else in the Prometheus text format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		ErrorHandling:       promhttp.ContinueOnError,
		ErrorLog:            slog.NewLogLogger(t.log.Handler(), slog.LevelError),
		MaxRequestsInFlight: maxScrapes,
	})
}

// Shutdown writes the log lines and exports the spans that still wait, until ctx
// is done; then it gives the spans up. Nothing is exported afterwards.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.limiter.Close()
	var err error
	if t.traces != nil {
		err = t.traces.Shutdown(ctx)
		t.exporter.abort()
	}
	if err = errors.Join(err, t.metrics.Shutdown(ctx)); err != nil {
		return fmt.Errorf("telemetry: shutdown: %w", err)
	}
	return nil
}
