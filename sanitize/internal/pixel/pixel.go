// Package pixel holds the steps that change pixels, and the coarse digest that
// their draws are bound to.
//
// imaging's worker goroutines turn a panic into the end of the process, so imaging
// is given nothing but an *image.NRGBA that this package has allocated, whole and
// with at least one pixel.
package pixel

import (
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"

	"github.com/disintegration/imaging"
	"golang.org/x/image/draw"
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

// Margins are what a crop takes off each side, in pixels.
type Margins struct{ Left, Top, Right, Bottom int }

// inner is the rectangle that is left, or false if nothing is.
func (m Margins) inner(bounds image.Rectangle) (image.Rectangle, bool) {
	r := image.Rect(bounds.Min.X+m.Left, bounds.Min.Y+m.Top, bounds.Max.X-m.Right, bounds.Max.Y-m.Bottom)
	ok := m.Left >= 0 && m.Top >= 0 && m.Right >= 0 && m.Bottom >= 0 &&
		m.Left+m.Right < bounds.Dx() && m.Top+m.Bottom < bounds.Dy()
	return r, ok
}

// CropResize takes the margins off and resizes what is left to the old size, with
// the linear filter. The source, which NRGBA returned, is not changed.
func CropResize(src *image.NRGBA, m Margins) (*image.NRGBA, error) {
	r, ok := m.inner(src.Rect)
	if !ok {
		return nil, fmt.Errorf("pixel: margins %+v of a %v image", m, src.Rect.Size())
	}
	cropped := src.SubImage(r).(*image.NRGBA)
	return imaging.Resize(cropped, src.Rect.Dx(), src.Rect.Dy(), imaging.Linear), nil
}

// CropResize16 is CropResize for 16 bits a sample, for which imaging has no type.
func CropResize16(src image.Image, m Margins) (*image.NRGBA64, error) {
	r, ok := m.inner(src.Bounds())
	if !ok {
		return nil, fmt.Errorf("pixel: margins %+v of a %v image", m, src.Bounds().Size())
	}
	out := image.NewNRGBA64(image.Rectangle{Max: src.Bounds().Size()})
	draw.BiLinear.Scale(out, out.Rect, src, r, draw.Src, nil)
	return out, nil
}

// digestSide is the number of cells of the digest, across and down.
const digestSide = 8

// Digest is the mean luma of 8 × 8 cells in 4 bits each, row by row. Pictures that
// differ by little, such as one pixel or the noise of an encoder, mostly have the
// same digest. Alpha counts, so that colour that nobody sees does not.
func Digest(img *image.NRGBA) [digestSide * digestSide]byte {
	var out [digestSide * digestSide]byte
	size := img.Rect.Size()
	for i := range out {
		x, y := i%digestSide, i/digestSide
		out[i] = byte(meanLuma(img, x*size.X/digestSide, y*size.Y/digestSide,
			(x+1)*size.X/digestSide, (y+1)*size.Y/digestSide) >> 4)
	}
	return out
}

// meanLuma is the rounded mean over a cell of ITU-R BT.601 luma (16-bit integer
// weights, as in JFIF) times alpha; 0 for an empty cell.
func meanLuma(img *image.NRGBA, x0, y0, x1, y1 int) uint64 {
	sum, n := uint64(0), uint64((x1-x0)*(y1-y0))
	if n == 0 {
		return 0
	}
	for y := y0; y < y1; y++ {
		row := img.Pix[y*img.Stride+4*x0 : y*img.Stride+4*x1]
		for ; len(row) > 0; row = row[4:] {
			luma := (19595*uint64(row[0]) + 38470*uint64(row[1]) + 7471*uint64(row[2])) >> 8
			sum += luma * uint64(row[3]) / 255
		}
	}
	return (sum/n + 128) >> 8
}
