package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testLab(t *testing.T) (*lab, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return &lab{dir: t.TempDir(), out: &printer{w: out}, jobs: 2}, out
}

func TestStepIsDoneOnce(t *testing.T) {
	l, out := testLab(t)
	input := filepath.Join(t.TempDir(), "input")
	write := func(text string) {
		if err := os.WriteFile(input, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runs, failure := 0, error(nil)
	s := step{name: "s", title: "A step", files: []string{input}, run: func(context.Context, func(done, all int)) error {
		runs++
		return failure
	}}
	wantRuns := func(why string, want int) {
		t.Helper()
		if err := l.once(t.Context(), s); !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if runs != want {
			t.Errorf("%s: %d runs, want %d", why, runs, want)
		}
	}
	if l.done(s) {
		t.Error("done before its input is there")
	}
	write("a")
	wantRuns("first", 1)
	wantRuns("again", 1)
	write("b")
	wantRuns("with another file", 2)
	s.inputs = "other"
	failure = errors.New("broken")
	wantRuns("with another input, failing", 3)
	wantRuns("after a failure", 4)
	failure = nil
	wantRuns("after two failures", 5)
	wantRuns("after a success", 5)
	if got := strings.Count(out.String(), "A step"); got != 5 {
		t.Errorf("%d lines about the step, want 5:\n%s", got, out)
	}
}

func TestAFailureEndsTheOthers(t *testing.T) {
	l, _ := testLab(t)
	l.jobs = 1
	broken := errors.New("broken")
	ran := false
	err := l.all(t.Context(), []step{
		{name: "a", title: "a", run: func(context.Context, func(done, all int)) error { return broken }},
		{name: "b", title: "b", run: func(context.Context, func(done, all int)) error { ran = true; return nil }},
	})
	if !errors.Is(err, broken) || ran {
		t.Errorf("error %v, the step after it ran: %t", err, ran)
	}
}

func TestFind(t *testing.T) {
	all, err := find(nil)
	if err != nil || len(all) != len(models()) {
		t.Errorf("%d models without a name, error %v", len(all), err)
	}
	for _, m := range all {
		if got, err := find([]string{m.name()}); err != nil || len(got) != 1 || got[0].name() != m.name() {
			t.Errorf("%s: found %v, error %v", m.name(), got, err)
		}
	}
	if _, err := find([]string{"marks-plain"}); err == nil {
		t.Error("found a model that is not there")
	}
}
