//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The model server gets the canonical bytes, framed by a length, and of the
// headers only those on the list; nothing else of what the client wrote arrives,
// on any byte of the connection.
func TestOnlyWhatWeirWroteReachesTheModelServer(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	headers := []string{
		"X-Canary: canary", "Cookie: canary", "Authorization: Bearer canary", "User-Agent: canary",
		"Accept: canary", "Referer: canary", "X-Forwarded-For: canary", "X-Forwarded-Host: canary", "Forwarded: for=canary",
		"X-Envoy-Retry-On: 5xx,canary", "X-Envoy-Max-Retries: 3", "X-Envoy-Upstream-Rq-Timeout-Ms: 1", "X-Envoy-Original-Path: /canary",
		"X-Envoy-Decorator-Operation: canary", "X-Envoy-Force-Trace: canary", "X-Weir-Decision-Id: canary",
		"X-Http-Method-Override: canary", "Triton-Request-Timeout: canary", "Content-Type: text/canary", "Accept-Encoding: gzip, canary",
		"Endpoint-Load-Metrics-Format: canary", "Baggage: canary=1", "X-B3-Traceid: canary", "X-Request-Id: canary",
		"Traceparent: canary", "Tracestate: canary=canary",
	}
	for _, h2c := range []bool{false, true} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("h2c %t, chunked %t", h2c, chunked), func(t *testing.T) {
				before := s.tap.len()
				var body io.Reader = strings.NewReader(` {"id": "canary", "inputs" : [{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a\u0062\u200bc"]}]}`)
				if chunked {
					body = io.MultiReader(body)
				}
				r, err := s.sendTo("canary.example", newClient(h2c), http.MethodPost, probeInfer+"?canary=1", body, headers...)
				if err != nil || r.status != http.StatusOK {
					t.Fatalf("%v, %v", r, err)
				}
				got := server.last(t)
				want := canonical(r.header.Get("x-weir-decision-id"), "abc")
				if !bytes.Equal(got.body, want) {
					t.Errorf("body %q\nwant %q", got.body, want)
				}
				if got.RequestURI != "/v2/models/probe/versions/1/infer" || got.Method != http.MethodPost {
					t.Errorf("%s %s", got.Method, got.RequestURI)
				}
				if got.ContentLength != int64(len(want)) || got.TransferEncoding != nil {
					t.Errorf("content-length %d, transfer-encoding %v", got.ContentLength, got.TransferEncoding)
				}
				var names []string
				for name := range got.Header {
					names = append(names, name)
				}
				slices.Sort(names)
				allowed := []string{"Content-Length", "Content-Type", "Inference-Header-Content-Length", "X-Request-Id"}
				if !slices.Equal(names, allowed) {
					t.Errorf("headers %v, want %v", got.Header, allowed)
				}
				if seen := s.tap.seen(before); bytes.Contains(bytes.ToLower(seen), []byte("canary")) {
					t.Errorf("of the client: %q", seen)
				}
			})
		}
	}
}

// Headers that the client declares to end at the next hop are Weir's own there.
func TestConnectionHeaderTakesNothingAway(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	r, _ := s.raw(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nConnection: close, Content-Length, Content-Type, Inference-Header-Content-Length\r\nContent-Length: %d\r\n\r\n%s",
		probeInfer, len(good), good))
	if r.status != http.StatusOK {
		t.Fatal(r)
	}
	got, want := server.last(t), canonical(r.header.Get("x-weir-decision-id"), "a")
	if !bytes.Equal(got.body, want) || got.ContentLength != int64(len(want)) || got.Header.Get("Inference-Header-Content-Length") == "" {
		t.Errorf("%v %q", got.Header, got.body)
	}
}

// A body that follows a refusal is not the next request.
func TestBodyOfARefusedRequestIsNoRequest(t *testing.T) {
	shared.ready(t)
	inner := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", echoInfer, len(good), good)
	for _, head := range []string{
		"POST /v2/repository/index HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
		"GET /v2/health/live HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
		"POST " + echoInfer + " HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: 0\r\nContent-Length: %d\r\n\r\n",
	} {
		shared.unmoved(t, func() {
			if r, _ := shared.raw(t, fmt.Sprintf(head, len(inner))+inner); r.status < 400 || !decisionID.MatchString(r.header.Get("x-weir-decision-id")) {
				t.Errorf("%s: %v", head, r)
			}
		})
	}
}

// Of the model server's answer the client gets what Weir wrote.
func TestOnlyWhatWeirWroteReachesTheClient(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	r := s.post(t, probeInfer, textRequest("1", "a"))
	if r.status != http.StatusOK || bytes.Contains(fmt.Append(nil, r), []byte("canary")) {
		t.Error(r)
	}
	if got := r.header.Get("content-length"); got != strconv.Itoa(len(r.body)) {
		t.Errorf("content-length %s of %d bytes", got, len(r.body))
	}
}

// withTrailers is a body that is followed by trailers, and sent without DATA
// frames when it is empty.
func (s *stack) withTrailers(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+s.addr+path, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Add(name, value)
	}
	request.Trailer = http.Header{"X-Trailer": {"canary"}}
	response, err := newClient(true).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, content}
}

func TestTrailers(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	t.Run("after a body", func(t *testing.T) {
		before := s.tap.len()
		r := s.withTrailers(t, probeInfer, textRequest("", "a"))
		if r.status != http.StatusOK {
			t.Fatal(r)
		}
		got := server.last(t)
		if want := canonical(r.header.Get("x-weir-decision-id"), "a"); !bytes.Equal(got.body, want) || got.TransferEncoding != nil || len(got.Trailer) > 0 {
			t.Errorf("body %q, transfer-encoding %v, trailers %v", got.body, got.TransferEncoding, got.Trailer)
		}
		if seen := s.tap.seen(before); bytes.Contains(seen, []byte("canary")) {
			t.Errorf("of the client: %q", seen)
		}
	})
	// Headers and trailers without a body between them: Envoy has no body to show.
	t.Run("without a body", func(t *testing.T) {
		server.unreached(t, s, func() {
			r := s.withTrailers(t, probeInfer+"?canary", "", "X-Canary: canary", "Inference-Header-Content-Length: 99999999999")
			wantRefused(t, r, http.StatusBadRequest, "body_missing")
		})
	})
	t.Run("of a request without a body", func(t *testing.T) {
		server.unreached(t, s, func() {
			r := s.withTrailers(t, "/v2/repository/index", "")
			wantRefused(t, r, http.StatusForbidden, "route_denied")
		})
	})
}
