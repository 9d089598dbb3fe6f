package pixel

import (
	"context"
	"math"

	"weir/sanitize/internal/picture"
)

// Bits rounds colours to so many bits, 1 to 7. Of a difference, no colour stays none.
func (p *Picture[T]) Bits(ctx context.Context, depth int) error {
	for _, q := range p.colours() {
		table := rounded[T](depth, q.Kind)
		for y := range q.Height {
			if err := picture.Checkpoint(ctx); err != nil {
				return err
			}
			row := q.row(y)
			for x, v := range row {
				row[x] = table[v]
			}
		}
	}
	return nil
}

// rounded maps each sample to the nearest of 1<<depth steps, or of a difference to
// the nearest that is whole steps from the middle.
func rounded[T Sample](depth int, kind Kind) []T {
	most := top[T]()
	zero := 0
	if kind == Difference {
		zero = (most + 1) / 2
	}
	step := float64(most) / float64(int(1)<<depth-1)
	table := make([]T, most+1)
	for v := range table {
		near := float64(zero) + float64(math.Round(float64(v-zero)/step)*step)
		table[v] = T(min(max(math.Round(near), 0), float64(most)))
	}
	return table
}

// Border replaces a frame of so many pixels by the samples next to it. Of a picture
// that is all frame, the middle stays.
func (p *Picture[T]) Border(ctx context.Context, pixels int) error {
	return p.mixed(ctx, func(q *Plane[T]) error {
		left := min((pixels+q.H-1)/q.H, (q.Width-1)/2)
		top := min((pixels+q.V-1)/q.V, (q.Height-1)/2)
		for y := range q.Height {
			row, from := q.row(y), q.row(min(max(y, top), q.Height-1-top))
			copy(row, from)
			for x := range left {
				row[x], row[q.Width-1-x] = from[left], from[q.Width-1-left]
			}
		}
		return nil
	})
}
