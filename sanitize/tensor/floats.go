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
		b := t.Data[i*size:]
		switch t.DataType {
		case FP32:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		case FP64:
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		case BF16:
			out[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		case FP16:
			out[i] = halfToFloat(binary.LittleEndian.Uint16(b))
		}
	}
	return out, true
}

// halfToFloat widens an IEEE 754 binary16.
func halfToFloat(h uint16) float64 {
	sign, exponent, fraction := h>>15, int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 0x1f:
		if v = math.Inf(1); fraction != 0 {
			return math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if sign != 0 {
		v = -v
	}
	return v
}
