//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What the servers do with requests that Weir refuses below.
func (p *plain) tricks(t *testing.T) {
	two := gzipped(good[:10]) + gzipped(good[10:])
	for name, test := range map[string]struct {
		path, body       string
		headers          []string
		mlserver, kserve int
	}{
		"a path with an escape":         {"/v2/models/echo/%69nfer", good, nil, 200, 200},
		"a name with an escape":         {"/v2/models/%65cho/infer", good, nil, 200, 200},
		"a key that stands twice":       {echoInfer, strings.Replace(good, `"inputs"`, `"inputs":[],"inputs"`, 1), nil, 200, 200},
		"two gzip members":              {echoInfer, two, []string{"Content-Encoding: gzip"}, 200, 400},
		"a stream of answers":           {"/v2/models/echo/infer_stream", good, nil, 200, 404},
		"generate":                      {"/v2/models/echo/generate", good, nil, 200, 404},
		"V1":                            {"/v1/models/echo:predict", `{"instances":[]}`, nil, 404, 500},
		"an unload":                     {"/v2/repository/models/absent/unload", `{}`, nil, 404, 404},
		"NaN":                           {echoInfer, `{"id":"n","inputs":[{"name":"FP64","shape":[1,1],"datatype":"FP64","data":[NaN]}]}`, nil, 422, 200},
		"data that changes its meaning": {echoInfer, `{"id":"n","inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"content_type":"base64"},"data":["YQ=="]}]}`, nil, 200, 200},
	} {
		want := test.mlserver
		if p.name == "kserve" {
			want = test.kserve
		}
		if r := p.direct(t, "POST", test.path, test.body, test.headers...); r.status != want {
			t.Errorf("%s: %v, want status %d", name, r, want)
		}
	}
}

// unreached fails the test if anything of what do does reaches the server.
func (p *plain) unreached(t *testing.T, do func()) {
	t.Helper()
	count := func() int {
		all, err := p.server.Received()
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	records, length := count(), p.tap.len()
	do()
	if after := count(); after != records {
		t.Errorf("the models got %d requests", after-records)
	}
	if seen := p.tap.seen(length); len(seen) > 0 {
		t.Errorf("bytes went to the model server: %q", seen)
	}
}

// plainRefusal is a request that Weir refuses.
type plainRefusal struct {
	name, method, path, body string
	headers                  []string
	status                   int
	reason                   string
}

func (p *plain) refusals(t *testing.T) {
	nan, header := message{Inputs: []tensor{{Name: "VALUES", DataType: "FP32", Shape: []int64{1, 3}, blob: []byte("\x00\x00\xc0\x7f\x00\x00\x00\x00\x00\x00\x00\x00")}}}.encode()
	large, largeHeader := message{Inputs: []tensor{{Name: "UINT8", DataType: "UINT8", Shape: []int64{1, 1 << 20}, blob: bytes.Repeat([]byte{200}, 1<<20)}}}.encode()
	all := []plainRefusal{
		{name: "unknown model", path: "/v2/models/absent/infer", body: good, status: forbidden, reason: "model_unknown"},
		{name: "undeclared input", body: `{"inputs":[{"name":"INT64","shape":[1,1],"datatype":"INT64","data":[1]}]}`, status: forbidden, reason: "input_undeclared"},
		{name: "unknown input", body: `{"inputs":[{"name":"NO","shape":[1],"datatype":"FP32","data":[1]}]}`, status: bad, reason: "signature_mismatch"},
		{name: "unknown output", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"NO"}]}`, status: bad, reason: "signature_mismatch"},
		{name: "duplicate key", body: strings.Replace(good, `"inputs"`, `"inputs":[],"inputs"`, 1), status: bad, reason: "json_duplicate_key"},
		{name: "NaN", body: `{"inputs":[{"name":"FP64","shape":[1,1],"datatype":"FP64","data":[NaN]}]}`, status: bad, reason: "json_malformed"},
		{name: "NaN in binary form", path: classifierInfer, body: string(nan), headers: []string{fmt.Sprint("Inference-Header-Content-Length: ", header)}, status: bad, reason: "input_data_invalid"},
		{name: "null", body: `{"inputs":[{"name":"FP64","shape":[1,1],"datatype":"FP64","data":[null]}]}`, status: bad, reason: "input_data_invalid"},
		{name: "content type of an input", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"content_type":"base64"},"data":["YQ=="]}]}`, status: bad, reason: "parameter_invalid"},
		{name: "content type of the request, though the rules let it through", body: `{"parameters":{"content_type":"pd"},"inputs":[` + goodInput + `]}`, status: bad, reason: "parameter_invalid"},
		{name: "headers in the JSON", body: `{"parameters":{"headers":{"a":"b"}},"inputs":[` + goodInput + `]}`, status: bad, reason: "parameter_invalid"},
		{name: "another parameter", body: `{"parameters":{"x":1},"inputs":[` + goodInput + `]}`, status: forbidden, reason: "parameter_not_allowed"},
		{name: "classification", body: `{"inputs":[{"name":"FP32","shape":[1,1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"ECHO_FP32","parameters":{"classification":1}}]}`, status: forbidden, reason: "feature_not_enabled"},
		{name: "a path with an escape", path: "/v2/models/echo/%69nfer", body: good, status: bad, reason: "path_invalid"},
		{name: "a name with an escape", path: "/v2/models/%65cho/infer", body: good, status: bad, reason: "path_invalid"},
		{name: "two gzip members", body: gzipped(good[:10]) + gzipped(good[10:]), headers: []string{"Content-Encoding: gzip"}, status: bad, reason: "encoding_invalid"},
		{name: "a stream of answers", path: "/v2/models/echo/infer_stream", body: good, status: forbidden, reason: "protocol_not_enabled"},
		{name: "generate", path: "/v2/models/echo/generate", body: good, status: forbidden, reason: "protocol_not_enabled"},
		{name: "generate_stream", path: "/v2/models/echo/generate_stream", body: good, status: forbidden, reason: "protocol_not_enabled"},
		{name: "V1", path: "/v1/models/echo:predict", body: `{"instances":[]}`, status: forbidden, reason: "route_denied"},
		{name: "V1 list", method: "GET", path: "/v1/models/echo", status: forbidden, reason: "route_denied"},
		{name: "index", path: "/v2/repository/index", body: `{}`, status: forbidden, reason: "route_denied"},
		{name: "list of models", method: "GET", path: "/v2/models", status: http.StatusNotFound, reason: "route_unknown"},
		{name: "load", path: "/v2/repository/models/echo/load", body: `{}`, status: forbidden, reason: "route_denied"},
		{name: "unload", path: "/v2/repository/models/echo/unload", body: `{}`, status: forbidden, reason: "route_denied"},
		{name: "documentation", method: "GET", path: "/v2/docs", status: http.StatusNotFound, reason: "route_unknown"},
		{name: "documentation of a model", method: "GET", path: "/v2/models/echo/docs", status: http.StatusNotFound, reason: "route_unknown"},
		{name: "FastAPI's documentation", method: "GET", path: "/docs", status: http.StatusNotFound, reason: "route_unknown"},
		{name: "metrics", method: "GET", path: "/metrics", status: forbidden, reason: "route_denied"},
		{name: "the root", method: "GET", path: "/", status: bad, reason: "path_invalid"},
		{name: "a body above the limit", body: strings.Repeat(" ", 4<<20) + good, status: tooLarge, reason: "body_too_large"},
		{name: "a body above the limit as the server gets it", body: string(large), headers: []string{fmt.Sprint("Inference-Header-Content-Length: ", largeHeader)}, status: tooLarge, reason: "body_too_large"},
	}
	if p.name == "mlserver" {
		all = append(all, plainRefusal{name: "unknown version", path: "/v2/models/classifier/versions/2/infer", body: values("1,2,3", ""), status: forbidden, reason: "model_version_unknown"})
	} else {
		all = append(all, plainRefusal{name: "a version", path: "/v2/models/classifier/versions/1/infer", body: values("1,2,3", ""), status: http.StatusServiceUnavailable, reason: "upstream_not_ready"})
	}
	p.unreached(t, func() { // in the form of gRPC
		r := p.post(t, "/inference.GRPCInferenceService/ModelInfer", "\x00\x00\x00\x00\x00")
		if r.status != forbidden || r.header.Get("x-weir-reason") != "protocol_not_enabled" {
			t.Errorf("gRPC: %v", r)
		}
	})
	for _, r := range all {
		if r.method == "" {
			r.method = http.MethodPost
		}
		if r.path == "" {
			r.path = echoInfer
		}
		t.Run(r.name, func(t *testing.T) {
			p.unreached(t, func() {
				answer, err := p.send(client, r.method, r.path, strings.NewReader(r.body), r.headers...)
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, answer, r.status, r.reason)
			})
		})
	}
}
