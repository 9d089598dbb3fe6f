package pixel

import (
	"context"
	"fmt"
	"math"
)

// Margins are what a crop takes off each side, in pixels.
type Margins struct{ Left, Top, Right, Bottom float64 }

// Crop takes the margins off and resizes what is left to the old size, with the
// linear filter.
func (p *Picture[T]) Crop(ctx context.Context, m Margins) error {
	width, height := float64(p.Width), float64(p.Height)
	if !(m.Left >= 0 && m.Top >= 0 && m.Right >= 0 && m.Bottom >= 0 && m.Left+m.Right < width && m.Top+m.Bottom < height) {
		return fmt.Errorf("pixel: margins %+v of %d × %d pixels", m, p.Width, p.Height)
	}
	return p.mixed(ctx, func(q *Plane[T]) error {
		// One pixel of the result is so much of the source, in a plane of any density.
		sx, sy := (width-m.Left-m.Right)/width, (height-m.Top-m.Bottom)/height
		h, v := float64(q.H), float64(q.V)
		across := triangle(q.Width, m.Left/h, sx, m.Left/h, min((width-m.Right)/h, float64(q.Width)))
		down := triangle(q.Height, m.Top/v, sy, m.Top/v, min((height-m.Bottom)/v, float64(q.Height)))
		return q.linear(ctx, across, down)
	})
}

// Shrink resizes to the factor of the sides, which is below 1, and back.
func (p *Picture[T]) Shrink(ctx context.Context, factor float64) error {
	return p.mixed(ctx, func(q *Plane[T]) error {
		width, height := q.Width, q.Height
		w, h := max(int(math.Round(float64(width)*factor)), 1), max(int(math.Round(float64(height)*factor)), 1)
		if err := q.resize(ctx, w, h); err != nil {
			return err
		}
		return q.resize(ctx, width, height)
	})
}

// resize fills the new size with the whole plane, with the linear filter.
func (p *Plane[T]) resize(ctx context.Context, width, height int) error {
	w, h := float64(p.Width), float64(p.Height)
	return p.linear(ctx, triangle(width, 0, w/float64(width), 0, w), triangle(height, 0, h/float64(height), 0, h))
}

// ShrinkPad resizes to the factor of the sides, which is below 1, and puts the result
// at the place x, y: 0 is left or above, 1 right or below. Around it, its edges
// repeat.
func (p *Picture[T]) ShrinkPad(ctx context.Context, factor, x, y float64) error {
	return p.mixed(ctx, func(q *Plane[T]) error {
		// The sizes in samples: those of the picture over what a sample covers.
		w, h := float64(p.Width)/float64(q.H), float64(p.Height)/float64(q.V)
		across := triangle(q.Width, -x*w*(1-factor)/factor, 1/factor, 0, float64(q.Width))
		down := triangle(q.Height, -y*h*(1-factor)/factor, 1/factor, 0, float64(q.Height))
		return q.linear(ctx, across, down)
	})
}

// Gaussian blurs by sigma pixels.
func (p *Picture[T]) Gaussian(ctx context.Context, sigma float64) error {
	return p.mixed(ctx, func(q *Plane[T]) error {
		return q.linear(ctx, gaussian(q.Width, sigma/float64(q.H)), gaussian(q.Height, sigma/float64(q.V)))
	})
}
