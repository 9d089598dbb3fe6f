package sanitize_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/sanitize"
)

// The strengths of standard and strong by the shorter side of the picture.
func ExampleProfileSteps() {
	for _, side := range []int{23, 24, 47, 48, 4000} {
		fmt.Printf("%d pixels:", side)
		for _, s := range slices.Concat(sanitize.ProfileSteps(sanitize.ProfileStandard, side), sanitize.ProfileSteps(sanitize.ProfileStrong, side)) {
			switch s.Op {
			case sanitize.StepCrop:
				fmt.Printf(" crop %v to %v %%;", s.MinPercent, s.MaxPercent)
			case sanitize.StepShrink:
				fmt.Printf(" shrink to %v", s.Factor)
			case sanitize.StepMedian:
				fmt.Printf(", median %d", s.Size)
			}
		}
		fmt.Println()
	}
	// Output:
	// 23 pixels:
	// 24 pixels: crop 2 to 5 %; crop 3 to 7 %; shrink to 0.95, median 3
	// 47 pixels: crop 2 to 5 %; crop 3 to 7 %; shrink to 0.95, median 3
	// 48 pixels: crop 3 to 8 %; crop 5 to 10 %; shrink to 0.9, median 3
	// 4000 pixels: crop 3 to 8 %; crop 5 to 10 %; shrink to 0.9, median 3
}

// TestProfileSteps holds that strong crops more than standard, that other profiles have
// no steps of their own, and that all steps are valid.
func TestProfileSteps(t *testing.T) {
	for side := range 300 {
		standard, strong := sanitize.ProfileSteps("standard", side), sanitize.ProfileSteps("strong", side)
		switch {
		case len(strong) == 0 && len(standard) == 0:
		case len(standard) != 1 || len(strong) < 2 || !standard[0].Keyed() || !strong[0].Keyed(),
			strong[0].MinPercent < standard[0].MinPercent, strong[0].MaxPercent < standard[0].MaxPercent:
			t.Errorf("%d pixels: standard %v, strong %v", side, standard, strong)
		}
		for _, s := range slices.Concat(standard, strong) {
			if err := s.Validate(); err != nil {
				t.Errorf("%d pixels: %v", side, err)
			}
		}
	}
	for _, profile := range []string{"", "strip", "light", "custom"} {
		if steps := sanitize.ProfileSteps(profile, 500); steps != nil {
			t.Errorf("%q has the steps %v", profile, steps)
		}
	}
}

func TestStepValidate(t *testing.T) {
	for _, test := range []struct {
		s    sanitize.Step
		want string // "" for valid
	}{
		{sanitize.Step{Op: "crop", MaxPercent: 8}, ""},
		{sanitize.Step{Op: "crop", MinPercent: 3, MaxPercent: 3}, ""},
		{sanitize.Step{Op: "crop"}, "max_percent"},
		{sanitize.Step{Op: "crop", MinPercent: 9, MaxPercent: 8}, "min_percent"},
		{sanitize.Step{Op: "crop", MinPercent: -1, MaxPercent: 8}, "min_percent"},
		{sanitize.Step{Op: "crop", MaxPercent: 50}, "max_percent"},
		{sanitize.Step{Op: "crop", MaxPercent: 8, Size: 3}, "size is not"},
		{sanitize.Step{Op: "shrink", Factor: .1}, ""},
		{sanitize.Step{Op: "shrink", Factor: 1}, "factor"},
		{sanitize.Step{Op: "shrink_pad", Percent: 49}, ""},
		{sanitize.Step{Op: "shrink_pad"}, "percent"},
		{sanitize.Step{Op: "median", Size: 5}, ""},
		{sanitize.Step{Op: "median", Size: 4}, "size has to be 3 or 5"},
		{sanitize.Step{Op: "gaussian", Sigma: 10}, ""},
		{sanitize.Step{Op: "gaussian", Sigma: 10.1}, "sigma"},
		{sanitize.Step{Op: "bits", Depth: 7}, ""},
		{sanitize.Step{Op: "bits", Depth: 8}, "depth"},
		{sanitize.Step{Op: "jpeg", Quality: 100}, ""},
		{sanitize.Step{Op: "jpeg"}, "quality"},
		{sanitize.Step{Op: "border", Percent: .5}, ""},
		{sanitize.Step{Op: "border", Percent: 50}, "percent"},
		{sanitize.Step{Op: "rotate", MaxDegrees: 45}, ""},
		{sanitize.Step{Op: "rotate", MaxDegrees: 46}, "max_degrees"},
		{sanitize.Step{Op: "flip"}, "known are bits, border, crop"},
		{sanitize.Step{}, "known are"},
	} {
		err := test.s.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.s, err, test.want)
		}
	}
}

func TestKeyed(t *testing.T) {
	for op, want := range map[sanitize.Op]bool{"crop": true, "shrink_pad": true, "rotate": true, "shrink": false,
		"median": false, "gaussian": false, "bits": false, "jpeg": false, "border": false} {
		if got := (sanitize.Step{Op: op}).Keyed(); got != want {
			t.Errorf("%s: keyed %v", op, got)
		}
	}
}
