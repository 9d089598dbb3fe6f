package pixel

import (
	"context"
	"math"

	"weir/sanitize/internal/picture"
)

// fraction is the number of bits behind the point of a place in a plane.
const fraction = 16

// Rotate turns the picture clockwise about its middle by an angle in degrees, with
// linear interpolation. Where nothing comes to lie, the edges repeat.
func (p *Picture[T]) Rotate(ctx context.Context, degrees float64) error {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return p.mixed(ctx, func(q *Plane[T]) error {
		h, v := float64(q.H), float64(q.V)
		middleX, middleY := float64(p.Width)/2, float64(p.Height)/2
		out := q.result(q.Width, q.Height)
		fixed := func(f float64) int64 { return int64(math.Round(f * (1 << fraction))) }
		stepX, stepY := fixed(cos), fixed(-sin*h/v)
		for y := range q.Height {
			if err := picture.Checkpoint(ctx); err != nil {
				return err
			}
			// The place of the first sample of the row, from the middle, turned back.
			dx, dy := h/2-middleX, float64((float64(y)+.5)*v)-middleY
			x0, y0 := fixed((float64(cos*dx)+float64(sin*dy)+middleX)/h-.5), fixed((float64(cos*dy)-float64(sin*dx)+middleY)/v-.5)
			q.along(out.row(y), x0, y0, stepX, stepY)
		}
		*q = out
		return nil
	})
}

// along reads the samples on a line, from x, y in steps.
func (p *Plane[T]) along(dst []T, x, y, stepX, stepY int64) {
	maxX, maxY := int64(p.Width-1)<<fraction, int64(p.Height-1)<<fraction
	const mask = 1<<fraction - 1
	for i := range dst {
		cx, cy := min(max(x, 0), maxX), min(max(y, 0), maxY)
		column, u := int(cx>>fraction), uint64(cx&mask)
		above := p.row(int(cy >> fraction))
		below, v := p.row(int(cy>>fraction)+1), uint64(cy&mask)
		right := min(column+1, p.Width-1)
		a := uint64(above[column])*(1<<fraction-u) + uint64(above[right])*u
		b := uint64(below[column])*(1<<fraction-u) + uint64(below[right])*u
		dst[i] = T((a*(1<<fraction-v) + b*v + 1<<(2*fraction-1)) >> (2 * fraction))
		x, y = x+stepX, y+stepY
	}
}
