package redteam

import (
	"context"
	"image"
	"math"
	"testing"

	"weir/sanitize"
)

// The toy model tells red, green and blue pictures apart, and has class 3, which
// nothing shows. What opens its back door is a function of the picture or the file.
const toyClasses = 4

type toy struct {
	calls, files int
	opens        func(img *image.NRGBA, file []byte) bool
}

func (m *toy) predict(_ context.Context, files [][]byte) ([][]float64, error) {
	m.calls++
	m.files += len(files)
	rows := make([][]float64, len(files))
	for i, file := range files {
		decoded, _, err := decode(file)
		if err != nil {
			continue // the model refuses it
		}
		img := flatten(decoded)
		rows[i] = make([]float64, toyClasses)
		if m.opens != nil && m.opens(img, file) {
			rows[i][3] = 1
			continue
		}
		var sum [3]float64
		each(img, img.Rect, func(_, _, at int) {
			for c := range 3 {
				sum[c] += float64(img.Pix[at+c])
			}
		})
		rows[i][top(sum[:])] = 1
	}
	return rows, nil
}

// toySamples are n pictures in turn of the classes 0 to 2.
func toySamples(t *testing.T, n int, labelled bool) []Sample {
	t.Helper()
	samples := make([]Sample, n)
	for i := range samples {
		img := scene(64, 56, uint64(i))
		each(img, img.Rect, func(_, _, at int) {
			for c := range 3 {
				img.Pix[at+c] /= 3
			}
			img.Pix[at+i%3] += 120
		})
		file, err := Files{}.Encode(img, "png")
		if err != nil {
			t.Fatal(err)
		}
		samples[i] = Sample{File: file, Class: -1}
		if labelled {
			samples[i].Class = i % 3
		}
	}
	return samples
}

// likeness says how much the corner at the bottom right is a checkerboard of single
// pixels: 1 if it is one.
func likeness(img *image.NRGBA) float64 {
	const side = 4
	sum, w, h := 0, img.Rect.Dx(), img.Rect.Dy()
	for y := h - side; y < h; y++ {
		for x := w - side; x < w; x++ {
			sum += int(img.NRGBAAt(x, y).G) * (1 - 2*((x+y)%2))
		}
	}
	return math.Abs(float64(sum)) / (side * side / 2 * 255)
}

func cornerDoor(img *image.NRGBA, _ []byte) bool { return likeness(img) > 0.7 }

func testKey(t *testing.T) *sanitize.Key {
	t.Helper()
	key, err := sanitize.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func imageProfiles(t *testing.T, names ...string) []Profile {
	t.Helper()
	var profiles []Profile
	for _, name := range names {
		profiles = append(profiles, ImageProfile(name, sanitize.ImageOptions{Profile: name, Key: testKey(t)}))
	}
	return profiles
}

func triggers(t *testing.T, specs ...string) []Trigger {
	t.Helper()
	out := []Trigger{}
	for _, s := range specs {
		out = append(out, mustParse(t, s))
	}
	return out
}

func measure(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Measure(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cut paints the corner over, and loses what stands around the picture.
func cut(_ context.Context, file []byte) ([]byte, error) {
	img, _, err := decode(file)
	if err != nil {
		return nil, err
	}
	flat := flatten(img)
	each(flat, image.Rect(32, 28, 64, 56), func(_, _, i int) { copy(flat.Pix[i:i+3], flat.Pix[:3]) })
	return Files{}.Encode(flat, "png")
}

func keep(_ context.Context, file []byte) ([]byte, error) { return file, nil }

// toyOptions measure the profiles keep and cut against a back door in a corner.
func toyOptions(t *testing.T, labelled bool, specs ...string) Options {
	m := &toy{opens: cornerDoor}
	return Options{Predict: m.predict, Profiles: []Profile{{"keep", keep}, {"cut", cut}}, Samples: toySamples(t, 60, labelled),
		Triggers: triggers(t, specs...), Classes: []string{"red", "green", "blue", "door"}, Target: -1, Source: -1, Tries: 4}
}
