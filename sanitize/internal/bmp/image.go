package bmp

import (
	"context"
	"fmt"
	"image"

	"weir/sanitize/internal/picture"
)

// Decode returns the picture of a file that Strip has written: an *image.Gray if its
// palette is one of all greys, else an *image.NRGBA.
func Decode(ctx context.Context, data []byte, o picture.Options) (image.Image, error) {
	var ignored picture.Stripped
	b, err := readHeader(data, o, &ignored)
	if err != nil {
		return nil, err
	}
	p := &pixels{bitmap: b}
	if err := p.readRows(ctx, data, &ignored); err != nil {
		return nil, err
	}
	bounds := image.Rect(0, 0, p.width, p.height)
	y := p.height
	if p.bits == 8 && p.greyScale() {
		grey := image.NewGray(bounds)
		err = p.eachRow(ctx, func(row []byte) {
			y--
			copy(grey.Pix[y*grey.Stride:], row)
		})
		return grey, err
	}
	img := image.NewNRGBA(bounds)
	err = p.eachRow(ctx, func(row []byte) {
		y--
		out := img.Pix[y*img.Stride:][:4*p.width]
		for x := range p.width {
			p.pixel(out[4*x:4*x+4], row, x)
		}
	})
	return img, err
}

// pixel writes a pixel as red, green, blue and alpha. Five and six bits are scaled to
// 255 as Pillow does; OpenCV shifts them.
func (p *pixels) pixel(out, row []byte, x int) {
	out[3] = 0xFF
	switch {
	case p.bits <= 8:
		bit := x * p.bits
		c := p.palette[int(row[bit/8]>>(8-p.bits-bit%8))&(1<<p.bits-1)]
		out[0], out[1], out[2] = c[2], c[1], c[0]
	case p.bits == 16:
		v := int(le.Uint16(row[2*x:]))
		out[2] = byte(v & 31 * 255 / 31)
		if p.green6 {
			out[0], out[1] = byte(v>>11*255/31), byte(v>>5&63*255/63)
			return
		}
		out[0], out[1] = byte(v>>10&31*255/31), byte(v>>5&31*255/31)
	default:
		size := p.bits / 8
		out[0], out[1], out[2] = row[size*x+2], row[size*x+1], row[size*x]
		if p.alpha {
			out[3] = row[size*x+3]
		}
	}
}

// Encode writes a picture in the form that Strip leaves as it is: an *image.Gray with
// a palette of all greys, an *image.NRGBA with 24 bits a pixel, or 32 if it has alpha.
// The origin of img is 0.
func Encode(ctx context.Context, img image.Image) ([]byte, error) {
	size := img.Bounds().Size()
	b := &bitmap{width: size.X, height: size.Y}
	p := &pixels{bitmap: b}
	switch img := img.(type) {
	case *image.Gray:
		b.bits = 8
		for i := range 256 {
			b.palette = append(b.palette, entry{byte(i), byte(i), byte(i)})
		}
		for y := b.height - 1; y >= 0; y-- {
			p.rows = append(p.rows, img.Pix[y*img.Stride:][:b.width]...)
		}
		return p.write(), picture.Checkpoint(ctx)
	case *image.NRGBA:
		b.bits = 24
		if b.alpha = !img.Opaque(); b.alpha {
			b.bits = 32
		}
		for y := b.height - 1; y >= 0; y-- {
			if err := picture.Checkpoint(ctx); err != nil {
				return nil, err
			}
			for row := img.Pix[y*img.Stride:][:4*b.width]; len(row) > 0; row = row[4:] {
				p.rows = append(p.rows, row[2], row[1], row[0])
				if b.alpha {
					p.rows = append(p.rows, row[3])
				}
			}
		}
		return p.write(), nil
	}
	return nil, fmt.Errorf("bmp: cannot encode %T", img)
}
