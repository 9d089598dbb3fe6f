// Package jpegenc writes planes of samples as a baseline JPEG file (ITU-T T.81),
// with the quantisation and Huffman tables of annex K. The standard library's
// encoder writes colour in one way only, subsampled 4:2:0; this one keeps the
// subsampling of the planes, and RGB as RGB.
//
// The file has the canonical form of the package internal/jpeg: stripping it changes
// nothing. Equal planes give equal files on every machine.
package jpegenc

import (
	"context"
	"fmt"
	"math/bits"

	"weir/sanitize/internal/huffman"
	"weir/sanitize/internal/picture"
)

// Plane is one component.
type Plane struct {
	Pix           []uint8 // row by row; not changed
	Stride        int     // from one row to the next
	Width, Height int     // samples
	H, V          int     // sampling factors (T.81 A.1.1): 1, 2 or 4
}

// Options say how the planes are encoded.
type Options struct {
	Quality int  // 1 to 100, of libjpeg's scale
	RGB     bool // three planes are red, green and blue, not Y, Cb and Cr
}

const (
	headerBytes = 1024 // more than everything before the entropy-coded data
	blockBytes  = 512  // more than the longest block, 64 codes of 27 bits, all stuffed
)

// encoder is one scan.
type encoder struct {
	out   []byte // with room for one block behind its end
	acc   uint64 // bits that are not written yet, in its lowest
	n     uint   // how many
	last  [3]int32
	quant [classes]quantiser
}

// Encode returns the file of one plane, which is grey, or of three, the first with
// the sampling factors of the picture and the others with 1 and 1. The error is that
// of the context, or says what is wrong with the planes.
func Encode(ctx context.Context, planes []Plane, o Options) ([]byte, error) {
	if err := check(planes, o); err != nil {
		return nil, err
	}
	e := &encoder{}
	samples := 0
	for _, p := range planes {
		samples += p.Width * p.Height
	}
	e.out = make([]byte, 0, headerBytes+blockBytes+samples/4)
	tables := e.tables(planes, o)
	e.header(planes, o, tables)
	if err := e.scan(ctx, planes, tables); err != nil {
		return nil, err
	}
	e.flush()
	if e.n > 0 { // the last byte is filled with ones (T.81 F.1.2.3)
		e.bits(1<<(8-e.n)-1, 8-e.n)
		e.flush()
	}
	return append(e.out, 0xFF, 0xD9), nil
}

func check(planes []Plane, o Options) error {
	if len(planes) != 1 && len(planes) != 3 || o.Quality < 1 || o.Quality > 100 {
		return fmt.Errorf("jpegenc: %d planes, quality %d", len(planes), o.Quality)
	}
	first := planes[0]
	for i, p := range planes {
		want := first
		if i > 0 {
			want.Width, want.Height = ceilDiv(first.Width, first.H), ceilDiv(first.Height, first.V)
			want.H, want.V = 1, 1
		}
		switch {
		case p.H != 1 && p.H != 2 && p.H != 4 || p.V != 1 && p.V != 2, len(planes) == 1 && p.H*p.V != 1:
			return fmt.Errorf("jpegenc: sampling factors %d × %d", p.H, p.V)
		case p.Width < 1 || p.Height < 1 || p.Width > 65535 || p.Height > 65535:
			return fmt.Errorf("jpegenc: %d × %d samples", p.Width, p.Height)
		case p.Width != want.Width || p.Height != want.Height || p.H != want.H || p.V != want.V:
			return fmt.Errorf("jpegenc: plane %d is %d × %d, factors %d × %d", i, p.Width, p.Height, p.H, p.V)
		case p.Stride < p.Width || len(p.Pix) < (p.Height-1)*p.Stride+p.Width:
			return fmt.Errorf("jpegenc: plane %d is short of samples", i)
		}
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// tables returns the class of tables of each plane, and makes the quantisers.
func (e *encoder) tables(planes []Plane, o Options) []int {
	of := make([]int, len(planes))
	for i := range of {
		if i > 0 && !o.RGB {
			of[i] = chroma
		}
		if e.quant[of[i]].divisor[0] == 0 {
			e.quant[of[i]].set(scaled(&baseQuant[of[i]], o.Quality))
		}
	}
	return of
}

// header writes everything before the entropy-coded data, in the order in which
// internal/jpeg writes it.
func (e *encoder) header(planes []Plane, o Options, tables []int) {
	e.out = append(e.out, 0xFF, 0xD8)
	if o.RGB {
		e.segment(0xEE, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0)
	}
	last := tables[len(tables)-1]
	for class := range last + 1 {
		e.segment(0xDB, append([]byte{byte(class)}, e.quant[class].table[:]...)...)
	}
	w, h := planes[0].Width, planes[0].Height
	frame := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(len(planes))}
	scan := []byte{byte(len(planes))}
	for i, p := range planes {
		id := byte(i + 1)
		if o.RGB {
			id = "RGB"[i]
		}
		frame = append(frame, id, byte(p.H<<4|p.V), byte(tables[i]))
		scan = append(scan, id, byte(tables[i]<<4|tables[i]))
	}
	e.segment(0xC0, frame...)
	for class := range last + 1 {
		e.huffman(byte(class), &huffman.DC[class])
		e.huffman(0x10|byte(class), &huffman.AC[class])
	}
	e.segment(0xDA, append(scan, 0, 63, 0)...)
}

func (e *encoder) huffman(id byte, s *huffman.Spec) {
	e.segment(0xC4, append(append([]byte{id}, s.Counts[:]...), s.Symbols...)...)
}

func (e *encoder) segment(marker byte, payload ...byte) {
	n := len(payload) + 2
	e.out = append(e.out, 0xFF, marker, byte(n>>8), byte(n))
	e.out = append(e.out, payload...)
}

// scan writes the MCUs row by row (T.81 A.2.3).
func (e *encoder) scan(ctx context.Context, planes []Plane, tables []int) error {
	first := planes[0]
	columns, rows := ceilDiv(first.Width, 8*first.H), ceilDiv(first.Height, 8*first.V)
	var b [64]int32
	for my := range rows {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		for mx := range columns {
			for i := range planes {
				p := &planes[i]
				for k := range p.H * p.V {
					p.block(&b, (mx*p.H+k%p.H)*8, (my*p.V+k/p.H)*8)
					forward(&b)
					e.block(&b, i, tables[i])
				}
			}
		}
	}
	return nil
}

// block reads 8 × 8 samples less 128. Beyond the right and lower edge the last
// sample repeats.
func (p *Plane) block(b *[64]int32, x, y int) {
	if x+8 > p.Width || y+8 > p.Height {
		for i := range b {
			row := min(y+i/8, p.Height-1) * p.Stride
			b[i] = int32(p.Pix[row+min(x+i%8, p.Width-1)]) - 128
		}
		return
	}
	at := y*p.Stride + x
	for i := 0; i < 64; i += 8 {
		s, d := (*[8]uint8)(p.Pix[at:]), (*[8]int32)(b[i:])
		for j, v := range s {
			d[j] = int32(v) - 128
		}
		at += p.Stride
	}
}

// block quantises and writes one block of component i (T.81 F.1.2).
func (e *encoder) block(b *[64]int32, i, class int) {
	if cap(e.out)-len(e.out) < blockBytes {
		grown := make([]byte, len(e.out), cap(e.out)+cap(e.out)/2)
		copy(grown, e.out)
		e.out = grown
	}
	var z [64]int32
	nonzero := e.quant[class].apply(&z, b)
	dc, ac := dcCodes[class], acCodes[class]
	e.value(dc, 0, z[0]-e.last[i])
	e.last[i] = z[0]
	k := 0
	for rest := nonzero &^ 1; rest != 0; rest &= rest - 1 {
		next := bits.TrailingZeros64(rest)
		run := next - k - 1
		for ; run > 15; run -= 16 {
			e.code(ac[0xF0])
		}
		e.value(ac, run, z[next])
		k = next
	}
	if k < 63 {
		e.code(ac[0])
	}
}

// value writes the code of a run of zeros and of the size of v, and then the bits of
// v (T.81 F.1.2.1).
func (e *encoder) value(t *huffCodes, run int, v int32) {
	size := bits.Len32(uint32(max(v, -v)))
	extra := uint32(v+v>>31) & (1<<size - 1) // of a negative v, those of v - 1
	c := t[run<<4|size]
	e.bits(uint64(c>>8)<<size|uint64(extra), uint(c&255)+uint(size))
}

func (e *encoder) code(c uint32) { e.bits(uint64(c>>8), uint(c&255)) }

// bits adds n bits, at most 27, and writes 4 bytes once there are.
func (e *encoder) bits(v uint64, n uint) {
	e.acc, e.n = e.acc<<n|v, e.n+n
	if e.n < 32 {
		return
	}
	word := uint32(e.acc >> (e.n - 32))
	if inverse := ^word; (inverse-0x01010101)&^inverse&0x80808080 == 0 { // no byte is 0xFF
		e.out = append(e.out, byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
		e.n -= 32
		return
	}
	e.flush()
}

// flush writes all whole bytes, a zero behind each 0xFF.
func (e *encoder) flush() {
	for e.n >= 8 {
		e.n -= 8
		c := byte(e.acc >> e.n)
		e.out = append(e.out, c)
		if c == 0xFF {
			e.out = append(e.out, 0)
		}
	}
}
