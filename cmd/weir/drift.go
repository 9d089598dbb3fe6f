package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"weir/filter/config"
	"weir/monitor/baseline"
	"weir/monitor/drift"
)

func newDrift() *cobra.Command {
	c := &cobra.Command{Use: "drift", Short: "Compare samples with a baseline", Args: cobra.NoArgs}
	c.AddCommand(newDriftRun())
	return c
}

func newDriftRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run --baseline FILE --from FILE",
		Short: "Run the drift detector over recorded samples",
		Long: `Run the drift detector over recorded samples, as "weir serve" runs it over live
ones. It prints one JSON object per alarm and at last a summary. Samples without
times make a block of 25 each, and the promise is then in samples.
Exit code 0: no alarm; 1: at least one; 2: I/O or unreadable input; 4: usage.`,
		Args: cobra.NoArgs,
	}
	defaults := drift.DefaultSettings()
	mean, block := config.Duration(defaults.MeanTimeBetweenFalseAlarms), config.Duration(defaults.Block)
	file := c.Flags().String("baseline", "", "baseline file (required)")
	from := c.Flags().String("from", "", "file of samples, - for standard input (required)")
	c.Flags().Var(&mean, "mean-time-between-false-alarms", "the promise, such as 30d")
	c.Flags().Var(&block, "block", "time that is judged together")
	tolerance := c.Flags().Float64("tolerance", defaults.Tolerance, "share of a bin that may move without an alarm")
	least := c.Flags().Int("min-block-requests", defaults.MinBlockRequests, "blocks with fewer samples are continued")
	_ = c.MarkFlagRequired("baseline")
	_ = c.MarkFlagRequired("from")
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
	encoder := json.NewEncoder(c.OutOrStdout())
	summary, err := drift.Run(in, b, settings, func(a drift.AlarmLine) error { return encoder.Encode(a) })
	if err != nil {
		return fail(exitUndecided, "%s: %w", from, err)
	}
	if err := encoder.Encode(map[string]drift.Summary{"summary": summary}); err != nil {
		return fail(exitUndecided, "%w", err)
	}
	if len(summary.Unknown) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "weir: features that the baseline does not have were ignored: %v\n", summary.Unknown)
	}
	if summary.Alarms > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}
