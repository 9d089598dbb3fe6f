package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// The types of extensions that are judged.
const (
	managerType  = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	httpFamily   = "envoy.extensions.filters.http."
	extProcType  = httpFamily + "ext_proc.v3.ExternalProcessor"
	routerType   = httpFamily + "router.v3.Router"
	matcherType  = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
	matcherRoute = "envoy.extensions.common.matching.v3.ExtensionWithMatcherPerRoute"
	configType   = "envoy.config.route.v3.FilterConfig"
)

// manager is one HTTP connection manager, with its filters and routes.
type manager struct {
	*node
	listener *node
	filters  []*filter
	weir     *filter // the filter that asks Weir; nil: none does
	at       int     // the index of weir
	hidden   bool    // a filter is not there to be judged
	routes   []*route
}

// filter is an entry of http_filters.
type filter struct {
	*node
	name   string
	types  []string // its message type, then those of the filters that it wraps
	config *node    // of ext_proc, if it is one or wraps one
	nested bool     // config is of a filter that it wraps
}

// readManagers finds the connection managers of all listeners.
func (j *judge) readManagers() {
	for _, l := range j.listeners {
		chains := l.get("filter_chains").list()
		if standard := l.get("default_filter_chain"); standard != nil {
			chains = append(slices.Clone(chains), standard)
		}
		for _, chain := range chains {
			for _, f := range chain.get("filters").list() {
				j.networkFilter(l, f)
			}
		}
		if message, config := l.get("api_listener", "api_listener").typed(); message == managerType {
			j.manager(l, config)
		}
	}
}

// networkFilter reads one filter of a connection.
func (j *judge) networkFilter(listener, n *node) {
	message, config := j.resolve(n)
	switch {
	case message == managerType:
		j.manager(listener, config)
	case message == "":
		j.hideFilter(n, "the filter "+n.get("name").string()+" comes from a management server")
	default:
		j.tunnels = append(j.tunnels, config)
	}
}

// tunnel judges a filter that is not of HTTP: it must not lead to the model server.
func (j *judge) tunnel(config *node) {
	config.walk(func(n *node) bool {
		names := n.step == ".cluster" || n.step == ".cluster_name" || n.step == ".clusterName" || n.step == ".name"
		if c := j.clusters[n.text]; names && n.kind == scalar && c != nil && (c.model || c.open) {
			j.find(n, unguardedRoute, "bytes go to cluster %s as they come", c.name)
		}
		return true
	})
}

// resolve returns the configuration of a filter, also of one that is discovered.
func (j *judge) resolve(n *node) (message string, config *node) {
	if discovery := n.get("config_discovery"); discovery != nil {
		if found := j.snapshot.filters[n.get("name").string()]; found != nil {
			return found.get("typed_config").typed()
		}
		return "", nil
	}
	return n.get("typed_config").typed()
}

func (j *judge) manager(listener, config *node) {
	m := &manager{node: config, listener: listener}
	for _, n := range config.get("http_filters").list() {
		f := j.filter(n)
		m.filters = append(m.filters, f)
		m.hidden = m.hidden || len(f.types) == 0
	}
	j.readTables(m)
	j.managers = append(j.managers, m)
}

// filter reads an entry of http_filters.
func (j *judge) filter(n *node) *filter {
	f := &filter{node: n, name: n.get("name").string()}
	message, config := j.resolve(n)
	if message == "" {
		j.hideFilter(n, "the filter "+f.name+" comes from a management server")
		return f
	}
	if message == matcherType {
		message, _ = config.get("extension_config", "typed_config").typed()
		f.nested = true
	}
	f.types = []string{message}
	config.walk(func(at *node) bool {
		inner, innerConfig := at.typed()
		if strings.HasPrefix(inner, httpFamily) && inner != message && !strings.HasSuffix(inner, "PerRoute") {
			f.types = append(f.types, inner)
		}
		if inner == extProcType && f.config == nil {
			f.config = innerConfig
			f.nested = f.nested || at != config
		}
		return true
	})
	if message == extProcType && f.config == nil { // in a TypedStruct
		f.config = config
	}
	return f
}

// findWeir tells the filters that ask Weir from other ext_proc filters: they lead to
// the socket of the configuration. In a chain to the model server without such a
// filter, the last ext_proc filter stands for it.
func (j *judge) findWeir() {
	found := j.partial
	for _, m := range j.managers {
		for i, f := range m.filters {
			switch {
			case f.config == nil, m.weir != nil && j.leadsToWeir(m.weir.config.get("grpc_service")):
			case j.leadsToWeir(f.config.get("grpc_service")), !j.known, slices.ContainsFunc(m.routes, (*route).infers):
				m.weir, m.at = f, i
			}
		}
		found = found || m.weir != nil
	}
	if !found {
		j.report.find(noExtProc, j.file, 0, "", "of "+strconv.Itoa(len(j.managers))+" connection managers none has one")
	}
}

// leadsToWeir reports whether a GrpcService is the socket of the configuration.
func (j *judge) leadsToWeir(service *node) bool {
	if target := service.get("google_grpc", "target_uri").string(); target != "" {
		path := strings.TrimPrefix(strings.TrimPrefix(target, "unix:"), "//")
		return "unix://"+path == j.expect.Socket
	}
	c := j.clusters[service.get("envoy_grpc", "cluster_name").string()]
	return c != nil && c.weir
}

// unguarded judges a manager that does not ask Weir.
func (j *judge) unguarded(m *manager) {
	for _, r := range m.routes {
		switch c := r.cluster; {
		case r.infers():
			j.find(r.node, unguardedRoute, "it leads to cluster %s", c.name)
		case c != nil && c.open:
			j.find(r.node, openProxy, "it leads to cluster %s", c.name)
		}
		if at := r.action.get("cluster_header"); at != nil {
			j.find(at, clusterFromHeader, "it is %s", at.text)
		}
	}
}

// guarded judges a manager that asks Weir.
func (j *judge) guarded(m *manager) {
	j.order(m)
	j.extProc(m.weir)
	j.connections(m)
	for _, r := range m.routes {
		j.route(m, r)
	}
	j.flows(m)
}
