package webp

import (
	"math/bits"

	"weir/sanitize/internal/picture"
)

const (
	maxCodeLength = 15
	lookupBits    = 8
)

// prefixCode is one prefix code (WebP lossless bitstream §6.2.1). A code of one
// symbol takes no bits.
type prefixCode struct {
	single  int      // the only symbol, or -1
	bits    uint     // of the lookup
	lookup  []uint16 // by the next bits: length and symbol, or 0 for a longer code
	symbols []uint16 // by length and value
	limit   [maxCodeLength + 1]uint32
	offset  [maxCodeLength + 1]int // of limit[n]-1 in symbols, less limit[n]-1
}

// read reads one symbol. At least 15 bits must be loaded.
func (c *prefixCode) read(b *bitReader) int {
	if c.single >= 0 {
		return c.single
	}
	if e := c.lookup[b.acc&(1<<c.bits-1)]; e != 0 {
		b.skip(uint(e >> 12))
		return int(e & 0xFFF)
	}
	reversed := uint32(bits.Reverse16(uint16(b.acc)))
	for n := c.bits + 1; ; n++ { // a code is complete, so that it ends here
		code := reversed >> (16 - n)
		if n == maxCodeLength || code < c.limit[n] {
			b.skip(n)
			return int(c.symbols[c.offset[n]+int(code)])
		}
	}
}

// newPrefixCode builds a code from the lengths of its symbols. libwebp takes a code
// that is complete, or has one symbol.
func newPrefixCode(lengths []uint8) (*prefixCode, error) {
	var count [maxCodeLength + 1]int
	last := -1
	for symbol, n := range lengths {
		if n != 0 {
			count[n]++
			last = symbol
		}
	}
	total, space, longest := 0, 0, 0
	for n := 1; n <= maxCodeLength; n++ {
		total += count[n]
		space += count[n] << (maxCodeLength - n)
		if count[n] > 0 {
			longest = n
		}
	}
	if total == 1 {
		return &prefixCode{single: last}, nil
	}
	if space != 1<<maxCodeLength {
		return nil, picture.Errorf(picture.Malformed, "prefix code of %d symbols is not complete", total)
	}
	c := &prefixCode{single: -1, bits: uint(min(longest, lookupBits))}
	c.fill(lengths, count, total)
	return c, nil
}

// fill assigns the canonical code of each symbol.
func (c *prefixCode) fill(lengths []uint8, count [maxCodeLength + 1]int, total int) {
	c.lookup = make([]uint16, 1<<c.bits)
	var next [maxCodeLength + 1]uint32
	code, at := uint32(0), 0
	for n := 1; n <= maxCodeLength; n++ {
		code = (code + uint32(count[n-1])) << 1
		next[n] = code
		c.offset[n] = at - int(code)
		c.limit[n] = code + uint32(count[n])
		at += count[n]
	}
	if total > 0 {
		c.symbols = make([]uint16, total)
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		c.symbols[c.offset[n]+int(next[n])] = uint16(symbol)
		if uint(n) <= c.bits {
			entry := uint16(n)<<12 | uint16(symbol)
			low := bits.Reverse16(uint16(next[n])) >> (16 - n)
			for i := int(low); i < len(c.lookup); i += 1 << n {
				c.lookup[i] = entry
			}
		}
		next[n]++
	}
}

// codeLengthOrder is the order in which the lengths of code length codes stand (§6.2.1).
var codeLengthOrder = [19]int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// prefixCode reads a code for an alphabet of so many symbols.
func (w *vp8lWalk) prefixCode(alphabet int) (*prefixCode, error) {
	if w.r.take(1) != 0 {
		return w.simpleCode(alphabet)
	}
	var order [19]uint8
	for i := range w.r.take(4) + 4 {
		order[codeLengthOrder[i]] = uint8(w.r.take(3))
	}
	outer, err := newPrefixCode(order[:])
	if err != nil {
		return nil, err
	}
	most := alphabet
	if w.r.take(1) != 0 {
		n := uint(2 + 2*w.r.take(3))
		if most = 2 + int(w.r.take(n)); most > alphabet {
			return nil, picture.Errorf(picture.Malformed, "prefix code of %d symbols", most)
		}
	}
	lengths := make([]uint8, alphabet)
	if err := w.codeLengths(outer, lengths, most); err != nil {
		return nil, err
	}
	return newPrefixCode(lengths)
}

// simpleCode reads a code of one or two symbols. libwebp and x/image differ on a
// symbol beyond the alphabet, and on two that are equal or in falling order.
func (w *vp8lWalk) simpleCode(alphabet int) (*prefixCode, error) {
	two := w.r.take(1) != 0
	first := int(w.r.take(1 + 7*uint(w.r.take(1))))
	second := first
	if two {
		second = int(w.r.take(8))
	}
	if first >= alphabet || second >= alphabet || two && first >= second {
		return nil, picture.Errorf(picture.Malformed, "prefix code of the symbols %d and %d of %d", first, second, alphabet)
	}
	if !two {
		return &prefixCode{single: first}, nil
	}
	lengths := make([]uint8, max(first, second)+1)
	lengths[first], lengths[second] = 1, 1
	return newPrefixCode(lengths)
}

// codeLengths reads at most so many code lengths.
func (w *vp8lWalk) codeLengths(c *prefixCode, lengths []uint8, most int) error {
	previous := uint8(8)
	for i := 0; i < len(lengths) && most > 0; most-- {
		w.r.fill()
		symbol := c.read(&w.r)
		if symbol < 16 {
			lengths[i] = uint8(symbol)
			if symbol != 0 {
				previous = uint8(symbol)
			}
			i++
			continue
		}
		repeat, value := 0, uint8(0)
		switch symbol {
		case 16:
			repeat, value = 3+int(w.r.take(2)), previous
		case 17:
			repeat = 3 + int(w.r.take(3))
		default:
			repeat = 11 + int(w.r.take(7))
		}
		if i+repeat > len(lengths) {
			return picture.Errorf(picture.Malformed, "code lengths beyond the alphabet")
		}
		for range repeat {
			lengths[i] = value
			i++
		}
	}
	return nil
}
