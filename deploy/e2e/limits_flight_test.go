//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The body of an answer counts as the model server sends it.
func TestLargestResponse(t *testing.T) {
	const most = 64 << 10
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("limits: {max_body_bytes: 64KiB, max_response_bytes: 64KiB}\n", finite)}).ready(t)
	for size, want := range map[int]int{most: http.StatusOK, most + 1: http.StatusBadGateway} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, chunked %t", size, chunked), func(t *testing.T) {
				server.reply(func(w http.ResponseWriter, r received) {
					recorder := newRecorder()
					answerScores(0.9, 0.05, 0.05)(recorder, r)
					head, _ := strconv.Atoi(recorder.header.Get("Inference-Header-Content-Length"))
					body := recorder.body.String()
					padding := strings.Repeat(" ", size-len(body))
					w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(head+len(padding)))
					if !chunked {
						w.Header().Set("Content-Length", strconv.Itoa(size))
					}
					_, _ = w.Write([]byte(body[:head]))
					_, _ = w.Write([]byte(padding + body[head:]))
				})
				r := s.post(t, probeInfer, good)
				if r.status != want || want != http.StatusOK && r.header.Get("x-weir-reason") != "response_too_large" {
					t.Errorf("want %d, have %v", want, r)
				}
			})
		}
	}
}

// held sends n requests that the model server does not answer before release, and
// returns when it has all of them.
func held(t *testing.T, s *stack, server *modelServer, n int) (release func()) {
	t.Helper()
	answer := make(chan bool)
	server.reply(func(w http.ResponseWriter, r received) {
		<-answer
		answerScores(0.9, 0.05, 0.05)(w, r)
	})
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			r, err := s.send(client, http.MethodPost, probeInfer, strings.NewReader(good))
			if err != nil || r.status != http.StatusOK {
				t.Errorf("one of %d at the limit: %v, %v", n, r, err)
			}
		})
	}
	eventually(t, "requests at the model server", func() bool { return len(server.requests()) == n })
	return func() {
		close(answer)
		group.Wait()
		server.reply(answerScores(0.9, 0.05, 0.05))
	}
}

// Every exchange reserves at least 256 KiB, for as long as the model works.
func TestBytesInFlight(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(),
		config: probeConfig("limits: {max_body_bytes: 64KiB, max_response_bytes: 64KiB, max_bytes_in_flight: 1MiB, admission_timeout: 100ms}\n", finite)}).ready(t)
	release := held(t, s, server, 4)
	server.unreached(t, s, func() {
		wantReason(t, s.post(t, probeInfer, good), "overloaded")
	})
	release()
	if r := s.post(t, probeInfer, good); r.status != http.StatusOK {
		t.Errorf("afterwards: %v", r)
	}
}

// Envoy takes no more connections than exchanges.
func TestStreamsInFlight(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("limits: {max_streams_in_flight: 4}\n", finite)}).ready(t)
	release := held(t, s, server, 4)
	server.unreached(t, s, func() {
		if r := converse(t, s.addr, trick{path: probeInfer, body: good}.wire())[0]; r.status != noAnswer {
			t.Errorf("one more than the limit: %v", r)
		}
	})
	release()
	eventually(t, "an answer", func() bool {
		return converse(t, s.addr, trick{path: probeInfer, body: good}.wire())[0].status == http.StatusOK
	})
}

// A stream on which nobody says anything is given up, not before its time.
func TestSilentStreamIsGivenUp(t *testing.T) {
	const silence = 2 * time.Second
	s := private(t, stackOptions{upstream: triton.HTTP, grpc: triton.GRPC,
		config: "limits: {stream_idle_timeout: 2s}\nmodels: [{name: echo, inputs: {TEXT: {kind: text}}}]\n"}).ready(t)
	rig := &grpcRig{stack: s, triton: triton}
	call := rig.open(t, "silent")
	call.send(t, echoMessage("1", "a"))
	call.receive(t)
	began := time.Now()
	err := call.failure(t)
	if took := time.Since(began); took < silence/2 || took > patience/2 || status.Code(err) == codes.OK {
		t.Errorf("the stream ended after %v with %v", took, err)
	}
}
