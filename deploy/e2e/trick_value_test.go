//go:build e2e

package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Triton's API takes names as C strings, which end at a NUL. The halves of gRPC
// are in TestTrick08NULInNamesOverGRPC.
func TestTrick08NULInNames(t *testing.T) {
	run(t,
		trick{name: "input", body: `{"inputs":[{"name":"TEXT\u0000x","shape":[1],"datatype":"BYTES","data":["evil"]}]}`, reads: "evil", reason: "name_invalid"},
		trick{name: "datatype", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES\u0000x","data":["evil"]}]}`, reads: "evil", reason: "datatype_invalid"},
		trick{name: "output", body: `{"inputs":[` + textInput(`"evil"`) + `],"outputs":[{"name":"ECHO_TEXT\u0000x"}]}`, reads: "evil", reason: "name_invalid"},
		trick{name: "parameter", body: `{"parameters":{"note\u0000x":"evil"},"inputs":[` + goodInput + `]}`, fails: fault, reason: "name_invalid"},
		trick{name: "value of a parameter", body: `{"parameters":{"note":"evil\u0000x"},"inputs":[` + goodInput + `]}`, reads: "a", reason: "parameter_invalid"},
		trick{name: "raw", body: "{\"inputs\":[{\"name\":\"TEXT\x00x\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"evil\"]}]}", fails: fault, reason: "json_malformed"},
		trick{name: "control characters", body: `{"inputs":[{"name":"TEXT\u0007","shape":[1],"datatype":"BYTES","data":["a"]}]}`, fails: bad, reason: "name_invalid"},
	)
	for id, seen := range map[string]string{`evil\u0000x`: "evil", `evil\nINFO forged`: "evil\nINFO forged", `evil\u009b31m`: "evil\u009b31m"} {
		t.Run("id "+id, func(t *testing.T) {
			k := trick{body: `{"id":"` + id + `","inputs":[` + goodInput + `]}`, reason: "name_invalid"}
			if r, got := toTriton(t, k.wire()); r.status != http.StatusOK || len(got) != 1 || got[0].ID != seen {
				t.Errorf("without Weir: want the id %q; have %v, %+v", seen, r, got)
			}
			k.withWeir(t)
		})
	}
}

func TestTrick09NotANumber(t *testing.T) {
	const quiet = "\x00\x00\xc0\x7f"
	for token, reads := range map[string]string{"NaN": quiet, "-NaN": quiet, "Infinity": "\x00\x00\x80\x7f", "Inf": "\x00\x00\x80\x7f",
		"-Infinity": "\x00\x00\x80\xff", "-Inf": "\x00\x00\x80\xff"} {
		run(t, trick{name: token, path: identityInfer, body: numbers("FP32", "1,1", token), reads: reads, reason: "json_malformed"})
	}
	for token, reason := range map[string]string{"nan": "input_data_invalid", "+Infinity": "json_malformed", "inf": "json_malformed", `"NaN"`: "input_data_invalid"} {
		run(t, trick{name: token, path: identityInfer, body: numbers("FP32", "1,1", token), fails: fault, reason: reason})
	}
	// In binary form it is the policy that decides: a tensor takes none, what is
	// opaque is not looked at.
	tensor := binaryRequest(tensor{Name: "VALUES", DataType: "FP32", Shape: []int64{1, 1}, blob: []byte(quiet)})
	tensor.name, tensor.path, tensor.reads, tensor.reason = "binary, a tensor", "/v2/models/echo_batch/infer", quiet, "tensor_not_finite"
	opaque := binaryRequest(named("FP32", quiet))
	opaque.name, opaque.path, opaque.reads, opaque.clean = "binary, opaque", identityInfer, quiet, quiet
	run(t, tensor, opaque)
}

// named is a tensor of the identity model with one element.
func named(datatype, blob string) tensor {
	return tensor{Name: datatype, DataType: datatype, Shape: []int64{1, 1}, blob: []byte(blob)}
}

// Triton keeps the low bytes of integers and has its own ways with numbers.
func TestTrick10NumbersThatDoNotFit(t *testing.T) {
	number := func(name, datatype, token string) trick {
		return trick{name: name, path: identityInfer, body: numbers(datatype, "1,1", token)}
	}
	wraps := func(datatype, token, reads string) trick {
		k := number(token+" as "+datatype, datatype, token)
		k.reads, k.reason = reads, "number_out_of_range"
		return k
	}
	fails := func(name, datatype, token, reason string) trick {
		k := number(name, datatype, token)
		k.fails, k.reason = fault, reason
		return k
	}
	run(t,
		wraps("UINT8", "300", "\x2c"),
		wraps("INT8", "200", "\xc8"),
		wraps("UINT16", "65536", "\x00\x00"),
		wraps("INT32", "4294967297", "\x01\x00\x00\x00"),
		wraps("UINT32", "4294967296", "\x00\x00\x00\x00"),
		wraps("FP32", "3.5e38", "\x00\x00\x80\x7f"),
		fails("-1 as UINT8", "UINT8", "-1", "number_out_of_range"),
		fails("2^63 as INT64", "INT64", "9223372036854775808", "number_out_of_range"),
		fails("2^64 as UINT64", "UINT64", "18446744073709551616", "number_out_of_range"),
		fails("1e400", "FP64", "1e400", "number_out_of_range"),
		fails("310 digits", "FP64", strings.Repeat("9", 310), "json_too_large"),
		fails("1.0 as INT32", "INT32", "1.0", "input_data_invalid"),
		fails("1e1 as INT32", "INT32", "1e1", "input_data_invalid"),
		fails("1 as BOOL", "BOOL", "1", "input_data_invalid"),
		fails("text as FP32", "FP32", `"1"`, "input_data_invalid"),
		fails("a number as BYTES", "BYTES", "1", "input_data_invalid"),
		fails("null", "INT32", "null", "input_data_invalid"),
		trick{name: "beyond the policy", path: "/v2/models/echo_batch/infer", reads: "\x00\x40\x7a\x44", reason: "tensor_range",
			body: `{"inputs":[{"name":"VALUES","shape":[1,1],"datatype":"FP32","data":[1001]}]}`},
	)
	t.Run("FP16", func(t *testing.T) { // which has no form in JSON
		k := number("", "FP16", "1")
		k.fails, k.reason = bad, "input_data_invalid"
		k.withoutWeir(t)
		k.withWeir(t)
	})
	// These mean the same to both: an integer without a sign, and a number below all.
	for _, token := range []string{"-0", "1e-400"} {
		zero := number(token, "FP64", token)
		zero.reads = strings.Repeat("\x00", 8)
		zero.clean = zero.reads
		run(t, zero)
	}
}

// Triton counts the elements of nested data and does not look how they nest.
func TestTrick13DataThatNestsOtherwise(t *testing.T) {
	const six = "\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00"
	for name, data := range map[string]string{"ragged": "[1],[2,3,4,5,6]", "transposed": "[1,2],[3,4],[5,6]",
		"deeper": "[[1,2,3],[4,5,6]]", "empty arrays": "[],[1,2,3],[4,5,6],[]", "arrays and numbers": "1,[2,3,4,5],6"} {
		run(t, trick{name: name, path: identityInfer, body: numbers("INT32", "2,3", data), reads: six, reason: "input_data_invalid"})
	}
	run(t,
		trick{name: "as the shape", path: identityInfer, body: numbers("INT32", "2,3", "[1,2,3],[4,5,6]"), reads: six, clean: six},
		trick{name: "flat", path: identityInfer, body: numbers("INT32", "2,3", "1,2,3,4,5,6"), reads: six, clean: six},
		trick{name: "too few", path: identityInfer, body: numbers("INT32", "1,2", "1"), fails: fault, reason: "input_data_invalid"},
		trick{name: "too many", path: identityInfer, body: numbers("INT32", "1,1", "1,2"), fails: fault, reason: "input_data_invalid"},
		trick{name: "too many strings", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["good","evil"]}]}`, fails: bad, reason: "input_data_invalid"},
		trick{name: "too few strings", body: `{"inputs":[{"name":"TEXT","shape":[2],"datatype":"BYTES","data":["good"]}]}`, fails: bad, reason: "input_data_invalid"},
		trick{name: "no array", path: identityInfer, body: `{"inputs":[{"name":"INT32","shape":[1,1],"datatype":"INT32","data":7}]}`, fails: fault, reason: "json_malformed"},
		trick{name: "more than a shape of none", path: identityInfer, body: numbers("INT32", "0,1", "7"), reads: "", reason: "input_data_invalid"},
		trick{name: "a shape that is negative", path: identityInfer, body: numbers("INT32", "-1,1", "1"), fails: fault, reason: "shape_invalid"},
		trick{name: "a shape of fractions", path: identityInfer, body: numbers("INT32", "1.0,1", "1"), fails: fault, reason: "shape_invalid"},
	)
	// Triton multiplies without looking, and then waits for -2 bytes.
	overflow := binaryRequest(tensor{Name: "UINT8", DataType: "UINT8", Shape: []int64{1<<63 - 1, 2}, blob: []byte("ab")})
	overflow.name, overflow.path, overflow.fails, overflow.reason = "a shape that overflows", identityInfer, bad, "shape_invalid"
	run(t, overflow)
	if r, _ := toTriton(t, overflow.wire()); !strings.Contains(string(r.body), "Expected -2, got 2") {
		t.Errorf("without Weir: %v", r)
	}
}
