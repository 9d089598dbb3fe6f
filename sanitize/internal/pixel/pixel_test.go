package pixel

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/disintegration/imaging"
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

// medianOf is the median by its definition, with edges repeated.
func medianOf[T Sample](q *Plane[T], x, y, size int) T {
	var all []T
	for dy := -size / 2; dy <= size/2; dy++ {
		for dx := -size / 2; dx <= size/2; dx++ {
			all = append(all, q.row(y + dy)[min(max(x+dx, 0), q.Width-1)])
		}
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func TestMedian(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 3}, {7, 5}, {300, 9}} {
		for _, n := range []int{3, 5} {
			src := grain(size[0], size[1])
			p8, p16 := planes8(t, src), planes16(t, src)
			want8, want16 := planes8(t, src), planes16(t, src)
			if err := errors.Join(p8.Median(t.Context(), n), p16.Median(t.Context(), n)); err != nil {
				t.Fatal(err)
			}
			for i := range p8.Planes {
				for y := range size[1] {
					for x := range size[0] {
						if got, want := p8.Planes[i].row(y)[x], medianOf(&want8.Planes[i], x, y, n); got != want {
							t.Fatalf("%v, %d × %d: %d at %d, %d; want %d", size, n, n, got, x, y, want)
						}
						if got, want := p16.Planes[i].row(y)[x], medianOf(&want16.Planes[i], x, y, n); got != want {
							t.Fatalf("%v, %d × %d, 16 bits: %d at %d, %d; want %d", size, n, n, got, x, y, want)
						}
					}
				}
			}
		}
	}
	if planes8(t, grain(5, 5)).Median(t.Context(), 4) == nil {
		t.Error("a median of 4 × 4 is taken")
	}
}

// TestMedian25 holds by the 0-1 principle (Knuth, volume 3, 5.3.4) that the network
// finds the median of any 25: it does for all 2^25 of zeros and ones, 64 at a time.
func TestMedian25(t *testing.T) {
	masks := [6]uint64{0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000}
	for rest := range 1 << 19 {
		var v [25]uint64
		copy(v[:], masks[:])
		ones := [5]uint64{} // how many ones there are, bit by bit, for each of the 64
		for i := range 19 {
			v[6+i] = -uint64(rest >> i & 1)
		}
		for _, x := range v {
			for i := range ones {
				ones[i], x = ones[i]^x, ones[i]&x
			}
		}
		// 13 and more: 16.., or 8 + 4 + (1 or 2).
		want := ones[4] | ones[3]&ones[2]&(ones[1]|ones[0])
		for _, pair := range median25 {
			a, b := v[pair[0]], v[pair[1]]
			v[pair[0]], v[pair[1]] = a&b, a|b
		}
		if v[12] != want {
			t.Fatalf("wrong for %x", rest)
		}
	}
}

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

// TestRotate compares with interpolation at the turned place, and turns by 90 degrees
// exactly.
func TestRotate(t *testing.T) {
	src := grain(33, 33)
	p := planes8(t, src)
	if err := p.Rotate(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	if got := farthest(t, image8(t, p), imaging.Rotate270(src)); got > 0 { // imaging counts the other way
		t.Errorf("90 degrees: %d from an exact turn", got)
	}
	p = planes8(t, src)
	if err := p.Rotate(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	sin, cos := math.Sincos(7 * math.Pi / 180)
	at := func(i, j int) float64 {
		return float64(src.NRGBAAt(min(max(i, 0), 32), min(max(j, 0), 32)).G)
	}
	for y := range 33 {
		for x := range 33 {
			dx, dy := float64(x)-16, float64(y)-16
			sx, sy := min(max(cos*dx+sin*dy+16, 0), 32), min(max(-sin*dx+cos*dy+16, 0), 32)
			if got, want := float64(p.Planes[1].row(y)[x]), bilinear(at, sx, sy); math.Abs(got-want) > 1 {
				t.Fatalf("%v at %d, %d; want %.2f", got, x, y, want)
			}
		}
	}
}

// TestTurn compares with the operations of imaging, for whole and for odd sizes.
func TestTurn(t *testing.T) {
	for _, size := range [][2]int{{40, 24}, {33, 7}, {1, 1}, {70, 65}} {
		src := grain(size[0], size[1])
		for orientation, want := range map[uint8]*image.NRGBA{1: src, 2: imaging.FlipH(src), 3: imaging.Rotate180(src),
			4: imaging.FlipV(src), 5: imaging.Transpose(src), 6: imaging.Rotate270(src), 7: imaging.Transverse(src), 8: imaging.Rotate90(src)} {
			p := planes8(t, src)
			if err := p.Turn(t.Context(), orientation); err != nil {
				t.Fatal(err)
			}
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			if got := farthest(t, image8(t, p), want); got > 0 {
				t.Errorf("%v, orientation %d: differs by %d", size, orientation, got)
			}
		}
	}
}

// TestTurnSubsampled holds that colour stays where its luma is, also where the
// samples of colour reach beyond the picture.
func TestTurnSubsampled(t *testing.T) {
	for hv, ratio := range ratios {
		for _, size := range [][2]int{{64, 48}, {61, 43}} {
			for orientation := uint8(2); orientation <= 8; orientation++ {
				img := image.NewYCbCr(image.Rect(0, 0, size[0], size[1]), ratio)
				for y := range size[1] {
					for x := range size[0] { // colour is a ramp of which luma is the same
						img.Y[img.YOffset(x, y)] = uint8(20 + 2*x + y)
						cx, cy := float64(x/hv[0]*hv[0])+float64(hv[0]-1)/2, float64(y/hv[1]*hv[1])+float64(hv[1]-1)/2
						img.Cb[img.COffset(x, y)] = uint8(20 + 2*cx + cy)
						img.Cr[img.COffset(x, y)] = img.Cb[img.COffset(x, y)]
					}
				}
				p := planes8(t, img)
				if err := p.Turn(t.Context(), orientation); err != nil {
					t.Fatal(err)
				}
				if err := p.Check(); err != nil {
					t.Fatal(err)
				}
				if _, err := Image8(p); err != nil {
					t.Errorf("%v, orientation %d: %v", ratio, orientation, err)
				}
				q := &p.Planes[1]
				for y := 2; y < q.Height-2; y++ { // beyond the edge nothing can be known
					for x := 2; x < q.Width-2; x++ {
						sum, n := 0, 0 // mean luma of what the sample covers
						for j := y * q.V; j < (y+1)*q.V; j++ {
							for i := x * q.H; i < (x+1)*q.H; i++ {
								sum, n = sum+int(p.Planes[0].row(j)[i]), n+1
							}
						}
						if got, want := float64(q.row(y)[x]), float64(sum)/float64(n); math.Abs(got-want) > 1.6 {
							t.Fatalf("%v %v, orientation %d: colour %v at %d, %d of luma %.1f", ratio, size, orientation, got, x, y, want)
						}
					}
				}
			}
		}
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
