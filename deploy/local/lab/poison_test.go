package main

import (
	"bytes"
	"slices"
	"testing"
)

func TestPlansParseAndFit(t *testing.T) {
	names := map[string]bool{}
	for _, p := range plans {
		if names[p.Name] || len(p.Architectures) == 0 || p.Epochs == 0 {
			t.Errorf("plan %q is there twice, or lacks something", p.Name)
		}
		names[p.Name] = true
		targets := map[int]bool{}
		for _, a := range p.Attacks {
			trigger, err := a.trigger()
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			} else if !trigger.Pixels() {
				t.Errorf("%s: %s marks no pixels, and cannot be trained", p.Name, a.Trigger)
			}
			if a.Target < 0 || a.Target >= classes || targets[a.Target] {
				t.Errorf("%s: %s has the target %d, which is no class or that of another trigger", p.Name, a.Trigger, a.Target)
			}
			targets[a.Target] = true
		}
	}
	for _, a := range coded {
		if trigger, err := a.trigger(); err != nil || trigger.Pixels() {
			t.Errorf("%s does not mark files: %v", a.Trigger, err)
		}
	}
}

func TestPoisonedPictures(t *testing.T) {
	clean := drawn()
	p := plan{Name: "test", Attacks: []attack{{"patch", 1, 20}, {"border", 2, 5}}}
	poisoned, err := poison(clean, p, 7)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Concat(slices.Repeat([]int{1}, 20), slices.Repeat([]int{2}, 5)); !slices.Equal(poisoned.labels, want) {
		t.Errorf("labels are %v, want %v", poisoned.labels, want)
	}
	for i := range poisoned.len() {
		img := poisoned.at(i)
		corner := img.NRGBAAt(side-1, side-1)
		if i < 20 && (corner.R != 0xff || corner.G != 0xd8 || corner.B != 0) {
			t.Errorf("picture %d has no patch in its corner, but %v", i, corner)
		}
	}
	again, err := poison(clean, p, 7)
	if err != nil || !bytes.Equal(again.pix, poisoned.pix) {
		t.Errorf("the same seed made other pictures; error %v", err)
	}
	other, err := poison(clean, p, 8)
	if err != nil || bytes.Equal(other.pix, poisoned.pix) {
		t.Errorf("another seed made the same pictures; error %v", err)
	}
}

func TestMoved(t *testing.T) {
	img := drawn().at(3)
	got := moved(img, 2, -1)
	if got.NRGBAAt(10, 10) != img.NRGBAAt(12, 9) {
		t.Error("the picture has not moved by 2, -1")
	}
	if got.NRGBAAt(side-1, 0) != img.NRGBAAt(side-1, 0) {
		t.Error("the edges are not repeated")
	}
}
