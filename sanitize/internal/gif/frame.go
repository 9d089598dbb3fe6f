package gif

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"

	"weir/sanitize/internal/picture"
)

// frame is one image with what its decoding needs.
type frame struct {
	rect    image.Rectangle // on the canvas
	local   []byte          // colour table; nil for the global one
	control *control        // nil for none
	pix     []byte          // indices, row by row from the top
	count   [256]int        // pixels of each index
}

func (f *frame) transparent() int {
	if f.control == nil {
		return -1
	}
	return f.control.transparent
}

// descriptor reads an image descriptor and the local colour table (§20, §21).
func (s *stripper) descriptor() (rect image.Rectangle, local []byte, interlaced bool, err error) {
	p, err := s.take(9)
	if err != nil {
		return rect, nil, false, err
	}
	at := func(i int) int { return int(binary.LittleEndian.Uint16(p[i:])) }
	rect = image.Rect(at(0), at(2), at(0)+at(4), at(2)+at(6))
	if rect.Empty() || !rect.In(image.Rect(0, 0, s.width, s.height)) {
		return rect, nil, false, picture.Errorf(picture.Malformed, "a frame that is empty or off the canvas")
	}
	if p[8]&flagTable != 0 {
		local, err = s.take(tableSize(p[8]))
	}
	return rect, local, p[8]&flagInterlace != 0, err
}

// admitFrame holds the number of frames and their pixels against the limits.
func (s *stripper) admitFrame() error {
	n := len(s.frames) + 1
	limits := s.opts.Limits
	most := 1
	if s.opts.Animation == picture.KeepAnimation {
		most = max(1, limits.MaxFrames)
	}
	if n > most {
		return picture.Over(picture.TooManyFrames, "frames", int64(n), int64(most), "more frames than %d", most)
	}
	pixels := int64(s.width) * int64(s.height) * int64(n)
	if pixels > limits.MaxPixels {
		return picture.Over(picture.TooManyPixels, "pixels", pixels, limits.MaxPixels,
			"%d frames of %d × %d pixels; the limit is %d pixels", n, s.width, s.height, limits.MaxPixels)
	}
	s.result.Decoded = pixels
	return limits.CheckExpansion(pixels, int64(len(s.data)))
}

func (s *stripper) readFrame(ctx context.Context) error {
	if err := s.admitFrame(); err != nil {
		return err
	}
	rect, local, interlaced, err := s.descriptor()
	if err != nil {
		return err
	}
	f := &frame{rect: rect, local: local, control: s.control}
	s.control = nil
	// OpenCV goes on with the transparent index of the frame before.
	if n := len(s.frames); n > 0 && f.control == nil && s.frames[n-1].transparent() >= 0 {
		return picture.Errorf(picture.Malformed, "no graphic control behind a frame that had a transparent index")
	}
	literals, err := s.take(1)
	if err != nil {
		return err
	}
	if literals[0] < 2 || literals[0] > 8 {
		return picture.Errorf(picture.Malformed, "codes of %d bits", literals[0])
	}
	f.pix = make([]byte, rect.Dx()*rect.Dy())
	r := &lzwReader{s: s, literals: uint(literals[0])}
	if err := r.decode(ctx, f.pix); err != nil {
		return err
	}
	if interlaced {
		f.pix = deinterlaced(f.pix, rect.Dx(), rect.Dy())
	}
	s.frames = append(s.frames, f)
	return s.countColours(f)
}

// countColours counts the pixels of each index. An index must have a colour, or be
// the transparent one.
func (s *stripper) countColours(f *frame) error {
	for _, v := range f.pix {
		f.count[v]++
	}
	table := f.local
	if table == nil {
		table = s.global
	}
	if table == nil {
		return picture.Errorf(picture.Malformed, "no colour table")
	}
	for i := len(table) / 3; i < len(f.count); i++ {
		if f.count[i] > 0 && i != f.transparent() {
			return picture.Errorf(picture.Malformed, "colour index %d of %d", i, len(table)/3)
		}
	}
	return nil
}

// skipFrame walks over a frame, and its control, without decoding it.
func (s *stripper) skipFrame(ctx context.Context) error {
	s.control = nil
	if _, _, _, err := s.descriptor(); err != nil {
		return err
	}
	if _, err := s.take(1); err != nil {
		return err
	}
	_, err := s.eachBlock(ctx, func([]byte) error { return nil })
	return err
}

// deinterlaced returns rows that are stored in four passes (appendix E) in order.
func deinterlaced(pix []byte, width, height int) []byte {
	out := make([]byte, 0, len(pix))
	stored := make([]int, height) // place of each row
	n := 0
	for _, pass := range [...]struct{ start, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		for y := pass.start; y < height; y += pass.step {
			stored[y] = n
			n++
		}
	}
	for _, row := range stored {
		out = append(out, pix[row*width:(row+1)*width]...)
	}
	return out
}

// fill makes the frame of a still picture as large as the canvas, if it is smaller.
// Around it, Pillow shows the transparent index, or index 0 if there is none, and
// OpenCV the background colour, as it does in place of transparent pixels.
func (s *stripper) fill() error {
	f := s.frames[0]
	canvas := image.Rect(0, 0, s.width, s.height)
	if f.rect == canvas {
		return nil
	}
	index := f.transparent()
	if index < 0 {
		index = 0
		table := f.local
		if table == nil {
			table = s.global
		}
		background := []byte{0, 0, 0} // OpenCV's without a global colour table
		if s.global != nil {
			background = s.global[3*s.background : 3*s.background+3]
		}
		if !bytes.Equal(table[:3], background) {
			return picture.Errorf(picture.Unsupported, "a frame smaller than the canvas, around which decoders show different colours")
		}
	}
	pix := bytes.Repeat([]byte{byte(index)}, s.width*s.height)
	for y := range f.rect.Dy() {
		at := (f.rect.Min.Y+y)*s.width + f.rect.Min.X
		copy(pix[at:], f.pix[y*f.rect.Dx():(y+1)*f.rect.Dx()])
	}
	f.count[index] += len(pix) - len(f.pix)
	f.pix, f.rect = pix, canvas
	return nil
}
