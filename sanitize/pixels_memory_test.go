package sanitize

import (
	"bytes"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"

	"weir/sanitize/internal/bmp"
	"weir/sanitize/internal/jpegenc"
	"weir/sanitize/internal/tiff"
	"weir/sanitize/internal/webp"
)

// noisy draws an image of random colours, which no encoder makes small.
func noisy(img interface {
	image.Image
	Set(x, y int, c color.Color)
}) image.Image {
	r := rand.New(rand.NewPCG(1, 2))
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			v := r.Uint64()
			img.Set(x, y, color.NRGBA64{uint16(v), uint16(v >> 16), uint16(v >> 32), uint16(v >> 48)})
		}
	}
	return img
}

func pngOf(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPixelStepsWithinBudget holds for every form of picture, filled with noise, that
// whatever is allocated while its pixels change, freed again or not, is within what
// was reserved and three times the file.
func TestPixelStepsWithinBudget(t *testing.T) {
	rect := image.Rect(0, 0, 331, 257)
	progressive, err := os.ReadFile("testdata/image/large_progressive.jpg")
	if err != nil {
		t.Fatal(err)
	}
	plane := jpegenc.Plane{Pix: make([]uint8, 331*257), Stride: 331, Width: 331, Height: 257, H: 1, V: 1}
	for i := range plane.Pix {
		plane.Pix[i] = uint8(rand.Uint32())
	}
	rgb, err := jpegenc.Encode(t.Context(), []jpegenc.Plane{plane, plane, plane}, jpegenc.Options{Quality: 95, RGB: true})
	if err != nil {
		t.Fatal(err)
	}
	full, err := jpegenc.Encode(t.Context(), []jpegenc.Plane{plane, plane, plane}, jpegenc.Options{Quality: 30})
	if err != nil {
		t.Fatal(err)
	}
	var half bytes.Buffer
	if err := jpeg.Encode(&half, noisy(image.NewNRGBA(rect)), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	opaque := image.NewNRGBA(rect)
	for i := range opaque.Pix {
		opaque.Pix[i] = uint8(rand.Uint32()) | uint8(i%4/3*255)
	}
	interlaced, err := os.ReadFile("testdata/image/rgb8_interlaced.png")
	if err != nil {
		t.Fatal(err)
	}
	wide := noisy(image.NewNRGBA(rect)).(*image.NRGBA)
	webpFile, err := webp.Encode(t.Context(), wide, 0, ImageOptions{}.walk())
	if err != nil {
		t.Fatal(err)
	}
	webpOpaque, err := webp.Encode(t.Context(), opaque, 0, ImageOptions{}.walk())
	if err != nil {
		t.Fatal(err)
	}
	tiffFile, err := tiff.Encode(t.Context(), wide, 0)
	if err != nil {
		t.Fatal(err)
	}
	tiffDeep, err := tiff.Encode(t.Context(), noisy(image.NewNRGBA64(rect)), 0)
	if err != nil {
		t.Fatal(err)
	}
	bmpFile, err := bmp.Encode(t.Context(), opaque)
	if err != nil {
		t.Fatal(err)
	}
	var gifFile bytes.Buffer
	if err := gif.Encode(&gifFile, noisy(image.NewPaletted(image.Rect(0, 0, 450, 350), palette.Plan9)), nil); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"jpeg 4:2:0": half.Bytes(), "jpeg 4:4:4": full, "jpeg RGB": rgb, "jpeg progressive": progressive,
		"png grey": pngOf(t, noisy(image.NewGray(rect))), "png opaque": pngOf(t, opaque),
		"png translucent": pngOf(t, noisy(image.NewNRGBA(rect))), "png grey 16": pngOf(t, noisy(image.NewGray16(rect))),
		"png 16": pngOf(t, noisy(image.NewNRGBA64(rect))), "png opaque 16": pngOf(t, noisy(image.NewRGBA64(rect))),
		"png palette":    pngOf(t, noisy(image.NewPaletted(rect, color.Palette{color.White, color.Black, color.NRGBA{1, 2, 3, 4}}))),
		"png interlaced": interlaced, "webp": webpFile, "webp opaque": webpOpaque, "gif": gifFile.Bytes(), "bmp": bmpFile, "tiff": tiffFile, "tiff 16": tiffDeep,
	} {
		for _, o := range []ImageOptions{{Profile: ProfileLight}, {Profile: ProfileStandard}, {Profile: ProfileStrong},
			{Profile: ProfileCustom, Steps: []Step{{Op: StepJPEG, Quality: 90}, {Op: StepRotate, MaxDegrees: 5}}}} {
			o.Key, _ = NewKey(make([]byte, 32))
			format := SniffImage(file)
			c := codecs[format]
			stripped, err := c.strip(t.Context(), file, o.walk())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			steps := profileSteps(o.Profile, o.Steps, stripped.Info.Width, stripped.Info.Height)
			if len(steps) == 0 && c.light != nil {
				continue // needs no picture
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, err := renormalise(t.Context(), stripped, format, o)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			// What does not grow with the picture: tables, the state of the compressor.
			const constant = 2 << 20
			budget := c.need(stripped, steps, len(steps) > 0)
			got := int64(after.TotalAlloc - before.TotalAlloc)
			if most := budget + fileCopies*int64(len(file)) + constant; got > most {
				t.Errorf("%s, %s: %d bytes, %d are reserved, the file has %d and the new one %d (%d times the budget)",
					name, o.Profile, got, budget, len(file), len(out), got/budget)
			}
		}
	}
}
