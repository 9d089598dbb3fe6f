//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"weir/deploy/envoy/doctor"
)

// The prober stands between real clients and a model server that keeps all it gets,
// and goes through the ways to set up ext_proc. It has to hold, on every version of
// Envoy and for every flow, that an exchange is right or fails: what reaches the model
// server is what Weir wrote, what reaches the client is an answer that Weir made.
//
// Weir sees the body modes, which Envoy tells in the first message, those of the route
// if it has some. It does not see that Envoy hides a head or trailers from it, does
// not wait for it, or does not ask it. These exceptions are listed in want, wantUnseen
// and blindSpots, and for each of them `weir doctor` finds an error.
//
// The versions differ in this, which the tests hold:
//
//	                                              1.36   1.37   1.38   1.39   1.40
//	errors of Envoy's own are shown to Weir       no     yes    yes    yes    yes
//	body mode GRPC                                error  NONE   NONE   NONE   NONE
//	allow_content_length_header                   error  error  yes    yes    yes
//	FULL_DUPLEX_STREAMED without trailers         error on the filter, not on a route
//	failure_mode_allow without Weir               all passes; what has a body may fail in
//	                                              FULL_DUPLEX_STREAMED
//
// So an error of Envoy's own reaches a client of 1.36 in Envoy's words, and the body
// mode GRPC, which later versions take, shows nothing of a body and lets it pass.

// accepted reports whether this Envoy starts with the modes of a setup. It asks for
// the trailers of a streamed body, but not where a route does without them.
func (s setup) accepted() bool {
	m := s.mode
	if s.since != "" && !since(s.since) || (m.request == "GRPC" || m.response == "GRPC") && !since("1.37") {
		return false
	}
	return s.filter == nil || (m.request != duplex || m.requestTrailers == "") && (m.response != duplex || m.responseTrailers == "")
}

// unseen are the body modes in which Envoy shows nothing of a body.
func unseen(mode string) bool { return mode == "NONE" || mode == "GRPC" }

// want is what both sides get. Weir refuses by the body modes, which the first
// message of a request tells. What it cannot see is that Envoy does not show it
// the head of a request or of an answer.
func (p *probe) want() (client, upstream string) {
	m, f := p.setup.mode, p.flow
	switch {
	case f.malformed:
		return gotNothing, gotNothing
	case m.requestHeaders == skip:
		return p.wantUnseen()
	case m == shipped().mode && !f.refused:
		return gotWeirs, gotWeirs
	case f.refused, f.body && (m.request != f.request || m.response != f.response):
		return gotRefusal, gotNothing
	case m.responseHeaders == skip && !unseen(m.response):
		return gotHead, gotWeirs
	case m.responseTrailers == skip && f.trailers:
		return gotHead, gotWeirs
	}
	return gotWeirs, gotWeirs
}

// wantUnseen is what both sides get if Weir does not see the head of a request.
func (p *probe) wantUnseen() (client, upstream string) {
	m := p.setup.mode
	switch {
	case p.flow.body && !unseen(m.request): // Weir fails at a body without a head
		return gotNothing, gotHead
	case p.flow.body:
		upstream = gotWhole
	default:
		upstream = gotHead
	}
	switch {
	case m.responseHeaders != skip:
		return gotRefusal, upstream
	case !unseen(m.response):
		return gotHead, upstream
	case !p.flow.body: // whose answer passes as it is
		return gotWeirs, upstream
	}
	return gotWhole, upstream
}

// TestProber holds one law over all ways to set up the body modes of ext_proc: an
// exchange is right, or it is refused.
func TestProber(t *testing.T) {
	setups := everyMode("", nil)
	variants := slices.Concat(
		everyMode("request trailers SKIP", func(p *processing) { p.requestTrailers = skip }),
		everyMode("response trailers SKIP", func(p *processing) { p.responseTrailers = skip }),
		everyMode("request headers SKIP", func(p *processing) { p.requestHeaders = skip }),
		everyMode("response headers SKIP", func(p *processing) { p.responseHeaders = skip }),
		everyMode("headers SKIP", func(p *processing) { p.requestHeaders, p.responseHeaders = skip, skip }),
		with(everyMode("failure_mode_allow", nil), object{"failure_mode_allow": true}, object{"failure_mode_allow": true}),
		with(filtersOnly(everyMode("allow_mode_override", nil)), object{"allow_mode_override": true}, nil),
	)
	p := newProber(t, slices.Concat(setups, variants), "")
	var probes []*probe
	for _, f := range flows() {
		for _, s := range append([]setup{shipped()}, setups...) {
			for _, w := range f.wires {
				probes = append(probes, &probe{setup: s, flow: f, wire: w})
			}
		}
		if f.likeAnother {
			continue
		}
		for i, s := range variants {
			probes = append(probes, &probe{setup: s, flow: f, wire: f.wires[i%len(f.wires)]})
		}
	}
	p.run(t, probes)
	for _, one := range probes {
		client, upstream := one.want()
		one.expect(t, client, upstream)
	}
	if since("1.40") { // the doctor says the same of all versions
		for name, found := range p.diagnose(t) {
			safe := !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Severity == doctor.Error })
			if safe != (name == shipped().name) {
				t.Errorf("weir doctor finds in %s: %v", name, found)
			}
		}
	}
}

// expect holds what both sides got. A head that Envoy has sent before an exchange
// fails may have arrived, or not.
func (p *probe) expect(t *testing.T, client, upstream string) {
	t.Helper()
	early := client == gotNothing && upstream == gotHead && p.upstream() == gotNothing
	if p.client() != client || p.upstream() != upstream && !early {
		t.Errorf("%v: the client got %s, the model server %s; want %s, %s\n%v %v", p, p.client(), p.upstream(), client, upstream, p.reply, p.err)
	}
}

func newProber(t *testing.T, setups []setup, limits string) *prober {
	t.Helper()
	server, options := newProbeServer(t, limits)
	options.edit = listeners(t, setups)
	return &prober{stack: private(t, options).ready(t), server: server, setups: append([]setup{shipped()}, setups...)}
}

// What Envoy's own rules take and reject, which differs among versions.
func TestSetupsThatEnvoyRejects(t *testing.T) {
	p := newProber(t, nil, "")
	shipped, err := os.ReadFile(filepath.Join(p.opts.dir, "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	mode := func(name string, change func(*processing)) (all []setup) {
		p := processing{request: "BUFFERED", response: "BUFFERED"}
		change(&p)
		return []setup{filterMode(p, name+" on the filter"), routeMode(p, name+" on a route")}
	}
	for _, s := range slices.Concat(
		[]setup{{name: "nothing changed"}, {name: "content-length kept in streams", since: "1.38", filter: object{"allow_content_length_header": true}}},
		mode("request GRPC", func(p *processing) { p.request = "GRPC" }),
		mode("response GRPC", func(p *processing) { p.response = "GRPC" }),
		mode("request duplex without trailers", func(p *processing) { p.request, p.requestTrailers = duplex, skip }),
		mode("response duplex without trailers", func(p *processing) { p.response, p.responseTrailers = duplex, skip }),
		mode("duplex without the other's trailers", func(p *processing) { p.response, p.requestTrailers = duplex, skip }),
	) {
		t.Run(s.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "envoy.yaml")
			if err := os.WriteFile(path, []byte(listeners(t, []setup{s})(string(shipped))), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), deps.Envoy, "--mode", "validate", "--config-path", path).CombinedOutput()
			if accepted := err == nil; accepted != s.accepted() {
				t.Errorf("accepted %t: %s", accepted, out)
			}
		})
	}
}
