//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requestHead is the head of an inference with these lines.
func requestHead(lines ...string) string {
	return "POST " + echoInfer + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func contentLength(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }

// framing is a request whose body has two ends. hidden says that Triton takes the
// body for the next request on the connection.
type framing struct {
	name   string
	head   string
	body   string
	hidden bool
	reads  string // "": Triton refuses what it reads, too
	// status is Envoy's own answer.
	status int
	// headers are how Weir would see it from a proxy that is less strict; reason is
	// its refusal then, "" that it goes on in canonical form.
	headers []string
	reason  string
}

// Where a body ends is decided by headers that servers read differently: what one
// takes for a body, the other takes for a request. Envoy ends these, and Weir does
// so by itself.
func TestTrick20FramesOfBodies(t *testing.T) {
	shared.ready(t)
	inner := requestHead(contentLength(text(`"evil"`))) + text(`"evil"`)
	evil := text(`"evil"`)
	framings := []framing{
		{name: "transfer-encoding xchunked", head: requestHead("Transfer-Encoding: xchunked"), body: inner, hidden: true, status: 501,
			headers: []string{"transfer-encoding: xchunked"}, reason: "header_invalid"},
		{name: "transfer-encoding gzip, chunked", head: requestHead("Transfer-Encoding: gzip, chunked"), body: inner, hidden: true, status: 501,
			headers: []string{"transfer-encoding: gzip, chunked"}, reason: "header_invalid"},
		{name: "a space before the colon", head: requestHead(strings.Replace(contentLength(inner), ":", " :", 1)), body: inner, hidden: true, status: 400,
			headers: []string{"content-length : 3"}},
		{name: "two lengths", head: requestHead(contentLength(inner), "Content-Length: 0"), body: inner, hidden: true, status: 400,
			headers: []string{contentLengthOf(evil), "content-length: 0"}, reason: "header_duplicate"},
		{name: "a length and chunks", head: requestHead(contentLength(evil), "Transfer-Encoding: chunked"), body: chunked(evil), reads: "evil", status: 400,
			headers: []string{contentLengthOf(evil), "transfer-encoding: chunked"}, reason: "header_invalid"},
		{name: "a short length and chunks", head: requestHead("Content-Length: 3", "Transfer-Encoding: chunked"), body: chunked(evil), status: 400,
			headers: []string{"content-length: 3", "transfer-encoding: chunked"}, reason: "header_invalid"},
		{name: "chunks and a short length", head: requestHead("Transfer-Encoding: chunked", "Content-Length: 3"), body: chunked(evil), status: 400,
			headers: []string{"transfer-encoding: chunked", "content-length: 3"}, reason: "header_invalid"},
		{name: "a chunk size that wraps", head: requestHead("Transfer-Encoding: chunked"), status: 400, reads: "evil",
			body:    fmt.Sprintf("1%016x\r\n%s\r\n0\r\n\r\n", len(evil), evil), // 2^64 more
			headers: []string{"transfer-encoding: chunked"}, reason: "header_invalid"},
		{name: "a length that is signed", head: requestHead("Content-Length: +" + strconv.Itoa(len(evil))), body: evil, status: 400,
			headers: []string{"content-length: +" + strconv.Itoa(len(evil))}, reason: "header_invalid"},
		{name: "a list of lengths", head: requestHead(contentLength(evil) + ", 0"), body: evil, status: 400,
			headers: []string{contentLengthOf(evil) + ", 0"}, reason: "header_invalid"},
		{name: "HTTP/1.0", head: "POST " + echoInfer + " HTTP/1.0\r\n" + contentLength(evil) + "\r\n\r\n", body: evil, reads: "evil", status: 426},
		{name: "HTTP/2.0 in the form of HTTP/1", head: "POST " + echoInfer + " HTTP/2.0\r\nHost: h\r\n" + contentLength(evil) + "\r\n\r\n", body: evil, reads: "evil", status: 400},
		{name: "no host", head: "POST " + echoInfer + " HTTP/1.1\r\n" + contentLength(evil) + "\r\n\r\n", body: evil, reads: "evil", status: 400},
	}
	var refusals []envoyRefusal
	for _, f := range framings {
		refusals = append(refusals, envoyRefusal{f.name, f.head + f.body, f.status})
		t.Run(f.name, func(t *testing.T) {
			f.withoutWeir(t)
			if f.headers == nil {
				return
			}
			got := shared.pastEnvoy(t, evil, f.headers...)
			if got.reason != f.reason {
				t.Errorf("past Envoy: refused with %q, want %q", got.reason, f.reason)
			}
			if f.reason == "" {
				wantCanonical(t, got, "evil")
			}
		})
	}
	refusedByEnvoy(t, refusals...)
}

func contentLengthOf(body string) string { return strings.ToLower(contentLength(body)) }

func (f framing) withoutWeir(t *testing.T) {
	t.Helper()
	parts := []string{f.head + f.body}
	if f.hidden {
		parts = []string{f.head, f.body}
	}
	replies, got := segmentsToTriton(t, parts...)
	last := replies[len(replies)-1]
	switch {
	case f.hidden && (replies[0].status != bad || last.status != http.StatusOK || len(got) != 1 || got[0].Inputs[0].SHA256[0] != digest("evil")):
		t.Errorf("without Weir: want the body taken for a request; have %v, %+v", replies, got)
	case f.reads != "" && (last.status != http.StatusOK || len(got) != 1 || got[0].Inputs[0].SHA256[0] != digest(f.reads)):
		t.Errorf("without Weir: want %q at the model; have %v, %+v", f.reads, replies, got)
	case !f.hidden && f.reads == "" && (last.status == http.StatusOK || len(got) > 0):
		t.Errorf("without Weir: want it refused; have %v, %+v", replies, got)
	}
}

// wantCanonical checks that what goes to the model server is one text of the echo
// model as Weir writes it, with a length and no other frame.
func wantCanonical(t *testing.T, got forwarded, text string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(got.headers))
	want := []string{":authority", ":method", ":path", ":scheme", "content-length", "content-type", "inference-header-content-length"}
	if got.headers["content-length"] != strconv.Itoa(len(got.body)) || !strings.HasSuffix(got.body, string(elements(text))) || !slices.Equal(names, want) {
		t.Errorf("went on: %+v", got)
	}
}

// What Envoy forgives does not go on as it came. If it counted otherwise than the
// head says, Weir would see that.
func TestTrick20LinesOfHeads(t *testing.T) {
	evil := text(`"evil"`)
	run(t,
		trick{name: "a length that is too short", raw: requestHead("Content-Length: 3") + evil, fails: fault, reason: "json_malformed"},
		trick{name: "folded", raw: requestHead("X: a\r\n Content-Length: 0", contentLength(evil)) + evil, reads: "evil", clean: "evil"},
		trick{name: "without a return", raw: strings.ReplaceAll(requestHead(contentLength(evil)), "\r\n", "\n") + evil, fails: noAnswer, clean: "evil"},
		trick{name: "an extension of a chunk", raw: requestHead("Transfer-Encoding: chunked") + strings.Replace(chunked(evil), "\r\n", ";a=b\r\n", 1), fails: noAnswer, clean: "evil"},
	)
	if got := shared.pastEnvoy(t, evil, "content-length: 3"); got.reason != "header_invalid" {
		t.Errorf("past Envoy: %+v", got)
	}
}

// Headers after the body are not merged by Triton, nor are they let through.
func TestTrick21Trailers(t *testing.T) {
	evil := text(`"evil"`)
	for _, trailer := range []string{"Inference-Header-Content-Length: 0", "Content-Length: 0", "Content-Encoding: gzip", "X-Canary: canary"} {
		name, _, _ := strings.Cut(trailer, ":")
		body := fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(evil), evil, trailer)
		before := shared.tap.len()
		run(t, trick{name: name, raw: requestHead("Transfer-Encoding: chunked", "Trailer: "+name) + body, reads: "evil", clean: "evil"})
		if seen := string(shared.tap.seen(before)); strings.Contains(seen, "canary") || strings.Contains(strings.ToLower(seen), "trailer") || strings.Contains(seen, "chunked") {
			t.Errorf("%s: went to the model server: %q", name, seen)
		}
	}
}
