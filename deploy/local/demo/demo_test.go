package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/deploy/local"
	"weir/filter/config"
	"weir/monitor/baseline"
)

func TestStoryHasTenLines(t *testing.T) {
	var letters []string
	for _, l := range lines {
		letters = append(letters, l.letter)
	}
	slices.Sort(letters)
	if story := strings.Join(letters, ""); story != "abcdefghij" {
		t.Errorf("the lines are %q", story)
	}
}

func TestConfigurationIsValid(t *testing.T) {
	if text, err := os.ReadFile("weir.yaml"); err != nil || string(text) != weirConfig {
		t.Fatalf("the embedded configuration is another one (%v)", err)
	}
	c, warnings, err := config.Load("weir.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(make([]byte, 32)); err != nil {
		t.Error(err)
	}
	// Each run draws a key of its own.
	if text := warnings.String(); len(warnings) != 1 || !strings.Contains(text, "no keys.sanitize_file") {
		t.Errorf("warnings: %s", text)
	}
}

func TestBaselineFitsTheModel(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "baselines", "traffic-sign.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := baseline.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if b.Model != signs || b.Version != "1" || b.Samples < baselineRows {
		t.Errorf("baseline of model %q, version %q, with %d samples", b.Model, b.Version, b.Samples)
	}
}

func TestWithoutBaseline(t *testing.T) {
	text, err := withoutBaseline(weirConfig)
	if err != nil || strings.Contains(text, "\n      baseline:") || !strings.Contains(text, "tolerance: 0.02") {
		t.Errorf("%v\n%s", err, text)
	}
	for _, config := range []string{"models: []\n", "baseline: a\nbaseline: b\n"} {
		if _, err := withoutBaseline(config); err == nil {
			t.Errorf("%q: no error", config)
		}
	}
}

func TestLastAlarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.log")
	weir := &local.Process{LogPath: path}
	if _, err := lastAlarm(weir); err == nil {
		t.Error("no log: no error")
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("not JSON\n{\"msg\":\"weir serves\"}\n")
	if _, err := lastAlarm(weir); err == nil {
		t.Error("no alarm: no error")
	}
	write(`{"msg":"drift alarm","feature":"class","bins":["stop"],"baseline_shares":[0.1],"current_shares":[0.2]}
{"msg":"drift alarm","feature":"entropy","bins":["> 1"],"baseline_shares":[0.1],"current_shares":[0.9]}
{"msg":"weir ended"}
`)
	a, err := lastAlarm(weir)
	if err != nil || a.Feature != "entropy" || a.Current[0] != 0.9 {
		t.Errorf("%+v, %v", a, err)
	}
	write(`{"msg":"drift alarm","feature":"entropy","bins":["> 1"],"baseline_shares":[0.1],"current_shares":[]}`)
	if _, err := lastAlarm(weir); err == nil {
		t.Error("alarm without its shares: no error")
	}
}

// TestReadmeShowsTheTable holds that what the README prints is a table of this
// story in which every line held.
func TestReadmeShowsTheTable(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "<!-- demo -->")
	table, _, _ = strings.Cut(table, "<!-- /demo -->")
	for _, l := range lines {
		row := regexp.MustCompile(`(?m)^\(` + l.letter + `\) +` + regexp.QuoteMeta(l.what) + ` .* yes$`)
		if !row.MatchString(table) {
			t.Errorf("the README has no row of (%s) %s that held; run make demo and copy the table", l.letter, l.what)
		}
	}
}
