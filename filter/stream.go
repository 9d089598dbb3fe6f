package filter

import (
	"context"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/monitor/decision"
)

// Stream is a bidirectional call: requests and answers are messages of their own,
// in any order between the two. Every request is a Transaction of its own, under
// the configuration of the moment in which it came. One goroutine owns a Stream.
type Stream struct {
	filter *Filter
	ctx    context.Context
	head   Head
	codec  codec.Codec // that decides whose an answer is; any runtime's does
	most   int
	call   string                  // decision id of the whole
	count  int                     // requests so far
	open   map[string]*Transaction // by the id under which the model server knows them
}

// Outcome is what becomes of one message of a stream: Refusal ends the call,
// Message goes on in its direction, Reply goes back to the client.
type Outcome struct {
	Refusal *Refusal
	Message []byte
	Reply   []byte
	Facts   map[string]string
}

// OpenStream starts the stream of a transaction whose head has passed. most is the
// number of requests that may wait for the last of their answers.
func (t *Transaction) OpenStream(most int) *Stream {
	return &Stream{filter: t.filter, ctx: t.ctx, head: t.head, codec: t.codec, most: most, call: t.id, open: map[string]*Transaction{}}
}

// Request judges one message of the client's. One that is refused has a Refusal,
// and a Reply that says the same within the stream.
func (s *Stream) Request(message []byte) Outcome {
	t := s.filter.Begin(s.ctx, s.head)
	s.count++
	t.evidence.stream, t.evidence.message, t.evidence.phase = s.call, s.count, decision.RequestBody
	var answer Answer
	switch {
	case t.codec == nil:
		answer = t.Refuse(denied(codec.ProtocolNotEnabled))
	case len(s.open) >= s.most:
		answer = t.Refuse(&fault{Overloaded, "too many requests of the stream wait for their answers"})
	default:
		answer = t.RequestBody(message)
	}
	if answer.Refusal != nil {
		defer t.End(nil)
		return Outcome{Refusal: answer.Refusal, Reply: t.InStream(answer.Refusal), Facts: answer.Facts}
	}
	s.open[t.id] = t
	return Outcome{Message: answer.Message.Body, Facts: answer.Facts}
}

// InStream is a refusal as a message of the stream of answers; nil if the protocol
// is not let through any more.
func (t *Transaction) InStream(r *Refusal) []byte {
	if t.codec == nil {
		return nil
	}
	request := t.request
	if request == nil {
		request = &codec.Request{Operation: t.route.Operation}
	}
	return t.codec.EncodeError(request, r.Message)
}

// Response judges one message of the model server's. One that belongs to no
// request of the stream ends the call.
func (s *Stream) Response(message []byte) Outcome {
	peek, err := s.codec.DecodeResponse(&codec.Request{Operation: codec.InferStream}, nil, message)
	if err != nil {
		return s.broken(err)
	}
	t := s.open[peek.ID]
	if t == nil {
		return s.broken(codec.Refuse(codec.ResponseMalformed, "an answer belongs to no request of the stream"))
	}
	t.answered = true
	out := t.Event(message)
	if t.final || peek.Final { // also if it was refused before it was read whole
		t.End(nil)
		delete(s.open, t.id)
	}
	return out
}

// broken ends the call: whose the message is cannot be told.
func (s *Stream) broken(err error) Outcome {
	t := s.filter.Begin(s.ctx, s.head)
	defer t.End(nil)
	t.answered = true
	t.evidence.stream, t.evidence.phase = s.call, decision.ResponseBody
	answer := t.Refuse(err)
	return Outcome{Refusal: answer.Refusal, Facts: answer.Facts}
}

// Event judges one message of a stream of answers to this transaction. One that is
// refused has a Refusal and a Reply that says the same within the stream; nothing
// that the model server sends for the same request after it goes on.
func (t *Transaction) Event(message []byte) Outcome {
	if t.refused {
		return Outcome{} // said already
	}
	answer := t.ResponseBody(200, nil, message)
	if answer.Refusal != nil {
		t.refused = true
		return Outcome{Refusal: answer.Refusal, Reply: t.InStream(answer.Refusal), Facts: answer.Facts}
	}
	return Outcome{Message: answer.Message.Body, Facts: answer.Facts}
}

// Waiting is the number of requests that wait for the last of their answers.
func (s *Stream) Waiting() int { return len(s.open) }

// End closes all transactions of the stream; err is what ended it early, or nil.
func (s *Stream) End(err error) {
	for id, t := range s.open {
		t.End(err)
		delete(s.open, id)
	}
}

// Streams reports whether the client asked for a stream of events.
func (t *Transaction) Streams() bool { return t.request != nil && t.request.Stream }

// StreamHead is the head of a stream of events.
func (t *Transaction) StreamHead() Answer {
	return Answer{Message: &codec.Message{Headers: codec.Headers{
		{Name: "content-type", Value: "text/event-stream; charset=utf-8"}}}, Mark: t.headers("", "")}
}

// Splitter returns what cuts the bytes of one direction of a stream of this
// protocol into messages of at most maxBytes.
func (t *Transaction) Splitter(maxBytes int) frame.Splitter {
	if t.route.Protocol == codec.KServeGRPC {
		return frame.NewGRPC(maxBytes)
	}
	return frame.NewEvents(maxBytes)
}
