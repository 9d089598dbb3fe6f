package jpeg

import (
	"encoding/binary"
)

// bitReader reads entropy-coded data up to the next marker (T.81 F.2.2.5), without
// its stuffed zeros. Reading beyond the end yields zeros and sets short.
type bitReader struct {
	data  []byte
	start int    // of the restart interval
	pos   int    // of the next byte to load
	acc   uint64 // bits to come, the first at the top
	n     uint   // of them valid
	short bool   // more was asked for than there is
}

// restart begins a restart interval.
func (b *bitReader) restart(pos int) {
	b.start, b.pos, b.acc, b.n, b.short = pos, pos, 0, 0, false
}

// fill loads bytes until at least 57 bits are there or a marker is reached.
func (b *bitReader) fill() {
	if b.pos+8 <= len(b.data) {
		v := binary.BigEndian.Uint64(b.data[b.pos:])
		// The zero-byte test on ^v: true when v holds a byte 0xFF.
		if (^v-0x0101010101010101)&v&0x8080808080808080 == 0 {
			// Bits below n are loaded twice, with the same values.
			b.acc |= v >> b.n
			k := (64 - b.n) >> 3
			b.pos += int(k)
			b.n += 8 * k
			return
		}
	}
	for b.n <= 56 && b.pos < len(b.data) {
		c := b.data[b.pos]
		if c == 0xFF {
			if b.pos+1 >= len(b.data) || b.data[b.pos+1] != 0 {
				return
			}
			b.pos++
		}
		b.pos++
		b.acc |= uint64(c) << (56 - b.n)
		b.n += 8
	}
}

// skip passes over n bits, at most 32.
func (b *bitReader) skip(n uint) {
	if b.n < n {
		b.fill()
		if b.n < n {
			b.short = true
			b.n = n
		}
	}
	b.acc <<= n
	b.n -= n
}

// take reads n bits, at most 32.
func (b *bitReader) take(n uint) uint32 {
	if b.n < n {
		b.fill()
	}
	v := uint32(b.acc >> 32 >> (32 - n))
	b.skip(n)
	return v
}

// value reads the n bits that follow a symbol, at most 15, as a signed number (T.81
// F.2.2.1, figure F.12).
func (b *bitReader) value(n uint) int32 {
	if n == 0 {
		return 0
	}
	v := int32(b.acc >> (64 - n))
	b.skip(n)
	if v>>(n-1) == 0 {
		v -= 1<<n - 1
	}
	return v
}

// symbol reads one Huffman code, and leaves room for 15 bits that follow it. A
// code that is not in the table sets short.
func (b *bitReader) symbol(t *huffTable) byte {
	if b.n < 31 {
		b.fill()
	}
	if e := t.lookup[b.acc>>(64-lookupBits)]; e != 0 {
		b.skip(uint(e >> 8))
		t.used[byte(e)] = true
		return byte(e)
	}
	for length := lookupBits + 1; length <= 16; length++ {
		code := uint32(b.acc >> (64 - length))
		if code < t.limit[length] {
			b.skip(uint(length))
			symbol := t.def[17+t.offset[length]+int(code)]
			t.used[symbol] = true
			return symbol
		}
	}
	b.short = true
	return 0
}

// end returns the place behind the byte that holds the last bit read, and how many
// bits of that byte were not read.
func (b *bitReader) end() (pos int, pad uint) {
	pos = b.pos
	for range b.n / 8 {
		pos--
		if b.data[pos] == 0 && pos > b.start && b.data[pos-1] == 0xFF {
			pos--
		}
	}
	return pos, b.n % 8
}
