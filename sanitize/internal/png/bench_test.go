package png

import (
	"bytes"
	"context"
	stdpng "image/png"
	"math/rand/v2"
	"testing"
	"time"

	"weir/sanitize/internal/picture"
)

// drawing is a PNG with smooth parts, edges and grain.
func drawing(b *testing.B, colour uint8, depth int) []byte {
	b.Helper()
	h := Header{Width: 1024, Height: 768, Depth: depth, ColourType: colour}
	r := rand.New(rand.NewPCG(2, 8))
	data, err := Encode(context.Background(), h, 0, func(y int, row []byte) {
		for i := range row {
			row[i] = byte(i/12 + y/3 + 60*(i/200%3) + r.IntN(4))
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkStrip measures one walk and, in turn with it, one decode pass of image/png
// over the same file, and reports how many of the latter the former takes.
func BenchmarkStrip(b *testing.B) {
	o := picture.Options{Limits: limits}
	o.Limits.MaxPixels = 1 << 24
	zero, container := o, o
	zero.ZeroTransparent = true
	container.ContainerOnly = true
	rgb, rgba, palette := drawing(b, RGB, 8), drawing(b, RGBAlpha, 8), sources(b)["large_palette.png"]
	for _, c := range []struct {
		name string
		data []byte
		o    picture.Options
	}{
		{"RGB/decode", rgb, o}, {"RGBA/decode", rgba, o}, {"RGBA/zero", rgba, zero}, {"palette/decode", palette, o},
		{"RGB/container", rgb, container},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			var strip, decode time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := Strip(context.Background(), c.data, c.o, false); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if _, err := stdpng.Decode(bytes.NewReader(c.data)); err != nil {
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

// BenchmarkContainer measures a walk over the container alone and, in turn with it, a
// copy of the same bytes into new memory.
func BenchmarkContainer(b *testing.B) {
	data := drawing(b, RGB, 16)
	o := picture.Options{Limits: limits, ContainerOnly: true}
	o.Limits.MaxPixels = 1 << 24
	b.SetBytes(int64(len(data)))
	var strip, copied time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := Strip(context.Background(), data, o, false); err != nil {
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
