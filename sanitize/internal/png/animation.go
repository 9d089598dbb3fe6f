package png

import (
	"encoding/binary"

	"weir/sanitize/internal/picture"
)

// animation is what acTL says (§11.3.6.1) and how far its chunks were read.
type animation struct {
	declared bool
	frames   uint32
	plays    uint32
	first    *control // fcTL before IDAT
	sequence uint32   // of the next fcTL or fdAT
	begun    bool     // fcTL was read, and no data of its frame yet
}

// control is fcTL (§11.3.6.2).
type control struct {
	width, height    uint32
	x, y             uint32
	delay, per       uint16 // seconds, as a fraction
	dispose, blendOp uint8
}

const (
	controlLength = 26
	maxPlays      = 0xFFFF // as many as GIF can say; whoever asks for more means for ever

	disposeBackground = 1
	disposePrevious   = 2
)

// animate takes a chunk of an animation as the policy says.
func (s *stripper) animate(name string, p []byte) error {
	switch s.opts.Animation {
	case picture.FirstFrame: // frames are pixels, hence no metadata
		s.result.Remove(name, len(p)+12)
		return nil
	case picture.KeepAnimation:
		switch name {
		case "acTL":
			return s.readAnimation(p)
		case "fcTL":
			return s.readControl(p)
		}
		return s.readFrameData(p)
	}
	return picture.Errorf(picture.TooManyFrames, "animation (%s)", name)
}

func (s *stripper) readAnimation(p []byte) error {
	a := &s.animation
	if len(p) != 8 || a.declared || s.hasIDAT {
		return picture.Errorf(picture.Malformed, "bad, misplaced or second acTL")
	}
	a.declared = true
	a.frames, a.plays = binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if limit := max(1, s.opts.Limits.MaxFrames); int64(a.frames) > int64(limit) {
		return picture.Over(picture.TooManyFrames, "frames", int64(a.frames), int64(limit),
			"%d frames; the limit is %d", a.frames, limit)
	}
	if a.frames == 0 {
		return picture.Errorf(picture.Malformed, "an animation without frames")
	}
	if a.plays > maxPlays {
		a.plays = 0
		s.result.Remove("acTL plays", 4)
	}
	return nil
}

// next takes the sequence number that fcTL and fdAT begin with.
func (a *animation) next(name string, p []byte) error {
	if !a.declared || len(p) < 4 || binary.BigEndian.Uint32(p) != a.sequence {
		return picture.Errorf(picture.Malformed, "%s without acTL or out of sequence", name)
	}
	a.sequence++
	return nil
}

func (s *stripper) readControl(p []byte) error {
	a := &s.animation
	if err := a.next("fcTL", p); err != nil {
		return err
	}
	if len(p) != controlLength || a.begun {
		return picture.Errorf(picture.Malformed, "bad fcTL, or a frame without data")
	}
	c := parseControl(p)
	if c.width == 0 || c.height == 0 ||
		uint64(c.x)+uint64(c.width) > uint64(s.header.Width) ||
		uint64(c.y)+uint64(c.height) > uint64(s.header.Height) || c.dispose > disposePrevious || c.blendOp > 1 {
		return picture.Errorf(picture.Malformed, "fcTL: a frame beyond the picture, or a bad operation")
	}
	if !s.hasIDAT {
		if a.first != nil || c.x|c.y != 0 || int(c.width) != s.header.Width || int(c.height) != s.header.Height {
			return picture.Errorf(picture.Malformed, "the first frame is not the whole picture")
		}
		if c.dispose == disposePrevious { // there is nothing before; readers take it so
			c.dispose = disposeBackground
		}
		a.first = c
		return nil
	}
	if a.first == nil {
		return picture.Errorf(picture.Malformed, "the still picture is no frame of the animation")
	}
	if len(s.planes) >= int(a.frames) {
		return picture.Errorf(picture.Malformed, "more frames than acTL says")
	}
	h := s.header
	h.Width, h.Height = int(c.width), int(c.height)
	s.planes = append(s.planes, &plane{header: h, control: c})
	a.begun = true
	return nil
}

func parseControl(p []byte) *control {
	be := binary.BigEndian
	c := &control{width: be.Uint32(p[4:]), height: be.Uint32(p[8:]), x: be.Uint32(p[12:]), y: be.Uint32(p[16:]),
		delay: be.Uint16(p[20:]), per: be.Uint16(p[22:]), dispose: p[24], blendOp: p[25]}
	if c.per == 0 { // stands for 100
		c.per = 100
	}
	divisor := gcd(c.delay, c.per)
	c.delay, c.per = c.delay/divisor, c.per/divisor
	return c
}

// gcd is the greatest common divisor; b is not 0.
func gcd(a, b uint16) uint16 {
	for a != 0 {
		a, b = b%a, a
	}
	return b
}

func (s *stripper) readFrameData(p []byte) error {
	if err := s.animation.next("fdAT", p); err != nil {
		return err
	}
	if len(s.planes) < 2 { // not even one fcTL behind IDAT
		return picture.Errorf(picture.Malformed, "fdAT without fcTL")
	}
	s.animation.begun = false
	if p = p[4:]; len(p) == 0 {
		return s.drop("fdAT empty", 16)
	}
	s.planes[len(s.planes)-1].append(p)
	return nil
}

// checkPlanes holds, once all chunks are read, what the frames add up to against
// acTL and the limits.
func (s *stripper) checkPlanes() error {
	if !s.hasIDAT {
		return picture.Errorf(picture.Truncated, "no image data")
	}
	if s.header.ColourType == Palette && s.palette == nil {
		return picture.Errorf(picture.Malformed, "no PLTE")
	}
	a := &s.animation
	if a.declared && (a.first == nil || a.begun || len(s.planes) != int(a.frames)) {
		return picture.Errorf(picture.Malformed, "fewer frames than acTL says, or a still picture that is none")
	}
	s.planes[0].control = a.first
	var pixels, decoded int64
	for _, p := range s.planes {
		if p.length == 0 {
			return picture.Errorf(picture.Truncated, "no image data")
		}
		pixels += int64(p.header.Width) * int64(p.header.Height)
		decoded += int64(p.header.rowBytes(p.header.Width)) * int64(p.header.Height)
	}
	if limit := s.opts.Limits.MaxPixels; pixels > limit {
		return picture.Over(picture.TooManyPixels, "pixels", pixels, limit, "%d pixels in %d frames; the limit is %d",
			pixels, len(s.planes), limit)
	}
	s.result.Decoded = decoded
	return s.opts.Limits.CheckExpansion(decoded, int64(len(s.data)))
}

func (a *animation) payload() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, a.frames), a.plays)
}

func (c *control) payload(sequence uint32) []byte {
	p := make([]byte, 0, controlLength)
	for _, v := range []uint32{sequence, c.width, c.height, c.x, c.y} {
		p = binary.BigEndian.AppendUint32(p, v)
	}
	p = binary.BigEndian.AppendUint16(p, c.delay)
	p = binary.BigEndian.AppendUint16(p, c.per)
	return append(p, c.dispose, c.blendOp)
}
