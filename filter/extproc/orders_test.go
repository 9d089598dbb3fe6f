package extproc

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
)

// side is what Envoy knows of one direction of an exchange: which of its messages
// wait for an answer, and what was said of the body.
type side struct {
	mode                  modev3.ProcessingMode_BodySendMode
	head, body, trailers  int // messages without an answer
	headSaid, pieces, end bool
	trailersSaid, over    bool // over: Envoy has said the end of the body
}

// model is Envoy's side of the rules (external_processor.proto, and what was measured
// of 1.36 to 1.40): which answers it takes at a moment. Every other is spurious and
// ends the exchange with an error, or worse.
type model struct {
	request, response side
	refused           bool
	last              bool // nothing of the exchange is left to judge
}

// tell notes a message of Envoy's.
func (m *model) tell(r *extprocv3.ProcessingRequest) {
	if c := r.GetProtocolConfig(); c != nil {
		m.request.mode, m.response.mode = c.GetRequestBodyMode(), c.GetResponseBodyMode()
	}
	switch {
	case r.GetRequestHeaders() != nil:
		m.request.head++
	case r.GetRequestBody() != nil:
		m.request.body++
		m.request.over = m.request.over || r.GetRequestBody().GetEndOfStream()
	case r.GetRequestTrailers() != nil:
		m.request.trailers++
	case r.GetResponseHeaders() != nil:
		m.response.head++
		_, local := localReply(r) // of which nothing is to be judged
		m.last = m.last || r.GetResponseHeaders().GetEndOfStream() || local && !m.request.headSaid
	case r.GetResponseBody() != nil:
		m.response.body++
		m.response.over = m.response.over || r.GetResponseBody().GetEndOfStream()
		m.last = m.last || r.GetResponseBody().GetEndOfStream()
	case r.GetResponseTrailers() != nil:
		m.response.trailers++
		m.last = true
	}
}

// take judges an answer of Weir's; "" if Envoy takes it.
func (m *model) take(r *extprocv3.ProcessingResponse) string {
	if m.refused {
		return "an answer after the refusal"
	}
	switch {
	case r.GetImmediateResponse() != nil && (m.response.end || m.response.trailersSaid):
		return "a refusal after the end"
	case r.GetImmediateResponse() != nil:
		m.refused = true
		return ""
	case r.GetRequestHeaders() != nil:
		return m.request.takeHead()
	case r.GetResponseHeaders() != nil:
		return m.response.takeHead()
	case r.GetRequestBody() != nil:
		return m.request.takeBody(r.GetRequestBody())
	case r.GetResponseBody() != nil:
		return m.response.takeBody(r.GetResponseBody())
	case r.GetRequestTrailers() != nil:
		return m.request.takeTrailers()
	case r.GetResponseTrailers() != nil:
		return m.response.takeTrailers()
	}
	return "an answer to nothing"
}

func (s *side) takeHead() string {
	if s.head != 1 {
		return "an answer to headers that do not wait"
	}
	s.head, s.headSaid = 0, true
	return ""
}

func (s *side) takeBody(b *extprocv3.BodyResponse) string {
	piece := b.GetResponse().GetBodyMutation().GetStreamedResponse()
	duplex := s.mode == modev3.ProcessingMode_FULL_DUPLEX_STREAMED
	switch {
	case duplex && piece == nil:
		return "a whole body in a duplex stream"
	case !duplex && piece != nil:
		return "a piece of a body that is not streamed, which Envoy ignores"
	case !duplex && s.body != 1:
		return "an answer to a body that does not wait"
	case duplex && (s.head > 0 || s.body == 0 && !s.pieces):
		return "a piece before its headers, or before anything of the body came"
	case duplex && (s.end || s.trailersSaid):
		return "a piece after the end"
	case duplex && piece.GetEndOfStream() && s.trailers > 0 && !s.over:
		return "an end before trailers"
	}
	s.pieces, s.end = true, piece.GetEndOfStream()
	if !duplex {
		s.body = 0
	}
	return ""
}

func (s *side) takeTrailers() string {
	if s.trailers != 1 || s.head > 0 || s.end && !s.over {
		return "an answer to trailers that do not wait, or after the end"
	}
	s.trailers, s.trailersSaid = 0, true
	return ""
}

// scripts are exchanges in their right order, from which random ones are made.
func scripts() map[string][]message {
	h2 := "\u200b hidden"
	return map[string][]message{
		"unary": {inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false), serverAnswer("")},
		"live":  {liveHeaders, responseHeaders("200", "via_upstream", true)},
		"gRPC": {requestHeaders(buffered, false, ":method", "POST", ":path", "/inference.GRPCInferenceService/ModelInfer", "content-type", "application/grpc"),
			requestBodyOf(framed("a"+h2), true), ok, answerTo("a hidden", "c"), grpcTrailers},
		"query": {requestHeaders(buffered, false, ":method", "POST", ":path", "/inference.GRPCInferenceService/ServerLive", "content-type", "application/grpc"),
			requestBodyOf(framed("a"), true), ok, responseBodyOf(framed("b"), false), grpcTrailers},
		"events": {eventsHead(modes(bufferedMode, duplexMode)), requestBodyOf("a"+h2, true),
			responseHeaders("200", "via_upstream", false, "content-type", "text/event-stream"),
			responseBodyOf("data: 1 a\n\nda", false), responseBodyOf("ta: 1 b\n\n", false), responseBodyOf("", true)},
		"event error": {eventsHead(modes(bufferedMode, duplexMode)), requestBodyOf("a"+h2, true),
			responseHeaders("400", "via_upstream", false), responseBodyOf(`{"error":"no"}`, true)},
		"stream": {streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"+h2), false), ok, answerTo("a hidden", "x"),
			requestBodyOf(framed("{"), false), requestBodyOf(framed("b"), false), answerTo("b", "x"), answerTo("a hidden", "final"),
			requestBodyOf("", true), answerTo("b", "final"), grpcTrailers},
	}
}

// disturbances are messages that may come at any time.
var disturbances = []message{
	requestBodyOf("", true), requestBodyOf("{", true), requestBodyOf(framed("z\u200b"), false), requestBodyOf(framed("x")[:6], false),
	responseBodyOf("", true), responseBodyOf("data: x\n\n", false), answerTo("nobody", "x"), ok, grpcTrailers,
	trailersOfRequest, trailersOfResponse, inferHeaders(nil), liveHeaders,
	responseHeaders("503", "no_healthy_upstream", false), responseHeaders("200", "", false), responseHeaders("101", "via_upstream", false),
	responseHeaders("200", "via_upstream", true, "grpc-status", "0"), responseHeaders("200", "via_upstream", true, "grpc-status", "5"),
	func(*envoy) *extprocv3.ProcessingRequest { return &extprocv3.ProcessingRequest{} },
}

// TestRandomOrders plays exchanges with messages that are left out, come twice, change
// places, come from elsewhere, or never come, in random modes. What must hold of
// every one: Envoy takes every answer, Process returns nil only when nothing is left
// to judge, and nothing goes on but what Weir wrote.
func TestRandomOrders(t *testing.T) {
	s := speaking(t)
	random := rand.New(rand.NewPCG(1, 2))
	all := scripts()
	ends := map[bool]int{}
	for range orders {
		name := []string{"unary", "live", "gRPC", "query", "events", "event error", "stream"}[random.IntN(7)]
		messages := disturb(random, all[name])
		m := &model{}
		e := &envoy{end: io.EOF, check: m}
		for _, next := range messages {
			e.messages = append(e.messages, func(e *envoy) *extprocv3.ProcessingRequest {
				r := next(e)
				m.tell(r)
				return r
			})
		}
		err := s.Process(e)
		ends[err == nil]++
		if e.fault != "" {
			t.Fatalf("%s: %s: %v", name, e.fault, e.sent)
		}
		if err == nil && !m.refused && !m.last && !m.response.end {
			t.Fatalf("%s: a clean end before the exchange is final: %v", name, e.sent)
		}
		if leak := leaked(e, name == "stream"); leak != "" {
			t.Fatalf("%s: %s: %v", name, leak, e.sent)
		}
	}
	if ends[true] == 0 || ends[false] == 0 {
		t.Errorf("ends %v: the orders do not reach both", ends)
	}
	if streams, bytes := s.InFlight(); streams != 0 || bytes != 0 {
		t.Errorf("%d streams and %d bytes are still in flight", streams, bytes)
	}
}

// disturb returns the script with up to three changes.
func disturb(random *rand.Rand, script []message) []message {
	out := append([]message(nil), script...)
	for range random.IntN(4) {
		i, j := random.IntN(len(out)), random.IntN(len(out))
		switch random.IntN(5) {
		case 0:
			out = append(out[:i:i], out[i+1:]...)
		case 1:
			out[i], out[j] = out[j], out[i]
		case 2:
			out = append(out[:i:i], append([]message{out[j]}, out[i:]...)...)
		case 3:
			out = append(out[:i:i], append([]message{disturbances[random.IntN(len(disturbances))]}, out[i:]...)...)
		case 4:
			out = out[:i]
		}
		if len(out) == 0 {
			return script[:1]
		}
	}
	return out
}

// leaked finds what must not go on: hidden text to the model server, a request's body
// as it came, in a stream of requests an answer to nobody to the client.
func leaked(e *envoy, stream bool) string {
	for _, r := range e.sent {
		body := r.GetRequestBody().GetResponse().GetBodyMutation()
		if text := string(body.GetBody()) + string(body.GetStreamedResponse().GetBody()); strings.Contains(text, "\u200b") {
			return fmt.Sprintf("the model server gets %q", text)
		}
		if r.GetRequestBody() != nil && body.GetBody() == nil && body.GetStreamedResponse() == nil {
			return "a body goes on as it came"
		}
		body = r.GetResponseBody().GetResponse().GetBodyMutation()
		if text := string(body.GetStreamedResponse().GetBody()); stream && strings.Contains(text, "nobody") {
			return fmt.Sprintf("the client gets %q", text)
		}
	}
	return ""
}
