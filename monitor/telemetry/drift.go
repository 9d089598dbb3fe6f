package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const (
	driftAlarmName = "weir.drift.alarm"
	// DriftRunbook is the page, in the source tree, that says what to do about a
	// drift alarm.
	DriftRunbook = "deploy/runbooks/WeirModelDriftAlarm.md"
	// maxRecent bounds the traces that an alarm names.
	maxRecent = 16
)

// DriftAlarm is what is known when a detector raises its alarm.
type DriftAlarm struct {
	Model, Version       string
	Group, Feature       string // the group that shares the alarm; the feature that moved most
	BaselineID           string
	Statistic, Threshold float64
	Bins                 []string  // what each bin of the feature holds, in words
	Baseline, Current    []float64 // share of each bin then and now
	Promise              string    // the promise about false alarms that is in force
	Recent               []string  // traceparents of recent requests, oldest first; the last 16 are used
}

// DriftAlarm counts an alarm, writes it to the log and records a span of its own,
// always sampled, with an event of the same name and links to recent requests.
func (t *Telemetry) DriftAlarm(a DriftAlarm) {
	set := labels("model", a.Model, "group", a.Group, "feature", a.Feature)
	ctx := context.Background()
	t.driftAlarms.Add(ctx, 1, set)
	t.driftLastAlarm.Record(ctx, seconds(t.now()), set)

	recent := a.Recent[max(0, len(a.Recent)-maxRecent):]
	ids := make([]string, 0, len(recent))
	links := make([]trace.Link, 0, len(recent))
	for _, traceparent := range recent {
		if sc := parseTraceContext(traceparent, ""); sc.IsValid() {
			ids = append(ids, sc.TraceID().String())
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	ctx = t.driftSpan(ctx, a, ids, links)
	t.log.LogAttrs(ctx, slog.LevelWarn, "drift alarm",
		slog.String("model", a.Model), slog.String("version", a.Version),
		slog.String("group", a.Group), slog.String("feature", a.Feature),
		slog.String("baseline_id", a.BaselineID),
		slog.Float64("statistic", a.Statistic), slog.Float64("threshold", a.Threshold),
		slog.Any("bins", a.Bins), slog.Any("baseline_shares", a.Baseline), slog.Any("current_shares", a.Current),
		slog.String("promise", a.Promise), slog.Any("recent_trace_ids", ids),
		slog.String("runbook", DriftRunbook))
}

// driftSpan records the span of an alarm and returns ctx with it.
func (t *Telemetry) driftSpan(ctx context.Context, a DriftAlarm, ids []string, links []trace.Link) context.Context {
	ctx, span := t.tracer.Start(ctx, driftAlarmName, trace.WithLinks(links...))
	defer span.End()
	if !span.IsRecording() {
		return ctx
	}
	span.SetAttributes(
		attribute.String(attrModelName, clean(a.Model)),
		attribute.String(attrModelVersion, clean(a.Version)),
		attribute.String(attrBaselineID, clean(a.BaselineID)))
	bins := make([]string, len(a.Bins))
	for i, name := range a.Bins {
		bins[i] = clean(name)
	}
	span.AddEvent(driftAlarmName, trace.WithAttributes(
		attribute.String(attrModelName, clean(a.Model)),
		attribute.String("weir.drift.group", clean(a.Group)),
		attribute.String("weir.drift.feature", clean(a.Feature)),
		attribute.Float64("weir.drift.statistic", a.Statistic),
		attribute.Float64("weir.drift.threshold", a.Threshold),
		attribute.StringSlice("weir.drift.bins", bins),
		attribute.Float64Slice("weir.drift.baseline_shares", a.Baseline),
		attribute.Float64Slice("weir.drift.current_shares", a.Current),
		attribute.String("weir.drift.promise", a.Promise),
		attribute.StringSlice("weir.drift.recent_trace_ids", ids),
		attribute.String("weir.runbook", DriftRunbook)))
	return ctx
}
