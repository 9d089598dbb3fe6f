package codec_test

import (
	"strings"
	"testing"

	"weir/filter/codec"
)

func TestSelectAllows(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         codec.Route
	}{
		{"GET", "/v2", codec.Route{Operation: codec.ServerMetadata, Path: "/v2"}},
		{"GET", "/v2/health/live", codec.Route{Operation: codec.ServerLive, Path: "/v2/health/live"}},
		{"GET", "/v2/health/ready?x=%2f", codec.Route{Operation: codec.ServerReady, Path: "/v2/health/ready"}},
		{"GET", "/v2/models/m", codec.Route{Operation: codec.ModelMetadata, Model: "m", Path: "/v2/models/m"}},
		{"GET", "/v2/models/m/ready", codec.Route{Operation: codec.ModelReady, Model: "m", Path: "/v2/models/m/ready"}},
		{"GET", "/v2/models/m/versions/3/ready",
			codec.Route{Operation: codec.ModelReady, Model: "m", Version: "3", Path: "/v2/models/m/versions/3/ready"}},
		{"POST", "/v2/models/a.b_c-d~9/infer",
			codec.Route{Operation: codec.Infer, Model: "a.b_c-d~9", Path: "/v2/models/a.b_c-d~9/infer"}},
		{"POST", "/v2/models/m/versions/12/infer?a=b",
			codec.Route{Operation: codec.Infer, Model: "m", Version: "12", Path: "/v2/models/m/versions/12/infer"}},
		{"POST", "/v2/models/stats/infer",
			codec.Route{Operation: codec.Infer, Model: "stats", Path: "/v2/models/stats/infer"}},
		{"GET", "/v2/models/versions", codec.Route{Operation: codec.ModelMetadata, Model: "versions", Path: "/v2/models/versions"}},
		{"POST", "/v2/models/m/versions/2/generate_stream",
			codec.Route{Operation: codec.GenerateStream, Model: "m", Version: "2", Path: "/v2/models/m/versions/2/generate_stream"}},
		{"GET", "/v2/models/m/config", codec.Route{Operation: codec.ModelConfig, Model: "m", Path: "/v2/models/m/config"}},
		{"POST", "/inference.GRPCInferenceService/ModelStreamInfer?x",
			codec.Route{Protocol: codec.KServeGRPC, Operation: codec.InferStream, Path: "/inference.GRPCInferenceService/ModelStreamInfer"}},
		{"POST", "/v1/embeddings", codec.Route{Protocol: codec.OpenAI, Operation: codec.Embeddings, Path: "/v1/embeddings"}},
		{"POST", "/openai/v1/chat/completions",
			codec.Route{Protocol: codec.OpenAI, Operation: codec.ChatCompletions, Path: "/openai/v1/chat/completions"}},
	} {
		if c.want.Protocol == codec.Unknown {
			c.want.Protocol = codec.KServeHTTP
		}
		if got := codec.Select(c.method, c.path); got != c.want {
			t.Errorf("Select(%s, %s) = %+v, want %+v", c.method, c.path, got, c.want)
		}
	}
}

func TestSelectDenies(t *testing.T) {
	paths := map[codec.Reason][]string{
		codec.PathInvalid: {
			"", "/", "*", "v2/models/m", "http://h/v2/models/m", "//v2", "/v2/", "/v2//models/m", "/v2/models/m/",
			"/v2/./models/m", "/v2/models/../m", "/v2/models/..", "/v2/models/.hidden", "/v2/models/m/%69nfer",
			"/v2/models/a%2fb", "/v2/models/m;v=1/infer", `/v2/models/m\infer`, "/v2/models/m/infer#x", "/v2/models/é/infer",
			"/v2/models/a b/infer", "/v2/models/m\x00/infer", "/v2/models/a:b/infer", "/v2/models/m/versions/01/infer",
			"/v2/models/m/versions/0/infer", "/v2/models/m/versions/+1/infer", "/v2/models/m/versions/v1/infer",
			"/v2/models/m/versions/-1/infer", "/v2/models/m/versions/1234567890123456789/infer",
			"/v2/models/" + strings.Repeat("m", 256) + "/infer", "/v2/models/m/infer%3fx", "/v2/models/m*/infer",
		},
		codec.RouteDenied: {
			"/v2/models/m/trace/setting", "/v2/trace/setting", "/v2/logging",
			"/v2/repository/r/index", "/v2/repository/models/m/load", "/v2/repository/models/m/unload",
			"/v2/systemsharedmemory/status", "/v2/systemsharedmemory/region/r/register",
			"/v2/cudasharedmemory/unregister", "/ping", "/invocations", "/models", "/models/m/invoke", "/metrics",
			"/v1/models/m:predict", "/v1/models/m", "/v1/models/m/load", "/predictions/m", "/v1/responses",
			"/inference.GRPCInferenceService/RepositoryModelLoad", "/inference.GRPCInferenceService/LogSettings",
			"/inference.GRPCInferenceService/SystemSharedMemoryRegister", "/grpc.health.v1.Health/Watch",
		},
		codec.ProtocolNotEnabled: {"/v2/models/m/infer_stream"},
		codec.RouteUnknown: {
			"/v2x", "/V2", "/v3/models/m", "/v2/models", "/v2/health", "/v2/health/live/x", "/v2/Models/m",
			"/v2/models/m/Infer", "/v2/models/m/infer/x", "/v2/models/m/versions", "/v2/models/m/versions/1/versions/2/infer",
			"/favicon.ico", "/v1/files", "/v1", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
			"/inference.GRPCInferenceService/modelInfer", "/inference.GRPCInferenceService/x/ModelInfer",
			"/inference.GRPCInferenceService", "/grpc.health.v1.Health/ModelInfer", "/openai/chat/completions", "/openai/v2",
		},
	}
	for reason, list := range paths {
		for _, path := range list {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				got := codec.Select(method, path)
				if got.Reason != reason || got.Operation != codec.Deny || got.Path != "" {
					t.Errorf("Select(%s, %q) = %+v, want %s", method, path, got, reason)
				}
			}
		}
	}
}

func TestSelectMethods(t *testing.T) {
	for path, allowed := range map[string]string{
		"/v2": "GET", "/v2/health/live": "GET", "/v2/health/ready": "GET", "/v2/models/m": "GET",
		"/v2/models/m/ready": "GET", "/v2/models/m/infer": "POST", "/v2/models/m/generate": "POST",
		"/v2/models/m/config": "GET", "/v2/models/stats": "GET", "/v2/repository/index": "POST",
		"/inference.GRPCInferenceService/ModelInfer": "POST", "/grpc.health.v1.Health/Check": "POST",
		"/v1/chat/completions": "POST", "/openai/v1/models": "GET",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "get", "CONNECT", ""} {
			got := codec.Select(method, path)
			if method == allowed && got.Reason == "" && got.Operation != codec.Deny {
				continue
			}
			if method == allowed || got.Reason != codec.MethodNotAllowed || got.Operation != codec.Deny {
				t.Errorf("Select(%s, %s) = %+v", method, path, got)
			}
		}
	}
}

func TestSelectProtocolOfGRPC(t *testing.T) {
	if got := codec.Select("POST", "/inference.GRPCInferenceService/ModelInfer"); got.Protocol != codec.KServeGRPC {
		t.Errorf("protocol %q on a path of the service", got.Protocol)
	}
	route := codec.Select("POST", "/v2/models/m/infer")
	for contentType, grpc := range map[string]bool{
		"application/grpc": true, "Application/GRPC+proto": true, "application/grpc-web": true,
		"application/json": false, "": false,
	} {
		got := route.ForContent(contentType)
		if grpc && (got.Protocol != codec.KServeGRPC || got.Operation != codec.Deny || got.Reason != codec.RouteUnknown) {
			t.Errorf("%q: %+v", contentType, got)
		}
		if !grpc && got != route {
			t.Errorf("%q changed the route to %+v", contentType, got)
		}
	}
}

// FuzzSelect holds that an allowed path is its own canonical form, and that it
// is rebuilt from parts that no server reads in two ways.
func FuzzSelect(f *testing.F) {
	for _, path := range []string{"/v2", "/v2/models/m/versions/1/infer?x", "/v2/models/m/%69nfer", "/v2//health/live",
		"/inference.GRPCInferenceService/ModelInfer", "/v1/models/m:predict"} {
		f.Add("GET", path)
		f.Add("POST", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		route := codec.Select(method, path)
		if (route.Operation == codec.Deny) != (route.Reason != "") || (route.Operation == codec.Deny) != (route.Path == "") {
			t.Fatalf("half denied: %+v", route)
		}
		if route.Operation == codec.Deny {
			return
		}
		if again := codec.Select(method, route.Path); again != route {
			t.Fatalf("%+v selects %+v", route, again)
		}
		if !strings.HasPrefix(path, route.Path) || strings.ContainsAny(route.Path, "%?#;\\ ") {
			t.Fatalf("path %q became %q", path, route.Path)
		}
	})
}
