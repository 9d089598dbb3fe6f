package webp

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"

	xvp8l "golang.org/x/image/vp8l"

	"weir/sanitize/internal/picture"
)

// alphaHeader is the first byte of ALPH (RFC 9649 §2.7.1.2).
type alphaHeader byte

func (h alphaHeader) compression() byte { return byte(h) & 3 }

// stripAlpha returns the payload of an ALPH chunk for a picture of the given size,
// without what stands behind the last sample. It may alias p. The bits that say how the encoder
// prepared the samples go: they allow a reader to smooth them, and none does unasked.
func stripAlpha(ctx context.Context, p []byte, width, height int, walk bool, result *picture.Stripped) ([]byte, error) {
	if len(p) < 2 {
		return nil, picture.Errorf(picture.Truncated, "ALPH of %d bytes", len(p))
	}
	h := alphaHeader(p[0])
	if h>>6 != 0 || h>>4&3 > 1 || h.compression() > 1 {
		return nil, picture.Errorf(picture.Malformed, "ALPH header %02X", byte(h))
	}
	var out []byte
	switch size := int64(width) * int64(height); {
	case h.compression() == 0 && int64(len(p)-1) < size:
		return nil, picture.Errorf(picture.Truncated, "ALPH of %d bytes for %d samples", len(p), size)
	case h.compression() == 0:
		out = p[:1+size]
		result.Remove("ALPH data after the last pixel", len(p)-len(out))
	case !walk:
		out = p
	default:
		w, err := walkVP8L(ctx, p, 1, width, height)
		if err != nil {
			return nil, err
		}
		if out, err = w.alpha(result); err != nil {
			return nil, err
		}
	}
	if h>>4 != 0 {
		result.Remove("ALPH preprocessing hint", 1)
		out = bytes.Clone(out)
		out[0] &= 0x0F
	}
	return out, nil
}

// alpha returns the payload of ALPH that was walked over. Its samples are the green
// ones of a picture. A stream that holds more than those is made anew.
func (w *vp8lWalk) alpha(result *picture.Stripped) ([]byte, error) {
	out := w.cut("ALPH", result)
	if !w.hidden && !w.mixed {
		return out, nil
	}
	img, err := xvp8l.Decode(io.MultiReader(bytes.NewReader(vp8lHeader{width: w.width, height: w.height}.bytes()),
		bytes.NewReader(out[1:])))
	if err != nil {
		return nil, fmt.Errorf("webp: %w", err)
	}
	pix := img.(*image.NRGBA).Pix
	if !w.hidden && onlyGreen(pix) {
		return out, nil
	}
	for i := 0; i < len(pix); i += 4 {
		pix[i], pix[i+2], pix[i+3] = 0, 0, 0xFF
	}
	f, err := encode(w.ctx, img.(*image.NRGBA))
	if err != nil {
		return nil, err
	}
	result.Remove("ALPH samples that are not alpha", max(1, len(out)-len(f.data)))
	return append(out[:1:1], f.data[vp8lHeaderSize:]...), nil
}

// onlyGreen tells whether the other samples are the same in all pixels.
func onlyGreen(pix []uint8) bool {
	for i := 0; i < len(pix); i += 4 {
		if pix[i] != pix[0] || pix[i+2] != pix[2] || pix[i+3] != pix[3] {
			return false
		}
	}
	return true
}
