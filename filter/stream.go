package filter

import (
	"context"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
)

// Stream is a bidirectional call: requests and answers are messages of their own,
// in any order between the two. Every request is a Transaction of its own, under
// the configuration of the moment in which it came. One goroutine owns a Stream.
type Stream struct {
	call  *Transaction // of the whole; any runtime's codec tells whose an answer is
	most  int
	count int                     // requests so far
	open  map[string]*Transaction // by the id under which the model server knows them
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
	return &Stream{call: t, most: most, open: map[string]*Transaction{}}
}

// Request judges one message of the client's. One that is refused has a Refusal,
// and a Reply that says the same within the stream.
func (s *Stream) Request(message []byte) Outcome {
	t := s.call.filter.Begin(s.call.ctx, s.call.head)
	s.open[t.id] = t
	s.count++
	t.evidence.stream, t.evidence.message, t.evidence.phase = s.call.id, s.count, decision.RequestBody
	var answer Answer
	switch {
	case t.codec == nil:
		answer = t.Refuse(denied(codec.ProtocolNotEnabled))
	case len(s.open) > s.most:
		answer = t.Refuse(&fault{Overloaded, "too many requests of the stream wait for their answers"})
	default:
		answer = t.RequestBody(message)
	}
	if answer.Refusal != nil {
		defer s.close(t)
		return Outcome{Refusal: answer.Refusal, Reply: t.InStream(answer.Refusal), Facts: answer.Facts}
	}
	return Outcome{Message: answer.Message.Body, Facts: answer.Facts}
}

// close ends a transaction of which nothing is to come.
func (s *Stream) close(t *Transaction) {
	t.End(nil)
	delete(s.open, t.id)
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
	peek, err := s.peek(message)
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
		s.close(t)
	}
	return out
}

// peek reads a message of the model server's as far as it tells whose it is.
func (s *Stream) peek(message []byte) (response *codec.Response, err error) {
	_, err = s.call.work(telemetry.PhaseResponse, func(context.Context) (_ Answer, err error) {
		response, err = s.call.codec.DecodeResponse(&codec.Request{Operation: codec.InferStream}, nil, message)
		return Answer{}, err
	})
	return response, err
}

// broken refuses the call: whose the message is cannot be told.
func (s *Stream) broken(err error) Outcome {
	s.call.evidence.phase = decision.ResponseBody
	answer := s.call.Refuse(err)
	return Outcome{Refusal: answer.Refusal, Facts: answer.Facts}
}

// Fail records that the refusal of one request has ended the call.
func (s *Stream) Fail(r *Refusal) {
	s.call.evidence.phase = decision.RequestBody
	s.call.Refuse(&fault{r.Reason, "a message of the stream was refused"})
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
