//go:build e2e

package e2e

import (
	"slices"
	"testing"
)

// blindSpot is a setup that Weir cannot see from where it is, and what both sides
// get then. `weir doctor` finds them in the configuration.
type blindSpot struct {
	setup
	flow             flow
	client, upstream string
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
		{absent, unary(), gotWhole, gotWhole},
		{setup{name: "disabled by the route", route: object{"disabled": true}}, unary(), gotWhole, gotWhole},
		{observed, unary(), gotWhole, gotWhole},
		{filter("a header not shown", object{"forward_rules": object{"disallowed_headers": hidden}}), unary(), gotWeirs, gotHead},
		{filter("mutations ignored", object{"mutation_rules": object{"disallow_all": true, "disallow_is_error": false}}), unary(), gotNothing, gotHead},
		// These are safe: what Weir misses makes it fail.
		{filter("mutations refused", object{"mutation_rules": object{"disallow_all": true}}), unary(), gotNothing, gotNothing},
		{filter("no immediate response", object{"disable_immediate_response": true}), denied(), gotNothing, gotNothing},
		{filter("no attributes", object{"request_attributes": []any{}, "response_attributes": []any{}}), unary(), gotWeirs, gotWeirs},
		{filter("no wait for the head", object{"send_body_without_waiting_for_header_response": true,
			"processing_mode": processing{request: "STREAMED", response: "BUFFERED"}.object()}), unary(), gotRefusal, gotNothing},
	}
}

func TestProberBlindSpots(t *testing.T) {
	spots := blindSpots()
	var setups []setup
	for _, s := range spots {
		setups = append(setups, s.setup)
	}
	p := newProber(t, setups, "")
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
		})
	}
}
