package jpeg

// Decoders compute the inverse DCT in different widths. libjpeg-turbo's vector code
// adds pairs of values in 16 bits: of a column of coefficients first, then of the
// eight results in a row, which it holds times 4 and which a coefficient enters with
// a factor of up to 2 cos(π/16)/√2 = 1.387. So where the absolute values of the
// dequantised coefficients of two columns that it adds, the one and the fourth from
// it, stay within 32767 / (4 × 1.387), all decoders compute the same picture; beyond,
// white becomes black in some of them. No picture of 8 bits comes close: its
// coefficients, all 64, have a Euclidean norm of at most 1024.
const maxWeight = 5900

// weight bounds the coefficients of a block: for each pair of columns the sum of their
// absolute values, dequantised.
type weight [4]uint16

// add counts a coefficient by its place in zigzag order and its absolute value.
func (w *weight) add(k, magnitude int, steps *[64]int32) error {
	sum := int(w[columns[k]]) + magnitude*max(1, int(steps[k]))
	if sum > maxWeight {
		return errWeight
	}
	w[columns[k]] = uint16(sum)
	return nil
}

func magnitude(v int32) int { return int(max(v, -v)) }

// columns is the column modulo 4 of a coefficient in zigzag order (T.81 figure A.6).
var columns = func() (out [64]uint8) {
	x, y := 0, 0
	for k := range out {
		out[k] = uint8(x % 4)
		switch up := (x+y)%2 == 0; {
		case up && x == 7:
			y++
		case up && y == 0:
			x++
		case up:
			x, y = x+1, y-1
		case y == 7:
			x++
		case x == 0:
			y++
		default:
			x, y = x-1, y+1
		}
	}
	return out
}()
