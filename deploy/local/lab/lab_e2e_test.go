//go:build e2e

package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"weir/deploy/local"
	"weir/sanitize"
	"weir/sanitize/redteam"
)

// sampleAttacks are those that TestSample measures: two that the model has learnt, and
// one that is coded in it.
var sampleAttacks = []attack{{"checkerboard", 0, 0}, {"noise", 7, 0}, {"exif", 0, 0}}

// samplePictures makes 140 marked pictures a cell: the upper bound of no success is
// 2.7 %.
const samplePictures = 160

// TestSample measures the committed model of the lab on a real Triton.
func TestSample(t *testing.T) {
	deps, err := local.FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	held := filepath.Join(dir, "held-out")
	draw := exec.CommandContext(t.Context(), deps.Python, "draw.py", held, "--seed", strconv.Itoa(heldOutSeed), "--count", strconv.Itoa(samplePictures))
	if out, err := draw.CombinedOutput(); err != nil {
		t.Fatalf("draw: %v\n%s", err, out)
	}
	pictures, err := readPictures(held)
	if err != nil {
		t.Fatal(err)
	}
	model := trained{plans[0], "plain", 0}
	repository := filepath.Join(dir, "models")
	if err := addModel(repository, deps.Root, model.name(), model.architecture, filepath.Join("sample", "weights.npz")); err != nil {
		t.Fatal(err)
	}
	triton, err := local.StartTriton(t.Context(), deps, local.TritonOptions{Repository: repository, LogDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer stopTriton(triton)
	profiles, err := namedProfiles([]string{sanitize.ProfileStrip, sanitize.ProfileStandard})
	if err != nil {
		t.Fatal(err)
	}
	result, err := measure(t.Context(), triton, pictures, measurement{trained: model, profiles: profiles, attacks: sampleAttacks,
		pictures: samplePictures, format: "png", tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range result.Clean {
		if c.Accuracy.Share < 0.95 {
			t.Errorf("%s: %s of the clean pictures are right, want 95 %%", c.Profile, c.Accuracy)
		}
	}
	for i, a := range result.Attacks {
		checkAttack(t, sampleAttacks[i], a)
	}
}

// checkAttack wants an attack to work raw, and to fail after the profile that is to
// stop it: a coded one after strip, a learnt one after standard only.
func checkAttack(t *testing.T, planted attack, a redteam.Attack) {
	t.Helper()
	strip, standard := a.Cells[0].Success, a.Cells[1].Success
	if a.Target != classNames[planted.Target] || a.Raw.Success.Share < leastShare {
		t.Errorf("%s: raw, %s lead to %q; want 90 %% to %q", a.Name, a.Raw.Success, a.Target, classNames[planted.Target])
	}
	switch {
	case planted.Trigger == "exif" && strip.Hits > 0:
		t.Errorf("%s: %s succeed after strip", a.Name, strip)
	case planted.Trigger != "exif" && strip.Hits != a.Raw.Success.Hits:
		t.Errorf("%s: strip changed what the model sees: %s, raw %s", a.Name, strip, a.Raw.Success)
	}
	if standard.High > 0.10 {
		t.Errorf("%s: %s succeed after standard", a.Name, standard)
	}
}
