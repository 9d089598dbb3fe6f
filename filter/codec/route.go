package codec

import "strings"

// Limits of a route that no model repository reaches: a model is a directory
// name, a version a positive int64.
const (
	maxModelBytes    = 255
	maxVersionDigits = 18
)

// Select returns what a method and a raw ":path" ask for. The path is never
// percent-decoded or cleaned: a path that two servers could read differently is
// PathInvalid, a query is dropped. Whatever is not one of the allowed
// operations of the V2 protocol is Deny with a reason: RouteDenied for what
// Triton is known to serve, ProtocolNotEnabled for another protocol,
// RouteUnknown for the rest.
func Select(method, rawPath string) Route {
	path, _, _ := strings.Cut(rawPath, "?")
	segments, ok := splitPath(path)
	if !ok {
		return Route{Protocol: KServeHTTP, Reason: PathInvalid}
	}
	switch segments[0] {
	case "v2":
		return selectV2(method, path, segments[1:])
	case "inference.GRPCInferenceService", "grpc.health.v1.Health":
		return Route{Protocol: KServeGRPC, Reason: ProtocolNotEnabled}
	case "v1":
		return deny(reasonV1(segments[1:]))
	case "openai":
		return deny(ProtocolNotEnabled)
	case "ping", "invocations", "models", "metrics", "predictions", "explanations":
		return deny(RouteDenied) // SageMaker, Prometheus, TorchServe
	}
	return deny(RouteUnknown)
}

// ForContent returns r for a message with this content-type: gRPC is refused in
// the form of gRPC, whatever path it came on.
func (r Route) ForContent(contentType string) Route {
	if r.Protocol == KServeGRPC || !strings.HasPrefix(strings.ToLower(contentType), "application/grpc") {
		return r
	}
	return Route{Protocol: KServeGRPC, Reason: ProtocolNotEnabled}
}

func deny(reason Reason) Route { return Route{Protocol: KServeHTTP, Reason: reason} }

// splitPath cuts a path into its segments. It fails where servers differ: bytes
// outside the unreserved set (and ":", for which there are known routes),
// empty segments and those that begin with a dot.
func splitPath(path string) (segments []string, ok bool) {
	if len(path) < 2 || path[0] != '/' {
		return nil, false
	}
	for i := range len(path) {
		if path[i] != '/' && path[i] != ':' && !unreserved(path[i]) {
			return nil, false
		}
	}
	segments = strings.Split(path[1:], "/")
	for _, s := range segments {
		if s == "" || s[0] == '.' {
			return nil, false
		}
	}
	return segments, true
}

// unreserved is the set of RFC 3986 §2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// selectV2 decides on the segments after /v2.
func selectV2(method, path string, segments []string) Route {
	if len(segments) == 0 {
		return get(method, Route{Operation: ServerMetadata, Path: path})
	}
	switch segments[0] {
	case "models":
		return selectModel(method, path, segments[1:])
	case "health":
		if len(segments) == 2 && segments[1] == "live" {
			return get(method, Route{Operation: ServerLive, Path: path})
		}
		if len(segments) == 2 && segments[1] == "ready" {
			return get(method, Route{Operation: ServerReady, Path: path})
		}
	case "repository", "systemsharedmemory", "cudasharedmemory", "trace", "logging":
		return deny(RouteDenied)
	}
	return deny(RouteUnknown)
}

// selectModel decides on the segments after /v2/models.
func selectModel(method, path string, segments []string) Route {
	if len(segments) == 0 {
		return deny(RouteUnknown)
	}
	if len(segments) == 1 && segments[0] == "stats" {
		return deny(RouteDenied) // statistics of all models, not a model of that name
	}
	route := Route{Model: segments[0], Path: path}
	if len(route.Model) > maxModelBytes || strings.Contains(route.Model, ":") {
		return deny(PathInvalid)
	}
	segments = segments[1:]
	if len(segments) >= 2 && segments[0] == "versions" {
		route.Version = segments[1]
		if !validVersion(route.Version) {
			return deny(PathInvalid)
		}
		segments = segments[2:]
	}
	switch strings.Join(segments, "/") {
	case "":
		route.Operation = ModelMetadata
		return get(method, route)
	case "ready":
		route.Operation = ModelReady
		return get(method, route)
	case "infer":
		route.Operation = Infer
		return only("POST", method, route)
	case "config", "stats", "trace/setting":
		return deny(RouteDenied)
	case "generate", "generate_stream", "infer_stream":
		return deny(ProtocolNotEnabled)
	}
	return deny(RouteUnknown)
}

// validVersion accepts the decimal form that has no second spelling.
func validVersion(s string) bool {
	if s == "" || len(s) > maxVersionDigits || s[0] == '0' {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// reasonV1 tells OpenAI endpoints from the V1 protocol of KServe.
func reasonV1(segments []string) Reason {
	switch strings.Join(segments, "/") {
	case "chat/completions", "completions", "embeddings", "responses", "models":
		return ProtocolNotEnabled
	}
	if len(segments) > 1 && segments[0] == "models" {
		return RouteDenied
	}
	return RouteUnknown
}

func get(method string, route Route) Route { return only("GET", method, route) }

// only lets route through for one method.
func only(want, method string, route Route) Route {
	if method != want {
		return deny(MethodNotAllowed)
	}
	route.Protocol = KServeHTTP
	return route
}
