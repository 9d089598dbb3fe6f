//go:build e2e

package prometheus

import (
	"os"
	"os/exec"
	"testing"
)

func TestPromtool(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
	}{
		{"check rules", []string{"check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"}, ""},
		{"test rules", []string{"test", "rules", "rules_test.yaml"}, ""},
		{"check config", []string{"check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"}, ""},
		{"check metrics", []string{"check", "metrics"}, metricsPage},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "promtool", c.args...)
			if c.stdin != "" {
				page, err := os.Open(c.stdin)
				if err != nil {
					t.Fatal(err)
				}
				defer page.Close()
				cmd.Stdin = page
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
