package bmp

import (
	"context"

	"weir/sanitize/internal/picture"
)

// Escapes of run lengths.
const (
	endOfLine   = 0
	endOfBitmap = 1
	delta       = 2
)

// runReader decodes run lengths. Each row must be closed, and none may be too long:
// OpenCV gives up there, and Pillow goes on in its own way.
type runReader struct {
	pixels *pixels
	data   []byte
	pos    int
	row    []byte // indices of the row so far
}

// readRuns decodes the pixels from run lengths, of 8 or 4 bits.
func (p *pixels) readRuns(ctx context.Context, data []byte, result *picture.Stripped) error {
	if p.offset%2 != 0 { // Pillow aligns by the place in the file, OpenCV by the code
		return picture.Errorf(picture.Unsupported, "run lengths at an odd place")
	}
	r := &runReader{pixels: p, data: data, pos: p.offset, row: make([]byte, 0, p.width)}
	for rows := 0; ; {
		code, err := r.take(2)
		if err != nil {
			return err
		}
		count, value := int(code[0]), int(code[1])
		switch {
		case count > 0:
			err = r.run(count, byte(value))
		case value == endOfLine:
			err = r.endRow(ctx, &rows)
		case value == endOfBitmap:
			result.Remove("data behind the pixels", len(data)-r.pos)
			return r.end(ctx, rows)
		case value == delta:
			err = picture.Errorf(picture.Unsupported, "run lengths with a delta")
		default:
			err = r.literal(value)
		}
		if err != nil {
			return err
		}
	}
}

func (r *runReader) take(n int) ([]byte, error) {
	if n > len(r.data)-r.pos {
		return nil, picture.Errorf(picture.Truncated, "run lengths end before the last row")
	}
	r.pos += n
	return r.data[r.pos-n : r.pos], nil
}

func (r *runReader) fits(n int) error {
	if len(r.row)+n > r.pixels.width {
		return picture.Errorf(picture.Malformed, "run lengths beyond the end of a row")
	}
	return nil
}

// run repeats a value, or of 4 bits two in turn.
func (r *runReader) run(count int, value byte) error {
	if err := r.fits(count); err != nil {
		return err
	}
	for i := range count {
		r.row = append(r.row, r.index(value, i))
	}
	return nil
}

// index is that of the i-th pixel in a byte.
func (r *runReader) index(value byte, i int) byte {
	switch {
	case r.pixels.bits == 8:
		return value
	case i%2 == 0:
		return value >> 4
	}
	return value & 15
}

// literal reads count pixels, padded to two bytes.
func (r *runReader) literal(count int) error {
	if err := r.fits(count); err != nil {
		return err
	}
	n := (count*r.pixels.bits + 7) / 8
	p, err := r.take((n + 1) &^ 1)
	if err != nil {
		return err
	}
	for i := range count {
		r.row = append(r.row, r.index(p[i*r.pixels.bits/8], i))
	}
	return nil
}

// end closes the picture. Pillow fills no row up here.
func (r *runReader) end(ctx context.Context, rows int) error {
	if len(r.row) == r.pixels.width {
		if err := r.endRow(ctx, &rows); err != nil {
			return err
		}
	}
	if rows < r.pixels.height || len(r.row) > 0 {
		return picture.Errorf(picture.Truncated, "run lengths end before the last row")
	}
	return nil
}

// endRow writes a row, filled up with index 0. Pillow skips an empty one.
func (r *runReader) endRow(ctx context.Context, rows *int) error {
	p := r.pixels
	if *rows == p.height || len(r.row) == 0 {
		return picture.Errorf(picture.Malformed, "run lengths beyond the last row, or an empty row")
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return err
	}
	*rows++
	r.row = append(r.row, make([]byte, p.width-len(r.row))...)
	if p.bits == 8 {
		p.rows = append(p.rows, r.row...)
	} else {
		for i := 0; i < p.width; i += 2 {
			b := r.row[i] << 4
			if i+1 < p.width {
				b |= r.row[i+1]
			}
			p.rows = append(p.rows, b)
		}
	}
	r.row = r.row[:0]
	return nil
}
