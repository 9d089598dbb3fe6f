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
	q := &w.frame.quant[m.segment]
	plane, first, share := planeLuma, 0, int32(0)
	if !m.blocks {
		m.lumaDC, share = w.block(r, planeDC, m.lumaDC+left.lumaDC, 0, &q.lumaDC)
		share = (share + 7) / 8 // of which every block gets that much at most
		left.lumaDC = m.lumaDC
		plane, first = planeLumaWithoutDC, 1
	}
	most, sum := int32(0), int32(0)
	for y := range 4 {
		beside := left.luma[y]
		for x := range 4 {
			beside, sum = w.block(r, plane, beside+m.luma[x], first, &q.luma)
			m.luma[x] = beside
			most = max(most, sum+share)
		}
		left.luma[y] = beside
	}
	for i := 0; i < 4; i += 2 {
		for y := range 2 {
			beside := left.chroma[i+y]
			for x := range 2 {
				beside, sum = w.block(r, planeChroma, beside+m.chroma[i+x], 0, &q.chroma)
				m.chroma[i+x] = beside
				most = max(most, sum)
			}
			left.chroma[i+y] = beside
		}
	}
	w.most = max(w.most, most)
}

// block walks over the tokens of 16 coefficients from place n on. It returns 1
// unless there are none, and the sum of their magnitudes.
func (w *vp8Walk) block(r *boolReader, plane int, context uint8, n int, q *[2]int32) (uint8, int32) {
	band := coefficientBands[n]
	p := &w.frame.probs[plane][band][context]
	used := &w.used.probs[plane][band][context]
	*used |= 1
	if r.bit(p[0]) == 0 {
		return 0, 0
	}
	sum := int32(0)
	for {
		*used |= 2
		factor := q[min(n, 1)]
		n++
		band = coefficientBands[n]
		if r.bit(p[1]) == 0 { // a zero, which the end cannot follow
			if n == 16 {
				return 1, sum
			}
			p, used = &w.frame.probs[plane][band][0], &w.used.probs[plane][band][0]
			continue
		}
		value := int32(1)
		context = 1
		*used |= 4
		if r.bit(p[2]) != 0 {
			var taken uint16
			value, taken = large(r, p)
			context = 2
			*used |= taken
		}
		r.bit(128) // sign
		sum += value * factor
		if n == 16 {
			return 1, sum
		}
		p, used = &w.frame.probs[plane][band][context], &w.used.probs[plane][band][context]
		*used |= 1
		if r.bit(p[0]) == 0 {
			return 1, sum
		}
	}
}

// large reads the token of a value of 2 or more. It returns the value and which
// probabilities it took.
func large(r *boolReader, p *[probCount]uint8) (value int32, taken uint16) {
	if r.bit(p[3]) == 0 {
		if r.bit(p[4]) == 0 {
			return 2, 1<<3 | 1<<4
		}
		return 3 + int32(r.bit(p[5])), 1<<3 | 1<<4 | 1<<5
	}
	if r.bit(p[6]) == 0 {
		if r.bit(p[7]) == 0 {
			return 5 + int32(r.bit(159)), 1<<3 | 1<<6 | 1<<7
		}
		value = int32(r.bit(165))
		return 7 + 2*value + int32(r.bit(145)), 1<<3 | 1<<6 | 1<<7
	}
	high := r.bit(p[8])
	category := 2*high + r.bit(p[9+high])
	for _, extra := range categoryProbs[category] {
		value = 2*value + int32(r.bit(extra))
	}
	return value + 3 + 8<<category, 1<<3 | 1<<6 | 1<<8 | 1<<(9+high)
}
