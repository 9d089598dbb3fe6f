package webp

// coefficients walks over the coefficients of a macroblock (RFC 6386 §13). m holds
// its header and, of the one above, which blocks have coefficients.
func (w *vp8Walk) coefficients(r *boolReader, m *macroblock) {
	left := &w.left
	if m.skip {
		m.luma, left.luma = [4]uint8{}, [4]uint8{}
		m.chroma, left.chroma = [4]uint8{}, [4]uint8{}
		if !m.blocks {
			m.lumaDC, left.lumaDC = 0, 0
		}
		return
	}
	plane, first := planeLuma, 0
	if !m.blocks {
		m.lumaDC = w.block(r, planeDC, m.lumaDC+left.lumaDC, 0)
		left.lumaDC = m.lumaDC
		plane, first = planeLumaWithoutDC, 1
	}
	for y := range 4 {
		beside := left.luma[y]
		for x := range 4 {
			beside = w.block(r, plane, beside+m.luma[x], first)
			m.luma[x] = beside
		}
		left.luma[y] = beside
	}
	for i := 0; i < 4; i += 2 {
		for y := range 2 {
			beside := left.chroma[i+y]
			for x := range 2 {
				beside = w.block(r, planeChroma, beside+m.chroma[i+x], 0)
				m.chroma[i+x] = beside
			}
			left.chroma[i+y] = beside
		}
	}
}

// block walks over the tokens of 16 coefficients from place n on, and returns 1
// unless there are none.
func (w *vp8Walk) block(r *boolReader, plane int, context uint8, n int) uint8 {
	band := coefficientBands[n]
	p := &w.frame.probs[plane][band][context]
	used := &w.used.probs[plane][band][context]
	*used |= 1
	if r.bit(p[0]) == 0 {
		return 0
	}
	for {
		*used |= 2
		n++
		band = coefficientBands[n]
		if r.bit(p[1]) == 0 { // a zero, which the end cannot follow
			if n == 16 {
				return 1
			}
			p, used = &w.frame.probs[plane][band][0], &w.used.probs[plane][band][0]
			continue
		}
		context = 1
		*used |= 4
		if r.bit(p[2]) != 0 {
			context = 2
			*used |= large(r, p)
		}
		r.bit(128) // sign
		if n == 16 {
			return 1
		}
		p, used = &w.frame.probs[plane][band][context], &w.used.probs[plane][band][context]
		*used |= 1
		if r.bit(p[0]) == 0 {
			return 1
		}
	}
}

// large walks over the token of a value of 2 or more, and returns which
// probabilities it took.
func large(r *boolReader, p *[probCount]uint8) uint16 {
	if r.bit(p[3]) == 0 {
		if r.bit(p[4]) == 0 {
			return 1<<3 | 1<<4
		}
		r.bit(p[5])
		return 1<<3 | 1<<4 | 1<<5
	}
	if r.bit(p[6]) == 0 {
		if r.bit(p[7]) == 0 {
			r.bit(159)
		} else {
			r.bit(165)
			r.bit(145)
		}
		return 1<<3 | 1<<6 | 1<<7
	}
	high := r.bit(p[8])
	low := r.bit(p[9+high])
	for _, extra := range categoryProbs[2*high+low] {
		r.bit(extra)
	}
	return 1<<3 | 1<<6 | 1<<8 | 1<<(9+high)
}
