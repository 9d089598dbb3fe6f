package sanitize

import (
	"slices"
	"testing"
)

func TestStepFaults(t *testing.T) {
	for _, tc := range []struct {
		step Step
		want []string // parameters
	}{
		{Step{Op: StepCrop, MaxPercent: 8}, nil},
		{Step{Op: StepCrop, MinPercent: 3, MaxPercent: 8}, nil},
		{Step{Op: StepShrink, Factor: 0.9}, nil},
		{Step{Op: StepMedian, Size: 3}, nil},
		{Step{Op: "blur"}, []string{""}},
		{Step{}, []string{""}},
		{Step{Op: StepMedian, Size: 4}, []string{"size"}},
		{Step{Op: StepCrop, MinPercent: 9, MaxPercent: 50, Sigma: 1}, []string{"max_percent", "sigma"}},
		{Step{Op: StepCrop, MinPercent: 3}, []string{"min_percent", "max_percent"}},
		{Step{Op: StepRotate, MaxDegrees: -1, Quality: 5}, []string{"quality", "max_degrees"}},
	} {
		var got []string
		for _, f := range tc.step.Faults() {
			got = append(got, f.Parameter)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%+v: faults of %q, want %q", tc.step, got, tc.want)
		}
		if err := tc.step.Validate(); (err == nil) != (len(tc.want) == 0) {
			t.Errorf("%+v: %v", tc.step, err)
		}
	}
	if got := StepCrop.Parameters(); !slices.Equal(got, []string{"min_percent", "max_percent"}) {
		t.Errorf("parameters of crop: %q", got)
	}
}
