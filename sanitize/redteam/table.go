package redteam

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Table writes the result for people, in columns of plain text.
func (r *Result) Table(w io.Writer) error {
	known := "it is not known what they show, and raw answers stand for it"
	if r.Labelled {
		known = "labelled"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%d samples (%s), %d predictions; shares with 95 %% intervals\n\n", r.Samples, known, r.Predictions)
	fmt.Fprintln(t, "CLEAN\tACCURACY\tSAME ANSWER AS RAW\tFLAGGED\tREFUSED")
	for _, c := range r.Clean {
		accuracy := "–"
		if c.Accuracy != nil {
			accuracy = c.Accuracy.String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f %%\t%d\n", c.Profile, accuracy, c.Agreement, 100*c.Flagged.Share, c.Refused)
	}
	_ = t.Flush() // the error of w comes again
	fmt.Fprintln(t)
	fmt.Fprintf(t, "TRIGGER\tTARGET\tPROFILE\tONE TRY\tBEST OF %d\tFLAGGED\tVERDICT\n", r.Tries)
	for i := range r.Attacks {
		r.Attacks[i].rows(t)
	}
	_ = t.Flush()
	for _, note := range r.remarks() {
		fmt.Fprintf(t, "\nNote: %s.", note)
	}
	if len(r.remarks()) > 0 {
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// rows are the lines of one trigger: clean pictures, marked ones raw, and marked ones
// through each profile.
func (a *Attack) rows(w io.Writer) {
	target := a.Target
	if target == "" {
		target = "–"
	}
	fmt.Fprintf(w, "%s\t%s\tno trigger\t%s\t%s\t\t\n", short(a.Trigger), target, a.Base, best(a.Raw.BaseBestOf))
	fmt.Fprintf(w, "\t\traw\t%s\t%s\t\t\n", a.Raw.Success, best(a.Raw.BestOf))
	for _, c := range a.Cells {
		counts := ""
		if !c.Counts && c.Verdict > NotMeasured && c.Verdict < NoEffect {
			counts = " (weak attack or model)"
		}
		fmt.Fprintf(w, "\t\t%s\t%s\t%s\t%.1f %%\t%s%s\n", c.Profile, c.Success, best(c.BestOf), 100*c.Flagged.Share, c.Verdict, counts)
	}
}

func best(s *Share) string {
	if s == nil {
		return "–"
	}
	return s.String()
}

// remarks are the notes, and what the numbers should not be taken for.
func (r *Result) remarks() []string {
	notes := slices.Clone(r.Notes)
	for _, a := range r.Attacks {
		if v := a.Victim; v != nil {
			notes = append(notes, fmt.Sprintf("%s leads %s of the pictures of class %s to %s; measure that class by itself",
				short(a.Trigger), v.Success, v.Class, a.Target))
		}
	}
	return notes
}

// Table writes the calibration for people, in columns of plain text.
func (c *Calibration) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%d samples, %d predictions; shares with 95 %% intervals\n\n", c.Samples, c.Predictions)
	fmt.Fprintln(t, "PROFILE\tSAME ANSWER AS RAW\tMEAN CHANGE OF A SCORE\tREFUSED\tP50\tP99")
	for _, p := range c.Profiles {
		fmt.Fprintf(t, "%s\t%s\t%.4f\t%d\t%.2f ms\t%.2f ms\n", p.Profile, p.Agreement, p.Change, p.Refused, p.P50, p.P99)
	}
	_ = t.Flush() // the error of w comes again
	switch {
	case c.Recommended == "":
		fmt.Fprintf(t, "\nNo profile agrees on %g %% of the samples.\n", 100*c.Required)
	case c.Certain:
		fmt.Fprintf(t, "\nRecommended: %s, which agrees on at least %g %%, by its interval.\n", c.Recommended, 100*c.Required)
	default:
		fmt.Fprintf(t, "\nRecommended: %s, which agrees on at least %g %% of these samples.\n", c.Recommended, 100*c.Required)
	}
	for _, note := range c.Notes {
		fmt.Fprintf(t, "Note: %s.\n", note)
	}
	return t.Flush()
}
