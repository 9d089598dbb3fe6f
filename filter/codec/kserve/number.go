package kserve

import (
	"encoding/binary"
	"math"
	"strconv"

	"weir/filter/codec"
)

// maxNumberBytes bounds a number token; the longest shortest form of a float64
// has 24 bytes, exact decimal expansions of a float32 fewer than 160.
const maxNumberBytes = 160

// number is one JSON number token: sign, up to 19 significant digits as an
// integer, and the power of ten to multiply it by.
type number struct {
	start, end int // of the token in the source
	mantissa   uint64
	exponent   int
	negative   bool
	integer    bool // neither fraction nor exponent
	exact      bool // mantissa and exponent hold the whole value
}

// maxDigits is the number of decimal digits that always fit a uint64.
const maxDigits = 19

// number reads a number by the grammar of RFC 8259 §6 into n.
func (s *scanner) number(n *number) error {
	src, i := s.src, s.pos
	negative := i < len(src) && src[i] == '-'
	if negative {
		i++
	}
	first, mantissa := i, uint64(0)
	for i < len(src) && src[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(src[i]-'0')
		i++
	}
	count, power, integer := i-first, 0, true
	if count == 0 || count > 1 && src[first] == '0' {
		return s.malformed("expected a number")
	}
	if i < len(src) && src[i] == '.' {
		point := i + 1
		integer = false
		if mantissa, i = digits(src, point, mantissa); i == point {
			return s.malformed("number without digits after the point")
		}
		power = point - i
		count -= power
	}
	if count > maxDigits {
		count = significant(src[first:i])
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		exponent, next, ok := exponent(src, i+1)
		if !ok {
			return s.malformed("number without digits in its exponent")
		}
		power, i, integer = power+exponent, next, false
	}
	if i-s.pos > maxNumberBytes {
		return codec.Refuse(codec.JSONTooLarge, "a number has more than %d bytes", maxNumberBytes)
	}
	n.start, n.end = s.pos, i
	n.mantissa, n.exponent = mantissa, power
	n.negative, n.integer, n.exact = negative, integer, count <= maxDigits
	s.pos = i
	return nil
}

// digits reads decimal digits from src[i:], appends them to mantissa and returns
// the index after them. Eight at a time are added up in pairs, then fours, then
// all: D. Lemire, Number Parsing at a Gigabyte per Second, 2021, §3.
func digits(src []byte, i int, mantissa uint64) (uint64, int) {
	for len(src)-i >= 8 {
		v := binary.LittleEndian.Uint64(src[i:])
		const high, zeros, six = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
		if v&high != zeros || (v+six)&high != zeros {
			break
		}
		v -= zeros
		v = v*10 + v>>8
		v = (v&0x000000ff000000ff*0x000f424000000064 + v>>16&0x000000ff000000ff*0x0000271000000001) >> 32
		mantissa = mantissa*1e8 + v
		i += 8
	}
	for i < len(src) && src[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(src[i]-'0')
		i++
	}
	return mantissa, i
}

// significant counts the digits of an unsigned decimal without leading zeros.
func significant(decimal []byte) (digits int) {
	for _, c := range decimal {
		if c != '.' && (c != '0' || digits > 0) {
			digits++
		}
	}
	return digits
}

// exponent reads an optional sign and digits; its value is capped where every
// float64 has long been 0 or infinite.
func exponent(src []byte, i int) (power, next int, ok bool) {
	negative := false
	if i < len(src) && (src[i] == '+' || src[i] == '-') {
		negative = src[i] == '-'
		i++
	}
	first := i
	for i < len(src) && src[i]-'0' <= 9 {
		power = min(power*10+int(src[i]-'0'), 1<<20)
		i++
	}
	if negative {
		power = -power
	}
	return power, i, i > first
}

func outOfRange(datatype string) error {
	return codec.Refuse(codec.NumberOutOfRange, "a number is not within the range of %s", datatype)
}

// unsigned returns the value of an integer token that is at most most.
func (s *scanner) unsigned(n *number, most uint64, datatype string) (uint64, error) {
	if !n.integer {
		return 0, codec.Refuse(codec.InputDataInvalid, "%s takes integers without point or exponent", datatype)
	}
	value := n.mantissa
	if !n.exact {
		var err error
		if value, err = strconv.ParseUint(string(s.src[n.start:n.end]), 10, 64); err != nil {
			return 0, outOfRange(datatype)
		}
	}
	if value > most || n.negative && value != 0 {
		return 0, outOfRange(datatype)
	}
	return value, nil
}

// signed returns the value of an integer token from -most-1 to most.
func (s *scanner) signed(n *number, most int64, datatype string) (int64, error) {
	magnitude := *n
	magnitude.negative = false
	bound := uint64(most)
	if n.negative {
		bound++
	}
	if !n.exact {
		return 0, outOfRange(datatype) // 20 digits are above every int64
	}
	value, err := s.unsigned(&magnitude, bound, datatype)
	if n.negative {
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
	value = float64(n.mantissa)
	switch e := n.exponent; {
	case !n.exact || e < -22 || e > 22:
		return 0, false
	case e < 0:
		value /= exactPowers[-e]
	default:
		value *= exactPowers[e]
	}
	if n.integer && n.mantissa == 0 {
		return 0, true // -0 is +0, as it is for RapidJSON, which reads integers first
	}
	sign := uint64(0) // no branch: the signs of data are hard to predict
	if n.negative {
		sign = 1 << 63
	}
	return math.Float64frombits(math.Float64bits(value) | sign), true
}

// float64 returns the float64 nearest to the number. A number beyond the range
// is refused, one too small for it is 0.
func (s *scanner) float64(n *number) (float64, error) {
	// Both factors exact, one rounding: W. Clinger, How to Read Floating Point
	// Numbers Accurately, 1990.
	if n.mantissa <= 1<<53 {
		if value, ok := n.scaled(); ok {
			return value, nil
		}
	}
	value, err := strconv.ParseFloat(string(s.src[n.start:n.end]), 64)
	if err != nil {
		return 0, outOfRange("FP64")
	}
	return value, nil
}

// float32 returns the float64 of the number rounded to float32, the two roundings that Triton makes.
// A number that they take to infinity is refused.
func (s *scanner) float32(n *number) (float32, error) {
	value, ok := n.scaled()
	if !ok || n.mantissa > 1<<53 && !roundsAlike(value) {
		var err error
		if value, err = s.float64(n); err != nil {
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
