package doctor_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"weir/deploy/envoy/doctor"
)

type object = map[string]any

// dump is what /config_dump tells of an Envoy that has everything of the shipped
// bootstrap from a management server.
type dump struct {
	listener, manager, extProc, table object
	clusters                          []any
	endpoints                         []any
}

func newDump(t *testing.T) *dump {
	t.Helper()
	var root object
	if err := yaml.Unmarshal(bootstrap(t, expect()), &root); err != nil {
		t.Fatal(err)
	}
	static := root["static_resources"].(object)
	d := &dump{listener: static["listeners"].([]any)[0].(object), clusters: static["clusters"].([]any)}
	chain := d.listener["filter_chains"].([]any)[0].(object)
	d.manager = chain["filters"].([]any)[0].(object)["typed_config"].(object)
	d.table = d.manager["route_config"].(object)
	delete(d.manager, "route_config")
	d.manager["rds"] = object{"route_config_name": "inference"}
	filter := d.manager["http_filters"].([]any)[0].(object)
	d.extProc = filter["typed_config"].(object)
	delete(filter, "typed_config")
	filter["config_discovery"] = object{"type_urls": []any{d.extProc["@type"]}}
	for _, c := range d.clusters {
		cluster := c.(object)
		d.endpoints = append(d.endpoints, object{"endpoint_config": cluster["load_assignment"]})
		delete(cluster, "load_assignment")
		cluster["type"] = "EDS"
	}
	return d
}

func wrap(key string, all []any) (wrapped []any) {
	for _, one := range all {
		wrapped = append(wrapped, object{key: one})
	}
	return wrapped
}

// json leaves out the sections that are named.
func (d *dump) json(t *testing.T, without ...string) []byte {
	t.Helper()
	const prefix = "type.googleapis.com/envoy.admin.v3."
	var configs []any
	for name, section := range map[string]object{
		"BootstrapConfigDump": {"bootstrap": object{"admin": object{"address": object{"pipe": object{"path": "/run/admin"}}}, "dynamic_resources": object{"lds_config": object{"ads": object{}}}}},
		"ListenersConfigDump": {"dynamic_listeners": []any{object{"name": "inference", "active_state": object{"listener": d.listener}}}},
		"ClustersConfigDump":  {"dynamic_active_clusters": wrap("cluster", d.clusters)},
		"RoutesConfigDump":    {"dynamic_route_configs": []any{object{"route_config": d.table}}},
		"EndpointsConfigDump": {"dynamic_endpoint_configs": d.endpoints},
		"EcdsConfigDump":      {"ecds_filters": []any{object{"ecds_filter": object{"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "envoy.filters.http.ext_proc", "typed_config": d.extProc}}}},
	} {
		if slices.Contains(without, name) {
			continue
		}
		section["@type"] = prefix + name
		configs = append(configs, section)
	}
	data, err := json.Marshal(object{"configs": configs})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDumpOfAManagedEnvoy(t *testing.T) {
	if report := examine(t, newDump(t).json(t), expect()); len(report.Findings)+len(report.Unjudged) > 0 {
		t.Errorf("%+v", report)
	}
	for name, test := range map[string]struct {
		change func(*dump)
		rule   string
	}{
		"filter":  {func(d *dump) { d.extProc["failure_mode_allow"] = true }, "fail_open"},
		"route":   {func(d *dump) { d.table["request_mirror_policies"] = []any{object{"cluster": "otlp"}} }, "mirror"},
		"cluster": {func(d *dump) { delete(d.clusters[0].(object), "per_connection_buffer_limit_bytes") }, "cluster_buffer"},
		"manager": {func(d *dump) { d.manager["merge_slashes"] = true }, "path_changed"},
	} {
		d := newDump(t)
		test.change(d)
		if report := examine(t, d.json(t), expect()); !slices.Contains(rulesOf(report), test.rule) {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

// What is not in the dump is said, and is no reason to find more.
func TestPartsThatAreNotThere(t *testing.T) {
	for section, want := range map[string]string{
		"RoutesConfigDump":    "route table inference",
		"EcdsConfigDump":      "filter envoy.filters.http.ext_proc",
		"EndpointsConfigDump": "include_eds",
		"ClustersConfigDump":  "cluster model-server is not there",
	} {
		report := examine(t, newDump(t).json(t, section), expect())
		if !slices.ContainsFunc(report.Unjudged, func(u doctor.Unjudged) bool { return strings.Contains(u.What, want) }) {
			t.Errorf("without %s nothing says %q: %+v", section, want, report)
		}
		for _, f := range report.Findings {
			if f.ID == "no_ext_proc" || f.ID == "unguarded_route" {
				t.Errorf("without %s: %+v", section, f)
			}
		}
	}
}

func TestScopedRoutes(t *testing.T) {
	d := newDump(t)
	delete(d.manager, "rds")
	d.manager["scoped_routes"] = object{"scoped_route_configurations_list": object{"scoped_route_configurations": []any{
		object{"name": "a", "route_configuration_name": "inference"},
		object{"name": "b", "route_configuration": object{"virtual_hosts": []any{object{"domains": []any{"*"}, "routes": []any{
			object{"match": object{"prefix": "/"}, "route": object{"cluster": "model-server", "host_rewrite_literal": "h", "prefix_rewrite": "/a"}},
		}}}}},
	}}}
	report := examine(t, d.json(t), expect())
	if got := rulesOf(report); !slices.Equal(got, []string{"mode_mismatch", "path_rewrite"}) || len(report.Unjudged) > 0 {
		t.Errorf("%v: %+v", got, report)
	}
}

// Filters of types that nobody knows may do anything.
func TestUnknownFilters(t *testing.T) {
	for at, wantUnjudged := range []bool{true, true} {
		d := newDump(t)
		filters := d.manager["http_filters"].([]any)
		d.manager["http_filters"] = slices.Insert(slices.Clone(filters), at, any(object{"name": "own",
			"typed_config": object{"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": "example.com/own.Filter", "value": object{}}}))
		report := examine(t, d.json(t), expect())
		if len(report.Findings) > 0 || len(report.Unjudged) > 0 != wantUnjudged {
			t.Errorf("at %d: %+v", at, report)
		}
	}
}

// A filter in a TypedStruct is that filter.
func TestTypedStruct(t *testing.T) {
	d := newDump(t)
	inner := object{"failure_mode_allow": "yes"}
	for k, v := range d.extProc {
		if k != "@type" && k != "failure_mode_allow" {
			inner[k] = v
		}
	}
	d.extProc = object{"@type": "type.googleapis.com/xds.type.v3.TypedStruct",
		"type_url": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", "value": inner}
	if got := rulesOf(examine(t, d.json(t), expect())); !slices.Equal(got, []string{"fail_open", "fail_open_duplex"}) {
		t.Errorf("found %v", got)
	}
}

func TestUnreadable(t *testing.T) {
	for name, text := range map[string]string{
		"empty":             "",
		"a list":            "[]",
		"no YAML":           "a: [",
		"something else":    "apiVersion: v1\nkind: Pod\n",
		"two documents":     "admin: {}\n---\nadmin: {}\n",
		"a field twice":     "admin: {}\nstatic_resources: {listeners: [], listeners: []}\n",
		"both names":        `{"admin": {}, "static_resources": {}, "staticResources": {}}`,
		"a dump of nothing": `{"configs": []}`,
		"a bomb":            "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nadmin: [*g,*g,*g,*g]\n",
		"a loop":            "admin: &a [*a]\n",
	} {
		if report, err := doctor.Envoy([]byte(text), "envoy.yaml", expect()); err == nil {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

func TestPlaceInAFile(t *testing.T) {
	text := strings.Replace(string(bootstrap(t, expect())), "failure_mode_allow: false", "failure_mode_allow: on", 1)
	line := strings.Count(text[:strings.Index(text, "failure_mode_allow: on")], "\n") + 1
	report := examine(t, []byte(text), expect())
	i := slices.IndexFunc(report.Findings, func(f doctor.Finding) bool { return f.ID == "fail_open" })
	if i < 0 {
		t.Fatalf("%+v", report)
	}
	const path = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.failure_mode_allow"
	if f := report.Findings[i]; f.File != "envoy.yaml" || f.Line != line || f.Path != path || f.What != "failure_mode_allow is on" {
		t.Errorf("%+v", f)
	}
}

func FuzzEnvoy(f *testing.F) {
	f.Add([]byte("admin: {address: {socket_address: {address: 0.0.0.0}}}"))
	f.Add([]byte(`{"configs": [{"@type": "a/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {}}]}`))
	f.Add([]byte("static_resources: {listeners: [{filter_chains: [{filters: [{typed_config: {\"@type\": x/" +
		"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, http_filters: [{typed_config: " +
		"{\"@type\": x/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor}}], route_config: {virtual_hosts: " +
		"[{routes: [{match: {safe_regex: {regex: .*}}, route: {cluster: a}}]}]}}}]}]}], clusters: [{name: a, type: 2}]}"))
	f.Add(bootstrap(f, expect()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if report, err := doctor.Envoy(data, "envoy.yaml", expect()); err == nil && report == nil {
			t.Error("neither a report nor an error")
		}
	})
}
