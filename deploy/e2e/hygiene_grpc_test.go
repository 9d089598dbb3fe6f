//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// upstreamCall is a request over HTTP/2 as the model server got it.
type upstreamCall struct {
	headers []hpack.HeaderField
	body    []byte
}

// callsSeen reads what went over one connection of HTTP/2 from its beginning.
func callsSeen(t *testing.T, seen []byte) []upstreamCall {
	t.Helper()
	rest, ok := bytes.CutPrefix(seen, []byte(http2.ClientPreface))
	if !ok || bytes.Contains(rest, []byte(http2.ClientPreface)) {
		t.Fatalf("want one connection, have %q", seen)
	}
	framer := http2.NewFramer(nil, bytes.NewReader(rest))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var calls []upstreamCall
	for {
		frame, err := framer.ReadFrame()
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			calls = append(calls, upstreamCall{headers: f.Fields})
		case *http2.DataFrame:
			last := &calls[len(calls)-1]
			last.body = append(last.body, f.Data()...)
		}
		if errors.Is(err, io.EOF) {
			return calls
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Over gRPC, too, the model server gets the canonical message and the headers on the
// list, and nothing else of what the client wrote.
func TestOnlyWhatWeirWroteReachesTheModelServerOverGRPC(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, grpc: triton.GRPC,
		config: "models: [{name: echo, parameters: [note], inputs: {TEXT: {kind: text}}}]\n"}).ready(t)
	// Fields in another order, a shape that is not packed, typed contents.
	input := pbBytes(5, pbBytes(5, pbBytes(8, "a\u200bb"))+pbVarint(3, 1)+pbBytes(2, "BYTES")+pbBytes(1, "TEXT"))
	r := rpcTrick{path: inferenceService + "ModelInfer?canary", message: input + pbBytes(3, "canary") + pbBytes(1, "echo"), headers: []string{
		"X-Canary: canary", "Cookie: canary", "Authorization: Bearer canary", "User-Agent: canary", "Canary-Bin: Y2FuYXJ5", "Grpc-Previous-Rpc-Attempts: 7",
		"Triton-Grpc-Protocol-Infer-Key: canary", "Traceparent: canary", "Tracestate: canary=1", "Baggage: canary=1",
		"X-Request-Id: canary", "X-Envoy-Retry-On: canary", "Grpc-Accept-Encoding: gzip,canary", "Grpc-Message-Type: canary", "Lb-Token: canary"}}.send(t, s.addr)
	if r.code != codes.OK || !strings.Contains(r.body, "canary") || !strings.Contains(r.body, "ab") {
		t.Fatalf("%+v, want the client's own id and the text", r)
	}
	seen := s.taps[1].seen(0)
	calls := callsSeen(t, seen)
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	var names []string
	for _, h := range calls[0].headers {
		names = append(names, h.Name)
		if text := strings.ToLower(h.Name + h.Value); strings.Contains(text, "canary") || strings.Contains(text, "y2fuyxj5") {
			t.Errorf("header %v went to the model server", h)
		}
	}
	slices.Sort(names)
	want := []string{":authority", ":method", ":path", ":scheme", "content-length", "content-type", "grpc-accept-encoding",
		"grpc-timeout", "te", "x-request-id"} // the timeout is Envoy's
	if !slices.Equal(names, want) {
		t.Errorf("headers %v, want %v", names, want)
	}
	id := r.header.Get("x-weir-decision-id")
	message := pbBytes(1, "echo") + pbBytes(2, "1") + pbBytes(3, id) + rpcInput("TEXT", "BYTES", 1) + pbBytes(7, string(elements("ab")))
	if got := string(calls[0].body); got != frame(0, message) {
		t.Errorf("the model server got %q, want %q", got, frame(0, message))
	}
}
