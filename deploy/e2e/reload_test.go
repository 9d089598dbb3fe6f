//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"weir/monitor"
)

// floor is a policy whose check blocks answers below a confidence.
func floor(confidence float64) string {
	return probeConfig("", fmt.Sprintf("{name: floor, output: SCORES, min_confidence: %v}", confidence))
}

// write changes the configuration without a word to Weir.
func (s *stack) write(t *testing.T, config string) {
	t.Helper()
	if err := s.weir.WriteConfig(s.opts.upstream, config); err != nil {
		t.Fatal(err)
	}
}

// passes reports whether the policy in force lets an answer of 0.5 through.
func (s *stack) passes(t *testing.T) bool { return s.post(t, probeInfer, good).status == http.StatusOK }

// reloads returns what the metrics say of reloads.
func (s *stack) reloads(t *testing.T) (ok, failed, last float64) {
	return s.metric(t, `weir_config_reload_total{outcome="success"}`), s.metric(t, `weir_config_reload_total{outcome="failure"}`),
		s.metric(t, "weir_config_last_reload_successful")
}

// unsure is a stack whose model answers with a confidence of 0.5.
func unsure(t *testing.T, confidence float64) *stack {
	server := newModelServer(t)
	server.reply(answerScores(0.5, 0.25, 0.25))
	return private(t, stackOptions{upstream: server.addr(), config: floor(confidence)}).ready(t)
}

func TestReload(t *testing.T) {
	s := unsure(t, 0.9)
	if s.passes(t) {
		t.Fatal("the first policy is not in force")
	}
	t.Run("a change of the file", func(t *testing.T) {
		s.write(t, floor(0.4))
		eventually(t, "the new policy", func() bool { return s.passes(t) })
		if _, _, last := s.reloads(t); last != 1 {
			t.Error("the metric says that the reload failed")
		}
		log, err := os.ReadFile(s.weir.LogPath)
		if err != nil || !strings.Contains(string(log), `"path":"models[probe].checks[floor].min_confidence","old":"0.9","new":"0.4"`) {
			t.Errorf("the log does not say what changed: %s", log)
		}
	})
	t.Run("SIGHUP", func(t *testing.T) {
		s.write(t, floor(0.9))
		s.signal(t, syscall.SIGHUP)
		eventually(t, "the policy of before", func() bool { return !s.passes(t) })
		if _, _, last := s.reloads(t); last != 1 {
			t.Error("the metric says that the reload failed")
		}
	})
	t.Run("POST", func(t *testing.T) {
		s.use(t, floor(0.4))
		if !s.passes(t) {
			t.Error("the new policy is not in force when POST /-/reload has answered")
		}
	})
	t.Run("POST from a browser", func(t *testing.T) {
		request, err := http.NewRequest(http.MethodPost, "http://"+s.weir.Control+"/-/reload", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "http://evil.example")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", response.StatusCode)
		}
	})
}

func TestReloadThatFailsChangesNothing(t *testing.T) {
	s := unsure(t, 0.4)
	t.Run("a bad file", func(t *testing.T) {
		_, before, _ := s.reloads(t)
		s.write(t, strings.Replace(floor(0.9), "min_confidence", "min_confidense", 1))
		status, err := s.weir.Reload(t.Context())
		if err != nil || status != http.StatusUnprocessableEntity {
			t.Errorf("POST /-/reload: %d, %v", status, err)
		}
		if _, failed, last := s.reloads(t); failed <= before || last != 0 {
			t.Errorf("metrics: %v failed before, %v now, last %v", before, failed, last)
		}
		if !s.passes(t) {
			t.Error("the old policy is no longer in force")
		}
	})
	t.Run("what needs a restart", func(t *testing.T) {
		s.write(t, "limits: {max_body_bytes: 1MiB}\n"+floor(0.4))
		if status, err := s.weir.Reload(t.Context()); err != nil || status != http.StatusUnprocessableEntity || !s.passes(t) {
			t.Errorf("POST /-/reload: %d, %v", status, err)
		}
	})
	t.Run("a file that is gone", func(t *testing.T) {
		if err := os.Remove(s.weir.Config); err != nil {
			t.Fatal(err)
		}
		if status, err := s.weir.Reload(t.Context()); err != nil || status != http.StatusUnprocessableEntity || !s.passes(t) {
			t.Errorf("POST /-/reload: %d, %v", status, err)
		}
		s.write(t, floor(0.4))
	})
	t.Run("SIGHUP afterwards", func(t *testing.T) {
		s.write(t, floor(0.9))
		s.signal(t, syscall.SIGHUP)
		eventually(t, "the new policy", func() bool { return !s.passes(t) })
		if _, _, last := s.reloads(t); last != 1 {
			t.Error("the metric says that the reload failed")
		}
	})
}

// A reload under load refuses no request, whether the model is named or matched
// by a glob, and each request is judged by one policy.
func TestReloadUnderLoad(t *testing.T) {
	for _, name := range []string{"probe", "prob*"} {
		t.Run(name, func(t *testing.T) {
			server := newModelServer(t)
			named := func(i int) string {
				return strings.Replace(probeConfig("", fmt.Sprintf("{name: floor, output: SCORES, min_confidence: 0.%d}", 1+i%8)), "name: probe", "name: "+`"`+name+`"`, 1)
			}
			s := private(t, stackOptions{upstream: server.addr(), config: named(0)}).ready(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var passed atomic.Int64
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for ctx.Err() == nil {
						r, err := s.send(client, http.MethodPost, probeInfer, strings.NewReader(good))
						if err != nil || r.status != http.StatusOK {
							t.Errorf("%v, %v", r, err)
							return
						}
						passed.Add(1)
					}
				})
			}
			for i := 1; i <= 12 && !t.Failed(); i++ {
				if err := s.weir.WriteConfig(s.opts.upstream, named(i)); err != nil {
					t.Fatal(err)
				}
				if status, err := s.weir.Reload(t.Context()); err != nil || status != http.StatusOK {
					t.Errorf("reload %d: %d, %v", i, status, err)
				}
				n := passed.Load()
				eventually(t, "requests after the reload", func() bool { return passed.Load() > n+8 || t.Failed() })
			}
			cancel()
			group.Wait()
		})
	}
}

// The detectors of a model whose drift settings did not change go on.
func TestReloadKeepsDriftState(t *testing.T) {
	server := newModelServer(t)
	dir := tempDir(t)
	s := private(t, stackOptions{upstream: server.addr(), config: floor(0.4)}).ready(t)
	samples := dir + "/samples.jsonl"
	var lines strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&lines, `{"time":%d,"confidence":0.9,"class":"0","entropy":0.35}`+"\n", i)
	}
	if err := os.WriteFile(samples, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := s.weir.Command(t.Context(), "baseline", "build", "--from", samples, "--out", dir+"/baseline.json"); err != nil {
		t.Fatalf("%s, %v", out, err)
	}
	watched := func(confidence float64) string {
		return floor(confidence) + "    drift: {baseline: " + dir + "/baseline.json, block: 1s, min_block_requests: 10}\n"
	}
	s.use(t, watched(0.4))
	for range 30 {
		s.post(t, probeInfer, good)
	}
	seen := func() int64 {
		response, err := http.Get("http://" + s.weir.Control + "/-/drift")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var models []monitor.Status
		if err := json.NewDecoder(response.Body).Decode(&models); err != nil || len(models) != 1 || models[0].WithoutBaseline {
			t.Fatalf("%+v, %v", models, err)
		}
		return models[0].Observed
	}
	eventually(t, "thirty samples", func() bool { return seen() == 30 })
	s.use(t, watched(0.3))
	if n := seen(); n != 30 {
		t.Errorf("after a reload of something else the detector has seen %v samples, want 30", n)
	}
	s.post(t, probeInfer, good)
	eventually(t, "the next sample", func() bool { return seen() == 31 })
}
