package tiff

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/tiff"

	"weir/sanitize/internal/picture"
)

// Decode returns the picture of a file that Strip has written: an *image.Gray or
// *image.Gray16 if it is grey, else an *image.NRGBA, or with 16 bits an *image.NRGBA64.
// It is not turned by the orientation.
func Decode(ctx context.Context, data []byte) (image.Image, error) {
	img, err := tiff.Decode(picture.Reader(ctx, bytes.NewReader(data)))
	if err != nil {
		return nil, fmt.Errorf("tiff: decode: %w", err)
	}
	switch img := img.(type) {
	case *image.Gray, *image.Gray16, *image.NRGBA, *image.NRGBA64:
		return img, nil
	case *image.RGBA64:
		out := image.NewNRGBA64(img.Rect)
		return out, convert(ctx, img, func(x, y int) {
			out.SetNRGBA64(x, y, color.NRGBA64Model.Convert(img.RGBA64At(x, y)).(color.NRGBA64))
		})
	case *image.RGBA:
		out := image.NewNRGBA(img.Rect)
		return out, convert(ctx, img, func(x, y int) {
			out.SetNRGBA(x, y, color.NRGBAModel.Convert(img.RGBAAt(x, y)).(color.NRGBA))
		})
	case *image.Paletted:
		out := image.NewNRGBA(img.Rect)
		colours := make([]color.NRGBA, len(img.Palette))
		for i, c := range img.Palette {
			colours[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
		}
		return out, convert(ctx, img, func(x, y int) { out.SetNRGBA(x, y, colours[img.ColorIndexAt(x, y)]) })
	}
	return nil, fmt.Errorf("tiff: decoded to %T", img)
}

// convert calls set for every pixel.
func convert(ctx context.Context, img image.Image, set func(x, y int)) error {
	size := img.Bounds().Size()
	for y := range size.Y {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		for x := range size.X {
			set(x, y)
		}
	}
	return nil
}

// Encode writes a picture in the form that Strip leaves as it is, little-endian and
// compressed: an *image.Gray or *image.Gray16 in grey, an *image.NRGBA or
// *image.NRGBA64 in RGB, with alpha if it is not opaque. The orientation is that of
// the tag, 2 to 8, or 0 for none. The origin of img is 0.
func Encode(ctx context.Context, img image.Image, orientation uint8) ([]byte, error) {
	size := img.Bounds().Size()
	f := &form{order: binary.LittleEndian, width: size.X, height: size.Y, bits: 8, samples: 1,
		photometric: blackIsZero, compressed: true, orientation: orientation}
	switch img := img.(type) {
	case *image.Gray:
		f.take(img.Pix, img.Stride, 1)
	case *image.Gray16:
		f.bits = 16
		f.take(img.Pix, img.Stride, 1)
	case *image.NRGBA:
		f.colour(img.Opaque())
		f.take(img.Pix, img.Stride, 4)
	case *image.NRGBA64:
		f.bits = 16
		f.colour(img.Opaque())
		f.take(img.Pix, img.Stride, 4)
	default:
		return nil, fmt.Errorf("tiff: cannot encode %T", img)
	}
	return f.write(ctx)
}

func (f *form) colour(opaque bool) {
	f.photometric, f.samples, f.extra = rgb, 4, 2
	if opaque {
		f.samples, f.extra = 3, 0
	}
}

// take copies the samples of pixels that have so many in memory, where 16 bits are
// big-endian.
func (f *form) take(pix []byte, stride, samples int) {
	size := f.bits / 8
	f.rows = make([]byte, 0, f.rowBytes()*f.height)
	for y := range f.height {
		row := pix[y*stride:][:f.width*samples*size]
		for ; len(row) > 0; row = row[samples*size:] {
			for s := range f.samples {
				sample := row[s*size : (s+1)*size]
				if size == 2 {
					f.rows = append(f.rows, sample[1], sample[0])
				} else {
					f.rows = append(f.rows, sample[0])
				}
			}
		}
	}
}
