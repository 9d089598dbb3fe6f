package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"weir/deploy/local"
	"weir/sanitize"
	"weir/sanitize/redteam"
)

// profileNames are what the lab measures, from the weakest to the strongest.
var profileNames = []string{
	sanitize.ProfileStrip, sanitize.ProfileLight, sanitize.ProfileStandard, sanitize.ProfileStrong,
}

// measuring is the step that measures one model.
func (l *lab) measuring(t trained) step {
	attacks := t.plan.measured()
	return step{name: "measure-" + t.name(), title: "Measure " + t.name(), files: l.measured(t), inputs: fmt.Sprint(attacks, profileNames),
		seconds: asking(heldOut * (1 + len(profileNames)) * (1 + len(attacks))),
		run: func(ctx context.Context, progress func(done, all int)) error {
			return l.measureModel(ctx, t, false, progress)
		}}
}

// trying is the step that measures the attacker who tries again.
func (l *lab) trying(t trained) step {
	attacks := t.plan.measured()
	return step{name: "tries-" + t.name(), title: fmt.Sprintf("Best of %d, %s", bestOfTries, t.name()), files: l.measured(t),
		inputs:  fmt.Sprint(attacks, keyedProfiles, bestOfPictures, bestOfTries),
		seconds: asking(bestOfPictures * bestOfTries * (1 + len(keyedProfiles)) * (1 + len(attacks))),
		run: func(ctx context.Context, progress func(done, all int)) error {
			return l.measureModel(ctx, t, true, progress)
		}}
}

// measured is what a result depends on.
func (l *lab) measured(t trained) []string {
	files := []string{l.weights(t), filepath.Join(l.heldOut(t.seed), "images.npy"), l.source("measure.go"), l.source("serve.go"), l.source("model")}
	for _, part := range []string{"image.go", "image_options.go", "image_pixels.go", "steps.go", "key.go",
		"internal/picture", "internal/pixel", "internal/png", "redteam"} {
		files = append(files, filepath.Join(l.deps.Root, "sanitize", part))
	}
	return files
}

// asking is about what so many predictions take, with the time to start Triton.
func asking(predictions int) float64 { return 4 + 0.0025*float64(predictions) }

// measurings measure the models of a seed.
func (l *lab) measurings(seed int) []step {
	var steps []step
	for _, t := range modelsOf(seed) {
		steps = append(steps, l.measuring(t))
	}
	return steps
}

// tryings measure the attacker who tries again.
func (l *lab) tryings() []step {
	var steps []step
	for _, t := range modelsOf(0) {
		steps = append(steps, l.trying(t))
	}
	return steps
}

// secret is the lab's key. It is no secret: the attacks of the lab do not use it.
const secret = "the lab of weir, not a secret"

// profile is how Weir sanitises files for the lab's models with these options.
func profile(name string, o sanitize.ImageOptions) (redteam.Profile, error) {
	key, err := sanitize.NewKey([]byte(secret))
	if err != nil {
		return redteam.Profile{}, err
	}
	o.Key, o.Model, o.Input = key, "lab", "IMAGE"
	if err := o.Validate(); err != nil {
		return redteam.Profile{}, err
	}
	return redteam.ImageProfile(name, o), nil
}

func namedProfiles(names []string) ([]redteam.Profile, error) {
	var profiles []redteam.Profile
	for _, name := range names {
		p, err := profile(name, sanitize.ImageOptions{Profile: name})
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// samples are the first n held-out pictures as files of this format: "png", by which
// an attacker's pixels arrive as they were, or "jpeg".
func samples(held *pictures, n int, format string) ([]redteam.Sample, error) {
	out := make([]redteam.Sample, min(n, held.len()))
	for i := range out {
		file, err := redteam.Files{Format: format, Quality: jpegQuality}.Encode(held.at(i), format)
		if err != nil {
			return nil, err
		}
		out[i] = redteam.Sample{File: file, Class: held.labels[i]}
	}
	return out, nil
}

const jpegQuality = 92

// triggers parses what is planted in a model.
func triggers(attacks []attack) ([]redteam.Trigger, error) {
	var out []redteam.Trigger
	for _, a := range attacks {
		t, err := a.trigger()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// measurement says what is measured of one model.
type measurement struct {
	trained  trained
	profiles []redteam.Profile
	attacks  []attack
	pictures int    // held-out
	format   string // of the files
	tries    int
	progress func(done, all int)
}

// measure asks a model on Triton about its attacks. The target of each is the class to
// which it moves most pictures; whether that is the planted one is for the reader of
// the result to see.
func measure(ctx context.Context, triton *local.Triton, held *pictures, m measurement) (*redteam.Result, error) {
	files, err := samples(held, m.pictures, m.format)
	if err != nil {
		return nil, err
	}
	marks, err := triggers(m.attacks)
	if err != nil {
		return nil, err
	}
	result, err := redteam.Measure(ctx, redteam.Options{
		Predict: predictor(triton.HTTP, m.trained.name()), Profiles: m.profiles, Samples: files, Triggers: marks,
		Classes: classNames[:], Target: -1, Source: -1, Tries: m.tries, Batch: askedAtOnce, Progress: m.progress,
	})
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w", m.trained.name(), err)
	}
	result.Model = m.trained.name()
	return result, nil
}

// serve starts Triton with one trained model.
func (l *lab) serve(ctx context.Context, t trained) (*local.Triton, error) {
	repository := filepath.Join(l.dir, "models")
	if err := addModel(repository, l.deps.Root, t.name(), t.architecture, l.weights(t)); err != nil {
		return nil, err
	}
	return local.StartTriton(ctx, l.deps, local.TritonOptions{
		Repository: repository, Models: []string{t.name()}, LogDir: filepath.Join(l.dir, "log", t.name()),
		Env: []string{"OPENBLAS_NUM_THREADS=1"},
	})
}

// stopTriton ends a Triton that has done its work. That it was slow to end and had to
// be killed is no failure of what was measured.
func stopTriton(t *local.Triton) { _ = t.Stop(context.Background()) }

// measureModel measures one model and writes the result: all held-out pictures through
// all profiles, or the attacker who tries again.
func (l *lab) measureModel(ctx context.Context, t trained, again bool, progress func(done, all int)) error {
	m, path := measurement{trained: t, attacks: t.plan.measured(), pictures: heldOut, format: "png", tries: 1, progress: progress}, l.result(t)
	names := profileNames
	if again {
		names, m.pictures, m.tries, path = keyedProfiles, bestOfPictures, bestOfTries, l.bestResult(t)
	}
	var err error
	if m.profiles, err = namedProfiles(names); err != nil {
		return err
	}
	result, err := l.servedAndMeasured(ctx, m)
	if err != nil {
		return err
	}
	return writeJSON(path, result)
}

// servedAndMeasured measures one model with its held-out pictures on a Triton of its own.
func (l *lab) servedAndMeasured(ctx context.Context, m measurement) (*redteam.Result, error) {
	held, err := readPictures(l.heldOut(m.trained.seed))
	if err != nil {
		return nil, err
	}
	triton, err := l.serve(ctx, m.trained)
	if err != nil {
		return nil, err
	}
	defer stopTriton(triton)
	return measure(ctx, triton, held, m)
}

// The attacker who tries again is measured with fewer pictures, of the first seed, and
// where a try may have another outcome.
const (
	bestOfPictures = 64
	bestOfTries    = 25
)

var keyedProfiles = []string{sanitize.ProfileStandard, sanitize.ProfileStrong}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	return writeFile(path, append(text, '\n'))
}

// writeFile writes a file at once: who is killed leaves the old one or none.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
