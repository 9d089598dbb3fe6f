package webp

// quantFactors are by what coefficients are multiplied: the first, and the others.
type quantFactors struct{ luma, lumaDC, chroma [2]int32 }

// readQuantisers reads the quantiser indices (RFC 6386 §9.6) and works out the
// factors of each segment (§14.1).
func (f *vp8Frame) readQuantisers(c *boolCopier) {
	base := int32(c.number(7))
	var delta [5]int32 // luma DC; DC and others of the DC block; DC and others of chroma
	for i := range delta {
		v, _ := c.optional(128, 5, nonZero)
		delta[i] = signed(v)
	}
	for i := range f.quant {
		index := base
		switch {
		case f.segmented && f.absolute:
			index = f.segmentQuant[i]
		case f.segmented:
			index += f.segmentQuant[i]
		}
		q := &f.quant[i]
		q.luma = [2]int32{dcFactors[clamp(index+delta[0])], acFactors[clamp(index)]}
		q.lumaDC = [2]int32{2 * dcFactors[clamp(index+delta[1])], max(8, acFactors[clamp(index+delta[2])]*155/100)}
		q.chroma = [2]int32{min(132, dcFactors[clamp(index+delta[3])]), acFactors[clamp(index+delta[4])]}
	}
}

func clamp(index int32) int32 { return min(max(index, 0), 127) }

// signed is the value of a number whose last bit is its sign.
func signed(v uint32) int32 {
	if v&1 != 0 {
		return -int32(v >> 1)
	}
	return int32(v >> 1)
}
