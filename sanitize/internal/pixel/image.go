package pixel

import (
	"encoding/binary"
	"fmt"
	"image"
)

// ratios are the subsamplings of image.YCbCr, by the pixels that a sample of Cb and
// Cr covers.
var ratios = map[[2]int]image.YCbCrSubsampleRatio{
	{1, 1}: image.YCbCrSubsampleRatio444, {2, 1}: image.YCbCrSubsampleRatio422, {2, 2}: image.YCbCrSubsampleRatio420,
	{1, 2}: image.YCbCrSubsampleRatio440, {4, 1}: image.YCbCrSubsampleRatio411, {4, 2}: image.YCbCrSubsampleRatio410,
}

// Subsampling returns how many pixels a sample of Cb and Cr covers, across and down.
func Subsampling(r image.YCbCrSubsampleRatio) (h, v int, ok bool) {
	for hv, ratio := range ratios {
		if ratio == r {
			return hv[0], hv[1], true
		}
	}
	return 0, 0, false
}

// From8 returns the planes of an image whose samples have 8 bits and which is opaque:
// the planes of a grey one or of Y, Cb and Cr, which are shared, or copies of red,
// green and blue. It returns nil for any other; that is for From16.
func From8(img image.Image) (*Picture[uint8], error) {
	size := img.Bounds().Size()
	p := &Picture[uint8]{Width: size.X, Height: size.Y}
	switch m := img.(type) {
	case *image.Gray:
		p.Planes = []Plane[uint8]{{Pix: m.Pix, Stride: m.Stride, Width: size.X, Height: size.Y, H: 1, V: 1}}
	case *image.YCbCr:
		h, v, ok := Subsampling(m.SubsampleRatio)
		if !ok || m.Rect.Min.X%4 != 0 || m.Rect.Min.Y%4 != 0 {
			return nil, fmt.Errorf("pixel: %v from %v", m.SubsampleRatio, m.Rect.Min)
		}
		cw, ch := (size.X+h-1)/h, (size.Y+v-1)/v
		p.Planes = []Plane[uint8]{
			{Pix: m.Y, Stride: m.YStride, Width: size.X, Height: size.Y, H: 1, V: 1},
			{Pix: m.Cb, Stride: m.CStride, Width: cw, Height: ch, H: h, V: v, Kind: Difference},
			{Pix: m.Cr, Stride: m.CStride, Width: cw, Height: ch, H: h, V: v, Kind: Difference},
		}
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		return nil, nil
	default:
		flat, err := NRGBA(img)
		if err != nil || !flat.Opaque() {
			return nil, err
		}
		p.Planes = split[uint8](flat.Pix, size, 3)
	}
	return p, p.Check()
}

// split copies the first n of every four samples into planes of their own. A fourth
// is alpha.
func split[T Sample](pix []uint8, size image.Point, n int) []Plane[T] {
	planes := make([]Plane[T], n)
	for i := range planes {
		planes[i] = Plane[T]{Pix: make([]T, size.X*size.Y), Stride: size.X, Width: size.X, Height: size.Y, H: 1, V: 1}
		if i == 3 {
			planes[i].Kind = Alpha
		}
		for j := range planes[i].Pix {
			planes[i].Pix[j] = widened[T](pix[4*j+i])
		}
	}
	return planes
}

// Image8 returns the image of planes that From8 returned: an *image.Gray or
// *image.YCbCr that shares them, or an *image.NRGBA.
func Image8(p *Picture[uint8]) (image.Image, error) {
	rect := image.Rect(0, 0, p.Width, p.Height)
	first := &p.Planes[0]
	switch {
	case len(p.Planes) == 1:
		return &image.Gray{Pix: first.Pix, Stride: first.Stride, Rect: rect}, nil
	case p.rgb():
		out := image.NewNRGBA(rect)
		for y := range p.Height {
			row := out.Pix[y*out.Stride:]
			r, g, b := p.Planes[0].row(y), p.Planes[1].row(y), p.Planes[2].row(y)
			for x := range r {
				q := row[4*x : 4*x+4]
				q[0], q[1], q[2], q[3] = r[x], g[x], b[x], 255
			}
		}
		return out, nil
	}
	blue, red := &p.Planes[1], &p.Planes[2]
	ratio, ok := ratios[[2]int{blue.H, blue.V}]
	if !ok || blue.Stride != red.Stride {
		return nil, fmt.Errorf("pixel: no image is subsampled by %d × %d", blue.H, blue.V)
	}
	return &image.YCbCr{Y: first.Pix, Cb: blue.Pix, Cr: red.Pix, YStride: first.Stride, CStride: blue.Stride,
		SubsampleRatio: ratio, Rect: rect}, nil
}

// From16 returns the planes of any image in 16 bits, as copies: grey, or red, green
// and blue, with alpha if there is any that is not opaque. Colours count by it.
func From16(img image.Image) (*Picture[uint16], error) {
	size := img.Bounds().Size()
	p := &Picture[uint16]{Width: size.X, Height: size.Y}
	switch m := img.(type) {
	case *image.Gray16:
		p.Planes = newPlanes(size, 1)
		for y := range size.Y {
			row := p.Planes[0].row(y)
			for x := range row {
				row[x] = m.Gray16At(m.Rect.Min.X+x, m.Rect.Min.Y+y).Y
			}
		}
		return p, p.Check()
	case *image.RGBA64:
		p.Planes = deep(m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], m.Stride, size, true)
	case *image.NRGBA64:
		p.Planes = deep(m.Pix[m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y):], m.Stride, size, false)
	default:
		flat, err := NRGBA(img)
		if err != nil {
			return nil, err
		}
		p.Planes = split[uint16](flat.Pix, size, 4)
	}
	p.Weighted = !p.opaque()
	if !p.Weighted {
		p.Planes = p.Planes[:3]
	}
	return p, p.Check()
}

func newPlanes(size image.Point, n int) []Plane[uint16] {
	planes := make([]Plane[uint16], n)
	for i := range planes {
		planes[i] = Plane[uint16]{Pix: make([]uint16, size.X*size.Y), Stride: size.X, Width: size.X, Height: size.Y, H: 1, V: 1}
	}
	if n == 4 {
		planes[3].Kind = Alpha
	}
	return planes
}

// deep reads pixels of four samples of 16 bits, big-endian. Colours that were
// multiplied by alpha are divided by it.
func deep(pix []uint8, stride int, size image.Point, multiplied bool) []Plane[uint16] {
	planes := newPlanes(size, 4)
	for y := range size.Y {
		alpha := planes[3].row(y)
		for x := range alpha {
			alpha[x] = binary.BigEndian.Uint16(pix[y*stride+8*x+6:])
		}
		for c := range 3 {
			row := planes[c].row(y)
			for x, a := range alpha {
				v := binary.BigEndian.Uint16(pix[y*stride+8*x+2*c:])
				if multiplied && a != 0xFFFF && a != 0 {
					v = uint16(min(uint32(v)*0xFFFF/uint32(a), 0xFFFF))
				}
				row[x] = v
			}
		}
	}
	return planes
}

func (p *Picture[T]) opaque() bool {
	for _, v := range p.alpha().Pix {
		if int(v) != top[T]() {
			return false
		}
	}
	return true
}

// Image16 returns the image of planes that From16 returned: an *image.Gray16 or
// *image.NRGBA64, or where the source had 8 bits an *image.NRGBA.
func Image16(p *Picture[uint16], narrow bool) image.Image {
	rect := image.Rect(0, 0, p.Width, p.Height)
	if len(p.Planes) == 1 {
		out := image.NewGray16(rect)
		for i, v := range p.Planes[0].Pix {
			out.Pix[2*i], out.Pix[2*i+1] = uint8(v>>8), uint8(v)
		}
		return out
	}
	planes := p.four()
	if narrow {
		out := image.NewNRGBA(rect)
		for y := range p.Height {
			row := out.Pix[y*out.Stride:]
			for c := range planes {
				for x, v := range planes[c].row(y) {
					row[4*x+c] = narrowed(v)
				}
			}
		}
		return out
	}
	out := image.NewNRGBA64(rect)
	for y := range p.Height {
		row := out.Pix[y*out.Stride:]
		for c := range planes {
			for x, v := range planes[c].row(y) {
				binary.BigEndian.PutUint16(row[8*x+2*c:], v)
			}
		}
	}
	return out
}

// four returns the planes with one of full alpha, of which all rows are one, where
// there is none.
func (p *Picture[T]) four() []Plane[T] {
	if len(p.Planes) == 4 {
		return p.Planes
	}
	full := make([]T, p.Width)
	for x := range full {
		full[x] = T(top[T]())
	}
	return append(p.Planes[:3:3], Plane[T]{Pix: full, Width: p.Width, Height: p.Height})
}
