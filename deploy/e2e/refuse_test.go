//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// control is a request for anything but an inference.
type control struct {
	method, path, body string
	bare               int    // status of Triton without Weir; 0: not sent there
	reason             string // of Weir's refusal
}

// try sends each request to a Triton without Weir, in order, and through Weir.
func (c control) try(t *testing.T) {
	t.Helper()
	t.Run(c.method+" "+c.path, func(t *testing.T) {
		k := trick{method: c.method, path: c.path, body: c.body, reason: c.reason}
		if c.bare != 0 {
			if r, _ := toTriton(t, k.wire()); r.status != c.bare {
				t.Errorf("without Weir: want status %d, have %v", c.bare, r)
			}
		}
		k.withWeir(t)
	})
}

func tryAll(t *testing.T, controls ...control) {
	t.Helper()
	shared.ready(t)
	for _, c := range controls {
		c.try(t)
	}
}

// Whoever can register a region reads and writes tensors that no proxy sees.
func TestSharedMemory(t *testing.T) {
	key := fmt.Sprintf("/weir-e2e-%d", os.Getpid())
	path := filepath.Join("/dev/shm", key)
	if err := os.WriteFile(path, append(elements("evil"), make([]byte, 56)...), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	const denied = "route_denied"
	tryAll(t,
		control{"POST", "/v2/systemsharedmemory/region/r/register", `{"key":"` + key + `","offset":0,"byte_size":64}`, 200, denied},
		control{"GET", "/v2/systemsharedmemory/status", "", 200, denied},
		control{"GET", "/v2/systemsharedmemory/region/r/status", "", 200, denied})
	region := func(extra string) string {
		return `"parameters":{"shared_memory_region":"r","shared_memory_byte_size":8` + extra + `}`
	}
	input := func(parameters string) string {
		return `{"name":"TEXT","shape":[1],"datatype":"BYTES",` + parameters + `}`
	}
	run(t,
		trick{name: "an input", body: `{"inputs":[` + input(region("")) + `]}`, reads: "evil", reason: "shared_memory_denied"},
		trick{name: "an input, at an offset", body: `{"inputs":[` + input(region(`,"shared_memory_offset":0`)) + `]}`, reads: "evil", reason: "shared_memory_denied"},
		trick{name: "an input, escaped", body: `{"inputs":[` + input(strings.Replace(region(""), "shared_memory_region", `\u0073hared_memory_region`, 1)) + `]}`, reads: "evil", reason: "shared_memory_denied"},
		trick{name: "the region up to a NUL", body: `{"inputs":[` + input(strings.Replace(region(""), `"r"`, `"r\u0000x"`, 1)) + `]}`, reads: "evil", reason: "shared_memory_denied"},
		trick{name: "an output", body: `{"inputs":[` + textInput(`"leak"`) + `],"outputs":[{"name":"ECHO_TEXT",` + region(`,"shared_memory_offset":32`) + `}]}`, reads: "leak", reason: "shared_memory_denied"},
		trick{name: "of the request", body: `{"parameters":{"shared_memory_region":"r"},"inputs":[` + goodInput + `]}`, reads: "a", reason: "shared_memory_denied"},
	)
	if content, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(content[32:], elements("leak")) {
		t.Errorf("without Weir the output is not in the region: %q, %v", content, err)
	}
	tryAll(t,
		control{"POST", "/v2/systemsharedmemory/region/r/unregister", "{}", 200, denied},
		control{"POST", "/v2/systemsharedmemory/unregister", "{}", 200, denied},
		control{"GET", "/v2/cudasharedmemory/status", "", 200, denied},
		control{"GET", "/v2/cudasharedmemory/region/r/status", "", 404, denied},
		control{"POST", "/v2/cudasharedmemory/region/r/register", `{"raw_handle":{"b64":"AAAA"},"device_id":0,"byte_size":8}`, 400, denied},
		control{"POST", "/v2/cudasharedmemory/region/r/unregister", "{}", 200, denied},
		control{"POST", "/v2/cudasharedmemory/unregister", "{}", 200, denied})
}

// evilConfig is the configuration of a model in Python.
const evilConfig = `{"backend":"python","input":[{"name":"A","data_type":"TYPE_STRING","dims":[1]}],"output":[{"name":"B","data_type":"TYPE_STRING","dims":[1]}]}`

// evilModel is a model that leaves a mark where it runs.
func evilModel(marker string) string {
	return fmt.Sprintf("import triton_python_backend_utils\nopen(%q, 'w').close()\nclass TritonPythonModel:\n    def execute(self, requests):\n        return []\n", marker)
}

// Whoever can load a model runs code of his own.
func TestRepositoryControl(t *testing.T) {
	marker := filepath.Join(tempDir(t), "marker")
	load, err := json.Marshal(map[string]any{"parameters": map[string]string{"config": evilConfig,
		"file:1/model.py": base64.StdEncoding.EncodeToString([]byte(evilModel(marker)))}})
	if err != nil {
		t.Fatal(err)
	}
	const denied = "route_denied"
	gone := func() bool {
		_, err := os.Stat(marker)
		return errors.Is(err, fs.ErrNotExist)
	}
	loadEvil := control{"POST", "/v2/repository/models/evil/load", string(load), 200, denied}
	if loadEvil.try(t); gone() {
		t.Error("without Weir the code did not run")
	}
	_ = os.Remove(marker)
	loadEvil.bare = 0
	loadEvil.try(t)
	if !gone() {
		t.Error("with Weir the code ran")
	}
	tryAll(t,
		control{"POST", "/v2/repository/index", "{}", 200, denied},
		control{"POST", "/v2/repository/index", `{"ready":true}`, 200, denied},
		control{"POST", "/v2/repository/r/index", "", 200, denied},
		control{"GET", "/v2/repository/index", "", 405, "method_not_allowed"},
		control{"POST", "/v2/repository/models/evil/unload", `{"parameters":{"unload_dependents":true}}`, 200, denied},
		control{"POST", "/v2/repository/models/absent/load", "{}", 500, denied},
		control{"POST", "/v2/repository/r/models/absent/load", "", 501, denied},
		control{"POST", "/v2/repository/models/echo/unload", "{}", 0, denied},
		control{"POST", "/v2/repository/models/echo/load", "{}", 0, denied},
	)
}

func TestTraceAndLogSettings(t *testing.T) {
	const denied = "route_denied"
	tryAll(t,
		control{"GET", "/v2/logging", "", 200, denied},
		control{"POST", "/v2/logging", `{"log_verbose_level":1}`, 200, denied}, // tensors and ids in the log
		control{"POST", "/v2/logging", `{"log_verbose_level":0}`, 200, denied},
		control{"POST", "/v2/logging", `{"log_file":"/dev/null"}`, 501, denied},
		control{"GET", "/v2/trace/setting", "", 200, denied},
		control{"POST", "/v2/trace/setting", `{"trace_level":["OFF"],"trace_rate":"7"}`, 200, denied},
		control{"GET", "/v2/models/echo/trace/setting", "", 200, denied},
		control{"POST", "/v2/models/echo/trace/setting", `{"trace_level":["OFF"]}`, 200, denied},
	)
}

// What else Triton serves, or would with its other front ends; and what it does
// not, so that nobody learns from it what it is.
func TestOtherPaths(t *testing.T) {
	controls := []control{
		{"GET", "/v2/models/echo/config", "", 200, "route_denied"},
		{"GET", "/v2/models/echo/versions/1/config", "", 200, "route_denied"},
		{"GET", "/v2/models/stats", "", 200, "route_denied"},
		{"GET", "/v2/models/echo/stats", "", 200, "route_denied"},
		{"GET", "/v2/models/echo/versions/1/stats", "", 200, "route_denied"},
		{"GET", "/v2/models/echo/versions/2", "", 404, "model_version_unknown"},
		{"GET", "/v2/models/absent", "", 404, "model_unknown"},
		{"GET", "/v2/models/absent/ready", "", 400, "model_unknown"},
		{"POST", "/v2/models/absent/infer", good, 404, "model_unknown"},
		{"POST", "/v2/models/echo/versions/2/infer", good, 404, "model_version_unknown"},
		{"GET", "/metrics/", "", 404, "path_invalid"},
	}
	for _, path := range []string{"/metrics", "/ping", "/invocations", "/models", "/models/echo", "/models/echo/invoke", "/models/echo/load",
		"/v1/models/echo", "/v1/models/echo:predict", "/v1/models/echo:explain", "/predictions/echo", "/explanations/echo"} {
		for _, method := range []string{"GET", "POST"} {
			controls = append(controls, control{method, path, "", 404, "route_denied"})
		}
	}
	for path, reason := range map[string]string{"/": "path_invalid", "/v2/": "path_invalid", "/v2/models/echo/": "path_invalid",
		"/v3": "route_unknown", "/v2/models": "route_unknown", "/v2/models/echo/x": "route_unknown", "/v2/health": "route_unknown", "/x": "route_unknown"} {
		controls = append(controls, control{"GET", path, "", 0, reason}, control{"POST", path, "{}", 0, reason})
	}
	tryAll(t, controls...)
}

func TestMethods(t *testing.T) {
	shared.ready(t)
	for _, test := range []struct {
		path    string
		methods string
	}{
		{echoInfer, "GET PUT DELETE PATCH OPTIONS HEAD TRACE"},
		{"/v2/health/ready", "POST PUT DELETE OPTIONS HEAD"},
		{"/v2/models/echo", "POST PUT DELETE"},
	} {
		for _, method := range strings.Fields(test.methods) {
			shared.unmoved(t, func() {
				r, err := shared.send(client, method, test.path, nil)
				switch {
				case err != nil:
					t.Errorf("%s %s: %v", method, test.path, err)
				case r.status == bad && r.header.Get("x-weir-reason") == "": // Envoy knows no method of this name
				case r.status != http.StatusMethodNotAllowed || r.header.Get("x-weir-reason") != "method_not_allowed":
					t.Errorf("%s %s: %v", method, test.path, r)
				}
			})
		}
	}
	// Triton does not care about a body here.
	run(t, trick{name: "GET with a body", method: "GET", path: echoInfer, body: good, fails: 405, reason: "method_not_allowed"})
	health := trick{method: "GET", path: "/v2/health/live", body: good, reason: "header_invalid"}
	if r, _ := toTriton(t, health.wire()); r.status != http.StatusOK {
		t.Errorf("without Weir: %v", r)
	}
	health.withWeir(t)
	// Nor may a header change the method.
	run(t, trick{name: "override", headers: []string{"X-HTTP-Method-Override: DELETE"}, body: text(`"evil"`), reads: "evil", clean: "evil"})
}

// A connection that becomes something else is out of sight.
func TestUpgrades(t *testing.T) {
	shared.ready(t)
	websocket := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	get := func(lines []string) string {
		return "GET /v2/health/live HTTP/1.1\r\nHost: h\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	refusedByEnvoy(t,
		envoyRefusal{"websocket", get(websocket), forbidden},
		envoyRefusal{"websocket of an inference", requestHead(append(websocket, contentLength(good))...) + good, forbidden},
		envoyRefusal{"TLS", get([]string{"Connection: Upgrade", "Upgrade: tls/1.0"}), forbidden})
	shared.unmoved(t, func() {
		for _, text := range []string{"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "CONNECT " + triton.HTTP + " HTTP/1.1\r\nHost: h\r\n\r\n"} {
			r, _ := shared.raw(t, text)
			wantReason(t, r, "path_invalid")
		}
	})
	// Envoy serves these as if the client had not asked.
	h2c := []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}
	before := shared.tap.len()
	if r, _ := shared.raw(t, get(h2c)); r.status != http.StatusOK {
		t.Errorf("h2c: %v", r)
	}
	if seen := strings.ToLower(string(shared.tap.seen(before))); strings.Contains(seen, "upgrade") || strings.Contains(seen, "http2-settings") {
		t.Errorf("went to the model server: %q", seen)
	}
	for _, lines := range [][]string{{"upgrade: websocket", "connection: upgrade"}, {"upgrade: h2c", "connection: upgrade, http2-settings", "http2-settings: AAMAAABk"}} {
		got := shared.pastEnvoy(t, good, lines...)
		if got.reason != "" {
			t.Fatalf("past Envoy: %+v", got)
		}
		wantCanonical(t, got, "a")
	}
	if got := shared.pastEnvoy(t, "", ":method: CONNECT", ":protocol: websocket", ":path: /v2/health/live"); got.reason != "method_not_allowed" {
		t.Errorf("past Envoy, extended CONNECT: %+v", got)
	}
}

// Headers that speak to other front ends of Triton, or of other servers, end here.
func TestHeadersOfOtherFrontEnds(t *testing.T) {
	shared.ready(t)
	foreign := []string{"X-Vertex-Ai-Triton-Redirect: v2/repository/models/evil/load", "X-Amzn-SageMaker-Target-Model: s3/evil",
		"X-Amzn-SageMaker-Session-Id: NEW_SESSION", "X-Amzn-SageMaker-Custom-Attributes: evil", "Triton-Grpc-Protocol-Admin-Key: evil", "Admin-Key: evil",
		"Ce-Type: evil", "X-Original-Url: /v2/repository/index", "X-Rewrite-Url: /v2/repository/index", "Content-Type: application/vnd.sagemaker-triton.binary+json;json-header-size=1"}
	before := shared.tap.len()
	run(t, trick{name: "with an inference", body: text(`"a"`), headers: foreign, reads: "a", clean: "a"})
	seen := bytes.ToLower(shared.tap.seen(before))
	for _, h := range foreign {
		name, value, _ := strings.Cut(strings.ToLower(h), ": ")
		if name != "content-type" && bytes.Contains(seen, []byte(name)) || bytes.Contains(seen, []byte(value)) {
			t.Errorf("%s went to the model server: %q", h, seen)
		}
	}
}

// Headers that decide and come twice, or contradict each other, and some that
// Envoy answers itself.
func TestHeadersTwice(t *testing.T) {
	length := contentLength(good)
	run(t,
		trick{name: "content-type twice", body: text(`"evil"`), headers: []string{"Content-Type: text/plain", "Content-Type: application/json"}, reads: "evil", clean: "evil"},
		trick{name: "host twice", headers: []string{"Host: evil"}, body: text(`"evil"`), reads: "evil", clean: "evil"},
		trick{name: "host in the path", path: "http://evil" + echoInfer, body: text(`"evil"`), reads: "evil", clean: "evil"},
	)
	run(t, trick{name: "no length", raw: requestHead("X: a"), fails: bad, reason: "body_missing"})
	var refusals []envoyRefusal
	for _, line := range []string{"inference_header_content_length: 3", "X : a", "X\x00: a", "X: a\x00b", ": a"} {
		refusals = append(refusals, envoyRefusal{line, requestHead(line, length) + good, bad})
	}
	many := append(slices.Repeat([]string{"X: a"}, 100), length)
	refusedByEnvoy(t, append(refusals, envoyRefusal{"a hundred", requestHead(many...) + good, http.StatusRequestHeaderFieldsTooLarge})...)
	for _, line := range []string{"inference_header_content_length: 3", "content-length : 3", "x\x00: a", "x: a\x00b"} {
		wantCanonical(t, shared.pastEnvoy(t, good, line), "a")
	}
	for name, lines := range map[string][]string{"header_duplicate": {"inference-header-content-length: 1", "inference-header-content-length: 1"},
		"header_invalid": {"inference-header-content-length: 1, 1"}, "encoding_unsupported": {"content-encoding: gzip,identity"}} {
		if got := shared.pastEnvoy(t, good, lines...); got.reason != name {
			t.Errorf("past Envoy, %q: %+v", lines, got)
		}
	}
}

// Triton answers an expectation, and so does Envoy, before Weir has seen a thing;
// the model server gets none.
func TestExpect(t *testing.T) {
	shared.ready(t)
	head := requestHead("Expect: 100-continue", contentLength(text(`"evil"`)))
	if replies, got := segmentsToTriton(t, head, text(`"evil"`)); replies[0].status != 100 || replies[1].status != 200 || len(got) != 1 {
		t.Errorf("without Weir: %v, %v", replies, got)
	}
	before := shared.tap.len()
	if replies := converse(t, shared.addr, head, text(`"evil"`)); replies[0].status != 100 || replies[1].status != 200 {
		t.Errorf("with Weir: %v", replies)
	}
	if seen := bytes.ToLower(shared.tap.seen(before)); bytes.Contains(seen, []byte("expect")) {
		t.Errorf("went to the model server: %q", seen)
	}
	k := trick{headers: []string{"Expect: 200-ok"}, body: text(`"evil"`), clean: "evil"}
	if replies, got := segmentsToTriton(t, k.wire(), ""); replies[0].status != 100 || len(got) != 1 {
		t.Errorf("without Weir, another expectation: %v, %v", replies, got)
	}
	k.withWeir(t)
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
				wantLocal(t, r, tooLarge, "body_too_large")
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
