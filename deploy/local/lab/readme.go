package main

import (
	"fmt"
	"os"
	"strings"
)

// The section of the README between these lines is made of results.json.
const (
	sectionBegin = "<!-- lab -->\n"
	sectionEnd   = "<!-- end of lab -->\n"
)

// section is what stands between the lines.
func (s *summary) section() string {
	architectures := map[string]bool{}
	models := 0
	for _, g := range s.Groups {
		architectures[g.Architecture] = true
		models += len(g.Models)
	}
	missing := ""
	if len(s.Missing) > 0 {
		missing = " Not measured: " + strings.Join(s.Missing, ", ") + "."
	}
	return fmt.Sprintf("%d poisoned models (%d architectures, %d seeds), %d held-out pictures of 64 × 64 pixels for each seed, as PNG files. "+
		"Figures are per cent: of clean pictures the right answers, of marked ones the attack's success, with the upper bound of its 95 %% interval. "+
		"Where a trigger is in several architectures, each figure is that of the one in which it is worst. "+
		"Only models count in which the attack works: at least 90 %% raw, at 90 %% of clean accuracy. "+
		"\"Best of\" is an attacker who sends so many variants of a picture and needs one to pass, measured with few pictures of one seed. "+
		"\"Flagged\" are marked pictures that the model answers otherwise after standard, and of clean ones the false alarms of that. "+
		"Targets are compared with upper bounds, in architectures where the attack works with all seeds (1,050 marked pictures).%s\n\n%s", models, len(architectures), s.Seeds, s.Pictures, missing, s.markdown())
}

// withSection returns a README with the section of these results.
func withSection(readme string, s *summary) (string, error) {
	before, rest, begins := strings.Cut(readme, sectionBegin)
	_, after, ends := strings.Cut(rest, sectionEnd)
	if !begins || !ends {
		return "", fmt.Errorf("the README has no section between %q and %q",
			strings.TrimSpace(sectionBegin), strings.TrimSpace(sectionEnd))
	}
	return before + sectionBegin + s.section() + sectionEnd + after, nil
}

func updateReadme(path string, s *summary) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := withSection(string(old), s)
	if err != nil {
		return err
	}
	return writeFile(path, []byte(text))
}
