package pixel

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

func TestBits(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 256, 1))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i)
	}
	for depth := 1; depth <= 7; depth++ {
		p := planes8(t, &image.Gray{Pix: slices.Clone(grey.Pix), Stride: 256, Rect: grey.Rect})
		if err := p.Bits(t.Context(), depth); err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(p.Planes[0].Pix)
		if n := len(slices.Compact(slices.Clone(got))); n != 1<<depth {
			t.Errorf("%d bits: %d values", depth, n)
		}
		for v, w := range got {
			steps := float64(int(1)<<depth - 1)
			if want := math.Round(math.Round(float64(v)*steps/255) * 255 / steps); math.Abs(float64(w)-want) > 0 {
				t.Fatalf("%d bits: %d becomes %d, want %v", depth, v, w, want)
			}
		}
		if err := p.Bits(t.Context(), depth); err != nil || !bytes.Equal(p.Planes[0].Pix, got) {
			t.Errorf("%d bits: not idempotent", depth)
		}
	}
	ycc := image.NewYCbCr(image.Rect(0, 0, 4, 4), image.YCbCrSubsampleRatio420)
	for i := range ycc.Cb {
		ycc.Cb[i], ycc.Cr[i] = 128, 131
	}
	p := planes8(t, ycc)
	if err := p.Bits(t.Context(), 3); err != nil || p.Planes[1].Pix[0] != 128 || p.Planes[2].Pix[0] != 128 {
		t.Errorf("no colour becomes Cb %d, a little Cr %d", p.Planes[1].Pix[0], p.Planes[2].Pix[0])
	}
}

func TestBorder(t *testing.T) {
	src := grain(20, 14)
	p := planes8(t, src)
	if err := p.Border(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	got := image8(t, p)
	for y := range 14 {
		for x := range 20 {
			if want := src.NRGBAAt(min(max(x, 3), 16), min(max(y, 3), 10)); got.NRGBAAt(x, y) != want {
				t.Fatalf("%v at %d, %d; want %v", got.NRGBAAt(x, y), x, y, want)
			}
		}
	}
	if err := planes8(t, grain(4, 3)).Border(t.Context(), 9); err != nil { // a picture that is all frame
		t.Error(err)
	}
}

// TestJPEG holds that the step errs about as much as an encoder of that quality, in
// all forms of planes.
func TestJPEG(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 51, 39))
	for y := range 39 {
		for x := range 51 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(5 * x), uint8(6 * y), uint8(255 - 2*x - 2*y), 255})
		}
	}
	for quality, bound := range map[int]int{95: 10, 40: 40} {
		p := planes8(t, img)
		if err := p.JPEG(t.Context(), quality); err != nil {
			t.Fatal(err)
		}
		if got := farthest(t, image8(t, p), img); got > bound || got == 0 {
			t.Errorf("quality %d: changes by %d", quality, got)
		}
		deep := planes16(t, img)
		if err := deep.JPEG(t.Context(), quality); err != nil {
			t.Fatal(err)
		}
		if got := farthest(t, Image16(deep, true).(*image.NRGBA), image8(t, p)); got > 0 {
			t.Errorf("quality %d: 16 bits give another result", quality)
		}
	}
	for _, ratio := range ratios {
		ycc := image.NewYCbCr(image.Rect(0, 0, 37, 29), ratio)
		for i := range ycc.Y {
			ycc.Y[i] = uint8(i % 37 * 4)
		}
		for i := range ycc.Cb {
			ycc.Cb[i], ycc.Cr[i] = uint8(90+i%ycc.CStride), uint8(140-i%ycc.CStride)
		}
		before := slices.Concat(ycc.Y, ycc.Cb, ycc.Cr)
		p := planes8(t, ycc)
		if err := p.JPEG(t.Context(), 97); err != nil {
			t.Fatal(err)
		}
		after := slices.Concat(p.Planes[0].Pix, p.Planes[1].Pix, p.Planes[2].Pix)
		for i, v := range before {
			if d := int(v) - int(after[i]); d < -6 || d > 6 {
				t.Fatalf("%v: sample %d changes from %d to %d", ratio, i, v, after[i])
			}
		}
	}
}

// TestIdentity holds that steps of no strength change nothing.
func TestIdentity(t *testing.T) {
	for name, step := range map[string]func(p *Picture[uint8]) error{
		"crop":       func(p *Picture[uint8]) error { return p.Crop(t.Context(), Margins{}) },
		"shrink":     func(p *Picture[uint8]) error { return p.Shrink(t.Context(), 1) },
		"shrink pad": func(p *Picture[uint8]) error { return p.ShrinkPad(t.Context(), 1, .3, .7) },
		"gaussian":   func(p *Picture[uint8]) error { return p.Gaussian(t.Context(), .01) },
		"rotate":     func(p *Picture[uint8]) error { return p.Rotate(t.Context(), 0) },
		"border":     func(p *Picture[uint8]) error { return p.Border(t.Context(), 0) },
		"turn":       func(p *Picture[uint8]) error { return p.Turn(t.Context(), 1) },
	} {
		src := grain(31, 17)
		p := planes8(t, src)
		if err := step(p); err != nil {
			t.Fatal(err)
		}
		if got := farthest(t, image8(t, p), src); got != 0 {
			t.Errorf("%s: changes by %d", name, got)
		}
	}
}

// TestBothDepths holds that 16 bits do what 8 bits do, within what those round.
func TestBothDepths(t *testing.T) {
	src := grain(45, 38)
	p8, p16 := planes8(t, src), planes16(t, src)
	if p16.Weighted || len(p16.Planes) != 3 {
		t.Fatal("an opaque image has alpha")
	}
	m := Margins{2, 1, 3, 2}
	err := errors.Join(p8.Crop(t.Context(), m), p8.Rotate(t.Context(), 3), p8.Median(t.Context(), 3), p8.Shrink(t.Context(), .9),
		p16.Crop(t.Context(), m), p16.Rotate(t.Context(), 3), p16.Median(t.Context(), 3), p16.Shrink(t.Context(), .9))
	if err != nil {
		t.Fatal(err)
	}
	if got := farthest(t, image8(t, p8), Image16(p16, true).(*image.NRGBA)); got > 2 {
		t.Errorf("the depths differ by %d", got)
	}
}

// TestStops holds that every step ends with its context.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, step := range map[string]func(p *Picture[uint8]) error{
		"crop":     func(p *Picture[uint8]) error { return p.Crop(ctx, Margins{1, 1, 1, 1}) },
		"gaussian": func(p *Picture[uint8]) error { return p.Gaussian(ctx, 1) },
		"rotate":   func(p *Picture[uint8]) error { return p.Rotate(ctx, 1) },
		"border":   func(p *Picture[uint8]) error { return p.Border(ctx, 1) },
		"median":   func(p *Picture[uint8]) error { return p.Median(ctx, 3) },
		"bits":     func(p *Picture[uint8]) error { return p.Bits(ctx, 3) },
		"jpeg":     func(p *Picture[uint8]) error { return p.JPEG(ctx, 50) },
		"turn":     func(p *Picture[uint8]) error { return p.Turn(ctx, 6) },
	} {
		if err := step(planes8(t, grain(20, 20))); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSmallest runs every step on pictures of few pixels.
func TestSmallest(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 7}, {2, 1}, {3, 2}} {
		for _, ratio := range ratios {
			p := planes8(t, image.NewYCbCr(image.Rect(0, 0, size[0], size[1]), ratio))
			ctx := t.Context()
			err := errors.Join(p.Crop(ctx, Margins{.1, .2, .3, .1}), p.Shrink(ctx, .5), p.ShrinkPad(ctx, .6, .5, .9),
				p.Median(ctx, 3), p.Median(ctx, 5), p.Gaussian(ctx, 3), p.Bits(ctx, 2), p.JPEG(ctx, 60), p.Border(ctx, 1),
				p.Rotate(ctx, 20), p.Turn(ctx, 7), p.Check())
			if err != nil {
				t.Errorf("%v %v: %v", size, ratio, err)
			}
		}
	}
}

// BenchmarkSteps times the steps on the planes of 12 megapixels, 4:2:0.
func BenchmarkSteps(b *testing.B) {
	img := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i * 7919 >> 3)
	}
	for name, step := range map[string]func(p *Picture[uint8]) error{
		"crop":     func(p *Picture[uint8]) error { return p.Crop(b.Context(), Margins{200, 150, 180, 130}) },
		"shrink":   func(p *Picture[uint8]) error { return p.Shrink(b.Context(), .9) },
		"gaussian": func(p *Picture[uint8]) error { return p.Gaussian(b.Context(), 1) },
		"median3":  func(p *Picture[uint8]) error { return p.Median(b.Context(), 3) },
		"median5":  func(p *Picture[uint8]) error { return p.Median(b.Context(), 5) },
		"rotate":   func(p *Picture[uint8]) error { return p.Rotate(b.Context(), 3) },
		"digest":   func(p *Picture[uint8]) error { p.Digest(); return nil },
	} {
		b.Run(name, func(b *testing.B) {
			p := planes8(b, img)
			for b.Loop() {
				if err := step(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
