package tensor

import (
	"encoding/binary"
	"math"
)

// Floats returns the elements of a floating-point tensor as float64, exactly.
// It returns false for every other datatype, and for data cut short.
func (t *Tensor) Floats() ([]float64, bool) {
	size := t.DataType.Size()
	if !t.DataType.Float() || len(t.Data)%size != 0 {
		return nil, false
	}
	out := make([]float64, len(t.Data)/size)
	for i := range out {
		out[i] = t.DataType.Float64(t.Data[i*size:])
	}
	return out, true
}

// Float64 returns the first element of data, which has the floating-point
// datatype d, exactly; NaN for any other datatype. It panics if data is shorter
// than one element.
func (d DataType) Float64(data []byte) float64 {
	switch d {
	case FP32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	case FP64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data))
	case BF16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(data)) << 16))
	case FP16:
		return halfToFloat(binary.LittleEndian.Uint16(data))
	}
	return math.NaN()
}

// halfToFloat widens an IEEE 754 binary16. In the place of a binary32, exponent
// and fraction of a finite one mean 2^112 times less, subnormals too.
func halfToFloat(h uint16) float64 {
	magnitude := h & 0x7FFF
	v := float64(math.Float32frombits(uint32(magnitude)<<13)) * 0x1p112
	switch {
	case magnitude > 0x7C00:
		return math.NaN()
	case magnitude == 0x7C00:
		v = math.Inf(1)
	}
	if h != magnitude {
		v = -v
	}
	return v
}

// Half rounds to the nearest IEEE 754 binary16, ties to even: the bits of one FP16
// element. What is nearer to the first number out of range is infinite.
func Half(v float64) uint16 {
	sign := uint16(math.Float64bits(v) >> 48 & 0x8000)
	size := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return 0x7E00
	case size >= 65520: // nearer to the first that is out of range
		return sign | 0x7C00
	case size < 0x1p-14: // subnormal; the carry of rounding makes it normal
		return sign | uint16(math.RoundToEven(size*0x1p24))
	}
	fraction, exponent := math.Frexp(size)
	return sign | uint16((exponent+13)<<10+int(math.RoundToEven(fraction*2048)))
}
