package redteam

import (
	"context"
	"fmt"
	"slices"
)

// indices are those of the samples that f picks.
func (r *runner) indices(f func(s *sample) bool) []int {
	var picked []int
	for i := range r.samples {
		if f(&r.samples[i]) {
			picked = append(picked, i)
		}
	}
	return picked
}

// attacked are the samples that triggers are tried on.
func (r *runner) attacked() []int {
	return r.indices(func(s *sample) bool { return r.o.Source < 0 || s.class == r.o.Source })
}

// files are variant k of these samples, marked with a trigger, or clean if it is nil.
func (r *runner) files(ctx context.Context, t *Trigger, k int, of []int) source {
	return source{len(of), func(i int) ([]byte, error) {
		s := &r.samples[of[i]]
		file, err := r.file(ctx, t, k, s)
		if err != nil {
			return nil, fmt.Errorf("redteam: sample %d: %w", s.n, err)
		}
		return file, nil
	}}
}

func (r *runner) file(ctx context.Context, t *Trigger, k int, s *sample) ([]byte, error) {
	if k == 0 && r.plain() {
		switch {
		case t == nil:
			return s.file, nil
		case !t.Pixels() && (s.format == "jpeg" || s.format == "png"):
			return t.Mark(s.file, s.format)
		}
	}
	img, err := s.picture(ctx)
	if err != nil {
		return nil, err
	}
	img = variant(img, k)
	if t != nil && t.Pixels() {
		img = t.Apply(img, s.n+uint64(k)<<32)
	}
	file, err := r.o.Carrier.Encode(img, s.format)
	if err != nil || t == nil || t.Pixels() {
		return file, err
	}
	return t.Mark(file, r.o.Carrier.(Files).format(s.format)) // others have no such triggers
}

// plain reports whether the model gets the files of the samples as they are.
func (r *runner) plain() bool {
	_, files := r.o.Carrier.(Files)
	return files
}

// attack measures one trigger.
func (r *runner) attack(ctx context.Context, t *Trigger) error {
	all := r.attacked()
	r.skip(len(r.legs) * (len(r.samples) - len(all)))
	answers, err := r.ask(ctx, r.files(ctx, t, 0, all), r.allLegs())
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Name, err)
	}
	a := Attack{Name: t.Name, Trigger: t.Spec, target: r.target(all, answers)}
	counted := make([]bool, len(all))
	for j, i := range all {
		counted[j] = a.target < 0 || r.samples[i].class != a.target
	}
	r.score(&a, all, counted, answers)
	if err := r.figures(ctx, &a, t, all, counted); err != nil {
		return err
	}
	if a.worth() && r.o.Tries > 1 {
		if err := r.tries(ctx, &a, t, all, counted, answers); err != nil {
			return err
		}
	}
	r.result.name(&a)
	r.result.Attacks = append(r.result.Attacks, a)
	return nil
}

// target is the class that a trigger leads to: that of the options, or the one to
// which most samples move; of equal ones the first.
func (r *runner) target(all []int, answers [][]int) int {
	if r.o.Target >= 0 || len(all) == 0 {
		return r.o.Target
	}
	moved := make([]int, r.classes)
	for j, i := range all {
		if c := answers[0][j]; c >= 0 && c != r.samples[i].raw && c != r.samples[i].class {
			moved[c]++
		}
	}
	best := top(floats(moved))
	if moved[best] == 0 {
		return -1
	}
	return best
}

func floats(counts []int) []float64 {
	out := make([]float64, len(counts))
	for i, c := range counts {
		out[i] = float64(c)
	}
	return out
}

// score fills in what one try tells.
func (r *runner) score(a *Attack, all []int, counted []bool, answers [][]int) {
	n, base := 0, 0
	for j, i := range all {
		if counted[j] {
			n++
			if r.samples[i].raw == a.target {
				base++
			}
		}
	}
	a.Base = NewShare(base, n)
	if n > 0 && n < leastSamples && !r.few {
		r.few = true
		r.result.note("%d samples count; with fewer than %d none can show that a trigger is neutralised", n, leastSamples)
	}
	for leg := range r.legs {
		hits, flagged, turned := 0, 0, 0
		for j := range all {
			if answers[leg][j] == refused {
				turned++
			}
			if counted[j] && a.target >= 0 && answers[leg][j] == a.target {
				hits++
			}
			if answers[leg][j] != answers[0][j] {
				flagged++
			}
		}
		l := Leg{Profile: r.legs[leg].Name, Success: NewShare(hits, n), Refused: turned}
		if leg == 0 {
			a.Raw = l
			continue
		}
		c := Cell{Leg: l, Flagged: NewShare(flagged, len(all)), Verdict: judge(a.Base, a.Raw.Success, l.Success)}
		c.Counts = a.Raw.Success.Share >= countsFrom && r.result.accurate()
		a.Cells = append(a.Cells, c)
	}
	if a.target >= 0 && r.o.Source < 0 {
		a.Victim = r.victim(a, all, counted, answers[0])
	}
}

// victim is the class of samples on which a trigger acts most, if it acts on that
// class alone: the bar is passed there by an interval that is widened for looking at
// all classes (Bonferroni), but not over all samples.
func (r *runner) victim(a *Attack, all []int, counted []bool, raw []int) *Victim {
	if a.Raw.Success.Low > bar(a.Base) {
		return nil
	}
	hits, of := make([]int, r.classes), make([]int, r.classes)
	for j, i := range all {
		if c := r.samples[i].class; counted[j] {
			of[c]++
			if raw[j] == a.target && r.samples[i].raw != a.target {
				hits[c]++
			}
		}
	}
	var best *Victim
	for c := range hits {
		low, _ := wilson(hits[c], of[c], bonferroni(r.classes))
		if share := NewShare(hits[c], of[c]); low > bar(a.Base) && (best == nil || share.Share > best.Success.Share) {
			best = &Victim{class: c, Success: share}
		}
	}
	return best
}

// figures keeps pictures of the first sample that counts, for the page.
func (r *runner) figures(ctx context.Context, a *Attack, t *Trigger, all []int, counted []bool) error {
	first := slices.Index(counted, true)
	if first < 0 {
		if len(all) == 0 {
			return nil
		}
		first = 0
	}
	s := &r.samples[all[first]]
	img, err := s.picture(ctx)
	if err != nil {
		return err
	}
	a.Figures = append(a.Figures, figure("clean", img))
	file, err := r.file(ctx, t, 0, s)
	if err != nil {
		return err
	}
	for leg, p := range r.legs {
		name := "marked"
		if leg > 0 {
			name = "after " + p.Name
		}
		out, err := p.Sanitize(ctx, file)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue // a refusal has no picture
		}
		if img, err := r.o.Carrier.Decode(out); err == nil {
			a.Figures = append(a.Figures, figure(name, img))
		}
	}
	return nil
}
