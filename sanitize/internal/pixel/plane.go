package pixel

import (
	"context"
	"fmt"

	"weir/sanitize/internal/picture"
)

// Sample is the type of the samples of a plane: 8 or 16 bits, from 0 to the largest
// number of the type.
type Sample interface{ uint8 | uint16 }

// Kind is what the samples of a plane mean.
type Kind uint8

// The kinds of planes.
const (
	Light      Kind = iota // grey, luma, red, green or blue
	Difference             // Cb or Cr: the middle of the range stands for none
	Alpha
)

// Plane is a rectangle of samples.
type Plane[T Sample] struct {
	Pix           []T // row by row
	Stride        int // from one row to the next
	Width, Height int // samples
	H, V          int // pixels of the picture that a sample covers, across and down
	Kind          Kind

	spare []T // for the next result
}

// row returns the samples of one row; y beyond the edges is the row at the edge.
func (p *Plane[T]) row(y int) []T {
	y = min(max(y, 0), p.Height-1)
	return p.Pix[y*p.Stride : y*p.Stride+p.Width]
}

// result returns room for a plane that takes the place of p, of another size. Two
// buffers take turns, so that steps which follow each other allocate no more.
func (p *Plane[T]) result(width, height int) Plane[T] {
	out := *p
	out.Width, out.Height, out.Stride = width, height, width
	if n := width * height; cap(p.spare) >= n {
		out.Pix = p.spare[:n]
	} else {
		out.Pix = make([]T, n, max(n, p.Width*p.Height)) // so that a shrunk one can grow again
	}
	out.spare = p.Pix
	return out
}

// Picture is a picture in planes. It owns their samples: a step may use them for its
// result.
type Picture[T Sample] struct {
	Width, Height int // pixels
	Planes        []Plane[T]

	// Weighted says that colour counts by its alpha where pixels are mixed, so that
	// none that nobody sees comes to light. It needs 16 bits, since colours are
	// multiplied by their alpha and divided again.
	Weighted bool
}

// colours returns the planes without alpha: grey, or Y, Cb and Cr, or red, green and
// blue.
func (p *Picture[T]) colours() []Plane[T] {
	if n := len(p.Planes); p.Planes[n-1].Kind == Alpha {
		return p.Planes[:n-1]
	}
	return p.Planes
}

// alpha returns the plane of alpha, or nil.
func (p *Picture[T]) alpha() *Plane[T] {
	if last := &p.Planes[len(p.Planes)-1]; last.Kind == Alpha {
		return last
	}
	return nil
}

// Check reports planes that do not make up a picture: steps rely on them.
func (p *Picture[T]) Check() error {
	n := len(p.Planes)
	if n < 1 || n > 4 || p.Width < 1 || p.Height < 1 {
		return fmt.Errorf("pixel: %d planes of %d × %d pixels", n, p.Width, p.Height)
	}
	for i := range p.Planes {
		q := &p.Planes[i]
		if q.H < 1 || q.V < 1 || q.Width != (p.Width+q.H-1)/q.H || q.Height != (p.Height+q.V-1)/q.V ||
			q.Stride < q.Width || len(q.Pix) < (q.Height-1)*q.Stride+q.Width {
			return fmt.Errorf("pixel: plane %d of %d × %d samples", i, q.Width, q.Height)
		}
	}
	return nil
}

// top is the largest sample.
func top[T Sample]() int { return int(^T(0)) }

// mixed runs a step that mixes pixels on every plane, colours weighted by alpha if
// the picture says so.
func (p *Picture[T]) mixed(ctx context.Context, step func(*Plane[T]) error) error {
	if p.Weighted {
		p.multiply()
	}
	for i := range p.Planes {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		if err := step(&p.Planes[i]); err != nil {
			return err
		}
	}
	if p.Weighted {
		p.divide()
	}
	return nil
}

// multiply makes each colour its product with alpha.
func (p *Picture[T]) multiply() {
	p.eachWeighted(func(row, alpha []T) {
		most := uint32(top[T]())
		for x, a := range alpha {
			row[x] = T((uint32(row[x])*uint32(a) + most/2) / most)
		}
	})
}

// divide takes it back. Colour under alpha 0 is 0.
func (p *Picture[T]) divide() {
	p.eachWeighted(func(row, alpha []T) {
		most := uint32(top[T]())
		for x, a := range alpha {
			if a == 0 {
				row[x] = 0
				continue
			}
			row[x] = T(min((uint32(row[x])*most+uint32(a)/2)/uint32(a), most))
		}
	})
}

func (p *Picture[T]) eachWeighted(f func(row, alpha []T)) {
	alpha := p.alpha()
	if alpha == nil {
		return
	}
	for i := range p.colours() {
		for y := range p.Planes[i].Height {
			f(p.Planes[i].row(y), alpha.row(y))
		}
	}
}
