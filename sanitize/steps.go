package sanitize

import (
	"fmt"
	"slices"
	"strings"
)

// Op names a change to pixels.
type Op string

// The steps that a profile may be made of.
const (
	StepCrop      Op = "crop"       // keyed margins off each side, resized back: MinPercent, MaxPercent
	StepShrink    Op = "shrink"     // resized to Factor of the sides, and back
	StepShrinkPad Op = "shrink_pad" // shrunk by Percent of each side, placed by the key, edges repeated around
	StepMedian    Op = "median"     // of Size × Size pixels
	StepGaussian  Op = "gaussian"   // blur of Sigma
	StepBits      Op = "bits"       // samples rounded to Depth bits
	StepJPEG      Op = "jpeg"       // through JPEG of Quality
	StepBorder    Op = "border"     // an outer frame of Percent of the shorter side, replaced by the colour inside it
	StepRotate    Op = "rotate"     // by a keyed angle of at most MaxDegrees, edges repeated
)

// Step is one change to pixels. What an Op does not take is 0. Sizes are in pixels of
// the whole picture, also for planes that are subsampled. Crop, shrink, shrink_pad,
// gaussian, border and rotate mix pixels or move them, and alpha with them; colour
// counts by its alpha where pixels of a file are mixed. Median, bits and jpeg leave
// alpha alone. Resizes are linear, and see every pixel where they shrink. Median of 5
// is by far the most expensive step.
type Step struct {
	Op         Op
	MinPercent float64 // of a side, from 0 to below 50
	MaxPercent float64 // of a side, from MinPercent to below 50
	Percent    float64 // above 0, below 50
	Factor     float64 // from 0.1 to below 1
	Size       int     // pixels: 3 or 5
	Sigma      float64 // pixels, above 0, at most 10
	Depth      int     // bits, 1 to 7
	Quality    int     // 1 to 100
	MaxDegrees float64 // above 0, at most 45
}

// Keyed reports whether the step draws from the key.
func (s Step) Keyed() bool { return s.Op == StepCrop || s.Op == StepShrinkPad || s.Op == StepRotate }

// takes lists the parameters of each Op, by their names in Step.
var takes = map[Op][]string{
	StepCrop:      {"MinPercent", "MaxPercent"},
	StepShrink:    {"Factor"},
	StepShrinkPad: {"Percent"},
	StepMedian:    {"Size"},
	StepGaussian:  {"Sigma"},
	StepBits:      {"Depth"},
	StepJPEG:      {"Quality"},
	StepBorder:    {"Percent"},
	StepRotate:    {"MaxDegrees"},
}

// Parameters lists what the Op takes, by the names that the config file has for them:
// max_percent. It is nil for an unknown Op.
func (op Op) Parameters() []string {
	var names []string
	for _, name := range takes[op] {
		names = append(names, snake(name))
	}
	return names
}

// StepFault is one thing that is wrong with a Step. Parameter is as Op.Parameters
// has it; "" if it is the Op.
type StepFault struct{ Parameter, Says string }

// Faults lists an unknown Op, and every parameter that is missing, out of range or
// not the Op's.
func (s Step) Faults() []StepFault {
	of, ok := takes[s.Op]
	if !ok {
		return []StepFault{{Says: fmt.Sprintf("step %q; known are %s", s.Op, strings.Join(opNames(), ", "))}}
	}
	var faults []StepFault
	for _, p := range []struct {
		name string
		set  bool
		ok   bool
		says string
	}{
		{"MinPercent", s.MinPercent != 0, s.MinPercent >= 0 && s.MinPercent <= s.MaxPercent, "from 0 to max_percent"},
		{"MaxPercent", s.MaxPercent != 0, s.MaxPercent > 0 && s.MaxPercent < 50, "above 0 and below 50"},
		{"Percent", s.Percent != 0, s.Percent > 0 && s.Percent < 50, "above 0 and below 50"},
		{"Factor", s.Factor != 0, s.Factor >= 0.1 && s.Factor < 1, "from 0.1 to below 1"},
		{"Size", s.Size != 0, s.Size == 3 || s.Size == 5, "3 or 5"},
		{"Sigma", s.Sigma != 0, s.Sigma > 0 && s.Sigma <= 10, "above 0 and at most 10"},
		{"Depth", s.Depth != 0, s.Depth >= 1 && s.Depth <= 7, "1 to 7"},
		{"Quality", s.Quality != 0, s.Quality >= 1 && s.Quality <= 100, "1 to 100"},
		{"MaxDegrees", s.MaxDegrees != 0, s.MaxDegrees > 0 && s.MaxDegrees <= 45, "above 0 and at most 45"},
	} {
		mine := slices.Contains(of, p.name)
		switch {
		case mine && !p.ok:
			faults = append(faults, StepFault{snake(p.name), "has to be " + p.says})
		case !mine && p.set:
			faults = append(faults, StepFault{snake(p.name), "is not a parameter of step " + string(s.Op)})
		}
	}
	return faults
}

// Validate reports the first of the Faults.
func (s Step) Validate() error {
	for _, f := range s.Faults() {
		if f.Parameter == "" {
			return fmt.Errorf("sanitize: %s", f.Says)
		}
		return fmt.Errorf("sanitize: step %s: %s %s", s.Op, f.Parameter, f.Says)
	}
	return nil
}

func opNames() []string {
	names := make([]string, 0, len(takes))
	for op := range takes {
		names = append(names, string(op))
	}
	slices.Sort(names)
	return names
}

// snake writes a name of a field as the config file does: max_percent.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// margins are the least and the greatest crop of a side, in per cent of it.
type margins struct{ min, max float64 }

// profileTable says what the profiles do to a picture whose shorter side has at least
// minSide pixels, from large to small. Below the last row, standard and strong do what
// light does: of so few pixels every step takes too much. It is the one place where
// strengths are set; the example of ProfileSteps prints it. They were chosen on the lab's
// poisoned models (deploy/local/lab): a mark that stands some pixels inside the edge is
// what strong has its wider margins for, and an attacker who trained with crops what it
// has shrink and median for.
var profileTable = []struct {
	minSide          int // pixels of the shorter side
	standard, strong margins
	factor           float64 // shrink of strong
	median           int     // of strong
}{
	{48, margins{3, 8}, margins{5, 10}, 0.9, 3},
	{24, margins{2, 5}, margins{3, 7}, 0.95, 3},
}

// ProfileSteps returns what the profile of an image or of pixels does to a picture
// whose shorter side has that many pixels: nothing for strip, light and custom, which
// does its own steps; for standard a keyed crop, and for strong a wider crop, a shrink
// and a median, as far as the picture is large enough. The crop is of each side:
//
//	shorter side   standard: crop   strong: crop   shrink to   median
//	48 and more    3 to 8 %         5 to 10 %      0.9         3
//	24 to 47       2 to 5 %         3 to 7 %       0.95        3
//	below 24       none             none           none        none
func ProfileSteps(profile string, shortSide int) []Step {
	if profile != ProfileStandard && profile != ProfileStrong {
		return nil
	}
	for _, row := range profileTable {
		if shortSide < row.minSide {
			continue
		}
		if profile == ProfileStandard {
			return []Step{{Op: StepCrop, MinPercent: row.standard.min, MaxPercent: row.standard.max}}
		}
		return []Step{{Op: StepCrop, MinPercent: row.strong.min, MaxPercent: row.strong.max},
			{Op: StepShrink, Factor: row.factor}, {Op: StepMedian, Size: row.median}}
	}
	return nil
}

// profileSteps are those of a profile, which for custom are its own.
func profileSteps(profile string, own []Step, width, height int) []Step {
	if profile == ProfileCustom {
		return own
	}
	return ProfileSteps(profile, min(width, height))
}
