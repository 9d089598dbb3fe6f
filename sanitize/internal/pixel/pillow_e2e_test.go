//go:build e2e

package pixel

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"testing"

	"weir/sanitize/internal/walktest"
)

// script reads the samples of an RGB picture of 200 × 150 pixels and writes those of
// every step, as Pillow and numpy do it.
const script = `
import io, sys
import numpy as np
from PIL import Image, ImageFilter
W, H = 200, 150
src = Image.frombytes("RGB", (W, H), sys.stdin.buffer.read())

def shrink(factor):
    small = src.resize((round(W * factor), round(H * factor)), Image.BILINEAR)
    return small.resize((W, H), Image.BILINEAR)

def jpeg(quality):
    out = io.BytesIO()
    src.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")

def gaussian(sigma):
    a = np.asarray(src).astype(float)
    k = np.arange(-int(np.ceil(3 * sigma)), int(np.ceil(3 * sigma)) + 1)
    w = np.exp(-k * k / (2 * sigma * sigma))
    for axis in (0, 1):
        total, norm = np.zeros_like(a), np.zeros(a.shape)
        n = a.shape[axis]
        for d, v in zip(k, w):
            lo, hi = max(0, -d), min(n, n - d)
            to, frm = [slice(None)] * 3, [slice(None)] * 3
            to[axis], frm[axis] = slice(lo, hi), slice(lo + d, hi + d)
            total[tuple(to)] += v * a[tuple(frm)]
            norm[tuple(to)] += v
        a = total / norm
    return Image.fromarray(np.rint(a).astype(np.uint8))

def bits(depth):
    n = 2 ** depth - 1
    q = np.floor(np.asarray(src).astype(float) * n / 255 + 0.5)
    return Image.fromarray(np.floor(q * 255 / n + 0.5).astype(np.uint8))

for picture in (
    src.resize((W, H), Image.BILINEAR, box=(7.25, 5.5, 188.75, 141)),
    shrink(0.9), shrink(0.5),
    src.filter(ImageFilter.MedianFilter(3)), src.filter(ImageFilter.MedianFilter(5)),
    gaussian(1.5), bits(4), jpeg(75),
    src.rotate(-8, Image.BILINEAR),
):
    sys.stdout.buffer.write(picture.tobytes())
`

// TestAgainstPillow compares every step with Pillow's, or with numpy by its definition.
// Pillow's resize rounds to 8 bits between its two passes.
func TestAgainstPillow(t *testing.T) {
	src := grain(200, 150)
	for i := range src.Pix { // softer, with structure: noise alone shows little of a shift
		if i%4 < 3 {
			x, y := float64(i/4%200), float64(i/4/200)
			src.Pix[i] = uint8(100 + 60*math.Sin(x/7+float64(i%4))*math.Cos(y/5) + float64(src.Pix[i]%64))
		}
	}
	var in bytes.Buffer
	for i, v := range src.Pix {
		if i%4 < 3 {
			in.WriteByte(v)
		}
	}
	cmd := exec.Command(walktest.Python(t), "-c", script)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		run  func(p *Picture[uint8]) error
		edge int     // pixels that are not compared, since edges are taken in another way
		most int     // difference of any sample
		mean float64 // of all
	}{
		{"crop", func(p *Picture[uint8]) error { return p.Crop(t.Context(), Margins{7.25, 5.5, 11.25, 9}) }, 2, 1, .2},
		{"shrink .9", func(p *Picture[uint8]) error { return p.Shrink(t.Context(), .9) }, 0, 2, .3},
		{"shrink .5", func(p *Picture[uint8]) error { return p.Shrink(t.Context(), .5) }, 0, 2, .3},
		{"median 3", func(p *Picture[uint8]) error { return p.Median(t.Context(), 3) }, 0, 0, 0},
		{"median 5", func(p *Picture[uint8]) error { return p.Median(t.Context(), 5) }, 0, 0, 0},
		{"gaussian", func(p *Picture[uint8]) error { return p.Gaussian(t.Context(), 1.5) }, 0, 1, .1},
		{"bits", func(p *Picture[uint8]) error { return p.Bits(t.Context(), 4) }, 0, 0, 0},
		{"jpeg", func(p *Picture[uint8]) error { return p.JPEG(t.Context(), 75) }, 0, 30, 2},
		{"rotate", func(p *Picture[uint8]) error { return p.Rotate(t.Context(), 8) }, 30, 2, .5},
	} {
		p := planes8(t, src)
		if err := test.run(p); err != nil {
			t.Fatal(err)
		}
		got, want := image8(t, p), &image.NRGBA{Pix: make([]uint8, 4*200*150), Stride: 800, Rect: src.Rect}
		for i := range 200 * 150 {
			copy(want.Pix[4*i:], append(out[3*i:3*i+3:3*i+3], 255))
		}
		out = out[3*200*150:]
		if err := compare(got, want, test.edge, test.most, test.mean); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func compare(a, b *image.NRGBA, edge, most int, mean float64) error {
	sum, n, worst := 0, 0, 0
	for y := edge; y < a.Rect.Dy()-edge; y++ {
		for x := 4 * edge; x < 4*(a.Rect.Dx()-edge); x++ {
			d := int(a.Pix[y*a.Stride+x]) - int(b.Pix[y*b.Stride+x])
			d = max(d, -d)
			sum, n, worst = sum+d, n+1, max(worst, d)
		}
	}
	if got := float64(sum) / float64(n); worst > most || got > mean {
		return fmt.Errorf("differs by at most %d and on the mean %.3f, want %d and %v", worst, got, most, mean)
	}
	return nil
}
