package pixel

import (
	"context"
	"math"

	"weir/sanitize/internal/picture"
)

// oneWeight is the sum of the weights of a sample.
const oneWeight = 1 << 16

// taps are the weights of a linear filter along one axis: sample i of the result is
// the sum of n samples of the source, from first[i] on, each times its weight.
type taps struct {
	n      int
	first  []int
	weight []uint32 // n for each sample; they add up to oneWeight
}

// triangle returns the linear filter that maps a window of a row onto size samples.
// Sample i of the result lies at origin + scale × (i + ½) of the source, where the
// first sample reaches from 0 to 1. What lies beyond low..high, the window that may
// be seen, is as at its edge. Where the result has fewer samples than the source, the
// filter is wider by as much, so that it leaves nothing out (antialiasing).
func triangle(size int, origin, scale, low, high float64) *taps {
	least, most := int(math.Floor(low)), int(math.Ceil(high))-1
	radius := max(scale, 1)
	t := &taps{n: min(int(math.Ceil(2*radius)), most-least+1), first: make([]int, size)}
	t.weight = make([]uint32, size*t.n)
	shares := make([]float64, t.n)
	for i := range t.first {
		at := min(max(origin+float64(scale*(float64(i)+.5))-.5, float64(least)), float64(most))
		first := min(max(int(math.Floor(at-radius))+1, least), most-t.n+1)
		for j := range shares {
			shares[j] = max(0, 1-math.Abs(float64(first+j)-at)/radius)
		}
		t.set(i, first, shares)
	}
	return t
}

// gaussian returns the filter of a blur by sigma samples, cut off at 3 sigma and at
// the edges.
func gaussian(size int, sigma float64) *taps {
	radius := int(math.Ceil(3 * sigma))
	t := &taps{n: min(2*radius+1, size), first: make([]int, size)}
	t.weight = make([]uint32, size*t.n)
	shares := make([]float64, t.n)
	for i := range t.first {
		first := min(max(i-radius, 0), size-t.n)
		for j := range shares {
			d := float64(first + j - i)
			shares[j] = 0
			if math.Abs(d) <= float64(radius) {
				shares[j] = math.Exp(-d * d / (2 * sigma * sigma))
			}
		}
		t.set(i, first, shares)
	}
	return t
}

// set stores the shares of sample i as weights. What rounding leaves goes to the
// largest.
func (t *taps) set(i, first int, shares []float64) {
	t.first[i] = first
	sum, largest := 0.0, 0
	for j, s := range shares {
		sum += s
		if s > shares[largest] {
			largest = j
		}
	}
	w, left := t.weight[i*t.n:(i+1)*t.n], uint32(oneWeight)
	for j, s := range shares {
		w[j] = uint32(s / sum * oneWeight)
		left -= w[j]
	}
	w[largest] += left
}

// linear runs a filter across and one down, in place. It holds t.n rows between the
// two, in 16 bits.
func (p *Plane[T]) linear(ctx context.Context, across, down *taps) error {
	out := p.result(len(across.first), len(down.first))
	ring := make([][]uint16, down.n)
	for i := range ring {
		ring[i] = make([]uint16, out.Width)
	}
	window := make([][]uint16, down.n)
	sums := make([]uint32, out.Width)
	next := 0 // row of the source
	for y, first := range down.first {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		for next = max(next, first); next < first+down.n; next++ {
			filterAcross(ring[next%down.n], p.row(next), across)
		}
		for j := range window {
			window[j] = ring[(first+j)%down.n]
		}
		filterDown(out.row(y), window, down.weight[y*down.n:(y+1)*down.n], sums)
	}
	*p = out
	return nil
}

// filterAcross writes 8 bits with 8 more behind the point, and 16 bits as they are.
func filterAcross[T Sample](dst []uint16, src []T, t *taps) {
	shift := uint(8)
	if top[T]() > 255 {
		shift = 16
	}
	half := uint32(1) << (shift - 1)
	first, w := t.first[:len(dst)], t.weight
	switch t.n {
	case 2:
		for x, i := range first {
			dst[x] = uint16((uint32(src[i])*w[2*x] + uint32(src[i+1])*w[2*x+1] + half) >> (shift & 31))
		}
	case 3:
		for x, i := range first {
			s, k := src[i:i+3], w[3*x:3*x+3]
			dst[x] = uint16((uint32(s[0])*k[0] + uint32(s[1])*k[1] + uint32(s[2])*k[2] + half) >> (shift & 31))
		}
	default:
		for x, i := range first {
			sum := half
			for j, v := range src[i : i+t.n] {
				sum += uint32(v) * w[x*t.n+j]
			}
			dst[x] = uint16(sum >> (shift & 31))
		}
	}
}

// filterDown takes what filterAcross wrote.
func filterDown[T Sample](dst []T, rows [][]uint16, w []uint32, sums []uint32) {
	shift := uint(24)
	if top[T]() > 255 {
		shift = 16
	}
	half := uint32(1) << (shift - 1)
	if len(rows) == 2 {
		a, b, u, v := rows[0][:len(dst)], rows[1][:len(dst)], w[0], w[1]
		for x := range dst {
			dst[x] = T((uint32(a[x])*u + uint32(b[x])*v + half) >> (shift & 31))
		}
		return
	}
	sums = sums[:len(dst)]
	for x := range sums {
		sums[x] = half
	}
	for j, row := range rows {
		if w[j] == 0 {
			continue
		}
		for x, v := range row[:len(sums)] {
			sums[x] += uint32(v) * w[j]
		}
	}
	for x, v := range sums {
		dst[x] = T(v >> (shift & 31))
	}
}
