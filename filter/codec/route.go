package codec

import (
	"regexp"
	"strings"
)

// Operation is what a route asks the model server for. The zero value is Deny.
type Operation uint8

// The operations that may be let through.
const (
	Deny Operation = iota
	Infer
	InferStream // gRPC: requests and answers are streams
	Generate
	GenerateStream // the answer is a stream of events
	ChatCompletions
	Completions
	Embeddings
	Predict // a file as the body
	ServerLive
	ServerReady
	ServerMetadata
	ModelMetadata
	ModelReady
	HealthCheck     // grpc.health.v1
	ModelList       // OpenAI
	ModelConfig     // only if the policy opens it, as the next two
	ModelStatistics // of one model, or of all
	RepositoryIndex
)

// Infers reports whether the operation carries an inference.
func (o Operation) Infers() bool { return Infer <= o && o <= Predict }

// Flow is how the messages of an exchange come.
type Flow uint8

// The flows.
const (
	Unary         Flow = iota // one message each way
	ServerStream              // one request; the answer may be a stream of events
	Bidirectional             // streams both ways
)

// Flow returns the flow of the operation. That of the OpenAI operations is
// ServerStream although only the body says whether the answer is a stream: the
// proxy has to be told before the body has come.
func (o Operation) Flow() Flow {
	switch o {
	case InferStream:
		return Bidirectional
	case GenerateStream, ChatCompletions, Completions, Embeddings:
		return ServerStream
	default:
		return Unary
	}
}

// Route is what the method and the raw path of a request ask for.
type Route struct {
	Protocol  Protocol
	Operation Operation
	Model     string // of the operations on a model, if the path names it
	Version   string // as the client asked; "" leaves it to the policy
	Path      string // the canonical path, rebuilt without query; "" if denied
	Reason    Reason // why Operation is Deny
}

// Limits of a route that no model repository reaches: a model is a directory
// name, a version a positive int64.
const (
	maxModelBytes    = 255
	maxVersionDigits = 18
)

// Select returns what a method and a raw ":path" ask for. The path is never
// percent-decoded or cleaned: a path that two servers could read differently is
// PathInvalid, a query is dropped. Whatever is not one of the operations above
// is Deny with a reason: RouteDenied for what model servers are known to serve,
// ProtocolNotEnabled for another protocol, RouteUnknown for the rest.
func Select(method, rawPath string) Route {
	path, _, _ := strings.Cut(rawPath, "?")
	segments, ok := splitPath(path)
	if !ok {
		return deny(KServeHTTP, PathInvalid)
	}
	switch segments[0] {
	case "v2":
		return selectV2(method, path, segments[1:])
	case "inference.GRPCInferenceService", "grpc.health.v1.Health":
		return selectGRPC(method, path)
	case "v1":
		return selectV1(method, path, segments[1:])
	case "openai":
		if len(segments) > 1 && segments[1] == "v1" {
			return selectV1(method, path, segments[2:])
		}
	case "ping", "invocations", "models", "metrics", "predictions", "explanations":
		return deny(KServeHTTP, RouteDenied) // SageMaker, Prometheus, TorchServe
	}
	return deny(KServeHTTP, RouteUnknown)
}

// ForContent returns r for a message with this content-type: what calls itself
// gRPC is refused in the form of gRPC, whatever path it came on.
func (r Route) ForContent(contentType string) Route {
	if r.Protocol == KServeGRPC || !strings.HasPrefix(strings.ToLower(contentType), "application/grpc") {
		return r
	}
	return deny(KServeGRPC, RouteUnknown)
}

func deny(protocol Protocol, reason Reason) Route { return Route{Protocol: protocol, Reason: reason} }

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
	switch at := strings.Join(segments, "/"); {
	case at == "":
		return only("GET", method, Route{Operation: ServerMetadata, Path: path})
	case at == "health/live":
		return only("GET", method, Route{Operation: ServerLive, Path: path})
	case at == "health/ready":
		return only("GET", method, Route{Operation: ServerReady, Path: path})
	case at == "repository/index":
		return only("POST", method, Route{Operation: RepositoryIndex, Path: path})
	case at == "models/stats": // of all models, not a model of that name
		return only("GET", method, Route{Operation: ModelStatistics, Path: path})
	}
	switch segments[0] {
	case "models":
		return selectModel(method, path, segments[1:])
	case "repository", "systemsharedmemory", "cudasharedmemory", "trace", "logging":
		return deny(KServeHTTP, RouteDenied)
	}
	return deny(KServeHTTP, RouteUnknown)
}

// modelOperations are the endpoints below a model, with their methods.
var modelOperations = map[string]struct {
	method    string
	operation Operation
}{
	"":                {"GET", ModelMetadata},
	"ready":           {"GET", ModelReady},
	"config":          {"GET", ModelConfig},
	"stats":           {"GET", ModelStatistics},
	"infer":           {"POST", Infer},
	"generate":        {"POST", Generate},
	"generate_stream": {"POST", GenerateStream},
}

// selectModel decides on the segments after /v2/models.
func selectModel(method, path string, segments []string) Route {
	if len(segments) == 0 {
		return deny(KServeHTTP, RouteUnknown)
	}
	route := Route{Model: segments[0], Path: path}
	if !ValidModel(route.Model) {
		return deny(KServeHTTP, PathInvalid)
	}
	segments = segments[1:]
	if len(segments) >= 2 && segments[0] == "versions" {
		route.Version = segments[1]
		if !ValidVersion(route.Version) {
			return deny(KServeHTTP, PathInvalid)
		}
		segments = segments[2:]
	}
	at := strings.Join(segments, "/")
	if o, ok := modelOperations[at]; ok {
		route.Operation = o.operation
		return only(o.method, method, route)
	}
	switch at {
	case "trace/setting":
		return deny(KServeHTTP, RouteDenied)
	case "infer_stream":
		return deny(KServeHTTP, ProtocolNotEnabled)
	}
	return deny(KServeHTTP, RouteUnknown)
}

var modelPattern = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)

// ValidModel reports whether a message may name this model: the names that a
// path may hold as a segment.
func ValidModel(s string) bool { return len(s) <= maxModelBytes && modelPattern.MatchString(s) }

// ValidVersion accepts the decimal form that has no second spelling.
func ValidVersion(s string) bool {
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

// grpcMethods are the methods of inference.GRPCInferenceService and
// grpc.health.v1.Health that are let through. The models are in the messages.
var grpcMethods = map[string]Operation{
	"/inference.GRPCInferenceService/ModelInfer":       Infer,
	"/inference.GRPCInferenceService/ModelStreamInfer": InferStream,
	"/inference.GRPCInferenceService/ServerLive":       ServerLive,
	"/inference.GRPCInferenceService/ServerReady":      ServerReady,
	"/inference.GRPCInferenceService/ModelReady":       ModelReady,
	"/inference.GRPCInferenceService/ServerMetadata":   ServerMetadata,
	"/inference.GRPCInferenceService/ModelMetadata":    ModelMetadata,
	"/inference.GRPCInferenceService/ModelConfig":      ModelConfig,
	"/inference.GRPCInferenceService/ModelStatistics":  ModelStatistics,
	"/inference.GRPCInferenceService/RepositoryIndex":  RepositoryIndex,
	"/grpc.health.v1.Health/Check":                     HealthCheck,
}

// grpcDenied are the methods that model servers are known to serve beside those.
var grpcDenied = map[string]bool{
	"RepositoryModelLoad": true, "RepositoryModelUnload": true, "TraceSetting": true, "LogSettings": true,
	"SystemSharedMemoryStatus": true, "SystemSharedMemoryRegister": true, "SystemSharedMemoryUnregister": true,
	"CudaSharedMemoryStatus": true, "CudaSharedMemoryRegister": true, "CudaSharedMemoryUnregister": true,
	"Watch": true, "List": true,
}

// selectGRPC decides on the path of a gRPC method.
func selectGRPC(method, path string) Route {
	operation, ok := grpcMethods[path]
	switch {
	case ok && method != "POST":
		return deny(KServeGRPC, MethodNotAllowed)
	case ok:
		return Route{Protocol: KServeGRPC, Operation: operation, Path: path}
	case grpcDenied[path[strings.LastIndexByte(path, '/')+1:]]:
		return deny(KServeGRPC, RouteDenied)
	}
	return deny(KServeGRPC, RouteUnknown)
}

// openAIOperations are the endpoints of the OpenAI API, with their methods. The
// models are in the bodies.
var openAIOperations = map[string]struct {
	method    string
	operation Operation
}{
	"chat/completions": {"POST", ChatCompletions},
	"completions":      {"POST", Completions},
	"embeddings":       {"POST", Embeddings},
	"models":           {"GET", ModelList},
}

// selectV1 tells OpenAI endpoints from the V1 protocol of KServe.
func selectV1(method, path string, segments []string) Route {
	at := strings.Join(segments, "/")
	if o, ok := openAIOperations[at]; ok {
		if method != o.method {
			return deny(OpenAI, MethodNotAllowed)
		}
		return Route{Protocol: OpenAI, Operation: o.operation, Path: path}
	}
	if at == "responses" || strings.HasPrefix(at, "models/") {
		return deny(KServeHTTP, RouteDenied)
	}
	return deny(KServeHTTP, RouteUnknown)
}

// only lets a route of the V2 protocol through for one method.
func only(want, method string, route Route) Route {
	if method != want {
		return deny(KServeHTTP, MethodNotAllowed)
	}
	route.Protocol = KServeHTTP
	return route
}
