package main

import (
	"bytes"
	"context"
	"io"

	"github.com/spf13/cobra"

	"weir/sanitize/redteam"
)

func newProbeRedteam() *cobra.Command {
	c := &cobra.Command{
		Use:   "redteam --server URL --model NAME --samples DIR",
		Short: "Measure which triggers of back doors a profile stops",
		Long: `Measure which triggers of back doors a profile stops for one model: mark clean
pictures with each trigger of a library, send them to the model raw and through each
profile, and count how often they are taken for the class that the trigger leads to.
It asks the model server directly, past a running Weir, and sanitises by itself.

A trigger is neutralised if the 95 % interval of what is left ends at or below 10 %
(or 5 points above the clean pictures that are taken for that class); to show that,
at least 35 pictures are needed. Where it never acted, it has no effect, which says
nothing about the profile. A back door whose trigger is not in the library is not found.

Triggers are written as their name and what differs from the standard:
  checkerboard   patch,size=5%,fill=#ff0000,at=top-left   exif,text=some text
"weir probe triggers" lists the library with all parameters.
Exit code 0: all measured triggers meet --require with every profile; 1: one does
not; 2: could not measure; 3: no pictures; 4: usage.`,
		Example: `  weir probe redteam --server http://127.0.0.1:8000 --model traffic-sign --samples signs --profile standard,strong --page redteam.html
  weir probe redteam -c weir.yaml --samples signs --source stop --trigger checkerboard,size=6px,cell=1px,inset=12px`,
		Args: noArgs,
	}
	r := redteaming{}
	r.probeFlags.add(c, "that of the configuration, or standard", 200)
	c.Flags().StringArrayVar(&r.triggers, "trigger", nil, "`SPEC` of a trigger, may be given several times (default: the library)")
	c.Flags().Var((*text)(&r.labels), "labels", "what the pictures show: folders (the first folder below DIR is the class), none, or a `FILE` of lines NAME,CLASS (default: folders if all of them are classes)")
	c.Flags().Var((*text)(&r.target), "target", "`CLASS` to which the triggers lead (default: the one to which most pictures move)")
	c.Flags().Var((*text)(&r.source), "source", "`CLASS` of the pictures that count, for back doors that act on one class (default: all)")
	c.Flags().IntVar(&r.tries, "tries", 25, "of an attacker who changes the picture slightly until it passes")
	c.Flags().IntVar(&r.budget, "budget", 0, "most predictions; 0: no bound")
	r.carry = choiceFlag(c, "carry", "format of marked pictures, same: that of the sample", "same", "png", "jpeg")
	r.require = choiceFlag(c, "require", "what every profile must have made of every trigger that has an effect", "neutralised", "reduced", "nothing")
	c.Flags().Var((*text)(&r.page), "page", "`FILE` for a page with pictures of each trigger; it shows one of the samples")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return r.run(c, *output == "json")
	}
	return c
}

// redteaming is one run of the command.
type redteaming struct {
	probeFlags
	triggers                     []string
	labels, target, source, page string
	tries, budget                int
	carry, require               *string
}

func (r *redteaming) run(c *cobra.Command, asJSON bool) error {
	triggers, err := parseTriggers(r.triggers)
	if err != nil {
		return err
	}
	if r.tries < 1 || r.budget < 0 {
		return fail(exitUsage, "--tries has to be at least 1, and --budget at least 0")
	}
	p, err := r.setUp(c, "standard")
	if err != nil {
		return err
	}
	o, err := r.options(p)
	if err != nil {
		return err
	}
	o.Triggers = triggers
	result, err := r.measure(c.Context(), o, c.ErrOrStderr())
	if err != nil {
		return err
	}
	result.Model = p.flags.model
	if err := r.report(result, asJSON, c.OutOrStdout()); err != nil {
		return err
	}
	return r.judge(result, p.names)
}

func parseTriggers(specs []string) ([]redteam.Trigger, error) {
	var triggers []redteam.Trigger
	for _, spec := range specs {
		t, err := redteam.Parse(spec)
		if err != nil {
			return nil, fail(exitUsage, "--trigger: %w", err)
		}
		triggers = append(triggers, t)
	}
	return triggers, nil
}

// options are those of the measurement.
func (r *redteaming) options(p *probe) (redteam.Options, error) {
	o := redteam.Options{Predict: p.model.predict, Profiles: p.profiles(), Classes: p.model.classes, Target: -1, Source: -1,
		Tries: r.tries, Budget: r.budget, Batch: p.model.batch()}
	switch {
	case p.model.form != nil:
		o.Carrier = p.model.form
	case *r.carry != "same":
		o.Carrier = redteam.Files{Format: *r.carry}
	}
	if r.labels == "" {
		r.labels = labelsAuto
	}
	var err error
	if o.Samples, err = p.label(r.labels); err != nil {
		return o, err
	}
	for _, class := range []struct {
		flag, name string
		to         *int
	}{{"target", r.target, &o.Target}, {"source", r.source, &o.Source}} {
		if class.name == "" {
			continue
		}
		n, ok := p.model.class(class.name)
		if !ok {
			return o, fail(exitUsage, "--%s: the model has no class %q", class.flag, class.name)
		}
		*class.to = n
	}
	if err := o.Validate(); err != nil {
		return o, fail(exitUsage, "%w", err)
	}
	return o, nil
}

func (r *redteaming) measure(ctx context.Context, o redteam.Options, messages io.Writer) (*redteam.Result, error) {
	line := newProgress(messages)
	defer line.clear()
	o.Progress = func(done, all int) { line.show(bar(done, all, "predictions")) }
	result, err := redteam.Measure(ctx, o)
	if err != nil {
		return nil, fail(exitUndecided, "%w", cause(err))
	}
	return result, nil
}

// report writes the result in the forms that were asked for.
func (r *redteaming) report(result *redteam.Result, asJSON bool, out io.Writer) error {
	if r.page != "" {
		var page bytes.Buffer
		if err := result.Page(&page); err != nil {
			return fail(exitUndecided, "--page: %w", err)
		}
		if err := writeFile(r.page, page.Bytes()); err != nil {
			return fail(exitUndecided, "--page: %w", err)
		}
	}
	if !asJSON {
		_ = result.Table(out) // run sees a failed standard output
		return nil
	}
	encoder := jsonLines(out)
	_ = encoder.Encode(result)
	return nil
}

// judge is the exit code.
func (r *redteaming) judge(result *redteam.Result, profiles []string) error {
	least := map[string]redteam.Verdict{"neutralised": redteam.Neutralised, "reduced": redteam.Reduced}[*r.require]
	for _, profile := range profiles {
		switch worst := result.Worst(profile); {
		case *r.require == "nothing":
		case worst == redteam.NotMeasured:
			return fail(exitUndecided, "some triggers were not measured: no picture shows another class than the target")
		case worst < least:
			return &exitError{code: exitFindings}
		}
	}
	return nil
}
