package jpeg

import (
	"context"
	"math/bits"

	"weir/sanitize/internal/picture"
)

// checkEvery is how many MCUs are read between two looks at the deadline.
const checkEvery = 1 << 14

// walk reads n MCUs, the first of which has the given index in the scan.
func (sc *scan) walk(ctx context.Context, b *bitReader, first, n int) error {
	sc.eobRun = 0
	for i := range n {
		if i%checkEvery == 0 {
			if err := picture.Checkpoint(ctx); err != nil {
				return err
			}
		}
		if err := sc.mcu(b, first+i); err != nil {
			return err
		}
		if b.short {
			return b.fault()
		}
	}
	if sc.eobRun > 0 {
		return picture.Errorf(picture.Malformed, "end-of-band run beyond the scan")
	}
	return nil
}

// fault says why a code could not be read.
func (b *bitReader) fault() error {
	if b.n < 16 { // fill has met a marker or the end
		if marker, at := scanMarker(b.data, b.pos); at < 0 || marker == mEOI {
			return picture.Errorf(picture.Truncated, "scan ends before its last block")
		}
	}
	return picture.Errorf(picture.Malformed, "invalid entropy-coded data")
}

// mcu reads one MCU: a block of the only component, or h × v blocks of each.
func (sc *scan) mcu(b *bitReader, index int) error {
	if len(sc.components) == 1 {
		return sc.block(b, &sc.components[0], index)
	}
	for i := range sc.components {
		c := &sc.components[i]
		for range c.h * c.v {
			if err := sc.block(b, c, index); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	errEndOfBand    = picture.Errorf(picture.Malformed, "end-of-band run in a sequential scan")
	errCoefficients = picture.Errorf(picture.Malformed, "coefficients beyond the block")
)

// block reads the data of one block. The index counts the blocks of a
// non-interleaved scan.
func (sc *scan) block(b *bitReader, c *scanComponent, index int) error {
	switch {
	case sc.sequential:
		b.skip(uint(b.symbol(c.dc)))
		return acSequential(b, c.ac)
	case sc.first == 0 && sc.high == 0:
		b.skip(uint(b.symbol(c.dc)))
		return nil
	case sc.first == 0:
		b.skip(1)
		return nil
	case sc.high == 0:
		return sc.acFirst(b, c.ac, &c.nonzero[index])
	}
	return sc.acRefine(b, c.ac, &c.nonzero[index])
}

// acSequential reads the AC coefficients of a block (T.81 F.2.2.2).
func acSequential(b *bitReader, t *huffTable) error {
	for k := 1; k < 64; k++ {
		symbol := b.symbol(t)
		run, size := int(symbol>>4), uint(symbol&15)
		switch {
		case symbol == 0:
			return nil
		case size == 0 && run < 15: // libjpeg: end of block; Go: end-of-band run
			return errEndOfBand
		}
		if k += run; k > 63 {
			return errCoefficients
		}
		b.skip(size)
	}
	return nil
}

// acFirst reads a band of a block for the first time (T.81 G.1.2.2) and notes
// which coefficients are not zero.
func (sc *scan) acFirst(b *bitReader, t *huffTable, nonzero *uint64) error {
	if sc.eobRun > 0 {
		sc.eobRun--
		return nil
	}
	for k := sc.first; k <= sc.last; k++ {
		symbol := b.symbol(t)
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 && run < 15 {
			sc.eobRun = 1<<run + int(b.take(uint(run))) - 1
			return nil
		}
		if k += run; k > sc.last {
			return errCoefficients
		}
		if size == 0 {
			continue
		}
		if size+uint(sc.low) > 15 { // would not fit a decoder's 16 bits
			return picture.Errorf(picture.Malformed, "coefficient out of range")
		}
		b.skip(size)
		*nonzero |= 1 << k
	}
	return nil
}

// acRefine reads one more bit of a band of a block (T.81 G.1.2.3): a correction
// bit for each coefficient that is not zero yet passed over, and new ones.
func (sc *scan) acRefine(b *bitReader, t *huffTable, nonzero *uint64) error {
	k := sc.first
	for sc.eobRun == 0 && k <= sc.last {
		symbol := b.symbol(t)
		run, size := int(symbol>>4), symbol&15
		if size > 1 {
			return picture.Errorf(picture.Malformed, "refinement by %d bits", size)
		}
		if size == 0 && run < 15 {
			sc.eobRun = 1<<run + int(b.take(uint(run)))
			break
		}
		b.skip(uint(size)) // the sign
		for ; k <= sc.last; k++ {
			if *nonzero>>k&1 == 1 {
				b.skip(1)
			} else if run--; run < 0 {
				break
			}
		}
		if k > sc.last {
			return errCoefficients
		}
		*nonzero |= uint64(size) << k
		k++
	}
	if sc.eobRun > 0 {
		rest := *nonzero >> k << k & (1<<(sc.last+1) - 1)
		corrections := uint(bits.OnesCount64(rest))
		b.skip(corrections / 2)
		b.skip(corrections - corrections/2)
		sc.eobRun--
	}
	return nil
}
