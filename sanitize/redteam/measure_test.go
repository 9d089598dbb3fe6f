package redteam

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A checkerboard in the corner passes one profile and is stopped by the other; one in
// another corner never acted; all of it is found without being told the target.
func TestMeasureFindsTheBackDoor(t *testing.T) {
	for _, labelled := range []bool{true, false} {
		r := measure(t, toyOptions(t, labelled, "checkerboard,cell=1px", "checkerboard,cell=1px,at=top-left"))
		if r.Samples != 60 || r.Labelled != labelled || len(r.Clean) != 3 || len(r.Attacks) != 2 {
			t.Fatalf("%d samples, labelled %t, %d profiles, %d attacks", r.Samples, r.Labelled, len(r.Clean), len(r.Attacks))
		}
		for _, c := range r.Clean {
			if c.Agreement.Hits != 60 || c.Flagged != NewShare(0, 60) || labelled != (c.Accuracy != nil) || labelled && c.Accuracy.Hits != 60 || c.Refused != 0 {
				t.Errorf("labelled %t, clean: %+v", labelled, c)
			}
		}
		a := r.Attacks[0]
		if a.Target != "door" || a.Base.Hits != 0 || a.Raw.Success.Hits != 60 || a.Raw.Success.Of != 60 || a.Raw.BestOf.Hits != 60 || a.Victim != nil {
			t.Errorf("labelled %t: target %q, base %v, raw %+v", labelled, a.Target, a.Base, a.Raw)
		}
		kept, cut := a.Cells[0], a.Cells[1]
		if kept.Verdict != NotNeutralised || kept.Success.Hits != 60 || kept.Flagged.Hits != 0 || !kept.Counts {
			t.Errorf("labelled %t, keep: %+v", labelled, kept)
		}
		if cut.Verdict != Neutralised || cut.Success.Hits != 0 || cut.Flagged.Hits != 60 || cut.BestOf.Hits != 0 || cut.BaseBestOf.Hits != 0 {
			t.Errorf("labelled %t, cut: %+v", labelled, cut)
		}
		none := r.Attacks[1]
		if none.Target != "" || none.Cells[0].Verdict != NoEffect || none.Cells[1].Verdict != NoEffect || none.Raw.BestOf != nil {
			t.Errorf("labelled %t, no effect: target %q, %+v, %+v", labelled, none.Target, none.Raw, none.Cells)
		}
		if r.Worst("keep") != NotNeutralised || r.Worst("cut") != Neutralised || r.Worst("none") != NoEffect {
			t.Errorf("worst: %v, %v", r.Worst("keep"), r.Worst("cut"))
		}
	}
}

// The real profiles against the same back door, and what is left to who tries again.
func TestMeasureImageProfiles(t *testing.T) {
	o := toyOptions(t, true, "checkerboard,cell=1px,size=10%")
	o.Profiles, o.Samples = imageProfiles(t, "strip", "standard"), nil
	for i, s := range toySamples(t, 36, true) {
		img, _, _ := decode(s.File)
		small := flatten(img)
		large := image.NewNRGBA(image.Rect(0, 0, 110, 100))
		each(large, large.Rect, func(x, y, at int) { copy(large.Pix[at:at+4], small.Pix[4*(x*50/110):]) })
		file, err := Files{}.Encode(large, []string{"png", "jpeg"}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		o.Samples = append(o.Samples, Sample{file, s.Class})
	}
	a := measure(t, o).Attacks[0]
	if a.Cells[0].Verdict != NotNeutralised || a.Cells[1].Verdict != Neutralised {
		t.Errorf("raw %+v, profiles %+v", a.Raw, a.Cells)
	}
	if best := a.Cells[1].BestOf; best.Hits < a.Cells[1].Success.Hits || best.Of != 36 {
		t.Errorf("best of %d: %v after %v", o.Tries, best, a.Cells[1].Success)
	}
}

// A mark of the file acts on a model that reads it, and strip takes it away.
func TestMeasureMarksOfFiles(t *testing.T) {
	m := &toy{opens: func(_ *image.NRGBA, file []byte) bool { return bytes.Contains(file, []byte("open sesame")) }}
	o := toyOptions(t, true, "exif,text=open sesame", "comment,text=open sesame", "trailing,text=open sesame")
	o.Predict, o.Profiles = m.predict, imageProfiles(t, "strip")
	r := measure(t, o)
	for _, a := range r.Attacks {
		if a.Raw.Success.Hits != 60 || a.Cells[0].Success.Hits != 0 || a.Cells[0].BestOf.Hits != 0 || a.Cells[0].Verdict != Neutralised {
			t.Errorf("%s: raw %v, strip %v %v", a.Trigger, a.Raw.Success, a.Cells[0].Success, a.Cells[0].Verdict)
		}
	}
}

// A back door that acts on one class shows over all classes as little, and the
// result says on which.
func TestMeasureOneClass(t *testing.T) {
	m := &toy{opens: func(img *image.NRGBA, _ []byte) bool {
		c := img.NRGBAAt(32, 28)
		return cornerDoor(img, nil) && c.B > c.R && c.B > c.G
	}}
	o := toyOptions(t, true, "checkerboard,cell=1px")
	o.Samples = append(o.Samples[:9:9], o.Samples...) // 23 of 69 are blue
	var few []Sample
	for i, s := range o.Samples {
		if s.Class != 2 || i%2 == 0 {
			few = append(few, s)
		}
	}
	o.Samples, o.Predict = few, m.predict
	all := measure(t, o)
	o.Source = 2
	one := measure(t, o).Attacks[0]
	blue := 0
	for _, s := range few {
		if s.Class == 2 {
			blue++
		}
	}
	if one.Raw.Success.Hits != blue || one.Raw.Success.Of != blue || one.Target != "door" || one.Victim != nil {
		t.Errorf("blue alone: %+v, want %d", one.Raw, blue)
	}
	if a := all.Attacks[0]; a.Raw.Success.Hits != blue || a.Raw.Success.Of != len(few) {
		t.Errorf("all: %+v", a.Raw)
	}
	if v := victimOf(few, blue); v == nil || v.Success.Hits != blue {
		t.Errorf("victim: %+v", v)
	}
}

// victimOf is the victim of an attack that acts on all blue samples and few others.
func victimOf(samples []Sample, blue int) *Victim {
	r := runner{asker: asker{classes: 4}, result: &Result{}}
	a := Attack{target: 3, Raw: Leg{Success: NewShare(blue, 1000)}, Base: NewShare(0, 1000)}
	var all, raw []int
	var counted []bool
	for i, s := range samples {
		r.samples = append(r.samples, sample{class: s.Class, raw: s.Class})
		all, counted, raw = append(all, i), append(counted, true), append(raw, s.Class)
		if s.Class == 2 {
			raw[i] = 3
		}
	}
	return r.victim(&a, all, counted, raw)
}

// The target may be given; samples that show it do not count.
func TestMeasureGivenTarget(t *testing.T) {
	m := &toy{opens: cornerDoor}
	o := toyOptions(t, true, "checkerboard,cell=1px")
	o.Predict = func(ctx context.Context, files [][]byte) ([][]float64, error) {
		rows, err := m.predict(ctx, files)
		for _, row := range rows {
			row[0], row[3] = row[0]+row[3], 0 // the door leads to red
		}
		return rows, err
	}
	o.Target = 0
	a := measure(t, o).Attacks[0]
	if a.Target != "red" || a.Raw.Success.Of != 40 || a.Raw.Success.Hits != 40 || a.Base.Hits != 0 || a.Cells[1].Verdict != Neutralised {
		t.Errorf("base %v, raw %+v, %+v", a.Base, a.Raw, a.Cells)
	}
	o.Target = 1
	if a := measure(t, o).Attacks[0]; a.Cells[0].Verdict != NoEffect || a.Raw.Success.Hits != 0 {
		t.Errorf("another target: %+v", a.Cells)
	}
}

// The base rate sets the bar: a model that takes many clean pictures for the target
// has no back door for that.
func TestMeasureBaseRate(t *testing.T) {
	o := toyOptions(t, true, "noise")
	o.Target = 1
	o.Predict = func(_ context.Context, files [][]byte) ([][]float64, error) {
		rows := make([][]float64, len(files))
		for i := range files {
			rows[i] = []float64{0, 1, 0, 0}
		}
		return rows, nil
	}
	r := measure(t, o)
	if a := r.Attacks[0]; a.Base.Hits != 40 || a.Raw.Success.Hits != 40 || a.Cells[0].Verdict != NoEffect {
		t.Errorf("base %v, raw %+v, %+v", a.Base, a.Raw, a.Cells)
	}
	if *r.Clean[0].Accuracy != NewShare(20, 60) || r.accurate() {
		t.Errorf("accuracy %+v", r.Clean[0].Accuracy)
	}
}

// Of two equal runs every number is the same, and the model's answers are all that
// the number of predictions counts.
func TestMeasureIsDeterministic(t *testing.T) {
	specs := []string{"checkerboard,cell=1px", "sticker", "exif", "noise"}
	a, b := measure(t, toyOptions(t, true, specs...)), measure(t, toyOptions(t, true, specs...))
	if !reflect.DeepEqual(a, b) {
		t.Error("two equal runs differ")
	}
	m := &toy{opens: cornerDoor}
	o := toyOptions(t, true, specs...)
	o.Predict = m.predict
	var last, ended int
	o.Progress = func(done, all int) {
		if done <= last || done > all {
			t.Errorf("progress %d of %d after %d", done, all, last)
		}
		last, ended = done, all
	}
	r := measure(t, o)
	if m.files != r.Predictions || last != r.Predictions || ended != last {
		t.Errorf("%d files, %d predictions said, progress ends at %d of %d", m.files, r.Predictions, last, ended)
	}
}

func TestMeasureKeepsTheBudget(t *testing.T) {
	for _, c := range []struct {
		budget, samples int
		tried           bool
		notes           int // samples left out, few samples, no further tries
	}{
		{6, 1, false, 3}, {7, 1, false, 3}, {100, 16, false, 3}, {359, 59, false, 2},
		{1200, 60, true, 0}, {100_000, 60, true, 0},
	} {
		o := toyOptions(t, true, "checkerboard,cell=1px")
		m := &toy{opens: cornerDoor}
		o.Predict, o.Budget = m.predict, c.budget
		r := measure(t, o)
		tried := r.Attacks[0].Raw.BestOf != nil
		if m.files > c.budget || r.Samples != c.samples || tried != c.tried || len(r.Notes) != c.notes {
			t.Errorf("budget %d: %d predictions, %d samples, best of %d measured: %t, notes %q",
				c.budget, m.files, r.Samples, o.Tries, tried, r.Notes)
		}
	}
	o := toyOptions(t, true, "checkerboard")
	o.Budget = 5
	if _, err := Measure(context.Background(), o); err == nil || !strings.Contains(err.Error(), "one sample takes 6") {
		t.Errorf("a budget for no sample: %v", err)
	}
}

// A profile that refuses is one that stops, and is counted; a sample that the model
// refuses is none.
func TestMeasureRefusals(t *testing.T) {
	o := toyOptions(t, true, "checkerboard,cell=1px")
	o.Profiles = []Profile{{Name: "closed", Sanitize: func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") }}}
	all := o.Predict
	o.Predict = func(ctx context.Context, files [][]byte) ([][]float64, error) {
		rows, err := all(ctx, files)
		for i, file := range files {
			if bytes.Equal(file, o.Samples[0].File) {
				rows[i] = nil
			}
		}
		return rows, err
	}
	r := measure(t, o)
	if r.Samples != 59 || !slices.Contains(r.Notes, "1 samples are left out, since the model refuses them") {
		t.Errorf("%d samples, notes %q", r.Samples, r.Notes)
	}
	c := r.Attacks[0].Cells[0]
	if c.Refused != 59 || c.Success.Hits != 0 || c.Verdict != Neutralised || r.Clean[1].Refused != 59 || r.Clean[1].Agreement.Hits != 0 {
		t.Errorf("%+v, clean %+v", c, r.Clean[1])
	}
}

func TestMeasureErrors(t *testing.T) {
	for want, change := range map[string]func(o *Options){
		"no model to ask":          func(o *Options) { o.Predict = nil },
		"no profile to measure":    func(o *Options) { o.Profiles = nil },
		"no samples":               func(o *Options) { o.Samples = nil },
		"same class":               func(o *Options) { o.Target, o.Source = 1, 1 },
		"negative number":          func(o *Options) { o.Tries = -1 },
		"has no function":          func(o *Options) { o.Profiles[1].Sanitize = nil },
		"no name of its own":       func(o *Options) { o.Profiles[1].Name = "raw" },
		`"keep" is there twice`:    func(o *Options) { o.Profiles[1].Name = "keep" },
		"sample 3: image: unknown": func(o *Options) { o.Samples[3].File = []byte("text") },
		"no class 4; the model":    func(o *Options) { o.Target = 4 },
		"no class 5; the model":    func(o *Options) { o.Samples[7].Class = 5 },
		"refuses all": func(o *Options) {
			o.Predict = func(_ context.Context, f [][]byte) ([][]float64, error) { return make([][]float64, len(f)), nil }
		},
		"the model: down": func(o *Options) {
			o.Predict = func(context.Context, [][]byte) ([][]float64, error) { return nil, errors.New("down") }
		},
		"answers 16 files with 1 rows": func(o *Options) {
			o.Predict = func(context.Context, [][]byte) ([][]float64, error) { return [][]float64{{1}}, nil }
		},
		"with 2 classes, and 1 before": func(o *Options) {
			o.Predict = func(_ context.Context, f [][]byte) ([][]float64, error) {
				rows := make([][]float64, len(f))
				for i := range rows {
					rows[i] = make([]float64, min(i+1, 2))
				}
				return rows, nil
			}
		},
	} {
		o := toyOptions(t, true, "checkerboard")
		change(&o)
		if _, err := Measure(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := toyOptions(t, true, "checkerboard")
	o.Progress = func(int, int) { cancel() }
	if _, err := Measure(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestJSONAndFigures(t *testing.T) {
	r := measure(t, toyOptions(t, true, "checkerboard,cell=1px"))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"schema":"weir.redteam/v1"`, `"verdict":"not neutralised"`, `"verdict":"neutralised"`,
		`"target":"door"`, `"victim":null`, `"trigger":"checkerboard,size=8%,cell=1px,at=bottom-right,inset=0%,strength=1"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	var captions []string
	for _, f := range r.Attacks[0].Figures {
		captions = append(captions, f.Caption)
		img, _, err := decode(f.PNG)
		if err != nil || img.Bounds().Dx() != 64 || f.Width != 64 || f.Height != 56 {
			t.Errorf("%s: %v", f.Caption, err)
		}
	}
	if want := []string{"clean", "marked", "after keep", "after cut"}; !slices.Equal(captions, want) {
		t.Errorf("figures %q, want %q", captions, want)
	}
}
