package webp

import (
	"cmp"
	"context"
	"image"
	"math/bits"
	"slices"

	"weir/sanitize/internal/picture"
)

// plainEncode returns a VP8L payload of a picture. It takes every picture: green is
// subtracted, each pixel is predicted by the nearer of its left and upper neighbour
// (predictor 11), and what is left is written without references. The error is that
// of the context.
func plainEncode(ctx context.Context, img *image.NRGBA) ([]byte, error) {
	size := img.Bounds().Size()
	w := &bitWriter{}
	w.put(0x2F, 8)
	w.put(uint32(size.X-1), 14)
	w.put(uint32(size.Y-1), 14)
	w.put(alphaBit(img), 4) // and version 0
	w.put(1, 1)
	w.put(transformSubtractGreen, 2)
	w.put(1, 1)
	w.put(transformPredictor, 2)
	w.put(7, 3) // tiles of 512 × 512 pixels
	w.put(0, 1) // no colour cache
	for _, symbol := range [5]uint32{11} {
		w.put(1|1<<2, 3) // a code of one symbol of 8 bits
		w.put(symbol, 8)
	}
	w.put(0, 3) // no more transforms, no colour cache, one group of codes

	var counts [4][256]int
	err := residuals(ctx, img, func(argb [4]uint8) {
		for i, v := range argb {
			counts[i][v]++
		}
	})
	if err != nil {
		return nil, err
	}
	var codes [4][256]writtenCode
	for i, alphabet := range [4]int{literals + lengthCodes, literals, literals, literals} {
		codes[i] = w.code(counts[i], alphabet)
	}
	w.put(1, 4) // distances: a code of one symbol, 0
	err = residuals(ctx, img, func(argb [4]uint8) {
		for i, v := range argb {
			w.put(uint32(codes[i][v].bits), uint(codes[i][v].length))
		}
	})
	w.put(0, 7)
	return w.out, err
}

func alphaBit(img *image.NRGBA) uint32 {
	if img.Opaque() {
		return 0
	}
	return 1
}

// residuals calls visit with green, red, blue and alpha of each pixel, less those
// of its prediction.
func residuals(ctx context.Context, img *image.NRGBA, visit func([4]uint8)) error {
	size := img.Bounds().Size()
	at := func(x, y int) [4]uint8 {
		p := img.Pix[y*img.Stride+4*x:]
		return [4]uint8{p[1], p[0] - p[1], p[2] - p[1], p[3]}
	}
	for y := range size.Y {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		for x := range size.X {
			predicted := [4]uint8{3: 0xFF}
			switch {
			case x > 0 && y > 0:
				predicted = nearer(at(x-1, y), at(x, y-1), at(x-1, y-1))
			case x > 0:
				predicted = at(x-1, y)
			case y > 0:
				predicted = at(x, y-1)
			}
			v := at(x, y)
			for i := range v {
				v[i] -= predicted[i]
			}
			visit(v)
		}
	}
	return nil
}

// nearer is the predictor Select (WebP lossless bitstream §4.1).
func nearer(left, above, across [4]uint8) [4]uint8 {
	toLeft, toAbove := 0, 0
	for i := range left {
		toLeft += abs(int(across[i]) - int(above[i]))
		toAbove += abs(int(across[i]) - int(left[i]))
	}
	if toLeft < toAbove {
		return left
	}
	return above
}

func abs(v int) int { return max(v, -v) }

// writtenCode is the code of a symbol, its first bit lowest.
type writtenCode struct {
	bits   uint16
	length uint8
}

// code writes a prefix code for symbols that occur so often, and returns it.
func (w *bitWriter) code(counts [256]int, alphabet int) (codes [256]writtenCode) {
	lengths := codeLengths(counts)
	if n := slices.Max(lengths[:]); n == 0 { // one symbol
		symbol := slices.IndexFunc(counts[:], func(n int) bool { return n > 0 })
		w.put(1|1<<2, 3)
		w.put(uint32(symbol), 8)
		return codes
	}
	w.put(0, 1)
	w.put(15, 4)
	for _, symbol := range codeLengthOrder { // 0 to 15 take 4 bits each
		if symbol < 16 {
			w.put(4, 3)
		} else {
			w.put(0, 3)
		}
	}
	w.put(0, 1) // lengths for the whole alphabet
	for symbol := range alphabet {
		n := uint8(0)
		if symbol < len(lengths) {
			n = lengths[symbol]
		}
		w.put(uint32(bits.Reverse8(n)>>4), 4)
	}
	next := uint16(0)
	for n := uint8(1); n <= maxCodeLength; n++ {
		next <<= 1
		for symbol, length := range lengths {
			if length == n {
				codes[symbol] = writtenCode{bits.Reverse16(next) >> (16 - n), n}
				next++
			}
		}
	}
	return codes
}

// codeLengths returns the lengths of a complete prefix code for symbols that occur
// so often, none above 15; all are 0 if there is one symbol.
func codeLengths(counts [256]int) (lengths [256]uint8) {
	type node struct {
		count       int
		left, right int // in nodes, or -1 and the symbol
	}
	for floor := 1; ; floor *= 2 { // rare symbols are made more frequent until it fits
		var nodes []node
		for symbol, n := range counts {
			if n > 0 {
				nodes = append(nodes, node{max(n, floor), -1, symbol})
			}
		}
		slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.count, b.count) })
		leaf, inner, leaves := 0, len(nodes), len(nodes)
		least := func() int {
			if leaf < leaves && (inner == len(nodes) || nodes[leaf].count <= nodes[inner].count) {
				leaf++
				return leaf - 1
			}
			inner++
			return inner - 1
		}
		for range leaves - 1 {
			a, b := least(), least()
			nodes = append(nodes, node{nodes[a].count + nodes[b].count, a, b})
		}
		depths := make([]uint8, len(nodes))
		for i := len(nodes) - 1; i >= leaves; i-- {
			depths[nodes[i].left], depths[nodes[i].right] = depths[i]+1, depths[i]+1
		}
		for i, n := range nodes[:leaves] {
			lengths[n.right] = depths[i]
		}
		if slices.Max(depths) <= maxCodeLength {
			return lengths
		}
	}
}

// bitWriter writes bits from the lowest up.
type bitWriter struct {
	out []byte
	acc uint64
	n   uint
}

func (w *bitWriter) put(v uint32, n uint) {
	w.acc |= uint64(v) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
}
