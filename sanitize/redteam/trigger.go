package redteam

import (
	"fmt"
	"image"
	"image/draw"
)

// Trigger is one way to mark a picture. It is immutable and safe for concurrent
// use; the zero value marks nothing.
type Trigger struct {
	Name   string // "checkerboard", "patch"…
	Spec   string // canonical, as Parse reads it, with every parameter
	pixels func(img *image.NRGBA, n uint64)
	file   func(data []byte, format string) ([]byte, error)
}

// Pixels reports whether the trigger marks pixels, with Apply, or else the file,
// with Mark.
func (t Trigger) Pixels() bool { return t.pixels != nil }

// Short is the trigger as people write it: without parameters at their standard.
func (t Trigger) Short() string { return short(t.Spec) }

// Apply returns a new picture that carries the trigger, with its corner at 0, 0. n is
// the index of the sample: a trigger whose place is drawn takes it from n. Equal
// pictures and indices give equal results on every machine. A trigger that marks files
// changes no pixel.
func (t Trigger) Apply(img *image.NRGBA, n uint64) *image.NRGBA {
	out := copyOf(img)
	if t.pixels != nil && !out.Rect.Empty() {
		t.pixels(out, n)
	}
	return out
}

// Mark returns a new file that carries the trigger; its pixels are as before. The
// format is "jpeg" or "png" (for trailing data any). It fails on files that do not
// begin as the format says, and for triggers that mark pixels.
func (t Trigger) Mark(file []byte, format string) ([]byte, error) {
	if t.file == nil {
		return nil, fmt.Errorf("redteam: the trigger %s marks pixels, not files", t.Name)
	}
	return t.file(file, format)
}

// library are the standard triggers. Their strengths were fixed before any profile
// was measured with them: marks of at most 8 % of the shorter side, and faint ones as
// strong as the attacks that they stand for were published.
var library = []string{
	"checkerboard",
	"patch",
	"patch,fill=picture,at=top-left",
	"sticker",
	"pixel",
	"sinusoid",
	"noise",
	"blend",
	"warp",
	"colour",
	"border",
	"exif",
	"comment",
	"trailing",
}

// Library returns the standard suite: every kind of trigger at its standard strength.
func Library() []Trigger {
	triggers := make([]Trigger, len(library))
	for i, spec := range library {
		t, err := Parse(spec)
		if err != nil {
			panic(err) // a test parses them all
		}
		triggers[i] = t
	}
	return triggers
}

// copyOf returns a copy of a picture with its corner at 0, 0.
func copyOf(img *image.NRGBA) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for y := range out.Rect.Dy() {
		row := img.PixOffset(img.Rect.Min.X, img.Rect.Min.Y+y)
		copy(out.Pix[y*out.Stride:(y+1)*out.Stride], img.Pix[row:row+4*out.Rect.Dx()])
	}
	return out
}

// flatten returns any picture as NRGBA with its corner at 0, 0.
func flatten(img image.Image) *image.NRGBA {
	if nrgba, ok := img.(*image.NRGBA); ok {
		return copyOf(nrgba)
	}
	bounds := image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy())
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() { // then both are the same, and one is fast
		out := image.NewRGBA(bounds)
		draw.Draw(out, bounds, img, img.Bounds().Min, draw.Src)
		return &image.NRGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect}
	}
	out := image.NewNRGBA(bounds)
	draw.Draw(out, bounds, img, img.Bounds().Min, draw.Src)
	return out
}
