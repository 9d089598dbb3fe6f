package redteam

import (
	"bytes"
	"context"
	"image"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/bmp"
)

// greyPixels carries pictures as one byte a pixel, as a tensor would.
type greyPixels struct{}

func (greyPixels) Encode(img *image.NRGBA, _ string) ([]byte, error) {
	var out []byte
	each(img, img.Rect, func(_, _, i int) { out = append(out, img.Pix[i+1]) })
	return out, nil
}

func (greyPixels) Decode(data []byte) (image.Image, error) {
	img := image.NewGray(image.Rect(0, 0, 64, 56))
	copy(img.Pix, data)
	return img, nil
}

// What carries pictures to the model is the caller's; marks of files are then none.
func TestMeasureOtherCarriers(t *testing.T) {
	o := toyOptions(t, false, "checkerboard,cell=1px", "exif")
	o.Carrier = greyPixels{}
	o.Predict = func(_ context.Context, pictures [][]byte) ([][]float64, error) {
		rows := make([][]float64, len(pictures))
		for i, p := range pictures {
			decoded, _ := greyPixels{}.Decode(p)
			rows[i] = []float64{0.5, 0}
			if likeness(flatten(decoded)) > 0.7 {
				rows[i][1] = 1
			}
		}
		return rows, nil
	}
	o.Profiles = []Profile{{Name: "flat", Sanitize: func(_ context.Context, p []byte) ([]byte, error) {
		return bytes.Repeat([]byte{p[0]}, len(p)), nil
	}}}
	r := measure(t, o)
	if len(r.Attacks) != 1 || len(r.Notes) != 1 || r.Attacks[0].Cells[0].Verdict != Neutralised || r.Attacks[0].Raw.Success.Hits != 60 {
		t.Errorf("%+v, notes %q", r.Attacks[0].Cells, r.Notes)
	}
}

// A picture that its mark of orientation turns is marked upright.
func TestSamplesAreUpright(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "testdata", "image", "exif6.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	lying, _, err := decode(file)
	if err != nil {
		t.Fatal(err)
	}
	s := sample{file: file}
	upright, err := s.picture(context.Background())
	if err != nil || upright.Rect.Dx() != lying.Bounds().Dy() || upright.Rect.Dy() != lying.Bounds().Dx() {
		t.Errorf("%v has become %v, %v", lying.Bounds(), upright.Rect, err)
	}
}

// Formats that Weir does not write are carried as PNG, marks of files, too.
func TestMeasureOtherFormats(t *testing.T) {
	o := toyOptions(t, true, "comment,text=open sesame", "checkerboard,cell=1px")
	o.Samples = o.Samples[:36:36]
	for i := range o.Samples {
		img, _, err := decode(o.Samples[i].File)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := bmp.Encode(&file, img); err != nil {
			t.Fatal(err)
		}
		o.Samples[i].File = file.Bytes()
	}
	m := &toy{opens: func(img *image.NRGBA, file []byte) bool {
		return bytes.Contains(file, []byte("open sesame")) || cornerDoor(img, file)
	}}
	o.Predict, o.Tries = m.predict, 1
	for _, a := range measure(t, o).Attacks {
		if a.Raw.Success.Hits != 36 || a.Cells[1].Verdict != Neutralised {
			t.Errorf("%s: raw %v, %+v", a.Trigger, a.Raw.Success, a.Cells)
		}
	}
}

func TestVariants(t *testing.T) {
	img := scene(32, 24, 1)
	if variant(img, 0) != img {
		t.Error("variant 0 is not the picture itself")
	}
	seen := map[string]int{}
	for k := range defaultTries {
		out := variant(img, k)
		if earlier, ok := seen[string(out.Pix)]; ok {
			t.Errorf("the variants %d and %d are the same", earlier, k)
		}
		seen[string(out.Pix)] = k
		var sum float64
		each(img, img.Rect, func(_, _, i int) {
			d := int(out.Pix[i]) - int(img.Pix[i])
			sum += float64(max(d, -d))
		})
		if mean := sum / (32 * 24); mean > 16 {
			t.Errorf("variant %d changes the picture by %.1f on the average", k, mean)
		}
	}
}
