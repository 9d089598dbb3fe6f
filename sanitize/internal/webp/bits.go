package webp

import "encoding/binary"

// bitReader reads bits from the lowest up (WebP lossless bitstream §2). Behind the
// end it reads zeros; position tells how far.
type bitReader struct {
	data []byte
	pos  int    // bytes loaded; grows beyond the data
	acc  uint64 // loaded bits that are not read yet, the next one lowest
	n    uint   // of them valid
}

// fill loads until at least 56 bits are there.
func (b *bitReader) fill() {
	if b.pos+8 <= len(b.data) {
		// Bits above n are loaded twice, with the same values.
		b.acc |= binary.LittleEndian.Uint64(b.data[b.pos:]) << b.n
		k := (63 - b.n) >> 3
		b.pos += int(k)
		b.n += 8 * k
		return
	}
	for b.n < 56 {
		if b.pos < len(b.data) {
			b.acc |= uint64(b.data[b.pos]) << b.n
		}
		b.pos++
		b.n += 8
	}
}

// skip passes over bits that fill has loaded.
func (b *bitReader) skip(n uint) {
	b.acc >>= n
	b.n -= n
}

// take reads up to 32 bits.
func (b *bitReader) take(n uint) uint32 {
	if b.n < n {
		b.fill()
	}
	v := uint32(b.acc & (1<<n - 1))
	b.skip(n)
	return v
}

// position is how many bits from the start of the data were read.
func (b *bitReader) position() int64 { return 8*int64(b.pos) - int64(b.n) }
