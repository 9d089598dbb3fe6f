// Command demo shows a back-door attack succeed against a bare Triton and fail
// behind Weir, and the rest of what Weir does, with the real servers on one
// machine. It runs a story of ten lines, prints a table, and exits with 0 only
// if every line held.
//
//	weir-demo            run the story
//	weir-demo baseline   make deploy/local/baselines/traffic-sign.json anew
//
// With KEEP=1 in the environment it leaves everything running after the table,
// with Prometheus showing the drift alert, until it is interrupted.
//
// Where to read on: stories.go has the lines, client.py what is sent, and
// weir.yaml how Weir is set up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitHeld        = 0
	exitNotHeld     = 1 // a line did not hold, or a step failed
	exitUsage       = 4
	exitInterrupted = 130 // as a shell reports Ctrl-C
)

func main() { os.Exit(run()) }

func run() int {
	weir := flag.String("weir", "", "the weir program (default: bin/weir in the repository, built when missing)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	task, withBaseline := story, true
	switch flag.Arg(0) {
	case "":
	case "baseline":
		task, withBaseline = makeBaseline, false
	default:
		fmt.Fprintf(os.Stderr, "weir-demo: unknown argument %q; the only one is \"baseline\"\n", flag.Arg(0))
		return exitUsage
	}

	d := &demo{out: newPrinter(os.Stdout), weirBinary: *weir}
	held, err := false, d.start(ctx, withBaseline)
	if err == nil {
		held, err = task(ctx, d)
	}
	interrupted := ctx.Err() != nil
	var stopErr error
	if d.dir != "" {
		stopErr = d.out.step("Stop every process", d.stop)
	}
	switch {
	case interrupted && (err != nil || !held):
		fmt.Fprintln(os.Stderr, "interrupted")
		return exitInterrupted
	case err != nil || stopErr != nil:
		fmt.Fprintln(os.Stderr, errors.Join(err, stopErr))
		return exitNotHeld
	case !held:
		return exitNotHeld
	}
	return exitHeld
}

// story runs the lines and prints the table. It reports whether all held.
func story(ctx context.Context, d *demo) (bool, error) {
	var rows []row
	for _, l := range lines {
		r := row{line: l.letter, what: l.what}
		err := d.out.step(fmt.Sprintf("(%s) %s", l.letter, l.title), func() error { return l.run(ctx, d, &r) })
		d.out.details()
		if err != nil {
			return false, fmt.Errorf("(%s) %s: %w", l.letter, l.title, err)
		}
		rows = append(rows, r)
	}
	held := d.out.table(rows)
	fmt.Fprintf(d.out.w, "Logs and what was sent and received: %s\n", d.dir)
	if os.Getenv("KEEP") != "1" {
		return held, nil
	}
	return held, d.keep(ctx)
}
