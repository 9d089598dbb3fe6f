//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
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

// Requests that servers read differently, in the order of what they play on:
// JSON, identifiers, numbers, binary tensors, content codings, paths.
func differentials() []refusal {
	packed, header := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements("a")}}}.encode()
	binary := func(value string) []string { return []string{"Inference-Header-Content-Length: " + value} }
	length := fmt.Sprint(header)
	long := func(count uint32) string {
		blob := elements("a")
		blob[0] = byte(count)
		body, _ := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: blob}}}.encode()
		return string(body)
	}
	gzip, deflate := []string{"Content-Encoding: gzip"}, []string{"Content-Encoding: deflate"}
	damaged := []byte(gzipped(good))
	damaged[len(damaged)-5] ^= 1
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

		{name: "shared memory", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}`, status: forbidden, reason: "shared_memory_denied"},
		{name: "output in shared memory", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}`, status: forbidden, reason: "shared_memory_denied"},
		{name: "classification", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"classification":1}}]}`, status: forbidden, reason: "feature_not_enabled"},
		{name: "an unknown parameter", body: `{"parameters":{"evil":1},"inputs":[` + goodInput + `]}`, status: forbidden, reason: "parameter_not_allowed"},
		{name: "a reserved parameter", body: `{"parameters":{"triton_enable_empty_final_response":true},"inputs":[` + goodInput + `]}`, status: bad, reason: "parameter_invalid"},
		{name: "sequence parameters", body: `{"parameters":{"sequence_id":7,"sequence_start":true},"inputs":[` + goodInput + `]}`, status: forbidden, reason: "parameter_not_allowed"},

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

// No refused request reaches the model server, by its own counters, by the record
// of the echo models, and by the bytes on the wire.
func TestRefusals(t *testing.T) {
	shared.ready(t)
	for _, r := range append(differentials(), controlPlane()...) {
		t.Run(r.name, func(t *testing.T) {
			if r.method == "" {
				r.method = http.MethodPost
			}
			if r.path == "" {
				r.path = echoInfer
			}
			var body io.Reader
			if r.body != "" {
				body = strings.NewReader(r.body)
			}
			shared.unmoved(t, func() {
				answer, err := shared.send(client, r.method, r.path, body, r.headers...)
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, answer, r.status, r.reason)
			})
		})
	}
}

// What only a raw socket can say. Some of it Envoy refuses by itself, before Weir
// sees anything; such an answer carries no decision, and Envoy may close the
// connection before it is out.
func TestRawRefusals(t *testing.T) {
	shared.ready(t)
	head := func(lines ...string) string {
		return "POST " + echoInfer + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	length := fmt.Sprintf("Content-Length: %d", len(good))
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	for _, test := range []struct {
		name, text string
		status     int
		reason     string // "" for an answer of Envoy's own
	}{
		{"transfer-encoding xchunked", head("Transfer-Encoding: xchunked") + chunked(good), 501, ""},
		{"transfer-encoding gzip, chunked", head("Transfer-Encoding: gzip, chunked") + chunked(good), 501, ""},
		{"both lengths", head(length, "Transfer-Encoding: chunked") + chunked(good), 400, ""},
		{"two lengths", head(length, "Content-Length: 0") + good, 400, ""},
		{"a space before the colon", head("Content-Length : 3") + good, 400, ""},
		{"a chunk size that wraps", head("Transfer-Encoding: chunked") + "10000000000000003\r\nabc\r\n0\r\n\r\n", 400, ""},
		{"no host", "POST " + echoInfer + " HTTP/1.1\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"HTTP/1.0", "POST " + echoInfer + " HTTP/1.0\r\n" + length + "\r\n\r\n" + good, 426, ""},
		{"an underscore", head("inference_header_content_length: 3", length) + good, 400, ""},
		{"CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 400, "path_invalid"},
		{"an upgrade", head("Connection: Upgrade", "Upgrade: websocket", length) + good, 403, ""},
		{"no length", head("X: x"), 400, "body_missing"},
		{"a fragment", "POST " + echoInfer + "#x HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"a path with a backslash", "POST /v2\\models/echo/infer HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, "path_invalid"},
		{"a path that is not ASCII", "POST /v2/models/\xc3\xa9cho/infer HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"content-encoding twice", head("Content-Encoding: gzip", "Content-Encoding: identity", length) + good, 415, "encoding_unsupported"},
		{"header length with a space", head("Inference-Header-Content-Length: 1 2", length) + good, 400, "header_invalid"},
		{"header length that is empty", head("Inference-Header-Content-Length:", length) + good, 400, "header_invalid"},
		{"header length in two lines", head("Inference-Header-Content-Length: 1", "inference-header-content-length: 2", length) + good, 400, "header_duplicate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared.unmoved(t, func() {
				r, answered := shared.raw(t, test.text)
				if test.reason != "" {
					wantRefused(t, r, test.status, test.reason)
				} else if answered && r.status != test.status {
					t.Errorf("want Envoy's own %d, have %v", test.status, r)
				}
			})
		})
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	shared.ready(t)
	const limit = 4 << 20
	big := strings.Repeat(" ", limit) + good
	shared.unmoved(t, func() {
		r, err := shared.send(newClient(true), http.MethodPost, echoInfer, strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		wantRefused(t, r, tooLarge, "body_too_large")
	})
	t.Run("chunked", func(t *testing.T) {
		// Within Envoy's slack, beyond it, beyond what the ext_proc server receives.
		for _, size := range []int{limit + 1, limit + 1<<17, limit + 1<<20, limit + 8<<20} {
			shared.unmoved(t, func() {
				r, err := shared.send(newClient(true), http.MethodPost, echoInfer, io.LimitReader(repeat(' '), int64(size)))
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, r, tooLarge, "body_too_large")
			})
		}
	})
	t.Run("HTTP/1, by its length", func(t *testing.T) {
		shared.unmoved(t, func() {
			r, _ := shared.raw(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", echoInfer, limit+1))
			wantRefused(t, r, tooLarge, "body_too_large")
		})
	})
	t.Run("just below the limit", func(t *testing.T) {
		for _, h2c := range []bool{false, true} {
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(strings.Repeat(" ", limit-len(good)) + good)
				if chunked {
					body = io.MultiReader(body)
				}
				if r, err := shared.send(newClient(h2c), http.MethodPost, echoInfer, body); err != nil || r.status != http.StatusOK {
					t.Errorf("h2c %t, chunked %t: %v, %v", h2c, chunked, r, err)
				}
			}
		}
	})
}

// A body that is larger than the windows which Envoy has by default.
func TestLargestBody(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	const elements = 33 << 20 / 4
	body, header := message{Inputs: []tensor{{Name: "VALUES", DataType: "FP32", Shape: []int64{elements}, blob: make([]byte, 4*elements)}}}.encode()
	r, err := s.send(newClient(true), http.MethodPost, probeInfer, bytes.NewReader(body), fmt.Sprint("Inference-Header-Content-Length: ", header))
	if err != nil || r.status != http.StatusOK {
		t.Fatalf("%v, %v", r, err)
	}
	if got := server.last(t); len(got.body) < 4*elements {
		t.Errorf("the model server got %d bytes", len(got.body))
	}
}

// repeat is an endless reader of one byte.
type repeat byte

func (b repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// So it is to grpc-go, whatever is called.
func TestGRPCIsRefusedToGo(t *testing.T) {
	shared.ready(t)
	connection, err := grpc.NewClient(shared.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for _, method := range []string{"/inference.GRPCInferenceService/ModelInfer", "/grpc.health.v1.Health/Check", "/any.Service/Call", echoInfer} {
		shared.unmoved(t, func() {
			err := connection.Invoke(t.Context(), method, &emptypb.Empty{}, &emptypb.Empty{})
			if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.HasPrefix(s.Message(), "weir: protocol_not_enabled: ") {
				t.Errorf("%s: %v", method, err)
			}
		})
	}
}

// gRPC is refused in the form of gRPC, to NVIDIA's client and to grpc-go.
func TestGRPCIsRefusedInItsOwnForm(t *testing.T) {
	shared.ready(t)
	shared.unmoved(t, func() {
		out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "grpc_refused.py"), shared.addr).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var calls map[string]struct{ Code, Message string }
		if err := json.Unmarshal(bytes.TrimSpace(out), &calls); err != nil || len(calls) < 8 {
			t.Fatalf("%s: %v", out, err)
		}
		for name, got := range calls {
			if got.Code != "StatusCode.PERMISSION_DENIED" || !strings.HasPrefix(got.Message, "weir: protocol_not_enabled: ") || !strings.Contains(got.Message, "(decision ") {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}
