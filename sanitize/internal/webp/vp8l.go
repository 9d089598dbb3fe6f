package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"

	xvp8l "golang.org/x/image/vp8l"

	"weir/sanitize/internal/picture"
)

const (
	vp8lHeaderSize = 5
	maxGroups      = 2600 // prefix code groups; what libwebp's encoder and x/image stop at
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

// bytes returns the header of 5 bytes.
func (h vp8lHeader) bytes() []byte {
	v := uint32(h.width-1) | uint32(h.height-1)<<14
	if h.alpha {
		v |= 1 << 28
	}
	return binary.LittleEndian.AppendUint32([]byte{0x2F}, v)
}

// vp8lWalk is one walk over a lossless stream. Pixels are followed only in the
// images that decide how the stream goes on, or that have room for more than the
// picture.
type vp8lWalk struct {
	ctx context.Context
	r   bitReader

	width, height int      // of the picture
	palette       []uint32 // whose indices green holds; nil for none
	indices       bool     // no transform follows the palette

	// hidden says that the stream holds samples, colours or codes that decide nothing.
	hidden bool
	// mixed says that red, blue or alpha vary where a palette or green is all that counts.
	mixed bool
}

// stripVP8L returns the payload of a VP8L chunk without what stands behind the last
// pixel. A stream that holds more than the picture is made anew.
func stripVP8L(ctx context.Context, p []byte, h vp8lHeader, result *picture.Stripped) ([]byte, error) {
	w, err := walkVP8L(ctx, p, vp8lHeaderSize, h.width, h.height)
	if err != nil {
		return nil, err
	}
	if !w.hidden && (w.palette == nil || w.indices) {
		return w.cut("VP8L", result), nil
	}
	img, err := xvp8l.Decode(bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("webp: %w", err)
	}
	if !w.hidden && w.coloursOccur(img.(*image.NRGBA).Pix) {
		return w.cut("VP8L", result), nil
	}
	return remakeVP8L(ctx, p, img.(*image.NRGBA), h, result)
}

// remakeVP8L encodes the picture anew. Whether it says that it has alpha stays.
func remakeVP8L(ctx context.Context, p []byte, img *image.NRGBA, h vp8lHeader, result *picture.Stripped) ([]byte, error) {
	f, err := encode(ctx, img)
	if err != nil {
		return nil, err
	}
	result.Remove("VP8L data that decides nothing", max(1, len(p)-len(f.data)))
	return append(h.bytes(), f.data[vp8lHeaderSize:]...), nil
}

// cut returns the data up to the last bit that was read, and zeros up to the next
// byte. It aliases the data if that changes nothing.
func (w *vp8lWalk) cut(where string, result *picture.Stripped) []byte {
	p, bits := w.r.data, w.r.position()
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

// walkVP8L walks over the image stream that begins at a byte of p.
func walkVP8L(ctx context.Context, p []byte, start, width, height int) (*vp8lWalk, error) {
	w := &vp8lWalk{ctx: ctx, r: bitReader{data: p, pos: start}, width: width, height: height}
	inner, err := w.transforms(width, height)
	if err == nil {
		err = w.outermost(inner, height)
	}
	if w.short() { // what is read behind the end may look malformed
		return nil, picture.Errorf(picture.Truncated, "lossless data ends before the last pixel")
	}
	return w, err
}

// outermost walks over the image that the transforms leave.
func (w *vp8lWalk) outermost(width, height int) error {
	pixels, err := w.image(width, height, true, w.indices)
	if err == nil && w.indices {
		w.inspectIndices(pixels, width)
	}
	return err
}

// short tells whether more was read than there is.
func (w *vp8lWalk) short() bool { return w.r.position() > 8*int64(len(w.r.data)) }

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
	if w.short() {
		return nil, picture.Errorf(picture.Truncated, "lossless data ends before the last pixel")
	}
	pixels := make([]uint32, width*height)
	return pixels, d.pixels(pixels)
}
