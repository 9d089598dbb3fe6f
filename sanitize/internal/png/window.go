package png

import (
	"context"
	"errors"
	"io"
	"math/bits"

	"weir/sanitize/internal/picture"
)

// checkWindow holds the distances of a zlib stream against the window that its header
// promises (RFC 1950 §2.2): zlib keeps no more than that and fails beyond, Go keeps
// 32 KiB in any case. Photoshop writes 4 KiB. The stream is one that Go inflates.
func (p *plane) checkWindow(ctx context.Context) error {
	in := &stream{chunks: append([][]byte(nil), p.chunks...)}
	header, err := in.ReadByte()
	if err != nil {
		return inflateError(err)
	}
	window := 1 << (8 + int(header>>4))
	rows := (1 + p.header.rowBytes(p.header.Width)) * p.header.Height
	if window >= min(rows, 1<<15) {
		return nil
	}
	if _, err := in.ReadByte(); err != nil {
		return inflateError(err)
	}
	longest, err := longestDistance(ctx, in)
	if ctx.Err() != nil {
		return picture.Checkpoint(ctx)
	} else if err != nil {
		return inflateError(err)
	}
	if longest > window {
		return picture.Errorf(picture.Malformed, "image data reaches back %d bytes with a window of %d", longest, window)
	}
	return nil
}

var errDeflate = errors.New("not a deflate stream")

// deflateReader reads the symbols of a deflate stream (RFC 1951).
type deflateReader struct {
	in  io.ByteReader
	acc uint32 // bits to come, the first at the bottom
	n   uint   // of them valid
	err error  // bits beyond the end were dropped
}

// fill loads bytes until n bits are there, at most 24, or the end is reached.
func (d *deflateReader) fill(n uint) {
	for d.n < n {
		b, err := d.in.ReadByte()
		if err != nil {
			return
		}
		d.acc |= uint32(b) << d.n
		d.n += 8
	}
}

func (d *deflateReader) drop(n uint) {
	if n > d.n {
		d.err = io.ErrUnexpectedEOF
		n = d.n
	}
	d.acc >>= n
	d.n -= n
}

func (d *deflateReader) take(n uint) int {
	d.fill(n)
	v := d.acc & (1<<n - 1)
	d.drop(n)
	return int(v)
}

// quickBits is the length of the codes that one look-up resolves.
const quickBits = 9

// prefixCode is a Huffman code of deflate (§3.2.2).
type prefixCode struct {
	quick   [1 << quickBits]uint16 // symbol<<4 | length; 0 for longer codes
	counts  [16]int                // codes by length
	symbols [288]uint16            // in the order of their codes
}

func newPrefixCode(lengths []byte) *prefixCode {
	c := &prefixCode{}
	for _, n := range lengths {
		c.counts[n]++
	}
	c.counts[0] = 0
	var next, index [17]int
	for n := 1; n < 16; n++ {
		next[n+1] = (next[n] + c.counts[n]) << 1
		index[n+1] = index[n] + c.counts[n]
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		c.symbols[index[n]] = uint16(symbol)
		index[n]++
		if n <= quickBits {
			reversed := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
			for at := reversed; at < len(c.quick); at += 1 << n {
				c.quick[at] = uint16(symbol)<<4 | uint16(n)
			}
		}
		next[n]++
	}
	return c
}

// symbol reads one symbol, or -1 for a code that is none.
func (d *deflateReader) symbol(c *prefixCode) int {
	d.fill(15)
	if e := c.quick[d.acc&(1<<quickBits-1)]; e != 0 {
		d.drop(uint(e & 15))
		return int(e >> 4)
	}
	code, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		code |= int(d.acc >> (n - 1) & 1)
		if code-first < c.counts[n] {
			d.drop(uint(n))
			return int(c.symbols[index+code-first])
		}
		index += c.counts[n]
		first = (first + c.counts[n]) << 1
		code <<= 1
	}
	return -1
}

// longestDistance reads a deflate stream to its end without inflating it.
func longestDistance(ctx context.Context, in io.ByteReader) (int, error) {
	d := &deflateReader{in: in}
	longest := 0
	for final := false; !final && d.err == nil; {
		if err := picture.Checkpoint(ctx); err != nil {
			return 0, err
		}
		final = d.take(1) == 1
		var literals, distances *prefixCode
		switch d.take(2) {
		case 0:
			d.stored()
			continue
		case 1:
			literals, distances = fixedCodes()
		case 2:
			literals, distances = d.dynamicCodes()
		}
		if literals == nil {
			return 0, errDeflate
		}
		n, err := d.block(literals, distances)
		if err != nil {
			return 0, err
		}
		longest = max(longest, n)
	}
	return longest, d.err
}

// stored passes over a block without compression (§3.2.4).
func (d *deflateReader) stored() {
	d.drop(d.n % 8)
	n := d.take(16)
	d.take(16)
	for ; n > 0 && d.err == nil; n-- {
		d.take(8)
	}
}

// block passes over a compressed block and returns its longest distance.
func (d *deflateReader) block(literals, distances *prefixCode) (int, error) {
	longest := 0
	for d.err == nil {
		symbol := d.symbol(literals)
		switch {
		case symbol < 0 || symbol > 285:
			return 0, errDeflate
		case symbol < 256:
			continue
		case symbol == 256:
			return longest, d.err
		}
		if extra := (symbol - 261) / 4; symbol > 264 && symbol < 285 {
			d.take(uint(extra))
		}
		code := d.symbol(distances)
		if code < 0 || code > 29 {
			return 0, errDeflate
		}
		distance := code + 1
		if code > 3 { // §3.2.5: each pair of codes has one bit more
			extra := uint(code/2 - 1)
			distance = (2+code%2)<<extra + d.take(extra) + 1
		}
		longest = max(longest, distance)
	}
	return 0, d.err
}

// fixedCodes are those of §3.2.6.
func fixedCodes() (literals, distances *prefixCode) {
	var lengths [288]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var fives [30]byte
	for i := range fives {
		fives[i] = 5
	}
	return newPrefixCode(lengths[:]), newPrefixCode(fives[:])
}

// dynamicCodes reads the codes of a block (§3.2.7), or returns nil.
func (d *deflateReader) dynamicCodes() (literals, distances *prefixCode) {
	order := [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	literalCount, distanceCount, lengthCount := d.take(5)+257, d.take(5)+1, d.take(4)+4
	if literalCount > 286 || distanceCount > 30 {
		return nil, nil
	}
	var short [19]byte
	for _, i := range order[:lengthCount] {
		short[i] = byte(d.take(3))
	}
	code := newPrefixCode(short[:])
	lengths := make([]byte, 0, 316+138)
	for len(lengths) < literalCount+distanceCount && d.err == nil {
		symbol := d.symbol(code)
		var repeated byte
		n := 1
		switch {
		case symbol < 0, symbol == 16 && len(lengths) == 0:
			return nil, nil
		case symbol == 16:
			repeated, n = lengths[len(lengths)-1], 3+d.take(2)
		case symbol == 17:
			n = 3 + d.take(3)
		case symbol == 18:
			n = 11 + d.take(7)
		default:
			repeated = byte(symbol)
		}
		for range n {
			lengths = append(lengths, repeated)
		}
	}
	if len(lengths) != literalCount+distanceCount {
		return nil, nil
	}
	return newPrefixCode(lengths[:literalCount]), newPrefixCode(lengths[literalCount:])
}
