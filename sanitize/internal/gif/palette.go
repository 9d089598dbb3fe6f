package gif

import "slices"

// settle brings what was read into the form in which it is written.
func (s *stripper) settle() error {
	if len(s.frames) == 1 {
		if err := s.fill(); err != nil {
			return err
		}
		s.settleStill()
	} else if s.loop >= 0 {
		s.result.Remove("application extension NETSCAPE2.0", s.loopBytes-loopSize)
	}
	if s.dispose() {
		s.blankTables(s.shownAnyway)
		return nil
	}
	for _, f := range s.frames {
		f.settleTransparent()
	}
	if !s.showsBackground() {
		s.background = 0
	}
	s.blankTables(func(shown *[256]bool, f *frame) {
		if f == nil && s.showsBackground() {
			shown[s.background] = true
		}
	})
	return nil
}

// settleStill drops what only an animation needs.
func (s *stripper) settleStill() {
	s.result.Remove("application extension NETSCAPE2.0", s.loopBytes)
	s.loop = -1
	c := s.frames[0].control
	switch {
	case c == nil:
	case c.transparent < 0:
		s.result.Remove("graphic control", controlSize)
		s.frames[0].control = nil
	default:
		s.frames[0].control = &control{transparent: c.transparent}
	}
}

// settleTransparent makes a transparent index that no pixel has the first such index.
// It has to stay: decoders make a picture with alpha of the file.
func (f *frame) settleTransparent() {
	t := f.transparent()
	if t < 0 || f.count[t] > 0 {
		return
	}
	changed := *f.control
	changed.transparent = slices.Index(f.count[:], 0)
	f.control = &changed
}

// dispose tells whether a decoder may show, behind or between frames, a colour that
// no pixel has: Pillow shows index 0, the transparent one, or the background.
func (s *stripper) dispose() bool {
	if len(s.frames) == 1 {
		return false
	}
	for _, f := range s.frames {
		if f.control != nil && f.control.disposal >= 2 {
			return true
		}
	}
	first := s.frames[0].rect
	return first.Dx() < s.width || first.Dy() < s.height
}

// shownAnyway marks the entries of a table that dispose is about.
func (s *stripper) shownAnyway(shown *[256]bool, _ *frame) {
	shown[0], shown[s.background] = true, true
	for _, f := range s.frames {
		if t := f.transparent(); t >= 0 {
			shown[t] = true
		}
	}
}

// showsBackground tells whether OpenCV shows the background colour: it does in place
// of transparent pixels.
func (s *stripper) showsBackground() bool {
	if s.global == nil {
		return false
	}
	for _, f := range s.frames {
		if t := f.transparent(); t >= 0 && f.count[t] > 0 {
			return true
		}
	}
	return s.dispose()
}

// blankTables blanks the entries that are not shown, in copies. mark adds to those
// that pixels have, of the local table of a frame or, for nil, of the global one.
func (s *stripper) blankTables(mark func(shown *[256]bool, f *frame)) {
	var shown, opaque [256]bool // of the global table
	needed := s.showsBackground()
	for _, f := range s.frames {
		if f.local == nil {
			needed = true
			f.mark(&shown, &opaque)
			continue
		}
		var shown, opaque [256]bool
		f.mark(&shown, &opaque)
		mark(&shown, f)
		f.local = s.blank(f.local, &shown, &opaque)
	}
	if !needed {
		s.result.Remove("global colour table", len(s.global))
		s.global, s.background = nil, 0
	}
	if s.global != nil {
		mark(&shown, nil)
		s.global = s.blank(s.global, &shown, &opaque)
	}
}

// mark notes which indices pixels have, and which of them are not transparent.
func (f *frame) mark(shown, opaque *[256]bool) {
	for i, n := range f.count {
		if n > 0 {
			shown[i] = true
			opaque[i] = opaque[i] || i != f.transparent()
		}
	}
}

// blank returns a copy of a table, black where no colour is shown and, with
// ZeroTransparent, where none is opaque.
func (s *stripper) blank(table []byte, shown, opaque *[256]bool) []byte {
	out := slices.Clone(table)
	zero := s.opts.ZeroTransparent && *shown != *opaque
	if ramp(table) && !zero {
		return out
	}
	for i := range len(out) / 3 {
		if !shown[i] || zero && !opaque[i] {
			clear(out[3*i : 3*i+3])
		}
	}
	if ramp(out) && !ramp(table) && !zero {
		out[0], out[1], out[2] = 1, 1, 1 // entry 0 is not shown, see ramp
	}
	changed := 0
	for i := range out {
		if out[i] != table[i] {
			changed++
		}
	}
	s.result.Remove("colour table unused entries", changed)
	return out
}

// ramp tells whether every entry is the grey of its index. Pillow takes such a table
// for none and the picture for a grey one, so that blanking must not make or unmake
// it; as it is, it holds nothing.
func ramp(table []byte) bool {
	for i, v := range table {
		if int(v) != i/3 {
			return false
		}
	}
	return true
}
