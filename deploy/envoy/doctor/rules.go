package doctor

import "slices"

// Severity says what a finding is worth.
type Severity string

// The severities. An Error lets something pass Weir by, or fails requests that Weir
// would let through; a Warning takes away a protection that is not the only one.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Rule is something that may be found. The ID is stable.
type Rule struct {
	ID       string   `json:"rule"`
	Severity Severity `json:"severity"`
	Why      string   `json:"why"`
	Hint     string   `json:"hint"`
}

// Rules returns all rules.
func Rules() []Rule { return slices.Concat(filterRules, routeRules, serverRules, tritonRules) }

// Rules of the filter that asks Weir.
const (
	noExtProc           = "no_ext_proc"
	unguardedRoute      = "unguarded_route"
	filterDisabled      = "filter_disabled"
	filterOptional      = "filter_optional"
	filterConditional   = "filter_conditional"
	filterUpstream      = "filter_upstream"
	secondExtProc       = "second_ext_proc"
	filterAfter         = "filter_after"
	answerBefore        = "answer_before"
	bodyFilterBefore    = "body_filter_before"
	payloadRecorded     = "payload_recorded"
	failOpen            = "fail_open"
	failOpenDuplex      = "fail_open_duplex"
	statusOnError       = "status_on_error"
	httpService         = "http_service"
	otherProcessor      = "other_processor"
	grpcTimeout         = "grpc_service_timeout"
	messageLimit        = "message_limit"
	bodyNone            = "body_none"
	bodyStreamed        = "body_streamed"
	bodyPartial         = "body_partial"
	bodyGRPC            = "body_grpc"
	requestHeadersSkip  = "request_headers_skipped"
	responseHeadersSkip = "response_headers_skipped"
	trailersSkip        = "trailers_skipped"
	modeOverride        = "mode_override"
	observability       = "observability_mode"
	asyncMode           = "async_mode"
	noImmediate         = "immediate_response_disabled"
	routeCache          = "route_cache_cleared"
	messageModified     = "message_modified"
	headersHidden       = "headers_hidden"
	messageTimeout      = "message_timeout"
	maxMessageTimeout   = "max_message_timeout"
	mutationForbidden   = "mutation_forbidden"
	mutationSilent      = "mutation_silent"
	envoyHeaders        = "envoy_headers_kept"
	codeDetails         = "code_details_missing"
	verdictDropped      = "verdict_dropped"
)

var filterRules = []Rule{
	{noExtProc, Error, "nothing asks Weir: no listener has an ext_proc filter that leads to it", "Start from `weir envoy-config`."},
	{unguardedRoute, Error, "requests reach the model server without Weir", "Put the ext_proc filter of `weir envoy-config` into this chain, or take the way to the model server out of it."},
	{filterDisabled, Error, "the ext_proc filter is switched off here, so requests pass Weir by", "Remove it; give other services clusters and routes of their own."},
	{filterOptional, Error, "an Envoy that does not know the ext_proc filter starts without it", "Remove is_optional."},
	{filterConditional, Error, "a condition decides whether Weir is asked", "Put the ext_proc filter into http_filters itself."},
	{filterUpstream, Error, "as an upstream filter ext_proc runs after the route is taken, once for every attempt, and loses refusals", "Put it into http_filters of the connection manager."},
	{secondExtProc, Warning, "two ext_proc filters in one chain lose bodies before Envoy 1.38", "Run 1.38 or later, or give the other processor a listener of its own."},
	{filterAfter, Error, "a filter between Weir and the model server changes or copies what Weir wrote, or its answer before Weir sees it", "Put it before ext_proc, which must stand last but for the router."},
	{answerBefore, Error, "a filter before Weir answers by itself, so a client gets what no check has seen for it", "Remove it from this chain."},
	{bodyFilterBefore, Error, "a filter before Weir changes bodies: sizes, codings and modes are not the client's, and an answer changes after Weir has judged it", "Remove it from this chain; a compressor may stay for answers."},
	{payloadRecorded, Warning, "a tap records the content of requests and answers", "Remove it; Weir's records hold hashes instead."},
	{failOpen, Error, "when Weir fails, requests and answers pass unseen", "Set failure_mode_allow: false."},
	{failOpenDuplex, Error, "with FULL_DUPLEX_STREAMED, requests without a body pass when Weir fails while those with one get an error, so that it looks as if it failed closed", "Set failure_mode_allow: false."},
	{statusOnError, Error, "a failure of Weir looks like success", "Set status_on_error: {code: 503}."},
	{httpService, Error, "over HTTP Envoy sends headers only, so no body is seen", "Use grpc_service."},
	{otherProcessor, Error, "the filter asks something else than the Weir of this configuration", "Lead it to the socket of `listen`."},
	{grpcTimeout, Warning, "Envoy does not apply this timeout to the stream of an exchange", "Use message_timeout, and timeouts of the route."},
	{messageLimit, Error, "what Weir writes is too large for Envoy to receive", "Remove max_receive_message_length."},
	{bodyNone, Error, "bodies do not reach Weir; a mode that is left out is NONE", "Use BUFFERED, or FULL_DUPLEX_STREAMED for streams."},
	{bodyStreamed, Error, "parts of a body go on before the whole of it is judged", "Use BUFFERED, or FULL_DUPLEX_STREAMED for streams."},
	{bodyPartial, Error, "what is beyond the buffer goes on unseen", "Use BUFFERED, or FULL_DUPLEX_STREAMED for streams."},
	{bodyGRPC, Error, "Envoy accepts this mode but does not serve it", "Use BUFFERED for unary calls, FULL_DUPLEX_STREAMED for streams."},
	{requestHeadersSkip, Error, "without the request headers Weir knows no path, and the client's headers reach the model server", "Set request_header_mode: SEND."},
	{responseHeadersSkip, Error, "without the response headers an answer has no status and no coding, and one without a body passes unseen", "Set response_header_mode: SEND."},
	{trailersSkip, Error, "trailers pass unseen: the status text of gRPC, and requests that have trailers and no body", "Set request_trailer_mode and response_trailer_mode: SEND."},
	{modeOverride, Error, "one answer may switch inspection off for the rest of an exchange; Weir has no use for it", "Set allow_mode_override: false."},
	{observability, Error, "Envoy ignores what Weir answers", "Remove observability_mode; `mode: shadow` of a model decides without acting."},
	{asyncMode, Error, "Envoy does not wait for Weir's answers", "Remove async_mode."},
	{noImmediate, Error, "Envoy takes a refusal of Weir's for a fault, without its status and reason", "Remove disable_immediate_response."},
	{routeCache, Error, "the route may change after it chose the modes in which Weir sees the request", "Set route_cache_action: RETAIN."},
	{messageModified, Error, "an extension changes what Weir is told of a request", "Remove processing_request_modifier."},
	{headersHidden, Error, "headers that Weir does not see reach the model server", "Remove forward_rules."},
	{messageTimeout, Error, "Envoy gives up before Weir's own deadline, with an error that names no reason", "Set it to 10/7 of limits.request_timeout."},
	{maxMessageTimeout, Warning, "an answer may stretch the timer; Weir has no use for it", "Remove max_message_timeout."},
	{mutationForbidden, Error, "Weir may not set or remove a header that it must", "Use the mutation_rules of `weir envoy-config`."},
	{mutationSilent, Warning, "a change of headers that the rules forbid is skipped in silence", "Set disallow_is_error: true."},
	{envoyHeaders, Error, "x-envoy-* headers of clients stay, with which they choose retries, timeouts and hedging", "Set allow_envoy: true, so that Weir can remove them."},
	{codeDetails, Warning, "errors of Envoy's own cannot be told from answers of the model server, and are refused without their reason", "Add response.code_details to response_attributes."},
	{verdictDropped, Warning, "Weir's verdict does not reach the access log and other filters", "Add weir to metadata_options.receiving_namespaces.untyped."},
}

// Rules of routes.
const (
	modeMismatch      = "mode_mismatch"
	retries           = "retries"
	hedging           = "hedging"
	mirror            = "mirror"
	internalRedirect  = "internal_redirect"
	pathRewrite       = "path_rewrite"
	headersAdded      = "headers_added"
	hostForwarded     = "host_forwarded"
	clusterFromHeader = "cluster_from_request"
	openProxy         = "open_proxy"
	streamTimeout     = "stream_timeout"
	silence           = "no_idle_timeout"
	upgrade           = "upgrade"
)

var routeRules = []Rule{
	{modeMismatch, Error, "the body modes are not those that these requests need, so Weir refuses them", "Take the routes of `weir envoy-config`."},
	{retries, Error, "a request that Weir let through once may reach the model server twice, in streams with a damaged body", "Remove the retry policy."},
	{hedging, Error, "a request that Weir let through once may reach the model server twice", "Remove hedge_policy."},
	{mirror, Error, "a copy of every request goes to another cluster, whose answers nobody sees and no audit names", "Remove request_mirror_policies; compare versions with Weir's checks."},
	{internalRedirect, Error, "the model server chooses where a request goes next", "Remove internal_redirect_policy."},
	{pathRewrite, Error, "the path changes after Weir has judged it", "Remove the rewrite; Weir writes the path itself."},
	{headersAdded, Warning, "headers change after Weir has written them", "Remove them, or be sure that the model server does nothing with them."},
	{hostForwarded, Warning, "the client's host, a text of its own choice, reaches the model server", "Set host_rewrite_literal."},
	{clusterFromHeader, Error, "a header of the request chooses where it goes", "Name the cluster."},
	{openProxy, Error, "the client chooses the destination, which may be the model server", "Name the cluster, or keep the proxy in another pod."},
	{streamTimeout, Warning, "streams end after a time, whatever they do", "Set timeout: 0s and max_stream_duration.grpc_timeout_header_max on the route, and request_timeout: 0s."},
	{silence, Error, "nothing ends a stream when Weir hangs: FULL_DUPLEX_STREAMED has no timer", "Set idle_timeout."},
	{upgrade, Error, "after an upgrade the connection is a tunnel that Weir cannot judge", "Remove upgrade_configs, connect_config and allow_connect."},
}

// Rules of the rest of Envoy.
const (
	modelServerUnknown  = "model_server_unknown"
	modelServerRoutable = "model_server_routable"
	weirRoutable        = "weir_routable"
	adminRoutable       = "admin_routable"
	listenerBuffer      = "listener_buffer"
	clusterBuffer       = "cluster_buffer"
	streamWindow        = "stream_window"
	circuitBreaker      = "circuit_breaker"
	pathChanged         = "path_changed"
	chunkedLength       = "chunked_length"
	runtimeGuard        = "runtime_guard"
)

var serverRules = []Rule{
	{modelServerUnknown, Warning, "no cluster leads to the model server of this configuration; all that the guarded routes lead to are taken for it", "Check the addresses in `upstream`."},
	{modelServerRoutable, Error, "whoever reaches the address of the model server passes Weir by", "Let it listen on a loopback address or a socket."},
	{weirRoutable, Error, "Weir is asked over the network, in the clear", "Use the Unix socket of `listen`."},
	{adminRoutable, Error, "whoever reaches Envoy's admin interface can change and stop it", "Bind it to a loopback address."},
	{listenerBuffer, Error, "bodies that Weir allows are too large for Envoy", "Set per_connection_buffer_limit_bytes as `weir envoy-config` does."},
	{clusterBuffer, Warning, "bodies that Weir allows are larger than the buffer, and go in many pieces", "Set per_connection_buffer_limit_bytes as `weir envoy-config` does."},
	{streamWindow, Error, "bodies that Weir allows are too large over HTTP/2, where the window of a stream is its buffer", "Set initial_stream_window_size as `weir envoy-config` does."},
	{circuitBreaker, Warning, "Envoy refuses exchanges that Weir has room for", "Set it to limits.max_streams_in_flight."},
	{pathChanged, Warning, "Envoy changes paths before Weir sees them, so that what Weir refuses as ambiguous passes in another form", "Turn it off; Weir refuses what is not canonical."},
	{chunkedLength, Error, "a message with two lengths is let through, of which servers choose different ones", "Remove allow_chunked_length."},
	{runtimeGuard, Error, "a guard of Envoy's ext_proc filter is switched off", "Remove the runtime key."},
}
