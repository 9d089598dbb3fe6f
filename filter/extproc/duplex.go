package extproc

import (
	"errors"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// duplex is a bidirectional stream (FULL_DUPLEX_STREAMED both ways): the messages
// of both directions, each judged as soon as it is whole. Envoy has no timer for
// it and holds back neither side, so what waits here is bounded: bytes of messages
// that are not whole, requests without their last answer, and refusals that wait
// for their place among the answers.
type duplex struct {
	exchange  *exchange
	stream    *filter.Stream
	requests  frame.Splitter
	responses frame.Splitter
	refusals  []filter.Outcome // that cannot be said before the first piece of an answer
	speaking  bool             // a piece of an answer has come, so that answers may be said
	requested bool             // the client has said its end
}

func newDuplex(x *exchange) *duplex {
	most := int(x.server.limits.MaxBodyBytes)
	return &duplex{exchange: x, stream: x.tx.OpenStream(x.server.limits.MaxStreamRequests),
		requests: x.tx.Splitter(most), responses: x.tx.Splitter(most)}
}

// request takes a piece of the client's messages.
func (d *duplex) request(chunk []byte, end bool) (answers, error) {
	x := d.exchange
	if d.requested || x.phase == final {
		return nil, nil // an end may come twice, and what follows a refusal counts no more
	}
	if !d.hold(len(chunk)) {
		return d.refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight")), nil
	}
	messages, splitErr := d.requests.Write(chunk)
	for _, message := range messages {
		if err := x.say(d.judge(message, len(chunk))); err != nil || x.refused {
			return nil, err
		}
	}
	if splitErr == nil && end {
		splitErr = d.requests.End()
	}
	if splitErr != nil {
		return d.refuse(splitErr), nil
	}
	d.settle()
	if !d.await(len(messages) > 0) {
		return d.refuse(filter.Fault(filter.Overloaded, "too many large messages are awaited")), nil
	}
	if end {
		d.requested = true
		return answers{streamed(onRequestBodies, nil, true)}, nil
	}
	return nil, nil
}

// hold reserves what waits here, and so many bytes beside it.
func (d *duplex) hold(bytes int) bool {
	return d.exchange.grow(int64(2*minBodyBytes + d.requests.Pending() + d.responses.Pending() + bytes))
}

// settle gives back what messages took that have gone on.
func (d *duplex) settle() {
	d.exchange.shrink(int64(2*minBodyBytes + d.requests.Pending() + d.responses.Pending()))
}

// await sets the time in which a request must become whole, and takes its place among
// the large ones that have not come. next says that it is another than before.
func (d *duplex) await(next bool) bool {
	x, pending := d.exchange, d.requests.Pending()
	switch {
	case pending == 0:
		x.due = time.Time{}
	case next || x.due.IsZero():
		x.due = time.Now().Add(x.server.limits.BodyTimeout)
	}
	return x.awaitMore(int64(pending))
}

// judge decides on one message of the client's, of a piece of so many bytes. A refusal
// ends the call as long as the answer has not begun; later it is said in the stream.
func (d *duplex) judge(message []byte, piece int) answers {
	x := d.exchange
	o := d.stream.Request(message)
	switch {
	case o.Refusal == nil && !d.hold(piece+len(o.Message)): // inflated, it may be larger than it came
		return d.refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
	case o.Refusal == nil:
		return withFacts(pieces(onRequestBodies, o.Message, false), o.Facts)
	case x.phase == responseHead || o.Reply == nil:
		d.stream.Fail(o.Refusal)
		return x.build(onRequestBodies, filter.Answer{Refusal: o.Refusal, Facts: o.Facts})
	case d.speaking:
		return withFacts(pieces(onResponseBodies, o.Reply, false), o.Facts)
	case len(d.refusals) == x.server.limits.MaxStreamRequests:
		return d.refuse(filter.Fault(filter.Overloaded, "too many refusals wait for the answer to begin"))
	}
	d.refusals = append(d.refusals, o)
	return nil
}

// requestTrailers ends the requests as their end would.
func (d *duplex) requestTrailers(r *extprocv3.HttpTrailers) (answers, error) {
	if err := d.requests.End(); err != nil && d.exchange.phase != final {
		return d.refuse(err), nil
	}
	d.requested = true
	return answers{requestTrailersAnswer(r)}, nil
}

// response takes a piece of the model server's messages.
func (d *duplex) response(chunk []byte, end bool) (answers, error) {
	x := d.exchange
	if err := x.say(d.speak()); err != nil {
		return nil, err
	}
	if !d.hold(len(chunk)) {
		return d.refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight")), nil
	}
	messages, splitErr := d.responses.Write(chunk)
	for _, message := range messages {
		if err := x.say(d.answer(message)); err != nil || x.refused {
			return nil, err
		}
	}
	if splitErr == nil && end {
		splitErr = noStatus()
	}
	if splitErr != nil {
		return d.refuse(ofServer(splitErr)), nil
	}
	d.settle()
	return nil, nil
}

// answer decides on one message of the model server's.
func (d *duplex) answer(message []byte) answers {
	o := d.stream.Response(message)
	switch {
	case o.Refusal == nil:
		return withFacts(pieces(onResponseBodies, o.Message, false), o.Facts)
	case o.Reply == nil:
		return d.exchange.build(onResponseBodies, filter.Answer{Refusal: o.Refusal, Facts: o.Facts})
	}
	return withFacts(pieces(onResponseBodies, o.Reply, false), o.Facts)
}

// ofServer is the refusal of messages that are the model server's: the splitter does
// not know whose it cuts.
func ofServer(err error) error {
	var refusal *codec.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	if refusal.Reason == codec.BodyTooLarge {
		return codec.Refuse(codec.ResponseTooLarge, "%s", refusal.Detail)
	}
	return codec.Refuse(codec.ResponseMalformed, "%s", refusal.Detail)
}

// speak says the refusals that waited for their place.
func (d *duplex) speak() (out answers) {
	d.speaking = true
	for _, o := range d.refusals {
		out = append(out, withFacts(pieces(onResponseBodies, o.Reply, false), o.Facts)...)
	}
	d.refusals = nil
	return out
}

// responseTrailers ends the answers. The first of the refusals that still wait for
// their place becomes the status of the call: no message of an answer came, so that
// Envoy takes none.
func (d *duplex) responseTrailers(r *extprocv3.HttpTrailers) answers {
	if err := d.responses.End(); err != nil {
		return d.refuse(ofServer(err))
	}
	d.exchange.phase = final
	if len(d.refusals) == 0 {
		return answers{responseTrailersAnswer(r, d.exchange.kept(r))}
	}
	first := d.refusals[0]
	d.stream.Fail(first.Refusal)
	return withFacts(answers{responseTrailersAnswer(r, first.Refusal.Trailers())}, first.Facts)
}

// refuse ends the call for a reason that is no message's.
func (d *duplex) refuse(err error) answers {
	x := d.exchange
	return x.build(onRequestBodies, x.tx.Refuse(err))
}
