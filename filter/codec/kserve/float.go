package kserve

import (
	"bytes"
	"math"
	"strconv"
)

// appendFloat prints a float64 as RapidJSON's Writer does with the flag
// kWriteNanAndInf that Triton sets: as appendShortest; NaN and infinities, for
// which JSON has no form, as the tokens that Triton and its clients use.
func appendFloat(w []byte, value float64) []byte {
	switch {
	case math.IsNaN(value):
		return append(w, "NaN"...)
	case math.IsInf(value, 0) && value > 0:
		return append(w, "Infinity"...)
	case math.IsInf(value, 0):
		return append(w, "-Infinity"...)
	}
	return appendShortest(w, value, 64)
}

// appendShortest prints a finite number that a float of so many bits holds, with a
// point or an exponent always: the shortest digits that read back to the same float.
func appendShortest(w []byte, value float64, bits int) []byte {
	var buffer [32]byte
	text := strconv.AppendFloat(buffer[:0], value, 'e', -1, bits) // [-]d[.ddd]e±dd
	if text[0] == '-' {
		w = append(w, '-')
		text = text[1:]
	}
	e := bytes.IndexByte(text, 'e')
	exponent := 0
	for _, c := range text[e+2:] {
		exponent = exponent*10 + int(c-'0')
	}
	if text[e+1] == '-' {
		exponent = -exponent
	}
	digits := text[:1]
	if e > 1 {
		text[1] = text[0]
		digits = text[1:e]
	}
	return appendDecimal(w, digits, exponent+1)
}

// appendDecimal lays out 0.digits × 10^point as the function Prettify of
// RapidJSON (rapidjson/internal/dtoa.h) does.
func appendDecimal(w, digits []byte, point int) []byte {
	switch {
	case len(digits) <= point && point <= 21: // 1234e7 -> 12340000000.0
		w = append(w, digits...)
		for range point - len(digits) {
			w = append(w, '0')
		}
		return append(w, ".0"...)
	case 0 < point && point <= 21: // 1234e-2 -> 12.34
		return append(append(append(w, digits[:point]...), '.'), digits[point:]...)
	case -6 < point && point <= 0: // 1234e-6 -> 0.001234
		w = append(w, "0."...)
		for range -point {
			w = append(w, '0')
		}
		return append(w, digits...)
	}
	w = append(w, digits[0])
	if len(digits) > 1 {
		w = append(append(w, '.'), digits[1:]...)
	}
	return strconv.AppendInt(append(w, 'e'), int64(point-1), 10)
}
