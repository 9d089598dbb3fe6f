package webp

// boolCopier reads the first partition and, when it has a writer, writes it anew.
type boolCopier struct {
	r boolReader
	w *boolWriter
}

func (c *boolCopier) bit(prob uint8) uint32 {
	bit := c.r.bit(prob)
	if c.w != nil {
		c.w.put(bit, prob)
	}
	return bit
}

func (c *boolCopier) flag() bool { return c.bit(128) != 0 }

func (c *boolCopier) number(bits int) (v uint32) {
	for range bits {
		v = v<<1 | c.bit(128)
	}
	return v
}

// ignored reads a number that no decoder looks at, and writes 0.
func (c *boolCopier) ignored(bits int) uint32 {
	if c.w != nil {
		for range bits {
			c.w.put(0, 128)
		}
	}
	return c.unwritten(bits)
}

// unwritten reads a number and writes nothing.
func (c *boolCopier) unwritten(bits int) (v uint32) {
	for range bits {
		v = v<<1 | c.r.bit(128)
	}
	return v
}

// optional reads a flag of the given chance and, if it is set, a number. Unless
// keep says so of the number, the flag is written as 0, and the number not at all.
func (c *boolCopier) optional(prob uint8, bits int, keep func(v uint32) bool) (uint32, bool) {
	if c.r.bit(prob) == 0 {
		if c.w != nil {
			c.w.put(0, prob)
		}
		return 0, false
	}
	v := c.unwritten(bits)
	if c.w == nil {
		return v, true
	}
	if !keep(v) {
		c.w.put(0, prob)
		return v, true
	}
	c.w.put(1, prob)
	for i := bits - 1; i >= 0; i-- {
		c.w.put(v>>i&1, 128)
	}
	return v, true
}

// nonZero keeps a signed number, its sign last, that is not 0.
func nonZero(v uint32) bool { return v>>1 != 0 }

// vp8Frame is the frame header in the first partition, as far as the walk needs it.
type vp8Frame struct {
	partitions  int
	segmented   bool
	absolute    bool // the quantisers of segments are not relative
	updateMap   bool
	level       uint32 // of the loop filter
	segmentProb [3]uint8
	quant       [4]quantFactors // by segment
	probs       coefficientProbs

	segmentQuant [4]int32
	useSkip      bool
	skipProb     uint8
}

// read reads the header (RFC 6386 §9.2 to §9.11, §19.2). When it is written anew,
// used says which parameters the data refers to; the others get their defaults.
func (f *vp8Frame) read(c *boolCopier, used *usedParams) {
	if used == nil {
		used = &usedParams{}
	}
	c.ignored(2) // colour space and clamping: decoders of WebP clamp always
	f.readSegments(c, used)
	f.readFilter(c, used)
	f.partitions = 1 << c.number(2)
	f.readQuantisers(c)
	c.ignored(1) // whether the probabilities outlive the frame
	f.probs = defaultProbs
	for p := range f.probs {
		for b := range f.probs[p] {
			for k := range f.probs[p][b] {
				for i := range f.probs[p][b][k] {
					kept := &f.probs[p][b][k][i]
					v, ok := c.optional(updateProbs[p][b][k][i], 8, func(v uint32) bool {
						return used.probs[p][b][k]>>i&1 != 0 && uint8(v) != *kept
					})
					if ok {
						*kept = uint8(v)
					}
				}
			}
		}
	}
	if f.useSkip = c.flag(); f.useSkip {
		f.skipProb = uint8(c.number(8))
	}
}

// readSegments reads the segment header (§9.3).
func (f *vp8Frame) readSegments(c *boolCopier, used *usedParams) {
	f.segmentProb = [3]uint8{255, 255, 255}
	f.absolute = true
	if f.segmented = c.flag(); !f.segmented {
		return
	}
	f.updateMap = c.flag()
	if c.flag() {
		f.absolute = c.flag()
		for i := range 4 {
			v, _ := c.optional(128, 8, func(v uint32) bool { return used.segments[i] && nonZero(v) })
			f.segmentQuant[i] = signed(v)
		}
		for i := range 4 {
			c.optional(128, 7, func(v uint32) bool { return used.filter && used.segments[i] && nonZero(v) })
		}
	}
	if !f.updateMap {
		return
	}
	reached := [3]bool{true, used.segments[0] || used.segments[1], used.segments[2] || used.segments[3]}
	for i := range f.segmentProb {
		v, ok := c.optional(128, 8, func(v uint32) bool { return reached[i] && v != 255 })
		if ok {
			f.segmentProb[i] = uint8(v)
		}
	}
}

// readFilter reads the header of the loop filter (§9.6). At level 0 the rest is not
// looked at; of the deltas, a key frame needs the first of each kind.
func (f *vp8Frame) readFilter(c *boolCopier, used *usedParams) {
	if !used.filter {
		c.ignored(1)
		f.level = c.number(6)
		c.ignored(3)
		if c.ignored(1) != 0 && c.unwritten(1) != 0 {
			for range 8 {
				if c.unwritten(1) != 0 {
					c.unwritten(7)
				}
			}
		}
		return
	}
	c.flag() // simple
	f.level = c.number(6)
	c.number(3)                 // sharpness
	if !c.flag() || !c.flag() { // deltas, new ones
		return
	}
	for range 2 {
		c.optional(128, 7, nonZero)
		for range 3 {
			c.optional(128, 7, func(uint32) bool { return false })
		}
	}
}

// readMode reads the header of a macroblock (§19.3) into m, which on entry holds
// the one above.
func (f *vp8Frame) readMode(c *boolCopier, m, left *macroblock) {
	m.segment = 0
	if f.updateMap {
		high := c.bit(f.segmentProb[0])
		m.segment = uint8(high<<1 | c.bit(f.segmentProb[1+high]))
	}
	m.skip = f.useSkip && c.bit(f.skipProb) != 0
	m.blocks = c.bit(145) == 0
	if m.blocks {
		readBlockModes(c, m, left)
	} else {
		mode := lumaMode(c)
		for i := range 4 {
			m.modes[i], left.modes[i] = mode, mode
		}
	}
	if c.bit(142) != 0 && c.bit(114) != 0 { // chroma
		c.bit(183)
	}
}

// lumaMode reads the mode of a macroblock predicted as a whole (§11.2).
func lumaMode(c *boolCopier) uint8 {
	if c.bit(156) == 0 {
		return [2]uint8{modeDC, modeVE}[c.bit(163)]
	}
	return [2]uint8{modeHE, modeTM}[c.bit(128)]
}

// readBlockModes reads the modes of 16 blocks (§11.3).
func readBlockModes(c *boolCopier, m, left *macroblock) {
	for y := range 4 {
		mode := left.modes[y]
		for x := range 4 {
			mode = blockMode(c, &blockModeProbs[m.modes[x]][mode])
			m.modes[x] = mode
		}
		left.modes[y] = mode
	}
}

func blockMode(c *boolCopier, p *[9]uint8) uint8 {
	switch {
	case c.bit(p[0]) == 0:
		return modeDC
	case c.bit(p[1]) == 0:
		return modeTM
	case c.bit(p[2]) == 0:
		return modeVE
	case c.bit(p[3]) == 0:
		if c.bit(p[4]) == 0 {
			return modeHE
		}
		return [2]uint8{modeRD, modeVR}[c.bit(p[5])]
	case c.bit(p[6]) == 0:
		return modeLD
	case c.bit(p[7]) == 0:
		return modeVL
	}
	return [2]uint8{modeHD, modeHU}[c.bit(p[8])]
}
