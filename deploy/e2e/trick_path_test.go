//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/deploy/local"
)

// Triton matches the path as it stands; servers in Python decode and clean it.
func TestTrick22Paths(t *testing.T) {
	var tricks []trick
	for _, path := range []string{"/v2/models%2Fecho/infer", "/v2/models/echo/%69nfer", "/v2/models/ech%6f/infer", "/v2/models/echo%00/infer",
		"/v2//models/echo/infer", "//v2/models/echo/infer", "/v2/./models/echo/infer", "/v2/models/x/../echo/infer", "/v2/models/../models/echo/infer",
		echoInfer + "/", "/v2/models/echo;x/infer", "/v2/models/.echo/infer", "/v2/models/echo:x/infer", "/v2/models/echo,x/infer"} {
		tricks = append(tricks, trick{name: path, path: path, body: good, fails: http.StatusNotFound, reason: "path_invalid"})
	}
	run(t, append(tricks,
		trick{name: "backslash", path: `/v2/models/echo\infer`, body: good, fails: http.StatusMethodNotAllowed, reason: "path_invalid"},
		trick{name: "another case", path: "/V2/models/echo/infer", body: good, fails: http.StatusNotFound, reason: "route_unknown"},
		trick{name: "another case of the operation", path: "/v2/models/echo/Infer", body: good, fails: http.StatusNotFound, reason: "route_unknown"},
		trick{name: "query", path: echoInfer + "?model=identity", body: text(`"evil"`), reads: "evil", clean: "evil"},
		trick{name: "query that looks like a path", path: echoInfer + "?/../../repository/index", body: text(`"evil"`), reads: "evil", clean: "evil"},
		trick{name: "absolute", path: "http://other/" + echoInfer[1:], body: text(`"evil"`), reads: "evil", clean: "evil"},
	)...)
	// These Envoy does not let through; a NUL in the path ends it for Triton.
	var refusals []envoyRefusal
	for path, fails := range map[string]int{echoInfer + "#x": http.StatusNotFound, "/v2/models/\xc3\xa9cho/infer": http.StatusNotFound,
		"/v2/models/echo\x00x/infer": http.StatusMethodNotAllowed, "/v2/models/echo\x7f/infer": http.StatusNotFound} {
		t.Run(fmt.Sprintf("%q", path), func(t *testing.T) {
			k := trick{path: path, body: good, fails: fails}
			k.withoutWeir(t)
			refusals = append(refusals, envoyRefusal{path, k.wire(), bad})
			if got := shared.pastEnvoy(t, good, ":path: "+path); got.reason != "path_invalid" {
				t.Errorf("past Envoy: %+v", got)
			}
		})
	}
	refusedByEnvoy(t, refusals...)
}

// Triton takes zeros before a version. The halves of gRPC, where it takes more, are
// in TestTrick23VersionsOverGRPC.
func TestTrick23Versions(t *testing.T) {
	version := func(v string) trick {
		return trick{name: v, path: "/v2/models/echo/versions/" + v + "/infer", body: text(`"evil"`)}
	}
	for _, v := range []string{"0001", "01", "000000000000000000000000000000000001"} {
		k := version(v)
		k.reads, k.reason = "evil", "path_invalid"
		run(t, k)
	}
	for v, fails := range map[string]int{"+1": 404, "1abc": 404, "-1": 404, "1.0": 404, "0": 404, "0x1": 404, "1%20": 404, strings.Repeat("9", 30): bad} {
		k := version(v)
		k.fails, k.reason = fails, "path_invalid"
		run(t, k)
	}
	k := version("1")
	k.reads, k.clean = "evil", "evil"
	other := version("2")
	other.fails, other.reason = http.StatusNotFound, "model_version_unknown"
	run(t, k, other)
}

// pipelineConfig is an ensemble around a model of its own.
const pipelineConfig = `platform: "ensemble"
max_batch_size: 0
input [ { name: "TEXT" data_type: TYPE_STRING dims: [ -1 ] } ]
output [ { name: "ECHO_TEXT" data_type: TYPE_STRING dims: [ -1 ] } ]
ensemble_scheduling { step [ { model_name: "inner" model_version: -1
  input_map { key: "TEXT" value: "TEXT" } output_map { key: "ECHO_TEXT" value: "ECHO_TEXT" } } ] }
`

// Every model of the server can be called by its name: those inside an ensemble,
// whose inputs nobody sanitises, and old versions, too.
func TestTrick24OtherModelsAndVersions(t *testing.T) {
	repository := tempDir(t)
	write := func(path, content string) {
		t.Helper()
		path = filepath.Join(repository, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(deps.Models, "echo", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	write("pipeline/config.pbtxt", pipelineConfig)
	write("pipeline/1/keep", "")
	for _, version := range []string{"1", "2"} {
		write("inner/"+version+"/model.py", read("1/model.py"))
	}
	write("inner/config.pbtxt", read("config.pbtxt")+"version_policy: { all {} }\n")
	server := newTriton(t, local.TritonOptions{Repository: repository})
	s := private(t, stackOptions{upstream: server.HTTP, config: `
models:
  - {name: pipeline, inputs: {TEXT: {kind: text}}}
  - {name: "inn?r", versions: ["2"], inputs: {TEXT: {kind: text}}}
`})
	s.ready(t)
	infer := func(path string) string { return trick{path: path, body: text(`"a\u200bb"`)}.wire() }
	served := func(path, version string) {
		t.Helper()
		before := len(receivedBy(t, server))
		r := converse(t, server.HTTP, infer(path))[0]
		got := receivedBy(t, server)[before:]
		if r.status != http.StatusOK || len(got) != 1 || got[0].Version != version || got[0].Inputs[0].SHA256[0] != digest("a\u200bb") {
			t.Errorf("without Weir, %s: %v, %+v", path, r, got)
		}
	}
	served("/v2/models/pipeline/infer", "2")
	served("/v2/models/inner/infer", "2")
	served("/v2/models/inner/versions/1/infer", "1")

	before, bytes := len(receivedBy(t, server)), s.tap.len()
	for path, reason := range map[string]string{"/v2/models/inner/versions/1/infer": "model_version_unknown",
		"/v2/models/Inner/infer": "model_unknown", "/v2/models/inner2/infer": "model_unknown", "/v2/models/.inner/infer": "path_invalid"} {
		wantReason(t, converse(t, s.addr, infer(path))[0], reason)
	}
	if got := receivedBy(t, server)[before:]; len(got) > 0 || s.tap.len() > bytes {
		t.Errorf("with Weir: %+v, %q", got, s.tap.seen(bytes))
	}
	for _, path := range []string{"/v2/models/pipeline/infer", "/v2/models/inner/infer"} {
		r := converse(t, s.addr, infer(path))[0]
		got := receivedBy(t, server)
		if last := got[len(got)-1]; r.status != http.StatusOK || last.Version != "2" || !slices.Equal(last.Inputs[0].SHA256, []string{digest("ab")}) {
			t.Errorf("with Weir, %s: %v, %+v", path, r, last)
		}
	}
}
