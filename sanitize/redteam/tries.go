package redteam

import (
	"context"
	"fmt"
)

// control are the answers to clean pictures over all tries.
type control struct {
	seen [][][]bool // by leg, sample and class: at least one variant was taken for it
}

// tries measures the best of several tries where the budget allows it: of each leg,
// the samples that have not been hit go on with the next variant.
func (r *runner) tries(ctx context.Context, a *Attack, t *Trigger, all []int, counted []bool, answers [][]int) error {
	legs := r.allLegs()
	pending := make([][]int, len(legs)) // samples
	need := 0
	for _, leg := range legs {
		for j, i := range all {
			if counted[j] && answers[leg][j] != a.target {
				pending[leg] = append(pending[leg], i)
			}
		}
		need += len(pending[leg]) * (r.o.Tries - 1)
	}
	if ok, err := r.controlTries(ctx, need); err != nil || !ok {
		return err
	}
	r.expect(need)
	for _, leg := range legs {
		for k := 1; k < r.o.Tries; k++ {
			got, err := r.ask(ctx, r.files(ctx, t, k, pending[leg]), []int{leg})
			if err != nil {
				return fmt.Errorf("trigger %s: %w", t.Name, err)
			}
			before := len(pending[leg])
			pending[leg] = remaining(pending[leg], got[0], a.target)
			r.skip((before - len(pending[leg])) * (r.o.Tries - 1 - k))
		}
		c := a.leg(leg)
		best := NewShare(c.Success.Of-len(pending[leg]), c.Success.Of)
		base := r.controlShare(leg, a.target, all, counted)
		c.BestOf, c.BaseBestOf = &best, &base
	}
	return nil
}

func remaining(pending, answers []int, target int) []int {
	var left []int
	for i, p := range pending {
		if answers[i] != target {
			left = append(left, p)
		}
	}
	return left
}

// controlTries measures the clean variants once. It reports whether the budget has
// room for them and for further predictions.
func (r *runner) controlTries(ctx context.Context, further int) (bool, error) {
	of := r.attacked()
	control := 0
	if r.control == nil {
		control = len(of) * len(r.legs) * (r.o.Tries - 1)
	}
	if r.o.Budget > 0 && max(r.all, r.asked)+control+further > r.o.Budget {
		if !r.short {
			r.short = true
			r.result.note("the budget of %d predictions does not suffice for several tries of every trigger", r.o.Budget)
		}
		return false, nil
	}
	if r.control != nil {
		return true, nil
	}
	r.expect(control)
	r.control = newControl(len(r.legs), len(r.samples), r.classes)
	for leg, answers := range r.cleanAnswers {
		for i, class := range answers {
			r.control.add(leg, i, class)
		}
	}
	for k := 1; k < r.o.Tries; k++ {
		answers, err := r.ask(ctx, r.files(ctx, nil, k, of), r.allLegs())
		if err != nil {
			return false, err
		}
		for leg := range answers {
			for j, i := range of {
				r.control.add(leg, i, answers[leg][j])
			}
		}
	}
	return true, nil
}

func newControl(legs, samples, classes int) *control {
	c := &control{seen: make([][][]bool, legs)}
	for leg := range c.seen {
		for range samples {
			c.seen[leg] = append(c.seen[leg], make([]bool, classes))
		}
	}
	return c
}

func (c *control) add(leg, sample, class int) {
	if class >= 0 {
		c.seen[leg][sample][class] = true
	}
}

// controlShare is how often clean pictures are taken for the target in any try.
func (r *runner) controlShare(leg, target int, all []int, counted []bool) Share {
	hits, n := 0, 0
	for j, i := range all {
		if counted[j] {
			n++
			if r.control.seen[leg][i][target] {
				hits++
			}
		}
	}
	return NewShare(hits, n)
}
