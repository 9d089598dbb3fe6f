package webp

import (
	"bytes"
	"context"

	"weir/sanitize/internal/picture"
)

const (
	vp8lHeaderSize = 5
	maxGroups      = 2600 // prefix code groups; what libwebp's encoder and x/image stop at
)

// Transforms (WebP lossless bitstream specification §4).
const (
	transformPredictor = iota
	transformColour
	transformSubtractGreen
	transformIndexing
)

// vp8lHeader is what a lossless stream begins with (§3).
type vp8lHeader struct {
	width, height int
	alpha         bool // a hint to the spec, the law to libwebp's users
}

func readVP8LHeader(p []byte) (vp8lHeader, error) {
	if len(p) < vp8lHeaderSize {
		return vp8lHeader{}, picture.Errorf(picture.Truncated, "VP8L data of %d bytes", len(p))
	}
	v := uint32(p[1]) | uint32(p[2])<<8 | uint32(p[3])<<16 | uint32(p[4])<<24
	if p[0] != 0x2F || v>>29 != 0 {
		return vp8lHeader{}, picture.Errorf(picture.Malformed, "no VP8L signature, or version %d", v>>29)
	}
	return vp8lHeader{width: int(v&0x3FFF) + 1, height: int(v>>14&0x3FFF) + 1, alpha: v>>28&1 != 0}, nil
}

// vp8lWalk is one walk over a lossless stream. Pixels are followed only in the
// images that decide how the stream goes on.
type vp8lWalk struct {
	ctx context.Context
	r   bitReader
}

// stripVP8L returns the payload of a VP8L chunk without what stands behind the last
// pixel.
func stripVP8L(ctx context.Context, p []byte, h vp8lHeader, result *picture.Stripped) ([]byte, error) {
	end, err := walkVP8L(ctx, p, vp8lHeaderSize, h.width, h.height)
	if err != nil {
		return nil, err
	}
	return cutBits(p, end, "VP8L", result), nil
}

// cutBits returns the first so many bits of p, and zeros up to the next byte. It
// aliases p if that changes nothing.
func cutBits(p []byte, bits int64, where string, result *picture.Stripped) []byte {
	n := int((bits + 7) / 8)
	result.Remove(where+" data after the last pixel", len(p)-n)
	out := p[:n:n]
	if spare := 8*int64(n) - bits; spare > 0 && out[n-1]>>(8-spare) != 0 {
		out = bytes.Clone(out)
		out[n-1] &= 0xFF >> spare
		result.Remove(where+" spare bits", 1)
	}
	return out
}

// walkVP8L walks over the image stream that begins at a byte of p, and returns
// where it ends in bits from the start of p.
func walkVP8L(ctx context.Context, p []byte, start, width, height int) (int64, error) {
	w := &vp8lWalk{ctx: ctx, r: bitReader{data: p, pos: start}}
	inner, err := w.transforms(width, height)
	if err == nil {
		_, err = w.image(inner, height, true, false)
	}
	// What is read behind the end may look malformed.
	if w.r.position() > 8*int64(len(p)) {
		return 0, picture.Errorf(picture.Truncated, "lossless data ends before the last pixel")
	}
	return w.r.position(), err
}

// transforms reads the transforms and the images that belong to them. It returns
// the width of the image that they leave (§4).
func (w *vp8lWalk) transforms(width, height int) (int, error) {
	var seen [4]bool
	for w.r.take(1) != 0 {
		kind := w.r.take(2)
		if seen[kind] {
			return 0, picture.Errorf(picture.Malformed, "transform %d twice", kind)
		}
		seen[kind] = true
		var err error
		switch kind {
		case transformPredictor:
			err = w.predictors(width, height)
		case transformColour:
			bits := uint(w.r.take(3)) + 2
			_, err = w.image(tiles(width, bits), tiles(height, bits), false, false)
		case transformIndexing:
			colours := int(w.r.take(8)) + 1
			_, err = w.image(colours, 1, false, false)
			width = tiles(width, bundling(colours))
		}
		if err != nil {
			return 0, err
		}
	}
	return width, nil
}

// bundling is the log2 of the pixels that share one index (§4.4).
func bundling(colours int) uint {
	switch {
	case colours <= 2:
		return 3
	case colours <= 4:
		return 2
	case colours <= 16:
		return 1
	}
	return 0
}

// tiles is how many tiles of a side of 2^bits there are.
func tiles(side int, bits uint) int { return (side + 1<<bits - 1) >> bits }

// predictors walks over the image of predictor modes. libwebp and x/image differ on
// the modes 14 and 15, which the specification does not have.
func (w *vp8lWalk) predictors(width, height int) error {
	bits := uint(w.r.take(3)) + 2
	modes, err := w.image(tiles(width, bits), tiles(height, bits), false, true)
	if err != nil {
		return err
	}
	for _, argb := range modes {
		if argb>>8&0xF > 13 {
			return picture.Errorf(picture.Malformed, "predictor mode %d", argb>>8&0xF)
		}
	}
	return nil
}

// image walks over one entropy-coded image (§5). Only the outermost may have
// several groups of prefix codes. Pixels are returned when they are followed.
func (w *vp8lWalk) image(width, height int, outermost, follow bool) ([]uint32, error) {
	d := imageWalk{vp8lWalk: w, width: width, height: height}
	if w.r.take(1) != 0 {
		d.cacheBits = w.r.take(4)
		if d.cacheBits < 1 || d.cacheBits > 11 {
			return nil, picture.Errorf(picture.Malformed, "colour cache of %d bits", d.cacheBits)
		}
	}
	if err := d.readGroups(outermost); err != nil {
		return nil, err
	}
	if !follow {
		return nil, d.pixels(nil)
	}
	if w.r.position() > 8*int64(len(w.r.data)) {
		return nil, picture.Errorf(picture.Truncated, "lossless data ends before the last pixel")
	}
	pixels := make([]uint32, width*height)
	return pixels, d.pixels(pixels)
}
