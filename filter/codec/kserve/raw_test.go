package kserve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

var rawHeaders = codec.Headers{{Name: headerLengthName, Value: "0"}}

// inputSignature is that of a model with one input.
func inputSignature(maxBatch int, d tensor.DataType, shape ...int64) *codec.Signature {
	if maxBatch > 0 {
		shape = append([]int64{-1}, shape...)
	}
	return &codec.Signature{Model: "m", Version: "1", MaxBatchSize: maxBatch, Inputs: []codec.Spec{{Name: "X", DataType: d, Shape: shape}}}
}

// TestRawRequests follows Normalize in infer_request.cc of Triton 2.51, which
// divides sizes without a look at what is left over: Weir refuses that.
func TestRawRequests(t *testing.T) {
	two := inputSignature(0, tensor.Uint8, -1)
	two.Inputs = append(two.Inputs, codec.Spec{Name: "Y", DataType: tensor.Uint8, Shape: []int64{1}, Optional: true})
	for _, c := range []struct {
		about     string
		signature *codec.Signature
		body      string
		want      string // shape and data, or a reason
	}{
		{"one string", inputSignature(0, tensor.Bytes, 1), "abc", `[1] "\x03\x00\x00\x00abc"`},
		{"one string, batch", inputSignature(8, tensor.Bytes, 1), "abc", `[1 1] "\x03\x00\x00\x00abc"`},
		{"one string, more dimensions", inputSignature(8, tensor.Bytes, 1, 1), "\xff", `[1 1 1] "\x01\x00\x00\x00\xff"`},
		{"strings of any number", inputSignature(0, tensor.Bytes, -1), "abc", "shape_invalid"},
		{"two strings", inputSignature(0, tensor.Bytes, 2), "abc", "shape_invalid"},
		{"numbers of any number", inputSignature(0, tensor.FP32, -1), "abcdefgh", `[2] "abcdefgh"`},
		{"numbers of any number, batch", inputSignature(8, tensor.FP32, -1), "abcdefgh", `[1 2] "abcdefgh"`},
		{"pairs of any number", inputSignature(8, tensor.Uint8, -1, 2), "abcdefgh", `[1 4 2] "abcdefgh"`},
		{"any number of pairs, the inner dimension", inputSignature(8, tensor.Uint8, 2, -1), "abcdefgh", `[1 2 4] "abcdefgh"`},
		{"a fixed number", inputSignature(8, tensor.Uint16, 2, 2), "abcdefgh", `[1 2 2] "abcdefgh"`},
		{"FP16", inputSignature(0, tensor.FP16, -1), "abcd", `[2] "abcd"`},
		{"BF16", inputSignature(0, tensor.BF16, -1), "abcd", `[2] "abcd"`},
		{"too few", inputSignature(8, tensor.Uint16, 2, 2), "abcdef", "binary_size_invalid"},
		{"too many", inputSignature(8, tensor.Uint16, 2, 2), "abcdefghij", "binary_size_invalid"},
		{"a part of an element", inputSignature(8, tensor.Uint16, -1), "abcde", "binary_size_invalid"},
		{"a part of a pair", inputSignature(8, tensor.Uint16, -1, 2), "abcdef", "binary_size_invalid"},
		{"two dimensions of any size", inputSignature(0, tensor.FP32, -1, -1), "abcd", "shape_invalid"},
		{"two inputs", two, "abcd", "signature_mismatch"},
		{"no inputs", &codec.Signature{Model: "m", Version: "1"}, "abcd", "signature_mismatch"},
	} {
		codecs := newCodec(t)
		request, err := codecs.DecodeRequest(inferRoute, rawHeaders, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := codecs.EncodeRequest(request, nil); err == nil {
			t.Errorf("%s: sent before it was bound: %q", c.about, m.Body)
		}
		err = codecs.BindRequest(request, c.signature)
		if err == nil {
			err = c.signature.MatchRequest(request)
		}
		if err != nil {
			if got := reasonOf(t, err); got != c.want {
				t.Errorf("%s: %v, want %s", c.about, err, c.want)
			}
			continue
		}
		in := request.Inputs[0]
		if got := fmt.Sprintf("%v %q", in.Shape, in.Data); got != c.want || in.Name != "X" || !request.Binary {
			t.Errorf("%s: %s, want %s", c.about, got, c.want)
		}
		m, err := codecs.EncodeRequest(request, nil)
		if err != nil {
			t.Fatal(err)
		}
		upstream, _, err := readAsTriton(m.Headers, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameRequest(request, upstream); err != nil {
			t.Errorf("%s: Triton reads another message: %v", c.about, err)
		}
	}
}

func TestRawRequestHeaders(t *testing.T) {
	c := newCodec(t)
	for value, want := range map[string]string{"0": "ok", "00": "header_invalid", "-0": "header_invalid", "+0": "header_invalid",
		"": "header_invalid", "0x0": "header_invalid", "abc": "header_invalid", " 0": "header_invalid", "0,0": "header_invalid"} {
		_, err := c.DecodeRequest(inferRoute, codec.Headers{{Name: headerLengthName, Value: value}}, []byte(`{"inputs":[]}`))
		if got := reasonOf(t, err); got != want {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
	_, err := c.DecodeRequest(inferRoute, rawHeaders, nil)
	if got := reasonOf(t, err); got != "body_missing" {
		t.Errorf("no body: %v", err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, strings.Repeat("a", 100))
	w.Close()
	request, err := c.DecodeRequest(inferRoute, append(rawHeaders, codec.Header{Name: "content-encoding", Value: "gzip"}), packed.Bytes())
	if err != nil || string(request.Inputs[0].Data) != strings.Repeat("a", 100) {
		t.Errorf("gzip: %+v, %v", request, err)
	}
}

func TestRawRequestLimits(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxElements = 4
	c, err := NewHTTP(limits)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{"abcd": "ok", "abcde": "shape_invalid"} {
		request, err := c.DecodeRequest(inferRoute, rawHeaders, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.BindRequest(request, inputSignature(0, tensor.Uint8, -1)); reasonOf(t, err) != want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
}

// FuzzRaw holds that what Triton reads of a raw request that Weir has written out
// is what it would have made of the bytes itself.
func FuzzRaw(f *testing.F) {
	f.Add([]byte("abcdefgh"), uint8(tensor.FP32), false, int64(-1), int64(2))
	f.Add([]byte("abcdefgh"), uint8(tensor.Bytes), true, int64(1), int64(1))
	f.Add([]byte("abc"), uint8(tensor.Uint16), true, int64(3), int64(-1))
	f.Fuzz(func(t *testing.T, body []byte, datatype uint8, batches bool, d0, d1 int64) {
		if d0 < -1 || d1 < -1 || datatype == 0 || datatype > uint8(tensor.BF16) || len(body) == 0 {
			return
		}
		c := newCodec(t)
		signature := inputSignature(btoi(batches), tensor.DataType(datatype), d0, d1)
		request, err := c.DecodeRequest(inferRoute, rawHeaders, body)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.BindRequest(request, signature); reasonOf(t, err) != "ok" {
			return
		}
		if err := signature.MatchRequest(request); err != nil {
			t.Fatalf("bound to what the model does not take: %v", err)
		}
		m, err := c.EncodeRequest(request, nil)
		if err != nil {
			t.Fatal(err)
		}
		upstream, _, err := readAsTriton(m.Headers, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		want := tritonRaw(signature, body)
		if err := sameRequest(upstream, &codec.Request{Inputs: []codec.Input{{Tensor: want}}}); err != nil {
			t.Fatal(err)
		}
	})
}

// tritonRaw is Normalize of infer_request.cc, written apart.
func tritonRaw(s *codec.Signature, body []byte) tensor.Tensor {
	spec := s.Inputs[0]
	in := tensor.Tensor{Name: spec.Name, DataType: spec.DataType, Data: body}
	dims, axis, count := spec.Shape, -1, int64(1)
	if s.MaxBatchSize != 0 {
		in.Shape, dims = append(in.Shape, 1), dims[1:]
	}
	for _, d := range dims {
		if d == -1 {
			axis = len(in.Shape)
		} else {
			count *= d
		}
		in.Shape = append(in.Shape, d)
	}
	if spec.DataType == tensor.Bytes {
		in.Data = tensor.AppendElement(nil, body)
	} else if axis >= 0 {
		in.Shape[axis] = int64(len(body)) / count / int64(spec.DataType.Size())
	}
	return in
}
