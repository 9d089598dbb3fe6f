package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// parseTraceContext reads a W3C trace context; it is invalid when traceparent is.
func parseTraceContext(traceparent, tracestate string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{
		"traceparent": traceparent, "tracestate": tracestate,
	})
	return trace.SpanContextFromContext(ctx)
}

// formatTraceparent writes the W3C traceparent of sc, "" when sc is invalid.
func formatTraceparent(sc trace.SpanContext) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier["traceparent"]
}

// tracing is what decides about traces that Envoy did not begin.
type tracing struct {
	sampler     sdktrace.Sampler
	trustClient bool
}

// SetTracing replaces SampleRatio and TrustClient of the Config, for the
// exchanges that begin from now on.
func (t *Telemetry) SetTracing(sampleRatio float64, trustClient bool) {
	t.tracing.Store(&tracing{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(sampleRatio)), trustClient})
}

// parent returns ctx with the parent of an exchange's span and the links of the
// span. Envoy's context, in the gRPC metadata, is the parent if there is one;
// the client's, in the HTTP headers, is the parent only when no other is there
// and clients are trusted. A context of another trace that is not the parent is
// kept as a link.
func (t *Telemetry) parent(ctx context.Context, start ExchangeStart) (context.Context, []trace.Link) {
	envoy := parseTraceContext(start.GRPCTraceparent, start.GRPCTracestate)
	client := parseTraceContext(start.HTTPTraceparent, start.HTTPTracestate)
	parent := envoy
	if !parent.IsValid() && t.tracing.Load().trustClient {
		parent = client
	}
	var links []trace.Link
	if client.IsValid() && client.TraceID() != parent.TraceID() {
		links = append(links, trace.Link{SpanContext: client})
	}
	return trace.ContextWithRemoteSpanContext(ctx, parent), links
}
