//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// numbersFP32 is an FP32 tensor in binary form.
func numbersFP32(values ...float32) (blob []byte) {
	for _, v := range values {
		blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(v))
	}
	return blob
}

// packed is a V2 request with its headers.
func packed(m message) (body string, header string) {
	b, n := m.encode()
	return string(b), fmt.Sprint("Inference-Header-Content-Length: ", n)
}

// datatypes is about those that have a binary form only.
func (f *features) datatypes(t *testing.T) {
	const identity, bf16 = "/v2/models/identity/infer", "/v2/models/echo_bf16/infer"
	blob := []byte{0x80, 0x3f, 0x00, 0x80, 0x01, 0x00, 0xc8, 0x42} // 1, -0, a subnormal, 100 as BF16
	for name, path := range map[string]string{"BF16": bf16, "FP16": identity} {
		in := tensor{Name: name, DataType: name, Shape: []int64{2, 2}, blob: blob}
		out := tensor{Name: "ECHO_" + name, Parameters: map[string]any{"binary_data": true}}
		all, header := packed(message{Inputs: []tensor{in}, Parameters: map[string]any{"binary_data_output": true}})
		f.same(t, path, all, header)
		named := withOutputs(message{Inputs: []tensor{in}}, out)
		f.same(t, path, named.body, named.header)
		// Nor does a client get, or give, what JSON cannot say.
		out.Parameters = nil
		named = withOutputs(message{Inputs: []tensor{in}}, out)
		if bare, _ := f.both(t, path, named.body, named.header); bare.status != bad {
			t.Errorf("%s as JSON without Weir: %v", name, bare)
		}
		f.refused(t, "datatype_invalid", path, named.body, named.header)
		unnamed, header := packed(message{Inputs: []tensor{in}})
		bare, weir := f.both(t, path, unnamed, header)
		if bare.status != bad {
			t.Errorf("%s as JSON without Weir: %v", name, bare)
		}
		wantReason(t, weir, "datatype_invalid")
		given := fmt.Sprintf(`{"inputs":[{"name":%q,"shape":[1,1],"datatype":%q,"data":[1.0]}]}`, name, name)
		if bare, _ := f.both(t, path, given); bare.status != bad {
			t.Errorf("%s from JSON without Weir: %v", name, bare)
		}
		f.refused(t, "input_data_invalid", path, given)
	}
	beyond, header := packed(message{Inputs: []tensor{{Name: "BF16", DataType: "BF16", Shape: []int64{1, 1}, blob: []byte{0xca, 0x42}}}}) // 101
	f.refused(t, "tensor_range", bf16, beyond, header)
}

// notFinite is about numbers that JSON has no word for.
func (f *features) notFinite(t *testing.T) {
	const identity = "/v2/models/identity/infer"
	for name, size := range map[string]int{"FP32": 4, "FP64": 8} {
		f.refused(t, "json_malformed", identity, fmt.Sprintf(`{"inputs":[{"name":%q,"shape":[1,1],"datatype":%q,"data":[NaN]}]}`, name, name))
		f.refused(t, "json_malformed", identity, fmt.Sprintf(`{"inputs":[{"name":%q,"shape":[1,1],"datatype":%q,"data":[-Infinity]}]}`, name, name))
		var blob []byte
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.0} {
			if size == 4 {
				blob = append(blob, numbersFP32(float32(v))...)
			} else {
				blob = binary.LittleEndian.AppendUint64(blob, math.Float64bits(v))
			}
		}
		body, header := packed(message{Inputs: []tensor{{Name: name, DataType: name, Shape: []int64{2, 2}, blob: blob}}})
		if name == "FP32" { // not_finite: reject
			f.refused(t, "tensor_not_finite", identity, body, header)
			continue
		}
		if r := f.same(t, identity, body, header); !strings.Contains(string(r.body), `"data":[NaN,Infinity,-Infinity,0.0]`) {
			t.Errorf("the answer is %v", r)
		}
	}
}

// wireRequest is a request as it is sent.
type wireRequest struct{ body, header string }

// withOutputs writes a request that names its outputs.
func withOutputs(m message, outputs ...tensor) wireRequest {
	type asked struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters,omitempty"`
	}
	head, n := m.encode()
	blob := head[n:]
	var list []asked
	for _, o := range outputs {
		list = append(list, asked{o.Name, o.Parameters})
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	body := string(head[:n-1]) + `,"outputs":` + string(text) + "}"
	return wireRequest{body + string(blob), fmt.Sprint("Inference-Header-Content-Length: ", len(body))}
}

// outputs sends random requests for some of the model's outputs, in any order and
// each in any form, with inputs in any order and form.
func (f *features) outputs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		m, outputs := randomRequest(random)
		m.ID = fmt.Sprint("client-", i)
		if len(outputs) > 0 {
			f.sameOutputs(t, m, outputs)
			continue
		}
		body, header := packed(m)
		f.same(t, "/v2/models/identity/infer", body, header)
	}
	two := `{"inputs":[{"name":"UINT8","shape":[1,1],"datatype":"UINT8","data":[1]}],"outputs":[{"name":"ECHO_UINT8"},{"name":"ECHO_UINT8","parameters":{"binary_data":true}}]}`
	f.refused(t, "output_duplicate", "/v2/models/identity/infer", two)
}

// sameOutputs sends a request that names its outputs both ways. Triton gives them in
// the order in which the model made them, Weir in that of the client; where the two
// are one, so are the bytes.
func (f *features) sameOutputs(t *testing.T, m message, outputs []tensor) {
	t.Helper()
	r := withOutputs(m, outputs...)
	bare, weir := f.both(t, "/v2/models/identity/infer", r.body, r.header)
	want, err := decode(bare)
	got, err2 := decode(weir)
	if err != nil || err2 != nil {
		t.Fatalf("%.300q\nwithout Weir: %v, %v\nwith Weir:    %v, %v", r.body, bare, err, weir, err2)
	}
	asOf := func(o tensor) int {
		return slices.IndexFunc(outputs, func(asked tensor) bool { return asked.Name == o.Name })
	}
	inOrder := slices.IsSortedFunc(want.Outputs, func(a, b tensor) int { return asOf(a) - asOf(b) })
	slices.SortFunc(want.Outputs, func(a, b tensor) int { return asOf(a) - asOf(b) })
	if !reflect.DeepEqual(got, want) || len(got.Outputs) != len(outputs) || inOrder && !bytes.Equal(bare.body, weir.body) {
		t.Errorf("%.300q\nwithout Weir: %v\nwith Weir:    %v", r.body, bare, weir)
	}
}

// randomRequest is a request for the identity model, and the outputs that it names.
func randomRequest(random *rand.Rand) (m message, outputs []tensor) {
	all := []tensor{
		{Name: "BOOL", Shape: []int64{1, 2}, Data: []any{true, false}, blob: []byte{1, 0}},
		{Name: "UINT8", Shape: []int64{2, 1}, Data: []any{0, 255}, blob: []byte{0, 255}},
		{Name: "INT16", Shape: []int64{1, 1}, Data: []any{-2}, blob: []byte{0xfe, 0xff}},
		{Name: "UINT64", Shape: []int64{1, 1}, Data: []any{uint64(math.MaxUint64)}, blob: []byte{255, 255, 255, 255, 255, 255, 255, 255}},
		{Name: "FP32", Shape: []int64{1, 3}, Data: []any{0.1, -1, 1e30}, blob: numbersFP32(0.1, -1, 1e30)},
		{Name: "FP64", Shape: []int64{1, 1}, Data: []any{0.1}, blob: binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))},
		{Name: "BYTES", Shape: []int64{3, 1}, Data: []any{"a\n\"\\", "", "é😀"}, blob: elements("a\n\"\\", "", "é😀")},
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	m.Inputs = all[:1+random.IntN(len(all))]
	for i := range m.Inputs {
		in := &m.Inputs[i]
		in.DataType = in.Name
		if random.IntN(2) == 0 {
			in.blob = nil
		} else {
			in.Data = nil
		}
	}
	if random.IntN(3) == 0 {
		m.Parameters = map[string]any{"binary_data_output": random.IntN(2) == 0}
	}
	if random.IntN(4) == 0 {
		return m, nil
	}
	for _, i := range random.Perm(len(m.Inputs))[:1+random.IntN(len(m.Inputs))] {
		out := tensor{Name: "ECHO_" + m.Inputs[i].Name}
		if k := random.IntN(3); k > 0 {
			out.Parameters = map[string]any{"binary_data": k == 1}
		}
		outputs = append(outputs, out)
	}
	return m, outputs
}
