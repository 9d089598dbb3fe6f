package jpeg

import (
	"weir/sanitize/internal/picture"
)

// component is one colour component of the frame (T.81 B.2.2).
type component struct {
	id, quant byte
	h, v      int // sampling factors
	columns   int // blocks that cover the picture
	rows      int

	scanned bool       // sequential: its scan was seen
	low     [64]int8   // progressive: Al of the last scan of a coefficient; -1 before
	nonzero []uint64   // progressive: a bit a coefficient, a word a block; nil before AC
	weights []weight   // progressive: of each block so far; nil before its first scan
	steps   *[64]int32 // quantisation steps in zigzag order
}

// frame is SOF.
type frame struct {
	marker        byte
	width, height int
	columns, rows int // MCUs of an interleaved scan
	components    []component
}

func (f *frame) progressive() bool { return f.marker == mSOF2 }

func (f *frame) info() picture.Info {
	return picture.Info{Width: f.width, Height: f.height, Channels: len(f.components),
		Depth: 8, Progressive: f.progressive()}
}

// startOfFrame reads SOF and holds the size against the limits.
func (s *stripper) startOfFrame(marker byte, p []byte) error {
	if s.frame != nil {
		return picture.Errorf(picture.TooManyFrames, "a second frame")
	}
	if len(p) < 6 || len(p) != 6+3*int(p[5]) {
		return picture.Errorf(picture.Malformed, "SOF of %d bytes", len(p))
	}
	f := &frame{marker: marker,
		height: int(p[1])<<8 | int(p[2]), width: int(p[3])<<8 | int(p[4])}
	if p[0] != 8 {
		return picture.Errorf(picture.Unsupported, "%d bits a sample", p[0])
	}
	if err := s.opts.Limits.CheckSize(int64(f.width), int64(f.height)); err != nil {
		return err
	}
	if n := p[5]; n != 1 && n != 3 && n != 4 {
		return picture.Errorf(picture.Unsupported, "%d components", n)
	}
	for c := p[6:]; len(c) > 0; c = c[3:] {
		if err := f.addComponent(c[0], int(c[1]>>4), int(c[1]&15), c[2]); err != nil {
			return err
		}
	}
	if !f.subsamplingIsRead() {
		return picture.Errorf(picture.Unsupported, "sampling factors that decoders do not share")
	}
	f.layOut()
	s.frame = f
	s.result.Decoded = int64(f.width) * int64(f.height) * int64(len(f.components))
	return s.opts.Limits.CheckExpansion(s.result.Decoded, int64(len(s.data)))
}

func (f *frame) addComponent(id byte, h, v int, quant byte) error {
	for _, c := range f.components {
		if c.id == id {
			return picture.Errorf(picture.Malformed, "component %d twice", id)
		}
	}
	if quant > 3 || h < 1 || h > 4 || v < 1 || v > 4 {
		return picture.Errorf(picture.Malformed, "component %d: bad table or sampling factor", id)
	}
	if h == 3 || v == 3 {
		return picture.Errorf(picture.Unsupported, "sampling factors %d × %d", h, v)
	}
	c := component{id: id, quant: quant, h: h, v: v}
	for i := range c.low {
		c.low[i] = -1
	}
	f.components = append(f.components, c)
	return nil
}

// subsamplingIsRead tells whether both libjpeg and Go read the sampling factors. Go's
// list is the shorter one: the first component is the largest, the others are a whole
// ratio of it, and are alike.
func (f *frame) subsamplingIsRead() bool {
	first := &f.components[0]
	switch len(f.components) {
	case 3:
		cb, cr := &f.components[1], &f.components[2]
		return first.v != 4 && first.h%cb.h == 0 && first.v%cb.v == 0 && cb.h == cr.h && cb.v == cr.v
	case 4:
		for i, c := range f.components[1:] {
			want := 1
			if i == 2 {
				want = first.h
			}
			if c.h != want || c.v != want {
				return false
			}
		}
		return first.h == first.v && first.h <= 2
	}
	return true
}

// subsampled tells whether a component has fewer samples than the first.
func (f *frame) subsampled() bool {
	for _, c := range f.components[1:] {
		if c.h != f.components[0].h || c.v != f.components[0].v {
			return true
		}
	}
	return false
}

// identifier is the one that libjpeg's encoder gives component i.
func (f *frame) identifier(i int, is space) byte {
	switch {
	case is == spaceRGB && len(f.components) == 3:
		return "RGB"[i]
	case is == spaceRGB && len(f.components) == 4:
		return "CMYK"[i]
	}
	return byte(i + 1)
}

// spellsRGB tells whether the identifiers do.
func (f *frame) spellsRGB() bool {
	c := f.components
	return len(c) == 3 && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B'
}

// payload is SOF in canonical form.
func (f *frame) payload(is space) []byte {
	p := []byte{8, byte(f.height >> 8), byte(f.height), byte(f.width >> 8), byte(f.width), byte(len(f.components))}
	for i, c := range f.components {
		p = append(p, f.identifier(i, is), byte(c.h<<4|c.v), c.quant)
	}
	return p
}

// layOut computes the blocks of each component (T.81 A.1.1, A.2). Factors of 1,
// 2 and 4 have integral ratios, so that every component's samples are whole.
func (f *frame) layOut() {
	hmax, vmax := 1, 1
	for _, c := range f.components {
		hmax, vmax = max(hmax, c.h), max(vmax, c.v)
	}
	f.columns, f.rows = ceilDiv(f.width, 8*hmax), ceilDiv(f.height, 8*vmax)
	for i := range f.components {
		c := &f.components[i]
		c.columns = ceilDiv(ceilDiv(f.width*c.h, hmax), 8)
		c.rows = ceilDiv(ceilDiv(f.height*c.v, vmax), 8)
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// complete tells whether every component has had its scans, in progressive mode for
// every bit of every coefficient: where some are missing, libjpeg smooths the picture.
func (f *frame) complete() error {
	for i, c := range f.components {
		whole := c.scanned
		if f.progressive() {
			whole = c.low == [64]int8{}
		}
		if !whole {
			return picture.Errorf(picture.Truncated, "component %d lacks scans", i+1)
		}
	}
	return nil
}
