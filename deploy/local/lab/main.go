// Command lab trains small poisoned models on drawn pictures, serves them on a real
// Triton, and measures what Weir's image profiles do to their back doors.
//
//	weir-lab                      do what has not been done, print the table
//	weir-lab train [NAME...]      train models again, all or these
//	weir-lab measure [NAME...]    measure models again, all or these
//	weir-lab tries [NAME...]      the same for the attacker who tries again
//	weir-lab candidates NAME...   compare lists of steps, on single models
//	weir-lab table                print the table of what is there
//	weir-lab publish              copy the results to where the README is made of them
//
// All of it is seeded. What was done is stamped with what it depends on, in .run/lab:
// a run that was interrupted goes on where it was, and a change of a profile measures
// again without training again. attacks.go says what is planted.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	jobs := flag.Int("jobs", runtime.NumCPU(), "steps at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	l, err := newLab(newPrinter(os.Stdout), max(1, *jobs))
	if err == nil {
		err = l.do(ctx, flag.Args())
	}
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "interrupted; run it again to go on")
		return 130 // as a shell reports Ctrl-C
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "weir-lab:", err)
		return 1
	}
	return 0
}

// do is what the arguments ask for.
func (l *lab) do(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return l.everything(ctx)
	}
	named, err := find(args[1:])
	switch {
	case err != nil:
		return err
	case args[0] == "train":
		return l.retrain(ctx, named)
	case args[0] == "measure":
		return l.again(ctx, named, l.measuring)
	case args[0] == "tries":
		return l.again(ctx, named, l.trying)
	case args[0] == "candidates" && len(args) > 1:
		for _, t := range named {
			if err := l.compareCandidates(ctx, t, os.Stdout); err != nil {
				return err
			}
		}
		return nil
	case args[0] == "table" && len(args) == 1:
		return l.report()
	case args[0] == "publish" && len(args) == 1:
		return l.publish()
	}
	return fmt.Errorf("unknown arguments %q; see the comment in main.go", args)
}

// find returns the models of these names; of no names all.
func find(names []string) ([]trained, error) {
	if len(names) == 0 {
		return models(), nil
	}
	var found []trained
	for _, name := range names {
		i := slices.IndexFunc(models(), func(t trained) bool { return t.name() == name })
		if i < 0 {
			return nil, fmt.Errorf("no model %q", name)
		}
		found = append(found, models()[i])
	}
	return found, nil
}

// everything does what has not been done.
func (l *lab) everything(ctx context.Context) error {
	phases := [][]step{{l.environment()}, l.draws(), l.poisonings()}
	for seed := range seeds { // so that there is a table of the first seed early
		phases = append(phases, l.trainings(seed), l.measurings(seed))
	}
	phases = append(phases, l.tryings())
	l.estimate(phases)
	for _, steps := range phases {
		if err := l.all(ctx, steps); err != nil {
			return err
		}
	}
	return l.report()
}

// estimate says how much there is to do.
func (l *lab) estimate(phases [][]step) {
	left, seconds := 0, 0.0
	for _, steps := range phases {
		for _, s := range steps {
			if !l.done(s) {
				left++
				seconds += s.seconds
			}
		}
	}
	if left > 0 {
		l.out.say("The lab: %d steps to do, about %.0f minutes on %d idle cores.", left, math.Ceil(seconds/60/float64(l.jobs)), l.jobs)
	}
}

// retrain trains models, whatever was done before, with what that needs.
func (l *lab) retrain(ctx context.Context, named []trained) error {
	var trainings []step
	for _, t := range named {
		trainings = append(trainings, l.training(t))
	}
	if err := l.forget(trainings); err != nil {
		return err
	}
	for _, steps := range [][]step{{l.environment()}, l.draws(), l.poisonings(), trainings} {
		if err := l.all(ctx, steps); err != nil {
			return err
		}
	}
	return nil
}

// forget makes steps that were done be done again.
func (l *lab) forget(steps []step) error {
	for _, s := range steps {
		if err := os.Remove(l.stamp(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// again runs a step for models that are trained, whatever was done before.
func (l *lab) again(ctx context.Context, named []trained, of func(trained) step) error {
	var steps []step
	for _, t := range named {
		if _, err := os.Stat(l.weights(t)); err != nil {
			l.out.say("%s is not trained", t.name())
			continue
		}
		steps = append(steps, of(t))
	}
	if err := l.forget(steps); err != nil {
		return err
	}
	if err := l.all(ctx, steps); err != nil {
		return err
	}
	return l.report()
}

// report prints the table of what has been measured and writes it in all forms.
func (l *lab) report() error {
	s, err := l.summarise()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := s.text(&text); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"table.txt": text.Bytes(), "table.md": []byte(s.markdown())} {
		if err := writeFile(filepath.Join(l.dir, name), data); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(l.dir, "results.json"), s); err != nil {
		return err
	}
	l.out.say("\n%s\nAlso in %s as table.txt, table.md and results.json.", text.String(), l.dir)
	return nil
}

// publish copies the results to where the section of the README is made of them.
func (l *lab) publish() error {
	s, err := l.summarise()
	if err != nil {
		return err
	}
	if len(s.Missing) > 0 {
		l.out.say("not measured: %s", strings.Join(s.Missing, ", "))
	}
	if err := writeJSON(l.source("results.json"), s); err != nil {
		return err
	}
	return updateReadme(filepath.Join(l.deps.Root, "README.md"), s)
}
