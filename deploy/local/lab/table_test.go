package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"weir/sanitize/redteam"
)

func TestCodedTriggersHaveToBeGoneAltogether(t *testing.T) {
	g := group{Clean: []cleanCell{{Profile: "raw", Accuracy: share(990)}, {Profile: "strip", Accuracy: share(990)}}}
	for _, test := range []struct {
		base, success int
		met           bool
	}{{0, 0, true}, {3, 3, true}, {0, 1, false}, {3, 4, false}} {
		a := attacked{Spec: "exif,text=x", Counts: true, Cells: []cell{{Profile: "strip", Base: share(test.base), Success: share(test.success)}}}
		targets := a.targets(g)
		if len(targets) != 1 || targets[0].met(g, a) != test.met {
			t.Errorf("%d clean pictures and %d marked ones are taken for the target: met is not %t", test.base, test.success, test.met)
		}
	}
}

// share is a number of hits among a thousand pictures.
func share(hits int) redteam.Share { return redteam.NewShare(hits, 1000) }

// outcome is a result of one model with one attack, through standard and strong.
func outcome(model string, clean [3]int, raw, standard, strong int) *measured {
	trigger, err := redteam.Parse("checkerboard")
	if err != nil {
		panic(err)
	}
	var m measured
	text, err := json.Marshal(map[string]any{"model": model, "attacks": []any{map[string]any{
		"trigger": trigger.Spec, "target": classNames[0],
		"raw": map[string]any{"success": share(raw)},
		"profiles": []any{
			map[string]any{"profile": "standard", "success": share(standard), "flagged": share(900)},
			map[string]any{"profile": "strong", "success": share(strong), "flagged": share(950)},
		},
	}}})
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		panic(err)
	}
	for i, name := range []string{"raw", "standard", "strong"} {
		accuracy := share(clean[i])
		m.Clean = append(m.Clean, redteam.Clean{Profile: name, Accuracy: &accuracy, Agreement: share(980)})
	}
	return &m
}

func summaryOf(t *testing.T, byArchitecture ...[]*measured) *summary {
	t.Helper()
	s := &summary{Schema: summarySchema, Pictures: 1000}
	p := plan{Name: "test", Attacks: []attack{{"checkerboard", 0, 1}}}
	for i, results := range byArchitecture {
		g, err := newGroup(p, []string{"plain", "mixer"}[i], results, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Groups, s.Seeds = append(s.Groups, g), max(s.Seeds, len(results))
	}
	return s
}

func TestVerdicts(t *testing.T) {
	fine := [3]int{990, 985, 960}
	for name, test := range map[string]struct {
		results []*measured
		want    string
	}{
		"met": {[]*measured{outcome("a", fine, 990, 20, 2), outcome("b", fine, 990, 30, 3)},
			"standard ≤ 10 %: met, strong ≤ 2 %: met"},
		// 95 of 1000 is below 10 %, but its upper bound is not.
		"upper bound": {[]*measured{outcome("a", fine, 990, 95, 2)}, "standard ≤ 10 %: MISSED, strong ≤ 2 %: met"},
		"clean accuracy": {[]*measured{outcome("a", [3]int{990, 975, 930}, 990, 0, 0)},
			"standard ≤ 10 %: MISSED, strong ≤ 2 %: MISSED"},
		"no attack": {[]*measured{outcome("a", fine, 890, 20, 2)}, "not learnt"},
		"no model":  {[]*measured{outcome("a", [3]int{890, 890, 890}, 990, 20, 2)}, "not learnt"},
		"one of two": {[]*measured{outcome("a", fine, 990, 20, 2), outcome("b", fine, 500, 400, 300)},
			"standard ≤ 10 %: met, strong ≤ 2 %: met"},
	} {
		t.Run(name, func(t *testing.T) {
			lines := summaryOf(t, test.results).lines(true)
			if len(lines) != 1 || lines[0].verdict() != test.want {
				t.Errorf("verdict %q, want %q", lines[0].verdict(), test.want)
			}
		})
	}
}

func TestEveryArchitectureHasToMeetTheTarget(t *testing.T) {
	fine := [3]int{990, 985, 960}
	s := summaryOf(t, []*measured{outcome("a", fine, 990, 20, 2)}, []*measured{outcome("b", fine, 980, 300, 2)})
	lines := s.lines(true)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want one", len(lines))
	}
	if got, want := lines[0].verdict(), "standard ≤ 10 %: MISSED, strong ≤ 2 %: met"; got != want {
		t.Errorf("verdict %q, want %q", got, want)
	}
	if got := lines[0].cells(s.profiles()); got[0] != "2 of 2" || got[1] != "98.0" || got[2] != "30.0 (≤ 32.9)" {
		t.Errorf("the cells are not those of the worse architecture: %q", got)
	}
	var text bytes.Buffer
	if err := s.text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"test plain", "test mixer", "MISSED", "30.0 (≤ 32.9)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// A target is not judged with the pictures of a seed or two.
func TestFewPicturesJudgeNothing(t *testing.T) {
	s := summaryOf(t, []*measured{outcome("a", [3]int{990, 985, 960}, 990, 20, 2)})
	a := &s.Groups[0].Attacks[0]
	a.Raw = redteam.NewShare(690, 700)
	if got := s.lines(true)[0].verdict(); got != "too few models to judge" {
		t.Errorf("verdict %q", got)
	}
	a.Raw = redteam.NewShare(990, leastPictures)
	if got := s.lines(true)[0].verdict(); got != "standard ≤ 10 %: met, strong ≤ 2 %: met" {
		t.Errorf("verdict %q of %d pictures", got, leastPictures)
	}
}

func TestResultsOfOtherAttacksAreRefused(t *testing.T) {
	p := plan{Name: "test", Attacks: []attack{{"checkerboard,inset=12%", 0, 1}}}
	if _, err := newGroup(p, "plain", []*measured{outcome("a", [3]int{990, 990, 990}, 990, 0, 0)}, nil); err == nil {
		t.Error("added up without an error")
	}
}
