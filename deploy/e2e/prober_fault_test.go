//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestProberWithoutWeir holds that no setup lets anything through while Weir hangs
// or is gone, but for failure_mode_allow, which lets through everything.
func TestProberWithoutWeir(t *testing.T) {
	allow := object{"failure_mode_allow": true}
	closed, open := everyMode("", nil), with(everyMode("failure_mode_allow", nil), allow, allow)
	p := newProber(t, slices.Concat(closed, open), hurried)
	for _, fault := range []struct {
		name string
		do   func()
	}{
		{"stopped", func() { p.signal(t, syscall.SIGSTOP) }},
		{"killed", func() { p.kill(t) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.do()
			fails, passes := probesOf(closed), probesOf(open)
			for _, f := range flows() {
				for _, w := range f.wires {
					fails = append(fails, &probe{setup: shipped(), flow: f, wire: w})
				}
			}
			began := time.Now()
			p.run(t, slices.Concat(fails, passes))
			if took := time.Since(began); took > bounded {
				t.Errorf("it took %v", took)
			}
			for _, one := range fails {
				one.expect(t, gotNothing, gotNothing)
			}
			for _, one := range passes {
				switch {
				case !one.flow.body:
					one.expect(t, gotWeirs, gotHead) // health passes as it is
				case one.setup.mode.request == duplex && one.client() == gotNothing:
					one.expect(t, gotNothing, gotNothing) // Envoy may have given the body away
				default:
					one.expect(t, gotWhole, gotWhole)
				}
			}
		})
	}
}

// probesOf sends something with and something without a body to each setup.
func probesOf(setups []setup) (all []*probe) {
	for i, s := range setups {
		for _, f := range []flow{unary(), health()} {
			all = append(all, &probe{setup: s, flow: f, wire: f.wires[i%len(f.wires)]})
		}
	}
	return all
}

// TestProberUpgrades holds that no connection becomes a tunnel past Weir where
// Envoy allows upgrades, and that none hangs.
func TestProberUpgrades(t *testing.T) {
	setups := everyMode("", nil)
	for i := range setups {
		setups[i].edit = func(manager object) { manager["upgrade_configs"] = []any{object{"upgrade_type": "websocket"}} }
	}
	p := newProber(t, setups, hurried)
	var probes []*probe
	for _, line := range []string{"GET /v2/health/live", "GET " + probeInfer, "POST " + probeInfer} {
		upgrade := flow{name: line, path: "none", forwarded: func(*probe, received) bool { return false },
			answered: func(*probe) bool { return false },
			send: func(p *probe, address string) {
				p.raw(address, line+" HTTP/1.1\r\nHost: canary\r\nTraceparent: "+p.traceparent()+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			}}
		for _, s := range setups {
			probes = append(probes, &probe{setup: s, flow: upgrade})
		}
	}
	p.run(t, probes)
	for _, one := range probes {
		one.expect(t, gotRefusal, gotNothing)
	}
}

// TestProberLocalReplies holds what becomes of answers that Envoy's router makes
// itself to a request that Weir has let go on.
func TestProberLocalReplies(t *testing.T) {
	setups := []setup{
		{name: "404", edit: func(manager object) {
			manager["route_config"].(object)["virtual_hosts"].([]any)[0].(object)["domains"] = []any{"nobody.example"}
		}},
		{name: "503", edit: func(manager object) {
			manager["route_config"].(object)["validate_clusters"] = false
			for _, r := range routes(manager) {
				r["route"].(object)["cluster"] = "nothing"
			}
		}},
		{name: "direct", edit: func(manager object) {
			for _, r := range routes(manager) {
				delete(r, "route")
				r["direct_response"] = object{"status": 403, "body": object{"inline_string": "no"}}
			}
		}},
	}
	p := newProber(t, setups, hurried)
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			var probes []*probe
			for _, f := range append(streams(), unary(), unaryRPC(), health()) {
				for _, w := range f.wires {
					probes = append(probes, &probe{setup: s, flow: f, wire: w})
				}
			}
			p.run(t, probes)
			for _, one := range probes {
				want := gotRefusal
				modes := s.name == "404" && one.flow.response == duplex // those of the filter, as no route has others
				if !modes && !since("1.37") {
					want = gotNothing // of Weir's, whom Envoy does not ask
				}
				one.expect(t, want, gotNothing)
			}
		})
	}
}

// TestProberEnds holds what becomes of bodies that end late or never.
func TestProberEnds(t *testing.T) {
	p := newProber(t, nil, hurried)
	inFlight := func() float64 { return p.metric(t, "weir_in_flight_bytes") }
	for _, h2c := range []bool{false, true} {
		post := func(ctx context.Context, body io.Reader) (reply, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+probeInfer, body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := newClient(h2c).Do(request)
			if err != nil {
				return reply{}, err
			}
			defer response.Body.Close()
			content, err := io.ReadAll(response.Body)
			return reply{response.StatusCode, response.Header, content}, err
		}
		t.Run(fmt.Sprintf("late, h2 %t", h2c), func(t *testing.T) {
			r, w := io.Pipe()
			go func() {
				_, _ = io.WriteString(w, textRequest("", "a"))
				time.Sleep(300 * time.Millisecond)
				_ = w.Close()
			}()
			if got, err := post(t.Context(), r); err != nil || got.status != http.StatusOK {
				t.Errorf("%v %v", got, err)
			}
		})
		t.Run(fmt.Sprintf("never, h2 %t", h2c), func(t *testing.T) {
			p.server.unreached(t, p.stack, func() {
				r, w := io.Pipe()
				defer w.Close()
				go func() { _, _ = io.WriteString(w, textRequest("", "a")) }()
				got, err := post(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, got, http.StatusRequestTimeout, "body_timeout")
			})
		})
		t.Run(fmt.Sprintf("cancelled in the body, h2 %t", h2c), func(t *testing.T) {
			p.server.unreached(t, p.stack, func() {
				ctx, cancel := context.WithCancel(t.Context())
				r, w := io.Pipe()
				defer w.Close()
				go func() {
					_, _ = io.WriteString(w, textRequest("", "a"))
					eventually(t, "memory for the body", func() bool { return inFlight() > 0 })
					cancel()
					_ = w.CloseWithError(context.Canceled) // the transport of HTTP/1 waits for it
				}()
				if got, err := post(ctx, r); err == nil {
					t.Errorf("answered: %v", got)
				}
				eventually(t, "the memory back", func() bool { return inFlight() == 0 })
			})
		})
	}
}
