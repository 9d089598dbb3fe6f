package webp

import (
	"encoding/binary"
	"image"

	"weir/sanitize/internal/picture"
)

const (
	animSize       = 6
	anmfSize       = 16
	knownDisposals = 3 // bits of ANMF: dispose to background, do not blend
)

// animation reads the chunks of an animated file (RFC 9649 §2.7.1.1).
func (s *stripper) animation(c *chunkReader) error {
	if s.opts.Animation == picture.RefuseAnimation {
		return picture.Errorf(picture.TooManyFrames, "animation")
	}
	seen := false
	for c.more() {
		name, p, err := s.animationChunk(c)
		if err != nil {
			return err
		}
		switch {
		case name == "ANIM" && seen:
			return picture.Errorf(picture.Malformed, "ANIM twice")
		case name == "ANIM":
			seen = true
			err = s.readANIM(p)
		case name == "ANMF" && !seen:
			return picture.Errorf(picture.Malformed, "ANMF before ANIM")
		case name == "ANMF":
			err = s.readANMF(p)
		case name == "VP8 " || name == "VP8L":
			return picture.Errorf(picture.Malformed, "a picture beside the animation")
		default:
			err = s.metadata(name, p)
		}
		if err != nil {
			return err
		}
	}
	if len(s.frames) == 0 {
		return picture.Errorf(picture.Truncated, "no picture")
	}
	if s.opts.Animation == picture.FirstFrame {
		return s.firstFrame()
	}
	return nil
}

// animationChunk reads a chunk. Those of frames have a limit of their own.
func (s *stripper) animationChunk(c *chunkReader) (string, []byte, error) {
	if err := picture.Checkpoint(s.ctx); err != nil {
		return "", nil, err
	}
	name, p, err := c.next()
	if err == nil && name != "ANMF" {
		err = s.budget.Segment()
	}
	return name, p, err
}

// readANIM keeps the number of loops. The background colour is a hint that libwebp
// and the readers on top of it paint over with transparency.
func (s *stripper) readANIM(p []byte) error {
	if len(p) < animSize {
		return picture.Errorf(picture.Truncated, "ANIM of %d bytes", len(p))
	}
	if binary.LittleEndian.Uint32(p) != 0 {
		s.result.Remove("ANIM background colour", 4)
	}
	s.loops = binary.LittleEndian.Uint16(p[4:])
	s.result.Remove("ANIM tail", len(p)-animSize)
	return nil
}

// readANMF reads one frame.
func (s *stripper) readANMF(p []byte) error {
	if len(p) < anmfSize {
		return picture.Errorf(picture.Truncated, "ANMF of %d bytes", len(p))
	}
	if s.opts.Animation == picture.FirstFrame && len(s.frames) == 1 {
		return s.drop("ANMF", len(p)+chunkHeaderSize)
	}
	if err := s.countFrame(); err != nil {
		return err
	}
	x, y := 2*int(uint24(p)), 2*int(uint24(p[3:]))
	w, h := 1+int(uint24(p[6:])), 1+int(uint24(p[9:]))
	if x+w > s.width || y+h > s.height {
		return picture.Errorf(picture.Malformed, "frame %d lies outside the canvas", len(s.frames)+1)
	}
	f, err := s.readFramePicture(&chunkReader{data: p, pos: anmfSize, result: &s.result})
	if err != nil {
		return err
	}
	if f.width != w || f.height != h {
		return picture.Errorf(picture.Malformed, "frame %d of %d × %d pixels says %d × %d", len(s.frames)+1, f.width, f.height, w, h)
	}
	if f.hasAlpha && s.flags&flagAlpha == 0 {
		return picture.Errorf(picture.Malformed, "the alpha flag of VP8X is wrong")
	}
	f.x, f.y, f.duration, f.disposal = x, y, uint24(p[12:]), p[15]&knownDisposals
	if p[15]&^knownDisposals != 0 {
		s.result.Remove("ANMF reserved bits", 1)
	}
	s.frames = append(s.frames, f)
	return nil
}

// countFrame holds the frames, of which a reader makes a canvas each, against the
// limits.
func (s *stripper) countFrame() error {
	n := int64(len(s.frames) + 1)
	if limit := int64(max(s.opts.Limits.MaxFrames, 1)); n > limit {
		return picture.Over(picture.TooManyFrames, "frames", n, limit, "more than %d frames", limit)
	}
	if pixels, limit := n*int64(s.width)*int64(s.height), s.opts.Limits.MaxPixels; pixels > limit {
		return picture.Over(picture.TooManyPixels, "pixels", pixels, limit,
			"%d frames of %d × %d pixels; the limit is %d pixels", n, s.width, s.height, limit)
	}
	s.result.Decoded = 4 * n * int64(s.width) * int64(s.height)
	return s.opts.Limits.CheckExpansion(s.result.Decoded, int64(s.size))
}

// readFramePicture reads the chunks in ANMF.
func (s *stripper) readFramePicture(c *chunkReader) (frame, error) {
	var f frame
	name, p, err := c.next()
	if err != nil {
		return f, err
	}
	var alpha []byte
	if name == "ALPH" {
		alpha = p
		if name, p, err = c.next(); err != nil {
			return f, err
		}
	}
	if name != "VP8 " && (name != "VP8L" || alpha != nil) {
		return f, picture.Errorf(picture.Malformed, "misplaced %s in ANMF", display(name))
	}
	if f, err = s.picture(name, p, alpha); err != nil {
		return f, err
	}
	for c.more() {
		name, p, err := s.chunk(c)
		if err != nil {
			return f, err
		}
		switch name {
		case "VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF":
			return f, picture.Errorf(picture.Malformed, "misplaced %s in ANMF", display(name))
		}
		if err := s.drop("ANMF "+display(name), len(p)+chunkHeaderSize); err != nil {
			return f, err
		}
	}
	return f, nil
}

// firstFrame makes a still of the first frame, which readers draw on a transparent
// canvas, or on a black one when VP8X says that there is no alpha. A frame that is
// smaller than the canvas is decoded for that and encoded anew, lossless.
func (s *stripper) firstFrame() error {
	s.flags &^= flagAnimation
	f := s.frames[0]
	if f.width == s.width && f.height == s.height {
		return nil
	}
	part, err := decode(f)
	if err != nil {
		return err
	}
	img := image.NewNRGBA(image.Rect(0, 0, s.width, s.height))
	if s.flags&flagAlpha == 0 {
		opaque(img)
	}
	for y := range f.height {
		copy(img.Pix[(f.y+y)*img.Stride+4*f.x:], part.Pix[y*part.Stride:][:4*f.width])
	}
	s.frames[0], err = encode(s.ctx, img)
	return err
}

// appendAnimation writes ANIM and the frames.
func (s *stripper) appendAnimation(out []byte) []byte {
	out = appendChunk(out, "ANIM", binary.LittleEndian.AppendUint16(make([]byte, 4), s.loops))
	for _, f := range s.frames {
		var p []byte
		p = appendUint24(p, f.x/2)
		p = appendUint24(p, f.y/2)
		p = appendUint24(p, f.width-1)
		p = appendUint24(p, f.height-1)
		p = appendUint24(p, int(f.duration))
		p = append(p, f.disposal)
		out = appendChunk(out, "ANMF", p, appendPicture(nil, f))
	}
	return out
}
