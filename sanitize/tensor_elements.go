package sanitize

import (
	"encoding/binary"
	"math"

	"weir/sanitize/tensor"
)

// checkFloats refuses the first element that is not finite, unless allowed, or
// out of lo..hi.
func checkFloats(t *tensor.Tensor, lo, hi float64, allowNotFinite bool) *Refusal {
	i := firstFloatOutside(t, lo, hi, allowNotFinite)
	if i < 0 {
		return nil
	}
	size := t.DataType.Size()
	if v := t.DataType.Float64(t.Data[i*size:]); math.IsNaN(v) || math.IsInf(v, 0) {
		return refuse(TensorNotFinite, "element %d is not finite", i)
	}
	return refuse(TensorRange, "element %d is out of range", i)
}

// firstFloatOutside returns the index of the first element that checkFloats
// refuses, or -1. FP32 is by far the most common and has a loop of its own.
func firstFloatOutside(t *tensor.Tensor, lo, hi float64, allowNotFinite bool) int {
	refused := func(v float64) bool {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return !allowNotFinite
		}
		return v < lo || v > hi
	}
	size := t.DataType.Size()
	if t.DataType != tensor.FP32 {
		for i := 0; i < len(t.Data); i += size {
			if refused(t.DataType.Float64(t.Data[i:])) {
				return i / size
			}
		}
		return -1
	}
	floor, ceiling := float32Bounds(lo, hi)
	for rest := t.Data; len(rest) >= 4; rest = rest[4:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(rest))
		if v >= floor && v <= ceiling {
			continue
		}
		if refused(float64(v)) {
			return (len(t.Data) - len(rest)) / 4
		}
	}
	return -1
}

// float32Bounds returns the least and the greatest finite float32 in lo..hi, so
// that one test finds what is not finite and what is out of range.
func float32Bounds(lo, hi float64) (floor, ceiling float32) {
	lo, hi = max(lo, -math.MaxFloat32), min(hi, math.MaxFloat32)
	floor, ceiling = float32(lo), float32(hi)
	if float64(floor) < lo {
		floor = math.Nextafter32(floor, float32(math.Inf(1)))
	}
	if float64(ceiling) > hi {
		ceiling = math.Nextafter32(ceiling, float32(math.Inf(-1)))
	}
	return floor, ceiling
}

// firstIntegerOutside returns the index of the first element out of lo..hi, or
// -1; BOOL is within 0..1 besides.
func firstIntegerOutside(t *tensor.Tensor, lo, hi float64) int {
	if t.DataType == tensor.Bool {
		lo, hi = max(lo, 0), min(hi, 1)
	}
	lo, hi = math.Ceil(lo), math.Floor(hi)
	switch {
	case len(t.Data) == 0, math.IsInf(lo, -1) && math.IsInf(hi, 1):
		return -1
	case lo > hi:
		return 0 // no integer is in the range
	case t.DataType == tensor.Uint64:
		return firstUint64Outside(t.Data, lo, hi)
	case lo >= 0x1p63 || hi < -0x1p63:
		return 0
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if lo > -0x1p63 {
		low = int64(lo)
	}
	if hi < 0x1p63 {
		high = int64(hi)
	}
	size := t.DataType.Size()
	for i := 0; i < len(t.Data); i += size {
		if v := integer(t.DataType, t.Data[i:]); v < low || v > high {
			return i / size
		}
	}
	return -1
}

func firstUint64Outside(data []byte, lo, hi float64) int {
	if lo >= 0x1p64 || hi < 0 {
		return 0
	}
	low, high := uint64(0), uint64(math.MaxUint64)
	if lo > 0 {
		low = uint64(lo)
	}
	if hi < 0x1p64 {
		high = uint64(hi)
	}
	for i := 0; i < len(data); i += 8 {
		if v := binary.LittleEndian.Uint64(data[i:]); v < low || v > high {
			return i / 8
		}
	}
	return -1
}

// integer reads one element of any integer datatype but UINT64.
func integer(d tensor.DataType, b []byte) int64 {
	switch d {
	case tensor.Bool, tensor.Uint8:
		return int64(b[0])
	case tensor.Int8:
		return int64(int8(b[0]))
	case tensor.Uint16:
		return int64(binary.LittleEndian.Uint16(b))
	case tensor.Int16:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case tensor.Uint32:
		return int64(binary.LittleEndian.Uint32(b))
	case tensor.Int32:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	default:
		return int64(binary.LittleEndian.Uint64(b))
	}
}
