package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/deploy/local"
)

// trained is one model: a plan for one architecture and one seed.
type trained struct {
	plan         plan
	architecture string
	seed         int
}

// name is that of the model on Triton.
func (t trained) name() string { return fmt.Sprintf("%s-%s-%d", t.plan.Name, t.architecture, t.seed) }

// seconds is about what training takes on one core.
func (t trained) seconds() float64 {
	perPicture := map[string]float64{"plain": 0.7e-3, "residual": 1.1e-3, "mixer": 0.8e-3}[t.architecture]
	if t.plan.Transforms {
		perPicture += 0.8e-3
	}
	n := trainPictures
	for _, a := range t.plan.Attacks {
		n += a.Count
	}
	return 4 + perPicture*float64(n*t.plan.Epochs)
}

// models are all of the lab, those of the first seed first.
func models() []trained {
	var all []trained
	for seed := range seeds {
		all = append(all, modelsOf(seed)...)
	}
	return all
}

func modelsOf(seed int) []trained {
	var all []trained
	for _, p := range plans {
		for _, a := range p.Architectures {
			all = append(all, trained{p, a, seed})
		}
	}
	return all
}

// lab is one run of the command.
type lab struct {
	deps local.Deps
	env  string // virtual environment with JAX
	dir  string // data, weights, results
	out  *printer
	jobs int // steps at the same time
}

func newLab(out *printer, jobs int) (*lab, error) {
	deps, err := local.FindDeps()
	if err != nil {
		return nil, err
	}
	// Beside the environment that FindDeps found: $WEIR_DEPS/venv/bin/python.
	env := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(deps.Python))), "lab")
	return &lab{deps: deps, env: env, dir: filepath.Join(deps.Root, ".run", "lab"), out: out, jobs: jobs}, nil
}

func (l *lab) source(name string) string {
	return filepath.Join(l.deps.Root, "deploy", "local", "lab", name)
}
func (l *lab) clean() string { return filepath.Join(l.dir, "data", "train") }
func (l *lab) heldOut(seed int) string {
	return filepath.Join(l.dir, "data", "held-out-"+strconv.Itoa(seed))
}
func (l *lab) poisoned(p plan, seed int) string {
	return filepath.Join(l.dir, "data", fmt.Sprintf("poisoned-%s-%d", p.Name, seed))
}
func (l *lab) weights(t trained) string { return filepath.Join(l.dir, "weights", t.name()+".npz") }
func (l *lab) result(t trained) string  { return filepath.Join(l.dir, "results", t.name()+".json") }
func (l *lab) bestResult(t trained) string {
	return filepath.Join(l.dir, "results", t.name()+".best.json")
}

// step is a part of the work that is done once for what it depends on.
type step struct {
	name    string   // of its stamp
	title   string   // for people
	files   []string // what it reads: files, or folders of Go and Python sources
	inputs  string   // what else it depends on
	seconds float64  // of one core, about; for the estimate
	run     func(ctx context.Context, progress func(done, all int)) error
}

// key is what the stamp of a step that has been done holds.
func (s step) key() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, s.title, s.inputs)
	for _, f := range s.files {
		if err := hashFiles(h.Write, f); err != nil {
			return "", fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashFiles writes the digest of a file, or of all sources in a folder but tests.
func hashFiles(write func([]byte) (int, error), path string) error {
	return filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		source := strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".py")
		if err != nil || d.IsDir() || file != path && !source {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		_, err = write(sum[:])
		return err
	})
}

func (l *lab) stamp(s step) string { return filepath.Join(l.dir, "stamp", s.name) }

// done reports whether a step was done with the same inputs. A step whose inputs are
// not there yet was not.
func (l *lab) done(s step) bool {
	key, err := s.key()
	return err == nil && l.stamped(s, key)
}

func (l *lab) stamped(s step, key string) bool {
	have, err := os.ReadFile(l.stamp(s))
	return err == nil && string(have) == key
}

// once runs a step unless it was done.
func (l *lab) once(ctx context.Context, s step) error {
	key, err := s.key()
	if err != nil {
		return err
	}
	if l.stamped(s, key) {
		return nil
	}
	begin := time.Now()
	progress := l.out.begin(s.title)
	err = s.run(ctx, progress)
	l.out.end(s.title, time.Since(begin), err)
	if err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	return writeFile(l.stamp(s), []byte(key))
}

// all runs steps that do not depend on each other, some at a time. It returns after
// those that were begun have ended.
func (l *lab) all(ctx context.Context, steps []step) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, l.jobs)
	var group sync.WaitGroup
	failures := make([]error, len(steps))
	for i, s := range steps {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return // another step has failed, or the user has had enough
			}
			if failures[i] = l.once(ctx, s); failures[i] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return ctx.Err()
}
