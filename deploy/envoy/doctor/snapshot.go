package doctor

import (
	"errors"
	"slices"
	"strings"
)

// snapshot is what Envoy is made of, from a bootstrap or from a dump of a running
// one.
type snapshot struct {
	bootstrap *node // nil in a dump without one
	listeners []*node
	clusters  []*node
	tables    map[string]*node // RouteConfiguration of RDS, by name
	filters   map[string]*node // TypedExtensionConfig of ECDS, by name
	endpoints map[string]*node // ClusterLoadAssignment of EDS, by name
	unseen    []part
	partial   bool // what asks Weir may be among what is unseen
}

// part is a part of a configuration that is not there to be judged.
type part struct {
	at   *node
	what string
}

// newSnapshot reads the root of a bootstrap or dump.
func newSnapshot(root *node) (*snapshot, error) {
	s := &snapshot{tables: map[string]*node{}, filters: map[string]*node{}, endpoints: map[string]*node{}}
	switch {
	case root.get("configs") != nil:
		for _, config := range root.get("configs").list() {
			s.dump(config)
		}
		if len(s.listeners) == 0 && s.bootstrap != nil {
			s.static()
		}
		if s.bootstrap == nil && len(s.listeners) == 0 {
			return nil, errors.New("the dump holds neither a bootstrap nor listeners")
		}
	case root.get("static_resources") != nil || root.get("dynamic_resources") != nil || root.get("admin") != nil:
		s.bootstrap = root
		s.static()
		s.dynamic()
	default:
		return nil, errors.New("it is neither a bootstrap of Envoy nor an answer of /config_dump")
	}
	return s, nil
}

// static takes the listeners and clusters of the bootstrap.
func (s *snapshot) static() {
	resources := s.bootstrap.get("static_resources")
	s.listeners = append(s.listeners, resources.get("listeners").list()...)
	s.clusters = append(s.clusters, resources.get("clusters").list()...)
}

// dynamic notes what a bootstrap leaves to a management server.
func (s *snapshot) dynamic() {
	resources := s.bootstrap.get("dynamic_resources")
	for _, kind := range []string{"lds", "cds"} {
		if at := resources.get(kind + "_config"); at != nil {
			s.hideFilter(at, kind+" is not in the file: judge the running Envoy by its /config_dump")
		}
	}
}

// hide notes a part that is not there to be judged.
func (s *snapshot) hide(at *node, what string) {
	if p := (part{at, what}); !slices.Contains(s.unseen, p) {
		s.unseen = append(s.unseen, p)
	}
}

// hideFilter notes a part that may hold the filter that asks Weir.
func (s *snapshot) hideFilter(at *node, what string) {
	s.hide(at, what)
	s.partial = true
}

// dump takes one section of a dump (envoy/admin/v3/config_dump_shared.proto).
func (s *snapshot) dump(config *node) {
	message, config := config.typed()
	switch strings.TrimPrefix(message, "envoy.admin.v3.") {
	case "BootstrapConfigDump":
		s.bootstrap = config.get("bootstrap")
	case "ListenersConfigDump":
		s.listeners = append(s.listeners, resources(config, "listener", "static_listeners")...)
		for _, dynamic := range config.get("dynamic_listeners").list() {
			for _, state := range []string{"active_state", "warming_state"} {
				if l := dynamic.get(state, "listener"); l != nil {
					s.listeners = append(s.listeners, l)
				}
			}
		}
	case "ClustersConfigDump":
		s.clusters = append(s.clusters, resources(config, "cluster", "static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters")...)
	case "RoutesConfigDump":
		add(s.tables, "name", resources(config, "route_config", "dynamic_route_configs"))
	case "ScopedRoutesConfigDump":
		for _, scope := range config.get("inline_scoped_route_configs").list() {
			add(s.tables, "name", resources(scope, "route_configuration", "scoped_route_configs"))
		}
	case "EndpointsConfigDump":
		add(s.endpoints, "cluster_name", resources(config, "endpoint_config", "static_endpoint_configs", "dynamic_endpoint_configs"))
	case "EcdsConfigDump":
		add(s.filters, "name", resources(config, "ecds_filter", "ecds_filters"))
	}
}

// resources returns what lists of a dump hold under a name.
func resources(config *node, name string, lists ...string) (all []*node) {
	for _, l := range lists {
		for _, item := range config.get(l).list() {
			if resource := item.get(name); resource != nil {
				all = append(all, resource)
			}
		}
	}
	return all
}

func add(to map[string]*node, key string, all []*node) {
	for _, n := range all {
		to[n.get(key).string()] = n
	}
}
