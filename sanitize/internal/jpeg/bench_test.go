package jpeg

import (
	"bytes"
	"context"
	"image"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"testing"
	"time"

	"weir/sanitize/internal/picture"
)

// photo is a picture with about as much detail as a photograph: at quality 90 it takes
// some 2 bits a pixel.
func photo(width, height int) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	r := rand.New(rand.NewPCG(1, 9))
	for y := range height {
		for x := range width {
			v := (x*x/97+y*y/53)/16 + 40*((x/31+y/23)%3) + r.IntN(9)
			img.Y[img.YOffset(x, y)] = byte(v)
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = byte(90+i%67), byte(160-i%41)
	}
	return img
}

// BenchmarkStrip measures one walk and, in turn with it, one decode pass of image/jpeg
// over the same file, and reports how many of the latter the former takes.
func BenchmarkStrip(b *testing.B) {
	var baseline bytes.Buffer
	if err := stdjpeg.Encode(&baseline, photo(2048, 1536), &stdjpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	files := map[string][]byte{"baseline": baseline.Bytes(), "progressive": sources(b)["large_progressive.jpg"],
		"small": sources(b)["baseline420.jpg"]}
	o := picture.Options{Limits: limits}
	o.Limits.MaxPixels = 1 << 24
	for _, name := range []string{"baseline", "progressive", "small"} {
		data := files[name]
		for _, containerOnly := range []bool{false, true} {
			o.ContainerOnly = containerOnly
			kind := map[bool]string{false: "/decode", true: "/container"}[containerOnly]
			b.Run(name+kind, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				var strip, decode time.Duration
				for b.Loop() {
					start := time.Now()
					if _, err := Strip(context.Background(), data, o); err != nil {
						b.Fatal(err)
					}
					middle := time.Now()
					if _, err := stdjpeg.Decode(bytes.NewReader(data)); err != nil {
						b.Fatal(err)
					}
					strip += middle.Sub(start)
					decode += time.Since(middle)
				}
				b.ReportMetric(float64(strip)/float64(decode), "decodes/strip")
				b.ReportMetric(float64(strip.Nanoseconds())/float64(b.N), "strip-ns/op")
			})
		}
	}
}

// BenchmarkContainer measures a walk over the container alone and, in turn with it, a
// copy of the same bytes into new memory.
func BenchmarkContainer(b *testing.B) {
	var file bytes.Buffer
	if err := stdjpeg.Encode(&file, photo(4096, 3072), &stdjpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	data := file.Bytes()
	o := picture.Options{Limits: limits, ContainerOnly: true}
	o.Limits.MaxPixels = 1 << 24
	b.SetBytes(int64(len(data)))
	var strip, copied time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := Strip(context.Background(), data, o); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		sink = bytes.Clone(data)
		strip += middle.Sub(start)
		copied += time.Since(middle)
	}
	b.ReportMetric(float64(strip)/float64(copied), "copies/strip")
}

var sink []byte // keeps the copy from being optimised away
