package webp

import (
	"bytes"
	"context"

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
		end, err := walkVP8L(ctx, p, 1, width, height)
		if err != nil {
			return nil, err
		}
		out = cutBits(p, end, "ALPH", result)
	}
	if h>>4 != 0 {
		result.Remove("ALPH preprocessing hint", 1)
		out = bytes.Clone(out)
		out[0] &= 0x0F
	}
	return out, nil
}
