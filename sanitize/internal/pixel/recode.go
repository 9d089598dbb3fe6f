package pixel

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"

	"weir/sanitize/internal/jpegenc"
	"weir/sanitize/internal/picture"
)

// JPEG passes the colours through JPEG of that quality: Y, Cb and Cr with their own
// subsampling, red, green and blue with 4:2:0. Samples of 16 bits are rounded to 8.
func (p *Picture[T]) JPEG(ctx context.Context, quality int) error {
	narrow := p.ycc()
	planes := make([]jpegenc.Plane, len(narrow))
	for i, q := range narrow {
		h, v := narrow[len(narrow)-1].H, narrow[len(narrow)-1].V
		if i > 0 {
			h, v = 1, 1
		}
		planes[i] = jpegenc.Plane{Pix: q.Pix, Stride: q.Stride, Width: q.Width, Height: q.Height, H: h, V: v}
	}
	data, err := jpegenc.Encode(ctx, planes, jpegenc.Options{Quality: quality})
	if err != nil {
		return err
	}
	decoded, err := stdjpeg.Decode(picture.Reader(ctx, bytes.NewReader(data)))
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	switch d := decoded.(type) {
	case *image.Gray:
		narrow[0].Pix, narrow[0].Stride = d.Pix, d.Stride
	case *image.YCbCr:
		for i, pix := range [][]uint8{d.Y, d.Cb, d.Cr} {
			narrow[i].Pix, narrow[i].Stride, narrow[i].spare = pix, d.CStride, nil
		}
		narrow[0].Stride = d.YStride
	default:
		return fmt.Errorf("pixel: a JPEG of %d planes is read as %T", len(planes), decoded)
	}
	return p.putYCC(ctx, narrow)
}

// ycc returns the colours as planes of 8 bits: grey, or Y, Cb and Cr.
func (p *Picture[T]) ycc() []Plane[uint8] {
	if p.rgb() {
		return p.fromRGB()
	}
	colours := p.colours()
	out := make([]Plane[uint8], len(colours))
	for i := range colours {
		q := &colours[i]
		n := Plane[uint8]{Stride: q.Width, Width: q.Width, Height: q.Height, H: q.H, V: q.V, Kind: q.Kind}
		n.Pix = make([]uint8, q.Width*q.Height)
		for y := range q.Height {
			row := n.row(y)
			for x, v := range q.row(y) {
				row[x] = narrowed(v)
			}
		}
		out[i] = n
	}
	return out
}

// fromRGB returns Y, and the mean Cb and Cr of each 2 × 2 pixels.
func (p *Picture[T]) fromRGB() []Plane[uint8] {
	w, h := p.Width, p.Height
	cw, ch := (w+1)/2, (h+1)/2
	out := []Plane[uint8]{
		{Pix: make([]uint8, w*h), Stride: w, Width: w, Height: h, H: 1, V: 1},
		{Pix: make([]uint8, cw*ch), Stride: cw, Width: cw, Height: ch, H: 2, V: 2, Kind: Difference},
		{Pix: make([]uint8, cw*ch), Stride: cw, Width: cw, Height: ch, H: 2, V: 2, Kind: Difference},
	}
	sums := make([][2]uint32, cw)
	for y := range h {
		r, g, b, luma := p.Planes[0].row(y), p.Planes[1].row(y), p.Planes[2].row(y), out[0].row(y)
		for x := range luma {
			l, cb, cr := color.RGBToYCbCr(narrowed(r[x]), narrowed(g[x]), narrowed(b[x]))
			luma[x] = l
			sums[x/2][0] += uint32(cb)
			sums[x/2][1] += uint32(cr)
		}
		if y%2 == 0 && y < h-1 {
			continue
		}
		blue, red := out[1].row(y/2), out[2].row(y/2)
		for x, s := range sums {
			n := uint32(min(2, w-2*x) * (y%2 + 1))
			blue[x], red[x] = uint8((s[0]+n/2)/n), uint8((s[1]+n/2)/n)
		}
		clear(sums)
	}
	return out
}

// putYCC takes the planes in the place of the colours.
func (p *Picture[T]) putYCC(ctx context.Context, narrow []Plane[uint8]) error {
	rgb := p.rgb()
	if rgb {
		for i := range narrow[1:] {
			if err := narrow[1+i].resizeChroma(ctx, p.Width, p.Height); err != nil {
				return err
			}
		}
	}
	colours := p.colours()
	for y := range p.Height {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		if rgb {
			r, g, b := colours[0].row(y), colours[1].row(y), colours[2].row(y)
			luma, blue, red := narrow[0].row(y), narrow[1].row(y), narrow[2].row(y)
			for x := range r {
				r8, g8, b8 := color.YCbCrToRGB(luma[x], blue[x], red[x])
				r[x], g[x], b[x] = widened[T](r8), widened[T](g8), widened[T](b8)
			}
			continue
		}
		for i := range colours {
			if y >= colours[i].Height {
				continue
			}
			row := colours[i].row(y)
			for x, v := range narrow[i].row(y)[:len(row)] {
				row[x] = widened[T](v)
			}
		}
	}
	return nil
}

// resizeChroma gives a plane of 4:2:0 a sample for each pixel.
func (p *Plane[T]) resizeChroma(ctx context.Context, width, height int) error {
	w, h := float64(p.Width), float64(p.Height)
	return p.linear(ctx, triangle(width, 0, .5, 0, w), triangle(height, 0, .5, 0, h))
}

// narrowed rounds a sample to 8 bits.
func narrowed[T Sample](v T) uint8 {
	if top[T]() == 255 {
		return uint8(v)
	}
	return uint8((uint32(v) + 128) / 257)
}

// widened gives a sample of 8 bits the range of T.
func widened[T Sample](v uint8) T {
	if top[T]() == 255 {
		return T(v)
	}
	return T(uint32(v) * 257)
}
