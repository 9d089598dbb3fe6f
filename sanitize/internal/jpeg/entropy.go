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
	for i := range sc.components {
		sc.components[i].predicted = 0
	}
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
		for j := range c.h * c.v {
			at := 0
			if !sc.sequential {
				at = sc.place(c, index, j)
			}
			if err := sc.block(b, c, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is the index of block j of an MCU among the component's blocks, or -1 for one
// beyond the edge of the picture.
func (sc *scan) place(c *scanComponent, mcu, j int) int {
	x, y := mcu%sc.mcuColumns*c.h+j%c.h, mcu/sc.mcuColumns*c.v+j/c.h
	if x >= c.columns || y >= c.rows {
		return -1
	}
	return y*c.columns + x
}

var (
	errEndOfBand    = picture.Errorf(picture.Malformed, "end-of-band run in a sequential scan")
	errCoefficients = picture.Errorf(picture.Malformed, "coefficients beyond the block")
	errWeight       = picture.Errorf(picture.Malformed, "coefficients beyond what a picture of 8 bits gives")
)

// block reads the data of one block, the index of which is that among the blocks of
// its component.
func (sc *scan) block(b *bitReader, c *scanComponent, index int) error {
	switch {
	case sc.sequential:
		return sequential(b, c)
	case sc.first == 0 && sc.high == 0:
		c.predicted += b.value(uint(b.symbol(c.dc)))
		var beyond weight // blocks beyond the edge are bounded, but not kept
		w := &beyond
		if index >= 0 {
			w = &c.weights[index]
		}
		return w.add(0, (magnitude(c.predicted)+1)<<sc.low-1, c.steps)
	case sc.first == 0:
		b.skip(1)
		return nil
	case sc.high == 0:
		return sc.acFirst(b, c, index)
	}
	return sc.acRefine(b, c, index)
}

// sequential reads the coefficients of a block (T.81 F.2.2.1, F.2.2.2).
func sequential(b *bitReader, c *scanComponent) error {
	c.predicted += b.value(uint(b.symbol(c.dc)))
	sums := [4]int{magnitude(c.predicted) * max(1, int(c.steps[0]))}
	for k := 1; k < 64; k++ {
		symbol := b.symbol(c.ac)
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 {
			switch {
			case symbol == 0:
				k = 64
			case run < 15: // libjpeg: end of block; Go: end-of-band run
				return errEndOfBand
			default:
				if k += 15; k > 63 {
					return errCoefficients
				}
			}
			continue
		}
		if k += run; k > 63 {
			return errCoefficients
		}
		sums[columns[k]] += magnitude(b.value(size)) * int(c.steps[k])
	}
	if max(sums[0], sums[1], sums[2], sums[3]) > maxWeight {
		return errWeight
	}
	return nil
}

// acFirst reads a band of a block for the first time (T.81 G.1.2.2) and notes
// which coefficients are not zero.
func (sc *scan) acFirst(b *bitReader, c *scanComponent, index int) error {
	if sc.eobRun > 0 {
		sc.eobRun--
		return nil
	}
	nonzero := &c.nonzero[index]
	for k := sc.first; k <= sc.last; k++ {
		symbol := b.symbol(c.ac)
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
		// Refinements still add up to 1<<low - 1.
		v := (magnitude(b.value(size))+1)<<sc.low - 1
		if err := c.weights[index].add(k, v, c.steps); err != nil {
			return err
		}
		*nonzero |= 1 << k
	}
	return nil
}

// acRefine reads one more bit of a band of a block (T.81 G.1.2.3): a correction
// bit for each coefficient that is not zero yet passed over, and new ones.
func (sc *scan) acRefine(b *bitReader, c *scanComponent, index int) error {
	nonzero := &c.nonzero[index]
	k := sc.first
	for sc.eobRun == 0 && k <= sc.last {
		symbol := b.symbol(c.ac)
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
		if size == 1 {
			if err := c.weights[index].add(k, 2<<sc.low-1, c.steps); err != nil {
				return err
			}
			*nonzero |= 1 << k
		}
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
