// Package filter is the way of a transaction: one inference request and its
// answer, from the bytes that a client sent to the bytes that the model server
// gets, and back. It knows no proxy and no configuration file.
//
// The way is one list, read in transaction.go: decode, look up the rules and the
// signature, plan, sanitise part by part, decide, encode; then decode the answer,
// observe, check, decide, and give the client the form it asked for.
package filter

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/monitor"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
)

// Signatures knows what the model server says of its models.
type Signatures interface {
	// Lookup returns the signature of a model version that was read from the
	// server and fits the policy; version "" is the newest that the rules allow.
	// An error says why there is none.
	Lookup(model, version string) (*codec.Signature, error)
	// Ready reports whether every model of the policy has a signature.
	Ready() bool
}

// Runtime is everything that one configuration decides. It is immutable; a
// transaction keeps the one it began with.
type Runtime struct {
	Policy     *policy.Policy
	Codecs     codec.Codecs
	Signatures Signatures
	Digest     string        // of the configuration
	Timeout    time.Duration // of one phase of a transaction
	KeyEpoch   time.Duration // how long keyed draws stay the same
	BodyKey    []byte        // keys the hashes of forwarded bodies
}

// Monitor takes samples of answers; Observe must not block.
type Monitor interface{ Observe(monitor.Sample) }

// Filter judges transactions. It is safe for concurrent use.
type Filter struct {
	runtime   atomic.Pointer[Runtime]
	monitor   Monitor
	decisions *decision.Store // nil: records are not kept
	telemetry *telemetry.Telemetry
	log       *slog.Logger
	slots     *semaphore.Weighted // of CPU work; waits no longer than the deadline
}

// Options are the singletons that outlive every configuration.
type Options struct {
	Monitor   Monitor
	Decisions *decision.Store // gets one record of every transaction; may be nil
	Telemetry *telemetry.Telemetry
	Log       *slog.Logger
	Slots     int // of CPU work at the same time
}

// New returns a filter that refuses everything until Use gives it a runtime.
func New(o Options) *Filter {
	return &Filter{monitor: o.Monitor, decisions: o.Decisions, telemetry: o.Telemetry, log: o.Log,
		slots: semaphore.NewWeighted(int64(max(o.Slots, 1)))}
}

// Use makes r the runtime of every transaction that begins from now on.
func (f *Filter) Use(r *Runtime) { f.runtime.Store(r) }

// Runtime returns the current runtime, or nil before the first Use.
func (f *Filter) Runtime() *Runtime { return f.runtime.Load() }

// Head is the head of a request as the proxy shows it.
type Head struct {
	Method  string
	Path    string // raw, as the client sent it
	Headers codec.Headers
	Trace   telemetry.ExchangeStart // trace contexts and request id
}

// Refusal is an answer that Weir gives instead of the model server, shaped for
// the protocol of the exchange.
type Refusal struct {
	Reason   Reason
	Status   Status
	Protocol codec.Protocol // whose form the answer has
	Message  string         // for an error body or a gRPC status message
	Headers  codec.Headers
}

// Answer says how the exchange goes on: exactly one of Refusal, Message and Pass
// is set, or none, which asks for the body.
type Answer struct {
	Refusal *Refusal
	// Message replaces body and headers of what was received.
	Message *codec.Message
	// Pass lets through what was received, without a body of its own.
	Pass bool
	// Path replaces the path of a request.
	Path string
	// Headers are set on a request whatever its body will be.
	Headers codec.Headers
	// Mark are headers to the client, beside those of Message.
	Mark codec.Headers
	// Facts are for the proxy's access log and rate limits.
	Facts map[string]string
}

// bodyHash is the keyed hash of forwarded bytes: whoever holds the key can prove
// what the model server got, nobody else learns anything from it.
func (r *Runtime) bodyHash(body []byte) string {
	mac := hmac.New(sha256.New, r.BodyKey)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// work runs one phase with a CPU slot and the phase's deadline, and turns a panic
// into an internal error of this transaction alone.
func (t *Transaction) work(phase telemetry.Phase, do func(context.Context) (Answer, error)) (answer Answer, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.runtime.Timeout)
	defer cancel()
	if err := t.filter.slots.Acquire(ctx, 1); err != nil {
		return Answer{}, &fault{Overloaded, "no processor was free within the deadline"}
	}
	defer t.filter.slots.Release(1)
	began := time.Now()
	defer func() {
		spent := time.Since(began)
		t.span.AddTime(phase, spent)
		t.evidence.worked[phase] += spent
		if p := recover(); p != nil {
			t.filter.log.ErrorContext(ctx, "panic caught", "panic", p, "decision_id", t.id, "stack", string(debug.Stack()))
			answer, err = Answer{}, &fault{InternalError, "a panic was caught"}
		}
	}()
	answer, err = do(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &fault{DeadlineExceeded, err.Error()}
	}
	return answer, err
}

// fault is a refusal for a reason of the filter's own.
type fault struct {
	reason Reason
	detail string
}

func (f *fault) Error() string { return string(f.reason) + ": " + f.detail }
