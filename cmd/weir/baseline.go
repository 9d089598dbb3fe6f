package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/monitor/baseline"
	"weir/monitor/drift"
)

func newBaseline() *cobra.Command {
	return newGroup("baseline", "Record samples of a model, and build a baseline of them", newBaselineRecord(), newBaselineBuild())
}

func newBaselineBuild() *cobra.Command {
	c := &cobra.Command{
		Use:   "build --from FILE --out FILE",
		Short: "Build a baseline file from samples",
		Long: `Build a baseline file from samples: JSON lines such as
  {"time":12.35,"confidence":0.93,"class":"stop","entropy":0.2}
of numbers and categories, in the order of time. "-" reads standard input.
A baseline should have 10000 samples; with fewer, smaller changes go unseen.
Exit code 0: built; 1: the samples make no baseline; 2: they cannot be read.`,
		Args: noArgs,
	}
	from := requiredFlag(c, "from", "`FILE` of samples, - for standard input")
	out := requiredFlag(c, "out", "baseline `FILE` to write")
	model := c.Flags().String("model", "", "`NAME` of the model, recorded in the file")
	modelVersion := c.Flags().String("model-version", "", "`VERSION` of the model, recorded in the file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		in, err := openInput(c, *from)
		if err != nil {
			return err
		}
		defer in.Close()
		b, err := baseline.BuildFrom(in, baseline.Options{Model: *model, Version: *modelVersion, Source: *from,
			Tool: "weir " + currentVersion(), Created: time.Now().UTC().Truncate(time.Second)})
		if err != nil {
			return fail(inputCode(err), "%s: %w", *from, err)
		}
		if err := b.Save(*out); err != nil {
			return fail(exitUndecided, "%w", err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %d samples, %d features, %s\n", *out, b.Samples, len(b.Features), b.Digest())
		if b.Samples < baseline.AdvisedSamples {
			fmt.Fprintf(c.ErrOrStderr(), "weir: %d samples: shares within up to ±%.3f of the baseline raise no alarm; %d or more are advised\n",
				b.Samples, drift.SamplingError(b), baseline.AdvisedSamples)
		}
		return nil
	}
	return c
}

// openInput opens a file, or standard input for "-".
func openInput(c *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.InOrStdin()), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fail(exitUndecided, "%w", err)
	}
	return f, nil
}

// inputCode is the exit code of an error while a baseline was built: samples that
// cannot be read decide nothing, samples that make no baseline do.
func inputCode(err error) int {
	var line *baseline.LineError
	if errors.As(err, &line) {
		return exitUndecided
	}
	return exitFindings
}
