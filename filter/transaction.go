package filter

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"weir/filter/check"
	"weir/filter/codec"
	"weir/filter/policy"
	"weir/monitor"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
	"weir/sanitize"
)

// Transaction is one request and its answer. Its methods are called in the order
// of the exchange, by one goroutine.
type Transaction struct {
	filter  *Filter
	runtime *Runtime
	id      string
	head    Head
	route   codec.Route
	codec   codec.Codec // of the route's protocol; nil if it is not let through
	span    *telemetry.Exchange
	ctx     context.Context

	request   *codec.Request
	plan      *policy.Plan
	model     string // "" until the policy knows it
	findings  []policy.Finding
	forwarded bool // the model server may have got the request
	answered  bool // its answer has come
	final     bool // the last message of its answer has come
	refused   bool // a message of its answer was refused
	bodyHash  string
	outcome   telemetry.Outcome
	evidence  evidence
}

// Begin starts the transaction of a request whose head has come. It pins the
// current runtime; End must be called once.
func (f *Filter) Begin(ctx context.Context, head Head) *Transaction {
	t := &Transaction{filter: f, runtime: f.runtime.Load(), id: newDecisionID(), head: head,
		evidence: evidence{began: time.Now(), phase: decision.RequestHead}}
	contentType, _ := head.Headers.Get("content-type")
	var codecs codec.Codecs
	if t.runtime != nil {
		codecs = t.runtime.Codecs
	}
	t.route = codecs.Select(head.Method, head.Path).ForContent(contentType)
	t.codec = codecs[t.route.Protocol]
	start := head.Trace
	start.Method, start.Path, start.Protocol = head.Method, t.route.Path, string(t.route.Protocol)
	t.ctx, t.span = f.telemetry.StartExchange(ctx, start)
	t.outcome = telemetry.Outcome{Decision: telemetry.DecisionPass, DecisionID: t.id}
	return t
}

// ID is the decision id of the transaction.
func (t *Transaction) ID() string { return t.id }

// Protocol is the protocol that the path belongs to.
func (t *Transaction) Protocol() codec.Protocol { return t.route.Protocol }

// Infers reports whether the exchange carries an inference.
func (t *Transaction) Infers() bool { return t.route.Operation.Infers() }

// TakesBody reports whether the request has a body, which the proxy must give to
// Weir.
func (t *Transaction) TakesBody() bool { return t.Infers() || t.route.Protocol == codec.KServeGRPC }

// Flow is how the messages of the exchange come.
func (t *Transaction) Flow() codec.Flow { return t.route.Operation.Flow() }

// RequestHead judges what the head alone can tell. end says that no body follows.
func (t *Transaction) RequestHead(end bool) Answer {
	switch {
	case t.runtime == nil:
		return t.Refuse(&fault{UpstreamNotReady, "no configuration is in use yet"})
	case t.route.Operation == codec.Deny:
		return t.Refuse(denied(t.route.Reason))
	case t.codec == nil:
		return t.Refuse(denied(codec.ProtocolNotEnabled))
	case !t.runtime.Policy.Opens(t.route.Operation):
		return t.Refuse(denied(codec.RouteDenied))
	case t.TakesBody() && end:
		return t.Refuse(codec.Refuse(codec.BodyMissing, "this endpoint needs a body"))
	case !t.TakesBody() && !end:
		return t.Refuse(codec.Refuse(codec.HeaderInvalid, "this endpoint takes no body"))
	}
	headers, err := t.codec.DecodeHead(t.route, t.head.Headers)
	if err != nil {
		return t.Refuse(err)
	}
	if err := t.admit(); err != nil {
		return t.Refuse(err)
	}
	t.forwarded = !t.TakesBody() || t.Flow() == codec.Bidirectional
	path := t.route.Path
	if t.route.Operation == codec.ModelList { // which the server may have below another path
		path = t.codec.Path(&codec.Request{Operation: codec.ModelList})
	}
	return Answer{Pass: !t.TakesBody(), Path: path, Headers: headers}
}

// denied is the error of a route that is not let through.
func denied(reason codec.Reason) error {
	return codec.Refuse(reason, "%s", Reason(reason).Status().Sentence)
}

// admit judges what a request asks for by its route alone, so that none about a
// model without rules costs the memory of its body. No model is ready whose
// inferences would be refused.
func (t *Transaction) admit() error {
	if t.route.Model != "" {
		if _, err := t.rules(t.route.Model, t.route.Version); err != nil {
			return err
		}
	}
	switch t.route.Operation {
	case codec.ModelReady:
		if t.route.Model == "" { // over gRPC the body names it
			return nil
		}
		if _, err := t.runtime.Signatures.Lookup(t.route.Model, t.route.Version); err != nil {
			return &fault{UpstreamNotReady, err.Error()}
		}
	case codec.ServerReady, codec.HealthCheck:
		if !t.runtime.Signatures.Ready() {
			return &fault{UpstreamNotReady, "not every model of the policy is ready"}
		}
	}
	return nil
}

// rules returns the rule set of a model version, or why there is none.
func (t *Transaction) rules(model, version string) (*policy.Model, error) {
	rules := t.runtime.Policy.Model(model)
	if rules == nil || !rules.Speaks(t.route.Protocol) {
		return nil, refusal(policy.ModelUnknown, "no policy covers this model")
	}
	t.model = model
	t.span.SetModel(model, version, rules.Pattern)
	if version != "" && !rules.Allows(version) {
		return nil, refusal(policy.VersionUnknown, "no policy covers this version")
	}
	return rules, nil
}

// RequestBody judges the body of a request and returns what the model server is
// to get.
func (t *Transaction) RequestBody(body []byte) Answer {
	t.evidence.phase = decision.RequestBody
	answer, err := t.work(telemetry.PhaseRequest, func(ctx context.Context) (Answer, error) {
		if !t.Infers() {
			return t.query(body)
		}
		return t.inbound(ctx, body)
	})
	if err != nil {
		return t.Refuse(err)
	}
	t.forwarded = true
	return answer
}

// query is the way of a message that infers nothing: only it names the model.
func (t *Transaction) query(body []byte) (Answer, error) {
	message, err := t.codec.DecodeQuery(&t.route, t.head.Headers, body)
	if err != nil {
		return Answer{}, err
	}
	if err := t.admit(); err != nil {
		return Answer{}, err
	}
	return Answer{Message: message, Path: t.route.Path}, nil
}

// inbound is the way of a request to the model server.
func (t *Transaction) inbound(ctx context.Context, body []byte) (Answer, error) {
	if err := t.decode(body); err != nil {
		return Answer{}, err
	}
	signature, model, err := t.lookUp()
	if err != nil {
		return Answer{}, err
	}
	if err := t.codec.BindRequest(t.request, signature); err != nil {
		return Answer{}, err
	}
	if err := signature.MatchRequest(t.request); err != nil {
		return Answer{}, err
	}
	t.plan = model.Plan(t.request, signature)
	t.find(nil, t.plan.Findings...)
	if model.Mode != policy.Off {
		if err := t.sanitize(ctx); err != nil {
			return Answer{}, err
		}
	}
	if v := policy.Decide(t.findings); v.Action == policy.Block {
		return Answer{}, refusal(v.Reason, v.Detail)
	}
	return t.encode()
}

func (t *Transaction) decode(body []byte) error {
	step := t.span.StartStep(telemetry.StepRequestDecode)
	defer step.End("")
	request, err := t.codec.DecodeRequest(t.route, t.head.Headers, body)
	if err != nil {
		return err
	}
	t.request = request
	return nil
}

// lookUp finds the rules and the signature of the request, and writes the
// version that the policy chose into it.
func (t *Transaction) lookUp() (*codec.Signature, *policy.Model, error) {
	model, err := t.rules(t.request.Model, t.request.Version)
	if err != nil {
		return nil, nil, err
	}
	signature, err := t.runtime.Signatures.Lookup(t.request.Model, t.request.Version)
	if err != nil {
		return nil, nil, &fault{UpstreamNotReady, err.Error()}
	}
	if !model.Allows(signature.Version) {
		return nil, nil, refusal(policy.VersionUnknown, "the policy does not cover the newest version")
	}
	t.request.Version = signature.Version
	t.span.SetModel(t.request.Model, signature.Version, model.Pattern)
	return signature, model, nil
}

// encode writes what the model server gets, under the version that Weir chose.
// The client's id stays here: a model could be triggered by it. The server gets
// the decision id instead, which its answer must repeat.
func (t *Transaction) encode() (Answer, error) {
	step := t.span.StartStep(telemetry.StepRequestEncode)
	defer step.End("")
	upstream := *t.request
	upstream.ID = t.id
	message, err := t.codec.EncodeRequest(&upstream, t.plan.Outputs)
	if err != nil {
		return Answer{}, err
	}
	t.bodyHash = t.runtime.bodyHash(message.Body)
	t.request.Inputs, t.request.Parameters = nil, nil // the client's values are no longer needed
	return Answer{Message: message, Path: t.codec.Path(t.request),
		Facts: t.facts(policy.Decide(t.findings))}, nil
}

// ResponseHead judges the head of an answer. local says that the proxy proved to
// have made the answer itself, with the status that it would have over HTTP; end
// says that no body follows.
func (t *Transaction) ResponseHead(status int, headers codec.Headers, local, end bool) Answer {
	t.outcome.Status, t.answered = status, !local
	t.evidence.phase = decision.ResponseHead
	if !local {
		t.evidence.upstream = status
	}
	switch {
	case local && status == large:
		return t.Refuse(codec.Refuse(codec.BodyTooLarge, "the body is larger than the proxy's limit"))
	case local && status == http.StatusRequestTimeout:
		return t.Refuse(&fault{BodyTimeout, "the proxy waited for the body in vain"})
	case local && status == http.StatusGatewayTimeout:
		return t.Refuse(&fault{UpstreamTimeout, "the proxy waited for the answer in vain"})
	case local:
		return t.Refuse(&fault{UpstreamMissing, fmt.Sprintf("the proxy answered with status %d", status)})
	case !t.forwarded:
		return t.Refuse(&fault{ResponseUnexpected, "an answer came before the request was let through"})
	case t.route.Protocol == codec.KServeGRPC:
		return t.grpcHead(status, headers, end)
	case status != http.StatusOK && (status < 400 || status > 599):
		// 101 would make a tunnel of the connection, 3xx send the client elsewhere.
		return t.Refuse(codec.Refuse(codec.ResponseMalformed, "no answer has status %d", status))
	case !t.Infers():
		return Answer{Pass: true}
	case end && status == http.StatusOK:
		return t.Refuse(codec.Refuse(codec.ResponseMalformed, "the answer has no body"))
	case end:
		return t.Refuse(&fault{UpstreamError, fmt.Sprintf("status %d without a body", status)})
	}
	return Answer{}
}

// ResponseBody judges the answer to an inference and returns what the client gets.
func (t *Transaction) ResponseBody(status int, headers codec.Headers, body []byte) Answer {
	t.evidence.phase = decision.ResponseBody
	answer, err := t.work(telemetry.PhaseResponse, func(context.Context) (Answer, error) {
		if status != http.StatusOK {
			return t.upstreamError(status, body), nil
		}
		return t.outbound(headers, body)
	})
	if err != nil {
		return t.Refuse(err)
	}
	return answer
}

// outbound is the way of an answer, or of one message of a stream of answers, to
// the client.
func (t *Transaction) outbound(headers codec.Headers, body []byte) (Answer, error) {
	response, err := t.codec.DecodeResponse(t.request, headers, body)
	if err != nil {
		return Answer{}, err
	}
	if !response.Anonymous && response.ID != t.id {
		return Answer{}, codec.Refuse(codec.ResponseMalformed, "the answer belongs to another request")
	}
	t.final = response.Final
	if response.Error != "" {
		return t.streamError(response)
	}
	verdict := policy.Decide(t.findings)
	if !response.Final || len(response.Outputs) > 0 {
		if verdict, err = t.judge(response); err != nil {
			return Answer{}, err
		}
	}
	response.ID = t.request.ID
	message, err := t.codec.EncodeResponse(t.request, response)
	if err != nil {
		return Answer{}, err
	}
	t.passed(verdict)
	return Answer{Message: message, Mark: t.mark(verdict), Facts: t.facts(verdict)}, nil
}

// judge holds an answer against the signature and the checks. What it finds
// counts for this answer alone: a stream may have any number of them.
func (t *Transaction) judge(response *codec.Response) (policy.Verdict, error) {
	if err := t.plan.Signature.MatchResponse(response, t.plan.Outputs); err != nil {
		return policy.Verdict{}, err
	}
	request := len(t.findings)
	t.check(response)
	verdict := policy.Decide(t.findings)
	t.findings = t.findings[:request]
	if verdict.Action == policy.Block {
		return verdict, refusal(verdict.Reason, verdict.Detail)
	}
	return verdict, nil
}

// check gives every row to the drift monitor and then runs the checks: an answer
// that is about to be blocked counts like every other. Each check has a mode of
// its own; that of the model decides on the monitor.
func (t *Transaction) check(response *codec.Response) {
	step := t.span.StartStep(telemetry.StepResponseCheck)
	defer step.End("")
	reading := check.Read(t.plan, response)
	if t.plan.Model.Mode != policy.Off {
		t.watch(step, reading)
	}
	t.find(step, reading.Findings()...)
}

func (t *Transaction) watch(step *telemetry.Step, reading *check.Reading) {
	rows, err := reading.Watched()
	if err != nil {
		t.find(step, policy.Finding{Rule: "drift", Part: t.plan.Model.Drift.Output, Detail: err.Error(),
			Reason: policy.OutputUnreadable, Action: policy.Flag, Mode: t.plan.Model.Mode})
	}
	now, trace := time.Now(), t.span.Traceparent()
	for _, r := range rows {
		t.filter.monitor.Observe(monitor.Sample{Model: t.request.Model, Version: t.request.Version, Time: now,
			Confidence: r.Confidence, Entropy: r.Entropy, Class: r.Class, Trace: trace})
	}
	if len(rows) > 0 {
		least := slices.MinFunc(rows, func(a, b check.Row) int { return cmp.Compare(a.Confidence, b.Confidence) })
		step.Output(telemetry.Output{Top1Confidence: least.Confidence, Margin: math.NaN(), Entropy: least.Entropy, Class: least.Class})
	}
}

// sanitize runs every part through its verb. In shadow mode the values stay as
// they were and the findings say what would have become of them.
func (t *Transaction) sanitize(ctx context.Context) error {
	for _, part := range t.plan.Parts {
		if err := t.sanitizePart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transaction) sanitizePart(ctx context.Context, part policy.Part) error {
	in, kind, mode := &t.request.Inputs[part.Index], part.Rule.Kind.String(), t.plan.Model.Mode
	step := t.span.StartStep(telemetry.StepRequestSanitize)
	defer step.End("")
	clean, report, err := sanitizeInput(ctx, t.keyed(part.Rule, in.Name), in.Tensor, t.plan.Signature.Input(in.Name), t.room(part.Index))
	step.Part(telemetry.Part{Name: in.Name, Kind: kind, Format: report.Format, Action: report.Action.String()})
	if err != nil {
		finding, ok := refused(err)
		if !ok {
			return err
		}
		if limits(err) {
			mode = policy.Enforce // shadow lets no value through that is over a limit
		}
		finding.Rule, finding.Part, finding.Mode = kind, in.Name, mode
		finding.Detail = fmt.Sprintf("input %q: %s", in.Name, finding.Detail)
		if finding.Reason == policy.Reason(sanitize.Panicked) {
			t.filter.log.ErrorContext(ctx, "panic caught", "decision_id", t.id, "panic", finding.Detail)
		}
		t.find(step, finding)
		return nil
	}
	if report.Action != sanitize.Unchanged {
		t.find(step, policy.Finding{Rule: kind, Part: in.Name, Action: policy.Note, Bytes: removed(report), Mode: mode})
	}
	if mode == policy.Enforce {
		in.Tensor = clean
	}
	return nil
}

// room is the size that an input may have beside the others.
func (t *Transaction) room(input int) int {
	room := t.codec.MaxTensorBytes()
	for i := range t.request.Inputs {
		if i != input {
			room -= len(t.request.Inputs[i].Data)
		}
	}
	return room
}

// keyed binds the draws of a rule to the model, the input and the epoch of now.
func (t *Transaction) keyed(rule policy.Input, input string) policy.Input {
	rule.Image.Model, rule.Image.Input = t.request.Model, input
	rule.Pixels.Model, rule.Pixels.Input = t.request.Model, input
	if epoch := t.runtime.KeyEpoch; epoch > 0 {
		now := uint64(time.Now().UnixNano() / int64(epoch))
		for _, key := range []**sanitize.Key{&rule.Image.Key, &rule.Pixels.Key} {
			if *key != nil {
				*key = (*key).WithEpoch(now)
			}
		}
	}
	return rule
}
