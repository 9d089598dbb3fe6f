package telemetry

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// StepName is the name of a child span of an exchange.
type StepName string

// The steps of an exchange, in their order.
const (
	StepRequestHeaders  StepName = "weir.request.headers"
	StepRequestDecode   StepName = "weir.request.decode"
	StepRequestSanitize StepName = "weir.request.sanitize" // one per part
	StepRequestEncode   StepName = "weir.request.encode"
	StepResponseDecode  StepName = "weir.response.decode"
	StepResponseCheck   StepName = "weir.response.check"
	StepResponseEncode  StepName = "weir.response.encode"
)

// maxSteps bounds the spans of one exchange: the number of parts is the client's.
const maxSteps = 128

// Step records one step of an exchange.
type Step struct {
	exchange *Exchange
	span     trace.Span
}

// StartStep begins a step. The caller ends it with End. Steps beyond the 128th of
// an exchange are counted on its span and have none of their own.
func (e *Exchange) StartStep(name StepName) *Step {
	if !e.admitStep() {
		return &Step{exchange: e, span: noop.Span{}}
	}
	_, span := e.t.tracer.Start(e.ctx, string(name))
	return &Step{exchange: e, span: span}
}

func (e *Exchange) admitStep() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.steps >= maxSteps {
		e.dropped++
		return false
	}
	e.steps++
	return true
}

// Part is what became of one part of a message.
type Part struct {
	Name   string // of the tensor or field
	Kind   string // "image", "text", "tensor"
	Format string // "jpeg", "utf-8", "FP32"; "" when not known
	Action string // "unchanged", "stripped", "renormalised", "rejected"
}

// Part says which part the step was about and what became of it.
func (s *Step) Part(p Part) {
	if !s.span.IsRecording() {
		return
	}
	s.span.SetAttributes(
		attribute.String("weir.part.name", clean(p.Name)),
		attribute.String("weir.part.kind", clean(p.Kind)),
		attribute.String("weir.part.format", clean(p.Format)),
		attribute.String("weir.part.action", clean(p.Action)))
}

// Finding is something that a rule found.
type Finding struct {
	Rule         string // id of the rule, from the configuration or built in
	Tensor       string // where it was
	Action       string // what is done about it
	Count        int    // how often; less than 1 counts as 1
	BytesRemoved int
}

// Finding counts a finding and adds it to the step as an event.
func (s *Step) Finding(f Finding) {
	f.Count = max(f.Count, 1)
	e := s.exchange
	e.t.findings.Add(e.ctx, int64(f.Count), labels("model", e.modelLabel(), "rule", f.Rule, "action", f.Action))
	if s.span.IsRecording() {
		s.span.AddEvent("weir.finding", trace.WithAttributes(
			attribute.String("rule.id", clean(f.Rule)),
			attribute.String("tensor", clean(f.Tensor)),
			attribute.String("action", clean(f.Action)),
			attribute.Int("count", f.Count),
			attribute.Int("bytes_removed", f.BytesRemoved)))
	}
}

// Output is what the checks read from an output: of a batch, the row of lowest
// confidence. NaN means not known.
type Output struct {
	Top1Confidence float64 // 0 to 1
	Margin         float64 // between the best and the second class, 0 to 1
	Entropy        float64 // divided by ln C of C classes, 0 to 1
	Class          string  // the best class
}

// Output adds the figures of an output to the step.
func (s *Step) Output(o Output) {
	if !s.span.IsRecording() {
		return
	}
	set := []attribute.KeyValue{attribute.String("weir.output.class", clean(o.Class))}
	add := func(key string, value float64) {
		if !math.IsNaN(value) {
			set = append(set, attribute.Float64(key, value))
		}
	}
	add("weir.output.top1_confidence", o.Top1Confidence)
	add("weir.output.margin", o.Margin)
	add("weir.output.entropy", o.Entropy)
	s.span.SetAttributes(set...)
}

// End ends the step. errorType, "" for none, is the class of a failure of Weir's
// own as in Outcome; a refusal is none.
func (s *Step) End(errorType string) {
	if errorType != "" && s.span.IsRecording() {
		fail(s.span, errorType)
	}
	s.span.End()
}
