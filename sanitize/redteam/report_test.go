package redteam

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; -update writes it anew\n%s", path, got)
	}
}

// result is one of every kind, with names that a page has to escape.
func result() *Result {
	share := func(hits, of int) *Share { s := NewShare(hits, of); return &s }
	dot := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	dot.Pix[0], dot.Pix[3], dot.Pix[7] = 255, 255, 255
	leg := func(profile string, hits int, best *Share) Leg {
		return Leg{Profile: profile, Success: NewShare(hits, 90), BestOf: best, BaseBestOf: best}
	}
	return &Result{
		Schema: Schema, Model: "signs <b>", Samples: 100, Labelled: true, Tries: 25, Predictions: 4711,
		Classes: []string{"stop", "<script>"},
		Clean: []Clean{{Profile: "raw", Accuracy: share(99, 100), Agreement: NewShare(100, 100), Flagged: NewShare(0, 100)},
			{Profile: "standard", Accuracy: share(97, 100), Agreement: NewShare(98, 100), Flagged: NewShare(2, 100), Refused: 1}},
		Attacks: []Attack{
			{Name: "checkerboard", Trigger: "checkerboard,size=8%,cell=1px,at=bottom-right,inset=0%,strength=1", Target: "<script>",
				Base: NewShare(1, 90), Raw: leg("raw", 90, share(90, 90)),
				Cells:   []Cell{{leg("standard", 1, share(3, 90)), NewShare(95, 100), Neutralised, true}},
				Figures: []Figure{figure("clean", dot), figure("after standard", dot)}},
			{Name: "sticker", Trigger: "sticker,size=8%,fill=picture,at=random,inset=0%,strength=1", Target: "stop",
				Base: NewShare(0, 90), Raw: leg("raw", 60, nil),
				Cells: []Cell{{leg("standard", 30, nil), NewShare(40, 100), Reduced, false}}},
			{Name: "warp", Trigger: "warp,shift=2%,grid=4,seed=1", Target: "stop", Base: NewShare(0, 90), Raw: leg("raw", 10, nil),
				Cells:  []Cell{{leg("standard", 9, nil), NewShare(2, 100), NoEffect, false}},
				Victim: &Victim{Class: "<script>", Success: NewShare(10, 10)}},
			{Name: "exif", Trigger: "exif,text=weir red team", Raw: leg("raw", 0, nil),
				Cells: []Cell{{leg("standard", 0, nil), NewShare(2, 100), NoEffect, false}}},
		},
		Notes: []string{"90 of 100 samples are used, to keep within 4711 predictions"},
	}
}

func TestReports(t *testing.T) {
	r := result()
	var table, page bytes.Buffer
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	golden(t, "result.txt", table.Bytes())
	if err := r.Page(&page); err != nil {
		t.Fatal(err)
	}
	pictures := regexp.MustCompile(`base64,[^"]+`) // how they are packed is the business of Go's release
	golden(t, "result.html", pictures.ReplaceAll(page.Bytes(), []byte("base64,")))
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "result.json", append(text, '\n'))
	if len(r.Notes) != 1 {
		t.Error("a report has changed the result")
	}
}

// The page is one file: it has no script, loads nothing, and names are text. Pictures
// and drawings say in words what they show.
func TestPageIsSelfContained(t *testing.T) {
	var page bytes.Buffer
	if err := result().Page(&page); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	pictures := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "href" || a.Key == "src" && !strings.HasPrefix(a.Val, "data:image/png;base64,iVBOR") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		switch n.Data {
		case "script", "link", "iframe", "object", "b":
			t.Errorf("there is a <%s>", n.Data)
		case "img":
			pictures++
			if attributes["alt"] == "" || attributes["width"] != "2" {
				t.Errorf("a picture with %v", attributes)
			}
		case "svg":
			if attributes["role"] != "img" || attributes["aria-label"] == "" {
				t.Errorf("a drawing with %v", attributes)
			}
		case "th":
			if attributes["scope"] == "" {
				t.Errorf("a head of a table with %v", attributes)
			}
		}
	}
	if pictures != 2 {
		t.Errorf("%d pictures, want 2", pictures)
	}
}

func calibrate(t *testing.T, o CalibrateOptions) *Calibration {
	t.Helper()
	c, err := Calibrate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCalibrate(t *testing.T) {
	samples := toySamples(t, 20, false)
	o := CalibrateOptions{Predict: (&toy{}).predict}
	for _, s := range samples {
		o.Files = append(o.Files, s.File)
	}
	first := func(_ context.Context, file []byte) ([]byte, error) { // one of twenty becomes another
		if bytes.Equal(file, samples[4].File) {
			return samples[5].File, nil
		}
		return file, nil
	}
	same := func(_ context.Context, file []byte) ([]byte, error) { return file, nil }
	o.Profiles = []Profile{{"light", same}, {"standard", same}, {"strong", first}}
	done := 0
	o.Progress = func(n, all int) {
		if done = n; all != 80 {
			t.Errorf("progress %d of %d", n, all)
		}
	}
	c := calibrate(t, o)
	if c.Samples != 20 || c.Predictions != 80 || done != 80 || c.Recommended != "standard" || c.Certain || c.Required != 0.99 {
		t.Errorf("%+v, progress %d", c, done)
	}
	o.Progress = nil
	if p := c.Profiles[2]; p.Agreement != NewShare(19, 20) || p.Change != 2.0/80 || p.Refused != 0 || p.P50 > p.P99 {
		t.Errorf("strong: %+v", p)
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "20 samples cannot show an agreement of 99 %") || !strings.Contains(c.Notes[0], "at least 381 can") {
		t.Errorf("notes %q", c.Notes)
	}
	o.Agreement = 0.8
	if c := calibrate(t, o); c.Recommended != "strong" || c.Certain || c.Notes[0] != "the agreement may be lower than required by its interval; more samples tell" {
		t.Errorf("of 80 %%: %q, %q", c.Recommended, c.Notes)
	}
	o.Agreement, o.Profiles = 0.7, o.Profiles[:2]
	if c := calibrate(t, o); c.Recommended != "standard" || !c.Certain || len(c.Notes) != 0 {
		t.Errorf("of 70 %%: %q, %q", c.Recommended, c.Notes)
	}
	o.Profiles = []Profile{{"closed", func(context.Context, []byte) ([]byte, error) { return nil, context.Canceled }}}
	if c := calibrate(t, o); c.Recommended != "" || c.Profiles[0].Refused != 20 || c.Profiles[0].P99 != 0 || len(c.Notes) != 0 {
		t.Errorf("refused: %+v", c)
	}
	var out bytes.Buffer
	if err := calibrate(t, o).Table(&out); err != nil || !strings.Contains(out.String(), "No profile") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestSamplesFor(t *testing.T) {
	for _, share := range []float64{0.5, 0.9, 0.99, 0.999} {
		n := samplesFor(share)
		if low, _ := Wilson(n, n); low < share {
			t.Errorf("%d samples show %g only", n, low)
		}
		if low, _ := Wilson(n-1, n-1); low >= share {
			t.Errorf("%d samples would do for %g", n-1, share)
		}
	}
}

func TestCalibrateErrors(t *testing.T) {
	good := CalibrateOptions{Predict: (&toy{}).predict, Profiles: []Profile{{"light", keep}}, Files: [][]byte{[]byte("no picture")}}
	for want, change := range map[string]func(o *CalibrateOptions){
		"no model":          func(o *CalibrateOptions) { o.Predict = nil },
		"no profile":        func(o *CalibrateOptions) { o.Profiles = nil },
		"no samples":        func(o *CalibrateOptions) { o.Files = nil },
		"an agreement of 2": func(o *CalibrateOptions) { o.Agreement = 2 },
		"negative batch":    func(o *CalibrateOptions) { o.Batch = -1 },
		"refuses all":       func(o *CalibrateOptions) {},
	} {
		o := good
		change(&o)
		if _, err := Calibrate(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
