package redteam

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"weir/sanitize"
)

// Predict asks a model. It returns one row for each file, in their order: the scores
// of the classes, of which the greatest is the answer (the first of equal ones), so
// that a model that tells only a class is one with a single 1. An empty row is a
// file that the model refuses. All rows have the same length.
type Predict func(ctx context.Context, files [][]byte) ([][]float64, error)

// Profile is what happens to a file before the model gets it.
type Profile struct {
	Name string
	// Sanitize returns the file that the model gets. An error is a refusal, after
	// which the attack has failed, unless the context has ended.
	Sanitize func(ctx context.Context, file []byte) ([]byte, error)
}

// Sample is one clean picture.
type Sample struct {
	File  []byte // in a format that Go decodes
	Class int    // what it shows; negative: not known
}

// Options say what is measured.
type Options struct {
	Predict  Predict
	Profiles []Profile // that are compared with the raw files
	Samples  []Sample  // their index is the sample's number n of Trigger.Apply
	Triggers []Trigger // nil: Library
	Classes  []string  // names of the classes, for reports; may be nil

	// Target is the class that the triggers are to lead to; negative: for each
	// trigger the class to which it moves most samples. Only samples that do not show
	// it are counted. Source is the class of the samples that are counted, for back
	// doors that act on one class; negative: all.
	Target, Source int

	Tries    int     // of an attacker, at least 1; 0: 25
	Budget   int     // most predictions; 0: without a bound
	Batch    int     // files of one call of Predict; 0: 16
	Carrier  Carrier // nil: Files{}
	Progress func(done, all int)
}

const (
	defaultTries = 25
	defaultBatch = 16
)

// Validate reports the first option that is not valid.
func (o Options) Validate() error {
	switch {
	case o.Predict == nil:
		return errors.New("redteam: no model to ask")
	case len(o.Profiles) == 0:
		return errors.New("redteam: no profile to measure")
	case len(o.Samples) == 0:
		return errors.New("redteam: no samples")
	case o.Tries < 0 || o.Budget < 0 || o.Batch < 0:
		return errors.New("redteam: a negative number of tries, budget or batch")
	case o.Target >= 0 && o.Target == o.Source:
		return errors.New("redteam: source and target are the same class")
	}
	for i, p := range o.Profiles {
		if p.Sanitize == nil || p.Name == "" || p.Name == rawName {
			return fmt.Errorf("redteam: profile %q has no function, or no name of its own", p.Name)
		}
		if slices.ContainsFunc(o.Profiles[:i], func(q Profile) bool { return q.Name == p.Name }) {
			return fmt.Errorf("redteam: profile %q is there twice", p.Name)
		}
	}
	return nil
}

// rawName is the name of the files as they are.
const rawName = "raw"

// Measure marks the samples with each trigger and asks the model about them, raw and
// through each profile.
//
// A trigger succeeds on a sample that shows (or, if that is not known, is taken raw
// for) another class than the target if the model answers the target. The base rate
// is the same of the samples without a trigger. Best of several tries: at least one
// of as many variants of the picture succeeds, which are a little brighter, moved by
// a pixel, or differ in low bits, so that a keyed profile draws anew; it is measured
// of the triggers that have an effect.
//
// The budget is kept: it is spent first on one try of everything, for which samples
// are left out evenly if need be, then on further tries as far as it goes.
//
// The result follows from the options, if the model's answers do. The error is of
// the options, of a sample that cannot be decoded, of the model, or of ctx.
func Measure(ctx context.Context, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := newRunner(o)
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.clean(ctx); err != nil {
		return nil, err
	}
	for i := range r.o.Triggers {
		if err := r.attack(ctx, &r.o.Triggers[i]); err != nil {
			return nil, err
		}
	}
	r.result.Predictions = r.asked
	return r.result, nil
}

// sample is a Sample that has been decoded.
type sample struct {
	n      uint64 // its index in the options
	file   []byte
	format string
	img    *image.NRGBA // nil: decoded again whenever it is needed
	class  int          // what it shows
	raw    int          // what the model takes it for
}

// runner is one run of Measure.
type runner struct {
	asker
	o       Options
	samples []sample
	result  *Result

	cleanAnswers [][]int  // by leg and sample, of pictures without a trigger
	control      *control // nil: not measured yet
	short, few   bool     // the notes about the budget and about few samples are written
}

func newRunner(o Options) *runner {
	if o.Triggers == nil {
		o.Triggers = Library()
	}
	if o.Tries == 0 {
		o.Tries = defaultTries
	}
	if o.Carrier == nil {
		o.Carrier = Files{}
	}
	r := &runner{o: o, asker: newAsker(o.Predict, o.Profiles, o.Batch, o.Progress)}
	r.result = &Result{Schema: Schema, Tries: o.Tries, Classes: append([]string{}, o.Classes...), Notes: []string{}}
	if _, files := o.Carrier.(Files); !files {
		r.o.Triggers = slices.DeleteFunc(slices.Clone(o.Triggers), func(t Trigger) bool { return !t.Pixels() })
		if len(r.o.Triggers) < len(o.Triggers) {
			r.result.note("triggers that mark files are left out: the model gets pixels")
		}
	}
	return r
}

// maxKept bounds the pixels that are kept decoded, 4 bytes each.
const maxKept = 64 << 20

// load decodes the samples that the budget allows.
func (r *runner) load(ctx context.Context) error {
	free := maxKept
	chosen := len(r.o.Samples)
	perSample := len(r.legs) * (1 + len(r.o.Triggers))
	if r.o.Budget > 0 {
		chosen = min(chosen, r.o.Budget/perSample)
	}
	if chosen == 0 {
		return fmt.Errorf("redteam: a budget of %d predictions; one sample takes %d", r.o.Budget, perSample)
	}
	if chosen < len(r.o.Samples) {
		r.result.note("%d of %d samples are used, to keep within %d predictions", chosen, len(r.o.Samples), r.o.Budget)
	}
	r.expect(chosen * perSample)
	for i := range chosen {
		n := i * len(r.o.Samples) / chosen
		s := sample{n: uint64(n), file: r.o.Samples[n].File, class: r.o.Samples[n].Class}
		img, format, err := decode(s.file)
		if err != nil {
			return fmt.Errorf("redteam: sample %d: %w", n, err)
		}
		s.format = format
		if pixels := img.Bounds().Dx() * img.Bounds().Dy(); pixels <= free {
			if s.img, err = s.picture(ctx); err != nil {
				return fmt.Errorf("redteam: sample %d: %w", n, err)
			}
			free -= pixels
		}
		r.samples = append(r.samples, s)
	}
	return ctx.Err()
}

// picture is the sample decoded, upright. What Weir refuses is decoded as it is.
func (s *sample) picture(ctx context.Context) (*image.NRGBA, error) {
	if s.img != nil {
		return s.img, nil
	}
	file := s.file
	o := sanitize.ImageOptions{Orientation: sanitize.OrientationApply, Formats: sanitize.ImageFormats(), Animation: sanitize.AnimationFirst}
	if upright, _, err := sanitize.Image(ctx, file, o); err == nil {
		file = upright
	}
	img, _, err := decode(file)
	if err != nil {
		return nil, err
	}
	return flatten(img), nil
}

// clean asks about the samples without a trigger, and finds out what they show.
func (r *runner) clean(ctx context.Context) error {
	all := r.indices(func(*sample) bool { return true })
	answers, err := r.ask(ctx, r.files(ctx, nil, 0, all), r.allLegs())
	if err != nil {
		return err
	}
	r.cleanAnswers = make([][]int, len(r.legs))
	var kept []sample
	for i, s := range r.samples {
		if s.raw = answers[0][i]; s.raw < 0 {
			continue
		}
		kept = append(kept, s)
		for leg := range r.legs {
			r.cleanAnswers[leg] = append(r.cleanAnswers[leg], answers[leg][i])
		}
	}
	if len(kept) == 0 {
		return errors.New("redteam: the model refuses all of the samples")
	}
	for _, s := range append([]sample{{class: r.o.Target}, {class: r.o.Source}}, kept...) {
		if s.class >= r.classes {
			return fmt.Errorf("redteam: there is no class %d; the model has %d", s.class, r.classes)
		}
	}
	if n := len(r.samples) - len(kept); n > 0 {
		r.result.note("%d samples are left out, since the model refuses them", n)
		r.skip(n * len(r.legs) * len(r.o.Triggers))
	}
	r.samples = kept
	r.result.Samples = len(kept)
	r.result.Labelled = !slices.ContainsFunc(kept, func(s sample) bool { return s.class < 0 })
	r.result.cleanRows(r.legs, kept, r.cleanAnswers)
	for i := range r.samples {
		if !r.result.Labelled {
			r.samples[i].class = r.samples[i].raw
		}
	}
	return nil
}
