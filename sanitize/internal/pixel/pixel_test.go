package pixel

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"testing"
)

// noise fills any image with random colours.
func noise(set func(x, y int, c color.NRGBA64), width, height int) {
	r := rand.New(rand.NewPCG(5, 6))
	for y := range height {
		for x := range width {
			v := r.Uint64()
			set(x, y, color.NRGBA64{uint16(v), uint16(v >> 16), uint16(v >> 32), uint16(v >> 48)})
		}
	}
}

// TestNRGBA compares with the colour models of the standard library.
func TestNRGBA(t *testing.T) {
	bounds := image.Rect(3, 2, 14, 9)
	grey, ycc := image.NewGray(bounds), image.NewYCbCr(bounds, image.YCbCrSubsampleRatio420)
	deep, wide := image.NewNRGBA64(bounds), image.NewNRGBA(bounds)
	palette := image.NewPaletted(bounds, color.Palette{color.NRGBA{9, 8, 7, 6}, color.NRGBA{1, 2, 3, 255}})
	noise(func(x, y int, c color.NRGBA64) {
		x, y = x+bounds.Min.X, y+bounds.Min.Y
		grey.Set(x, y, c)
		deep.SetNRGBA64(x, y, c)
		wide.Set(x, y, c)
		palette.SetColorIndex(x, y, uint8(c.R&1))
		ycc.Y[ycc.YOffset(x, y)], ycc.Cb[ycc.COffset(x, y)] = uint8(c.R), uint8(c.G)
	}, bounds.Dx(), bounds.Dy())
	for _, src := range []image.Image{grey, ycc, deep, wide, palette, wide.SubImage(image.Rect(4, 4, 9, 8))} {
		got, err := NRGBA(src)
		if err != nil {
			t.Fatal(err)
		}
		b := src.Bounds()
		if got.Rect != image.Rect(0, 0, b.Dx(), b.Dy()) || got.Stride != 4*b.Dx() {
			t.Errorf("%T: %v, stride %d", src, got.Rect, got.Stride)
		}
		for y := range b.Dy() {
			for x := range b.Dx() {
				want := color.NRGBAModel.Convert(src.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
				if c := got.NRGBAAt(x, y); c != want {
					t.Fatalf("%T: %v at %d, %d; want %v", src, c, x, y, want)
				}
			}
		}
	}
	if _, err := NRGBA(image.NewGray(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("an empty image is taken")
	}
}

// grain is an opaque picture of random colours.
func grain(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	noise(func(x, y int, c color.NRGBA64) {
		c.A = 0xFFFF
		img.Set(x, y, c)
	}, width, height)
	return img
}

// planes8 and planes16 are the planes of one image in both depths.
func planes8(t testing.TB, img image.Image) *Picture[uint8] {
	t.Helper()
	p, err := From8(img)
	if err != nil || p == nil {
		t.Fatalf("%T: %v", img, err)
	}
	return p
}

func planes16(t testing.TB, img image.Image) *Picture[uint16] {
	t.Helper()
	p, err := From16(img)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// image8 is what Image8 returns, as whole pixels.
func image8(t testing.TB, p *Picture[uint8]) *image.NRGBA {
	t.Helper()
	img, err := Image8(p)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := NRGBA(img)
	if err != nil {
		t.Fatal(err)
	}
	return flat
}

// farthest is the greatest difference of two samples of equally large images.
func farthest(t testing.TB, a, b *image.NRGBA) int {
	t.Helper()
	if a.Rect.Size() != b.Rect.Size() {
		t.Fatalf("%v and %v", a.Rect, b.Rect)
	}
	most := 0
	for i, v := range a.Pix {
		most = max(most, int(v)-int(b.Pix[i]), int(b.Pix[i])-int(v))
	}
	return most
}

func TestImage16(t *testing.T) {
	grey, colour := image.NewGray16(image.Rect(0, 0, 9, 5)), image.NewNRGBA64(image.Rect(0, 0, 9, 5))
	noise(func(x, y int, c color.NRGBA64) {
		grey.SetGray16(x, y, color.Gray16{c.R})
		colour.SetNRGBA64(x, y, c)
	}, 9, 5)
	if got, ok := Image16(planes16(t, grey), false).(*image.Gray16); !ok || !bytes.Equal(got.Pix, grey.Pix) {
		t.Error("grey of 16 bits changes")
	}
	if got, ok := Image16(planes16(t, colour), false).(*image.NRGBA64); !ok || !bytes.Equal(got.Pix, colour.Pix) {
		t.Error("colour of 16 bits changes")
	}
	multiplied := image.NewRGBA64(colour.Rect)
	noise(func(x, y int, c color.NRGBA64) { multiplied.Set(x, y, c) }, 9, 5)
	got := Image16(planes16(t, multiplied), false)
	for i := range 9 * 5 {
		if want := color.NRGBA64Model.Convert(multiplied.At(i%9, i/9)); got.At(i%9, i/9) != want {
			t.Fatalf("%v becomes %v, want %v", multiplied.At(i%9, i/9), got.At(i%9, i/9), want)
		}
	}
	flat := image.NewNRGBA(colour.Rect)
	noise(func(x, y int, c color.NRGBA64) { flat.Set(x, y, c) }, 9, 5)
	if got := Image16(planes16(t, flat), true).(*image.NRGBA); !bytes.Equal(got.Pix, flat.Pix) {
		t.Error("translucent colour of 8 bits changes")
	}
}

func TestDigest(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 16, 24))
	for y := range 24 {
		for x := range 16 {
			v := uint8(16*((x/2+y/3)%16) + 8) // the middle of a step
			img.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	before := planes8(t, img).Digest()
	for i, got := range before {
		if want := byte((i%8 + i/8) % 16); got != want {
			t.Errorf("cell %d is %d, want %d", i, got, want)
		}
	}
	grey := image.NewGray(img.Rect)
	draw.Draw(grey, grey.Rect, img, image.Point{}, draw.Src)
	if planes8(t, grey).Digest() != before || planes16(t, img).Digest() != before {
		t.Error("grey, or 16 bits, give another digest")
	}
	img.SetNRGBA(0, 0, color.NRGBA{img.NRGBAAt(0, 0).R + 20, 8, 8, 255})
	if planes8(t, img).Digest() != before {
		t.Error("one pixel changes the digest")
	}
	hidden := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	empty := planes16(t, hidden).Digest()
	for i := range hidden.Pix {
		if i%4 != 3 {
			hidden.Pix[i] = 200
		}
	}
	if planes16(t, hidden).Digest() != empty {
		t.Error("colour under alpha 0 changes the digest")
	}
	planes8(t, grain(3, 1)).Digest() // cells without a pixel
}
