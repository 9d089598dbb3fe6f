package filter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/filter/policy"
	"weir/monitor"
	"weir/monitor/telemetry"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a filter over a model "m" with a text input and class probabilities,
// and with the model server's side played by the test.
type rig struct {
	t       *testing.T
	filter  *filter.Filter
	samples samples
	model   *policy.Model
}

type samples struct {
	mu  sync.Mutex
	all []monitor.Sample
}

func (s *samples) Observe(x monitor.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, x)
}

type signatures struct{ s *codec.Signature }

func (s signatures) Lookup(model, version string) (*codec.Signature, error) {
	if s.s == nil || model != s.s.Model || version != "" && version != s.s.Version {
		return nil, errors.New("not read yet")
	}
	return s.s, nil
}

func (s signatures) Ready() bool { return s.s != nil }

var signature = &codec.Signature{Model: "m", Version: "3",
	Inputs: []codec.Spec{
		{Name: "TEXT", DataType: tensor.Bytes, Shape: []int64{-1}},
		{Name: "N", DataType: tensor.FP32, Shape: []int64{-1}, Optional: true}},
	Outputs: []codec.Spec{
		{Name: "P", DataType: tensor.FP32, Shape: []int64{-1, 3}},
		{Name: "OTHER", DataType: tensor.FP32, Shape: []int64{-1}}}}

func newRig(t *testing.T) *rig {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	tel, err := telemetry.New(context.Background(), telemetry.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	r := &rig{t: t, model: &policy.Model{
		Pattern: "m",
		Inputs:  map[string]policy.Input{"TEXT": {Kind: policy.Text}, "N": {Kind: policy.Tensor}},
		Outputs: map[string]policy.Output{"P": {Probabilities: true, Labels: []string{"a", "b", "c"}}},
		Checks:  []policy.Check{{Name: "floor", Output: "P", MinConfidence: 0.5, Action: policy.Flag}},
		Drift:   &policy.Drift{Output: "P"},
	}}
	r.filter = filter.New(filter.Options{Monitor: &r.samples, Telemetry: tel, Log: log, Slots: 2})
	r.use(signatures{signature})
	return r
}

func (r *rig) use(s filter.Signatures) {
	c, err := kserve.NewHTTP(kserve.DefaultLimits())
	if err != nil {
		r.t.Fatal(err)
	}
	r.filter.Use(&filter.Runtime{Policy: policy.New([]*policy.Model{r.model}), Codecs: codec.Codecs{codec.KServeHTTP: c}, Signatures: s,
		Digest: "d", Timeout: time.Minute, BodyKey: []byte("key")})
}

func (r *rig) begin(path string) *filter.Transaction {
	return r.filter.Begin(context.Background(), filter.Head{Method: "POST", Path: path})
}

const ask = `{"id":"client","inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a\u200bb"]}],"outputs":[{"name":"P"}]}`

// answer is the model server's answer to a message, in binary form.
func answer(t *testing.T, m *codec.Message, rows int, values ...float32) (codec.Headers, []byte) {
	t.Helper()
	return answerAs(header(t, m), rows, values...)
}

// header is the JSON header of a message to the model server.
func header(t *testing.T, m *codec.Message) (h struct {
	ID      string `json:"id"`
	Outputs []struct {
		Name string `json:"name"`
	} `json:"outputs"`
}) {
	t.Helper()
	n, _ := m.Headers.Get("inference-header-content-length")
	size, err := strconv.Atoi(n)
	if err != nil {
		t.Fatalf("no header length: %v", err)
	}
	if err := json.Unmarshal(m.Body[:size], &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func answerAs(h struct {
	ID      string `json:"id"`
	Outputs []struct {
		Name string `json:"name"`
	} `json:"outputs"`
}, rows int, values ...float32) (codec.Headers, []byte) {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	text := fmt.Sprintf(`{"id":%q,"model_name":"m","model_version":"3","outputs":[{"name":"P","datatype":"FP32","shape":[%d,3],"parameters":{"binary_data_size":%d}}]}`,
		h.ID, rows, len(data))
	return codec.Headers{{Name: "inference-header-content-length", Value: strconv.Itoa(len(text))}}, append([]byte(text), data...)
}

func wantRefusal(t *testing.T, a filter.Answer, reason filter.Reason) {
	t.Helper()
	if a.Refusal == nil || a.Refusal.Reason != reason {
		t.Fatalf("answer = %+v, want a refusal for %s", a, reason)
	}
	if a.Message != nil || a.Pass || a.Path != "" {
		t.Errorf("a refusal lets something through: %+v", a)
	}
	var body struct{ Error string }
	if err := json.Unmarshal(a.Refusal.ErrorBody(), &body); err != nil || !strings.HasPrefix(body.Error, "weir: "+string(reason)+": ") {
		t.Errorf("error body %s, want one that begins with the reason", a.Refusal.ErrorBody())
	}
	if id, n := a.Refusal.Headers.Get(filter.HeaderDecision); n != 1 || len(id) != 26 {
		t.Errorf("decision id %q", id)
	}
}

func TestRequestIsCleanedAndCanonical(t *testing.T) {
	r := newRig(t)
	x := r.begin("/v2/models/m/infer?evil=1")
	defer x.End(nil)
	if a := x.RequestHead(false); a.Refusal != nil || a.Pass {
		t.Fatalf("head: %+v, want to see the body", a)
	}
	a := x.RequestBody([]byte(ask))
	if a.Message == nil {
		t.Fatalf("body: %+v", a)
	}
	if a.Path != "/v2/models/m/versions/3/infer" {
		t.Errorf("path %q: the version of the policy is not written", a.Path)
	}
	if !bytes.HasSuffix(a.Message.Body, []byte("\x02\x00\x00\x00ab")) {
		t.Errorf("body %q does not end in the cleaned text", a.Message.Body)
	}
	if h := header(t, a.Message); h.ID != x.ID() || len(h.Outputs) != 1 {
		t.Errorf("header %+v, want the decision id and P", h)
	}
	if bytes.Contains(a.Message.Body, []byte("client")) {
		t.Error("the client's id reaches the model server")
	}
	headers, body := answer(t, a.Message, 1, 0.1, 0.8, 0.1)
	if a = x.ResponseHead(200, nil, false, false); a.Refusal != nil {
		t.Fatalf("response head: %+v", a)
	}
	a = x.ResponseBody(200, headers, body)
	if a.Message == nil || !bytes.Contains(a.Message.Body, []byte(`"id":"client"`)) {
		t.Fatalf("answer to the client: %+v", a)
	}
	if action, _ := a.Mark.Get(filter.HeaderAction); action != "sanitize" {
		t.Errorf("action %q, want sanitize", action)
	}
	if s := r.samples.all; len(s) != 1 || s[0].Class != "b" || math.Abs(s[0].Confidence-0.8) > 1e-6 {
		t.Errorf("samples %+v, want one row of class b", s)
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		path, body string
		change     func(*rig)
		want       filter.Reason
	}{
		"unknown model":              {path: "/v2/models/other/infer", body: ask, want: "model_unknown"},
		"unknown version":            {path: "/v2/models/m/versions/4/infer", body: ask, change: func(r *rig) { r.model.Versions = []string{"3"} }, want: "model_version_unknown"},
		"newest version not allowed": {path: "/v2/models/m/infer", body: ask, change: func(r *rig) { r.model.Versions = []string{"2"} }, want: "model_version_unknown"},
		"not read yet":               {path: "/v2/models/m/infer", body: ask, change: func(r *rig) { r.use(signatures{}) }, want: "upstream_not_ready"},
		"malformed":                  {path: "/v2/models/m/infer", body: `{`, want: "json_malformed"},
		"undeclared input":           {path: "/v2/models/m/infer", body: ask, change: func(r *rig) { delete(r.model.Inputs, "TEXT") }, want: "input_undeclared"},
		"parameter":                  {path: "/v2/models/m/infer", body: strings.Replace(ask, `"id"`, `"parameters":{"steer":1},"id"`, 1), want: "parameter_not_allowed"},
		"output of no one":           {path: "/v2/models/m/infer", body: strings.Replace(ask, `"P"`, `"Q"`, 1), want: "signature_mismatch"},
		"text not utf-8":             {path: "/v2/models/m/infer", body: strings.Replace(ask, `a\u200bb`, "\xff", 1), want: "json_malformed"},
		"text too long": {path: "/v2/models/m/infer", body: ask, change: func(r *rig) {
			r.model.Inputs["TEXT"] = policy.Input{Kind: policy.Text, Text: sanitize.TextOptions{MaxBytes: 1}}
		}, want: "text_too_long"},
		"datatype of kind":  {path: "/v2/models/m/infer", body: ask, change: func(r *rig) { r.model.Inputs["TEXT"] = policy.Input{Kind: policy.Tensor} }, want: "tensor_datatype"},
		"not finite":        {path: "/v2/models/m/infer", body: strings.Replace(ask, `"inputs":[`, `"inputs":[{"name":"N","shape":[1],"datatype":"FP32","data":[NaN]},`, 1), want: "json_malformed"},
		"no image in there": {path: "/v2/models/m/infer", body: ask, change: func(r *rig) { r.model.Inputs["TEXT"] = policy.Input{Kind: policy.Image} }, want: "image_format_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tc.change != nil {
				tc.change(r)
			}
			x := r.begin(tc.path)
			defer x.End(nil)
			a := x.RequestHead(false)
			if atHead := tc.want == "model_unknown" || tc.path == "/v2/models/m/versions/4/infer"; atHead != (a.Refusal != nil) {
				t.Fatalf("at the head: %+v", a)
			}
			if a.Refusal == nil {
				a = x.RequestBody([]byte(tc.body))
			}
			wantRefusal(t, a, tc.want)
			wantRefusal(t, x.ResponseHead(200, nil, false, false), filter.ResponseUnexpected)
		})
	}
}

func TestHeads(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path, contentType string
		end                       bool
		want                      filter.Reason // "" for Pass
	}{
		"live":             {"GET", "/v2/health/live", "", true, ""},
		"metadata":         {"GET", "/v2/models/m", "", true, ""},
		"other's metadata": {"GET", "/v2/models/other", "", true, "model_unknown"},
		"other version":    {"GET", "/v2/models/m/versions/9", "", true, "model_version_unknown"},
		"ready":            {"GET", "/v2/health/ready", "", true, ""},
		"model ready":      {"GET", "/v2/models/m/ready", "", true, ""},
		"with a body":      {"GET", "/v2/health/live", "", false, "header_invalid"},
		"no body":          {"POST", "/v2/models/m/infer", "", true, "body_missing"},
		"unknown":          {"GET", "/nothing", "", true, "route_unknown"},
		"load":             {"POST", "/v2/repository/models/m/load", "", false, "route_denied"},
		"grpc":             {"POST", "/inference.GRPCInferenceService/ModelInfer", "application/grpc", false, "protocol_not_enabled"},
		"grpc elsewhere":   {"POST", "/v2/models/m/infer", "application/grpc", false, "route_unknown"},
	} {
		r := newRig(t)
		r.model.Versions = []string{"3"}
		x := r.filter.Begin(context.Background(), filter.Head{Method: tc.method, Path: tc.path,
			Headers: codec.Headers{{Name: "content-type", Value: tc.contentType}}})
		a := x.RequestHead(tc.end)
		if tc.want != "" {
			wantRefusal(t, a, tc.want)
		} else if !a.Pass || a.Path != tc.path {
			t.Errorf("%s: %+v, want it passed", name, a)
		}
		x.End(nil)
	}
}

func TestNotReadyIsSaid(t *testing.T) {
	r := newRig(t)
	r.use(signatures{})
	for path, ready := range map[string]bool{"/v2/health/live": true, "/v2/health/ready": false, "/v2/models/m/ready": false} {
		x := r.filter.Begin(context.Background(), filter.Head{Method: "GET", Path: path})
		if a := x.RequestHead(true); !ready {
			wantRefusal(t, a, filter.UpstreamNotReady)
		} else if !a.Pass {
			t.Errorf("%s: %+v, want it passed", path, a)
		}
		x.End(nil)
	}
}

func TestNothingPassesWithoutAConfiguration(t *testing.T) {
	r := newRig(t)
	f := filter.New(filter.Options{Monitor: &r.samples, Telemetry: r.telemetry(), Log: slog.Default()})
	x := f.Begin(context.Background(), filter.Head{Method: "GET", Path: "/v2/health/live"})
	defer x.End(nil)
	wantRefusal(t, x.RequestHead(true), filter.UpstreamNotReady)
}

func (r *rig) telemetry() *telemetry.Telemetry {
	tel, err := telemetry.New(context.Background(), telemetry.Config{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

// Sanitising may not make of a small request one that is larger than any: NFKC
// makes eleven bytes of one of these.
func TestRequestThatGrowsIsRefused(t *testing.T) {
	r := newRig(t)
	r.model.Inputs["TEXT"] = policy.Input{Kind: policy.Text, Text: sanitize.TextOptions{Profile: sanitize.TextStrict}}
	limits := kserve.DefaultLimits()
	limits.MaxBodyBytes = 1 << 20
	c, err := kserve.NewHTTP(limits)
	if err != nil {
		t.Fatal(err)
	}
	runtime := *r.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.KServeHTTP: c}
	r.filter.Use(&runtime)
	element := `,"` + strings.Repeat("\uFDFA", 4096) + `"`
	for n, want := range map[int]filter.Reason{7: "", 8: "body_too_large"} {
		x := r.begin("/v2/models/m/infer")
		a := x.RequestBody(fmt.Appendf(nil, `{"inputs":[{"name":"TEXT","shape":[%d],"datatype":"BYTES","data":[%s]}]}`,
			n, strings.Repeat(element, n)[1:]))
		switch {
		case want != "":
			wantRefusal(t, a, want)
		case a.Message == nil:
			t.Errorf("%d elements: %+v", n, a)
		}
		x.End(nil)
	}
}
