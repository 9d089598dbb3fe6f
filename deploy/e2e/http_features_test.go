//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"weir/deploy/local"
)

// features is a Triton with models for all that the protocol over HTTP can ask for,
// and a stack before it.
type features struct {
	triton *local.Triton
	*stack
}

// TestHTTPFeatures sends the same requests to Triton and through Envoy and Weir.
// What both let through must be the same to the client.
func TestHTTPFeatures(t *testing.T) {
	triton, err := local.StartTriton(t.Context(), deps, local.TritonOptions{LogDir: tempDir(t),
		Models: []string{"echo", "echo_raw", "echo_bf16", "identity", "classes", "classes_flat", "traffic-sign", "mock_llm"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := triton.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	f := &features{triton, private(t, stackOptions{upstream: triton.HTTP, config: featuresConfig()}).ready(t)}
	t.Run("raw", f.raw)
	t.Run("classification", f.classification)
	t.Run("parameters", f.parameters)
	t.Run("datatypes", f.datatypes)
	t.Run("not finite", f.notFinite)
	t.Run("outputs", f.outputs)
	t.Run("generate", f.generate)
	t.Run("generate_stream", f.generateStream)
}

func featuresConfig() string {
	identity := ""
	for _, name := range strings.Fields("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BYTES") {
		identity += fmt.Sprintf("      %s: {kind: opaque}\n", name)
	}
	return fmt.Sprintf(`models:
  - name: echo
    parameters: [sequence_id, sequence_start, sequence_end, priority, timeout, note]
    inputs:
      IMAGE: {kind: image}
      TEXT: {kind: text}
  - name: echo_raw
    inputs:
      VALUES: {kind: tensor, max: 100}
  - name: echo_bf16
    inputs:
      BF16: {kind: tensor, max: 100}
  - name: identity
    inputs:
      FP32: {kind: tensor}
      FP64: {kind: tensor, not_finite: allow}
%s  - name: classes
    inputs:
      FP32: {kind: opaque}
      FP64: {kind: opaque}
      INT8: {kind: opaque}
      UINT64: {kind: opaque}
  - name: classes_flat
    inputs:
      FP32: {kind: opaque}
      FP64: {kind: opaque}
      BYTES: {kind: opaque}
    outputs:
      ECHO_FP32: {kind: probabilities}
    checks:
      - {name: sure, output: ECHO_FP32, min_confidence: 0.4}
  - name: traffic-sign
    inputs:
      IMAGE: {kind: image}
    outputs:
      SCORES: {kind: probabilities, labels: %s}
  - name: mock_llm
    parameters: [temperature, seed]
    inputs:
      text_input: {kind: text}
      stream: {kind: opaque}
      bias: {kind: tensor, max: 100}
    outputs:
      scores: {kind: probabilities}
    checks:
      - {name: sure, output: scores, min_confidence: 0.6}
`, identity, filepath.Join(deps.Models, "traffic-sign", "labels.txt"))
}

// both sends a request to Triton, and through Envoy and Weir.
func (f *features) both(t *testing.T, path, body string, headers ...string) (bare, weir reply) {
	t.Helper()
	direct := &stack{addr: f.triton.HTTP}
	return direct.post(t, path, body, headers...), f.post(t, path, body, headers...)
}

// same sends a request both ways, wants the same answer and returns it.
func (f *features) same(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	bare, weir := f.both(t, path, body, headers...)
	if bare.status != http.StatusOK || weir.status != http.StatusOK || !bytes.Equal(bare.body, weir.body) {
		t.Errorf("%.300q\nwithout Weir: %v\nwith Weir:    %v", body, bare, weir)
	}
	for _, name := range []string{"Content-Type", "Inference-Header-Content-Length"} {
		if bare.header.Get(name) != weir.header.Get(name) {
			t.Errorf("%.300q\n%s without Weir: %q, with Weir: %q", body, name, bare.header.Get(name), weir.header.Get(name))
		}
	}
	return weir
}

// refused sends a request through Envoy and Weir and wants it refused before the
// model server gets anything of it.
func (f *features) refused(t *testing.T, reason, path, body string, headers ...string) {
	t.Helper()
	before := f.tap.len()
	wantReason(t, f.post(t, path, body, headers...), reason)
	if seen := f.tap.seen(before); len(seen) > 0 {
		t.Errorf("%.300q: the model server got %.300q", body, seen)
	}
}

// last is what an echo model got last.
func (f *features) last(t *testing.T) local.Received {
	t.Helper()
	all := receivedBy(t, f.triton)
	if len(all) == 0 {
		t.Fatal("no model got anything")
	}
	return all[len(all)-1]
}

// raw is about bodies without JSON.
func (f *features) raw(t *testing.T) {
	const isRaw = "Inference-Header-Content-Length: 0"
	const values, sign = "/v2/models/echo_raw/infer", "/v2/models/traffic-sign/infer"
	pairs := string(numbersFP32(1, 2, 3, 4, 5, 6))
	f.same(t, values, pairs, isRaw)
	want := local.ReceivedInput{Name: "VALUES", Datatype: "FP32", Shape: []int64{1, 3, 2}, Bytes: []int64{24}, SHA256: []string{digest(pairs)}}
	if got := f.last(t); len(got.Inputs) != 1 || !reflect.DeepEqual(got.Inputs[0], want) {
		t.Errorf("the model got %+v, want %+v", got, want)
	}
	f.same(t, values, gzipped(pairs), isRaw, "Content-Encoding: gzip")
	f.same(t, sign, jpegOf(t), isRaw)
	if bare, weir := f.both(t, sign, "no picture", isRaw); bare.status != bad {
		t.Errorf("without Weir: %v", bare)
	} else {
		wantReason(t, weir, "image_format_unknown")
	}
	f.refused(t, "tensor_range", values, string(numbersFP32(1, 101)), isRaw)
	f.refused(t, "binary_size_invalid", values, pairs[:12], isRaw)
	f.refused(t, "binary_size_invalid", values, pairs[:23], isRaw)
	f.refused(t, "header_invalid", values, pairs, "Inference-Header-Content-Length: 00")
	f.refused(t, "header_invalid", values, pairs, "Inference-Header-Content-Length: abc")
	f.refused(t, "body_missing", values, "", isRaw)
	f.refused(t, "signature_mismatch", echoInfer, good, isRaw) // several inputs
}

// classification is about outputs as classes, of which Weir checks the tensor.
func (f *features) classification(t *testing.T) {
	ask := func(input, output, parameters string) string {
		return `{"inputs":[` + input + `],"outputs":[{"name":"` + output + `","parameters":{` + parameters + `}}]}`
	}
	const batched, flat = "/v2/models/classes/infer", "/v2/models/classes_flat/infer"
	fp32 := `{"name":"FP32","shape":[2,5],"datatype":"FP32","data":[0.1,0.5,0.2,0.15,0.05,-1e30,3.4e38,1e-7,-0.0,7]}`
	fp64 := `{"name":"FP64","shape":[1,3],"datatype":"FP64","data":[1e300,-1e300,0.123456789]}`
	int8 := `{"name":"INT8","shape":[3,5],"datatype":"INT8","data":[-128,127,0,1,-1,1,1,1,1,1,5,4,3,2,1]}`
	uint64 := `{"name":"UINT64","shape":[1,2,2],"datatype":"UINT64","data":[1,18446744073709551615,3,9007199254740993]}`
	sure := `{"name":"FP32","shape":[5],"datatype":"FP32","data":[0.1,0.5,0.2,0.15,0.05]}`
	for _, form := range []string{"", `"binary_data":true,`} {
		for _, n := range []string{"1", "3", "5", "1000"} {
			classes := form + `"classification":` + n
			f.same(t, batched, ask(fp32, "ECHO_FP32", classes))
			f.same(t, batched, ask(fp64, "ECHO_FP64", classes))
			f.same(t, batched, ask(int8, "ECHO_INT8", classes))
			f.same(t, batched, ask(uint64, "ECHO_UINT64", classes))
			f.same(t, flat, ask(sure, "ECHO_FP32", classes))
		}
	}
	two := strings.Replace(int8, `[3,5],"datatype":"INT8","data":[-128,127,0,1,-1,`, `[2,5],"datatype":"INT8","data":[`, 1)
	f.same(t, batched, `{"inputs":[`+fp32+`,`+two+`],"outputs":[{"name":"ECHO_FP32","parameters":{"classification":2,"binary_data":true}},{"name":"ECHO_INT8"}]}`)
	// Of a check Weir gets to see all classes, whatever the client gets.
	unsure := `{"name":"FP32","shape":[5],"datatype":"FP32","data":[0.2,0.2,0.2,0.2,0.2]}`
	for _, parameters := range []string{`"classification":1`, `"classification":5`, `"binary_data":true`} {
		bare, weir := f.both(t, flat, ask(unsure, "ECHO_FP32", parameters))
		if bare.status != http.StatusOK {
			t.Errorf("without Weir: %v", bare)
		}
		wantReason(t, weir, "low_confidence")
	}
	// Some of these end Triton.
	f.refused(t, "signature_mismatch", flat, ask(`{"name":"BYTES","shape":[1],"datatype":"BYTES","data":["a"]}`, "ECHO_BYTES", `"classification":1`))
	f.refused(t, "signature_mismatch", flat, ask(`{"name":"FP64","shape":[0,2],"datatype":"FP64","data":[]}`, "ECHO_FP64", `"classification":1`))
	f.refused(t, "parameter_invalid", flat, ask(sure, "ECHO_FP32", `"classification":4294967296`))
	f.refused(t, "parameter_invalid", flat, ask(sure, "ECHO_FP32", `"classification":"3"`))
}

// parameters is about those that Triton acts on, and those that a model gets.
func (f *features) parameters(t *testing.T) {
	ask := func(parameters string) string {
		return `{"parameters":{` + parameters + `},"inputs":[` + goodInput + `]}`
	}
	for _, test := range []struct {
		parameters string
		want       local.Received
	}{
		{`"note":"x"`, local.Received{Parameters: map[string]any{"note": "x"}}},
		{`"note":-9223372036854775808`, local.Received{Parameters: map[string]any{"note": -9223372036854775808.0}}},
		{`"note":0.5`, local.Received{Parameters: map[string]any{"note": 0.5}}},
		{`"note":false`, local.Received{Parameters: map[string]any{"note": false}}},
		{`"sequence_id":7,"sequence_start":true`, local.Received{SequenceID: 7.0, Flags: 1}},
		{`"sequence_id":"seven","sequence_start":false,"sequence_end":true`, local.Received{SequenceID: "seven", Flags: 2}},
		{`"sequence_start":true,"sequence_end":true`, local.Received{Flags: 3}},
		{`"timeout":1000000,"priority":0`, local.Received{Timeout: 1000000}},
		{`"priority":18446744073709551615`, local.Received{}},
	} {
		f.same(t, echoInfer, ask(test.parameters))
		got := f.last(t)
		if test.want.Parameters == nil {
			test.want.Parameters = map[string]any{}
		}
		got = local.Received{Parameters: got.Parameters, SequenceID: got.SequenceID, Flags: got.Flags, Timeout: got.Timeout}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: the model got %+v, want %+v", test.parameters, got, test.want)
		}
	}
	for parameters, reason := range map[string]string{
		`"sequence_id":-1`: "parameter_invalid", `"sequence_id":true`: "parameter_invalid", `"sequence_start":1`: "parameter_invalid",
		`"priority":-1`: "parameter_invalid", `"timeout":"1"`: "parameter_invalid", `"timeout":1.5`: "parameter_invalid",
		`"note":9223372036854775808`: "number_out_of_range", // a float64 to the model
		`"note":[1]`:                 "parameter_invalid", `"evil":1`: "parameter_not_allowed", `"triton_x":1`: "parameter_invalid",
	} {
		f.refused(t, reason, echoInfer, ask(parameters))
	}
}
