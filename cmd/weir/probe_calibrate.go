package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/redteam"
)

func newProbeCalibrate() *cobra.Command {
	const profiles = "strip,light,standard,strong"
	c := &cobra.Command{
		Use:   "calibrate --server URL --model NAME --samples DIR",
		Short: "Measure what each profile costs a model, and recommend one",
		Long: `Send pictures to the model raw and through each profile, compare the answers, and
recommend the strongest profile that leaves as many of them as --agreement says. Nobody
needs to know what the pictures show. It asks the model server directly, past a running
Weir, and sanitises by itself.
The line for weir.yaml comes last. Of few pictures the agreement is uncertain, which is
said: an agreement of 99 % is shown by 381 pictures that all agree, and by no fewer.
Exit code 0: a profile is recommended; 1: none agrees enough; 2: could not measure;
3: no pictures; 4: usage.`,
		Example: `  weir probe calibrate --server http://127.0.0.1:8000 --model traffic-sign --samples pictures --limit 1000`,
		Args:    noArgs,
	}
	f := probeFlags{}
	f.add(c, profiles, 400)
	agreement := c.Flags().Float64("agreement", 0.99, "share of answers that a profile has to leave as they are")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !(*agreement > 0 && *agreement <= 1) {
			return fail(exitUsage, "--agreement: a share above 0 and at most 1, such as 0.99")
		}
		p, err := f.setUp(c, profiles)
		if err != nil {
			return err
		}
		result, err := p.calibrate(c, *agreement)
		if err != nil {
			return err
		}
		p.advise(c.OutOrStdout(), result, *output == "json")
		if result.Recommended == "" {
			return &exitError{code: exitFindings}
		}
		return nil
	}
	return c
}

func (p *probe) calibrate(c *cobra.Command, agreement float64) (*redteam.Calibration, error) {
	o := redteam.CalibrateOptions{Predict: p.model.predict, Profiles: p.profiles(), Agreement: agreement, Batch: p.model.batch()}
	for _, s := range p.samples {
		file, err := p.model.carried(s.file)
		if err != nil {
			return nil, fail(exitUndecided, "%s: %w", s.name, err)
		}
		o.Files = append(o.Files, file)
	}
	line := newProgress(c.ErrOrStderr())
	defer line.clear()
	o.Progress = func(done, all int) { line.show(bar(done, all, "predictions")) }
	result, err := redteam.Calibrate(c.Context(), o)
	if err != nil {
		return nil, fail(exitUndecided, "%w", cause(err))
	}
	result.Model = p.flags.model
	return result, nil
}

// advise prints the result, and for people what to write into the configuration.
func (p *probe) advise(out io.Writer, result *redteam.Calibration, asJSON bool) {
	if asJSON {
		_ = jsonLines(out).Encode(result) // run sees a failed standard output
		return
	}
	_ = result.Table(out)
	if result.Recommended != "" {
		fmt.Fprintf(out, "\n      %s: {%s, profile: %s}\n", p.model.input, p.yaml(), result.Recommended)
	}
}

// yaml says what the input is, in the words of the configuration.
func (p *probe) yaml() string {
	if p.kind != policy.Pixels {
		return "kind: image" + map[policy.Encoding]string{policy.Base64: ", encoding: base64", policy.DataURI: ", encoding: data-uri"}[p.encoded] + p.formats()
	}
	text := "kind: pixels, layout: " + p.pixels.Layout
	if p.pixels.White != 0 {
		text += fmt.Sprintf(", white: %g", p.pixels.White)
	}
	for _, list := range []struct {
		name   string
		values []float64
	}{{"mean", p.pixels.Mean}, {"std", p.pixels.Std}} {
		if len(list.values) > 0 {
			text += ", " + list.name + ": [" + strings.Trim(strings.ReplaceAll(fmt.Sprint(list.values), " ", ", "), "[]") + "]"
		}
	}
	return text
}

// formats are those of the samples, if they are others than the configuration allows
// by default.
func (p *probe) formats() string {
	found := map[string]bool{sanitize.FormatJPEG: true, sanitize.FormatPNG: true}
	for _, s := range p.samples {
		found[sanitize.SniffImage(s.file)] = true
	}
	if len(found) == 2 {
		return ""
	}
	return ", formats: [" + strings.Join(slices.Sorted(maps.Keys(found)), ", ") + "]"
}
