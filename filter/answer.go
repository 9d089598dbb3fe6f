package filter

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/openai"
	"weir/filter/policy"
	"weir/monitor/telemetry"
	"weir/sanitize"
)

// Headers to the client.
const (
	HeaderDecision = "x-weir-decision-id"
	HeaderAction   = "x-weir-action"
	HeaderReason   = "x-weir-reason"
)

// Refuse makes the answer of a refused exchange, shaped for its protocol. The
// client learns the reason and a sentence; details that could tell it a threshold
// stay in the span and the log.
func (t *Transaction) Refuse(err error) Answer {
	reason, detail := reasonOf(err)
	status := reason.Status()
	t.outcome.Decision, t.outcome.Status = telemetry.DecisionBlock, status.HTTP
	t.outcome.Reason, t.outcome.Detail = string(reason), detail
	t.evidence.decided = t.evidence.phase
	if status.HTTP == http.StatusInternalServerError {
		t.outcome.Decision, t.outcome.ErrorType = telemetry.DecisionError, string(reason)
	}
	if t.answered {
		t.span.OutputRejected(string(reason))
	}
	return Answer{
		Refusal: &Refusal{Reason: reason, Status: status, Protocol: t.route.Protocol,
			Message: fmt.Sprintf("weir: %s: %s (decision %s)", reason, sentence(reason, detail), t.id),
			Headers: t.headers("block", string(reason))},
		Facts: t.factsOf("block", string(reason)),
	}
}

// sentence is what the client may read: for a malformed request the detail, which
// speaks of the client's own bytes; for a verdict the fixed sentence.
func sentence(reason Reason, detail string) string {
	if detail != "" && reason.Status().HTTP == bad {
		return detail
	}
	return reason.Status().Sentence
}

// ErrorBody is the body of a refusal over HTTP, in the form that clients of the
// protocol parse.
func (r *Refusal) ErrorBody() []byte {
	return errorBody(r.Protocol, r.Status.HTTP, r.Reason, r.Message)
}

func errorBody(protocol codec.Protocol, status int, reason Reason, message string) []byte {
	if protocol == codec.OpenAI {
		return openai.ErrorBody(message, string(reason), status)
	}
	body, err := json.Marshal(map[string]string{"error": message})
	if err != nil { // a string always marshals
		return []byte(`{"error":"weir"}`)
	}
	return body
}

// errorText is the text of a model server's error; "" if the body is none.
func errorText(protocol codec.Protocol, body []byte) string {
	if protocol == codec.OpenAI {
		return openai.ErrorText(body)
	}
	var parsed struct {
		Error  string `json:"error"`
		Detail any    `json:"detail"` // FastAPI's own errors: a text, or a list for one who wrote the request
	}
	// What does not parse gives no reason. generate_stream frames an error as an event,
	// whatever its status, and others may follow.
	_ = json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("data: ")))).Decode(&parsed)
	if detail, ok := parsed.Detail.(string); ok && parsed.Error == "" {
		return detail
	}
	return parsed.Error
}

// maxUpstreamError bounds the text of a model server's error, in bytes.
const maxUpstreamError = 512

// readable is what a client gets of the text of an error of the model server: it
// is not the answer of a model, but may repeat what a request held.
func readable(text string) string {
	clean, _, err := sanitize.Text([]byte(text), sanitize.TextOptions{})
	if err != nil || len(clean) == 0 {
		return "no reason given"
	}
	return strings.ToValidUTF8(string(clean[:min(len(clean), maxUpstreamError)]), "")
}

// upstreamError rewrites an error of the model server: its status stays, of its
// text only what reads as text.
func (t *Transaction) upstreamError(status int, body []byte) Answer {
	answer := errorBody(t.route.Protocol, status, UpstreamError, readable(errorText(t.route.Protocol, body)))
	t.failed(status)
	return Answer{
		Message: &codec.Message{Body: answer, Headers: codec.Headers{
			{Name: "content-type", Value: "application/json"},
			{Name: "content-length", Value: strconv.Itoa(len(answer))}}},
		Mark:  t.headers("", string(UpstreamError)),
		Facts: t.factsOf("error", string(UpstreamError)),
	}
}

// streamError rewrites an error that the model server put into a stream of answers.
func (t *Transaction) streamError(response *codec.Response) (Answer, error) {
	t.failed(http.StatusOK)
	response.ID, response.Error = t.request.ID, readable(response.Error)
	message, err := t.codec.EncodeResponse(t.request, response)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Message: message, Mark: t.headers("", string(UpstreamError)), Facts: t.factsOf("error", string(UpstreamError))}, nil
}

// find records findings, on the step that made them if there is one.
func (t *Transaction) find(step *telemetry.Step, findings ...policy.Finding) {
	for _, f := range findings {
		t.findings = append(t.findings, f)
		t.evidence.find(f)
		if step != nil {
			step.Finding(telemetry.Finding{Rule: f.Rule, Tensor: f.Part, Action: shadowed(f.Mode, f.Action), BytesRemoved: f.Bytes})
		}
	}
}

// shadowed is the name of an action, marked if its rule did not act.
func shadowed(mode policy.Mode, action policy.Action) string {
	if mode == policy.Shadow {
		return "shadow_" + action.String()
	}
	return action.String()
}

// passed records the verdict on an answer that goes out. Of a stream of answers,
// the strictest counts.
func (t *Transaction) passed(v policy.Verdict) {
	decision := telemetry.DecisionPass
	switch v.Action {
	case policy.Flag:
		decision = telemetry.DecisionFlag
	case policy.Note:
		decision = telemetry.DecisionSanitize
	}
	if decision > t.outcome.Decision || t.outcome.Reason != "" && decision == t.outcome.Decision {
		return
	}
	t.outcome.Decision, t.outcome.Reason, t.outcome.Detail = decision, string(v.Reason), v.Detail
	if v.Shadow != policy.Allow {
		t.outcome.Shadow = v.Shadow.String()
	}
}

// mark are the headers that tell the client what was decided.
func (t *Transaction) mark(v policy.Verdict) codec.Headers {
	switch v.Action {
	case policy.Allow:
		return t.headers("", "")
	case policy.Flag:
		return t.headers(v.Action.String(), string(v.Reason))
	default:
		return t.headers(v.Action.String(), "")
	}
}

func (t *Transaction) headers(action, reason string) codec.Headers {
	h := codec.Headers{{Name: HeaderDecision, Value: t.id}}
	if action != "" {
		h = append(h, codec.Header{Name: HeaderAction, Value: action})
	}
	if reason != "" {
		h = append(h, codec.Header{Name: HeaderReason, Value: reason})
	}
	return h
}

// facts are the verdict for the proxy's access log and rate limits.
func (t *Transaction) facts(v policy.Verdict) map[string]string {
	facts := t.factsOf(v.Action.String(), string(v.Reason))
	if v.Shadow != policy.Allow {
		facts["shadow"] = v.Shadow.String()
	}
	return facts
}

func (t *Transaction) factsOf(verdict, reason string) map[string]string {
	facts := map[string]string{"verdict": verdict, "decision_id": t.id}
	for name, value := range map[string]string{
		"reason": reason, "model": t.model, "path": t.route.Path, "body_hash": t.bodyHash} {
		if value != "" {
			facts[name] = value
		}
	}
	return facts
}

// End closes the transaction; err is what ended the exchange early, or nil.
// Only the first call counts.
func (t *Transaction) End(err error) {
	if err != nil && t.outcome.Decision == telemetry.DecisionPass {
		t.outcome.Decision, t.outcome.ErrorType = telemetry.DecisionError, aborted
	}
	if t.runtime != nil {
		t.outcome.PolicyRevision = t.runtime.Digest
	}
	if t.plan != nil && t.plan.Model.Drift != nil {
		t.outcome.BaselineID = t.plan.Model.Drift.Digest
	}
	t.span.End(t.outcome)
	t.tell()
}

// crockford is the alphabet of ULIDs: no I, L, O, U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// newDecisionID returns 26 characters that sort by time: 48 bits of Unix
// milliseconds, then 80 random bits, as a ULID holds them.
func newDecisionID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // crypto/rand.Read never fails since Go 1.24
	return crockford.EncodeToString(b[:])
}
