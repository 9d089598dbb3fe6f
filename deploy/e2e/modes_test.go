//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// An Envoy that was not set up by Weir must not become a way around it.
func TestUnsafeBootstraps(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig(quick, finite)}).ready(t)
	for _, test := range []struct {
		name     string
		old, new string
		// What Weir cannot see of a bootstrap, and so cannot prevent: that Envoy sends
		// the head of a request, or what Weir made of it, upstream.
		head, canonical bool
	}{
		{"request body STREAMED", "request_body_mode: BUFFERED", "request_body_mode: STREAMED", false, false},
		{"request body BUFFERED_PARTIAL", "request_body_mode: BUFFERED", "request_body_mode: BUFFERED_PARTIAL", false, false},
		{"request body FULL_DUPLEX_STREAMED", "request_body_mode: BUFFERED", "request_body_mode: FULL_DUPLEX_STREAMED", false, false},
		{"request body NONE", "request_body_mode: BUFFERED", "request_body_mode: NONE", false, false},
		{"response body NONE", "response_body_mode: BUFFERED", "response_body_mode: NONE", false, false},
		{"response body STREAMED", "response_body_mode: BUFFERED", "response_body_mode: STREAMED", false, false},
		{"response body FULL_DUPLEX_STREAMED", "response_body_mode: BUFFERED", "response_body_mode: FULL_DUPLEX_STREAMED", false, false},
		{"request headers SKIP", "request_header_mode: SEND", "request_header_mode: SKIP", true, false},
		{"response headers SKIP", "response_header_mode: SEND", "response_header_mode: SKIP", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.front(t, func(text string) string {
				text, err := replaceOnce(text, test.old+"\n", test.new+"\n") // not those of routes, which stand on one line
				if err != nil {
					t.Fatal(err)
				}
				return text
			})
			before := s.tap.len()
			for _, h2c := range []bool{false, true} {
				for _, body := range []string{textRequest("canary", "a\u200bb"), strings.Repeat(" ", 1<<20) + good} {
					r, err := s.send(newClient(h2c), http.MethodPost, probeInfer, io.MultiReader(strings.NewReader(body)), "X-Canary: canary")
					if err == nil && r.status < 400 || bytes.Contains(r.body, []byte("SCORES")) || bytes.Contains(r.body, []byte("\x66\x66\x66\x3f")) {
						t.Errorf("passed: %v", r)
					}
				}
			}
			seen := s.tap.seen(before)
			if !test.head && !test.canonical && len(seen) > 0 {
				t.Errorf("went to the model server: %.500q", seen)
			}
			if bytes.Contains(seen, []byte(`"canary"`)) || bytes.Contains(seen, []byte("\u200b")) || !test.head && bytes.Contains(seen, []byte("canary")) {
				t.Errorf("unsanitised: %.500q", seen)
			}
		})
	}
}

// Answers of Envoy's own, to requests that Weir never saw, pass; what claims to be
// one but comes from the model server does not.
func TestStreamsThatBeginWithTheAnswer(t *testing.T) {
	shared.ready(t)
	shared.unmoved(t, func() {
		for _, text := range []string{
			"POST " + echoInfer + " HTTP/1.1\r\nContent-Length: 1\r\n\r\na",                    // no host
			"GET /v2 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", // no upgrades
			"GET /v2#a HTTP/1.1\r\nHost: h\r\n\r\n",                                            // no fragments
		} {
			r, _ := shared.raw(t, text)
			wantError(t, r, http.StatusBadRequest, http.StatusForbidden)
		}
	})
	if r := shared.post(t, echoInfer, good); r.status != http.StatusOK {
		t.Error(r)
	}
}

// Requests of unknown length reserve the largest body; they must not starve each
// other, nor their own answers.
func TestManyChunkedRequestsAtOnce(t *testing.T) {
	server := newModelServer(t)
	// Memory for two bodies of the largest size at a time.
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig(
		"limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB, max_bytes_in_flight: 32MiB, admission_timeout: 5s}\n", finite)}).ready(t)
	replies := make(chan reply)
	for range 32 {
		go func() {
			r, err := s.send(client, http.MethodPost, probeInfer, io.MultiReader(strings.NewReader(good)))
			if err != nil {
				t.Error(err)
			}
			replies <- r
		}()
	}
	for range 32 {
		if r := <-replies; r.status != http.StatusOK {
			t.Error(r)
		}
	}
}
