package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"weir/sanitize"
	"weir/sanitize/redteam"
)

// line is one line of a table: an attack in one architecture or in several.
type line struct {
	groups  []group
	attacks []attacked // of each group
}

// lines are those of a table, with the architectures together or apart.
func (s *summary) lines(together bool) []line {
	var all []line
	for i, g := range s.Groups {
		for k, a := range g.Attacks {
			same := func(l line) bool { return l.groups[0].Plan == g.Plan && l.attacks[0].Trigger == a.Trigger }
			if at := slices.IndexFunc(all, same); together && at >= 0 {
				all[at].groups = append(all[at].groups, s.Groups[i])
				all[at].attacks = append(all[at].attacks, g.Attacks[k])
				continue
			}
			all = append(all, line{[]group{g}, []attacked{a}})
		}
	}
	return all
}

// counts is how many models count, and how many there are.
func (l line) counts() (counted, all int) {
	for i, g := range l.groups {
		counted, all = counted+len(l.attacks[i].Models), all+len(g.Models)
	}
	return counted, all
}

// raw is the success without a profile in the architecture where it is least, of those
// that count, or, where none does, where it is greatest.
func (l line) raw() redteam.Share {
	counted, _ := l.counts()
	byShare := func(a, b attacked) int { return cmp.Compare(a.Raw.Share, b.Raw.Share) }
	if counted == 0 {
		return slices.MaxFunc(l.attacks, byShare).Raw
	}
	counting := slices.DeleteFunc(slices.Clone(l.attacks), func(a attacked) bool { return !a.Counts })
	return slices.MinFunc(counting, byShare).Raw
}

// worst is the cell of a profile in the architecture with the greatest upper bound,
// of those that count.
func (l line) worst(profile string) (worst cell, found bool) {
	for _, a := range l.attacks {
		c, ok := a.cell(profile)
		if a.Counts && ok && (!found || c.Success.High > worst.Success.High) {
			worst, found = c, true
		}
	}
	return worst, found
}

// cells are what both forms of a table say of a line after its name.
func (l line) cells(profiles []string) []string {
	counted, all := l.counts()
	cells := []string{fmt.Sprintf("%d of %d", counted, all), percent(l.raw().Share)}
	for _, p := range profiles {
		c, ok := l.worst(p)
		if !ok {
			cells = append(cells, "–")
			continue
		}
		cells = append(cells, fmt.Sprintf("%s (≤ %s)", percent(c.Success.Share), percent(c.Success.High)))
	}
	return append(cells, l.bestCell(), l.flagCell())
}

// bestCell is the success of several tries through standard and strong.
func (l line) bestCell() string {
	var parts []string
	for _, p := range []string{sanitize.ProfileStandard, sanitize.ProfileStrong} {
		most := -1.0
		for _, a := range l.attacks {
			if c, ok := a.cell(p); ok && a.Counts && c.BestOf != nil {
				most = max(most, c.BestOf.Share)
			}
		}
		if most < 0 {
			return "–"
		}
		parts = append(parts, percent(most))
	}
	return strings.Join(parts, " / ")
}

// flagCell is the share of marked pictures to which the model answers otherwise after
// standard, in the architecture where it is least.
func (l line) flagCell() string {
	least := 2.0
	for _, a := range l.attacks {
		if c, ok := a.cell(sanitize.ProfileStandard); ok && a.Counts {
			least = min(least, c.Flagged.Share)
		}
	}
	if least > 1 {
		return "–"
	}
	return percent(least)
}

func percent(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

// verdict says what became of the targets.
func (l line) verdict() string {
	if counted, _ := l.counts(); counted == 0 {
		return "not learnt"
	}
	var parts []string
	for _, p := range l.promises() {
		word := "MISSED"
		if p.met {
			word = "met"
		}
		parts = append(parts, p.String()+": "+word)
	}
	if len(parts) == 0 && len(l.attacks[0].targets(l.groups[0])) > 0 {
		return "too few models to judge"
	}
	return strings.Join(parts, ", ")
}

// profiles are those that were measured, without raw.
func (s *summary) profiles() []string {
	var names []string
	for _, c := range s.Groups[0].Clean[1:] {
		names = append(names, c.Profile)
	}
	return names
}

// text writes the table for a terminal, each architecture by itself.
func (s *summary) text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Per cent of pictures. Clean: right answers. Attacks: success, with the upper bound of its 95 %% interval.\n\n")
	fmt.Fprintf(t, "CLEAN\tMODELS\tRAW\t%s\n", strings.ToUpper(strings.Join(s.profiles(), "\t")))
	for _, g := range s.Groups {
		fmt.Fprintf(t, "%s %s\t%d", g.Plan, g.Architecture, len(g.Models))
		for _, c := range g.Clean {
			fmt.Fprintf(t, "\t%s", percent(c.Accuracy.Share))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "\nMODEL\tTRIGGER\tCOUNTS\tRAW\t%s\tBEST OF %d\tFLAGGED\tTARGET\n", strings.ToUpper(strings.Join(s.profiles(), "\t")), bestOfTries)
	for _, l := range s.lines(false) {
		fmt.Fprintf(t, "%s %s\t%s\t%s\t%s\n", l.groups[0].Plan, l.groups[0].Architecture, l.attacks[0].Trigger,
			strings.Join(l.cells(s.profiles()), "\t"), l.verdict())
	}
	if len(s.Missing) > 0 {
		fmt.Fprintf(t, "\nNot measured: %s.\n", strings.Join(s.Missing, ", "))
	}
	return t.Flush()
}

// markdown is the table of the README, the architectures together.
func (s *summary) markdown() string {
	var b bytes.Buffer
	head := append([]string{"trigger", "models", "raw"}, s.profiles()...)
	head = append(head, fmt.Sprintf("best of %d, standard / strong", bestOfTries), "flagged", "target")
	row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	row(head)
	row(slices.Repeat([]string{"---"}, len(head)))
	row(s.cleanCells())
	for _, l := range s.lines(true) {
		verdict := strings.ReplaceAll(l.verdict(), "MISSED", "**missed**")
		name := "`" + l.attacks[0].Trigger + "`"
		if l.groups[0].Adaptive {
			name += ", trained with transforms"
		}
		row(slices.Concat([]string{name}, l.cells(s.profiles()), []string{verdict}))
	}
	return b.String()
}

// cleanCells are the line of clean pictures: right answers where they are fewest.
func (s *summary) cleanCells() []string {
	models := 0
	least := make([]float64, len(s.Groups[0].Clean))
	flagged := 0.0
	for i := range least {
		least[i] = 1
	}
	for _, g := range s.Groups {
		models += len(g.Models)
		for i, c := range g.Clean {
			least[i] = min(least[i], c.Accuracy.Share)
			if c.Profile == sanitize.ProfileStandard {
				flagged = max(flagged, 1-c.Agreement.Share)
			}
		}
	}
	cells := []string{"none: right answers", fmt.Sprint(models)}
	for _, share := range least {
		cells = append(cells, percent(share))
	}
	return append(cells, "–", percent(flagged), s.costs())
}

// costs says what standard and strong take at most from the accuracy of a model.
func (s *summary) costs() string {
	var parts []string
	for _, p := range []string{sanitize.ProfileStandard, sanitize.ProfileStrong} {
		most := -1.0
		for _, g := range s.Groups {
			most = max(most, g.cost(p))
		}
		parts = append(parts, fmt.Sprintf("%s takes at most %.1f points", p, 100*max(0, most)))
	}
	return strings.Join(parts, ", ")
}
