package filter

import (
	"regexp"
	"strings"
	"time"

	"weir/filter/policy"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
)

// evidence is what a transaction gathers for the record of its decision.
type evidence struct {
	began    time.Time
	phase    decision.Phase // that the exchange has come to
	decided  decision.Phase // in which it was refused; "" while it was not
	upstream int            // HTTP status of the model server's answer
	worked   [2]time.Duration
	stream   string // decision id of the stream that the request is a message of; "" for none
	message  int    // its number, from 1
	findings []found
	more     int // findings that are left out
	told     bool
}

// found is a finding with the place where it was made.
type found struct {
	policy.Finding
	phase decision.Phase
}

// find keeps a finding. Of more than a record holds, the laxest goes, so that what
// decided is always there.
func (e *evidence) find(f policy.Finding) {
	if len(e.findings) == decision.MaxFindings {
		e.more++
		laxest := len(e.findings) - 1
		for i := range e.findings {
			if weight(e.findings[i].Finding) > weight(e.findings[laxest].Finding) {
				laxest = i
			}
		}
		if weight(f) >= weight(e.findings[laxest].Finding) {
			return
		}
		e.findings = append(e.findings[:laxest], e.findings[laxest+1:]...)
	}
	e.findings = append(e.findings, found{f, e.phase})
}

// weight orders findings from the strictest: those that act before those in
// shadow mode.
func weight(f policy.Finding) int { return int(f.Mode)*int(policy.Allow+1) + int(f.Action) }

// tell gives the record of the transaction to the store, once.
func (t *Transaction) tell() {
	e := &t.evidence
	if e.told || t.filter.decisions == nil {
		return
	}
	e.told = true
	t.filter.decisions.Add(t.record())
}

func (t *Transaction) record() decision.Record {
	e, o := &t.evidence, &t.outcome
	r := decision.Record{ID: t.id, Time: e.began.UTC(), Protocol: string(t.route.Protocol), Operation: t.route.Operation.String(),
		Method: canonical(methodForm, t.head.Method), Path: t.route.Path, Stream: e.stream, Message: e.message,
		Verdict: decision.Verdict(o.Decision.String()), Shadow: o.Shadow, Phase: e.phase, Reason: o.Reason, Detail: o.Detail,
		Config: o.PolicyRevision, Baseline: o.BaselineID, BodyHash: t.bodyHash,
		UpstreamStatus: e.upstream, TotalSeconds: time.Since(e.began).Seconds(),
		RequestSeconds: e.worked[telemetry.PhaseRequest].Seconds(), ResponseSeconds: e.worked[telemetry.PhaseResponse].Seconds(),
		TraceID: traceID(t.span.Traceparent()), RequestID: canonical(requestIDForm, t.head.Trace.RequestID), MoreFindings: e.more}
	if e.decided != "" {
		r.Phase = e.decided
	}
	if o.ErrorType == aborted {
		r.Detail = "the exchange ended before its answer"
	}
	if t.model != "" {
		r.Model, r.Version, r.Mode = t.model, t.route.Version, t.runtime.Policy.Model(t.model).Mode.String()
		if t.request != nil {
			r.Version = t.request.Version
		}
	}
	for _, f := range e.findings {
		r.Findings = append(r.Findings, f.record())
	}
	return r
}

func (f *found) record() decision.Finding {
	d := decision.Finding{Rule: f.Rule, Part: "input " + f.Part, Action: f.Action.String(), Mode: f.Mode.String(),
		Reason: string(f.Reason), Detail: f.Detail, Removed: f.Bytes}
	switch {
	case f.Reason == policy.ParameterNotAllowed:
		d.Part = "parameter " + f.Part
	case f.phase == decision.ResponseBody:
		d.Part = "output " + f.Part
	}
	if m := f.Measured; m.Of != "" {
		d.Measured = &decision.Measured{Of: m.Of, Value: m.Value, Threshold: m.Threshold, Index: m.Index}
	}
	return d
}

// aborted is the type of the error of an exchange that ended early.
const aborted = "aborted"

// The forms in which a record holds what a client or the proxy wrote; anything
// else could be content.
var (
	methodForm    = regexp.MustCompile(`^[A-Z]{1,16}$`)
	requestIDForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// canonical returns text if it has the form, else "".
func canonical(form *regexp.Regexp, text string) string {
	if form.MatchString(text) {
		return text
	}
	return ""
}

// traceID is the trace id of a W3C trace context, "" if there is none.
func traceID(traceparent string) string {
	if parts := strings.Split(traceparent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}
