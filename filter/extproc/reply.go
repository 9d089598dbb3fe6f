package extproc

import (
	"net/http"
	"strings"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// reply is the answer to one request that comes in pieces (FULL_DUPLEX_STREAMED):
// a stream of events, each judged as it comes, or one body, judged when it is
// whole. The headers are held until there is something that they may go with, so
// that the first event, or the body, can still be refused with a status.
type reply struct {
	exchange *exchange
	events   frame.Splitter // nil: one body
	buffer   []byte
	came     bool // a piece of the body has come
	started  bool // the headers have gone
	ended    bool // the client has got the end
}

// hold withholds the headers of an answer.
func (x *exchange) hold() (answers, error) {
	if x.phase == final || x.refused {
		return nil, nil
	}
	x.reply = &reply{exchange: x}
	if !x.tx.Streams() || x.status != http.StatusOK {
		return nil, nil
	}
	if contentType, _ := x.response.Get("content-type"); !isEventStream(contentType) {
		return x.build(onResponseHeaders, x.tx.Refuse(codec.Refuse(codec.ResponseMalformed, "the answer is not a stream of events"))), nil
	}
	x.reply.events = x.tx.Splitter(int(x.server.limits.MaxBodyBytes))
	return nil, nil
}

func isEventStream(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(name), "text/event-stream")
}

// body takes the next piece; end says that it is the last.
func (r *reply) body(chunk []byte, end bool) (answers, error) {
	r.came = true
	take := r.split
	if r.events == nil {
		take = r.collect
	}
	out, err := take(chunk)
	if err == nil && end && !r.exchange.refused {
		out = append(out, r.end(true)...)
	}
	return out, err
}

// collect keeps a piece of the one body.
func (r *reply) collect(chunk []byte) (answers, error) {
	x := r.exchange
	size := int64(len(r.buffer) + len(chunk))
	switch {
	case size > x.server.limits.MaxBodyBytes:
		return r.refuse(codec.Refuse(codec.ResponseTooLarge, "the answer is larger than the limit"), true), nil
	case !x.grow(size):
		return r.refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"), true), nil
	}
	r.buffer = append(r.buffer, chunk...)
	return nil, nil
}

// split judges the events that a piece completes.
func (r *reply) split(chunk []byte) (answers, error) {
	x := r.exchange
	if !x.grow(int64(max(r.events.Pending()+len(chunk), minBodyBytes))) {
		return r.refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"), true), nil
	}
	events, splitErr := r.events.Write(chunk)
	for _, event := range events {
		if err := x.say(r.event(event)); err != nil || r.ended || x.refused {
			return nil, err
		}
	}
	if splitErr != nil {
		return r.refuse(splitErr, true), nil
	}
	x.shrink(int64(max(r.events.Pending(), minBodyBytes)))
	return nil, nil
}

// event judges one event. The first that is refused ends the answer: with a status
// if nothing has gone, else with the error in the stream.
func (r *reply) event(event []byte) answers {
	x := r.exchange
	o := x.tx.Event(event)
	switch {
	case o.Refusal != nil && !r.started:
		return x.build(onResponseHeaders, filter.Answer{Refusal: o.Refusal, Facts: o.Facts})
	case o.Refusal != nil:
		return r.close(o.Reply, o.Facts, true)
	case len(o.Message) == 0:
		return nil
	}
	return append(r.start(), withFacts(pieces(onResponseBodies, o.Message, false), o.Facts)...)
}

// start lets the headers of a stream go.
func (r *reply) start() answers {
	if r.started {
		return nil
	}
	r.started = true
	return r.exchange.build(onResponseHeaders, r.exchange.tx.StreamHead())
}

// end judges the one body, or ends the stream of events. eos says that no trailers
// follow.
func (r *reply) end(eos bool) answers {
	x := r.exchange
	switch {
	case r.ended:
		return nil
	case !r.came: // Envoy takes no piece of a body of which it has none
		return r.refuse(codec.Refuse(codec.ResponseMalformed, "the answer has no body"), eos)
	case r.events == nil:
		return r.whole(eos)
	}
	if err := r.events.End(); err != nil {
		return r.refuse(err, eos)
	}
	if !r.started {
		return r.refuse(codec.Refuse(codec.ResponseMalformed, "the answer holds no event"), eos)
	}
	x.phase = final
	return pieces(onResponseBodies, nil, eos)
}

// whole judges the one body and lets it go with its headers.
func (r *reply) whole(eos bool) answers {
	x := r.exchange
	answer := x.tx.ResponseBody(x.status, x.response, r.buffer)
	if answer.Refusal != nil {
		return x.build(onResponseHeaders, answer)
	}
	x.phase, r.started = final, true
	body := answer.Message.Body
	answer.Message = &codec.Message{Headers: withoutLength(answer.Message.Headers)}
	return append(x.build(onResponseHeaders, answer), pieces(onResponseBodies, body, eos)...)
}

// withoutLength leaves out content-length: Envoy sends a streamed body in chunks.
func withoutLength(headers codec.Headers) (kept codec.Headers) {
	for _, h := range headers {
		if h.Name != "content-length" {
			kept = append(kept, h)
		}
	}
	return kept
}

// refuse ends the answer for a reason that is no event's. eos says that no trailers
// have come.
func (r *reply) refuse(err error, eos bool) answers {
	x := r.exchange
	answer := x.tx.Refuse(err)
	if !r.started {
		return x.build(onResponseHeaders, answer)
	}
	return r.close(x.tx.InStream(answer.Refusal), answer.Facts, eos)
}

// close says the last event. Whatever the model server sends after it goes nowhere.
func (r *reply) close(event []byte, values map[string]string, eos bool) answers {
	r.ended, r.exchange.phase = true, final
	return withFacts(pieces(onResponseBodies, event, eos), values)
}

// withFacts puts the facts of a verdict on the last of the answers that tell it.
func withFacts(out answers, values map[string]string) answers {
	if len(out) > 0 {
		out[len(out)-1].DynamicMetadata = facts(values)
	}
	return out
}

// maxPiece is the size of a streamed piece of a body; Envoy asks for no larger ones
// (external_processor.proto, StreamedBodyResponse).
const maxPiece = 64 << 10

// pieces are the answers that say a body, the last with the end of it if eos.
func pieces(s slot, body []byte, eos bool) (out answers) {
	for len(body) > maxPiece {
		out = append(out, streamed(s, body[:maxPiece], false))
		body = body[maxPiece:]
	}
	if len(body) > 0 || eos {
		out = append(out, streamed(s, body, eos))
	}
	return out
}

// streamed is one piece of a body in a duplex stream.
func streamed(s slot, body []byte, eos bool) *extprocv3.ProcessingResponse {
	common := &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_StreamedResponse{
		StreamedResponse: &extprocv3.StreamedBodyResponse{Body: body, EndOfStream: eos}}}}
	return respond(s, common)
}
