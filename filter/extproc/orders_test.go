package extproc

import (
	"io"
	"math/rand/v2"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
)

// TestRandomOrders drives streams in which anything may come at any time. What
// must hold of every one: Process returns nil only when the exchange is final,
// and the body of an inference goes on only as Weir wrote it.
func TestRandomOrders(t *testing.T) {
	s := newServer(t)
	events := []message{
		inferHeaders(buffered), inferHeaders(nil), inferHeaders(buffered, "content-length", "99999999"),
		liveHeaders, requestBodyOf(ask, true), requestBodyOf(ask, false), requestBodyOf("{", true),
		responseHeaders("200", "via_upstream", false), responseHeaders("200", "via_upstream", true),
		responseHeaders("503", "no_healthy_upstream", false), responseHeaders("200", "", false), serverAnswer(""), serverAnswer("{}"),
		func(*envoy) *extprocv3.ProcessingRequest { return &extprocv3.ProcessingRequest{} },
		trailersOfRequest, trailersOfResponse,
	}
	random := rand.New(rand.NewPCG(1, 2))
	ends := map[bool]int{}
	for range 20000 {
		messages := make([]message, 1+random.IntN(6))
		for i := range messages {
			messages[i] = events[random.IntN(len(events))]
		}
		e, err := run(s, io.EOF, messages...)
		final, infers := settled(e)
		ends[err == nil]++
		if err == nil && !final {
			t.Fatalf("a clean end before the exchange is final: %v", e.sent)
		}
		for _, r := range e.sent {
			if b := r.GetRequestBody(); b != nil && infers && b.GetResponse().GetBodyMutation().GetBody() == nil {
				t.Fatalf("a body went on as it came: %v", e.sent)
			}
		}
	}
	if ends[true] == 0 || ends[false] == 0 {
		t.Errorf("ends %v: the orders do not reach both", ends)
	}
	if streams, bytes := s.InFlight(); streams != 0 || bytes != 0 {
		t.Errorf("%d streams and %d bytes are still in flight", streams, bytes)
	}
}

// settled reports whether what was sent ends an exchange, and whether it is one
// of an inference.
func settled(e *envoy) (final, infers bool) {
	for i, r := range e.sent {
		switch {
		case r.GetImmediateResponse() != nil, r.GetResponseBody() != nil:
			final = true
		case r.GetResponseHeaders() != nil && (i == 0 || r.GetResponseHeaders().GetResponse().GetBodyMutation() == nil && !infers):
			final = true // of a local reply, or of an answer without a body
		case r.GetRequestHeaders() != nil:
			infers = setPath(r) == "/v2/models/m/infer"
		}
	}
	return final, infers
}

func setPath(r *extprocv3.ProcessingResponse) string {
	for _, h := range r.GetRequestHeaders().GetResponse().GetHeaderMutation().GetSetHeaders() {
		if h.GetHeader().GetKey() == ":path" {
			return string(h.GetHeader().GetRawValue())
		}
	}
	return ""
}
