package extproc

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter/codec"
	"weir/filter/policy"
)

// The time of a message ends with it: a client that never pauses between messages has
// it for each of them, one that sends a message in drops for all of these together.
func TestTimeOfAMessageOfAStream(t *testing.T) {
	e := &envoy{}
	x := &exchange{server: speaking(t), stream: e, ctx: context.Background()}
	step := func(m message) {
		t.Helper()
		if _, err := x.step(m(e)); err != nil {
			t.Fatal(err)
		}
	}
	defer x.close(nil)
	step(streamHead(modes(duplexMode, duplexMode)))
	step(requestBodyOf(framed("a")[:4], false))
	long := time.Now().Add(-time.Hour)
	x.due = long
	step(requestBodyOf(framed("a")[4:5], false))
	if !x.due.Equal(long) {
		t.Error("a drop of a message gave it more time")
	}
	step(requestBodyOf(framed("a")[5:]+framed("b")[:3], false))
	if !x.due.After(time.Now()) {
		t.Error("the second message has the time of the first")
	}
	step(requestBodyOf(framed("b")[3:], false))
	if !x.due.IsZero() {
		t.Error("no message is awaited, but its time runs")
	}
}

// After the end of an exchange Envoy takes no refusal any more: neither for a message
// that is overdue nor for one that is cut short.
func TestNothingIsRefusedAfterTheEnd(t *testing.T) {
	half := requestBodyOf(framed("a")[:4], false)
	for name, ends := range map[string]message{"refusal": answerTo("nobody", "x"), "status": grpcTrailers} {
		e := &envoy{}
		x := &exchange{server: speaking(t), stream: e, ctx: context.Background()}
		for _, m := range []message{streamHead(modes(duplexMode, duplexMode)), ok, half, ends} {
			if _, err := x.step(m(e)); err != nil {
				t.Fatal(err)
			}
		}
		if x.due.IsZero() || x.late() != nil {
			t.Errorf("after a %s a message is still awaited", name)
		}
		x.close(nil)
	}
	e, _ := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)), ok, half, grpcTrailers, trailersOfRequest)
	wantClient(t, e, "headers", "trailers")
}

// larger is a spoken protocol in which a message is larger upstream than it came;
// decodes is called for each that is read.
type larger struct {
	spoken
	decodes func()
}

func (c larger) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	c.decodes()
	return c.spoken.DecodeRequest(route, headers, body)
}

func (c larger) EncodeRequest(*codec.Request, []string) (*codec.Message, error) {
	return &codec.Message{Body: c.frame(strings.Repeat("x", 900<<10))}, nil
}

// However many messages come in a piece, what became of one has gone before the next
// is judged, and is reserved until then.
func TestMessagesOfAPieceGoOneByOne(t *testing.T) {
	s := speaking(t)
	messages := []message{streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a")+framed("b")+framed("c"), false)}
	e := &envoy{messages: messages, end: io.EOF}
	var sent, held []int
	runtime := *s.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.KServeGRPC: larger{spoken{framed: true}, func() {
		_, bytes := s.InFlight()
		sent, held = append(sent, len(e.upstream())>>10), append(held, int(bytes)>>10)
	}}}
	s.filter.Use(&runtime)
	_ = s.Process(e)
	if !slices.Equal(sent, []int{0, 900, 1800}) {
		t.Errorf("before each message %d KiB had gone", sent)
	}
	if len(held) != 3 || held[1] < 900*memoryFactor {
		t.Errorf("before each message %d KiB were reserved", held)
	}
	hold := &exchange{server: s, ctx: context.Background()}
	if !hold.reserve(3600 << 10) {
		t.Fatal("the reservation failed")
	}
	defer hold.release()
	e, _ = run(s, io.EOF, messages...)
	wantClient(t, e, "refused overloaded")
}

// counted is a spoken protocol; decodes is called for each answer that is read.
type counted struct {
	spoken
	decodes func()
}

func (c counted) DecodeResponse(r *codec.Request, h codec.Headers, body []byte) (*codec.Response, error) {
	c.decodes()
	return c.spoken.DecodeResponse(r, h, body)
}

func TestAnswersOfAPieceGoOneByOne(t *testing.T) {
	for name, tc := range map[string]struct {
		messages []message
		answer   message
	}{
		"stream": {[]message{streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false), ok}, answerTo("a", "x")},
		"events": {[]message{eventsHead(modes(bufferedMode, duplexMode)), requestBodyOf("a", true),
			responseHeaders("200", "via_upstream", false, "content-type", "text/event-stream")}, responseBodyOf("data: 1 x\n\n", false)},
	} {
		s := speaking(t)
		e := &envoy{end: io.EOF}
		e.messages = append(tc.messages, func(e *envoy) *extprocv3.ProcessingRequest {
			return responseBodyOf(strings.Repeat(string(tc.answer(e).GetResponseBody().GetBody()), 3), false)(e)
		})
		var said []int
		count := func() { said = append(said, strings.Count(strings.Join(e.client(), " | "), " x")) }
		runtime := *s.filter.Runtime()
		runtime.Codecs = codec.Codecs{codec.KServeGRPC: counted{spoken{framed: true}, count}, codec.KServeHTTP: counted{spoken{}, count}}
		s.filter.Use(&runtime)
		_ = s.Process(e)
		if said = slices.Compact(said); !slices.Equal(said, []int{0, 1, 2}) {
			t.Errorf("%s: before each answer the client had got %d", name, said)
		}
	}
}

// frugal is a spoken protocol that shows the request to which an answer is written.
type frugal struct {
	spoken
	answered func(*codec.Request)
}

func (c frugal) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	r, err := c.spoken.DecodeRequest(route, headers, body)
	if err == nil {
		r.Parameters = []codec.Parameter{{Name: "p", Value: strings.Repeat("x", 1<<20)}}
	}
	return r, err
}

func (c frugal) EncodeResponse(request *codec.Request, r *codec.Response) (*codec.Message, error) {
	c.answered(request)
	return c.spoken.EncodeResponse(request, r)
}

// A request that waits for its answers holds no reservation, and so no values.
func TestWaitingRequestsHoldNoValues(t *testing.T) {
	s := speaking(t)
	runtime := *s.filter.Runtime()
	var waits []*codec.Request
	runtime.Codecs = codec.Codecs{codec.KServeGRPC: frugal{spoken{framed: true}, func(r *codec.Request) { waits = append(waits, r) }}}
	runtime.Policy = policy.New([]*policy.Model{{Pattern: "m", Parameters: []string{"p"}, Inputs: map[string]policy.Input{"T": {Kind: policy.Text}}}})
	s.filter.Use(&runtime)
	_, _ = run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false), ok, answerTo("a", "x"))
	if len(waits) != 1 || waits[0].Inputs != nil || waits[0].Parameters != nil {
		t.Errorf("%d requests were answered, with %v", len(waits), waits)
	}
}

func TestUnaryAnswerWithoutAStatus(t *testing.T) {
	unary := requestHeaders(buffered, false, ":method", "POST", ":path", "/inference.GRPCInferenceService/ModelInfer", "content-type", "application/grpc")
	answer := func(e *envoy) *extprocv3.ProcessingRequest {
		m := answerTo("a", "x")(e)
		m.GetResponseBody().EndOfStream = true
		return m
	}
	e, err := run(speaking(t), io.EOF, unary, requestBodyOf(framed("a"), true), ok, answer)
	if got := refusalOf(last(t, e)); err != nil || got != "response_malformed" {
		t.Errorf("%v, %v, want it refused", last(t, e), err)
	}
}
