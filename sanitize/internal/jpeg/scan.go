package jpeg

import (
	"bytes"

	"weir/sanitize/internal/picture"
)

// scanComponent is a component with the tables of one scan.
type scanComponent struct {
	*component
	dc, ac    *huffTable
	predicted int32 // DC of the last block
}

// scan is one SOS with its parameters (T.81 B.2.3).
type scan struct {
	components []scanComponent
	first      int  // Ss
	last       int  // Se
	high       byte // Ah
	low        byte // Al
	sequential bool
	mcuColumns int // MCUs in a row of an interleaved scan
	eobRun     int // blocks that still end at once, progressive AC
}

// scan checks SOS, writes what has to stand before it, itself in canonical form,
// and its entropy-coded data.
func (s *stripper) scan(p []byte) error {
	if s.frame == nil {
		return picture.Errorf(picture.Malformed, "SOS before SOF")
	}
	if s.scans++; s.scans > s.opts.Limits.MaxScans {
		return picture.Over(picture.TooManySegments, "scans", int64(s.scans), int64(s.opts.Limits.MaxScans),
			"more than %d scans", s.opts.Limits.MaxScans)
	}
	if s.scans == 1 {
		if err := s.writeHeader(); err != nil {
			return err
		}
	}
	n := 0
	if len(p) > 0 {
		n = int(p[0])
	}
	if n < 1 || n > len(s.frame.components) || len(p) != 4+2*n {
		return picture.Errorf(picture.Malformed, "SOS of %d bytes", len(p))
	}
	tail := p[1+2*n:]
	sc := &scan{first: int(tail[0]), last: int(tail[1]), high: tail[2] >> 4, low: tail[2] & 15}
	if !s.frame.progressive() { // the values mean nothing; decoders ignore them
		sc.first, sc.last, sc.high, sc.low, sc.sequential = 0, 63, 0, 0, true
	}
	selectors, err := s.selectComponents(sc, p[1:1+2*n])
	if err != nil {
		return err
	}
	s.writeRestart(sc)
	payload := append([]byte{byte(n)}, selectors...)
	s.write(mSOS, append(payload, byte(sc.first), byte(sc.last), sc.high<<4|sc.low)...)
	s.afterScan = true
	if s.opts.ContainerOnly {
		return s.copyScan()
	}
	return s.entropyCoded(sc)
}

// writeRestart writes DRI if it changed. An interval that no scan reaches the end of
// says nothing, and is left out.
func (s *stripper) writeRestart(sc *scan) {
	switch {
	case s.restart == s.restartSent:
		return
	case s.restartSent == 0 && s.restart >= s.mcus(sc):
		return // finish tells of it
	}
	s.write(mDRI, byte(s.restart>>8), byte(s.restart))
	s.restartSent = s.restart
}

// mcus is the number of MCUs of a scan.
func (s *stripper) mcus(sc *scan) int {
	if len(sc.components) == 1 {
		return sc.components[0].columns * sc.components[0].rows
	}
	return s.frame.columns * s.frame.rows
}

// copyScan copies the entropy-coded data up to the next marker that is no RSTn of
// its number, without the fill bytes before markers.
func (s *stripper) copyScan() error {
	for index := 0; ; index++ {
		marker, at := scanMarker(s.data, s.pos)
		if at < 0 {
			return picture.Errorf(picture.Truncated, "no EOI marker")
		}
		end := at
		for end > s.pos && s.data[end-1] == 0xFF {
			end--
		}
		if end == s.pos {
			return picture.Errorf(picture.Truncated, "scan ends before its last block")
		}
		s.out = append(s.out, s.data[s.pos:end]...)
		s.result.Remove("bytes after scan data", at-end)
		s.pos = at
		if marker < mRST0 || marker > mRST7 {
			return nil
		}
		if s.restartSent == 0 || marker != mRST0+byte(index&7) {
			return picture.Errorf(picture.Malformed, "RST%d out of order", marker-mRST0)
		}
		s.out = append(s.out, 0xFF, marker)
		s.pos += 2
	}
}

// selectComponents resolves the pairs of component and tables, checks that the
// scan may come now, and returns the pairs with unused selectors zeroed.
func (s *stripper) selectComponents(sc *scan, pairs []byte) ([]byte, error) {
	canonical := make([]byte, 0, len(pairs))
	blocks, last := 0, -1
	for ; len(pairs) > 0; pairs = pairs[2:] {
		i := s.frame.index(pairs[0])
		if i <= last { // unknown, twice, or out of the frame's order (T.81 B.2.3)
			return nil, picture.Errorf(picture.Malformed, "scan of component %d", pairs[0])
		}
		last = i
		c := &s.frame.components[i]
		blocks += c.h * c.v
		if err := s.sendQuant(c.quant, true); err != nil {
			return nil, err
		}
		if err := sc.admit(c); err != nil {
			return nil, err
		}
		c.steps = s.quant[c.quant].values()
		one := scanComponent{component: c}
		selector, err := s.selectTables(sc, &one, pairs[1])
		if err != nil {
			return nil, err
		}
		canonical = append(canonical, s.frame.identifier(i, s.header.seen().space(s.frame)), selector)
		sc.components = append(sc.components, one)
	}
	if len(sc.components) > 1 {
		if blocks > 10 || sc.first > 0 {
			return nil, picture.Errorf(picture.Malformed, "too many blocks in an interleaved scan")
		}
		return canonical, nil
	}
	return canonical, s.checkAlone(sc.components[0].component)
}

// checkAlone refuses a scan of one component out of several of which Go expects other
// blocks, or restart markers elsewhere: it goes by the MCUs of the frame.
func (s *stripper) checkAlone(c *component) error {
	f := s.frame
	if len(f.components) == 1 {
		return nil
	}
	columns, rows := min(f.columns*c.h, ceilDiv(f.width, 8)), min(f.rows*c.v, ceilDiv(f.height, 8))
	restarts := s.restart > 0 && s.restart < c.columns*c.rows
	if columns != c.columns || rows != c.rows || restarts && c.h*c.v > 1 {
		return picture.Errorf(picture.Unsupported, "a scan of one component that decoders lay out differently")
	}
	return nil
}

func (f *frame) index(id byte) int {
	for i, c := range f.components {
		if c.id == id {
			return i
		}
	}
	return -1
}

// selectTables finds the Huffman tables that the scan needs for a component.
func (s *stripper) selectTables(sc *scan, c *scanComponent, selector byte) (byte, error) {
	td, ta := selector>>4, selector&15
	if s.frame.marker == mSOF0 && (td > 1 || ta > 1) || td > 3 || ta > 3 {
		return 0, picture.Errorf(picture.Malformed, "bad table selector")
	}
	needDC := sc.sequential || sc.first == 0 && sc.high == 0
	needAC := sc.sequential || sc.first > 0
	var err error
	if !needDC {
		td = 0
	} else if c.dc, err = s.useHuffman(0, td); err != nil {
		return 0, err
	}
	if !needAC {
		ta = 0
	} else if c.ac, err = s.useHuffman(1, ta); err != nil {
		return 0, err
	}
	return td<<4 | ta, nil
}

// admit checks that the scan may come now for a component, and notes it: one scan
// in sequential mode; in progressive mode DC before AC, first scans before
// refinements, each refinement by one bit (T.81 G.1.1). libjpeg only warns.
func (sc *scan) admit(c *component) error {
	if sc.sequential {
		if c.scanned {
			return picture.Errorf(picture.Malformed, "component %d is scanned twice", c.id)
		}
		c.scanned = true
		return nil
	}
	ok := sc.first <= sc.last && sc.last <= 63 && (sc.first > 0 || sc.last == 0) &&
		sc.low <= 13 && (sc.high == 0 || sc.high == sc.low+1) && (sc.first == 0 || c.low[0] >= 0)
	if !ok {
		return picture.Errorf(picture.Malformed, "bad progression %d-%d %d/%d", sc.first, sc.last, sc.high, sc.low)
	}
	before := int8(-1)
	if sc.high > 0 {
		before = int8(sc.high)
	}
	for k := sc.first; k <= sc.last; k++ {
		if c.low[k] != before {
			return picture.Errorf(picture.Malformed, "progression of coefficient %d out of order", k)
		}
		c.low[k] = int8(sc.low)
	}
	return nil
}

// entropyCoded copies the entropy-coded data of a scan, one restart interval
// after the other, with the cursor behind SOS.
func (s *stripper) entropyCoded(sc *scan) error {
	mcus := s.mcus(sc)
	interval := mcus
	if s.restart > 0 {
		interval = s.restart
	}
	sc.mcuColumns = s.frame.columns
	sc.prepare()
	b := bitReader{data: s.data}
	for first, index := 0, 0; ; index++ {
		b.restart(s.pos)
		n := min(interval, mcus-first)
		if err := sc.walk(s.ctx, &b, first, n); err != nil {
			return err
		}
		s.copyInterval(&b)
		if first += n; first == mcus {
			return nil
		}
		if err := s.restartMarker(index); err != nil {
			return err
		}
	}
}

// prepare allocates what a progressive file has to remember of its blocks.
func (sc *scan) prepare() {
	if sc.sequential {
		return
	}
	for i := range sc.components {
		c := &sc.components[i]
		if c.weights == nil {
			c.weights = make([]weight, c.columns*c.rows)
		}
		if sc.first > 0 && c.nonzero == nil {
			c.nonzero = make([]uint64, c.columns*c.rows)
		}
	}
}

// copyInterval writes the data from the cursor to the last bit that was read, and
// sets the pad bits behind it, which may say anything, to 1 (T.81 F.1.2.3).
func (s *stripper) copyInterval(b *bitReader) {
	end, pad := b.end()
	s.out = append(s.out, s.data[s.pos:end]...)
	s.pos = end
	last := len(s.out) - 1
	if pad == 0 || s.data[end-1] == 0 && end > b.start+1 && s.data[end-2] == 0xFF {
		return // no pad bits, or the byte is a stuffed 0xFF
	}
	padded := s.out[last] | (1<<pad - 1)
	if padded == s.out[last] {
		return
	}
	s.result.Remove("pad bits", 1)
	s.out[last] = padded
	if padded == 0xFF {
		s.out = append(s.out, 0)
	}
}

// restartMarker copies RSTn and drops what stands before it.
func (s *stripper) restartMarker(index int) error {
	start := s.pos
	marker, at := scanMarker(s.data, s.pos)
	if at < 0 || marker == mEOI {
		return picture.Errorf(picture.Truncated, "scan ends before its last block")
	}
	if marker != mRST0+byte(index&7) {
		return picture.Errorf(picture.Malformed, "marker %02X for RST%d", marker, index&7)
	}
	s.pos = at + 2
	s.result.Remove("bytes after scan data", at-start)
	s.out = append(s.out, 0xFF, marker)
	return nil
}

// scanMarker returns the next marker in entropy-coded data and the place of its
// last 0xFF, or -1.
func scanMarker(data []byte, pos int) (byte, int) {
	for {
		i := bytes.IndexByte(data[pos:], 0xFF)
		if i < 0 || pos+i+1 == len(data) {
			return 0, -1
		}
		pos += i
		if m := data[pos+1]; m != 0 && m != 0xFF {
			return m, pos
		}
		pos++
	}
}
