package gif

import (
	"cmp"
	"slices"
)

// bin is the pixels of which the upper five bits of each channel are the same.
type bin struct {
	n   uint64
	sum [3]uint64
}

func binOf(pixel []byte) int {
	return int(pixel[0]>>3)<<10 | int(pixel[1]>>3)<<5 | int(pixel[2]>>3)
}

func (b *bin) add(pixel []byte) {
	b.n++
	for c := range 3 {
		b.sum[c] += uint64(pixel[c])
	}
}

// box is a set of bins that share an entry of the palette.
type box struct {
	bins    []bin
	n       uint64 // pixels
	channel int    // the one in which the means are furthest apart
	spread  uint64
}

func newBox(bins []bin) box {
	b := box{bins: bins}
	for c := range 3 {
		low, high := ^uint64(0), uint64(0)
		for _, x := range bins {
			low, high = min(low, x.sum[c]/x.n), max(high, x.sum[c]/x.n)
		}
		if high-low > b.spread {
			b.channel, b.spread = c, high-low
		}
	}
	for _, x := range bins {
		b.n += x.n
	}
	return b
}

// medianCut returns a table of at most that many colours (Heckbert, 1982): the box
// with the most spread pixels is halved, again and again, and a colour is the mean of
// its box.
func medianCut(bins []bin, colours int) []byte {
	var filled []bin
	for _, b := range bins {
		if b.n > 0 {
			filled = append(filled, b)
		}
	}
	boxes := []box{newBox(filled)}
	for len(boxes) < colours {
		i := widest(boxes)
		if boxes[i].spread == 0 {
			break
		}
		low, high := boxes[i].halves()
		boxes[i] = low
		boxes = append(boxes, high)
	}
	var table []byte
	for _, b := range boxes {
		var mean [3]uint64
		for _, x := range b.bins {
			for c := range 3 {
				mean[c] += x.sum[c]
			}
		}
		for c := range 3 {
			table = append(table, byte((mean[c]+b.n/2)/b.n))
		}
	}
	return table
}

// widest is the box of which a halving gains the most.
func widest(boxes []box) int {
	best := 0
	for i, b := range boxes {
		if b.spread*b.spread*b.n > boxes[best].spread*boxes[best].spread*boxes[best].n {
			best = i
		}
	}
	return best
}

// halves splits a box of at least two bins at the median of its pixels.
func (b box) halves() (low, high box) {
	c := b.channel
	slices.SortStableFunc(b.bins, func(x, y bin) int { return cmp.Compare(x.sum[c]/x.n, y.sum[c]/y.n) })
	at, n := 1, b.bins[0].n
	for at < len(b.bins)-1 && n < b.n/2 {
		n += b.bins[at].n
		at++
	}
	return newBox(b.bins[:at]), newBox(b.bins[at:])
}
