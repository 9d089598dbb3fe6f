package redteam

import (
	"bytes"
	"image"
	"image/png"

	"golang.org/x/image/draw"
)

// Figure is a picture of the page.
type Figure struct {
	Caption       string
	PNG           []byte
	Width, Height int // pixels, at most figureSide
}

// figureSide is the longer side of figures. Smaller pictures keep their size.
const figureSide = 160

// figure draws a picture small. It panics never: the encoder takes every NRGBA.
func figure(caption string, img image.Image) Figure {
	small := flatten(img)
	if w, h := small.Rect.Dx(), small.Rect.Dy(); max(w, h) > figureSide {
		scaled := image.NewNRGBA(image.Rect(0, 0, max(1, w*figureSide/max(w, h)), max(1, h*figureSide/max(w, h))))
		draw.ApproxBiLinear.Scale(scaled, scaled.Rect, small, small.Rect, draw.Src, nil)
		small = scaled
	}
	var out bytes.Buffer
	_ = png.Encode(&out, small) // a buffer takes everything
	return Figure{caption, out.Bytes(), small.Rect.Dx(), small.Rect.Dy()}
}
