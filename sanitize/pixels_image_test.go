package sanitize_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/disintegration/imaging"
	xtiff "golang.org/x/image/tiff"
	xwebp "golang.org/x/image/webp"

	"weir/sanitize"
	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/jpegenc"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/tiff"
	"weir/sanitize/internal/webp"
)

// subsamplings are those that the standard library decodes, as sampling factors.
var subsamplings = []struct {
	h, v  int
	ratio image.YCbCrSubsampleRatio
}{
	{1, 1, image.YCbCrSubsampleRatio444}, {2, 1, image.YCbCrSubsampleRatio422}, {2, 2, image.YCbCrSubsampleRatio420},
	{1, 2, image.YCbCrSubsampleRatio440}, {4, 1, image.YCbCrSubsampleRatio411}, {4, 2, image.YCbCrSubsampleRatio410},
}

// colourJPEG is a smooth picture in colour with that subsampling.
func colourJPEG(t testing.TB, width, height, h, v, quality int) []byte {
	t.Helper()
	wave := func(w, h int, a, b float64) jpegenc.Plane {
		p := jpegenc.Plane{Pix: make([]uint8, w*h), Stride: w, Width: w, Height: h, H: 1, V: 1}
		for i := range p.Pix {
			x, y := float64(i%w)/float64(w), float64(i/w)/float64(h)
			p.Pix[i] = uint8(128 + 80*math.Sin(a*x+1)*math.Cos(b*y) + 30*x)
		}
		return p
	}
	planes := []jpegenc.Plane{wave(width, height, 9, 7),
		wave((width+h-1)/h, (height+v-1)/v, 5, 3), wave((width+h-1)/h, (height+v-1)/v, 2, 4)}
	planes[0].H, planes[0].V = h, v
	data, err := jpegenc.Encode(t.Context(), planes, jpegenc.Options{Quality: quality})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestProfilesKeepSubsampling holds it for every subsampling and profile, and that
// light at the quality of the source changes hardly a sample.
func TestProfilesKeepSubsampling(t *testing.T) {
	for _, s := range subsamplings {
		in := colourJPEG(t, 131, 97, s.h, s.v, 95)
		before := decodeJPEG(t, in).(*image.YCbCr)
		for _, profile := range []string{"light", "standard", "strong"} {
			o := sanitize.ImageOptions{Profile: profile, Key: testKey(t)}
			out, report := mustImage(t, in, o)
			after, ok := decodeJPEG(t, out).(*image.YCbCr)
			if !ok || after.SubsampleRatio != s.ratio || after.Rect != before.Rect {
				t.Fatalf("%s: %v becomes %v", profile, s.ratio, after)
			}
			if report.Action != sanitize.Renormalised {
				t.Errorf("%s %v: %v", profile, s.ratio, report.Action)
			}
			if again, r := strip(t, out); !bytes.Equal(out, again) || r.Action != sanitize.Unchanged {
				t.Errorf("%s %v: strip finds something in the output", profile, s.ratio)
			}
			if again, _ := mustImage(t, bytes.Clone(in), o); !bytes.Equal(out, again) {
				t.Errorf("%s %v: equal inputs give different outputs", profile, s.ratio)
			}
			if q := psnr(before, after); profile == "light" && q < 50 {
				t.Errorf("light %v: %.1f dB from the source", s.ratio, q)
			}
		}
	}
}

// TestPlanesAgainstImaging compares the luma of a JPEG whose planes were shrunk and
// restored with that of the same done by imaging on whole pixels. On the mean they
// differ by less than the encoder at quality 97 does, 1; the most that any differs by
// is a few times that, where colours beyond the range of RGB were cut.
func TestPlanesAgainstImaging(t *testing.T) {
	in := colourJPEG(t, 160, 120, 2, 2, 97)
	out, _ := mustImage(t, in, sanitize.ImageOptions{Profile: "custom", Steps: []sanitize.Step{{Op: "shrink", Factor: .5}}})
	reference := imaging.Clone(decodeJPEG(t, in))
	reference = imaging.Resize(imaging.Resize(reference, 80, 60, imaging.Linear), 160, 120, imaging.Linear)
	got := decodeJPEG(t, out)
	sum := 0.0
	for y := range 120 {
		for x := range 160 {
			a := color.GrayModel.Convert(got.At(x, y)).(color.Gray)
			b := color.GrayModel.Convert(reference.At(x, y)).(color.Gray)
			d := math.Abs(float64(a.Y) - float64(b.Y))
			sum += d
			if d > 6 {
				t.Fatalf("luma %d at %d, %d; imaging %d", a.Y, x, y, b.Y)
			}
		}
	}
	if mean := sum / 160 / 120; mean > 1 {
		t.Errorf("mean luma differs by %.2f", mean)
	}
}

// TestRGBStaysRGB holds that files without a colour transform are not given one.
func TestRGBStaysRGB(t *testing.T) {
	in := source(t, "rgb.jpg")
	before, ok := decodeJPEG(t, in).(*image.RGBA)
	if !ok {
		t.Fatal("the source is not RGB")
	}
	for _, profile := range []string{"light", "strong"} {
		out, _ := mustImage(t, in, sanitize.ImageOptions{Profile: profile, Key: testKey(t)})
		after, ok := decodeJPEG(t, out).(*image.RGBA)
		if !ok || after.Rect != before.Rect {
			t.Fatalf("%s: RGB becomes %T", profile, decodeJPEG(t, out))
		}
		if q := psnr(before, after); profile == "light" && q < 35 {
			t.Errorf("light: %.1f dB", q)
		}
		if again, r := strip(t, out); !bytes.Equal(out, again) || r.Action != sanitize.Unchanged {
			t.Errorf("%s: strip finds something in the output", profile)
		}
	}
}

func TestFourComponentsAreRefused(t *testing.T) {
	in := source(t, "cmyk.jpg")
	oriented := oriented(in, 6)
	for name, c := range map[string]struct {
		data []byte
		o    sanitize.ImageOptions
		want sanitize.Reason
	}{
		"light": {in, sanitize.ImageOptions{Profile: "light"}, sanitize.ImageUnsupported},
		"custom": {in, sanitize.ImageOptions{Profile: "custom", Steps: []sanitize.Step{{Op: "median", Size: 3}}},
			sanitize.ImageUnsupported},
		"apply":         {oriented, sanitize.ImageOptions{Orientation: "apply"}, sanitize.ImageUnsupported},
		"apply nothing": {in, sanitize.ImageOptions{Orientation: "apply"}, ""},
	} {
		_, _, err := sanitize.Image(t.Context(), c.data, c.o)
		var refusal *sanitize.Refusal
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &refusal) || refusal.Reason != c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// oriented puts an orientation into a JPEG or PNG file that has none.
func oriented(data []byte, orientation uint8) []byte {
	block := string(exif.Minimal(orientation))
	if bytes.HasPrefix(data, []byte("\xFF\xD8")) {
		return slices.Concat(data[:2], []byte(segment(0xE1, "Exif\x00\x00"+block)), data[2:])
	}
	return slices.Concat(data[:33], []byte(chunk("eXIf", block)), data[33:])
}

// turned is the picture as Exif says it is to be seen, by imaging.
func turned(img image.Image, orientation uint8) *image.NRGBA {
	return []func(image.Image) *image.NRGBA{imaging.Clone, imaging.FlipH, imaging.Rotate180, imaging.FlipV,
		imaging.Transpose, imaging.Rotate270, imaging.Transverse, imaging.Rotate90}[orientation-1](img)
}

// TestApplyOrientation holds for every orientation that the picture is turned and the
// tag goes: exactly for PNG of every kind, and for JPEG as well as light encodes.
func TestApplyOrientation(t *testing.T) {
	for orientation := uint8(1); orientation <= 8; orientation++ {
		for name := range readGolden(t) {
			data := source(t, name)
			if !bytes.HasPrefix(data, []byte("\x89PNG")) || bytes.Contains(data, []byte("eXIf")) {
				continue
			}
			in := oriented(data, orientation)
			out, report := mustImage(t, in, sanitize.ImageOptions{Orientation: "apply"})
			before, after := decodePNG(t, in), decodePNG(t, out)
			if bytes.Contains(out, []byte("eXIf")) || (report.Action == sanitize.Renormalised) != (orientation > 1) {
				t.Errorf("%s, %d: tag left, or %v", name, orientation, report.Action)
			}
			if !equalImages(turned(before, orientation), imaging.Clone(after)) {
				t.Errorf("%s: orientation %d is another picture", name, orientation)
			}
			if out[24] == 16 != (data[24] == 16) {
				t.Errorf("%s: depth %d becomes %d", name, data[24], out[24])
			}
			if again, r := mustImage(t, out, sanitize.ImageOptions{Orientation: "apply"}); !bytes.Equal(out, again) || r.Action != sanitize.Unchanged {
				t.Errorf("%s: apply is not idempotent", name)
			}
		}
		for _, s := range subsamplings {
			// Where the last sample of colour reaches beyond the picture it becomes the
			// first, and is interpolated; the decoder here repeats samples.
			for size, least := range map[[2]int]float64{{64, 48}: 38, {61, 45}: 30} {
				in := oriented(colourJPEG(t, size[0], size[1], s.h, s.v, 96), orientation)
				out, report := mustImage(t, in, sanitize.ImageOptions{Orientation: "apply"})
				if bytes.Contains(out, []byte("Exif")) || (report.Action == sanitize.Renormalised) != (orientation > 1) {
					t.Errorf("%v, %d: tag left, or %v", s.ratio, orientation, report.Action)
				}
				if got := psnr(turned(decodeJPEG(t, in), orientation), decodeJPEG(t, out)); got < least {
					t.Errorf("%v %v: orientation %d at %.1f dB", s.ratio, size, orientation, got)
				}
			}
		}
	}
}

// TestApplyOrientationLossless is the same for the other formats that carry a tag and
// are written without loss.
func TestApplyOrientationLossless(t *testing.T) {
	img := imaging.Clone(photo(45, 31))
	patch(img, 3, 5, 6, 200)
	limits := picture.Options{Limits: picture.Limits{MaxPixels: 1 << 20, MaxSide: 1 << 12, MaxSegments: 100, MaxMetadataBytes: 1 << 16}}
	for _, f := range []struct {
		name   string
		encode func(orientation uint8) ([]byte, error)
		decode func(r io.Reader) (image.Image, error)
	}{
		{"webp", func(o uint8) ([]byte, error) { return webp.Encode(t.Context(), img, o, limits) }, xwebp.Decode},
		{"tiff", func(o uint8) ([]byte, error) { return tiff.Encode(t.Context(), img, o) }, xtiff.Decode},
	} {
		for orientation := uint8(2); orientation <= 8; orientation++ {
			file, err := f.encode(orientation)
			if err != nil {
				t.Fatal(err)
			}
			out, report := mustImage(t, file, sanitize.ImageOptions{Orientation: "apply", Formats: []string{f.name}})
			decoded, err := f.decode(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if !equalImages(turned(img, orientation), imaging.Clone(decoded)) || report.Action != sanitize.Renormalised {
				t.Errorf("%s, orientation %d: another picture, or %v", f.name, orientation, report.Action)
			}
			again, r := mustImage(t, out, sanitize.ImageOptions{Orientation: "apply", Formats: []string{f.name}})
			if !bytes.Equal(out, again) || r.Action != sanitize.Unchanged {
				t.Errorf("%s, orientation %d: not idempotent, %v", f.name, orientation, r)
			}
		}
	}
}

// TestApplyBeforeSteps holds that a picture which has to be turned gets the draws and
// the steps of one that already is.
func TestApplyBeforeSteps(t *testing.T) {
	img := photo(120, 80)
	for _, profile := range []string{"standard", "strong"} {
		o := sanitize.ImageOptions{Profile: profile, Key: testKey(t), Orientation: "apply"}
		want, _ := mustImage(t, encodePNG(t, turned(img, 6)), o)
		got, _ := mustImage(t, oriented(encodePNG(t, img), 6), o)
		if !equalImages(decodePNG(t, want), decodePNG(t, got)) {
			t.Errorf("%s: turned by Weir is another picture than turned before", profile)
		}
		o.Orientation = "keep"
		kept, _ := mustImage(t, oriented(encodePNG(t, img), 6), o)
		if !bytes.Contains(kept, exif.Minimal(6)) {
			t.Errorf("%s: keep drops the orientation", profile)
		}
	}
}

// callsLeft is a context that ends when it has been asked so many times.
type callsLeft struct {
	context.Context
	left int
}

func (c *callsLeft) Err() error {
	c.left--
	if c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestStopsBetweenRows holds that every profile asks for its deadline many times,
// wherever it ends in between is refused for it, and leaves nothing running: there
// are no goroutines to leave.
func TestStopsBetweenRows(t *testing.T) {
	img := photo(96, 64)
	files := map[string][]byte{"jpeg": oriented(encodeJPEG(t, img, 90), 6), "png": oriented(encodePNG(t, img), 6)}
	steps := []sanitize.Step{{Op: "crop", MaxPercent: 5}, {Op: "shrink", Factor: .9}, {Op: "shrink_pad", Percent: 4}, {Op: "median", Size: 3},
		{Op: "median", Size: 5}, {Op: "gaussian", Sigma: 1}, {Op: "bits", Depth: 5}, {Op: "jpeg", Quality: 60}, {Op: "border", Percent: 3}, {Op: "rotate", MaxDegrees: 4}}
	for name, file := range files {
		o := sanitize.ImageOptions{Profile: "custom", Steps: steps, Key: testKey(t), Orientation: "apply"}
		const plenty = 1 << 30
		ctx := &callsLeft{t.Context(), plenty}
		if _, _, err := sanitize.Image(ctx, file, o); err != nil {
			t.Fatal(err)
		}
		asked := plenty - ctx.left
		if asked < 12*64 {
			t.Errorf("%s: the deadline is asked for %d times", name, asked)
		}
		for left := 0; left < asked; left += 1 + asked/60 {
			_, _, err := sanitize.Image(&callsLeft{t.Context(), left}, file, o)
			var refusal *sanitize.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != sanitize.DeadlineExceeded {
				t.Fatalf("%s: ends at %d of %d: %v", name, left, asked, err)
			}
		}
	}
}

// BenchmarkProfileJPEG is a picture of the size that models take, one of 0.8 and one of
// 12 megapixels. ×stdlib is the fastest time over that of the standard library's
// decoder and encoder, of the same file at the same quality.
func BenchmarkProfileJPEG(b *testing.B) {
	for _, size := range [][2]int{{224, 224}, {1024, 768}, {4000, 3000}} {
		data := encodeJPEG(b, grainy(size[0], size[1]), 92)
		yardstick := math.Inf(1)
		for range 5 {
			start := time.Now()
			var out bytes.Buffer
			if err := jpeg.Encode(&out, decodeJPEG(b, data), &jpeg.Options{Quality: 92}); err != nil {
				b.Fatal(err)
			}
			yardstick = min(yardstick, float64(time.Since(start)))
		}
		for _, profile := range []string{"light", "standard", "strong"} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], profile), func(b *testing.B) {
				o := sanitize.ImageOptions{Profile: profile, Key: testKey(b)}
				fastest := math.Inf(1)
				for b.Loop() {
					start := time.Now()
					mustImage(b, data, o)
					fastest = min(fastest, float64(time.Since(start)))
				}
				b.ReportMetric(fastest/yardstick, "×stdlib")
			})
		}
	}
}

// grainy is a picture in colour with about the detail of a photograph.
func grainy(width, height int) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		x, y := float64(i%img.YStride), float64(i/img.YStride)
		img.Y[i] = uint8(128 + 60*math.Sin(x/37)*math.Cos(y/23) + 20*math.Sin(x*y/5000) + float64(i*7919%11))
	}
	for i := range img.Cb {
		x, y := float64(i%img.CStride), float64(i/img.CStride)
		img.Cb[i], img.Cr[i] = uint8(128+40*math.Sin(x/50)), uint8(128+40*math.Cos(y/60))
	}
	return img
}

// TestDamageBehindTheContainer holds that image data which verify: container does not
// look at is refused for what is wrong with it once it has to be decoded.
func TestDamageBehindTheContainer(t *testing.T) {
	whole := encodeJPEG(t, photo(64, 64), 90)
	cut := slices.Concat(whole[:len(whole)*3/4], []byte("\xFF\xD9"))
	flipped := encodePNG(t, photo(64, 64))
	at := bytes.Index(flipped, []byte("IDAT"))
	body := bytes.Clone(flipped[at+4 : len(flipped)-16])
	body[len(body)/2] ^= 0x55
	damaged := slices.Concat(flipped[:at-4], []byte(chunk("IDAT", string(body))), flipped[len(flipped)-12:])
	for name, file := range map[string][]byte{"jpeg": cut, "png": damaged} {
		o := sanitize.ImageOptions{Profile: "standard", Key: testKey(t), Verify: "container"}
		_, _, err := sanitize.Image(t.Context(), file, o)
		var refusal *sanitize.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != sanitize.ImageMalformed && refusal.Reason != sanitize.ImageTruncated {
			t.Errorf("%s: %v", name, err)
		}
	}
}
