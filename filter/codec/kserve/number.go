package kserve

import (
	"math"
	"strconv"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
)

// maxNumberBytes bounds a number token; the longest shortest form of a float64
// has 24 bytes, exact decimal expansions of a float32 fewer than 160.
const maxNumberBytes = 160

// number is one JSON number, with the values that it has for Triton.
type number struct{ strictjson.Decimal }

// read reads a number into n.
func (n *number) read(s *strictjson.Scanner) error { return s.Decimal(&n.Decimal, maxNumberBytes) }

func outOfRange(datatype string) error {
	return codec.Refuse(codec.NumberOutOfRange, "a number is not within the range of %s", datatype)
}

// unsigned returns the value of an integer token that is at most most.
func (n *number) unsigned(most uint64, datatype string) (uint64, error) {
	if !n.Integer {
		return 0, codec.Refuse(codec.InputDataInvalid, "%s takes integers without point or exponent", datatype)
	}
	value := n.Mantissa
	if !n.Exact {
		var err error
		if value, err = strconv.ParseUint(string(n.Token), 10, 64); err != nil {
			return 0, outOfRange(datatype)
		}
	}
	if value > most || n.Negative && value != 0 {
		return 0, outOfRange(datatype)
	}
	return value, nil
}

// signed returns the value of an integer token from -most-1 to most.
func (n *number) signed(most int64, datatype string) (int64, error) {
	magnitude := *n
	magnitude.Negative = false
	bound := uint64(most)
	if n.Negative {
		bound++
	}
	if !n.Exact {
		return 0, outOfRange(datatype) // 20 digits are above every int64
	}
	value, err := magnitude.unsigned(bound, datatype)
	if n.Negative {
		return -int64(value), err
	}
	return int64(value), err
}

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// scaled returns mantissa × 10^exponent with at most two roundings, if one exact
// power of ten is enough for it.
func (n *number) scaled() (value float64, ok bool) {
	value = float64(n.Mantissa)
	switch e := n.Exponent; {
	case !n.Exact || e < -22 || e > 22:
		return 0, false
	case e < 0:
		value /= exactPowers[-e]
	default:
		value *= exactPowers[e]
	}
	if n.Integer && n.Mantissa == 0 {
		return 0, true // -0 is +0, as it is for RapidJSON, which reads integers first
	}
	sign := uint64(0) // no branch: the signs of data are hard to predict
	if n.Negative {
		sign = 1 << 63
	}
	return math.Float64frombits(math.Float64bits(value) | sign), true
}

// float64 returns the float64 nearest to the number. A number beyond the range
// is refused, one too small for it is 0.
func (n *number) float64() (float64, error) {
	// Both factors exact, one rounding: W. Clinger, How to Read Floating Point
	// Numbers Accurately, 1990.
	if n.Mantissa <= 1<<53 {
		if value, ok := n.scaled(); ok {
			return value, nil
		}
	}
	value, err := strconv.ParseFloat(string(n.Token), 64)
	if err != nil {
		return 0, outOfRange("FP64")
	}
	return value, nil
}

// float32 returns the float64 of the number rounded to float32, the two roundings that Triton makes.
// A number that they take to infinity is refused.
func (n *number) float32() (float32, error) {
	value, ok := n.scaled()
	if !ok || n.Mantissa > 1<<53 && !roundsAlike(value) {
		var err error
		if value, err = n.float64(); err != nil {
			return 0, outOfRange("FP32")
		}
	}
	single := float32(value)
	if math.IsInf(float64(single), 0) {
		return 0, outOfRange("FP32")
	}
	return single, nil
}

// roundsAlike reports whether all float64 within 4 units in the last place of
// value round to the same float32. That covers the two roundings of scaled,
// which are off by less than 2 units: only near the middle between two float32
// must the value be exact. What scaled returns is 0 or at least 1e-22, so no
// float32 of it is subnormal.
func roundsAlike(value float64) bool {
	const dropped = 52 - 23 // bits of a float64 mantissa that a float32 lacks
	middle := int64(math.Float64bits(value)&(1<<dropped-1)) - 1<<(dropped-1)
	return middle < -4 || middle > 4
}
