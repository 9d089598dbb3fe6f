package jpegenc

// quantiser divides coefficients times 8 by a table, rounding to the nearest and
// halves away from zero.
type quantiser struct {
	table   [64]uint8 // in zigzag order
	divisor [64]int32 // table times 8
	inverse [64]uint64
}

// inverseBits make the product with the inverse exact: the numerators have 16 bits
// and the divisors 11.
const inverseBits = 27

func (q *quantiser) set(table [64]uint8) {
	q.table = table
	for i, v := range table {
		d := 8 * int32(v)
		q.divisor[i] = d
		q.inverse[i] = (1<<inverseBits + uint64(d) - 1) / uint64(d)
	}
}

// apply writes the quotients in zigzag order, and returns a bit for each that is not
// zero.
func (q *quantiser) apply(z, b *[64]int32) (nonzero uint64) {
	for k, at := range zigzag {
		v := b[at&63]
		sign := v >> 31
		size := (v ^ sign - sign) + q.divisor[k]>>1
		if size < q.divisor[k] {
			continue
		}
		size = int32(uint64(size) * q.inverse[k] >> inverseBits)
		z[k] = size ^ sign - sign
		nonzero |= 1 << k
	}
	return nonzero
}
