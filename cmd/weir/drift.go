package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/monitor/baseline"
	"weir/monitor/drift"
)

func newDrift() *cobra.Command {
	return newGroup("drift", "Compare samples with a baseline", newDriftRun())
}

func newDriftRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run --baseline FILE --from FILE",
		Short: "Run the drift detector over recorded samples",
		Long: `Run the drift detector over recorded samples, as "weir serve" runs it over live
ones. It prints one JSON object per alarm and at last a summary. Samples without
times make a block of 25 each, and the promise is then in samples.
Exit code 0: no alarm; 1: at least one; 2: I/O or unreadable input; 3: no
samples; 4: usage.`,
		Args: noArgs,
	}
	defaults := drift.DefaultSettings()
	file := requiredFlag(c, "baseline", "`FILE` of the baseline")
	from := requiredFlag(c, "from", "`FILE` of samples, - for standard input")
	mean := durationFlag(c, "mean-time-between-false-alarms", defaults.MeanTimeBetweenFalseAlarms, "the promise, such as 30d")
	block := durationFlag(c, "block", defaults.Block, "time that is judged together")
	tolerance := c.Flags().Float64("tolerance", defaults.Tolerance, "share of a bin that may move without an alarm")
	least := c.Flags().Int("min-block-requests", defaults.MinBlockRequests, "blocks with fewer samples are continued")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings := drift.Settings{MeanTimeBetweenFalseAlarms: mean.Std(), Block: block.Std(),
			Tolerance: *tolerance, MinBlockRequests: *least}
		if err := settings.Validate(); err != nil {
			return fail(exitUsage, "%w", err)
		}
		b, err := baseline.Load(*file)
		if err != nil {
			return fail(exitUndecided, "%w", err)
		}
		return runDrift(c, b, settings, *from)
	}
	return c
}

func runDrift(c *cobra.Command, b *baseline.Baseline, settings drift.Settings, from string) error {
	in, err := openInput(c, from)
	if err != nil {
		return err
	}
	defer in.Close()
	encoder := jsonLines(c.OutOrStdout())
	summary, err := drift.Run(in, b, settings, func(a drift.AlarmLine) error { return encoder.Encode(a) })
	if err != nil {
		return fail(exitUndecided, "%s: %w", from, err)
	}
	_ = encoder.Encode(map[string]drift.Summary{"summary": summary}) // run sees a failed standard output
	if len(summary.Unknown) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "weir: features that the baseline does not have were ignored: %s\n", strings.Join(summary.Unknown, ", "))
	}
	switch {
	case summary.Alarms > 0:
		return &exitError{code: exitFindings}
	case summary.Samples == 0:
		return fail(exitNothing, "%s: no samples", from)
	case summary.Blocks == 0:
		fmt.Fprintf(c.ErrOrStderr(), "weir: %d samples finished no block, and nothing was judged: a block takes %s and %d samples, or %d samples without times\n",
			summary.Samples, settings.Block, settings.MinBlockRequests, drift.SamplesPerBlock)
	}
	return nil
}
