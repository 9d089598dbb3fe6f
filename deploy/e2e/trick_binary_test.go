//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const headerLength = "Inference-Header-Content-Length: "

// binaryRequest is a request of the echo model with tensors in binary form.
func binaryRequest(inputs ...tensor) trick {
	body, jsonBytes := message{Inputs: inputs}.encode()
	return trick{body: string(body), headers: []string{fmt.Sprint(headerLength, jsonBytes)}}
}

// blobRequest is a text in binary form, whatever the blob is.
func blobRequest(shape int64, blob []byte) trick {
	return binaryRequest(tensor{Name: "TEXT", DataType: "BYTES", Shape: []int64{shape}, blob: blob})
}

// Triton reads the header with atoi. In 2.73 a number beyond an int ends the
// server; this one wraps it.
func TestTrick14HeaderLength(t *testing.T) {
	whole := blobRequest(1, elements("evil"))
	length := strings.TrimPrefix(whole.headers[0], headerLength)
	const wrapped = 1 << 32
	reads := map[string]string{"+" + length: "header_invalid", length + "abc": "header_invalid", length + ",0": "header_invalid", length + ".9": "header_invalid",
		length + " 0": "header_invalid", "beyond 32 bits": "header_invalid"}
	for value, reason := range reads {
		k := whole
		k.name, k.reads, k.reason = value, "evil", reason
		if value == "beyond 32 bits" {
			var n int
			fmt.Sscan(length, &n)
			value = fmt.Sprint(wrapped + n)
		}
		k.headers = []string{headerLength + value}
		run(t, k)
	}
	// All of these are 0 to Triton: the whole body is one tensor, and no JSON. It
	// says so because the echo model has three inputs; see row 15.
	for _, value := range []string{"-0", "abc", "", "0x10", fmt.Sprint(wrapped), "\u0661"} {
		k := whole
		k.name, k.fails, k.reason = fmt.Sprintf("%q is 0", value), bad, "header_invalid"
		k.headers = []string{headerLength + value}
		run(t, k)
		if r, _ := toTriton(t, k.wire()); !strings.Contains(string(r.body), "Raw request") {
			t.Errorf("without Weir, %q: %v", value, r)
		}
	}
	refused := func(name, reason string, fails int, headers ...string) trick {
		return trick{name: name, body: whole.body, headers: headers, fails: fails, reason: reason}
	}
	beyond := fmt.Sprint(len(whole.body) + 1)
	run(t,
		trick{name: "twice", body: whole.body, headers: append([]string{whole.headers[0]}, headerLength+"1"), reads: "evil", reason: "header_duplicate"},
		trick{name: "twice, in another case", body: whole.body, headers: append([]string{whole.headers[0]}, strings.ToLower(headerLength)+"1"), reads: "evil", reason: "header_duplicate"},
		refused("twice, 0 first", "header_duplicate", bad, headerLength+"0", whole.headers[0]),
		refused("beyond the body", "header_invalid", bad, headerLength+beyond),
		refused("eleven digits", "header_invalid", bad, headerLength+"99999999999"),
		refused("thirty digits", "header_invalid", bad, headerLength+strings.Repeat("9", 30)),
		refused("negative", "header_invalid", bad, headerLength+"-1"),
		refused("within the JSON", "json_malformed", fault, headerLength+"30"),
		refused("within the tensor", "json_malformed", fault, fmt.Sprint(headerLength, len(whole.body)-1)),
		// A leading zero changes nothing of what both read.
		trick{name: "leading zero", body: whole.body, headers: []string{headerLength + "0" + length}, reads: "evil", clean: "evil"},
	)
}

// A header length of 0 makes the body the only input of a model that has one: a
// request without JSON, which a firewall that reads JSON does not see. Weir gives
// it the name and the shape that Triton would deduce.
func TestTrick15RawBinaryRequest(t *testing.T) {
	shared.ready(t)
	picture := jpegOf(t)
	for value, reason := range map[string]string{"0": "", "-0": "header_invalid", "none": "header_invalid"} {
		t.Run(value, func(t *testing.T) {
			k := trick{path: "/v2/models/traffic-sign/infer", body: picture + "evil", headers: []string{headerLength + value}, reason: reason}
			before := countsOf(t, "traffic-sign")
			if r, _ := toTriton(t, k.wire()); r.status != http.StatusOK || !strings.Contains(string(r.body), "SCORES") {
				t.Errorf("without Weir: %v", r)
			}
			eventually(t, "an inference", func() bool { return countsOf(t, "traffic-sign") == before+1 })
			if reason != "" {
				k.withWeir(t)
				return
			}
			from := shared.tap.len()
			r, _ := shared.raw(t, k.wire())
			seen := string(shared.tap.seen(from))
			if r.status != http.StatusOK || !strings.Contains(seen, `{"name":"IMAGE","shape":[1,1],"datatype":"BYTES",`) || strings.Contains(seen, "evil") {
				t.Errorf("with Weir: %v, to the model server %.600q", r, seen)
			}
		})
	}
	run(t, trick{name: "no body", fails: bad, reason: "body_missing"})
}

// countsOf is how many rows the Triton that nothing stands before has inferred.
func countsOf(t *testing.T, model string) uint64 {
	t.Helper()
	counts, err := bareTriton(t).Counts(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	return counts.Inferences
}

func TestTrick16BinarySizesThatLie(t *testing.T) {
	blob := string(elements("evil")) // 8 bytes
	sized := func(name, size, blob string, fails int, reason string) trick {
		head := `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":` + size + `}}]}`
		return trick{name: name, body: head + blob, headers: []string{fmt.Sprint(headerLength, len(head))}, fails: fails, reason: reason}
	}
	whole := sized("right", "8", blob, 0, "")
	whole.reads, whole.clean = "evil", "evil"
	numbers := binaryRequest(tensor{Name: "FP32", DataType: "FP32", Shape: []int64{1, 2}, blob: []byte("1234")})
	numbers.name, numbers.path, numbers.fails, numbers.reason = "fewer bytes than the shape", identityInfer, bad, "binary_size_invalid"
	run(t,
		whole, numbers,
		sized("more than the body", "9", blob, bad, "binary_size_invalid"),
		sized("less than the body", "7", blob, bad, "input_data_invalid"),
		sized("none", "0", blob, bad, "input_data_invalid"),
		sized("negative", "-8", blob, fault, "binary_size_invalid"),
		sized("a fraction", "8.0", blob, fault, "binary_size_invalid"),
		sized("text", `"8"`, blob, fault, "json_malformed"),
		sized("beyond 64 bits", "18446744073709551624", blob, fault, "binary_size_invalid"),
		sized("63 bits", "9223372036854775807", blob, bad, "binary_size_invalid"),
		sized("bytes after the tensors", "8", blob+"x", bad, "binary_size_invalid"),
		sized("of a tensor in shared memory", `8,"shared_memory_region":"r","shared_memory_byte_size":8`, blob, bad, "shared_memory_denied"),
		trick{name: "beside data", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"],"parameters":{"binary_data_size":0}}]}`, fails: bad, reason: "input_data_invalid"},
		trick{name: "neither", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES"}]}`, fails: bad, reason: "input_data_invalid"},
	)
}

// Later releases of Triton accept a last element that is longer than what is left;
// this one does not.
func TestTrick17ElementsThatLie(t *testing.T) {
	const right = "\x04\x00\x00\x00evil"
	lying := func(name string, shape int64, blob string) trick {
		k := blobRequest(shape, []byte(blob))
		k.name, k.fails, k.reason = name, bad, "input_data_invalid"
		return k
	}
	run(t,
		lying("longer than what is left", 1, "\x05\x00\x00\x00evil"),
		lying("longer than memory", 1, "\xff\xff\xff\xffevil"),
		lying("shorter", 1, "\x03\x00\x00\x00evil"),
		lying("empty, and a rest", 1, "\x00\x00\x00\x00evil"),
		lying("the last of two", 2, right+"\x09\x00\x00\x00b"),
		lying("one too many", 1, right+right),
		lying("one too few", 2, right),
		lying("a length cut short", 1, "\x04\x00\x00"),
		lying("a second length cut short", 2, right+"\x04\x00"),
		lying("nothing", 1, ""),
		// With Weir the prefix is that of what was read.
		trick{name: "right", body: blobRequest(1, []byte(right)).body, headers: blobRequest(1, []byte(right)).headers, reads: "evil", clean: "evil"},
	)
}
