package gif

import (
	"context"

	"weir/sanitize/internal/picture"
)

const (
	maxCodes = 1 << 12
	noCode   = maxCodes
)

// lzwReader decodes the image data of one frame (GIF89a, appendix F). It differs from
// compress/lzw in that it knows how many pixels there must be, and so where the
// stream has to end.
type lzwReader struct {
	s        *stripper
	block    []byte // what is left of the sub-block
	ended    bool   // the terminator was read
	bits     uint32
	nbits    uint
	literals uint // width of a literal code

	prefix [maxCodes]uint16
	suffix [maxCodes]byte
	length [maxCodes]uint16 // of the string of a code, in pixels
}

// nextByte returns the next byte of the sub-blocks. ok is false behind the last.
func (r *lzwReader) nextByte() (b byte, ok bool, err error) {
	for len(r.block) == 0 {
		if r.ended {
			return 0, false, nil
		}
		n, err := r.s.take(1)
		if err != nil {
			return 0, false, err
		}
		if n[0] == 0 {
			r.ended = true
			continue
		}
		if r.block, err = r.s.take(int(n[0])); err != nil {
			return 0, false, err
		}
	}
	b = r.block[0]
	r.block = r.block[1:]
	return b, true, nil
}

// code returns the next code of width bits. ok is false when there are not as many.
func (r *lzwReader) code(width uint) (code uint16, ok bool, err error) {
	for r.nbits < width {
		b, ok, err := r.nextByte()
		if !ok || err != nil {
			return 0, false, err
		}
		r.bits |= uint32(b) << r.nbits
		r.nbits += 8
	}
	code = uint16(r.bits & (1<<width - 1))
	r.bits >>= width
	r.nbits -= width
	return code, true, nil
}

// decode fills pix, and reads the stream up to its end.
func (r *lzwReader) decode(ctx context.Context, pix []byte) error {
	clearCode := uint16(1) << r.literals
	end := clearCode + 1
	width, next, last := r.literals+1, end, uint16(noCode)
	for at, steps := 0, 0; ; steps++ {
		if steps%65536 == 0 {
			if err := picture.Checkpoint(ctx); err != nil {
				return err
			}
		}
		code, ok, err := r.code(width)
		switch {
		case err != nil:
			return err
		case at == len(pix) && (!ok || code == end):
			return r.close()
		case !ok || code == end:
			return picture.Errorf(picture.Truncated, "image data ends before the last pixel")
		case code == clearCode:
			width, next, last = r.literals+1, end, noCode
			continue
		case at == len(pix):
			return picture.Errorf(picture.Malformed, "image data beyond the last pixel")
		case code > next:
			return picture.Errorf(picture.Malformed, "a code of image data that is not defined")
		}
		n, err := r.expand(code, last, next, pix[at:])
		if err != nil {
			return err
		}
		// The first pixel of this string completes the one that began with the last.
		if last != noCode {
			r.define(next, last, pix[at])
		}
		at += n
		last = code
		if next++; next == 1<<width {
			if width == 12 {
				next, last = next-1, noCode // the table is full until it is cleared
			} else {
				width++
			}
		}
	}
}

func (r *lzwReader) define(code, prefix uint16, suffix byte) {
	r.prefix[code], r.suffix[code] = prefix, suffix
	r.length[code] = r.lengthOf(prefix) + 1
}

func (r *lzwReader) lengthOf(code uint16) uint16 {
	if code < 1<<r.literals {
		return 1
	}
	return r.length[code]
}

// expand writes the string of code to out and returns its length.
func (r *lzwReader) expand(code, last, next uint16, out []byte) (int, error) {
	c, extra := code, 0
	if code == next && last != noCode { // the string that this code itself defines
		c, extra = last, 1
	}
	n := int(r.lengthOf(c)) + extra
	if n > len(out) {
		return 0, picture.Errorf(picture.Malformed, "image data beyond the last pixel")
	}
	for i := n - extra - 1; i > 0; i-- {
		out[i] = r.suffix[c]
		c = r.prefix[c]
	}
	out[0] = byte(c)
	if extra == 1 {
		out[n-1] = byte(c)
	}
	return n, nil
}

// close reads to the terminator of the sub-blocks behind the end code. One byte more
// is what some encoders write, and Go and Pillow skip. OpenCV does where the bits
// that are left hold no code; otherwise it takes them for pixels.
func (r *lzwReader) close() error {
	extra := 0
	for {
		_, ok, err := r.nextByte()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		extra++
	}
	if extra > 1 || extra == 1 && r.nbits > r.literals {
		return picture.Errorf(picture.Malformed, "%d bytes behind the end of the image data", extra)
	}
	r.s.result.Remove("byte behind the image data", extra)
	return nil
}
