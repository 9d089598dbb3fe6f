package pixel

import (
	"context"
	"fmt"

	"weir/sanitize/internal/picture"
)

// Median replaces each sample of a colour by the median of size × size, 3 or 5. Edges
// repeat.
func (p *Picture[T]) Median(ctx context.Context, size int) error {
	if size != 3 && size != 5 {
		return fmt.Errorf("pixel: median of %d × %d", size, size)
	}
	colours := p.colours()
	for i := range colours {
		q := &colours[i]
		out := q.result(q.Width, q.Height)
		m := newMedian[T](q.Width)
		for y := range q.Height {
			if err := picture.Checkpoint(ctx); err != nil {
				return err
			}
			if size == 3 {
				m.row3(out.row(y), q.row(y-1), q.row(y), q.row(y+1))
			} else {
				m.row5(out.row(y), [5][]T{q.row(y - 2), q.row(y - 1), q.row(y), q.row(y + 1), q.row(y + 2)})
			}
		}
		*q = out
	}
	return nil
}

// medianChunk is how many samples of a row row5 sorts at a time, so that they stay
// in the nearest cache.
const medianChunk = 128

// median holds the buffers of one plane.
type median[T Sample] struct {
	padded [5][]T // rows, or columns in order, with the edges repeated
	lanes  *[25][medianChunk]T
}

func newMedian[T Sample](width int) *median[T] {
	m := &median[T]{lanes: new([25][medianChunk]T)}
	for i := range m.padded {
		m.padded[i] = make([]T, width+4)
	}
	return m
}

// row3 sorts each column of three, which three pixels share: the median is that of
// the greatest of the least, the median of the middles and the least of the greatest.
func (m *median[T]) row3(dst, above, here, below []T) {
	n := len(dst)
	low, middle, high := m.padded[0][:n+2], m.padded[1][:n+2], m.padded[2][:n+2]
	above, here, below = above[:n], here[:n], below[:n]
	for x, a := range above {
		b, c := here[x], below[x]
		a, b = min(a, b), max(a, b)
		b, c = min(b, c), max(b, c)
		low[x+1], middle[x+1], high[x+1] = min(a, b), max(a, b), c
	}
	for _, s := range [][]T{low, middle, high} {
		s[0], s[n+1] = s[1], s[n]
	}
	for x := range dst {
		l, k, h := low[x:x+3], middle[x:x+3], high[x:x+3]
		dst[x] = middleOf(max(l[0], l[1], l[2]), middleOf(k[0], k[1], k[2]), min(h[0], h[1], h[2]))
	}
}

func middleOf[T Sample](a, b, c T) T { return max(min(a, b), min(max(a, b), c)) }

// row5 counts the 25 samples around a pixel where they have 8 bits, and else sorts
// those around many pixels at once.
func (m *median[T]) row5(dst []T, rows [5][]T) {
	n := len(dst)
	for i, row := range rows {
		p := m.padded[i]
		copy(p[2:], row)
		p[0], p[1], p[n+2], p[n+3] = row[0], row[0], row[n-1], row[n-1]
	}
	if counted, ok := any(dst).([]uint8); ok {
		padded, _ := any(&m.padded).(*[5][]uint8)
		countRow5(counted, padded)
		return
	}
	for x := 0; x < n; x += medianChunk {
		k := min(medianChunk, n-x)
		for i := range m.lanes {
			copy(m.lanes[i][:k], m.padded[i/5][x+i%5:])
		}
		for _, pair := range median25 {
			a, b := m.lanes[pair[0]][:k], m.lanes[pair[1]][:k]
			for i, v := range a {
				w := b[i]
				a[i], b[i] = min(v, w), max(v, w)
			}
		}
		copy(dst[x:x+k], m.lanes[12][:k])
	}
}

// median25 brings the median of 25 into the middle: exchanges of two places that are
// out of order (N. Devillard, "Fast median search: an ANSI C implementation", 1998).
var median25 = [...][2]uint8{
	{0, 1}, {3, 4}, {2, 4}, {2, 3}, {6, 7}, {5, 7}, {5, 6}, {9, 10}, {8, 10}, {8, 9}, {12, 13}, {11, 13},
	{11, 12}, {15, 16}, {14, 16}, {14, 15}, {18, 19}, {17, 19}, {17, 18}, {21, 22}, {20, 22}, {20, 21},
	{23, 24}, {2, 5}, {3, 6}, {0, 6}, {0, 3}, {4, 7}, {1, 7}, {1, 4}, {11, 14}, {8, 14}, {8, 11}, {12, 15},
	{9, 15}, {9, 12}, {13, 16}, {10, 16}, {10, 13}, {20, 23}, {17, 23}, {17, 20}, {21, 24}, {18, 24},
	{18, 21}, {19, 22}, {8, 17}, {9, 18}, {0, 18}, {0, 9}, {10, 19}, {1, 19}, {1, 10}, {11, 20}, {2, 20},
	{2, 11}, {12, 21}, {3, 21}, {3, 12}, {13, 22}, {4, 22}, {4, 13}, {14, 23}, {5, 23}, {5, 14}, {15, 24},
	{6, 24}, {6, 15}, {7, 16}, {7, 19}, {13, 21}, {15, 23}, {7, 13}, {7, 15}, {1, 9}, {3, 11}, {5, 17},
	{11, 17}, {9, 17}, {4, 10}, {6, 12}, {7, 14}, {4, 6}, {4, 7}, {12, 14}, {10, 14}, {6, 7}, {10, 12},
	{6, 10}, {6, 17}, {12, 17}, {7, 17}, {7, 10}, {12, 18}, {7, 12}, {10, 18}, {12, 20}, {10, 20}, {10, 12},
}

// countRow5 keeps how many of the 25 samples have each value, and each value of its
// upper four bits. From one pixel to the next, a column of five goes and one comes; the
// 13th is found in at most 32 looks, whatever the picture is.
func countRow5(dst []uint8, padded *[5][]uint8) {
	var fine [256]uint8
	var coarse [16]uint8
	for _, row := range padded {
		for _, v := range row[:4] {
			fine[v]++
			coarse[v>>4]++
		}
	}
	for x := range dst {
		for _, row := range padded {
			v := row[x+4]
			fine[v]++
			coarse[v>>4]++
		}
		left, c := uint8(13), 0
		for left > coarse[c&15] {
			left -= coarse[c&15]
			c++
		}
		v := uint8(c << 4)
		for left > fine[v] {
			left -= fine[v]
			v++
		}
		dst[x] = v
		for _, row := range padded {
			v := row[x]
			fine[v]--
			coarse[v>>4]--
		}
	}
}
