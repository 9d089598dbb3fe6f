package upstream

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize/tensor"
)

// plainServer answers as told, by "METHOD path body", and with FastAPI's 404.
func plainServer(t *testing.T, answers map[string]string) JSON {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text, ok := answers[strings.TrimSpace(r.Method+" "+r.URL.EscapedPath()+" "+string(body))]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			text = `{"detail":"Not Found"}`
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	c := NewJSON(s.URL, 5*time.Second)
	t.Cleanup(c.Close)
	return c
}

// What MLServer 1.7.1 and KServe 0.21.0 say of the same models.
var (
	ofMLServer = map[string]string{
		"GET /v2/models/classifier/ready":            "",
		"GET /v2/models/classifier":                  `{"name":"classifier","versions":["sklearn/1.5"],"platform":"","inputs":[{"name":"VALUES","datatype":"FP32","shape":[-1,3]}],"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,3],"parameters":{"content_type":"np"}}],"parameters":{}}`,
		"GET /v2/models/classifier/versions/1/ready": "",
		"GET /v2/models/classifier/versions/1":       `{"name":"classifier","versions":[],"platform":"","inputs":[{"name":"VALUES","datatype":"FP32","shape":[-1,3]}],"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,3]}],"parameters":{}}`,
		"POST /v2/repository/index {}":               `[{"name":"classifier","version":"1","state":"READY","reason":""},{"name":"echo","state":"READY","reason":""},{"name":"classifier","version":"2","state":"READY","reason":""}]`,
	}
	ofKServe = map[string]string{
		"GET /v2/models/classifier/ready": `{"name":"classifier","ready":true}`,
		"GET /v2/models/classifier":       `{"name":"classifier","versions":null,"platform":"","inputs":[{"name":"VALUES","datatype":"FP32","shape":[-1,3]}],"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,3]}]}`,
		"GET /v2/models":                  `{"models":["echo","classifier"]}`,
	}
)

func TestSignatureFromMetadataAlone(t *testing.T) {
	for name, answers := range map[string]map[string]string{"MLServer": ofMLServer, "KServe": ofKServe} {
		c := plainServer(t, answers)
		versions, err := c.Versions(t.Context(), "classifier")
		if err != nil || !slices.Equal(versions, []string{""}) {
			t.Errorf("%s: versions %q, %v", name, versions, err)
		}
		for _, version := range []string{"", "1", "2"} {
			s, err := c.Signature(t.Context(), "classifier", version)
			if known := version == "" || version == "1" && name == "MLServer"; !known {
				if err == nil {
					t.Errorf("%s has version %q", name, version)
				}
				continue
			}
			want := &codec.Signature{Model: "classifier", Version: version, Lenient: true,
				Inputs:  []codec.Spec{{Name: "VALUES", DataType: tensor.FP32, Shape: []int64{-1, 3}, Optional: true}},
				Outputs: []codec.Spec{{Name: "SCORES", DataType: tensor.FP32, Shape: []int64{-1, 3}}}}
			if err != nil || !s.Equal(want) {
				t.Errorf("%s: version %q is %+v, %v", name, version, s, err)
			}
		}
		if _, err := c.Signature(t.Context(), "absent", ""); err == nil || !strings.Contains(err.Error(), "not ready: status 404") {
			t.Errorf("%s: a model that is not there: %v", name, err)
		}
		for glob, want := range map[string][]string{"*": {"classifier", "echo"}, "c*": {"classifier"}, "x*": nil} {
			if names, err := c.Models(t.Context(), glob); err != nil || !slices.Equal(names, want) {
				t.Errorf("%s: models %q are %q, %v", name, glob, names, err)
			}
		}
	}
	if _, err := plainServer(t, nil).Models(t.Context(), "*"); err == nil {
		t.Error("a server without a list of models has one")
	}
}

// A model without versions is found by the registry, under its rules and under a glob.
func TestRegistryOfAServerWithoutVersions(t *testing.T) {
	inputs := map[string]policy.Input{"VALUES": {Kind: policy.Tensor}}
	for name, rules := range map[string]*policy.Model{
		"its rules":  {Pattern: "classifier", Inputs: inputs},
		"a glob":     {Pattern: "class*", Inputs: inputs},
		"no version": {Pattern: "classifier", Inputs: inputs, Versions: []string{"1"}},
	} {
		r := newTestRegistry(plainServer(t, ofKServe), policy.New([]*policy.Model{rules}))
		r.refresh(t.Context())
		s, err := r.Lookup("classifier", "")
		if ok := name != "no version"; (err == nil) != ok || r.Ready() != ok || ok && s.Version != "" {
			t.Errorf("%s: %+v, %v, ready %t", name, s, err, r.Ready())
		}
		if _, err := r.Lookup("classifier", "1"); err == nil {
			t.Errorf("%s: a version of a server that has none", name)
		}
	}
}
