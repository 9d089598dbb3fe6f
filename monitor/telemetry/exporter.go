package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	maxQueuedSpans = 2048             // spans that wait for the receiver
	exportTimeout  = 10 * time.Second // for one batch, with its retries
	batchDelay     = 2 * time.Second  // for which a span waits for its batch to fill
	troubleEvery   = time.Minute      // between two log lines about lost spans
)

func newOTLPExporter(ctx context.Context, config Config) (sdktrace.SpanExporter, error) {
	endpoint, err := config.endpoint()
	if err != nil {
		return nil, err
	}
	return otlptracegrpc.New(ctx,
		otlptracegrpc.WithEndpointURL(endpoint),
		otlptracegrpc.WithTimeout(exportTimeout))
}

var errQueueFull = errors.New("the queue of spans is full")

// gate admits at most maxQueuedSpans unexported spans to the batch processor.
// The processor drops on a full queue too, but keeps the number to itself.
type gate struct {
	sdktrace.SpanProcessor
	exporter *countingExporter
}

func newGate(exporter *countingExporter) gate {
	return gate{sdktrace.NewBatchSpanProcessor(exporter,
		sdktrace.WithMaxQueueSize(maxQueuedSpans),
		sdktrace.WithBatchTimeout(batchDelay),
		sdktrace.WithExportTimeout(exportTimeout)), exporter}
}

// OnEnd queues a sampled span or drops it; it never waits.
func (g gate) OnEnd(span sdktrace.ReadOnlySpan) {
	if !span.SpanContext().IsSampled() {
		return
	}
	if g.exporter.waiting.Add(1) > maxQueuedSpans {
		g.exporter.waiting.Add(-1)
		g.exporter.drop(1, errQueueFull)
		return
	}
	g.SpanProcessor.OnEnd(span)
}

// countingExporter counts the spans that its exporter did not deliver and keeps
// errors from the process-wide handler of the OpenTelemetry library.
type countingExporter struct {
	sdktrace.SpanExporter
	t       *Telemetry
	waiting atomic.Int64 // spans admitted and not yet exported
	stop    context.Context
	abort   context.CancelFunc // ends exports under way

	mu     sync.Mutex // guards what follows
	lost   int        // spans since the last log line
	logged time.Time
}

func newCountingExporter(exporter sdktrace.SpanExporter, t *Telemetry) *countingExporter {
	stop, abort := context.WithCancel(context.Background())
	return &countingExporter{SpanExporter: exporter, t: t, stop: stop, abort: abort}
}

// ExportSpans exports a batch and always returns nil.
func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.stop, cancel)()
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.waiting.Add(-int64(len(spans)))
	if err != nil {
		e.drop(len(spans), err)
	}
	return nil
}

// drop counts n lost spans and says so in the log at most once a minute.
func (e *countingExporter) drop(n int, cause error) {
	e.t.exporterDropped.Add(context.Background(), int64(n))
	now := e.t.now()
	e.mu.Lock()
	e.lost += n
	lost, due := e.lost, e.logged.IsZero() || now.Sub(e.logged) >= troubleEvery
	if due {
		e.lost, e.logged = 0, now
	}
	e.mu.Unlock()
	if due {
		e.t.log.Warn("spans were not exported", slog.Int("count", lost), slog.String("error", cause.Error()))
	}
}

// sampler records every drift alarm and leaves other spans to what SetTracing
// said last.
type sampler struct{ t *Telemetry }

// ShouldSample implements the sampler of the OpenTelemetry library.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Name == driftAlarmName {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return s.t.tracing.Load().sampler.ShouldSample(p)
}

// Description implements the sampler of the OpenTelemetry library.
func (s sampler) Description() string { return s.t.tracing.Load().sampler.Description() }
