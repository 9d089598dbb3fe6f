//go:build e2e

package e2e

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"weir/deploy/envoy/doctor"
)

// blindSpot is a setup that Weir cannot see from where it is, what both sides get
// then, and the rule by which `weir doctor` finds it in the configuration.
type blindSpot struct {
	setup
	flow             flow
	client, upstream string
	rule             string
}

func blindSpots() []blindSpot {
	observed := filterMode(processing{request: "STREAMED", response: "STREAMED"}, "observability")
	merge(observed.filter, object{"observability_mode": true})
	absent := setup{name: "no filter", edit: func(manager object) {
		manager["http_filters"] = slices.DeleteFunc(manager["http_filters"].([]any), func(f any) bool { return f.(object)["name"] == extProcName })
	}}
	filter := func(name string, change object) setup { return setup{name: name, filter: change} }
	hidden := object{"patterns": []any{object{"exact": "x-canary"}}}
	return []blindSpot{
		{absent, unary(), gotWhole, gotWhole, "unguarded_route"},
		{setup{name: "disabled by the route", route: object{"disabled": true}}, unary(), gotWhole, gotWhole, "filter_disabled"},
		{observed, unary(), gotWhole, gotWhole, "observability_mode"},
		{filter("a header not shown", object{"forward_rules": object{"disallowed_headers": hidden}}), unary(), gotWeirs, gotHead, "headers_hidden"},
		{filter("mutations ignored", object{"mutation_rules": object{"disallow_all": true, "disallow_is_error": false}}), unary(), gotNothing, gotHead, "mutation_forbidden"},
		// These are safe while Weir is there, or fail.
		{filter("failure_mode_allow", object{"failure_mode_allow": true}), unary(), gotWeirs, gotWeirs, "fail_open"},
		{filter("mutations refused", object{"mutation_rules": object{"disallow_all": true}}), unary(), gotNothing, gotNothing, "mutation_forbidden"},
		{filter("no immediate response", object{"disable_immediate_response": true}), denied(), gotNothing, gotNothing, "immediate_response_disabled"},
		{filter("no attributes", object{"request_attributes": []any{}, "response_attributes": []any{}}), unary(), gotWeirs, gotWeirs, "code_details_missing"},
		{filter("no wait for the head", object{"send_body_without_waiting_for_header_response": true,
			"processing_mode": processing{request: "STREAMED", response: "BUFFERED"}.object()}), unary(), gotRefusal, gotNothing, "body_streamed"},
	}
}

func TestProberBlindSpots(t *testing.T) {
	spots := blindSpots()
	var setups []setup
	for _, s := range spots {
		setups = append(setups, s.setup)
	}
	p := newProber(t, setups, "")
	found := p.diagnose(t)
	for _, s := range spots {
		t.Run(s.name, func(t *testing.T) {
			var probes []*probe
			for _, w := range s.flow.wires {
				probes = append(probes, &probe{setup: s.setup, flow: s.flow, wire: w})
			}
			p.run(t, probes)
			for _, one := range probes {
				one.expect(t, s.client, s.upstream)
			}
			if !slices.ContainsFunc(found[s.name], func(f doctor.Finding) bool { return f.ID == s.rule }) {
				t.Errorf("weir doctor finds no %s, only %v", s.rule, found[s.name])
			}
		})
	}
}

// diagnose returns what `weir doctor` finds wrong with each setup.
func (p *prober) diagnose(t *testing.T) map[string][]doctor.Finding {
	t.Helper()
	out, failed := p.weir.Command(t.Context(), "doctor", "--config", p.weir.Config, "--output", "json",
		"--envoy", filepath.Join(p.opts.dir, "envoy.yaml"))
	var report doctor.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(failed, err)
	}
	found := map[string][]doctor.Finding{}
	for _, s := range p.setups {
		found[s.name] = nil
	}
	place := regexp.MustCompile(`^static_resources\.listeners\[(\d+)\]`)
	for _, f := range report.Findings {
		if m := place.FindStringSubmatch(f.Path); m != nil {
			i, _ := strconv.Atoi(m[1])
			found[p.setups[i].name] = append(found[p.setups[i].name], f)
		}
	}
	return found
}
