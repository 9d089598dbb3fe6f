//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a message of Envoy's configuration.
type object = map[string]any

// setup is one way to set up ext_proc, on a listener of its own that is otherwise
// as it is shipped.
type setup struct {
	name   string
	mode   processing   // which is in filter or route; zero: as shipped
	filter object       // over the configuration of the filter, which no route overrides then
	route  object       // ExtProcPerRoute of every route, beside the shipped filter
	edit   func(object) // of the connection manager
	since  string       // the version of Envoy that knows it; "": all
}

// shipped is the listener of the bootstrap, whose modes are those of each path.
func shipped() setup { return setup{name: "inference"} }

// processing is a ProcessingMode (processing_mode.proto).
type processing struct {
	request, response                 string // body modes
	requestHeaders, responseHeaders   string // "" is SEND
	requestTrailers, responseTrailers string // "" is SEND
}

const (
	skip   = "SKIP"
	duplex = "FULL_DUPLEX_STREAMED"
)

// bodyModes are the values of ProcessingMode.BodySendMode.
func bodyModes() []string {
	return []string{"NONE", "STREAMED", "BUFFERED", "BUFFERED_PARTIAL", duplex, "GRPC"}
}

func (p processing) object() object {
	return object{
		"request_header_mode": cmp.Or(p.requestHeaders, "SEND"), "response_header_mode": cmp.Or(p.responseHeaders, "SEND"),
		"request_body_mode": p.request, "response_body_mode": p.response,
		"request_trailer_mode": cmp.Or(p.requestTrailers, "SEND"), "response_trailer_mode": cmp.Or(p.responseTrailers, "SEND"),
	}
}

// filterMode and routeMode are the setups with a mode on the filter and on routes.
func filterMode(p processing, name string) setup {
	return setup{name: name, mode: p, filter: object{"processing_mode": p.object()}}
}

func routeMode(p processing, name string) setup {
	return setup{name: name, mode: p, route: object{"overrides": object{"processing_mode": p.object()}}}
}

// everyMode are the setups of all pairs of body modes, on the filter and on routes;
// change may change the rest of the mode.
func everyMode(what string, change func(*processing)) (all []setup) {
	for _, request := range bodyModes() {
		for _, response := range bodyModes() {
			p := processing{request: request, response: response}
			if change != nil {
				change(&p)
			}
			name := fmt.Sprintf("%s %s %s", request, response, what)
			for _, s := range []setup{filterMode(p, "filter "+name), routeMode(p, "route "+name)} {
				if s.accepted() {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// with adds to what the filter and its overrides say.
func with(setups []setup, filter, override object) []setup {
	for _, s := range setups {
		if s.filter != nil {
			merge(s.filter, filter)
		} else {
			merge(s.route, object{"overrides": override})
		}
	}
	return setups
}

func filtersOnly(setups []setup) []setup {
	return slices.DeleteFunc(setups, func(s setup) bool { return s.filter == nil })
}

// listeners adds a listener for each setup to the shipped bootstrap.
func listeners(t *testing.T, setups []setup) func(string) string {
	return func(text string) string {
		var bootstrap object
		if err := yaml.Unmarshal([]byte(text), &bootstrap); err != nil {
			t.Fatal(err)
		}
		static := bootstrap["static_resources"].(object)
		all := static["listeners"].([]any)
		for _, s := range setups {
			listener := clone(all[0]).(object)
			listener["name"] = s.name
			s.apply(connectionManager(listener))
			all = append(all, listener)
		}
		static["listeners"] = all
		out, err := json.Marshal(bootstrap) // which is YAML, too
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
}

const extProcName = "envoy.filters.http.ext_proc"

func (s setup) apply(manager object) {
	merge(extProc(manager), s.filter)
	for _, r := range routes(manager) {
		overrides, ok := r["typed_per_filter_config"].(object)
		if !ok {
			overrides = object{}
		}
		switch {
		case s.filter != nil:
			delete(overrides, extProcName)
		case s.route != nil:
			overrides[extProcName] = merge(object{"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"}, s.route)
		}
		r["typed_per_filter_config"] = overrides
	}
	if s.edit != nil {
		s.edit(manager)
	}
}

func connectionManager(listener object) object {
	chain := listener["filter_chains"].([]any)[0].(object)
	return chain["filters"].([]any)[0].(object)["typed_config"].(object)
}

func extProc(manager object) object {
	filters := manager["http_filters"].([]any)
	i := slices.IndexFunc(filters, func(f any) bool { return f.(object)["name"] == extProcName })
	return filters[i].(object)["typed_config"].(object)
}

func routes(manager object) (all []object) {
	for _, host := range manager["route_config"].(object)["virtual_hosts"].([]any) {
		for _, r := range host.(object)["routes"].([]any) {
			all = append(all, r.(object))
		}
	}
	return all
}

// merge puts the values of from into to, deep, and returns to.
func merge(to, from object) object {
	for key, value := range from {
		old, isOld := to[key].(object)
		if inner, ok := value.(object); ok && isOld {
			merge(old, inner)
		} else {
			to[key] = clone(value)
		}
	}
	return to
}

func clone(value any) any {
	switch v := value.(type) {
	case object:
		return merge(object{}, v)
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = clone(v[i])
		}
		return all
	}
	return value
}
