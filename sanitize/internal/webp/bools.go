package webp

import (
	"bytes"
	"encoding/binary"
)

// boolReader decodes the booleans of one VP8 partition (RFC 6386 §7.3). Behind the
// end it reads zeros; used tells how far the decoding went.
type boolReader struct {
	data  []byte
	pos   int    // bytes loaded; grows beyond the data
	value uint64 // loaded bits less the low end of the interval, 8+bits of them
	bits  int    // loaded bits below the 8 that the next decision compares
	rng   uint32 // width of the interval, less 1
	need  int    // bits loaded or not, up to the end of the last decision's window
}

func newBoolReader(data []byte) boolReader {
	return boolReader{data: data, rng: 254, bits: -8}
}

// load makes bits 0 or more.
func (r *boolReader) load() {
	if r.pos+8 <= len(r.data) {
		r.value = r.value<<56 | binary.BigEndian.Uint64(r.data[r.pos:])>>8
		r.pos += 7
		r.bits += 56
		return
	}
	r.value <<= 8
	if r.pos < len(r.data) {
		r.value |= uint64(r.data[r.pos])
	}
	r.pos++
	r.bits += 8
}

// bit decodes one boolean whose chance of being 0 is prob/256.
func (r *boolReader) bit(prob uint8) uint32 {
	if r.bits < 0 {
		r.load()
	}
	r.need = 8*r.pos - r.bits
	split := r.rng * uint32(prob) >> 8
	var bit uint32
	if uint32(r.value>>r.bits) > split {
		r.value -= uint64(split+1) << r.bits
		r.rng -= split + 1
		bit = 1
	} else {
		r.rng = split
	}
	if r.rng < 127 {
		shift := boolShift[r.rng]
		r.rng = (r.rng+1)<<shift - 1
		r.bits -= int(shift)
	}
	return bit
}

// boolShift is by how much an interval of fewer than 128 must widen.
var boolShift = func() (shift [127]uint8) {
	for i := range shift {
		for n := i + 1; n < 128; n <<= 1 {
			shift[i]++
		}
	}
	return shift
}()

// outside tells whether the data begins outside the interval that decoding starts
// with. No encoder writes that, and decoders make different things of it.
func (r *boolReader) outside() bool { return len(r.data) > 0 && r.data[0] == 0xFF }

// used is how many bytes the decisions so far were made from. It is more than the
// data has when the partition is truncated.
func (r *boolReader) used() int { return (r.need + 7) / 8 }

// size is how many bytes canonical writes: those that were used, and as many zeros as
// were there and as libwebp's encoder writes.
func (r *boolReader) size() int { return flushed(8*r.pos-8-r.bits, r.used(), len(r.data)) }

// canonical appends the bytes that were used, at the low end of the interval that
// all decisions left over: the choice within it is the sender's, and free. Zeros
// follow. The second result tells whether a byte was changed.
func (r *boolReader) canonical(out []byte) ([]byte, bool) {
	n, size := r.used(), r.size()
	out = append(out, r.data[:size]...)
	kept := out[len(out)-size:]
	clear(kept[n:])
	rest := r.value >> (8 * (r.pos - n))
	for i := n - 1; rest != 0; i-- {
		low := uint64(kept[i])
		kept[i] -= byte(rest)
		borrow := uint64(0)
		if low < rest&0xFF {
			borrow = 1
		}
		rest = rest>>8 + borrow
	}
	return out, !bytes.Equal(kept, r.data[:size])
}

// flushed is the length of a partition of so many bytes, of which some are used,
// when what follows the zeros that libwebp's encoder ends with is cut off. That
// encoder goes on for 9 bits and to the next byte, and flushes one more.
func flushed(shifts, used, size int) int {
	most := 2
	if shifts > 0 {
		most = (shifts-1)/8 + 3
	}
	return max(used, min(size, most))
}

// boolWriter encodes booleans (RFC 6386 §7.3).
type boolWriter struct {
	out   []byte
	value uint32 // low end of the interval, as far as it is not yet in out
	bits  int    // bits of value above the lower 8, less 8
	rng   uint32 // width of the interval, less 1
	total int    // bits shifted out of the window so far
	need  int    // as in boolReader
}

func newBoolWriter(size int) *boolWriter {
	return &boolWriter{out: make([]byte, 0, size), rng: 254, bits: -8}
}

func (w *boolWriter) put(bit uint32, prob uint8) {
	w.need = w.total + 8
	split := w.rng * uint32(prob) >> 8
	if bit != 0 {
		w.value += split + 1
		w.rng -= split + 1
	} else {
		w.rng = split
	}
	if w.rng < 127 {
		shift := int(boolShift[w.rng])
		w.rng = (w.rng+1)<<shift - 1
		w.value <<= shift
		w.total += shift
		if w.bits += shift; w.bits > 0 {
			w.flush()
		}
	}
}

// flush moves a byte to out, and a carry into the bytes before it.
func (w *boolWriter) flush() {
	shift := 8 + w.bits
	top := w.value >> shift
	w.value -= top << shift
	w.bits -= 8
	if top&0x100 != 0 {
		i := len(w.out) - 1
		for ; w.out[i] == 0xFF; i-- {
			w.out[i] = 0
		}
		w.out[i]++
	}
	w.out = append(w.out, byte(top))
}

// finish returns as many bytes as a reader needs, at the low end of the interval,
// and zeros as canonical does for a partition of the given size.
func (w *boolWriter) finish(size int) []byte {
	size = flushed(w.total, (w.need+7)/8, size)
	for range 40 { // zeros leave the low end where it is
		w.put(0, 128)
	}
	return w.out[:size]
}
