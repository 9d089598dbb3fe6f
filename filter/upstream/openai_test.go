package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/openai"
	"weir/filter/policy"
)

// models is a server below /openai that lists these names.
func models(t *testing.T, list *atomic.Pointer[string]) *OpenAI {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openai/v1/models" || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(*list.Load()))
	}))
	t.Cleanup(s.Close)
	o := NewOpenAI(s.URL+"/openai", time.Minute)
	t.Cleanup(o.Close)
	return o
}

func chat(pattern string, inputs ...string) *policy.Model {
	m := &policy.Model{Pattern: pattern, Protocol: codec.OpenAI, Inputs: map[string]policy.Input{}}
	for _, name := range inputs {
		m.Inputs[name] = policy.Input{Kind: policy.Opaque}
	}
	return m
}

func TestOpenAIModels(t *testing.T) {
	var list atomic.Pointer[string]
	set := func(text string) { list.Store(&text) }
	set(`{"object":"list","data":[{"id":"llama"},{"id":"org/small"},{"id":"org/large"},{"id":"a\u0000b"},{"id":"../x"}]}`)
	v2 := &policy.Model{Pattern: "v2", Inputs: map[string]policy.Input{"A": {Kind: policy.Opaque}}}
	p := policy.New([]*policy.Model{chat("llama", openai.Text), chat("org/*", openai.Text, openai.Image), chat("gone", openai.Text), chat("odd", "TEXT"), v2})
	r := NewRegistry(Sources{V2: NewClient("http://127.0.0.1:1", time.Second), OpenAI: models(t, &list)}, p, slog.New(slog.DiscardHandler))
	r.refresh(context.Background())
	for _, name := range []string{"llama", "org/small", "org/large"} {
		if s, err := r.Lookup(name, ""); err != nil || s.Model != name || s.Version != "" {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if s, err := r.Lookup(name, "1"); err == nil {
			t.Errorf("version 1 of %s: %+v", name, s)
		}
	}
	for _, name := range []string{"gone", "odd", "v2", "org", "other"} {
		if s, err := r.Lookup(name, ""); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, s := range r.States() {
		want := map[string]string{"gone": "no such model", "odd": "no such model", "v2": "refused"}[s.Pattern]
		if s.Ready != (want == "") || !strings.Contains(s.Reason, want) {
			t.Errorf("%+v, want %q", s, want)
		}
	}
	set(`{"object":"list","data":[{"id":"org/small"},{"id":"odd"}]}`)
	r.refresh(context.Background())
	if s, err := r.Lookup("org/large", ""); err == nil {
		t.Errorf("a model that has gone: %+v", s)
	}
	for _, s := range r.States() {
		if s.Pattern == "odd" && !strings.Contains(s.Reason, `no input "TEXT"`) {
			t.Errorf("%+v", s)
		}
	}
	set(`<html>`)
	r.refresh(context.Background())
	if _, err := r.Lookup("org/small", ""); err != nil {
		t.Errorf("a server that stammers took back what was known: %v", err)
	}
}
