package strictjson

import (
	"encoding/binary"

	"weir/filter/codec"
)

// Decimal is a number as it is written: sign, up to 19 significant digits as an
// integer, and the power of ten to multiply it by.
type Decimal struct {
	Token    []byte // a view into the document
	Mantissa uint64
	Exponent int
	Negative bool
	Integer  bool // neither fraction nor exponent
	Exact    bool // Mantissa and Exponent hold the whole value
}

// maxDigits is the number of decimal digits that always fit a uint64.
const maxDigits = 19

// maxNumber is the longest number that Number reads, in bytes: more than any float64
// needs to be told apart from its neighbours, less than what makes a parser of big
// numbers slow.
const maxNumber = 40

// Number reads a number and returns its token, a view into the document.
func (s *Scanner) Number() ([]byte, error) {
	s.space()
	var d Decimal
	err := s.Decimal(&d, maxNumber)
	return d.Token, err
}

// Decimal reads a number (RFC 8259 §6) of at most most bytes into d. No white space
// may stand before it.
func (s *Scanner) Decimal(d *Decimal, most int) error {
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
	if i-s.pos > most {
		return codec.Refuse(codec.JSONTooLarge, "a number has more than %d bytes", most)
	}
	d.Token = src[s.pos:i]
	d.Mantissa, d.Exponent = mantissa, power
	d.Negative, d.Integer, d.Exact = negative, integer, count <= maxDigits
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
