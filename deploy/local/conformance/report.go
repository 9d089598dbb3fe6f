package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// report writes what became of everything. It returns an error when something failed
// through Weir that no difference explains.
func (r *runner) report() error {
	var b strings.Builder
	b.WriteString(heading)
	fmt.Fprintf(&b, "- client: %s\n- server: %s\n- Triton 2.51, Envoy %s\n\n", r.revisions[0], r.revisions[1], r.deps.EnvoyVersion)
	failed := r.table(&b)
	notes(&b)
	if err := os.WriteFile(r.out, []byte(b.String()), 0o644); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d failed, and no difference on purpose explains it", failed)
	}
	return nil
}

const heading = `# NVIDIA's clients and tests through Envoy and Weir

` + "`make conformance`" + ` wrote this. It runs NVIDIA's own client examples, perf_analyzer and
server tests three times: against Triton alone, as the control; through Weir with a policy
that opens nothing beside inference (default); and through Weir with one that opens the
endpoints config, statistics and repository_index and the parameters of sequences (open).

- **passed**: the client's or test's own verdict.
- **refused**: Weir refused a request, on purpose; the number is that of the difference below.
- **differs**: Weir does something else than Triton, on purpose.
- **n/a**: fails against Triton alone, too, and so says nothing about Weir: the tests are newer
  than this Triton, or need hardware or backends that are not here. Codes are those of Weir's refusals.
- **FAILED**: none of these.

`

// table writes the rows by group and file, and returns how many failed.
func (r *runner) table(b *strings.Builder) (failed int) {
	counts := map[string]int{}
	var rows strings.Builder
	group, file := "", ""
	for _, line := range r.rows {
		if line.Group != group {
			group, file = line.Group, ""
			fmt.Fprintf(&rows, "\n## %s\n", group)
			if line.File == "" {
				rows.WriteString("\n| script | Triton alone | default | open |\n|---|---|---|---|\n")
			}
		}
		if line.File != file {
			file = line.File
			fmt.Fprintf(&rows, "\n### %s\n\n| test | Triton alone | default | open |\n|---|---|---|---|\n", file)
		}
		fmt.Fprintf(&rows, "| %s | %s |", line.Name, control(line.Outcomes[bare]))
		for _, p := range profiles[1:] {
			cell := line.verdict(p)
			kind, _, _ := strings.Cut(cell, " ")
			counts[fmt.Sprint(p, kind)]++
			if kind == "**FAILED**" {
				failed++
			}
			fmt.Fprintf(&rows, " %s |", cell)
		}
		rows.WriteString("\n")
	}
	b.WriteString("| | passed | refused | differs | n/a | FAILED |\n|---|---|---|---|---|---|\n")
	for _, p := range profiles[1:] {
		fmt.Fprintf(b, "| %v |", p)
		for _, kind := range []string{"passed", "refused", "differs", "n/a", "**FAILED**"} {
			fmt.Fprintf(b, " %d |", counts[fmt.Sprint(p, kind)])
		}
		b.WriteString("\n")
	}
	b.WriteString(rows.String())
	return failed
}

// control is the cell of Triton alone.
func control(o outcome) string {
	switch {
	case o.Crashed:
		return "Triton crashes"
	case o.Passed:
		return "passed"
	default:
		return "fails"
	}
}

// verdict is the cell of a profile with Weir.
func (line *row) verdict(p profile) string {
	o := line.Outcomes[p]
	codes := strings.Join(o.Reasons, ", ")
	if o.Crashed {
		return "**FAILED** Triton crashes"
	}
	if o.Passed {
		return "passed"
	}
	if line.Outcomes[bare].Crashed || line.Outcomes[bare].Passed {
		n := slices.IndexFunc(differences, func(d difference) bool { return d.explains(line, p) })
		switch {
		case n >= 0 && differences[n].reason != "":
			return fmt.Sprintf("refused (%s) %d", differences[n].reason, n+1)
		case n >= 0:
			return fmt.Sprintf("differs %d", n+1)
		case line.Outcomes[bare].Passed:
			return strings.TrimSpace("**FAILED** " + codes)
		}
	}
	if codes != "" {
		return "n/a (" + codes + ")"
	}
	return "n/a"
}

// notes writes the differences and what is not run.
func notes(b *strings.Builder) {
	b.WriteString("\n## Differences on purpose\n\nEach is held by our own tests in deploy/e2e that are named here.\n\n")
	for i, d := range differences {
		code := ""
		if d.reason != "" {
			code = "`" + d.reason + "`: "
		}
		fmt.Fprintf(b, "%d. %s%s (%s)\n", i+1, code, d.why, d.tests)
	}
	b.WriteString("\n## Not run\n\n")
	for _, name := range slices.Sorted(maps.Keys(notRun)) {
		fmt.Fprintf(b, "- %s: %s\n", name, notRun[name])
	}
}
