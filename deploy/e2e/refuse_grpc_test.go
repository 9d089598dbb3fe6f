//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"weir/filter"
)

// rpcControl is a call of anything but an inference.
type rpcControl struct {
	name, method, message string
	bare                  codes.Code // of Triton without Weir
	reason                string     // of Weir's refusal
}

// tryRPC calls each method of a Triton without Weir, in order, and through Weir.
func tryRPC(t *testing.T, controls ...rpcControl) {
	t.Helper()
	shared.ready(t)
	for _, c := range controls {
		t.Run(c.method+" "+c.name, func(t *testing.T) {
			path := c.method
			if path[0] != '/' {
				path = inferenceService + path
			}
			k := rpcTrick{path: path, message: c.message, reason: c.reason}
			if r, _ := k.toTriton(t); r.code != c.bare {
				t.Errorf("without Weir: want %v, have %+v", c.bare, r)
			}
			k.withWeir(t)
		})
	}
}

// An entry of a map from strings to messages.
func pbEntry(field protowire.Number, key, value string) string {
	return pbBytes(field, pbBytes(1, key)+pbBytes(2, value))
}

func TestSharedMemoryOverGRPC(t *testing.T) {
	key := fmt.Sprintf("/weir-e2e-rpc-%d", os.Getpid())
	path := filepath.Join("/dev/shm", key)
	if err := os.WriteFile(path, append(elements("evil"), make([]byte, 56)...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	const denied = "route_denied"
	tryRPC(t,
		rpcControl{"", "SystemSharedMemoryRegister", pbBytes(1, "g") + pbBytes(2, key) + pbVarint(4, 64), codes.OK, denied},
		rpcControl{"", "SystemSharedMemoryStatus", "", codes.OK, denied})
	region := func(field protowire.Number, more ...string) string {
		return pbEntry(field, "shared_memory_region", pbBytes(3, "g")) + pbEntry(field, "shared_memory_byte_size", pbVarint(2, 8)) + strings.Join(more, "")
	}
	output := pbBytes(6, pbBytes(1, "ECHO_TEXT")+region(2, pbEntry(2, "shared_memory_offset", pbVarint(2, 32))))
	const refused = "shared_memory_denied"
	runRPC(t,
		rpcTrick{name: "an input", message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", 1, region(4)), reads: "evil", reason: refused},
		rpcTrick{name: "an input before another one", reads: "evil", reason: refused, // which takes the first of the raw contents
			message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", 1, region(4)) + rpcInput("VALUES", "FP32", 0) + pbBytes(7, "")},
		rpcTrick{name: "an input in a stream", path: inferenceService + "ModelStreamInfer", message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", 1, region(4)), reads: "evil", reason: refused},
		rpcTrick{name: "an output", message: rpcText("leak", output), reads: "leak", reason: refused},
		rpcTrick{name: "of the request", message: rpcText("a", pbEntry(4, "shared_memory_region", pbBytes(3, "g"))), reads: "a", reason: refused},
	)
	if content, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(content[32:], elements("leak")) {
		t.Errorf("without Weir the output is not in the region: %q, %v", content, err)
	}
	tryRPC(t,
		rpcControl{"", "SystemSharedMemoryUnregister", pbBytes(1, "g"), codes.OK, denied},
		rpcControl{"all", "SystemSharedMemoryUnregister", "", codes.OK, denied},
		rpcControl{"", "CudaSharedMemoryStatus", "", codes.OK, denied},
		rpcControl{"", "CudaSharedMemoryRegister", pbBytes(1, "c") + pbBytes(2, "a") + pbVarint(4, 8), codes.InvalidArgument, denied},
		rpcControl{"", "CudaSharedMemoryUnregister", pbBytes(1, "c"), codes.OK, denied})
}

func TestControlOverGRPC(t *testing.T) {
	marker := filepath.Join(tempDir(t), "marker")
	load := pbBytes(2, "evil_rpc") + pbEntry(3, "config", pbBytes(3, evilConfig)) + pbEntry(3, "file:1/model.py", pbBytes(4, evilModel(marker)))
	const denied = "route_denied"
	tryRPC(t, rpcControl{"", "RepositoryModelLoad", load, codes.OK, denied})
	if _, err := os.Stat(marker); err != nil {
		t.Errorf("without Weir the code did not run: %v", err)
	}
	_ = os.Remove(marker)
	rpcTrick{path: inferenceService + "RepositoryModelLoad", message: load, reason: denied}.withWeir(t)
	if _, err := os.Stat(marker); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with Weir the code ran: %v", err)
	}
	tryRPC(t,
		rpcControl{"", "RepositoryIndex", "", codes.OK, denied},
		rpcControl{"ready", "RepositoryIndex", pbVarint(2, 1), codes.OK, denied},
		rpcControl{"", "RepositoryModelUnload", pbBytes(2, "evil_rpc"), codes.OK, denied},
		rpcControl{"", "ModelConfig", pbBytes(1, "echo"), codes.OK, denied},
		rpcControl{"", "ModelStatistics", pbBytes(1, "echo"), codes.OK, denied},
		rpcControl{"of all", "ModelStatistics", "", codes.OK, denied},
		rpcControl{"read", "TraceSetting", "", codes.OK, denied},
		rpcControl{"write", "TraceSetting", pbEntry(1, "trace_rate", pbBytes(1, "7")), codes.OK, denied},
		rpcControl{"read", "LogSettings", "", codes.OK, denied},
		rpcControl{"write", "LogSettings", pbEntry(1, "log_verbose_level", pbVarint(2, 0)), codes.OK, denied},
		rpcControl{"", "Evil", "", codes.Unimplemented, "route_unknown"},
		rpcControl{"", "/grpc.health.v1.Health/Watch", "", codes.Unimplemented, denied},
		rpcControl{"", "/grpc.health.v1.Health/List", "", codes.Unimplemented, denied},
		rpcControl{"", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "", codes.Unimplemented, "route_unknown"},
		rpcControl{"", "/grpc.channelz.v1.Channelz/GetServers", "", codes.Unimplemented, "route_unknown"},
		rpcControl{"of an unknown model", "ModelMetadata", pbBytes(1, "absent"), codes.NotFound, "model_unknown"},
		rpcControl{"of an unknown version", "ModelMetadata", pbBytes(1, "echo") + pbBytes(2, "2"), codes.NotFound, "model_version_unknown"},
		rpcControl{"of an unknown model", "ModelReady", pbBytes(1, "absent"), codes.OK, "model_unknown"}, // which says no
	)
}

// Without an upstream for it gRPC is refused in the form of gRPC, to grpc-go and to
// NVIDIA's client.
func TestGRPCWithoutAnUpstream(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: modelsOf(sharedConfig(""))}).ready(t)
	t.Run("grpc-go", func(t *testing.T) { refusedToGo(t, s) })
	t.Run("tritonclient", func(t *testing.T) { refusedToTritonclient(t, s) })
}

func refusedToGo(t *testing.T, s *stack) {
	connection, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for method, want := range map[string]string{"/inference.GRPCInferenceService/ModelInfer": "protocol_not_enabled", "/grpc.health.v1.Health/Check": "protocol_not_enabled",
		"/any.Service/Call": "route_unknown", echoInfer: "route_unknown"} {
		s.unmoved(t, func() {
			err := connection.Invoke(t.Context(), method, &emptypb.Empty{}, &emptypb.Empty{})
			if got := status.Convert(err); got.Code() != filter.Reason(want).Status().GRPC || !strings.HasPrefix(got.Message(), "weir: "+want+": ") {
				t.Errorf("%s: %v", method, err)
			}
		})
	}
}

func refusedToTritonclient(t *testing.T, s *stack) {
	s.unmoved(t, func() {
		out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "grpc_refused.py"), s.addr).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var calls map[string]struct{ Code, Message string }
		if err := json.Unmarshal(bytes.TrimSpace(out), &calls); err != nil || len(calls) < 8 {
			t.Fatalf("%s: %v", out, err)
		}
		for name, got := range calls {
			want := "protocol_not_enabled"
			if slices.Contains([]string{"load", "unload", "shared memory", "trace", "log"}, name) {
				want = "route_denied"
			}
			if got.Code != "StatusCode.PERMISSION_DENIED" || !strings.HasPrefix(got.Message, "weir: "+want+": ") || !strings.Contains(got.Message, "(decision ") {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}
