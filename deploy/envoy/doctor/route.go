package doctor

import "slices"

// route is one route of a connection manager, or one of its weighted clusters.
type route struct {
	*node
	host    *node // the virtual host
	action  *node // RouteAction; nil if Envoy answers by itself
	cluster *cluster
	// levels hold what filters are told for the route, the most specific last: of the
	// table, the virtual host, the route and the weighted cluster.
	levels []*node
}

// readTables reads the routes of a manager.
func (j *judge) readTables(m *manager) {
	for _, table := range j.tablesOf(m.node) {
		if at := table.get("vhds"); at != nil {
			j.hide(at, "virtual hosts come from a management server")
		}
		for _, host := range table.get("virtual_hosts").list() {
			routes := host.get("routes").list()
			for _, inner := range host.get("matcher").messages("envoy.config.route.v3.Route") {
				j.hide(inner, "which requests take a route of a matcher is not known")
				routes = append(slices.Clone(routes), inner)
			}
			for _, n := range routes {
				m.routes = append(m.routes, j.newRoutes(table, host, n)...)
			}
		}
	}
}

// tablesOf returns the route tables of a manager, inline or from a dump.
func (j *judge) tablesOf(m *node) (tables []*node) {
	named := func(at *node, name string) {
		if t := j.snapshot.tables[name]; t != nil {
			tables = append(tables, t)
		} else {
			j.hide(at, "the route table "+name+" comes from a management server")
		}
	}
	switch {
	case m.get("route_config") != nil:
		return []*node{m.get("route_config")}
	case m.get("rds") != nil:
		named(m.get("rds"), m.get("rds", "route_config_name").string())
	case m.get("scoped_routes", "scoped_rds") != nil:
		j.hide(m.get("scoped_routes"), "the scopes of routes come from a management server")
	}
	for _, scope := range m.get("scoped_routes", "scoped_route_configurations_list", "scoped_route_configurations").list() {
		if inline := scope.get("route_configuration"); inline != nil {
			tables = append(tables, inline)
		} else {
			named(scope, scope.get("route_configuration_name").string())
		}
	}
	return tables
}

// newRoutes reads a route, once for each of its clusters.
func (j *judge) newRoutes(table, host, n *node) (all []*route) {
	action := n.get("route")
	levels := []*node{table, host, n}
	for _, weighted := range action.get("weighted_clusters", "clusters").list() {
		all = append(all, &route{n, host, action, j.named(weighted.get("name")), append(slices.Clone(levels), weighted)})
	}
	for _, field := range []string{"cluster_specifier_plugin", "inline_cluster_specifier_plugin"} {
		if at := action.get(field); at != nil {
			j.hide(at, "a plugin chooses the cluster")
		}
	}
	if len(all) == 0 {
		all = []*route{{n, host, action, j.named(action.get("cluster")), levels}}
	}
	return all
}

// named returns the cluster of a name.
func (j *judge) named(at *node) *cluster {
	c := j.clusters[at.string()]
	if at != nil && c == nil {
		j.hide(at, "the cluster "+at.text+" is not there")
	}
	return c
}

// infers reports whether the route leads to the model server.
func (r *route) infers() bool { return r.cluster != nil && r.cluster.model }

// level judges what a table, virtual host, route or weighted cluster says for the
// requests that take it.
func (j *judge) level(m *manager, n *node) {
	j.overrides(m, n)
	if at := n.get("request_mirror_policies"); len(at.list()) > 0 {
		j.find(at, mirror, "it leads to cluster %s", at.list()[0].get("cluster").string())
	}
	for _, field := range []string{"request_headers_to_add", "request_headers_to_remove"} {
		if at := n.get(field); len(at.list()) > 0 {
			j.find(at, headersAdded, "%s", field)
		}
	}
}

// route judges one route behind Weir.
func (j *judge) route(m *manager, r *route) {
	if at := r.action.get("cluster_header"); at != nil {
		j.find(at, clusterFromHeader, "it is %s", at.text)
	}
	if c := r.cluster; c != nil && c.open {
		j.find(r.node, openProxy, "it leads to cluster %s", c.name)
	}
	if !r.infers() {
		return
	}
	for _, l := range slices.Concat(r.levels, []*node{r.action}) {
		j.level(m, l)
	}
	for _, at := range []*node{r.host, r.action} {
		j.retry(at, "it")
		j.hedge(at)
	}
	if at := r.action.get("internal_redirect_policy"); at != nil {
		j.find(at, internalRedirect, "there is one")
	}
	if at := r.action.get("connect_config"); at != nil {
		j.find(at, upgrade, "CONNECT is allowed")
	}
	for _, u := range r.action.get("upgrade_configs").list() {
		if !u.get("enabled").isFalse() {
			j.find(u, upgrade, "upgrades to %s are allowed", u.get("upgrade_type").string())
		}
	}
	j.rewrites(r)
}

// rewrites judges what the router writes into the path and the host.
func (j *judge) rewrites(r *route) {
	for _, field := range []string{"prefix_rewrite", "regex_rewrite", "path_rewrite", "path_rewrite_policy"} {
		if at := r.action.get(field); at != nil {
			j.find(at, pathRewrite, "%s", field)
		}
	}
	for _, field := range []string{"host_rewrite_literal", "auto_host_rewrite", "host_rewrite_header", "host_rewrite_path_regex"} {
		switch at := r.action.get(field); {
		case at == nil || field == "auto_host_rewrite" && at.isFalse():
			continue
		case field == "host_rewrite_header" || field == "host_rewrite_path_regex":
			j.find(at, hostForwarded, "%s takes it from the request", field)
		}
		return
	}
	j.find(r.action, hostForwarded, "no rule rewrites it")
}

// retry judges the retry policy that n holds; what is said of who has it.
func (j *judge) retry(n *node, who string) {
	at := n.get("retry_policy")
	if on := at.get("retry_on").string(); on != "" {
		j.find(at, retries, "%s retries on %s", who, on)
	}
	if typed := n.get("retry_policy_typed_config"); typed != nil {
		j.find(typed, retries, "there is a policy")
	}
}

func (j *judge) hedge(n *node) {
	if at := n.get("hedge_policy"); at.get("hedge_on_per_try_timeout").isTrue() || at.get("initial_requests").number(1) > 1 ||
		at.get("additional_request_chance") != nil {
		j.find(at, hedging, "there is one")
	}
}

// overrides judges what a level says to the filter that asks Weir.
func (j *judge) overrides(m *manager, level *node) {
	message, at := j.override(m, level)
	if at == nil {
		return
	}
	switch {
	case message == matcherRoute:
		j.find(at, filterConditional, "a condition for the filter")
		return
	case at.get("disabled").isTrue():
		j.find(at.get("disabled"), filterDisabled, "it is true")
	}
	o := at.get("overrides")
	if o == nil {
		return
	}
	mode := o.get("processing_mode")
	j.failure(o, mode)
	request, response := readModes(mode).bodies()
	if m.weir.config.get("failure_mode_allow").isTrue() && (request == duplex || response == duplex) {
		j.find(mode, failOpenDuplex, "failure_mode_allow is true in the filter")
	}
	if mode != nil {
		j.modes(o, mode)
	}
	j.service(o)
	if flag := o.get("async_mode"); flag.isTrue() {
		j.find(flag, asyncMode, "it is %s", flag.text)
	}
	if modifier := o.get("processing_request_modifier"); modifier != nil {
		j.find(modifier, messageModified, "there is one")
	}
}

// override returns the configuration of Weir's filter at a level, unwrapped, and
// its type. In a FilterConfig that disables the filter it is the FilterConfig.
func (j *judge) override(m *manager, level *node) (message string, config *node) {
	at := level.get("typed_per_filter_config").field(m.weir.name)
	message, config = at.typed()
	if message == configType && !config.get("disabled").isTrue() {
		message, config = config.get("config").typed()
	}
	return message, config
}

// effective returns the modes in which Weir sees requests that take the route and
// one of its clusters; ok is false if it does not see them.
func (j *judge) effective(m *manager, r *route) (effective modes, at *node, ok bool) {
	at, ok = m.weir.config.get("processing_mode"), true
	for _, l := range r.levels {
		_, o := j.override(m, l)
		switch {
		case o.get("disabled").isTrue():
			ok = false
		case o != nil:
			ok = true
		}
		if mode := o.get("overrides", "processing_mode"); mode != nil {
			at = mode
		}
	}
	return readModes(at), at, ok
}
