package sanitize_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
	"testing"
	"time"

	"weir/sanitize"
)

// photo is a picture with structure at several scales. The means of its 8 × 8 cells
// lie well inside the steps of the digest.
func photo(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			base := 24 + 16*((x*8/width+3*(y*8/height))%14)
			grain := (x*7919+y*104729)%9 - 4
			v := uint8(base + grain)
			img.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	return img
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decodePNG(t testing.TB, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestLightPNGIsLossless holds that light gives every type of PNG new compression
// and the same samples, in the same colour type and depth.
func TestLightPNGIsLossless(t *testing.T) {
	for name := range readGolden(t) {
		if !bytes.HasPrefix(source(t, name), []byte("\x89PNG")) {
			continue
		}
		in, _ := strip(t, source(t, name))
		out, report := mustImage(t, in, sanitize.ImageOptions{Profile: "light"})
		if !bytes.Equal(in[:33], out[:33]) {
			t.Errorf("%s: IHDR changes", name)
		}
		if !equalImages(decodePNG(t, in), decodePNG(t, out)) {
			t.Errorf("%s: samples change", name)
		}
		if again, r := mustImage(t, out, sanitize.ImageOptions{Profile: "light"}); !bytes.Equal(out, again) ||
			r.Action != sanitize.Unchanged || (report.Action == sanitize.Renormalised) == bytes.Equal(in, out) {
			t.Errorf("%s: light is not idempotent, or reports %v, %v", name, report.Action, r.Action)
		}
	}
}

// TestProfilesKeepColour holds that what decides how a PNG looks stays with its
// samples, in the order of strip.
func TestProfilesKeepColour(t *testing.T) {
	in, _ := strip(t, source(t, "colour.png"))
	want := []string{"gAMA", "cHRM"}
	for _, name := range want {
		if !bytes.Contains(in, []byte(name)) {
			t.Fatalf("colour.png has no %s", name)
		}
	}
	for _, o := range []sanitize.ImageOptions{{Profile: "light"}, {Profile: "custom", Steps: []sanitize.Step{{Op: "bits", Depth: 5}}}} {
		out, _ := mustImage(t, in, o)
		for _, name := range want {
			if !bytes.Contains(out, []byte(name)) {
				t.Errorf("%s drops %s", o.Profile, name)
			}
		}
		if again, r := strip(t, out); !bytes.Equal(out, again) || r.Action != sanitize.Unchanged {
			t.Errorf("%s: strip finds something in the output", o.Profile)
		}
	}
}

// psnr is the peak signal-to-noise ratio in dB over the three colours.
func psnr(a, b image.Image) float64 {
	sum, n := 0.0, 0
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			r0, g0, b0, _ := a.At(x, y).RGBA()
			r1, g1, b1, _ := b.At(x, y).RGBA()
			for _, d := range []float64{float64(r0) - float64(r1), float64(g0) - float64(g1), float64(b0) - float64(b1)} {
				sum += d * d / 257 / 257
				n++
			}
		}
	}
	return 10 * math.Log10(255*255*float64(n)/sum)
}

func TestLightJPEG(t *testing.T) {
	smooth := photo(200, 150)
	for _, quality := range []int{50, 92, 95, 100} {
		in := encodeJPEG(t, smooth, quality)
		out, report := mustImage(t, in, sanitize.ImageOptions{Profile: "light"})
		if report.Action != sanitize.Renormalised {
			t.Errorf("quality %d: %v", quality, report.Action)
		}
		if got := psnr(decodeJPEG(t, in), decodeJPEG(t, out)); got < 38 {
			t.Errorf("quality %d: %.1f dB from the source", quality, got)
		}
		want := min(max(quality, 92), 97)
		reference := encodeJPEG(t, smooth, want)
		if got, want := lumaTable(t, out), lumaTable(t, reference); !bytes.Equal(got, want) {
			t.Errorf("source of quality %d is encoded with another table than quality %d", quality, want)
		}
		if again, _ := strip(t, out); !bytes.Equal(out, again) {
			t.Errorf("quality %d: strip finds something in the output", quality)
		}
	}
	grey, _ := mustImage(t, source(t, "grey.jpg"), sanitize.ImageOptions{Profile: "light"})
	if _, ok := decodeJPEG(t, grey).(*image.Gray); !ok {
		t.Error("grey does not stay grey")
	}
}

// lumaTable is the payload of quantisation table 0.
func lumaTable(t testing.TB, data []byte) []byte {
	t.Helper()
	at := bytes.Index(data, []byte{0xFF, 0xDB})
	if at < 0 || data[at+4] != 0 {
		t.Fatal("no quantisation table 0")
	}
	return data[at+5 : at+69]
}

// TestStandardKeepsTheType holds what the documentation of Image says of colour
// types and depths.
func TestStandardKeepsTheType(t *testing.T) {
	type kind struct{ depth, colour byte }
	o := sanitize.ImageOptions{Profile: "standard", Key: testKey(t)}
	for name, want := range map[string]kind{
		"large.png": {8, 2}, "large_rgba16.png": {16, 6}, "large_palette.png": {8, 6}, "large_greyalpha.png": {8, 4},
		"grey1.png": {8, 0}, "palette4.png": {8, 6}, "rgb16.png": {16, 2},
		"one.png": {8, 6}, // too small for a crop
	} {
		out, _ := mustImage(t, source(t, name), o)
		if got := (kind{out[24], out[25]}); got != want {
			t.Errorf("%s: depth and colour type %v, want %v", name, got, want)
		}
		before, after := decodePNG(t, source(t, name)), decodePNG(t, out)
		if before.Bounds() != after.Bounds() {
			t.Errorf("%s: %v becomes %v", name, before.Bounds(), after.Bounds())
		}
	}
	grey, _ := mustImage(t, encodeJPEG(t, image.NewGray(image.Rect(0, 0, 128, 96)), 90), o)
	if _, ok := decodeJPEG(t, grey).(*image.Gray); !ok {
		t.Error("grey does not stay grey")
	}
}

// TestStandardCrops finds the margins in the output: the picture is a ramp in x
// (red) and y (green), so that two pixels of the output tell where it was cut.
func TestStandardCrops(t *testing.T) {
	const perPixel = 100.0
	tests := []struct {
		width, height int
		low, high     float64 // margin, as a share of the side
	}{{200, 160, .03, .08}, {256, 48, .03, .08}, {90, 47, .02, .05}, {23, 300, 0, 0}}
	for _, test := range tests {
		img := image.NewNRGBA64(image.Rect(0, 0, test.width, test.height))
		for y := range test.height {
			for x := range test.width {
				img.SetNRGBA64(x, y, color.NRGBA64{uint16(x * perPixel), uint16(y * perPixel), 0, 65535})
			}
		}
		seen := map[[4]int]bool{}
		for epoch := range uint64(12) {
			out, _ := mustImage(t, encodePNG(t, img), sanitize.ImageOptions{Profile: "standard", Key: testKey(t).WithEpoch(epoch)})
			got := decodePNG(t, out)
			near, _ := color.NRGBA64Model.Convert(got.At(2, 2)).(color.NRGBA64)
			far, _ := color.NRGBA64Model.Convert(got.At(test.width-3, test.height-3)).(color.NRGBA64)
			var m [4]int // thousandths
			for axis, ends := range [][2]uint16{{near.R, far.R}, {near.G, far.G}} {
				side := float64([]int{test.width, test.height}[axis])
				slope := (float64(ends[1]) - float64(ends[0])) / perPixel / (side - 5)
				before := float64(ends[0])/perPixel + .5 - 2.5*slope
				after := side - before - slope*side
				for i, margin := range []float64{before, after} {
					share := margin / side
					m[axis+2*i] = int(1000 * share)
					if share < test.low-.001 || share > test.high+.001 {
						t.Errorf("%d × %d: margin %d is %.4f of the side", test.width, test.height, axis+2*i, share)
					}
				}
			}
			seen[m] = true
		}
		if test.low > 0 && len(seen) < 11 {
			t.Errorf("%d × %d: only %d different crops in 12 epochs", test.width, test.height, len(seen))
		}
	}
}

func TestStandardIsKeyed(t *testing.T) {
	in := encodeJPEG(t, photo(128, 128), 95)
	base := sanitize.ImageOptions{Profile: "standard", Key: testKey(t), Model: "signs", Input: "IMAGE"}
	want, _ := mustImage(t, in, base)
	if again, _ := mustImage(t, slices.Clone(in), base); !bytes.Equal(want, again) {
		t.Error("equal inputs and keys give different outputs")
	}
	other, err := sanitize.NewKey([]byte("another secret of the tests"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *sanitize.ImageOptions){
		"secret": func(o *sanitize.ImageOptions) { o.Key = other },
		"epoch":  func(o *sanitize.ImageOptions) { o.Key = o.Key.WithEpoch(1) },
		"model":  func(o *sanitize.ImageOptions) { o.Model = "other" },
		"input":  func(o *sanitize.ImageOptions) { o.Input = "OTHER" },
	} {
		o := base
		change(&o)
		if got, _ := mustImage(t, in, o); bytes.Equal(want, got) {
			t.Errorf("another %s gives the same output", name)
		}
	}
}

// TestStandardIgnoresSmallChanges holds that pictures that differ by little get the
// same crop: what differs in the output is the change itself, not the geometry.
func TestStandardIgnoresSmallChanges(t *testing.T) {
	o := sanitize.ImageOptions{Profile: "standard", Key: testKey(t)}
	base := photo(160, 160)
	want := decodePNG(t, must(mustImage(t, encodePNG(t, base), o)))
	changes := map[string]func(img *image.NRGBA){
		"one pixel":       func(img *image.NRGBA) { img.SetNRGBA(80, 80, color.NRGBA{255, 0, 0, 255}) },
		"a small patch":   func(img *image.NRGBA) { patch(img, 3, 3, 2, 255) },
		"the lowest bits": func(img *image.NRGBA) { lowest(img) },
		"its metadata":    func(*image.NRGBA) {},
	}
	for name, change := range changes {
		img := image.NewNRGBA(base.Rect)
		copy(img.Pix, base.Pix)
		change(img)
		in := encodePNG(t, img)
		if name == "its metadata" {
			in = slices.Concat(in[:33], []byte(chunk("tEXt", "a\x00b")), in[33:])
		}
		if got := psnr(want, decodePNG(t, must(mustImage(t, in, o)))); got < 30 {
			t.Errorf("%s: the output is at %.1f dB, so the crop is another", name, got)
		}
	}
	moved, _ := mustImage(t, encodePNG(t, base), sanitize.ImageOptions{Profile: "standard", Key: testKey(t).WithEpoch(9)})
	if got := psnr(want, decodePNG(t, moved)); got > 30 {
		t.Errorf("another crop is at %.1f dB, so the test above sees nothing", got)
	}
}

func must(out []byte, _ sanitize.Report) []byte { return out }

func patch(img *image.NRGBA, x0, y0, side int, v uint8) {
	for y := range side {
		for x := range side {
			img.SetNRGBA(x0+x, y0+y, color.NRGBA{v, v, v, 255})
		}
	}
}

func lowest(img *image.NRGBA) {
	for i := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] ^= byte(i/4*7919>>3) & 1
		}
	}
}

// FuzzImage holds for every file and profile: no panic; a refusal, or a file that
// strip leaves as it is; and no allocation out of proportion.
func FuzzImage(f *testing.F) {
	for name := range readGolden(f) {
		for _, pick := range []uint8{0, 3, 4, 129} {
			f.Add(source(f, name), pick)
		}
	}
	for _, c := range canaries(f) {
		f.Add(c.data, uint8(1))
	}
	key := testKey(f)
	f.Fuzz(func(t *testing.T, data []byte, pick uint8) {
		profile := []string{"strip", "light", "standard", "strong", "custom"}[pick%5]
		o := sanitize.ImageOptions{Profile: profile, Key: key, Limits: sanitize.ImageLimits{MaxPixels: 1 << 16}, Formats: sanitize.ImageFormats()}
		if pick >= 128 {
			o.Orientation = "apply"
		}
		if profile == "custom" {
			o.Steps = []sanitize.Step{{Op: "shrink_pad", Percent: 7}, {Op: "rotate", MaxDegrees: 9}, {Op: "jpeg", Quality: 70},
				{Op: "border", Percent: 3}, {Op: "gaussian", Sigma: 1}, {Op: "median", Size: 5}, {Op: "bits", Depth: 4}}
		}
		out, report, err := sanitize.Image(context.Background(), data, o)
		if err != nil {
			if out != nil || report.Action != sanitize.Rejected {
				t.Fatalf("error %v with output", err)
			}
			if r, ok := err.(*sanitize.Refusal); !ok || r.Reason == sanitize.Panicked {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, second, err := sanitize.Image(context.Background(), out, sanitize.ImageOptions{Orientation: "keep", Formats: sanitize.ImageFormats()})
		if err != nil || !bytes.Equal(out, again) || second.Action != sanitize.Unchanged {
			t.Fatalf("strip of the output: %v %v", second, err)
		}
	})
}

// BenchmarkStripJPEG strips a picture of 2 megapixels. ×memcpy is the time over that
// of copying the file; most of it is the walk, which reads every Huffman code.
func BenchmarkStripJPEG(b *testing.B) {
	data := encodeJPEG(b, photo(1600, 1200), 90)
	data = slices.Concat(data[:2], []byte(segment(0xFE, "a comment")), data[2:])
	benchmarkImage(b, data, "strip")
}

func BenchmarkStripPNG(b *testing.B) { benchmarkImage(b, encodePNG(b, photo(1600, 1200)), "strip") }

func BenchmarkStandardJPEG(b *testing.B) {
	benchmarkImage(b, encodeJPEG(b, photo(1600, 1200), 90), "standard")
}

// BenchmarkDecodeJPEG is the yardstick of the walk: one decode pass.
func BenchmarkDecodeJPEG(b *testing.B) {
	data := encodeJPEG(b, photo(1600, 1200), 90)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		decodeJPEG(b, data)
	}
}

// BenchmarkDecodePNG is the yardstick for PNG.
func BenchmarkDecodePNG(b *testing.B) {
	data := encodePNG(b, photo(1600, 1200))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		decodePNG(b, data)
	}
}

func benchmarkImage(b *testing.B, data []byte, profile string) {
	o := sanitize.ImageOptions{Profile: profile, Key: testKey(b)}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		mustImage(b, data, o)
	}
	perStrip := float64(b.Elapsed()) / float64(b.N)
	b.StopTimer()
	b.ReportMetric(perStrip/copyTime(data), "×memcpy")
}

// copyTime is the time of one copy of data in nanoseconds.
func copyTime(data []byte) float64 {
	const n = 200
	dst := make([]byte, len(data))
	start := time.Now()
	for range n {
		copy(dst, data)
	}
	return float64(time.Since(start)) / n
}
