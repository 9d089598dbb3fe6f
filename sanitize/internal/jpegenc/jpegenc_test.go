package jpegenc

import (
	"bytes"
	"context"
	"errors"
	"image"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"weir/sanitize/internal/huffman"
	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/picture"
)

var limits = picture.Options{Limits: picture.Limits{MaxPixels: 1 << 26, MaxSide: 1 << 14, MaxSegments: 100,
	MaxMetadataBytes: 1 << 16, MaxScans: 10}}

// samplings are the ones that the standard library reads, as the factors of the
// first plane.
var samplings = []struct {
	h, v  int
	ratio image.YCbCrSubsampleRatio
}{
	{1, 1, image.YCbCrSubsampleRatio444}, {2, 1, image.YCbCrSubsampleRatio422}, {2, 2, image.YCbCrSubsampleRatio420},
	{1, 2, image.YCbCrSubsampleRatio440}, {4, 1, image.YCbCrSubsampleRatio411}, {4, 2, image.YCbCrSubsampleRatio410},
}

// smooth returns an image whose planes are waves with a little noise.
func smooth(width, height int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	r := rand.New(rand.NewPCG(1, 2))
	img := image.NewYCbCr(image.Rect(0, 0, width, height), ratio)
	wave := func(pix []uint8, stride int, step float64) {
		for i := range pix {
			x, y := float64(i%stride), float64(i/stride)
			pix[i] = uint8(128 + 90*math.Sin(step*x+1)*math.Cos(step*y) + 4*r.Float64())
		}
	}
	wave(img.Y, img.YStride, .09)
	wave(img.Cb, img.CStride, .05)
	wave(img.Cr, img.CStride, .07)
	return img
}

func planesOf(img *image.YCbCr, h, v int) []Plane {
	w, ht := img.Rect.Dx(), img.Rect.Dy()
	cw, ch := ceilDiv(w, h), ceilDiv(ht, v)
	return []Plane{{img.Y, img.YStride, w, ht, h, v}, {img.Cb, img.CStride, cw, ch, 1, 1}, {img.Cr, img.CStride, cw, ch, 1, 1}}
}

func psnr(a, b []uint8, strideA, strideB, width, height int) float64 {
	sum := 0.0
	for y := range height {
		for x := range width {
			d := float64(a[y*strideA+x]) - float64(b[y*strideB+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(width*height)/(sum+1e-9))
}

// TestEncode holds for every subsampling and for sizes that fill no MCU that the
// standard library reads the planes back, as well as it reads its own at 4:2:0, and
// that strip leaves the file as it is.
func TestEncode(t *testing.T) {
	for _, s := range samplings {
		for _, size := range [][2]int{{64, 64}, {1, 1}, {7, 33}, {129, 65}} {
			img := smooth(size[0], size[1], s.ratio)
			data, err := Encode(t.Context(), planesOf(img, s.h, s.v), Options{Quality: 95})
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			got := decoded.(*image.YCbCr)
			if got.SubsampleRatio != s.ratio || got.Rect != img.Rect {
				t.Errorf("%v %v becomes %v %v", s.ratio, img.Rect, got.SubsampleRatio, got.Rect)
			}
			cw, ch := ceilDiv(size[0], s.h), ceilDiv(size[1], s.v)
			for i, q := range []float64{psnr(img.Y, got.Y, img.YStride, got.YStride, size[0], size[1]),
				psnr(img.Cb, got.Cb, img.CStride, got.CStride, cw, ch), psnr(img.Cr, got.Cr, img.CStride, got.CStride, cw, ch)} {
				if q < 42 {
					t.Errorf("%v %v: plane %d at %.1f dB", s.ratio, size, i, q)
				}
			}
			stripped, err := jpeg.Strip(t.Context(), data, limits)
			if err != nil || !bytes.Equal(stripped.Data, data) {
				t.Errorf("%v %v: strip changes the file: %v", s.ratio, size, err)
			}
		}
	}
}

// TestAgainstStandardLibrary holds that a 4:2:0 file has the tables of the standard
// library's encoder, nearly its size, and errs no more.
func TestAgainstStandardLibrary(t *testing.T) {
	img := smooth(320, 240, image.YCbCrSubsampleRatio420)
	for _, quality := range []int{1, 30, 50, 75, 92, 97, 100} {
		var want bytes.Buffer
		if err := stdjpeg.Encode(&want, img, &stdjpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		got, err := Encode(t.Context(), planesOf(img, 2, 2), Options{Quality: quality})
		if err != nil {
			t.Fatal(err)
		}
		for class := range byte(2) {
			if !bytes.Equal(quantTable(t, got, class), quantTable(t, want.Bytes(), class)) {
				t.Errorf("quality %d: table %d differs", quality, class)
			}
		}
		if d := len(got) - want.Len(); d > want.Len()/100+16 {
			t.Errorf("quality %d: %d bytes, the standard library %d", quality, len(got), want.Len())
		}
		errs := [2]float64{}
		for i, data := range [][]byte{got, want.Bytes()} {
			decoded, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			d := decoded.(*image.YCbCr)
			errs[i] = psnr(img.Y, d.Y, img.YStride, d.YStride, 320, 240)
		}
		if errs[0] < errs[1]-.1 {
			t.Errorf("quality %d: %.2f dB, the standard library %.2f", quality, errs[0], errs[1])
		}
	}
}

// quantTable finds a table in one DQT for each, or in one for all.
func quantTable(t *testing.T, data []byte, id byte) []byte {
	t.Helper()
	for at := 2; at+4 < len(data) && data[at+1] != 0xDA; at += 2 + int(data[at+2])<<8 + int(data[at+3]) {
		if data[at+1] != 0xDB {
			continue
		}
		for p := data[at+4 : at+2+int(data[at+2])<<8+int(data[at+3])]; len(p) >= 65; p = p[65:] {
			if p[0] == id {
				return p[1:65]
			}
		}
	}
	t.Fatalf("no quantisation table %d", id)
	return nil
}

// TestSpecs compares the Huffman tables with those of the standard library.
func TestSpecs(t *testing.T) {
	var want bytes.Buffer
	if err := stdjpeg.Encode(&want, smooth(16, 16, image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*huffman.Spec{&huffman.DC[0], &huffman.AC[0], &huffman.DC[1], &huffman.AC[1]} {
		def := append(append([]byte{[]byte{0, 0x10, 1, 0x11}[i]}, s.Counts[:]...), s.Symbols...)
		if !bytes.Contains(want.Bytes(), def) {
			t.Errorf("table %d differs", i)
		}
	}
}

func TestRGBAndGrey(t *testing.T) {
	img := smooth(50, 40, image.YCbCrSubsampleRatio444)
	data, err := Encode(t.Context(), planesOf(img, 1, 1), Options{Quality: 96, RGB: true})
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := stdjpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := decoded.(*image.RGBA)
	if !ok {
		t.Fatalf("RGB is read as %T", decoded)
	}
	for i, pix := range [][]uint8{img.Y, img.Cb, img.Cr} {
		for j, v := range pix {
			if d := int(v) - int(got.Pix[4*j+i]); d < -9 || d > 9 {
				t.Fatalf("plane %d: %d becomes %d", i, v, got.Pix[4*j+i])
			}
		}
	}
	if stripped, err := jpeg.Strip(t.Context(), data, limits); err != nil || !bytes.Equal(stripped.Data, data) {
		t.Errorf("strip changes an RGB file: %v", err)
	}
	data, err = Encode(t.Context(), planesOf(img, 1, 1)[:1], Options{Quality: 90})
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := stdjpeg.Decode(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	} else if _, ok := decoded.(*image.Gray); !ok {
		t.Errorf("grey is read as %T", decoded)
	}
	if stripped, err := jpeg.Strip(t.Context(), data, limits); err != nil || !bytes.Equal(stripped.Data, data) {
		t.Errorf("strip changes a grey file: %v", err)
	}
}

// TestForward compares with the definition of the transform (T.81 A.3.3).
func TestForward(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for trial := range 200 {
		var in, b [64]int32
		for i := range in {
			switch {
			case trial < 100:
				in[i] = int32(r.IntN(256)) - 128
			default: // extremes
				in[i] = int32(r.IntN(2))*255 - 128
			}
		}
		b = in
		forward(&b)
		for i, got := range b {
			if want := 8 * cosine(&in, i%8, i/8); math.Abs(float64(got)-want) > 2.5 {
				t.Fatalf("coefficient %d is %d, want %.2f", i, got, want)
			}
		}
	}
}

func cosine(in *[64]int32, u, v int) float64 {
	sum := 0.0
	for i, s := range in {
		sum += float64(s) * math.Cos(float64(2*(i%8)+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*(i/8)+1)*float64(v)*math.Pi/16)
	}
	for _, k := range []int{u, v} {
		if k == 0 {
			sum /= math.Sqrt2
		}
	}
	return sum / 4
}

func TestQuantiser(t *testing.T) {
	var q quantiser
	var table, b, z [64]int32
	for step := 1; step <= 255; step++ {
		var t8 [64]uint8
		for i := range t8 {
			t8[i], table[i] = uint8(step), int32(8*step)
		}
		q.set(t8)
		for c := int32(-16384); c < 16384; c += 64 {
			for i := range b {
				b[i] = c + int32(i)
			}
			clear(z[:])
			nonzero := q.apply(&z, &b)
			for k, at := range zigzag {
				want := int32(math.Round(float64(b[at]) / float64(8*step)))
				if z[k] != want || nonzero>>k&1 != map[bool]uint64{true: 1}[want != 0] {
					t.Fatalf("%d over %d is %d, want %d", b[at], 8*step, z[k], want)
				}
			}
		}
	}
}

// TestNoise covers long codes and stuffed bytes: noise at every quality.
func TestNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	pix := make([]uint8, 96*96)
	for quality := 1; quality <= 100; quality++ {
		for i := range pix {
			pix[i] = uint8(r.IntN(2) * 255)
		}
		data, err := Encode(t.Context(), []Plane{{pix, 96, 96, 96, 1, 1}}, Options{Quality: quality})
		if err != nil {
			t.Fatal(err)
		}
		stripped, err := jpeg.Strip(t.Context(), data, limits)
		if err != nil || !bytes.Equal(stripped.Data, data) {
			t.Fatalf("quality %d: strip changes the file: %v", quality, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := planesOf(smooth(16, 16, image.YCbCrSubsampleRatio420), 2, 2)
	for name, change := range map[string]func(p []Plane) []Plane{
		"two planes":    func(p []Plane) []Plane { return p[:2] },
		"subsampled":    func(p []Plane) []Plane { return p[:1] },
		"factor of 3":   func(p []Plane) []Plane { p[0].H = 3; return p },
		"small chroma":  func(p []Plane) []Plane { p[2].Width--; return p },
		"short":         func(p []Plane) []Plane { p[1].Pix = p[1].Pix[1:]; return p },
		"empty":         func(p []Plane) []Plane { p[0].Width = 0; return p },
		"narrow stride": func(p []Plane) []Plane { p[0].Stride = 15; return p },
	} {
		if _, err := Encode(t.Context(), change(append([]Plane(nil), good...)), Options{Quality: 90}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Encode(ctx, good, Options{Quality: 90}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkEncode is 12 megapixels; ×stdlib is the time over that of the standard
// library's encoder.
func BenchmarkEncode(b *testing.B) {
	img := smooth(4000, 3000, image.YCbCrSubsampleRatio420)
	b.Run("weir", func(b *testing.B) {
		for b.Loop() {
			if _, err := Encode(b.Context(), planesOf(img, 2, 2), Options{Quality: 92}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stdlib", func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			if err := stdjpeg.Encode(&out, img, &stdjpeg.Options{Quality: 92}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
