//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"weir/deploy/local"
)

// The differences from Triton that NVIDIA's own examples and tests show
// (conformance.md names the tests of each) are held beside what they are about; here
// are those that need the models of the examples and tests, or are about nothing else.

// Triton runs a model whose inputs are all optional without any. To Weir that is
// nothing to judge.
func TestRequestsWithoutInputs(t *testing.T) {
	shared.ready(t)
	k := trick{body: `{"inputs":[]}`, reason: "input_data_invalid"}
	if r, got := toTriton(t, k.wire()); r.status != http.StatusOK || len(got) != 1 || len(got[0].Inputs) != 0 {
		t.Errorf("without Weir: %v, %+v", r, got)
	}
	k.withWeir(t)

	rpc := rpcTrick{message: pbBytes(1, "echo"), reason: "input_data_invalid"}
	if r, got := rpc.toTriton(t); r.code != codes.OK || len(got) != 1 || len(got[0].Inputs) != 0 {
		t.Errorf("over gRPC, without Weir: %+v, %+v", r, got)
	}
	rpc.withWeir(t)
}

// Servers disagree on whether my_header is my-header, so Envoy refuses such names; Triton
// takes them.
func TestHeadersWithUnderscores(t *testing.T) {
	shared.ready(t)
	const header = "my_header: x"
	k := trick{body: good, headers: []string{header}}
	if r, got := toTriton(t, k.wire()); r.status != http.StatusOK || len(got) != 1 {
		t.Errorf("without Weir: %v, %+v", r, got)
	}
	rpc := rpcTrick{message: rpcText("a"), headers: []string{header}}
	if r, got := rpc.toTriton(t); r.code != codes.OK || len(got) != 1 {
		t.Errorf("over gRPC, without Weir: %+v, %+v", r, got)
	}
	shared.unmoved(t, func() {
		if r, answered := shared.raw(t, k.wire()); answered && r.status != bad {
			t.Errorf("with Weir: %v", r)
		}
		if r := rpc.send(t, shared.addr); r.code != noStatus || r.header != nil {
			t.Errorf("over gRPC, with Weir: %+v", r)
		}
	})
}

// Requests of NVIDIA's tests for which Weir has another answer than Triton.
func TestRequestsOfTheConformanceTests(t *testing.T) {
	server := conformanceTriton(t, nil, "onnx_zero_1_object", "onnx_zero_1_float16", "onnx_zero_3_float32", "simple_sequence")
	s := private(t, stackOptions{upstream: server.HTTP, config: `models:
  - {name: onnx_zero_1_object, inputs: {INPUT0: {kind: text}}}
  - {name: onnx_zero_1_float16, inputs: {INPUT0: {kind: tensor}}}
  - {name: onnx_zero_3_float32, inputs: {INPUT0: {kind: tensor}, INPUT1: {kind: tensor}, INPUT2: {kind: tensor}}}
  - {name: simple_sequence, inputs: {INPUT: {kind: tensor}}}
`}).ready(t)
	const isRaw = "Inference-Header-Content-Length: 0"
	for _, test := range []struct {
		model, body, header string
		triton              int    // status without Weir
		words               string // of Triton's
		reason              string
	}{
		{"onnx_zero_1_object", "427", isRaw, bad, "must have input shape [1]", "shape_invalid"},
		{"onnx_zero_1_float16", "\x00\x3c\x00\x3c", isRaw, bad, "can not be deduced", "shape_invalid"},
		{"onnx_zero_3_float32", string(numbersFP32(1, 2, 3)), isRaw, bad, "must only have 1 input", "signature_mismatch"},
		{"simple_sequence", `{"inputs":[{"name":"INPUT","shape":[1,1],"datatype":"INT32","data":[3]}],"parameters":{"sequence_id":7,"sequence_start":true}}`,
			"Accept: */*", http.StatusOK, `"data":[4]`, "parameter_not_allowed"},
		{"wrong_model_name", good, "Accept: */*", http.StatusNotFound, "unknown model", "model_unknown"},
	} {
		path := "/v2/models/" + test.model + "/infer"
		direct, err := (&stack{addr: server.HTTP}).send(client, http.MethodPost, path, strings.NewReader(test.body), test.header)
		if err != nil {
			t.Fatal(err)
		}
		if direct.status != test.triton || !strings.Contains(string(direct.body), test.words) {
			t.Errorf("%s, without Weir: %v", test.model, direct)
		}
		before := s.tap.len()
		wantReason(t, s.post(t, path, test.body, test.header), test.reason)
		if after := s.tap.len(); after != before {
			t.Errorf("%s: bytes went to the model server: %q", test.model, s.tap.seen(before))
		}
	}
}

// A model whose tensors have another rank than its configuration says: Triton passes them
// on.
func TestAnswersOfTheConformanceModels(t *testing.T) {
	server := conformanceTriton(t, nil, "init_args")
	s := private(t, stackOptions{upstream: server.HTTP, grpc: server.GRPC, config: `models:
  - {name: init_args, inputs: {IN: {kind: tensor}}}
`}).ready(t)
	const path, body = "/v2/models/init_args/infer", `{"inputs":[{"name":"IN","shape":[1,1],"datatype":"FP32","data":[1]}]}`
	direct, err := (&stack{addr: server.HTTP}).send(client, http.MethodPost, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if direct.status != http.StatusOK || !strings.Contains(string(direct.body), `"shape":[1],"data":[7.0]`) {
		t.Errorf("without Weir: %v", direct)
	}
	wantReason(t, s.post(t, path, body), "response_malformed")

	rpc := rpcTrick{message: pbBytes(1, "init_args") +
		pbBytes(5, pbBytes(1, "IN")+pbBytes(2, "FP32")+pbBytes(3, "\x01\x01")) + pbBytes(7, string(numbersFP32(1)))}
	if r := rpc.send(t, server.GRPC); r.code != codes.OK || !strings.Contains(r.body, string(numbersFP32(7))) {
		t.Errorf("over gRPC, without Weir: %+v", r)
	}
	wantRPCReason(t, rpc.send(t, s.addr), "response_malformed")
}

// A Triton that opens its endpoints by a key in a header has it from no client: what is
// open is said by the policy. Weir has no key either, so models behind one are not ready.
func TestKeysOfTriton(t *testing.T) {
	server := conformanceTriton(t, []string{"--http-restricted-api=model-repository:admin-key=admin-value",
		"--http-restricted-api=inference,metadata:infer-key=infer-value"}, "simple_int8")
	s := private(t, stackOptions{upstream: server.HTTP, config: `models:
  - {name: simple_int8, inputs: {INPUT0: {kind: tensor}, INPUT1: {kind: tensor}}}
`})
	const row = `"shape":[1,16],"datatype":"INT8","data":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}`
	const infer, key = "infer-key: infer-value", "admin-key: admin-value"
	for _, test := range []struct {
		method, path, body, key string
		triton                  int    // status with the key, without Weir
		weir                    int    // status with the key
		reason                  string // "": the answer is Triton's
	}{
		{http.MethodPost, "/v2/models/simple_int8/infer", `{"inputs":[{"name":"INPUT0",` + row + `,{"name":"INPUT1",` + row + `]}`, infer,
			http.StatusOK, http.StatusServiceUnavailable, "upstream_not_ready"},
		{http.MethodPost, "/v2/repository/models/simple_int8/unload", "", key, http.StatusOK, http.StatusForbidden, "route_denied"},
		{http.MethodGet, "/v2", "", infer, http.StatusOK, http.StatusForbidden, ""},
	} {
		without, err := (&stack{addr: server.HTTP}).send(client, test.method, test.path, strings.NewReader(test.body))
		if err != nil || without.status != http.StatusForbidden || !strings.Contains(string(without.body), "This API is restricted") {
			t.Errorf("%s, without Weir and the key: %v, %v", test.path, without, err)
		}
		before := s.tap.len()
		r, err := s.send(client, test.method, test.path, strings.NewReader(test.body), test.key)
		if err != nil {
			t.Fatal(err)
		}
		if test.reason != "" {
			wantRefused(t, r, test.weir, test.reason)
		} else if r.status != test.weir || string(r.body) != string(without.body) {
			t.Errorf("%s: %v, want what Triton says without the key", test.path, r)
		}
		if got := s.tap.seen(before); strings.Contains(string(got), "-value") {
			t.Errorf("%s: the key went to the model server: %q", test.path, got)
		}
		with, err := (&stack{addr: server.HTTP}).send(client, test.method, test.path, strings.NewReader(test.body), test.key)
		if err != nil || with.status != test.triton {
			t.Errorf("%s, without Weir: %v, %v", test.path, with, err)
		}
	}
}

// conformanceTriton serves models of the folder deploy/local/conformance/models.
func conformanceTriton(t *testing.T, args []string, models ...string) *local.Triton {
	t.Helper()
	server, err := local.StartTriton(t.Context(), deps, local.TritonOptions{
		Repository: filepath.Join(deps.Root, "deploy", "local", "conformance", "models"),
		Models:     models,
		LogDir:     tempDir(t),
		Args:       args,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server
}
