package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"weir/sanitize"
	"weir/sanitize/redteam"
)

// candidate is a list of steps that a profile could be made of.
type candidate struct {
	name  string
	steps []sanitize.Step
}

func crop(least, most float64) sanitize.Step {
	return sanitize.Step{Op: sanitize.StepCrop, MinPercent: least, MaxPercent: most}
}

func shrink(factor float64) sanitize.Step {
	return sanitize.Step{Op: sanitize.StepShrink, Factor: factor}
}

func median(size int) sanitize.Step { return sanitize.Step{Op: sanitize.StepMedian, Size: size} }

func rotate(degrees float64) sanitize.Step {
	return sanitize.Step{Op: sanitize.StepRotate, MaxDegrees: degrees}
}

func gaussian(sigma float64) sanitize.Step {
	return sanitize.Step{Op: sanitize.StepGaussian, Sigma: sigma}
}

// candidates are compared to choose the strengths of the profiles.
var candidates = []candidate{
	{"crop 3-8", []sanitize.Step{crop(3, 8)}},
	{"crop 4-10", []sanitize.Step{crop(4, 10)}},
	{"crop 5-10", []sanitize.Step{crop(5, 10)}},
	{"crop 6-12", []sanitize.Step{crop(6, 12)}},
	{"shrink .9", []sanitize.Step{shrink(0.9)}},
	{"median 3", []sanitize.Step{median(3)}},
	{"gaussian .8", []sanitize.Step{gaussian(0.8)}},
	{"rotate 6", []sanitize.Step{rotate(6)}},
	{"c3-8 s.9 m3", []sanitize.Step{crop(3, 8), shrink(0.9), median(3)}},
	{"c4-10 s.9 m3", []sanitize.Step{crop(4, 10), shrink(0.9), median(3)}},
	{"c5-10 s.9 m3", []sanitize.Step{crop(5, 10), shrink(0.9), median(3)}},
	{"c6-12 s.9 m3", []sanitize.Step{crop(6, 12), shrink(0.9), median(3)}},
	{"c3-8 m5", []sanitize.Step{crop(3, 8), median(5)}},
	{"c5-10 m3", []sanitize.Step{crop(5, 10), median(3)}},
	{"c5-10 g.8", []sanitize.Step{crop(5, 10), gaussian(0.8)}},
	{"c3-8 r6 s.9 m3", []sanitize.Step{crop(3, 8), rotate(6), shrink(0.9), median(3)}},
	{"c5-10 r6 m3", []sanitize.Step{crop(5, 10), rotate(6), median(3)}},
}

// compareCandidates measures lists of steps on one model and prints clean accuracy and
// attack success in per cent.
func (l *lab) compareCandidates(ctx context.Context, t trained, w io.Writer) error {
	var profiles []redteam.Profile
	for _, c := range candidates {
		p, err := profile(c.name, sanitize.ImageOptions{Profile: sanitize.ProfileCustom, Steps: c.steps})
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		profiles = append(profiles, p)
	}
	r, err := l.servedAndMeasured(ctx, measurement{trained: t, profiles: profiles, attacks: t.plan.Attacks,
		pictures: heldOut / 2, format: "png", tries: 1, progress: l.out.begin("Compare candidates on " + t.name())})
	if err != nil {
		return err
	}
	return printCandidates(w, r)
}

func printCandidates(w io.Writer, r *redteam.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s, %d pictures\tclean\t", r.Model, r.Samples)
	for _, a := range r.Attacks {
		fmt.Fprintf(t, "%s\t", a.Name)
	}
	fmt.Fprintf(t, "\nraw\t%.1f\t", 100*r.Clean[0].Accuracy.Share)
	for _, a := range r.Attacks {
		fmt.Fprintf(t, "%.1f\t", 100*a.Raw.Success.Share)
	}
	for i, c := range r.Clean[1:] {
		fmt.Fprintf(t, "\n%s\t%.1f\t", c.Profile, 100*c.Accuracy.Share)
		for _, a := range r.Attacks {
			fmt.Fprintf(t, "%.1f\t", 100*a.Cells[i].Success.Share)
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}
