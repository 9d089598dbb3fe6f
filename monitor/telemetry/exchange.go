package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of the span of an exchange, beside those of OpenTelemetry's semantic
// conventions for HTTP.
const (
	attrModelName      = "weir.model.name"
	attrModelVersion   = "weir.model.version"
	attrProtocol       = "weir.protocol"
	attrRequestID      = "weir.request.id"
	attrPolicyRevision = "weir.policy.revision"
	attrBaselineID     = "weir.baseline.id"
	attrDecision       = "weir.decision"
	attrReason         = "weir.decision.reason"
	attrDetail         = "weir.decision.detail"
	attrDecisionID     = "weir.decision.id"
	attrShadowDecision = "weir.decision.shadow"
	attrStepsDropped   = "weir.steps.dropped"
)

// Decision is what became of an exchange. The zero value is DecisionError.
type Decision uint8

// The decisions.
const (
	DecisionError    Decision = iota // Weir or the model server failed; refused
	DecisionBlock                    // refused by a rule
	DecisionFlag                     // passed on and marked
	DecisionSanitize                 // passed on, changed
	DecisionPass                     // passed on, nothing found

	decisions // their number
)

var decisionNames = [decisions]string{"error", "block", "flag", "sanitize", "pass"}

// String returns the name that labels and logs use.
func (d Decision) String() string {
	if d >= decisions {
		return decisionNames[DecisionError]
	}
	return decisionNames[d]
}

// Phase is a part of an exchange in which Weir works. The zero value is
// PhaseRequest.
type Phase uint8

// The phases.
const (
	PhaseRequest  Phase = iota // before the model server
	PhaseResponse              // after it

	phases // their number
)

var phaseNames = [phases]string{"request", "response"}

// ExchangeStart is what is known of an exchange at its headers.
type ExchangeStart struct {
	GRPCTraceparent, GRPCTracestate string // of Envoy: metadata of the ext_proc stream
	HTTPTraceparent, HTTPTracestate string // of the client: headers of the request
	Method, Path                    string // of the HTTP request; a query is cut off
	RequestID                       string // Envoy's request.id
	Protocol                        string // "kserve_v2_http", "kserve_v2_grpc", "openai", "upload"
}

// Outcome is how an exchange ended.
type Outcome struct {
	Decision       Decision
	Shadow         string // the decision that enforcing would have led to, in shadow mode
	Reason         string // code of the closed list, "" for a plain pass
	Detail         string // why, in words: names, sizes and positions, never contents
	Status         int    // HTTP status that the client got, 0 when unknown
	DecisionID     string
	PolicyRevision string
	BaselineID     string // "" when the model has none
	// ErrorType is set only for DecisionError: a class of few values such as
	// "deadline_exceeded", "decode_error" or "policy_panic"; "" becomes "_OTHER".
	ErrorType string
}

// Exchange records one exchange. Its methods are safe for concurrent use.
type Exchange struct {
	t     *Telemetry
	span  trace.Span
	ctx   context.Context // carries the span for exemplars and logs, no deadline
	start time.Time

	mu      sync.Mutex // guards what follows
	model   string     // as metrics name it, "" when not known
	spent   [phases]time.Duration
	worked  [phases]bool
	steps   int
	dropped int // steps beyond maxSteps
	ended   bool
}

// StartExchange begins the record of an exchange and returns ctx with its span.
// The caller ends it with End.
func (t *Telemetry) StartExchange(ctx context.Context, start ExchangeStart) (context.Context, *Exchange) {
	ctx, links := t.parent(ctx, start)
	ctx, span := t.tracer.Start(ctx, "weir.process", trace.WithSpanKind(trace.SpanKindServer), trace.WithLinks(links...))
	if span.IsRecording() {
		path, _, _ := strings.Cut(start.Path, "?")
		span.SetAttributes(
			semconv.HTTPRequestMethodKey.String(method(start.Method)),
			semconv.URLPath(clean(path)),
			attribute.String(attrRequestID, clean(start.RequestID)),
			attribute.String(attrProtocol, clean(start.Protocol)))
	}
	return ctx, &Exchange{
		t:     t,
		span:  span,
		ctx:   trace.ContextWithSpan(context.Background(), span),
		start: t.now(),
	}
}

// Traceparent returns the W3C trace context of the exchange's span, "" when it
// has none: to hand on to the model server, and for DriftAlarm.Recent.
func (e *Exchange) Traceparent() string { return formatTraceparent(e.span.SpanContext()) }

// SetModel says which model and version the exchange is for, once it is decoded,
// and the label under which it counts: the name or the glob in the configuration
// that covers the model, of which there are few. What ends without belongs to
// "_unknown".
func (e *Exchange) SetModel(name, version, label string) {
	e.mu.Lock()
	e.model = clean(label)
	e.mu.Unlock()
	if e.span.IsRecording() {
		e.span.SetAttributes(
			attribute.String(attrModelName, clean(name)),
			attribute.String(attrModelVersion, clean(version)))
	}
}

// AddTime adds Weir's own working time in a phase.
func (e *Exchange) AddTime(phase Phase, d time.Duration) {
	if phase >= phases {
		return
	}
	e.mu.Lock()
	e.spent[phase] += d
	e.worked[phase] = true
	e.mu.Unlock()
}

// OutputRejected counts an output of the model server that is not passed on, by
// the code of its reason.
func (e *Exchange) OutputRejected(reason string) {
	e.t.outputRejections.Add(e.ctx, 1, labels("model", e.modelLabel(), "reason", reason))
}

// End records the outcome: the span and its attributes, weir.requests, the time
// of each phase, and a log line for a refusal or a flag. Only the first call counts.
func (e *Exchange) End(o Outcome) {
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return
	}
	e.ended = true
	spent, worked, dropped := e.spent, e.worked, e.dropped
	e.mu.Unlock()

	model, decision := e.modelLabel(), o.Decision.String()
	e.t.requests.Add(e.ctx, 1, labels("model", model, "decision", decision))
	for phase := range phases {
		if worked[phase] {
			e.t.processDuration.Record(e.ctx, spent[phase].Seconds(),
				labels("weir.phase", phaseNames[phase], attrDecision, decision))
		}
	}
	e.t.streamDuration.Record(e.ctx, e.t.now().Sub(e.start).Seconds())
	e.endSpan(o, dropped)
	e.logOutcome(o, model)
}

func (e *Exchange) endSpan(o Outcome, dropped int) {
	defer e.span.End()
	if !e.span.IsRecording() {
		return
	}
	set := []attribute.KeyValue{
		attribute.String(attrDecision, o.Decision.String()),
		attribute.String(attrDecisionID, clean(o.DecisionID)),
		attribute.String(attrPolicyRevision, clean(o.PolicyRevision)),
	}
	for key, value := range map[string]string{
		attrReason: o.Reason, attrDetail: o.Detail, attrShadowDecision: o.Shadow, attrBaselineID: o.BaselineID,
	} {
		if value != "" {
			set = append(set, attribute.String(key, clean(value)))
		}
	}
	if o.Status != 0 {
		set = append(set, semconv.HTTPResponseStatusCode(o.Status))
	}
	if dropped > 0 {
		set = append(set, attribute.Int(attrStepsDropped, dropped))
	}
	e.span.SetAttributes(set...)
	// A refusal by a rule is Weir doing its work, not an error.
	if o.Decision == DecisionError || o.Decision >= decisions {
		fail(e.span, o.ErrorType)
	}
}

// logOutcome writes refusals and flags to the limited log, and everything to the
// debug log.
func (e *Exchange) logOutcome(o Outcome, model string) {
	event := Event{Level: slog.LevelInfo, Reason: o.Reason, Detail: clean(o.Detail), Model: model, DecisionID: o.DecisionID}
	switch o.Decision {
	case DecisionPass, DecisionSanitize:
	case DecisionFlag:
		event.Message = "flagged"
	case DecisionBlock:
		event.Message = "refused"
	default:
		event.Message, event.Level = "failed", slog.LevelError
	}
	if event.Message != "" {
		e.t.limiter.Log(e.ctx, event)
	}
	e.t.log.LogAttrs(e.ctx, slog.LevelDebug, "exchange",
		slog.String("model", model), slog.String("decision", o.Decision.String()),
		slog.String("shadow_decision", o.Shadow), slog.String("reason", o.Reason),
		slog.String("detail", clean(o.Detail)), slog.Int("status", o.Status), slog.String("decision_id", o.DecisionID))
}

func (e *Exchange) modelLabel() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return cmp.Or(e.model, unknown)
}

// fail marks a span as failed with a class of error.
func fail(span trace.Span, errorType string) {
	if errorType == "" {
		errorType = semconv.ErrorTypeOther.Value.AsString()
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(clean(errorType)))
	span.SetStatus(codes.Error, "")
}

// method returns m if HTTP defines it, else "_OTHER" (OpenTelemetry semantic
// conventions, http.request.method).
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return m
	}
	return semconv.HTTPRequestMethodOther.Value.AsString()
}
