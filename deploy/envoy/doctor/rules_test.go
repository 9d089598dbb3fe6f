package doctor_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/deploy/envoy/doctor"
)

var update = flag.Bool("update", false, "rewrite RULES.md")

// TestRulesAreDocumented holds that RULES.md is the list of rules.
func TestRulesAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What `weir doctor` finds\n\nWritten by `go test ./deploy/envoy/doctor -update` from the rules in the code.\n\n| rule | severity | why | hint |\n|---|---|---|---|\n")
	for _, r := range doctor.Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.ID, r.Severity, r.Why, r.Hint)
	}
	if *update {
		if err := os.WriteFile("RULES.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("RULES.md is not what the rules say; run with -update")
	}
}

func TestRulesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range doctor.Rules() {
		if seen[r.ID] {
			t.Errorf("%s is there twice", r.ID)
		}
		seen[r.ID] = true
	}
}
