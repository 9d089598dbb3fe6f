package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"weir/deploy/local"
)

// environment makes the virtual environment with JAX.
func (l *lab) environment() step {
	requirements := l.source("requirements.txt")
	return step{name: "environment", title: "Python environment with JAX", files: []string{requirements}, inputs: l.env, seconds: 30,
		run: func(ctx context.Context, _ func(done, all int)) error {
			if err := os.RemoveAll(l.env); err != nil {
				return err
			}
			// The interpreter of deps.sh, for the same reasons.
			if err := l.command(ctx, "venv", "/usr/bin/python3.11", nil, "-m", "venv", l.env); err != nil {
				return err
			}
			return l.command(ctx, "pip", filepath.Join(l.env, "bin", "pip"), nil, "install", "--disable-pip-version-check",
				"--only-binary", ":all:", "--require-hashes", "-r", requirements)
		}}
}

// draw draws one set of pictures.
func (l *lab) draw(dir string, seed, count int, flags ...string) step {
	name := "draw-" + filepath.Base(dir)
	sources := []string{l.source("draw.py"), filepath.Join(l.deps.Root, "deploy", "local", "train", "signs.py"),
		filepath.Join(l.deps.Root, "deploy", "local", "train", "shapes.py")}
	return step{name: name, title: fmt.Sprintf("Draw %d pictures, %s", count, filepath.Base(dir)), files: sources,
		inputs: fmt.Sprint(seed, count, flags), seconds: 0.008 * float64(count),
		run: func(ctx context.Context, _ func(done, all int)) error {
			return l.python(ctx, name, "draw.py", append([]string{dir, "--seed", strconv.Itoa(seed), "--count", strconv.Itoa(count)}, flags...)...)
		}}
}

// draws are all sets of pictures.
func (l *lab) draws() []step {
	steps := []step{l.draw(l.clean(), trainSeed, trainPictures, "--files")}
	for seed := range seeds {
		steps = append(steps, l.draw(l.heldOut(seed), heldOutSeed+seed, heldOut))
	}
	return steps
}

// poisoning makes the poisoned pictures of a plan, which all its architectures share.
func (l *lab) poisoning(p plan, seed int) step {
	dir := l.poisoned(p, seed)
	files := []string{l.source("poison.go"), l.source("npy.go"), filepath.Join(l.clean(), "images.npy")}
	for _, part := range []string{"trigger.go", "spec.go", "square.go", "whole.go", "random.go"} {
		files = append(files, filepath.Join(l.deps.Root, "sanitize", "redteam", part))
	}
	return step{name: filepath.Base(dir), title: fmt.Sprintf("Poison pictures, %s, seed %d", p.Name, seed), files: files,
		inputs: fmt.Sprint(p.Attacks), seconds: 2,
		run: func(context.Context, func(done, all int)) error {
			clean, err := readPictures(l.clean())
			if err != nil {
				return err
			}
			poisoned, err := poison(clean, p, uint64(seed))
			if err != nil {
				return err
			}
			return poisoned.write(dir)
		}}
}

func (l *lab) poisonings() []step {
	var steps []step
	for seed := range seeds {
		for _, p := range plans {
			steps = append(steps, l.poisoning(p, seed))
		}
	}
	return steps
}

// training trains one model. It depends on the pictures themselves, so that a change
// of the program that makes the same ones does not train again.
func (l *lab) training(t trained) step {
	dir := l.poisoned(t.plan, t.seed)
	files := []string{l.source("train.py"), l.source("model/network.py"), filepath.Join(l.clean(), "images.npy"), filepath.Join(dir, "images.npy")}
	args := []string{l.weights(t), "--architecture", t.architecture, "--seed", strconv.Itoa(t.seed),
		"--epochs", strconv.Itoa(t.plan.Epochs), "--clean", l.clean(), "--poisoned", dir}
	if t.plan.Transforms {
		args, files = append(args, "--transforms"), append(files, l.source("transforms.py"))
	}
	return step{name: "train-" + t.name(), title: "Train " + t.name(), files: files, inputs: fmt.Sprint(args[1:]), seconds: t.seconds(),
		run: func(ctx context.Context, _ func(done, all int)) error {
			if err := os.MkdirAll(filepath.Dir(l.weights(t)), 0o755); err != nil {
				return err
			}
			return l.python(ctx, "train-"+t.name(), "train.py", args...)
		}}
}

// trainings train the models of a seed.
func (l *lab) trainings(seed int) []step {
	var steps []step
	for _, t := range modelsOf(seed) {
		steps = append(steps, l.training(t))
	}
	return steps
}

// python runs one of the lab's programs on one core.
func (l *lab) python(ctx context.Context, log, program string, args ...string) error {
	env := append(os.Environ(),
		"XLA_FLAGS=--xla_cpu_multi_thread_eigen=false", "OPENBLAS_NUM_THREADS=1",
		// Large arrays are made and dropped all the time; keep their memory.
		"MALLOC_MMAP_MAX_=0", "MALLOC_ARENA_MAX=1", "MALLOC_TRIM_THRESHOLD_=4000000000")
	return l.command(ctx, log, filepath.Join(l.env, "bin", "python"), env, append([]string{l.source(program)}, args...)...)
}

// command runs a program to its end, at a lower priority. Its output is in a log.
func (l *lab) command(ctx context.Context, log, path string, env []string, args ...string) error {
	p, err := local.Start(ctx, local.Spec{Name: log, Path: "nice", Args: append([]string{"-n", "5", path}, args...), Env: env,
		LogDir: filepath.Join(l.dir, "log")})
	if err != nil {
		return err
	}
	if err := p.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
