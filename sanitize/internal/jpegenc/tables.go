package jpegenc

import "weir/sanitize/internal/huffman"

// zigzag holds, for each place of the zigzag sequence, the place in the block
// (T.81 figure 5).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// Classes of tables: the first component, or all of RGB, and the colour differences.
const (
	luma = iota
	chroma
	classes
)

// baseQuant are the quantisation tables K.1 and K.2 of T.81, in zigzag order.
var baseQuant = [classes][64]uint8{{
	16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
	26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
	56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
	95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
}, {
	17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
	99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
}}

// scaled returns the table of a quality of 1 to 100, as libjpeg scales it.
func scaled(base *[64]uint8, quality int) (table [64]uint8) {
	percent := 200 - 2*quality
	if quality < 50 {
		percent = 5000 / quality
	}
	for i, v := range base {
		table[i] = uint8(min(max((int(v)*percent+50)/100, 1), 255))
	}
	return table
}

// huffCodes maps a symbol to its code<<8 | length.
type huffCodes [256]uint32

// codes assigns the codes of a table (T.81 annex C).
func codes(s *huffman.Spec) *huffCodes {
	t := new(huffCodes)
	code, next := uint32(0), 0
	for length, n := range s.Counts {
		for range n {
			t[s.Symbols[next]] = code<<8 | uint32(length+1)
			code++
			next++
		}
		code <<= 1
	}
	return t
}

var dcCodes, acCodes = codesOf(&huffman.DC), codesOf(&huffman.AC)

func codesOf(specs *[classes]huffman.Spec) (t [classes]*huffCodes) {
	for i := range specs {
		t[i] = codes(&specs[i])
	}
	return t
}
