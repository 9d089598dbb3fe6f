package gif

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"

	"weir/sanitize/internal/picture"
)

// Sizes of the extensions that are written.
const (
	controlSize = 8
	loopSize    = 19
)

// write puts the file together.
func (s *stripper) write(ctx context.Context) ([]byte, error) {
	out := make([]byte, 0, len(s.data)+64)
	out = append(out, signature89...)
	out = appendShorts(out, s.width, s.height)
	out = append(out, tableFlags(s.global)|0x70, byte(s.background), 0) // 0x70: 8 bits a primary
	out = append(out, s.global...)
	if s.loop >= 0 {
		out = append(out, introducer, labelApp, 11)
		out = append(out, "NETSCAPE2.0\x03\x01"...)
		out = append(appendShorts(out, s.loop), 0)
	}
	for _, f := range s.frames {
		var err error
		if out, err = s.appendFrame(ctx, out, f); err != nil {
			return nil, err
		}
	}
	return append(out, trailer), nil
}

func appendShorts(out []byte, values ...int) []byte {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint16(out, uint16(v))
	}
	return out
}

// tableFlags declare a colour table.
func tableFlags(table []byte) byte {
	if table == nil {
		return 0
	}
	return flagTable | byte(bits.Len(uint(len(table)/3))-2)
}

func (s *stripper) appendFrame(ctx context.Context, out []byte, f *frame) ([]byte, error) {
	if c := f.control; c != nil {
		flags, index := c.disposal<<2, 0
		if c.transparent >= 0 {
			flags, index = flags|1, c.transparent
		}
		out = append(out, introducer, labelControl, 4, flags)
		out = append(appendShorts(out, int(c.delay)), byte(index), 0)
	}
	out = append(out, separator)
	out = appendShorts(out, f.rect.Min.X, f.rect.Min.Y, f.rect.Dx(), f.rect.Dy())
	out = append(out, tableFlags(f.local))
	out = append(out, f.local...)
	return appendImageData(ctx, out, f.pix, s.literals(f))
}

// literals is the width of a literal code, as small as the table and the indices allow.
func (s *stripper) literals(f *frame) int {
	table := f.local
	if table == nil {
		table = s.global
	}
	most := len(table)/3 - 1
	for i, n := range f.count {
		if n > 0 {
			most = max(most, i)
		}
	}
	return max(2, bits.Len(uint(most)))
}

// appendImageData compresses pix into sub-blocks.
func appendImageData(ctx context.Context, out, pix []byte, literals int) ([]byte, error) {
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, literals)
	for len(pix) > 0 {
		if err := picture.Checkpoint(ctx); err != nil {
			return nil, err
		}
		n := min(len(pix), 1<<16)
		if _, err := w.Write(pix[:n]); err != nil {
			return nil, fmt.Errorf("gif: %w", err)
		}
		pix = pix[n:]
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("gif: %w", err)
	}
	out = append(out, byte(literals))
	for data := b.Bytes(); len(data) > 0; {
		n := min(len(data), 255)
		out = append(out, byte(n))
		out = append(out, data[:n]...)
		data = data[n:]
	}
	return append(out, 0), nil
}
