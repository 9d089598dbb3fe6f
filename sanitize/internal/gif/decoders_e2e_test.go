//go:build e2e

package gif_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	stdgif "image/gif"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	stdbmp "golang.org/x/image/bmp"
	stdtiff "golang.org/x/image/tiff"

	"weir/sanitize/internal/bmp"
	"weir/sanitize/internal/gif"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/tiff"
	"weir/sanitize/internal/walktest"
)

// mutations is how many mutated files are made of each seed.
const mutations = 150

var limits = picture.Limits{MaxPixels: 1 << 22, MaxSide: 8192, MaxSegments: 512, MaxMetadataBytes: 1 << 20,
	MaxFrames: 64, MaxExpansion: 3000}

// format is one format with what Go makes of a file: its size and frames.
type format struct {
	ext    string
	strip  func(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error)
	frames func(data []byte) (image.Point, int, error)
}

// Files with several pictures are kept as they are, and cut to the first.
var (
	keep  = picture.Options{Limits: limits, Animation: picture.KeepAnimation}
	first = picture.Options{Limits: limits, Animation: picture.FirstFrame}
)

var formats = []format{
	{"gif", gif.Strip, gifFrames},
	{"bmp", bmp.Strip, bmpFrames},
	{"tif", tiff.Strip, tiffFrames},
}

func gifFrames(data []byte) (image.Point, int, error) {
	g, err := stdgif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, 0, err
	}
	return image.Pt(g.Config.Width, g.Config.Height), len(g.Image), nil
}

// bmpFrames leaves it to Pillow and OpenCV to agree on what Go reads not.
func bmpFrames(data []byte) (image.Point, int, error) {
	c, err := stdbmp.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, stdbmp.ErrUnsupported) {
		return image.Point{}, 0, nil
	}
	return image.Pt(c.Width, c.Height), 1, err
}

func tiffFrames(data []byte) (image.Point, int, error) {
	img, err := stdtiff.Decode(bytes.NewReader(data))
	if err != nil {
		return image.Point{}, 0, err
	}
	return img.Bounds().Size(), 1, nil
}

// TestDecodersAgree mutates the seeds. Whatever passes is a file that Go, Pillow and
// OpenCV read with the same size and number of frames, and of which Pillow and OpenCV
// decode the same samples before and after. With WEIR_CORPUS, a folder, it looks at
// the files in it, too.
func TestDecodersAgree(t *testing.T) {
	for _, f := range formats {
		t.Run(f.ext, func(t *testing.T) { testDecodersAgree(t, f) })
	}
}

func testDecodersAgree(t *testing.T, f format) {
	dir := t.TempDir()
	sources := map[string][]byte{}
	passed := 0
	try := func(name string, data []byte) {
		files := map[string][]byte{"before": data}
		for kind, o := range map[string]picture.Options{"after": keep, "first": first} {
			if s, err := f.strip(context.Background(), data, o); err == nil {
				files[kind] = s.Data
			}
		}
		if len(files) == 1 {
			return
		}
		passed++
		sources[name] = data
		for kind, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name+"."+kind), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	total := eachSource(t, f.ext, try)
	if passed < total/20 {
		t.Errorf("only %d files of %d passed", passed, total)
	}
	t.Logf("%d files of %d passed", passed, total)
	views := walktest.DecodeAll(t, "../../testdata/gif/decoders.py", dir)
	for name, data := range sources {
		before := views[name+".before"]
		if after, ok := views[name+".after"]; ok {
			if problem := compare(f, data, before, after); problem != "" {
				t.Errorf("%s: %s\nbefore %v\nafter  %v", name, problem, before, after)
				walktest.Save(t, name, data)
			}
		}
		if still, ok := views[name+".first"]; ok {
			if problem := compareFirst(before, still); problem != "" {
				t.Errorf("%s, first picture: %s\nbefore %v\nfirst  %v", name, problem, before, still)
				walktest.Save(t, name, data)
			}
		}
	}
}

func compare(f format, data []byte, before, after walktest.Decoded) string {
	size, frames, err := f.frames(data)
	switch {
	case err != nil:
		return fmt.Sprintf("Go refuses it: %v", err)
	case before.Pillow == nil:
		return "Pillow refuses it"
	case before.OpenCV == nil:
		return "OpenCV refuses it"
	case before.Pillow.Size() != after.Pillow.Size() || before.Pillow.Frames() != after.Pillow.Frames():
		return "Pillow reads another size"
	case frames == 0:
		size, frames = before.Pillow.Size(), before.Pillow.Frames()
	case before.Pillow["turned"] == true: // as OpenCV does, and Go does not
		size.X, size.Y = size.Y, size.X
	}
	switch {
	case before.Pillow.Size() != size || before.Pillow.Frames() != frames:
		return fmt.Sprintf("Go reads %d frames of %v", frames, size)
	case !reflect.DeepEqual(before.Pillow, after.Pillow):
		return "Pillow reads something else"
	case before.OpenCV["absent"] == true:
		return ""
	case before.OpenCV.Size() != size || before.OpenCV.Frames() != frames:
		return fmt.Sprintf("Go reads %d frames of %v", frames, size)
	case !sameView(before.OpenCV, after.OpenCV):
		return "OpenCV reads something else"
	}
	return ""
}

// compareFirst holds that a file cut to its first picture shows that picture. Pillow
// or OpenCV may refuse the source for what stands behind it.
func compareFirst(before, still walktest.Decoded) string {
	switch {
	case still.Pillow == nil || still.Pillow.Frames() != 1 || before.Pillow != nil && still.Pillow["first"] != before.Pillow["first"]:
		return "Pillow reads something else"
	case still.OpenCV == nil || before.OpenCV != nil && still.OpenCV["colour"] != before.OpenCV["colour"]:
		return "OpenCV reads something else"
	}
	return ""
}

// sameView compares what OpenCV reads, but for what it reads of all frames when it
// cannot read them all of the source, because of an extension behind the last.
func sameView(before, after walktest.View) bool {
	if before["all"] == "" {
		after["all"] = ""
	}
	return reflect.DeepEqual(before, after)
}

// eachSource calls try with the seeds, their mutations and the corpus. It returns how
// many there are.
func eachSource(t *testing.T, ext string, try func(name string, data []byte)) int {
	t.Helper()
	seeds, err := filepath.Glob("../../testdata/*/*." + ext)
	if err != nil || len(seeds) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	total := 0
	r := rand.New(rand.NewPCG(5, 6))
	for _, path := range seeds {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		try(filepath.Base(path), data)
		for i := range mutations {
			try(fmt.Sprintf("%s-%d", filepath.Base(path), i), walktest.Mutate(r, data))
		}
		total += 1 + mutations
	}
	return total + walktest.EachCorpusFile(t, ext, try)
}
