package doctor

import (
	"slices"
	"strings"
)

// Families of HTTP filters, the part of their types after httpFamily.
var (
	// harmless may stand between Weir and the model server: they neither change nor
	// copy requests and answers, and what they answer themselves is a refusal.
	harmless = strings.Fields(`router upstream_codec rbac ratelimit local_ratelimit rate_limit_quota admission_control
		adaptive_concurrency bandwidth_limit bandwidth_share grpc_stats fault health_check kill_request on_demand
		set_filter_state set_metadata cors csrf alternate_protocols_cache`)
	// changing filters change bodies, or run code that may.
	changing = strings.Fields(`decompressor gzip grpc_web grpc_http1_bridge grpc_http1_reverse_bridge connect_grpc_bridge
		grpc_json_transcoder grpc_json_reverse_transcoder lua wasm golang dynamic_modules transform custom_response
		mcp_json_rest_bridge proto_api_scrubber`)
	// answering filters answer requests, or send them elsewhere.
	answering = strings.Fields(`cache cache_v2 aws_lambda file_server`)
	// others only stand before Weir without harm: they change headers, of which Weir
	// lets none through that it does not know, or decide who may ask.
	others = strings.Fields(`ext_proc ext_authz jwt_authn oauth2 basic_auth api_key_auth header_mutation header_to_metadata
		json_to_metadata ip_tagging geoip compressor buffer file_system_buffer tap composite filter_chain stateful_session
		credential_injector aws_request_signing gcp_authn dynamic_forward_proxy cdn_loop original_src grpc_field_extraction
		proto_message_extraction sse_to_metadata thrift_to_metadata`)
)

// family returns the family of a filter type, "" if it is not one of Envoy's.
func family(message string) string {
	rest, ok := strings.CutPrefix(message, httpFamily)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ".")
	return name
}

// order judges the filters around Weir's.
func (j *judge) order(m *manager) {
	if m.weir.nested {
		j.find(m.weir.node, filterConditional, "it is within %s", m.weir.types[0])
	}
	for i, f := range m.filters {
		for _, message := range f.types {
			name := family(message)
			switch {
			case i == m.at:
			case i < m.at:
				j.before(f, name)
			default:
				j.after(f.node, message)
			}
			if name == "tap" {
				j.find(f.node, payloadRecorded, "filter %s", f.name)
			}
		}
		if _, router := j.resolve(f.node); slices.Contains(f.types, routerType) {
			j.upstreamFilters(router.get("upstream_http_filters"))
		}
	}
}

// before judges a filter that a request passes before Weir, and an answer after it.
func (j *judge) before(f *filter, name string) {
	_, config := j.resolve(f.node)
	switch {
	case name == "ext_proc":
		j.find(f.node, secondExtProc, "filter %s", f.name)
	case slices.Contains(answering, name):
		j.find(f.node, answerBefore, "filter %s", f.name)
	case slices.Contains(changing, name):
		j.find(f.node, bodyFilterBefore, "filter %s", f.name)
	case name == "compressor" && config.get("request_direction_config") != nil &&
		!config.get("request_direction_config", "common_config", "enabled", "default_value").isFalse():
		j.find(f.node, bodyFilterBefore, "filter %s compresses requests", f.name)
	case !slices.Contains(harmless, name) && !slices.Contains(others, name):
		j.hide(f.node, "what the filter "+f.name+" does is not known")
	}
}

// after judges a filter between Weir and the model server.
func (j *judge) after(f *node, message string) {
	switch name := family(message); {
	case slices.Contains(harmless, name), name == "tap":
	case name != "" && (slices.Contains(changing, name) || slices.Contains(answering, name) || slices.Contains(others, name)):
		j.find(f, filterAfter, "filter %s (%s)", f.get("name").string(), name)
	default:
		j.hide(f, "what the filter "+f.get("name").string()+" does is not known, and it stands after Weir")
	}
}

// upstreamFilters judges the filters of a cluster or router, which all run after
// those of the connection manager.
func (j *judge) upstreamFilters(list *node) {
	for _, n := range list.list() {
		f := j.filter(n)
		if f.config != nil && j.leadsToWeir(f.config.get("grpc_service")) {
			j.find(n, filterUpstream, "filter %s", f.name)
			continue
		}
		for _, message := range f.types {
			j.after(n, message)
		}
	}
}

// connections judges how a guarded manager and its listener read messages.
func (j *judge) connections(m *manager) {
	limit := m.listener.get("per_connection_buffer_limit_bytes")
	if n := limit.number(defaultBuffer); n < j.maxBody() {
		j.find(m.listener.orField(limit), listenerBuffer, "it is %d, bodies have up to %d bytes", n, j.maxBody())
	}
	h2 := m.get("http2_protocol_options")
	const standard = 16 << 20 // since 1.36
	if n := h2.get("initial_stream_window_size").number(standard); n < j.maxBody() && m.get("codec_type").enum("AUTO", "HTTP1", "HTTP2", "HTTP3") != "HTTP1" {
		j.find(m.orField(h2), streamWindow, "it is %d, bodies have up to %d bytes", n, j.maxBody())
	}
	if at := h2.get("allow_connect"); at.isTrue() {
		j.find(at, upgrade, "CONNECT is allowed")
	}
	for _, u := range m.get("upgrade_configs").list() {
		if !u.get("enabled").isFalse() {
			j.find(u, upgrade, "upgrades to %s are allowed", u.get("upgrade_type").string())
		}
	}
	if at := m.get("http_protocol_options", "allow_chunked_length"); at.isTrue() {
		j.find(at, chunkedLength, "it is true")
	}
	for _, name := range []string{"normalize_path", "merge_slashes", "path_normalization_options"} {
		if at := m.get(name); at.isTrue() || at != nil && at.kind == object {
			j.find(at, pathChanged, "%s", name)
		}
	}
	slashes := m.get("path_with_escaped_slashes_action")
	switch slashes.enum("IMPLEMENTATION_SPECIFIC_DEFAULT", "KEEP_UNCHANGED", "REJECT_REQUEST", "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD") {
	case "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD":
		j.find(slashes, pathChanged, "%s", slashes.text)
	}
}
