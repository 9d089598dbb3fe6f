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

	scanned bool     // sequential: its scan was seen
	low     [64]int8 // progressive: Al of the last scan of a coefficient; -1 before
	nonzero []uint64 // progressive: a bit a coefficient, a word a block; nil before AC
}

// frame is SOF.
type frame struct {
	marker        byte
	payload       []byte // aliases the input
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
	f := &frame{marker: marker, payload: p,
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
	f.layOut()
	s.frame = f
	decoded := int64(f.width) * int64(f.height) * int64(len(f.components))
	return s.opts.Limits.CheckExpansion(decoded, int64(len(s.data)))
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

// complete tells whether every component has had a scan.
func (f *frame) complete() error {
	for _, c := range f.components {
		if !c.scanned && c.low[0] < 0 {
			return picture.Errorf(picture.Truncated, "component %d has no scan", c.id)
		}
	}
	return nil
}
