// Package unicode tells what a sanitiser must know about a code point: what kind
// of hidden or special character it is, which script it belongs to as far as
// that decides where joiners are legitimate, and how it behaves under
// normalisation. The tables are generated from the Unicode Character Database
// (see Version), because the standard library has neither joining types nor
// script extensions, emoji properties or variation sequences.
package unicode

import (
	"fmt"
	"slices"
)

//go:generate sh -c "python3 gen_tables.py package > tables.go && gofmt -w tables.go"

// Class says why a code point needs attention. The zero value is a code point
// that stands for itself.
type Class uint8

// The classes. The numbers are part of the generated tables.
const (
	Ordinary           Class = iota
	Control                  // C0 without TAB and LF, DEL, C1
	LineBreak                // U+2028, U+2029
	Ignorable                // default ignorable without any use in text
	Noncharacter             // U+FDD0..U+FDEF and the last two of each plane
	ZeroWidthSpace           // U+200B
	NonJoiner                // U+200C
	Joiner                   // U+200D
	VariationSelector        // U+FE00..U+FE0F, U+E0100..U+E01EF
	MongolianSelector        // U+180B..U+180F
	Tag                      // U+E0000..U+E007F
	BidiMark                 // LRM, RLM, ALM
	BidiEmbedding            // embeddings, isolates and what closes them
	BidiOverride             // U+202D, U+202E
	GraphemeJoiner           // U+034F
	HangulFiller             // U+115F, U+1160
	Space                    // spaces other than U+0020 and U+202F
	BrailleBlank             // U+2800
	NarrowNoBreakSpace       // U+202F
	PrivateUse               // category Co
	Overlay                  // marks that are drawn over or around their base
	Annotation               // U+FFF9..U+FFFC
)

// Group is a script, or a part of one, that decides about its neighbours.
type Group uint8

// The groups. The numbers are part of the generated tables.
const (
	NoGroup Group = iota
	Mongolian
	Han
	EastAsian       // kana, Hangul, Bopomofo, Yi and their punctuation
	WidePunctuation // full-width punctuation of Chinese and Japanese text
	Hebrew
	Malayalam
	JamoL // leading consonants without the filler U+115F
	JamoV // vowels without the filler U+1160
	JamoT // trailing consonants
	Braille
)

// Properties are the properties of one code point, packed: canonical combining
// class in bits 0 to 7, Class in 8 to 12, Group in 13 to 16, then the flags.
type Properties uint32

// The flags of Properties.
const (
	Letter        Properties = 1 << (17 + iota) // category L
	Mark                                        // category M
	Nonspacing                                  // categories Mn and Me
	Number                                      // category N
	Joining                                     // letter or mark of a script that uses joiners
	Unspaced                                    // letter or mark of a script without word spaces
	RightToLeft                                 // bidi classes R and AL
	Pictographic                                // Extended_Pictographic
	EmojiModifier                               // skin tones
	EmojiStyle                                  // has emoji and text variation sequences
	NFCNo                                       // NFC_Quick_Check=No
	NFCMaybe                                    // NFC_Quick_Check=Maybe
	Composes                                    // a following NFCMaybe may combine with it
	Fold                                        // has a Fold
	Compatibility                               // NFKC_Quick_Check=No and not NFCNo
)

// Masks of the parts of Properties that are not flags.
const (
	CombiningClassMask Properties = 0xFF
	ClassMask          Properties = 31 << 8
)

const blockBits = 7

// Lookup returns the properties of r; those of an invalid rune are zero.
func Lookup(r rune) Properties {
	if uint32(r) > 0x10FFFF {
		return 0
	}
	block := uint32(blockOf[r>>blockBits])
	return properties[blocks[block<<blockBits|uint32(r)&(1<<blockBits-1)]]
}

// Has reports whether any of the flags is set.
func (p Properties) Has(flags Properties) bool { return p&flags != 0 }

// CombiningClass returns the canonical combining class.
func (p Properties) CombiningClass() uint8 { return uint8(p) }

// Class returns the class.
func (p Properties) Class() Class { return Class(p >> 8 & 31) }

// Group returns the group.
func (p Properties) Group() Group { return Group(p >> 13 & 15) }

// Folded returns the plain characters that r is a styled, full-width, half-width
// or ligature form of (decomposition types font, wide and narrow, and U+FB00 to
// U+FB06), or "" if it is none. U+2139 is none, because it is an emoji.
func Folded(r rune) string { return folds[r] }

// StandardVariant reports whether base followed by selector, one of U+FE00 to
// U+FE0D, is listed in StandardizedVariants.
func StandardVariant(base, selector rune) bool {
	if selector < 0xFE00 || selector > 0xFE0D {
		return false
	}
	_, found := slices.BinarySearch(variants[:], uint32(base)<<8|uint32(selector&0xFF))
	return found
}

// Name returns "U+200B ZERO WIDTH SPACE" for the characters that are hidden one
// by one, and "U+2065" for those that have no name.
func Name(r rune) string {
	if name := names[r]; name != "" {
		return fmt.Sprintf("U+%04X %s", r, name)
	}
	return fmt.Sprintf("U+%04X", r)
}

// Named reports whether Name knows a name for r.
func Named(r rune) bool { return names[r] != "" }
