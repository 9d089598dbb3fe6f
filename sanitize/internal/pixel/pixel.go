// Package pixel holds the steps that change pixels, and the coarse digest that
// their draws are bound to.
//
// The steps work on planes of samples, each of a size of its own: a JPEG keeps its Y,
// Cb and Cr and their subsampling, and nothing is converted that a step does not
// touch. All arithmetic on samples is in integers, so that equal pictures become equal
// on every machine. Weights and places are computed in floating point, with products
// rounded before they are added (a compiler may fuse the two otherwise), and then
// rounded to 16 bits; of those, only the weights of Gaussian rest on a function that
// machines may round differently, math.Exp. Steps that mix pixels (Crop, Shrink, ShrinkPad, Rotate, Gaussian, Border)
// change alpha too; those of values (Median, Bits, JPEG) leave it.
package pixel

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
)

// NRGBA returns src with 8 bits a sample and origin 0, 0. Colour under alpha stays
// as it is. The result may share the pixels of src.
func NRGBA(src image.Image) (*image.NRGBA, error) {
	size := src.Bounds().Size()
	whole := image.Rectangle{Max: size}
	if whole.Empty() {
		return nil, fmt.Errorf("pixel: empty image")
	}
	switch s := src.(type) {
	case *image.NRGBA:
		if s.Rect == whole && s.Stride == 4*size.X {
			return s, nil
		}
	case *image.RGBA:
		if s.Rect == whole && s.Stride == 4*size.X && s.Opaque() {
			return &image.NRGBA{Pix: s.Pix, Stride: s.Stride, Rect: s.Rect}, nil
		}
	case *image.Gray, *image.YCbCr: // opaque: both layouts hold the same bytes
		out := image.NewRGBA(whole)
		stddraw.Draw(out, whole, src, src.Bounds().Min, stddraw.Src)
		return &image.NRGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}, nil
	case *image.Paletted:
		return fromPalette(s), nil
	}
	out := image.NewNRGBA(whole)
	for y := range size.Y {
		for x := range size.X {
			c := src.At(src.Bounds().Min.X+x, src.Bounds().Min.Y+y)
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(c).(color.NRGBA))
		}
	}
	return out, nil
}

func fromPalette(src *image.Paletted) *image.NRGBA {
	var colours [256]color.NRGBA
	for i, c := range src.Palette {
		colours[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	size := src.Rect.Size()
	out := image.NewNRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x, index := range src.Pix[y*src.Stride : y*src.Stride+size.X] {
			out.SetNRGBA(x, y, colours[index])
		}
	}
	return out
}
