package draft

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filter/codec"
	"weir/filter/upstream"
	"weir/sanitize/tensor"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a model server with fixed answers; what it has no answer to is a 404.
func fake(t *testing.T, answers map[string]string) *upstream.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+r.URL.EscapedPath()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	c := upstream.NewClient(s.URL, 5*time.Second)
	t.Cleanup(c.Close)
	return c
}

// model adds a model of one version to the answers of a server.
func model(answers map[string]string, name, version, config, inputs, outputs string) {
	at := "GET /v2/models/" + name
	metadata := fmt.Sprintf(`{"name":%q,"versions":["%s"],"platform":"","inputs":[%s],"outputs":[%s]}`, name, version, inputs, outputs)
	if answers[at] == "" {
		answers[at] = metadata
	} else {
		answers[at] = strings.Replace(answers[at], `"versions":[`, `"versions":["`+version+`",`, 1)
	}
	answers[at+"/versions/"+version] = metadata
	answers[at+"/versions/"+version+"/config"] = config
}

// tritonServer answers as Triton 24.10 does, of models of every sort.
func tritonServer() map[string]string {
	answers := map[string]string{
		"GET /v2": `{"name":"triton","version":"2.51.0","extensions":["classification","system_shared_memory","binary_tensor_data"]}`,
		"POST /v2/repository/index": `[{"name":"traffic-sign","version":"9","state":"READY"},{"name":"traffic-sign","version":"10","state":"READY"},
			{"name":"broken","version":"1","state":"UNAVAILABLE","reason":"Internal: no\n file\u2028here"},{"name":"asleep"},{"name":"on","version":"1","state":"READY"},
			{"name":"no path","version":"1","state":"READY"},{"name":"detector","version":"1","state":"READY"},
			{"name":"llm","version":"1","state":"READY"},{"name":"stateful","version":"1","state":"READY"},{"name":"controlled","version":"1","state":"READY"}]`,
	}
	image := `{"name":"IMAGE","datatype":"BYTES","shape":[-1,1]}`
	scores := `{"name":"SCORES","datatype":"FP32","shape":[-1,8]},{"name":"LABEL","datatype":"BYTES","shape":[-1,1]}`
	config := `{"backend":"python","max_batch_size":16,"input":[{"name":"IMAGE"}],"output":[{"name":"SCORES","label_filename":"labels.txt"},{"name":"LABEL"}]}`
	model(answers, "traffic-sign", "8", config, image, strings.Replace(scores, "8", "5", 1))
	model(answers, "traffic-sign", "10", config, image, scores)
	model(answers, "traffic-sign", "9", config, image, scores)
	model(answers, "on", "1", `{"platform":"ensemble","backend":"","ensemble_scheduling":{"step":[]}}`,
		`{"name":"null","datatype":"UINT8","shape":[-1]},{"name":"a: \"b\" #c\\","datatype":"INT64","shape":[]},{"name":"input.1","datatype":"FP16","shape":[1]}`,
		`{"name":"$cost","datatype":"FP32","shape":[2]},{"name":"prob","datatype":"FP32","shape":[-1,-1]},{"name":"p(class)","datatype":"FP64","shape":[2]}`)
	model(answers, "detector", "1", `{"backend":"onnxruntime","max_batch_size":0,"input":[{"name":"images","format":"FORMAT_NCHW"},{"name":"scale","optional":true}]}`,
		`{"name":"images","datatype":"FP32","shape":[1,3,640,640]},{"name":"scale","datatype":"FP32","shape":[1]}`,
		`{"name":"box_scores","datatype":"FP32","shape":[100,4]},{"name":"count","datatype":"INT32","shape":[1]}`)
	model(answers, "llm", "1", `{"backend":"vllm","max_batch_size":0,"model_transaction_policy":{"decoupled":true},"input":[{"name":"text_input"},{"name":"stream","optional":true}]}`,
		`{"name":"text_input","datatype":"BYTES","shape":[1]},{"name":"stream","datatype":"BOOL","shape":[1]},{"name":"blob","datatype":"BYTES","shape":[1]}`,
		`{"name":"text_output","datatype":"BYTES","shape":[-1]}`)
	model(answers, "stateful", "1", `{"backend":"python","max_batch_size":1,"sequence_batching":{}}`, `{"name":"N","datatype":"FP32","shape":[-1,1]}`,
		`{"name":"SUM","datatype":"INT64","shape":[-1,1]}`)
	model(answers, "controlled", "1", `{"backend":"python","sequence_batching":{}}`, `{"name":"a\u0000b","datatype":"FP32","shape":[1]}`, ``)
	return answers
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not as it was; got\n%s", file, got)
	}
}

func TestTriton(t *testing.T) {
	s, err := Read(t.Context(), fake(t, tritonServer()), "*")
	if err != nil || !s.Drafted() {
		t.Fatalf("%+v, %v", s, err)
	}
	s.HTTP, s.GRPC = "http://127.0.0.1:8000", "127.0.0.1:8001"
	golden(t, "triton.yaml", s.Policy())
	s.GRPC = ""
	if text := string(s.Policy()); !strings.Contains(text, "\n  grpc: \"\"  # closed") {
		t.Errorf("an endpoint that nobody named: %s", text)
	}
}

// The answers are those of kserve 0.21.0, which names neither versions nor tensors
// of a custom model, and of mlserver, which has an index.
func TestServersWithoutConfigurations(t *testing.T) {
	kserve := map[string]string{
		"GET /v2":                 `{"name":"kserve","version":"0.21.0","extensions":["model_repository_extension"]}`,
		"GET /v2/models":          `{"models":["my-model"]}`,
		"GET /v2/models/my-model": `{"name":"my-model","versions":null,"platform":"","inputs":[],"outputs":[]}`,
	}
	mlserver := map[string]string{
		"GET /v2":                   `{"name":"mlserver","version":"1.7.1","extensions":[]}`,
		"POST /v2/repository/index": `[{"name":"iris","version":"v1","state":"READY","reason":""}]`,
		"GET /v2/models/iris":       `{"name":"iris","versions":["scikit-learn 1.4"],"platform":"","inputs":[{"name":"features","datatype":"FP64","shape":[-1,4]},{"name":"photo","datatype":"BYTES","shape":[-1,1]}],"outputs":[{"name":"predict_proba","datatype":"FP64","shape":[-1,3]}]}`,
	}
	for name, answers := range map[string]map[string]string{"kserve.yaml": kserve, "mlserver.yaml": mlserver} {
		s, err := Read(t.Context(), fake(t, answers), "*")
		if err != nil {
			t.Fatal(err)
		}
		s.HTTP = "http://models.example:8080"
		golden(t, name, s.Policy())
	}
}

func TestReadSelectsModels(t *testing.T) {
	c := fake(t, tritonServer())
	for glob, want := range map[string]string{"*": "asleep broken controlled detector llm no path on stateful traffic-sign", "t*": "traffic-sign",
		"on": "on", "[l-o]*": "llm no path on", "none": ""} {
		s, err := Read(t.Context(), c, glob)
		var names []string
		for _, m := range s.Models {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%q selects %q, %v, want %q", glob, got, err, want)
		}
		if s.Drafted() != (want != "") {
			t.Errorf("%q: drafted: %v", glob, s.Drafted())
		}
	}
	if s, err := Read(t.Context(), c, "broken"); err != nil || s.Drafted() {
		t.Errorf("a model that is not ready is drafted: %+v, %v", s, err)
	}
}

// A name needs no list of models, a glob does.
func TestServerThatListsNothing(t *testing.T) {
	answers := map[string]string{"GET /v2": `{"name":"s"}`, "GET /v2/models/m": `{"name":"m"}`}
	c := fake(t, answers)
	if s, err := Read(t.Context(), c, "m"); err != nil || len(s.Models) != 1 || s.Models[0].Problem != "" {
		t.Errorf("a named model: %+v, %v", s, err)
	}
	if _, err := Read(t.Context(), c, "*"); err == nil || !strings.Contains(err.Error(), "list of models: status 404") {
		t.Errorf("a glob: %v", err)
	}
	if _, err := Read(t.Context(), fake(t, nil), "*"); err == nil || !strings.Contains(err.Error(), "server metadata") {
		t.Errorf("no V2 server: %v", err)
	}
}

// A server that goes away leaves no half draft.
func TestServerThatGoesAway(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2":
			fmt.Fprint(w, `{"name":"s"}`)
		case "/v2/repository/index":
			fmt.Fprint(w, `[{"name":"m"}]`)
		default:
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	c := upstream.NewClient(s.URL, 5*time.Second)
	defer c.Close()
	if got, err := Read(t.Context(), c, "*"); err == nil || !strings.Contains(err.Error(), `model "m"`) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGuesses(t *testing.T) {
	for name, tc := range map[string]struct {
		d    tensor.DataType
		want string
	}{
		"IMAGE": {tensor.Bytes, "image"}, "raw_png": {tensor.Bytes, "image"}, "image_size": {tensor.Int32, ""}, "PROMPT": {tensor.Bytes, "text"},
		"data": {tensor.Bytes, ""}, "text_mask": {tensor.Bool, ""},
	} {
		if got := inputKind(codec.Spec{Name: name, DataType: tc.d}); got != tc.want {
			t.Errorf("input %s of %s is guessed as %q, want %q", name, tc.d, got, tc.want)
		}
	}
	for _, tc := range []struct {
		name   string
		d      tensor.DataType
		labels string
		shape  []int64
		want   string
	}{
		{"probs", tensor.FP32, "", []int64{-1, 10}, "probabilities"}, {"out", tensor.FP16, "labels.txt", []int64{5}, "probabilities"},
		{"out", tensor.FP32, "", []int64{-1, 10}, "tensor"}, {"score", tensor.FP32, "", []int64{-1, 1}, "tensor"}, {"scores", tensor.FP32, "", nil, "tensor"},
		{"scores", tensor.FP32, "", []int64{-1, -1}, "tensor"}, {"box_scores", tensor.FP32, "labels.txt", []int64{9, 4}, "tensor"},
		{"classes", tensor.Int64, "labels.txt", []int64{9}, "tensor"}, {"LABEL", tensor.Bytes, "", []int64{1}, "labels"}, {"answer", tensor.Bytes, "", []int64{1}, ""},
	} {
		if got := outputKind(codec.Spec{Name: tc.name, DataType: tc.d, Shape: tc.shape}, tc.labels); got != tc.want {
			t.Errorf("output %+v is guessed as %q", tc, got)
		}
	}
}

func TestFloorIsAboveAGuess(t *testing.T) {
	for classes := int64(2); classes < 2000; classes++ {
		if f := floor(classes); f <= 1/float64(classes) || f >= 1 {
			t.Errorf("of %d classes, the floor is %v", classes, f)
		}
	}
}

func TestScalar(t *testing.T) {
	for text, want := range map[string]string{
		"IMAGE": "IMAGE", "input_1-a": "input_1-a", "input.1": `"input.1"`, "1": `"1"`, "-a": `"-a"`, "": `""`, "~": `"~"`, "null": `"null"`, "NO": `"NO"`,
		"y": `"y"`, "a b": `"a b"`, "a#b": `"a#b"`, `a"b\`: `"a\"b\\"`, "<&>": `"<&>"`, "é": `"é"`, "a\u2028": `"a\u2028"`,
	} {
		if got := scalar(text); got != want {
			t.Errorf("scalar(%q) = %s, want %s", text, got, want)
		}
	}
	if got := value("a$$b${env:X}"); got != `"a$$$$b$${env:X}"` {
		t.Errorf("a dollar sign becomes %s", got)
	}
}

func TestCompareVersions(t *testing.T) {
	order := []string{"", "latest", "v1", "1", "9", "10", "9223372036854775807"}
	for i, a := range order {
		for j, b := range order {
			if got := compareVersions(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("compareVersions(%q, %q) = %d", a, b, got)
			}
		}
	}
}
