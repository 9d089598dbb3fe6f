package pixel

import (
	"context"

	"weir/sanitize/internal/picture"
)

// Turn applies an Exif orientation of 2 to 8 (TIFF 6.0, tag 274): the picture is as
// one sees it who honours the tag. Samples move and stay as they are, but for those of
// subsampled planes whose last one reaches beyond the edge that becomes the first:
// they are interpolated. Vertical subsampling by 4 becomes one by 2.
func (p *Picture[T]) Turn(ctx context.Context, orientation uint8) error {
	if orientation < 2 || orientation > 8 {
		return nil
	}
	transpose := orientation >= 5
	// What is mirrored first, in the picture as it is stored.
	mirrorX := orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8
	mirrorY := orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7
	for i := range p.Planes {
		q := &p.Planes[i]
		if err := q.align(ctx, p.Width, p.Height, mirrorX, mirrorY); err != nil {
			return err
		}
		if err := q.turn(ctx, transpose, mirrorX, mirrorY); err != nil {
			return err
		}
		if q.V == 4 {
			height := p.Height
			if transpose {
				height = p.Width
			}
			q.V = 2
			w, h := float64(q.Width), float64(q.Height)
			if err := q.linear(ctx, triangle(q.Width, 0, 1, 0, w), triangle((height+1)/2, 0, .5, 0, h)); err != nil {
				return err
			}
		}
	}
	if transpose {
		p.Width, p.Height = p.Height, p.Width
	}
	return nil
}

// align moves the samples of a subsampled plane so that the last one, which reaches
// beyond the picture, is whole and the first is not.
func (p *Plane[T]) align(ctx context.Context, width, height int, mirrorX, mirrorY bool) error {
	dx, dy := float64(width)/float64(p.H)-float64(p.Width), float64(height)/float64(p.V)-float64(p.Height)
	if !mirrorX {
		dx = 0
	}
	if !mirrorY {
		dy = 0
	}
	if dx == 0 && dy == 0 {
		return nil
	}
	return p.linear(ctx, triangle(p.Width, dx, 1, 0, float64(p.Width)), triangle(p.Height, dy, 1, 0, float64(p.Height)))
}

// turnBlock is the side of the squares that are transposed at a time, so that rows
// and columns stay in the nearest cache.
const turnBlock = 32

func (p *Plane[T]) turn(ctx context.Context, transpose, mirrorX, mirrorY bool) error {
	width, height := p.Width, p.Height
	if transpose {
		width, height = height, width
	}
	out := p.result(width, height)
	if transpose {
		out.H, out.V = p.V, p.H
	}
	for y0 := 0; y0 < p.Height; y0 += turnBlock {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		for x0 := 0; x0 < p.Width; x0 += turnBlock {
			for y := y0; y < min(y0+turnBlock, p.Height); y++ {
				row, toY := p.row(y), y
				if mirrorY {
					toY = p.Height - 1 - y
				}
				for x := x0; x < min(x0+turnBlock, p.Width); x++ {
					toX := x
					if mirrorX {
						toX = p.Width - 1 - x
					}
					if transpose {
						out.Pix[toX*width+toY] = row[x]
					} else {
						out.Pix[toY*width+toX] = row[x]
					}
				}
			}
		}
	}
	*p = out
	return nil
}
