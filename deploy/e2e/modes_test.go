//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

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
