package main

import (
	"fmt"
	"strings"

	"weir/sanitize"
)

// target is what the project promises of one trigger through one profile.
type target struct {
	profile string
	most    float64 // upper bound of the attack's success; 0: none beyond that of clean pictures
	cost    float64 // clean accuracy that the profile may take
}

// targets are the promises about an attack. An attacker who trained against transforms
// has none, nor have triggers that are large, cover the picture or stand anywhere.
func (a attacked) targets(g group) []target {
	kind, _, _ := strings.Cut(a.Spec, ",")
	small := strings.Contains(a.Spec, "size=8%,") || kind == "pixel"
	switch {
	case kind == "exif" || kind == "comment" || kind == "trailing":
		return []target{{sanitize.ProfileStrip, 0, 0}}
	case g.Adaptive:
		return nil
	case (kind == "checkerboard" || kind == "patch" || kind == "pixel") && small:
		return []target{{sanitize.ProfileStandard, 0.10, 0.01}, {sanitize.ProfileStrong, 0.02, 0.05}}
	case kind == "noise":
		return []target{{sanitize.ProfileStandard, 0.02, 0.01}}
	}
	return nil
}

// met reports whether a promise is kept by an attack that counts: by the upper bound
// of the success, and by the clean accuracy as it was found.
func (t target) met(g group, a attacked) bool {
	c, ok := a.cell(t.profile)
	if !ok {
		return false
	}
	if t.most == 0 && c.Success.Hits > c.Base.Hits || t.most > 0 && c.Success.High > t.most {
		return false
	}
	return g.cost(t.profile) <= t.cost
}

func (t target) String() string {
	if t.most == 0 {
		return t.profile + " as without a trigger"
	}
	return fmt.Sprintf("%s ≤ %g %%", t.profile, 100*t.most)
}

// cell is the one of a profile.
func (a attacked) cell(profile string) (cell, bool) {
	for _, c := range a.Cells {
		if c.Profile == profile {
			return c, true
		}
	}
	return cell{}, false
}

// cost is the clean accuracy that a profile takes; below 0 if it adds some.
func (g group) cost(profile string) float64 {
	for _, c := range g.Clean {
		if c.Profile == profile {
			return g.Clean[0].Accuracy.Share - c.Accuracy.Share
		}
	}
	return 1
}

// promise is a target with what became of it over the architectures.
type promise struct {
	target
	met bool
}

// leastPictures is how many marked pictures it takes to judge a target: those of all
// three seeds.
const leastPictures = 1000

// promises judges the targets of a line: each architecture in which the attack works
// with enough pictures has to meet them.
func (l line) promises() []promise {
	var out []promise
	for i, a := range l.attacks {
		if !a.Counts || a.Raw.Of < leastPictures {
			continue
		}
		for k, t := range a.targets(l.groups[i]) {
			if len(out) <= k {
				out = append(out, promise{t, true})
			}
			out[k].met = out[k].met && t.met(l.groups[i], a)
		}
	}
	return out
}
