package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"weir/deploy/local"
)

// baselineRows is how many rows the baseline is made of, at least.
const baselineRows = 10_000

// makeBaseline records the answers to clean pictures, which go through Envoy and
// the profile that is served, and builds the committed baseline of them.
func makeBaseline(ctx context.Context, d *demo) (bool, error) {
	var span time.Duration
	err := d.out.step("Measure the rate of this machine", func() (err error) {
		span, err = d.recordingTime(ctx)
		return err
	})
	if err != nil {
		return false, err
	}
	err = d.out.step(fmt.Sprintf("Record more than %d rows, for %s", baselineRows, span), func() error { return d.record(ctx, span) })
	if err != nil {
		return false, err
	}
	return true, d.out.step("Build deploy/local/baselines/traffic-sign.json", func() error {
		return d.weirCommand(ctx, "baseline", "build", "--from", samples, "--model", signs, "--model-version", "1",
			"--out", filepath.Join(d.deps.Root, "deploy", "local", "baselines", "traffic-sign.json"))
	})
}

// samples is the recording, in the run directory.
const samples = "samples.jsonl"

// recordingTime returns how long the rows of a baseline take, with half as much
// again.
func (d *demo) recordingTime(ctx context.Context) (time.Duration, error) {
	var sent struct{ Rows, Seconds float64 }
	if err := d.client(ctx, &sent, "traffic", d.through(), "--seed=traffic", "--count=800"); err != nil {
		return 0, err
	}
	seconds := baselineRows / sent.Rows * sent.Seconds * 1.5
	return (time.Duration(seconds) * time.Second).Round(10 * time.Second), nil
}

// record records for a time while pictures are sent without a pause.
func (d *demo) record(ctx context.Context, span time.Duration) error {
	p, _, err := d.startClient(ctx, "traffic", d.through(), "--seed=baseline", fmt.Sprintf("--count=%d", 10*baselineRows))
	if err != nil {
		return err
	}
	defer p.Stop(context.Background())
	return d.weirCommand(ctx, "baseline", "record", "--model", signs, "--control", d.weir.Control,
		"--for", span.String(), "--out", samples)
}

// weirCommand runs a subcommand of weir in the run directory.
func (d *demo) weirCommand(ctx context.Context, args ...string) error {
	return d.command(ctx, local.Spec{Name: "weir-" + args[1], Path: d.weirBinary, Args: args, Dir: d.dir})
}
