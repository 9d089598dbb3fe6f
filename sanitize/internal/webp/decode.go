package webp

import (
	"bytes"
	"context"
	"fmt"
	"image"

	xwebp "golang.org/x/image/webp"

	"weir/sanitize/internal/picture"
)

// Decode returns the samples of a stripped file as libwebp delivers them: the
// colours of VP8 in the range of ITU-R BT.601 and with its interpolated chroma,
// where x/image takes them for those of JPEG; a VP8L picture that says it has no
// alpha is opaque. The file must hold one picture.
func Decode(ctx context.Context, file []byte) (*image.NRGBA, error) {
	o := picture.Options{ContainerOnly: true, Limits: picture.Limits{MaxPixels: 1 << 62, MaxSide: maxSide,
		MaxSegments: 8, MaxMetadataBytes: 1 << 10}}
	s, err := read(ctx, file, o)
	if err != nil {
		return nil, err
	}
	return decode(s.frames[0])
}

// decode returns the samples of one picture.
func decode(f frame) (*image.NRGBA, error) {
	s := stripper{width: f.width, height: f.height, frames: []frame{f}}
	if err := s.write(); err != nil {
		return nil, err
	}
	img, err := xwebp.Decode(bytes.NewReader(s.result.Data))
	if err != nil {
		return nil, fmt.Errorf("webp: %w", err)
	}
	switch img := img.(type) {
	case *image.NRGBA:
		if !f.hasAlpha {
			opaque(img)
		}
		return img, nil
	case *image.YCbCr:
		out := image.NewNRGBA(img.Rect)
		opaque(out)
		convert(out, img)
		return out, nil
	case *image.NYCbCrA:
		out := image.NewNRGBA(img.Rect)
		for y := range f.height {
			for x, a := range img.A[y*img.AStride:][:f.width] {
				out.Pix[y*out.Stride+4*x+3] = a
			}
		}
		convert(out, &img.YCbCr)
		return out, nil
	}
	return nil, fmt.Errorf("webp: decoded to %T", img)
}

func opaque(img *image.NRGBA) {
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 0xFF
	}
}

// convert sets the colours of out, as libwebp does by default: each chroma sample of
// a pixel is made of the four nearest ones, weighted 9, 3, 3 and 1.
func convert(out *image.NRGBA, in *image.YCbCr) {
	width, height := in.Rect.Dx(), in.Rect.Dy()
	columns, rows := (width+1)/2, (height+1)/2
	for y := range height {
		near := y / 2
		far := min(max(near+2*(y&1)-1, 0), rows-1)
		for x := range width {
			// libwebp's weights at the left and right edge are those of the samples
			// mirrored there, but they are rounded once, not twice.
			column := x / 2
			beside := min(max(column+2*(x&1)-1, 0), columns-1)
			at := [4]int{near*in.CStride + column, near*in.CStride + beside, far*in.CStride + column, far*in.CStride + beside}
			u, v := interpolate(in.Cb, at), interpolate(in.Cr, at)
			toRGB(out.Pix[y*out.Stride+4*x:], int32(in.Y[y*in.YStride+x]), u, v)
		}
	}
}

// interpolate returns the chroma of a pixel: at holds its own sample, the one beside,
// the one above or below, and the one across. At an edge two are the same.
func interpolate(plane []uint8, at [4]int) int32 {
	own, beside := int32(plane[at[0]]), int32(plane[at[1]])
	below, across := int32(plane[at[2]]), int32(plane[at[3]])
	if at[0] == at[1] {
		return (3*own + below + 2) >> 2
	}
	diagonal := (own + beside + below + across + 8 + 2*(beside+below)) >> 3
	return (diagonal + own) >> 1
}

// toRGB converts one pixel in fixed point with 14 bits (src/dsp/yuv.h of libwebp).
func toRGB(pix []uint8, y, u, v int32) {
	high := func(v, factor int32) int32 { return v * factor >> 8 }
	luma := high(y, 19077)
	pix[0] = clip(luma + high(v, 26149) - 14234)
	pix[1] = clip(luma - high(u, 6419) - high(v, 13320) + 8708)
	pix[2] = clip(luma + high(u, 33050) - 17685)
}

func clip(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
