package sanitize

import (
	"context"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
	"weir/sanitize/tensor"
)

// geometry says where the samples of a tensor are, in elements.
type geometry struct {
	pictures, height, width, channels         int
	nextPicture, nextRow, nextColumn, nextOne int // from one picture, row, column or channel to the next
}

// geometryOf reads a shape that has been checked against its layout and its data.
func geometryOf(layout string, shape []int64) geometry {
	g := geometry{pictures: 1, channels: 1}
	step := 1
	for i := len(layout) - 1; i >= 0; i-- {
		n := int(shape[i])
		switch layout[i] {
		case 'N':
			g.pictures, g.nextPicture = n, step
		case 'H':
			g.height, g.nextRow = n, step
		case 'W':
			g.width, g.nextColumn = n, step
		case 'C':
			g.channels, g.nextOne = n, step
		}
		step *= n
	}
	return g
}

// pixelRun is the work on one tensor.
type pixelRun struct {
	options  *PixelOptions
	geometry geometry
	grids    []grid // by channel
	t        *tensor.Tensor
	out      []byte // of a profile that changes samples
}

// run checks all samples and, unless the profile leaves them, writes the result.
func (r *pixelRun) run(ctx context.Context) error {
	o, g := r.options, r.geometry
	if o.Profile == "" || o.Profile == ProfileStrip {
		scratch := make([]uint8, g.width)
		return r.load(ctx, 0, g.pictures, func(int, int) []uint8 { return scratch })
	}
	steps := profileSteps(o.Profile, o.Steps, g.width, g.height)
	r.out = make([]byte, len(r.t.Data))
	p := g.newPicture()
	row := func(c, y int) []uint8 {
		q := &p.Planes[c]
		return q.Pix[y*q.Stride : y*q.Stride+q.Width]
	}
	for n := range g.pictures {
		if err := r.load(ctx, n, n+1, row); err != nil {
			return err
		}
		if err := runSteps(ctx, p, steps, o.Key, o.Model, o.Input); err != nil {
			return err
		}
		r.store(n, row)
	}
	return nil
}

// newPicture returns black planes.
func (g geometry) newPicture() *pixel.Picture[uint8] {
	p := &pixel.Picture[uint8]{Width: g.width, Height: g.height, Planes: make([]pixel.Plane[uint8], g.channels)}
	for c := range p.Planes {
		p.Planes[c] = pixel.Plane[uint8]{Pix: make([]uint8, g.width*g.height), Stride: g.width,
			Width: g.width, Height: g.height, H: 1, V: 1}
		if c == 3 {
			p.Planes[c].Kind = pixel.Alpha
		}
	}
	return p
}

// at is the index of the first element of a row.
func (g geometry) at(n, c, y int) int { return n*g.nextPicture + c*g.nextOne + y*g.nextRow }

// load checks the pictures from first to before end, and rounds their samples to 8
// bits into the rows.
func (r *pixelRun) load(ctx context.Context, first, end int, row func(c, y int) []uint8) error {
	g := r.geometry
	for n := first; n < end; n++ {
		for c := range g.channels {
			for y := range g.height {
				if err := picture.Checkpoint(ctx); err != nil {
					return err
				}
				at := g.at(n, c, y)
				x, fault := r.grids[c].load(row(c, y), r.t.Data, at, g.nextColumn)
				if fault != "" {
					return refuse(fault, "element %d", at+x*g.nextColumn)
				}
			}
		}
	}
	return nil
}

// store writes a picture into the result.
func (r *pixelRun) store(n int, row func(c, y int) []uint8) {
	g := r.geometry
	for c := range g.channels {
		for y := range g.height {
			r.grids[c].store(r.out, row(c, y), g.at(n, c, y), g.nextColumn)
		}
	}
}
