package kserve

// fillShape returns a shape of exactly count elements that fits the one of a
// signature, in which -1 is a dimension of any size. As Triton's generate does, the
// innermost of those takes all that the fixed dimensions leave, every other is 1.
func fillShape(shape []int64, count int64) (filled []int64, ok bool) {
	for _, d := range shape {
		if d == -1 {
			continue
		}
		if d < 1 || count%d != 0 {
			return nil, false
		}
		count /= d
	}
	filled = append([]int64{}, shape...)
	for i := len(filled) - 1; i >= 0; i-- {
		if filled[i] == -1 {
			filled[i], count = count, 1
		}
	}
	return filled, count == 1
}
