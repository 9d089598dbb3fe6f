package pixel

import (
	"image"
	"image/color"
	"math"
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

// TestCropResize compares both depths with bilinear interpolation as its definition
// has it: the centre of pixel i of n lies at (i + ½) / n.
func TestCropResize(t *testing.T) {
	const width, height = 40, 30
	deep, flat := image.NewNRGBA64(image.Rect(0, 0, width, height)), image.NewNRGBA(image.Rect(0, 0, width, height))
	noise(func(x, y int, c color.NRGBA64) {
		c.A = 65535
		deep.SetNRGBA64(x, y, c)
		flat.Set(x, y, c)
	}, width, height)
	m := Margins{Left: 3, Top: 1, Right: 2, Bottom: 2}
	got8, err := CropResize(flat, m)
	if err != nil {
		t.Fatal(err)
	}
	got16, err := CropResize16(deep, m)
	if err != nil {
		t.Fatal(err)
	}
	w, h := width-m.Left-m.Right, height-m.Top-m.Bottom
	for y := range height {
		for x := range width {
			want := bilinear(deep, m, w, h, (float64(x)+.5)*float64(w)/width-.5, (float64(y)+.5)*float64(h)/height-.5)
			if got := float64(got16.NRGBA64At(x, y).R); math.Abs(got-want) > 2 {
				t.Fatalf("16 bits: %v at %d, %d; want %v", got, x, y, want)
			}
			if got := float64(got8.NRGBAAt(x, y).R); math.Abs(got-want/257) > 1.6 { // it rounds twice, and the source
				t.Fatalf("8 bits: %v at %d, %d; want %v", got, x, y, want/257)
			}
		}
	}
}

// bilinear is the red sample at a place of the crop, of which the edges repeat.
func bilinear(img *image.NRGBA64, m Margins, w, h int, x, y float64) float64 {
	at := func(i, j int) float64 {
		return float64(img.NRGBA64At(m.Left+min(max(i, 0), w-1), m.Top+min(max(j, 0), h-1)).R)
	}
	i, j := int(math.Floor(x)), int(math.Floor(y))
	u, v := x-math.Floor(x), y-math.Floor(y)
	return (1-v)*((1-u)*at(i, j)+u*at(i+1, j)) + v*((1-u)*at(i, j+1)+u*at(i+1, j+1))
}

func TestMargins(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 10, 10))
	for _, m := range []Margins{{Left: 10}, {Left: 5, Right: 5}, {Top: -1}, {Bottom: 11}} {
		if _, err := CropResize(img, m); err == nil {
			t.Errorf("%+v is taken", m)
		}
		if _, err := CropResize16(img, m); err == nil {
			t.Errorf("%+v is taken for 16 bits", m)
		}
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
	for i, got := range Digest(img) {
		if want := byte((i%8 + i/8) % 16); got != want {
			t.Errorf("cell %d is %d, want %d", i, got, want)
		}
	}
	before := Digest(img)
	img.SetNRGBA(0, 0, color.NRGBA{img.NRGBAAt(0, 0).R + 20, 8, 8, 255})
	if Digest(img) != before {
		t.Error("one pixel changes the digest")
	}
	hidden := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	empty := Digest(hidden)
	for i := range hidden.Pix {
		if i%4 != 3 {
			hidden.Pix[i] = 200
		}
	}
	if Digest(hidden) != empty {
		t.Error("colour under alpha 0 changes the digest")
	}
	Digest(image.NewNRGBA(image.Rect(0, 0, 3, 1))) // cells without a pixel
}
