package pixel

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"testing"

	"github.com/disintegration/imaging"
)

// TestAgainstImaging compares the filters with those of imaging, which computes in
// floating point. Both round after each direction, imaging to 8 bits and Weir to 16,
// so they differ by at most 1; twice that after a resize and back.
func TestAgainstImaging(t *testing.T) {
	src := grain(61, 47)
	for _, test := range []struct {
		name  string
		bound int
		weir  func(p *Picture[uint8]) error
		want  func() *image.NRGBA
	}{
		{"crop", 1, func(p *Picture[uint8]) error { return p.Crop(t.Context(), Margins{3, 1, 2, 5}) }, func() *image.NRGBA {
			return imaging.Resize(imaging.Crop(src, image.Rect(3, 1, 59, 42)), 61, 47, imaging.Linear)
		}},
		{"shrink", 2, func(p *Picture[uint8]) error { return p.Shrink(t.Context(), .5) }, func() *image.NRGBA {
			return imaging.Resize(imaging.Resize(src, 31, 24, imaging.Linear), 61, 47, imaging.Linear)
		}},
		{"shrink by little", 2, func(p *Picture[uint8]) error { return p.Shrink(t.Context(), .9) }, func() *image.NRGBA {
			return imaging.Resize(imaging.Resize(src, 55, 42, imaging.Linear), 61, 47, imaging.Linear)
		}},
		{"gaussian", 1, func(p *Picture[uint8]) error { return p.Gaussian(t.Context(), 1.5) },
			func() *image.NRGBA { return imaging.Blur(src, 1.5) }},
	} {
		p := planes8(t, src)
		if err := test.weir(p); err != nil {
			t.Fatal(err)
		}
		if got := farthest(t, image8(t, p), test.want()); got > test.bound {
			t.Errorf("%s: %d from imaging, want at most %d", test.name, got, test.bound)
		}
	}
}

// TestSubsampledCrop compares the luma of the planes of every subsampling with that
// of whole pixels, and their differences of colour with those of smooth pixels.
func TestSubsampledCrop(t *testing.T) {
	for hv, ratio := range ratios {
		img := image.NewYCbCr(image.Rect(0, 0, 67, 53), ratio)
		for y := range 53 {
			for x := range 67 {
				img.Y[img.YOffset(x, y)] = uint8(x*7919 + y*104729)
				// A ramp, by the middle of the pixels that the sample covers.
				img.Cb[img.COffset(x, y)] = uint8(40 + (x/hv[0]*hv[0]*2+hv[0])/2)
				img.Cr[img.COffset(x, y)] = uint8(200 - (y/hv[1]*hv[1]*2+hv[1])/2)
			}
		}
		whole := planes8(t, lumaOnly(img))
		p := planes8(t, img)
		m := Margins{2.5, 3.75, 4.25, 1.5}
		if err := errors.Join(p.Crop(t.Context(), m), whole.Crop(t.Context(), m)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.Planes[0].Pix, whole.Planes[0].Pix) {
			t.Errorf("%v: luma is not that of the whole pixels", ratio)
		}
		for i, slope := range []float64{(67 - 6.75) / 67, (53 - 5.25) / 53} {
			q := &p.Planes[1+i]
			for y := 2; y < q.Height-2; y++ {
				for x := 2; x < q.Width-2; x++ {
					want := 40 + 2.5 + slope*(float64(x)+.5)*float64(hv[0])
					if i == 1 {
						want = 200 - 3.75 - slope*(float64(y)+.5)*float64(hv[1])
					}
					if got := float64(q.row(y)[x]); math.Abs(got-want) > 1.1 { // the ramp and the result are rounded
						t.Fatalf("%v: colour %d is %v at %d, %d; want %.2f", ratio, i, got, x, y, want)
					}
				}
			}
		}
	}
}

func lumaOnly(img *image.YCbCr) *image.Gray {
	return &image.Gray{Pix: slices.Clone(img.Y), Stride: img.YStride, Rect: img.Rect}
}

// TestCrop compares both depths with bilinear interpolation as its definition has
// it: the centre of pixel i of n lies at (i + ½) / n.
func TestCrop(t *testing.T) {
	const width, height = 40, 30
	deep := image.NewNRGBA64(image.Rect(0, 0, width, height))
	noise(func(x, y int, c color.NRGBA64) {
		c.A = 0xFFFF
		deep.SetNRGBA64(x, y, c)
	}, width, height)
	flat := image.NewNRGBA(deep.Rect)
	draw.Draw(flat, flat.Rect, deep, image.Point{}, draw.Src)
	for _, m := range []Margins{{3, 1, 2, 2}, {2.25, 1.5, 3.125, 2.7}, {}} {
		p8, p16 := planes8(t, flat), planes16(t, deep)
		if err := errors.Join(p8.Crop(t.Context(), m), p16.Crop(t.Context(), m)); err != nil {
			t.Fatal(err)
		}
		w, h := width-m.Left-m.Right, height-m.Top-m.Bottom
		for y := range height {
			for x := range width {
				at := func(i, j int) float64 {
					i = min(max(i, int(m.Left)), int(math.Ceil(width-m.Right))-1)
					j = min(max(j, int(m.Top)), int(math.Ceil(height-m.Bottom))-1)
					return float64(deep.NRGBA64At(i, j).R)
				}
				want := bilinear(at, m.Left+(float64(x)+.5)*w/width-.5, m.Top+(float64(y)+.5)*h/height-.5)
				if got := float64(p16.Planes[0].row(y)[x]); math.Abs(got-want) > 3 {
					t.Fatalf("16 bits, %+v: %v at %d, %d; want %v", m, got, x, y, want)
				}
				if got := float64(p8.Planes[0].row(y)[x]); math.Abs(got-want/257) > 1.6 { // the source is cut to 8 bits
					t.Fatalf("8 bits, %+v: %v at %d, %d; want %v", m, got, x, y, want/257)
				}
			}
		}
	}
}

// bilinear is a sample at a place between four.
func bilinear(at func(i, j int) float64, x, y float64) float64 {
	i, j := int(math.Floor(x)), int(math.Floor(y))
	u, v := x-math.Floor(x), y-math.Floor(y)
	return (1-v)*((1-u)*at(i, j)+u*at(i+1, j)) + v*((1-u)*at(i, j+1)+u*at(i+1, j+1))
}

// TestHiddenBeyondTheCrop holds that nothing of the margins is seen after a crop.
func TestHiddenBeyondTheCrop(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		if x, y := i%64, i/64; x < 4 || y < 3 || x >= 59 || y >= 46 {
			img.Pix[i] = 255
		}
	}
	p := planes8(t, img)
	if err := p.Crop(t.Context(), Margins{4, 3, 5, 2}); err != nil {
		t.Fatal(err)
	}
	if got := slices.Max(p.Planes[0].Pix); got != 0 {
		t.Errorf("%d shines through", got)
	}
}

func TestMargins(t *testing.T) {
	for _, m := range []Margins{{Left: 10}, {Left: 5, Right: 5}, {Top: -1}, {Bottom: 11}, {Left: math.NaN()}} {
		if err := planes8(t, image.NewGray(image.Rect(0, 0, 10, 10))).Crop(t.Context(), m); err == nil {
			t.Errorf("%+v is taken", m)
		}
	}
}

func TestShrinkPad(t *testing.T) {
	// A ramp shows where its pixels go.
	grey := image.NewGray16(image.Rect(0, 0, 100, 80))
	for y := range 80 {
		for x := range 100 {
			grey.SetGray16(x, y, color.Gray16{uint16(600 * x)})
		}
	}
	for _, at := range []float64{0, .25, 1} {
		p := planes16(t, grey)
		if err := p.ShrinkPad(t.Context(), .8, at, 0); err != nil {
			t.Fatal(err)
		}
		left := 20 * at // of the shrunk picture
		for x, v := range p.Planes[0].row(40) {
			want := min(max((float64(x)+.5-left)/.8-.5, 0), 99)
			if got := float64(v) / 600; math.Abs(got-want) > .45 { // a filter of 1.25 pixels sees less at the edges
				t.Fatalf("at %v: column %d shows %.2f, want %.2f", at, x, got, want)
			}
		}
	}
}

// TestWeighted holds that colour that nobody sees does not come to light where pixels
// are mixed, and that what is opaque is not touched by alpha.
func TestWeighted(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	for y := range 40 {
		for x := range 40 {
			c := color.NRGBA{R: 200} // hidden
			if x >= 20 {
				c = color.NRGBA{B: 100, A: 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	for name, step := range map[string]func(p *Picture[uint16]) error{
		"crop":     func(p *Picture[uint16]) error { return p.Crop(t.Context(), Margins{1, 2, 3, 1}) },
		"gaussian": func(p *Picture[uint16]) error { return p.Gaussian(t.Context(), 2) },
		"rotate":   func(p *Picture[uint16]) error { return p.Rotate(t.Context(), 10) },
	} {
		p := planes16(t, img)
		if !p.Weighted || len(p.Planes) != 4 {
			t.Fatal("alpha is not seen")
		}
		if err := step(p); err != nil {
			t.Fatal(err)
		}
		got := Image16(p, true).(*image.NRGBA)
		for i := 0; i < len(got.Pix); i += 4 {
			c := got.Pix[i : i+4]
			if c[0] != 0 || c[3] > 0 && (c[2] < 99 || c[2] > 101) {
				t.Fatalf("%s: %v", name, c)
			}
		}
	}
}
