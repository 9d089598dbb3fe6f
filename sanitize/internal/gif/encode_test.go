package gif

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"testing"

	"weir/sanitize/internal/picture"
)

// TestEncode: few colours stay, many are close, and Strip leaves the file as it is.
func TestEncode(t *testing.T) {
	for name, test := range map[string]struct {
		at    func(x, y int) color.NRGBA
		worst int // difference of a sample
	}{
		"one":         {func(x, y int) color.NRGBA { return color.NRGBA{7, 8, 9, 255} }, 0},
		"256":         {func(x, y int) color.NRGBA { return color.NRGBA{uint8(x), 3, 9, 255} }, 0},
		"transparent": {func(x, y int) color.NRGBA { return color.NRGBA{uint8(x / 2), 3, 9, uint8(y)} }, 0},
		"invisible":   {func(x, y int) color.NRGBA { return color.NRGBA{uint8(x), uint8(y), 9, 3} }, 0},
		"many":        {func(x, y int) color.NRGBA { return color.NRGBA{uint8(x), uint8(y), uint8(x + y), 255} }, 24},
		"many and transparent": {func(x, y int) color.NRGBA {
			return color.NRGBA{uint8(x), uint8(y), uint8(x ^ y), uint8(255 * (x % 2))}
		}, 40},
	} {
		img := image.NewNRGBA(image.Rect(0, 0, 256, 200))
		for y := range 200 {
			for x := range 256 {
				img.SetNRGBA(x, y, test.at(x, y))
			}
		}
		data, err := Encode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := strip(data, picture.RefuseAnimation); err != nil || !bytes.Equal(s.Data, data) {
			t.Errorf("%s: Strip changes it: %v", name, err)
		}
		if worst := difference(t, img, decodeAll(t, data)[0]); worst > test.worst {
			t.Errorf("%s: samples differ by %d", name, worst)
		}
	}
}

// difference is the largest one of a sample.
func difference(t *testing.T, img *image.NRGBA, got *image.Paletted) int {
	t.Helper()
	worst := 0
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			want, c := img.NRGBAAt(x, y), color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA)
			if (want.A >= 0x80) != (c.A == 0xFF) {
				t.Fatalf("alpha %d for %d", c.A, want.A)
			}
			if c.A == 0 {
				continue
			}
			for _, d := range []int{int(want.R) - int(c.R), int(want.G) - int(c.G), int(want.B) - int(c.B)} {
				worst = max(worst, d, -d)
			}
		}
	}
	return worst
}
