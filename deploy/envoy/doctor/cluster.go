package doctor

import (
	"cmp"
	"slices"
	"strings"
)

// defaultBuffer is Envoy's buffer limit of a listener or cluster that sets none.
const defaultBuffer = 1 << 20

// cluster is where routes lead to.
type cluster struct {
	*node
	name      string
	addresses []*node  // core.v3.Address
	members   []string // clusters that an aggregate leads to
	open      bool     // the request chooses the address
	weir      bool     // Weir itself
	model     bool     // an endpoint of the model server
	http2     bool
}

func (j *judge) readClusters() {
	j.clusters = map[string]*cluster{}
	for _, n := range j.snapshot.clusters {
		c := &cluster{node: n, name: n.get("name").string()}
		kind := n.get("type").enum("STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST")
		c.open = kind == "ORIGINAL_DST" || strings.Contains(n.get("cluster_type", "name").string(), "dynamic_forward_proxy")
		for _, member := range n.get("cluster_type", "typed_config", "clusters").list() {
			c.members = append(c.members, member.text+member.get("name").string())
		}
		j.readEndpoints(c, kind == "EDS")
		c.http2 = c.options().get("explicit_http_config", "http2_protocol_options") != nil || n.get("http2_protocol_options") != nil
		weir := address{inside: strings.TrimPrefix(j.expect.Socket, "unix://")}
		c.weir = len(c.addresses) > 0 && !slices.ContainsFunc(c.addresses, func(a *node) bool { return addressOf(a) != weir })
		j.clusters[c.name] = c
	}
}

// readEndpoints reads where a cluster leads to.
func (j *judge) readEndpoints(c *cluster, discovered bool) {
	assignment := c.get("load_assignment")
	if discovered {
		name := cmp.Or(c.get("eds_cluster_config", "service_name").string(), c.name)
		if assignment = j.endpoints[name]; assignment == nil {
			j.hide(c.node, "the endpoints of cluster "+c.name+" are not there: ask for /config_dump?include_eds")
		}
	}
	for _, locality := range assignment.get("endpoints").list() {
		if at := locality.get("leds_cluster_locality_config"); at != nil {
			j.hide(at, "endpoints of cluster "+c.name+" come from a management server")
		}
		for _, e := range locality.get("lb_endpoints").list() {
			if a := e.get("endpoint", "address"); a != nil {
				c.addresses = append(c.addresses, a)
			}
		}
	}
}

// options returns the HTTP options of a cluster.
func (c *cluster) options() *node {
	_, options := c.get("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions").typed()
	return options
}

func (c *cluster) leadsTo(want address) bool {
	return slices.ContainsFunc(c.addresses, func(a *node) bool { return addressOf(a).is(want) })
}

// findModelServer finds the clusters that lead to the endpoints of the configuration.
func (j *judge) findModelServer() {
	servers, _ := j.expect.ModelServers() // the configuration has checked them
	for _, s := range servers {
		for _, c := range j.clusters {
			if c.leadsTo(address{host: s.Host, port: int64(s.Port)}) {
				c.model, j.known = true, true
			}
		}
	}
	for _, c := range j.clusters {
		c.model = j.leadsToModel(c, maxAggregates)
	}
}

// maxAggregates is how deep aggregates are followed, which may lead to each other.
const maxAggregates = 8

// leadsToModel reports whether a cluster, or one of its members, is the model server.
func (j *judge) leadsToModel(c *cluster, depth int) bool {
	return c != nil && (c.model || depth > 0 && slices.ContainsFunc(c.members, func(name string) bool {
		return j.leadsToModel(j.clusters[name], depth-1)
	}))
}

// guessModelServer takes all clusters for the model server that routes behind Weir
// lead to, if none is known.
func (j *judge) guessModelServer() {
	for _, m := range j.managers {
		if j.known || m.weir == nil {
			continue
		}
		j.find(m.node, modelServerUnknown, "none leads to %s", j.expect.Upstream)
		for _, r := range m.routes {
			if r.cluster != nil {
				r.cluster.model = !r.cluster.weir
			}
		}
	}
}

// cluster judges where a cluster leads to and what it may hold.
func (j *judge) cluster(c *cluster) {
	if !c.weir && !c.model && !j.asked(c) || len(c.members) > 0 { // whose members are judged
		return
	}
	for _, a := range c.addresses {
		switch address := addressOf(a); {
		case address.local():
		case c.model:
			j.find(a, modelServerRoutable, "cluster %s leads to %s", c.name, address)
		default:
			j.find(a, weirRoutable, "cluster %s leads to %s", c.name, address)
		}
	}
	if limit := c.get("per_connection_buffer_limit_bytes"); limit.number(defaultBuffer) < j.maxBody() {
		j.find(c.orField(limit), clusterBuffer, "it is %d, bodies have up to %d bytes", limit.number(defaultBuffer), j.maxBody())
	}
	j.breakers(c)
	if c.model {
		j.upstreamFilters(c.options().get("http_filters"))
		j.retry(c.options(), "cluster "+c.name)
	}
}

// asked reports whether an ext_proc filter that stands for Weir's asks the cluster.
func (j *judge) asked(c *cluster) bool {
	return slices.ContainsFunc(j.managers, func(m *manager) bool {
		return m.weir != nil && m.weir.config.get("grpc_service", "envoy_grpc", "cluster_name").string() == c.name
	})
}

// maxBody is the size of the largest body that Weir lets through.
func (j *judge) maxBody() int64 { return max(j.expect.MaxBodyBytes, j.expect.MaxResponseBytes) }

// breakers judges the circuit breakers of the default priority.
func (j *judge) breakers(c *cluster) {
	names := []string{"max_requests", "max_pending_requests"}
	if !c.http2 { // whose connections carry one request each
		names = append(names, "max_connections")
	}
	at := c.node
	var limits *node
	for _, t := range c.get("circuit_breakers", "thresholds").list() {
		if t.get("priority").enum("DEFAULT", "HIGH") == "DEFAULT" {
			at, limits = t, t
		}
	}
	for _, name := range names {
		if n := limits.get(name).number(1024); n < int64(j.expect.MaxStreams) {
			j.find(at.orField(limits.get(name)), circuitBreaker, "%s of cluster %s is %d, Weir takes %d exchanges", name, c.name, n, j.expect.MaxStreams)
		}
	}
}
