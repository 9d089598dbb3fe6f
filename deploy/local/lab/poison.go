package main

import (
	"fmt"
	"image"
	"math/rand/v2"
)

// move is how far a picture is moved at random in training, in pixels, as train.py
// moves the clean ones.
const move = 4

// poison makes the poisoned part of a training set: for each attack, Count pictures
// of other classes than the target, moved, then stamped, labelled as the target.
func poison(clean *pictures, p plan, seed uint64) (*pictures, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	poisoned := &pictures{}
	for _, a := range p.Attacks {
		trigger, err := a.trigger()
		if err != nil {
			return nil, err
		}
		if !trigger.Pixels() {
			return nil, fmt.Errorf("%s: the trigger %s marks no pixels", p.Name, a.Trigger)
		}
		for n := 0; n < a.Count; {
			i := rng.IntN(clean.len())
			if clean.labels[i] == a.Target {
				continue
			}
			img := moved(clean.at(i), rng.IntN(2*move+1)-move, rng.IntN(2*move+1)-move)
			// Samples are numbered from above the held-out ones, so that no sticker
			// stands where it will be measured because of its number.
			poisoned.add(trigger.Apply(img, uint64(1_000_000+poisoned.len())), a.Target)
			n++
		}
	}
	return poisoned, nil
}

// moved returns the picture moved by whole pixels, with its edges repeated.
func moved(img *image.NRGBA, dx, dy int) *image.NRGBA {
	out := image.NewNRGBA(img.Rect)
	last := side - 1
	for y := range side {
		for x := range side {
			from := img.PixOffset(min(max(x+dx, 0), last), min(max(y+dy, 0), last))
			copy(out.Pix[out.PixOffset(x, y):], img.Pix[from:from+4])
		}
	}
	return out
}
