//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// refusal is a request that must not reach the model server.
type refusal struct {
	name    string
	method  string // POST if empty
	path    string // an inference of the echo model if empty
	body    string // no body if empty
	headers []string
	status  int
	reason  string
}

// text puts an input list around the data of one text; the rest is the client's.
func text(data string) string {
	return `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":[` + data + `]}]}`
}

// numbers is a request for the identity model.
func numbers(datatype, data string) string {
	return fmt.Sprintf(`{"inputs":[{"name":%q,"shape":[1,1],"datatype":%q,"data":[%s]}]}`, datatype, datatype, data)
}

const (
	good          = `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"]}]}`
	goodInput     = `{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"]}`
	identityInfer = "/v2/models/identity/infer"
	bad           = http.StatusBadRequest
	forbidden     = http.StatusForbidden
	tooLarge      = http.StatusRequestEntityTooLarge
)

// Requests that servers read differently, or that ask for what is closed.
func differentials() []refusal {
	return slices.Concat(trickyJSON(), trickyNames(), trickyNumbers(), trickyBinary(), trickyCodings(), closedFeatures(), trickyPaths())
}

// JSON that parsers read differently.
func trickyJSON() []refusal {
	return []refusal{
		{name: "duplicate key", body: `{"inputs":[],"inputs":[` + goodInput + `]}`, status: bad, reason: "json_duplicate_key"},
		{name: "duplicate key, escaped", body: `{"inputs":[` + goodInput + `],"\u0069nputs":[` + goodInput + `]}`, status: bad, reason: "json_duplicate_key"},
		{name: "duplicate key in an input", body: `{"inputs":[{"name":"TEXT","name":"IMAGE","shape":[1],"datatype":"BYTES","data":["a"]}]}`, status: bad, reason: "json_duplicate_key"},
		{name: "another case", body: `{"Inputs":[` + goodInput + `]}`, status: bad, reason: "json_unknown_key"},
		{name: "byte order mark", body: "\ufeff" + good, status: bad, reason: "json_malformed"},
		{name: "NUL and a second document", body: good + "\x00" + text(`"evil"`), status: bad, reason: "json_malformed"},
		{name: "a second document", body: good + good, status: bad, reason: "json_malformed"},
		{name: "UTF-16", body: "{\x00}\x00", status: bad, reason: "json_malformed"},
		{name: "invalid UTF-8", body: text("\"a\xff\""), status: bad, reason: "json_malformed"},
		{name: "overlong UTF-8", body: text("\"\xc0\xaf\""), status: bad, reason: "json_malformed"},
		{name: "lone low surrogate", body: text(`"\udc00"`), status: bad, reason: "json_malformed"},
		{name: "lone high surrogate", body: text(`"\ud800"`), status: bad, reason: "json_malformed"},
		{name: "comment", body: `{/**/"inputs":[` + goodInput + `]}`, status: bad, reason: "json_malformed"},
		{name: "trailing comma", body: `{"inputs":[` + goodInput + `,]}`, status: bad, reason: "json_malformed"},
		{name: "single quotes", body: `{'inputs':[]}`, status: bad, reason: "json_malformed"},
		{name: "cut short", body: good[:len(good)-1], status: bad, reason: "json_malformed"},
		{name: "depth", path: identityInfer, body: `{"inputs":[{"name":"UINT8","data":` + strings.Repeat("[", 100) + "1" + strings.Repeat("]", 100) + `,"shape":[1,1],"datatype":"UINT8"}]}`, status: bad, reason: "json_too_deep"},
		{name: "no inputs", body: `{"inputs":[]}`, status: bad, reason: "input_data_invalid"},
		{name: "not an object", body: `[]`, status: bad, reason: "json_malformed"},
		{name: "empty body", headers: []string{"Content-Length: 0"}, status: bad, reason: "body_missing"},
	}
}

// Identifiers, and tensors that are not what the model takes.
func trickyNames() []refusal {
	return []refusal{
		{name: "NUL in a name", body: `{"inputs":[{"name":"TEXT\u0000x","shape":[1],"datatype":"BYTES","data":["a"]}]}`, status: bad, reason: "name_invalid"},
		{name: "NUL in the id", body: `{"id":"a\u0000b","inputs":[` + goodInput + `]}`, status: bad, reason: "name_invalid"},
		{name: "NUL in a datatype", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES\u0000","data":["a"]}]}`, status: bad, reason: "datatype_invalid"},
		{name: "duplicate input", body: `{"inputs":[` + goodInput + `,` + goodInput + `]}`, status: bad, reason: "input_duplicate"},
		{name: "duplicate output", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT"},{"name":"ECHO_TEXT"}]}`, status: bad, reason: "output_duplicate"},
		{name: "many outputs", body: `{"inputs":[` + goodInput + `],"outputs":[` + strings.Repeat(`{"name":"x"},`, 100) + `{"name":"y"}]}`, status: bad, reason: "outputs_too_many"},
		{name: "unknown input", body: `{"inputs":[` + goodInput + `,{"name":"NO","shape":[1],"datatype":"FP32","data":[1]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "unknown output", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"NO"}]}`, status: bad, reason: "signature_mismatch"},
		{name: "undeclared input", body: `{"inputs":[{"name":"VALUES","shape":[1],"datatype":"FP32","data":[1]}]}`, status: forbidden, reason: "input_undeclared"},
		{name: "another datatype", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"FP32","data":[1]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "another rank", body: `{"inputs":[{"name":"TEXT","shape":[1,1],"datatype":"BYTES","data":["a"]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "a batch that is too large", path: "/v2/models/echo_batch/infer", body: `{"inputs":[{"name":"VALUES","shape":[9,1],"datatype":"FP32","data":[1,2,3,4,5,6,7,8,9]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "batches that differ", path: "/v2/models/echo_batch/infer", body: `{"inputs":[{"name":"VALUES","shape":[2,1],"datatype":"FP32","data":[1,2]},{"name":"IMAGE","shape":[1,1],"datatype":"BYTES","data":["a"]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "a value out of range", path: "/v2/models/echo_batch/infer", body: `{"inputs":[{"name":"VALUES","shape":[1,1],"datatype":"FP32","data":[1001]}]}`, status: bad, reason: "tensor_range"},
	}
}

// Numbers that do not fit, and shapes.
func trickyNumbers() []refusal {
	return []refusal{
		{name: "NaN", path: identityInfer, body: numbers("FP32", "NaN"), status: bad, reason: "json_malformed"},
		{name: "infinity", path: identityInfer, body: numbers("FP32", "-Infinity"), status: bad, reason: "json_malformed"},
		{name: "300 as UINT8", path: identityInfer, body: numbers("UINT8", "300"), status: bad, reason: "number_out_of_range"},
		{name: "1e400", path: identityInfer, body: numbers("FP64", "1e400"), status: bad, reason: "number_out_of_range"},
		{name: "310 digits", path: identityInfer, body: numbers("FP32", strings.Repeat("9", 310)), status: tooLarge, reason: "json_too_large"},
		{name: "a fraction as INT32", path: identityInfer, body: numbers("INT32", "1.5"), status: bad, reason: "input_data_invalid"},
		{name: "leading zero", path: identityInfer, body: numbers("INT32", "01"), status: bad, reason: "json_malformed"},
		{name: "plus sign", path: identityInfer, body: numbers("INT32", "+1"), status: bad, reason: "json_malformed"},
		{name: "hexadecimal", path: identityInfer, body: numbers("INT32", "0x1"), status: bad, reason: "json_malformed"},
		{name: "more data than the shape", path: identityInfer, body: numbers("INT32", "1,2"), status: bad, reason: "input_data_invalid"},
		{name: "a shape that overflows", path: identityInfer, body: `{"inputs":[{"name":"INT32","shape":[4294967296,4294967296],"datatype":"INT32","data":[]}]}`, status: bad, reason: "shape_invalid"},
		{name: "a negative dimension", path: identityInfer, body: `{"inputs":[{"name":"INT32","shape":[-1,1],"datatype":"INT32","data":[1]}]}`, status: bad, reason: "shape_invalid"},
	}
}

// Binary tensors whose sizes lie.
func trickyBinary() []refusal {
	packed, header := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements("a")}}}.encode()
	binary := func(value string) []string { return []string{"Inference-Header-Content-Length: " + value} }
	length := fmt.Sprint(header)
	long := func(count uint32) string {
		blob := elements("a")
		blob[0] = byte(count)
		body, _ := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: blob}}}.encode()
		return string(body)
	}
	return []refusal{
		{name: "raw binary request", body: string(elements("a")), headers: binary("0"), status: forbidden, reason: "feature_not_enabled"},
		{name: "header length in hexadecimal", body: string(packed), headers: binary("0x10"), status: bad, reason: "header_invalid"},
		{name: "header length with a sign", body: string(packed), headers: binary("+" + length), status: bad, reason: "header_invalid"},
		{name: "header length -0", body: string(packed), headers: binary("-0"), status: bad, reason: "header_invalid"},
		{name: "header length with text", body: string(packed), headers: binary(length + "abc"), status: bad, reason: "header_invalid"},
		{name: "header length that is none", body: string(packed), headers: binary("abc"), status: bad, reason: "header_invalid"},
		{name: "header length of eleven digits", body: string(packed), headers: binary("99999999999"), status: bad, reason: "header_invalid"},
		{name: "header length of thirty digits", body: string(packed), headers: binary(strings.Repeat("9", 30)), status: bad, reason: "header_invalid"},
		{name: "header length twice", body: string(packed), headers: append(binary(length), binary("1")...), status: bad, reason: "header_duplicate"},
		{name: "header length beyond the body", body: string(packed), headers: binary(fmt.Sprint(len(packed) + 1)), status: bad, reason: "header_invalid"},
		{name: "bytes after the tensors", body: string(packed) + "x", headers: binary(length), status: bad, reason: "binary_size_invalid"},
		{name: "an element that is too long", body: long(2), headers: binary(length), status: bad, reason: "input_data_invalid"},
		{name: "an element that is too short", body: long(0), headers: binary(length), status: bad, reason: "input_data_invalid"},
		{name: "binary size that is negative", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":-1}}]}`, status: bad, reason: "binary_size_invalid"},
		{name: "data and binary size", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"],"parameters":{"binary_data_size":0}}]}`, status: bad, reason: "input_data_invalid"},
	}
}

// Content codings that inflate differently.
func trickyCodings() []refusal {
	gzip, deflate := []string{"Content-Encoding: gzip"}, []string{"Content-Encoding: deflate"}
	damaged := []byte(gzipped(good))
	damaged[len(damaged)-5] ^= 1
	return []refusal{
		{name: "two gzip members", body: gzipped(good) + gzipped(good), headers: gzip, status: bad, reason: "encoding_invalid"},
		{name: "bytes after gzip", body: gzipped(good) + "x", headers: gzip, status: bad, reason: "encoding_invalid"},
		{name: "damaged gzip", body: string(damaged), headers: gzip, status: bad, reason: "encoding_invalid"},
		{name: "gzip cut short", body: gzipped(good)[:20], headers: gzip, status: bad, reason: "encoding_invalid"},
		{name: "plain as gzip", body: good, headers: gzip, status: bad, reason: "encoding_invalid"},
		{name: "gzip as deflate", body: gzipped(good), headers: deflate, status: bad, reason: "encoding_invalid"},
		{name: "gzip as plain", body: gzipped(good), status: bad, reason: "json_malformed"},
		{name: "GZIP", body: gzipped(good), headers: []string{"Content-Encoding: GZIP"}, status: http.StatusUnsupportedMediaType, reason: "encoding_unsupported"},
		{name: "gzip, gzip", body: gzipped(gzipped(good)), headers: []string{"Content-Encoding: gzip, gzip"}, status: http.StatusUnsupportedMediaType, reason: "encoding_unsupported"},
		{name: "a gzip bomb", body: gzipped(strings.Repeat(" ", 3<<20)), headers: gzip, status: tooLarge, reason: "body_too_large"},
	}
}

// Features of the protocol that are closed.
func closedFeatures() []refusal {
	return []refusal{
		{name: "shared memory", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}`, status: forbidden, reason: "shared_memory_denied"},
		{name: "output in shared memory", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}`, status: forbidden, reason: "shared_memory_denied"},
		{name: "classification", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"classification":1}}]}`, status: forbidden, reason: "feature_not_enabled"},
		{name: "an unknown parameter", body: `{"parameters":{"evil":1},"inputs":[` + goodInput + `]}`, status: forbidden, reason: "parameter_not_allowed"},
		{name: "a reserved parameter", body: `{"parameters":{"triton_enable_empty_final_response":true},"inputs":[` + goodInput + `]}`, status: bad, reason: "parameter_invalid"},
		{name: "sequence parameters", body: `{"parameters":{"sequence_id":7,"sequence_start":true},"inputs":[` + goodInput + `]}`, status: forbidden, reason: "parameter_not_allowed"},
	}
}

// Paths, methods, models and versions.
func trickyPaths() []refusal {
	return []refusal{
		{name: "unknown model", path: "/v2/models/absent/infer", body: good, status: forbidden, reason: "model_unknown"},
		{name: "unknown version", path: "/v2/models/echo/versions/2/infer", body: good, status: forbidden, reason: "model_version_unknown"},
		{name: "a version with zeros", path: "/v2/models/echo/versions/0001/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "percent-escape", path: "/v2/models/echo/%69nfer", body: good, status: bad, reason: "path_invalid"},
		{name: "escaped slash", path: "/v2/models%2Fecho/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "double slash", path: "/v2//models/echo/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "dot segment", path: "/v2/./models/echo/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "dots", path: "/v2/models/x/../echo/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "trailing slash", path: echoInfer + "/", body: good, status: bad, reason: "path_invalid"},
		{name: "path parameter", path: "/v2/models/echo;x/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "inference by GET", method: "GET", status: http.StatusMethodNotAllowed, reason: "method_not_allowed"},
		{name: "inference by PUT", method: "PUT", body: good, status: http.StatusMethodNotAllowed, reason: "method_not_allowed"},
		{name: "health by POST", path: "/v2/health/ready", body: good, status: http.StatusMethodNotAllowed, reason: "method_not_allowed"},
		{name: "health with a body", method: "GET", path: "/v2/health/ready", body: good, status: bad, reason: "header_invalid"},
		{name: "metadata of an unknown model", method: "GET", path: "/v2/models/absent", status: forbidden, reason: "model_unknown"},
		{name: "metadata of an unknown version", method: "GET", path: "/v2/models/echo/versions/2", status: forbidden, reason: "model_version_unknown"},
	}
}

// Everything else that Triton serves.
func controlPlane() []refusal {
	var all []refusal
	add := func(reason string, methods string, paths ...string) {
		status := map[string]int{"route_denied": forbidden, "protocol_not_enabled": forbidden, "route_unknown": http.StatusNotFound, "path_invalid": bad}[reason]
		for _, path := range paths {
			for _, method := range strings.Fields(methods) {
				body := ""
				if method == "POST" {
					body = "{}"
				}
				all = append(all, refusal{name: method + " " + path, method: method, path: path, body: body, status: status, reason: reason})
			}
		}
	}
	add("route_denied", "GET POST",
		"/v2/repository/index", "/v2/repository/models/echo/load", "/v2/repository/models/echo/unload", "/v2/repository/r/models/echo/load", "/v2/repository/r/index",
		"/v2/systemsharedmemory/status", "/v2/systemsharedmemory/region/r/status", "/v2/systemsharedmemory/region/r/register", "/v2/systemsharedmemory/unregister",
		"/v2/cudasharedmemory/region/r/register", "/v2/cudasharedmemory/status",
		"/v2/trace/setting", "/v2/models/echo/trace/setting", "/v2/logging",
		"/v2/models/echo/config", "/v2/models/echo/versions/1/config", "/v2/models/stats", "/v2/models/echo/stats", "/v2/models/echo/versions/1/stats",
		"/metrics", "/ping", "/invocations", "/models", "/models/echo/invoke", "/v1/models/echo:predict", "/predictions/echo")
	add("path_invalid", "GET", "/metrics/")
	add("protocol_not_enabled", "POST", "/v2/models/echo/generate", "/v2/models/echo/generate_stream", "/v2/models/echo/versions/1/generate",
		"/v2/models/echo/infer_stream", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/openai/v1/chat/completions")
	add("route_unknown", "GET POST", "/v3", "/v2/models", "/v2/models/echo/x", "/v2/health", "/x")
	add("path_invalid", "GET POST", "/", "/v2/", "/v2/models/echo/")
	return all
}
