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

// accepted reports whether this Envoy starts with the modes of a setup. It asks for
// the trailers of a streamed body, but not where a route does without them.
func (s setup) accepted() bool {
	m := s.mode
	if (m.request == "GRPC" || m.response == "GRPC") && !since("1.37") {
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
		everyMode("trailers SKIP", func(p *processing) { p.requestTrailers, p.responseTrailers = skip, skip }),
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
	found := p.diagnose(t)
	for _, one := range probes {
		client, upstream := one.want()
		one.expect(t, client, upstream)
		clean := !slices.ContainsFunc(found[one.setup.name], func(f doctor.Finding) bool { return f.Severity == doctor.Error })
		if clean != (one.setup.name == shipped().name) {
			t.Errorf("weir doctor finds in %s: %v", one.setup.name, found[one.setup.name])
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

// Envoy's own rules about modes, which differ among versions.
func TestModesThatEnvoyRejects(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: modelsOf(sharedConfig(""))})
	shipped, err := os.ReadFile(filepath.Join(s.opts.dir, "envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	buffered := processing{request: "BUFFERED", response: "BUFFERED"}
	for name, change := range map[string]func(*processing){
		"as shipped":                             func(*processing) {},
		"request GRPC":                           func(p *processing) { p.request = "GRPC" },
		"response GRPC":                          func(p *processing) { p.response = "GRPC" },
		"request duplex, trailers SKIP":          func(p *processing) { p.request, p.requestTrailers = duplex, skip },
		"response duplex, trailers SKIP":         func(p *processing) { p.response, p.responseTrailers = duplex, skip },
		"response duplex, request trailers SKIP": func(p *processing) { p.response, p.requestTrailers = duplex, skip },
	} {
		for level, mode := range map[string]func(processing, string) setup{"filter": filterMode, "route": routeMode} {
			t.Run(name+", "+level, func(t *testing.T) {
				p := buffered
				change(&p)
				s := mode(p, "probe")
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
}
