// Package prometheus tests the shipped alert rules: the ways that need only the
// files here, and, with the tag e2e, those that need promtool.
package prometheus

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	runbooks    = "../runbooks"
	metricsPage = "../../monitor/telemetry/testdata/metrics.golden"
)

type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(read(t, "rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

func TestEveryAlertHasItsRunbook(t *testing.T) {
	var want []string
	for _, r := range rules(t) {
		want = append(want, r.Alert+".md")
		if got := r.Annotations["runbook_url"]; got != "deploy/runbooks/"+r.Alert+".md" {
			t.Errorf("%s: runbook_url %q", r.Alert, got)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: no summary or no description", r.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
	}
	var got []string
	files, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		got = append(got, filepath.Base(file))
		text := read(t, file)
		for _, section := range []string{
			"# " + strings.TrimSuffix(filepath.Base(file), ".md"),
			"## Meaning", "## Impact", "## First five minutes", "## Causes and actions", "## Close",
		} {
			if !strings.Contains("\n"+text, "\n"+section+"\n") {
				t.Errorf("%s has no %q", file, section)
			}
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("runbooks %q, alerts %q", got, want)
	}
}

// Metrics that rules and runbooks name are on the metrics page, under that name.
func TestMetricsExist(t *testing.T) {
	page := read(t, metricsPage)
	metric := regexp.MustCompile(`\bweir_[a-z_]+`)
	found := 0
	check := func(where, text string) {
		for _, name := range metric.FindAllString(text, -1) {
			found++
			if !regexp.MustCompile(`(?m)^` + name + `(_bucket|_sum|_count)?[ {]`).MatchString(page) {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	for _, r := range rules(t) {
		check(r.Alert, r.Expr)
		check(filepath.Base(runbooks), read(t, filepath.Join(runbooks, r.Alert+".md")))
	}
	if found == 0 {
		t.Error("no metric in any rule")
	}
}

// Each alert has a case in which it fires and one in which it does not.
func TestEveryAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "rules_test.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	type kase struct {
		alert string
		fires bool
	}
	cases := map[kase]bool{}
	for _, test := range file.Tests {
		for _, c := range test.AlertRuleTest {
			cases[kase{c.Alertname, len(c.ExpAlerts) > 0}] = true
		}
	}
	for _, r := range rules(t) {
		for _, fires := range []bool{true, false} {
			if !cases[kase{r.Alert, fires}] {
				t.Errorf("%s has no case with firing = %v", r.Alert, fires)
			}
		}
	}
}
