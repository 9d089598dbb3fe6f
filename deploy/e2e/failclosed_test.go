//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/deploy/local"
)

// quick makes every phase end soon, so that a late Weir is found soon.
const quick = "limits: {request_timeout: 700ms, admission_timeout: 300ms, max_body_bytes: 4MiB, max_response_bytes: 4MiB}\n"

// bounded is by when a client must have its error: far above what the timeouts of
// quick allow, far below those of a hung connection.
const bounded = 20 * time.Second

func TestWeirStartsBeforeTheModelServer(t *testing.T) {
	door, err := newTap(triton.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	door.shut()
	s := private(t, stackOptions{upstream: door.Addr, config: sharedConfig(traces.addr)})
	public := func(path string) (int, string) {
		response, err := http.Get("http://" + s.weir.Public + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	if status, body := public("/healthz"); status != http.StatusOK {
		t.Errorf("not alive: %d %s", status, body)
	}
	if status, body := public("/readyz?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(body, "model echo: ") {
		t.Errorf("readiness: %d %s", status, body)
	}
	eventually(t, "the reason in /readyz?verbose", func() bool {
		_, body := public("/readyz?verbose")
		return strings.Contains(body, "connection refused")
	})
	if out, err := s.weir.Command(t.Context(), "healthcheck", "--config", s.weir.Config); err == nil {
		t.Errorf("healthcheck: %s", out)
	}
	s.unmoved(t, func() {
		wantRefused(t, s.post(t, echoInfer, good), http.StatusServiceUnavailable, "upstream_not_ready")
	})
	log, err := os.ReadFile(s.weir.LogPath)
	if n := strings.Count(string(log), `"model is not ready; its requests are refused","model":"echo"`); err != nil || n != 1 {
		t.Errorf("the log says %d times that echo is not ready, want once: %s", n, log)
	}
	door.reopen(t)
	s.ready(t)
	if status, body := public("/readyz?verbose"); status != http.StatusOK || !strings.Contains(body, "model echo: ready") {
		t.Errorf("readiness: %d %s", status, body)
	}
	if r := s.post(t, echoInfer, good); r.status != http.StatusOK {
		t.Error(r)
	}
}

// outcomes counts what became of the requests of many clients.
type outcomes struct{ passed, refused, broken atomic.Int64 }

// storm sends the same text again and again from many clients until ctx ends. An
// answer of 200 must be the whole answer; everything else must come in bounded time.
func (s *stack) storm(t *testing.T, ctx context.Context, clients int, o *outcomes) *sync.WaitGroup {
	t.Helper()
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			c := newClient(i%2 == 0)
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				began := time.Now()
				r, err := s.send(c, http.MethodPost, echoInfer, strings.NewReader(textRequest(id, "s\u200bt")))
				if took := time.Since(began); took > bounded {
					t.Errorf("an answer took %v", took)
				}
				switch {
				case err != nil:
					o.broken.Add(1)
				case r.status == http.StatusOK:
					o.passed.Add(1)
					if m, err := decode(r); err != nil || m.ID != id || !bytes.Contains(r.body, []byte(`["st"]`)) {
						t.Errorf("an answer that Weir did not write: %v", r)
					}
				default:
					o.refused.Add(1)
					if r.status < 500 {
						t.Errorf("a fault of the firewall's that looks like the client's: %v", r)
					}
				}
			}
		})
	}
	return &group
}

// sanitised fails the test if the echo model has received anything since from
// that Weir did not write.
func sanitised(t *testing.T, from int) (n int) {
	t.Helper()
	all, err := triton.Received()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[from:] {
		if !decisionID.MatchString(r.ID) || len(r.Inputs) != 1 || r.Inputs[0].SHA256[0] != digest("st") {
			t.Errorf("unsanitised at the model: %+v", r)
		}
	}
	return len(all) - from
}

// Weir is taken out of the path under load, and comes back.
func TestWeirKilledUnderLoad(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: quick + modelsOf(sharedConfig(""))}).ready(t)
	for _, fault := range []struct {
		name string
		do   func()
		undo func()
	}{
		{"SIGKILL", func() { s.kill(t) }, func() { s.restart(t) }},
		{"SIGSTOP", func() { s.signal(t, syscall.SIGSTOP) }, func() { s.signal(t, syscall.SIGCONT) }},
		{"SIGTERM", func() { s.terminate(t) }, func() { s.restart(t) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			from := s.ledger(t).records
			var o outcomes
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			storm := s.storm(t, ctx, 16, &o)
			eventually(t, "requests that pass", func() bool { return o.passed.Load() > 50 })
			fault.do()
			eventually(t, "requests that fail", func() bool { return o.refused.Load()+o.broken.Load() > 16 })
			settled := s.settle(t)
			before, passed := s.tap.len(), o.passed.Load()
			eventually(t, "more requests that fail", func() bool { return o.refused.Load()+o.broken.Load() > 48 })
			if s.tap.len() != before || o.passed.Load() != passed || s.ledger(t).records != settled.records {
				t.Errorf("with Weir out of the path %d requests passed, the model server got %q", o.passed.Load()-passed, s.tap.seen(before))
			}
			fault.undo()
			eventually(t, "requests that pass again", func() bool { return o.passed.Load() > passed+50 })
			cancel()
			storm.Wait()
			reached := sanitised(t, from)
			if reached < int(o.passed.Load()) {
				t.Errorf("%d requests reached the model, %d clients have answers", reached, o.passed.Load())
			}
			if o.broken.Load() > 16 {
				t.Errorf("%d connections broke without an answer", o.broken.Load())
			}
		})
	}
}

// terminate lets Weir end the exchanges in flight.
func (s *stack) terminate(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	if err := s.weir.Wait(); err != nil {
		t.Fatal(err)
	}
}

// settle waits until what was on its way to the model server has arrived.
func (s *stack) settle(t *testing.T) ledger {
	t.Helper()
	last := s.tap.len()
	still := 0
	eventually(t, "a quiet model server", func() bool {
		now := s.tap.len()
		if now != last {
			last, still = now, 0
		}
		still++
		return still > 10
	})
	return s.ledger(t)
}

// restart starts Weir again after its death, on the same socket.
func (s *stack) restart(t *testing.T) {
	t.Helper()
	if err := s.weir.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.ready(t)
}

// modelsOf leaves out the lines before the models.
func modelsOf(config string) string { return config[strings.Index(config, "models:"):] }

func TestWeirDeadBeforeTheRequest(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: quick + modelsOf(sharedConfig(""))}).ready(t)
	s.kill(t)
	s.unmoved(t, func() {
		for range 20 {
			wantError(t, s.post(t, echoInfer, good), http.StatusServiceUnavailable)
		}
		for _, path := range []string{"/v2/health/ready", "/v2/models/echo", "/v2/repository/index"} {
			wantError(t, s.get(t, path), http.StatusServiceUnavailable)
		}
	})
	// A socket that nobody listens on is replaced.
	s.restart(t)
	eventually(t, "an answer", func() bool { return s.post(t, echoInfer, good).status == http.StatusOK })
}

// A second Weir must not take the socket of a living one.
func TestTwoWeirsOnOneSocket(t *testing.T) {
	shared.ready(t)
	if out, err := shared.weir.Command(t.Context(), "serve", "--config", shared.weir.Config); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("%s, %v", out, err)
	}
	if r := shared.post(t, echoInfer, good); r.status != http.StatusOK {
		t.Error(r)
	}
}

// Weir stops while the model works: what the model says afterwards must not reach
// the client unchecked.
func TestWeirGoneInTheResponsePhase(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig(quick, finite)}).ready(t)
	for _, fault := range []struct {
		name string
		do   func()
		undo func()
	}{
		{"SIGSTOP", func() { s.signal(t, syscall.SIGSTOP) }, func() { s.signal(t, syscall.SIGCONT) }},
		{"SIGKILL", func() { s.kill(t) }, func() { s.restart(t) }},
	} {
		for _, h2c := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, h2c %t", fault.name, h2c), func(t *testing.T) {
				arrived, answer := make(chan bool), make(chan bool)
				server.reply(func(w http.ResponseWriter, r received) {
					arrived <- true
					<-answer
					answerScores(0.9, 0.05, 0.05)(w, r)
				})
				type result struct {
					reply
					err error
				}
				results := make(chan result)
				go func() {
					r, err := s.send(newClient(h2c), http.MethodPost, probeInfer, strings.NewReader(textRequest("1", "a")))
					results <- result{r, err}
				}()
				<-arrived
				fault.do()
				began := time.Now()
				close(answer)
				got := <-results
				if took := time.Since(began); took > bounded {
					t.Errorf("the error took %v", took)
				}
				if got.err != nil {
					t.Fatal(got.err)
				}
				wantError(t, got.reply, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
				if strings.Contains(fmt.Sprint(got.reply), "canary") || bytes.Contains(got.body, []byte("SCORES")) {
					t.Errorf("unchecked: %v", got.reply)
				}
				fault.undo()
				server.reply(answerScores(0.9, 0.05, 0.05))
				eventually(t, "an answer", func() bool { return s.post(t, probeInfer, good).status == http.StatusOK })
			})
		}
	}
}

// A Weir that works longer than it may is an error in bounded time.
func TestWeirIsLate(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(),
		config: probeConfig("limits: {request_timeout: 1ms, max_body_bytes: 16MiB}\n", finite)}).ready(t)
	body := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{8}}}}
	for range 8 {
		body.Inputs[0].Data = append(body.Inputs[0].Data, strings.Repeat("é", 500<<10))
	}
	encoded, _ := body.encode()
	server.unreached(t, s, func() {
		began := time.Now()
		r := s.post(t, probeInfer, string(encoded))
		wantError(t, r, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
		if took := time.Since(began); took > bounded {
			t.Errorf("the error took %v", took)
		}
	})
}

// The model server dies: the client is told in the form of the protocol.
func TestModelServerGone(t *testing.T) {
	own, err := local.StartTriton(context.Background(), deps, local.TritonOptions{Models: []string{"echo"}, LogDir: tempDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Stop(context.Background()) })
	config := "models:\n  - name: echo\n    inputs:\n      TEXT: {kind: text}\n"
	s := private(t, stackOptions{upstream: own.HTTP, config: quick + config}).ready(t)
	if r := s.post(t, echoInfer, good); r.status != http.StatusOK {
		t.Fatal(r)
	}
	if err := own.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = own.Wait()
	for range 5 {
		wantLocal(t, s.post(t, echoInfer, good), http.StatusBadGateway, "upstream_unreachable")
	}
}
