package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every difference is held by tests that exist.
func TestDifferencesAreHeld(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "e2e", "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the tests of deploy/e2e: %v, %v", files, err)
	}
	var source bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, d := range differences {
		for name := range strings.SplitSeq(d.tests, ", ") {
			if !bytes.Contains(source.Bytes(), []byte("\nfunc "+name+"(t *testing.T)")) {
				t.Errorf("there is no test %q of: %s", name, d.why)
			}
		}
	}
}

// Every model of a group is in the rules, and has its program here or among the
// fetched tests.
func TestModelsAreComplete(t *testing.T) {
	for _, g := range groups {
		for _, name := range g.models {
			if rules[name] == "" {
				t.Errorf("model %s has no rules", name)
			}
			_, isFetched := fetched[name]
			if err := copyModel(filepath.Join("models", name), t.TempDir()); (err == nil) == isFetched {
				t.Errorf("model %s: fetched %v, here: %v", name, isFetched, err)
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	passed, failed := outcome{Passed: true}, outcome{}
	denied := outcome{Reasons: []string{"model_unknown", "route_denied"}}
	crashed := outcome{Crashed: true}
	for _, test := range []struct {
		name           string
		control, under outcome
		p              profile
		want           string
	}{
		{"simple_http_shm_client.py", passed, denied, open, "refused (route_denied) 1"},
		{"any.py", passed, denied, closed, "refused (route_denied) 4"},
		{"any.py", passed, denied, open, "**FAILED** model_unknown, route_denied"},
		{"any.py", passed, failed, open, "**FAILED**"},
		{"any.py", passed, passed, open, "passed"},
		{"any.py", failed, passed, open, "passed"},
		{"any.py", failed, failed, open, "n/a"},
		{"any.py", failed, denied, open, "n/a (model_unknown, route_denied)"},
		{"simple_http_model_control.py", crashed, denied, open, "refused (route_denied) 2"},
		{"any.py", crashed, crashed, open, "**FAILED** Triton crashes"},
	} {
		line := row{Name: test.name}
		line.Outcomes[bare], line.Outcomes[test.p] = test.control, test.under
		if got := line.verdict(test.p); got != test.want {
			t.Errorf("%s, %v, %v: %q, want %q", test.name, test.control, test.under, got, test.want)
		}
	}
}
