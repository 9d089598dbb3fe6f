package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a model server with one model "m" of versions 1 and 2.
func server(t *testing.T) (*Client, map[string]string) {
	t.Helper()
	answers := map[string]string{
		"GET /v2/models/m":                   `{"name":"m","versions":["1","2"],"platform":"python","inputs":[],"outputs":[]}`,
		"GET /v2/models/m/versions/2/ready":  "",
		"GET /v2/models/m/versions/2":        `{"name":"m","versions":["1","2"],"platform":"python","inputs":[{"name":"A","datatype":"BYTES","shape":[-1,1]},{"name":"B","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"X","datatype":"FP32","shape":[-1,3]}]}`,
		"GET /v2/models/m/versions/2/config": `{"name":"m","max_batch_size":8,"input":[{"name":"A"},{"name":"B","optional":true}]}`,
		"POST /v2/repository/index":          `[{"name":"m","version":"1"},{"name":"other"}]`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+r.URL.EscapedPath()]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	c := NewClient(s.URL, 5*time.Second)
	t.Cleanup(c.Close)
	return c, answers
}

func TestSignature(t *testing.T) {
	c, answers := server(t)
	s, err := c.Signature(t.Context(), "m", "2")
	if err != nil {
		t.Fatal(err)
	}
	want := &codec.Signature{Model: "m", Version: "2", MaxBatchSize: 8,
		Inputs: []codec.Spec{{Name: "A", DataType: tensor.Bytes, Shape: []int64{-1, 1}},
			{Name: "B", DataType: tensor.FP32, Shape: []int64{-1, 2}, Optional: true}},
		Outputs: []codec.Spec{{Name: "X", DataType: tensor.FP32, Shape: []int64{-1, 3}}}}
	if !s.Equal(want) {
		t.Errorf("Signature = %+v, want %+v", s, want)
	}
	if _, err := c.Signature(t.Context(), "m", "1"); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("a version that is not ready: %v", err)
	}
	answers["GET /v2/models/m/versions/2/config"] = `{"max_batch_size":0,"model_transaction_policy":{"decoupled":true}}`
	if s, err := c.Signature(t.Context(), "m", "2"); err != nil || !s.Decoupled {
		t.Errorf("a decoupled model: %+v, %v", s, err)
	}
	answers["GET /v2/models/m/versions/2/config"] = strings.Repeat(" ", maxDescription+1)
	if _, err := c.Signature(t.Context(), "m", "2"); err == nil {
		t.Error("an endless description was read")
	}
}

func TestModelsAndVersions(t *testing.T) {
	c, _ := server(t)
	if names, err := c.Models(t.Context(), "o*"); err != nil || !slices.Equal(names, []string{"other"}) {
		t.Errorf("Models = %v, %v", names, err)
	}
	if versions, err := c.Versions(t.Context(), "m"); err != nil || !slices.Equal(versions, []string{"1", "2"}) {
		t.Errorf("Versions = %v, %v", versions, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer s.Close()
	c := NewClient(s.URL, time.Second)
	defer c.Close()
	if _, err := c.Versions(t.Context(), "m"); err == nil || len(asked) != 1 {
		t.Errorf("a redirect was followed: %v %v", asked, err)
	}
}

// source plays a model server whose answer tests can change while it is asked.
type source struct {
	mu        sync.Mutex
	signature *codec.Signature
	err       error
	models    []string
	versions  []string
	asked     int
}

func (s *source) set(sig *codec.Signature, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signature, s.err = sig, err
}

func (s *source) Signature(_ context.Context, model, version string) (*codec.Signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return nil, s.err
	}
	named := *s.signature
	named.Model, named.Version = model, version
	return &named, nil
}

func (s *source) Versions(context.Context, string) ([]string, error) {
	if s.versions != nil {
		return s.versions, nil
	}
	return []string{"9", "10"}, nil
}

func (s *source) Models(context.Context, string) ([]string, error) {
	return slices.Clone(s.models), nil
}

func good() *codec.Signature {
	return &codec.Signature{Inputs: []codec.Spec{{Name: "A", DataType: tensor.Bytes, Shape: []int64{1}}}}
}

func rules(pattern string, versions ...string) *policy.Policy {
	return policy.New([]*policy.Model{{Pattern: pattern, Versions: versions, Inputs: map[string]policy.Input{"A": {Kind: policy.Text}}}})
}

func newTestRegistry(s Source, p *policy.Policy) *Registry {
	return NewRegistry(Sources{V2: s}, p, slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
}

func TestRegistryReadiness(t *testing.T) {
	s := &source{err: errors.New("connection refused")}
	r := newTestRegistry(s, rules("m", "1"))
	if _, err := r.Lookup("m", "1"); err == nil || r.Ready() {
		t.Error("ready before anything was read")
	}
	r.refresh(t.Context())
	if states := r.States(); r.Ready() || !strings.Contains(states[0].Reason, "connection refused") {
		t.Errorf("states %+v, want the reason", states)
	}
	s.set(good(), nil)
	r.refresh(t.Context())
	if _, err := r.Lookup("m", "1"); err != nil || !r.Ready() {
		t.Errorf("not ready after it was read: %v %+v", err, r.States())
	}
	s.set(nil, errors.New("connection refused"))
	r.refresh(t.Context())
	if _, err := r.Lookup("m", "1"); err != nil || !r.Ready() {
		t.Error("a server that does not answer takes back what it said")
	}
	changed := good()
	changed.Inputs[0].DataType = tensor.FP32
	s.set(changed, nil)
	r.refresh(t.Context())
	if _, err := r.Lookup("m", "1"); err == nil || r.Ready() {
		t.Error("a model that no longer fits the policy is served")
	}
}

func TestNewestVersionIsTheDefault(t *testing.T) {
	r := newTestRegistry(&source{signature: good()}, rules("m"))
	r.refresh(t.Context())
	if s, err := r.Lookup("m", ""); err != nil || s.Version != "10" {
		t.Errorf("Lookup of no version = %+v, %v; want 10", s, err)
	}
	if s, err := r.Lookup("m", "9"); err != nil || s.Version != "9" {
		t.Errorf("Lookup of 9 = %+v, %v", s, err)
	}
	if _, err := r.Lookup("m", "11"); err == nil {
		t.Error("a version that the server does not have was found")
	}
}

func TestVersionThatIsGoneIsForgotten(t *testing.T) {
	s := &source{signature: good()}
	r := newTestRegistry(s, rules("m"))
	r.refresh(t.Context())
	s.versions = []string{"9"}
	r.refresh(t.Context())
	if s, err := r.Lookup("m", ""); err != nil || s.Version != "9" {
		t.Errorf("Lookup of no version = %+v, %v; want 9, which the server went back to", s, err)
	}
}

func TestGlobs(t *testing.T) {
	s := &source{signature: good()}
	r := newTestRegistry(s, rules("m-*", "1"))
	r.refresh(t.Context())
	if r.Ready() {
		t.Error("ready though no model matches the glob")
	}
	s.models = []string{"m-a", "m-b"}
	r.refresh(t.Context())
	for _, name := range s.models {
		if _, err := r.Lookup(name, "1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A glob neither adds versions to a model that has rules of its own nor takes its
// signatures back.
func TestGlobLeavesModelsWithOwnRulesAlone(t *testing.T) {
	inputs := map[string]policy.Input{"A": {Kind: policy.Text}}
	own := &policy.Model{Pattern: "m", Versions: []string{"9"}, Inputs: inputs}
	for name, glob := range map[string]*policy.Model{
		"adds":       {Pattern: "*", Inputs: inputs},
		"takes back": {Pattern: "*", Inputs: map[string]policy.Input{"A": {Kind: policy.Tensor}}},
	} {
		r := newTestRegistry(&source{signature: good(), models: []string{"m"}}, policy.New([]*policy.Model{own, glob}))
		r.refresh(t.Context())
		if s, err := r.Lookup("m", ""); err != nil || s.Version != "9" {
			t.Errorf("%s: Lookup = %+v, %v; want version 9, the only one allowed", name, s, err)
		}
		if !r.Ready() {
			t.Errorf("%s: not ready, though all models of the server are known: %+v", name, r.States())
		}
	}
}

func TestInherit(t *testing.T) {
	s := &source{signature: good()}
	old := newTestRegistry(s, rules("m", "1", "2"))
	old.refresh(t.Context())
	same := newTestRegistry(s, rules("m", "1"))
	same.Inherit(old)
	if _, err := same.Lookup("m", "1"); err != nil || !same.Ready() {
		t.Errorf("a reload forgot a model that still fits: %v", err)
	}
	if _, err := same.Lookup("m", "2"); err == nil {
		t.Error("a version that the new policy does not allow was inherited")
	}
	more := newTestRegistry(s, rules("m", "1", "3"))
	more.Inherit(old)
	if more.Ready() {
		t.Error("ready though version 3 was never read")
	}
	other := newTestRegistry(s, policy.New([]*policy.Model{{Pattern: "m", Versions: []string{"1"},
		Inputs: map[string]policy.Input{"A": {Kind: policy.Tensor}}}}))
	other.Inherit(old)
	if _, err := other.Lookup("m", "1"); err == nil {
		t.Error("a signature that does not fit the new rules was inherited")
	}
	same.Inherit(nil)
}

func TestInheritOfGlobs(t *testing.T) {
	s := &source{signature: good(), models: []string{"m-a", "m-b"}}
	old := newTestRegistry(s, rules("m-*", "1"))
	fresh := newTestRegistry(s, rules("m-*", "1"))
	fresh.Inherit(old)
	if fresh.Ready() {
		t.Error("ready though nothing was ever read")
	}
	old.refresh(t.Context())
	for name, tc := range map[string]struct {
		policy *policy.Policy
		known  bool
		ready  bool
	}{
		"the same glob":     {rules("m-*", "1"), true, true},
		"another glob":      {rules("*", "1"), true, false}, // which may match more
		"another version":   {rules("m-*", "2"), false, false},
		"other rules":       {policy.New([]*policy.Model{{Pattern: "m-*", Versions: []string{"1"}, Inputs: map[string]policy.Input{"A": {Kind: policy.Tensor}}}}), false, false},
		"a name of its own": {rules("m-a", "1"), true, true},
	} {
		r := newTestRegistry(s, tc.policy)
		r.Inherit(old)
		if _, err := r.Lookup("m-a", "1"); (err == nil) != tc.known || r.Ready() != tc.ready {
			t.Errorf("%s: Lookup: %v, ready %t; want known %t, ready %t", name, err, r.Ready(), tc.known, tc.ready)
		}
	}
}

func TestRunReadsUntilReadyAndEnds(t *testing.T) {
	s := &source{err: errors.New("connection refused")}
	var log safeBuffer
	r := NewRegistry(Sources{V2: s}, rules("m", "1"), slog.New(slog.NewJSONHandler(&log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	for range 3 { // several tries
		waitFor(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.asked > 2 })
	}
	s.set(good(), nil)
	waitFor(t, r.Ready)
	cancel()
	<-done
	if n := strings.Count(log.String(), "not ready"); n != 1 {
		t.Errorf("said %d times that the model is not ready, want once a minute:\n%s", n, log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(strings.SplitN(log.String(), "\n", 2)[0]), &line); err != nil || line["model"] != "m" {
		t.Errorf("log line %v %v", line, err)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *safeBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to be")
		}
	}
}
