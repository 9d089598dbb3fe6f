package sanitize

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// DefaultMaxTextBytes is the limit of TextOptions that name none: 1 MiB.
const DefaultMaxTextBytes = 1 << 20

// The profiles of Text.
const (
	TextBalanced = "balanced"
	TextStrict   = "strict"
)

// maxTextPasses bounds the passes of Text over one value. Real and hostile texts
// settle in the second or third; see settle.
const maxTextPasses = 8

// TextOptions say how Text treats a value. The zero value is valid.
type TextOptions struct {
	Profile  string // TextBalanced (also when empty) or TextStrict
	MaxBytes int    // limit for input and output; 0 means DefaultMaxTextBytes
}

// Validate reports an unknown profile or a negative limit.
func (o TextOptions) Validate() error {
	switch o.Profile {
	case "", TextBalanced, TextStrict:
	default:
		return fmt.Errorf("text profile %q: must be %q or %q", o.Profile, TextBalanced, TextStrict)
	}
	if o.MaxBytes < 0 {
		return fmt.Errorf("text limit of %d bytes: must not be negative", o.MaxBytes)
	}
	return nil
}

func (o TextOptions) maxBytes() int {
	if o.MaxBytes == 0 {
		return DefaultMaxTextBytes
	}
	return o.MaxBytes
}

// Text returns data as UTF-8 text without hidden characters, in Unicode
// normalisation form NFC (strict: NFKC), and a Report of what was taken out. A
// text that needs no change is returned as the same slice; any other result is
// newly allocated. Text never writes to data. Text of its own result changes
// nothing.
//
// What goes and what stays is decided by context, so that emoji sequences,
// Persian and Indic joiners, points and combining marks survive:
//
//   - Backspace and DEL erase the character before them on their line. ANSI
//     escape sequences go whole. CR, CRLF, VT, FF, NEL, U+2028 and U+2029 become
//     LF. Other controls go; TAB and LF stay.
//   - ZWNJ and ZWJ stay after a letter or mark of a script that uses joiners, one
//     at a place (ZWJ, ZWNJ after Malayalam); ZWJ stays between emoji (UTS #51).
//   - Variation selectors stay one at a time in the pairs that Unicode lists, and
//     U+E0100..U+E01EF after a Han ideograph; tag characters only in a subdivision
//     flag; U+200B between letters of scripts without word spaces; Mongolian
//     selectors, Hangul fillers and the grapheme joiner where their scripts need
//     them; LRM, RLM and ALM beside a right-to-left letter.
//   - All other default ignorable code points, noncharacters, bidirectional
//     embeddings and isolates, U+FFF9..U+FFFC and marks drawn over a letter go.
//   - A directional override (U+202D, U+202E) forges the order in which letters
//     are read, and to drop it would leave the forged order behind. It is refused
//     as TextBidiOverride in a text without right-to-left letters, and wherever a
//     letter or digit of the contrary direction follows it in its paragraph;
//     otherwise it turns nothing round and goes.
//   - Spaces become U+0020; styled, full-width and half-width characters and Latin
//     ligatures become plain ones, except full-width punctuation beside an East
//     Asian letter. At most 8 combining marks stand on one base.
//
// Unassigned and private-use characters stay. The profile strict also normalises
// to NFKC, which rewrites ², ½, ™ and the like, and is narrower: no U+200B, no
// bidirectional marks or overrides, no grapheme joiner, no private use, no
// U+E01xx selectors, only the flags of England, Scotland and Wales, at most 4
// marks and none twice in a row.
//
// Not treated: letters of one script that look like those of another (UTS #39
// confusables without a decomposition), which need a decision for each word.
// Where a script has a use for a hidden character, one that stands there without
// need still passes: a joiner after a letter of a joining script carries one bit,
// a selector after a Han ideograph a byte (strict: none). Text of Latin, Cyrillic
// or Greek letters hides nothing.
//
// A text that is an image would get by what is done with images, and is refused: the
// bytes of a file, a data: URI of one, and a text that begins as the base64 of one does,
// with whatever decoders skip before and between its letters.
//
// Refusals are TextInvalidUTF8, TextTooLong (the input or its normal form is over
// the limit), TextHoldsImage and TextBidiOverride. Sources: UAX #15, UAX #9, UTS #51, the
// Unicode Character Database, and Boucher et al., "Bad Characters" (2022).
func Text(data []byte, o TextOptions) ([]byte, Report, error) {
	report := Report{Kind: "text", Format: "utf-8"}
	if err := o.Validate(); err != nil {
		return nil, report, err
	}
	if len(data) > o.maxBytes() {
		return nil, report, tooLong(TextTooLong, len(data), o.maxBytes(), "%d bytes, limit %d")
	}
	if format := textImage(data); format != "" {
		return nil, report, refuse(TextHoldsImage, "a file of format %s", format)
	}
	if plainSpan(data) == len(data) {
		report.Action = Unchanged
		return data, report, nil
	}
	if !utf8.Valid(data) {
		return nil, report, refuse(TextInvalidUTF8, "not UTF-8")
	}
	strict := o.Profile == TextStrict
	if err := checkOverrides(data, strict); err != nil {
		return nil, report, err
	}
	var found findings
	out, err := settle(resolveControls(data, &found), strict, o.maxBytes(), &found)
	if err != nil {
		return nil, report, err
	}
	if format := textImage(out); format != "" { // which hidden characters hid
		return nil, report, refuse(TextHoldsImage, "a file of format %s", format)
	}
	report.Action = found.action(!bytes.Equal(out, data))
	report.Removed = found.removed
	return out, report, nil
}

// settle repeats removal and normalisation until neither changes the text:
// normalisation makes U+1160 out of other fillers, and a removal brings
// characters together that compose. A removal depends on characters to the left
// that are final, and on one letter or symbol to the right that no removal takes
// away, so that few passes suffice; a text that does not settle is an error. So
// is one that grows over limit bytes: NFC grows a text up to 3 times, NFKC up to 11.
func settle(text []byte, strict bool, limit int, found *findings) ([]byte, error) {
	form := norm.NFC
	if strict {
		form = norm.NFKC
	}
	for range maxTextPasses {
		scan := textScan{src: text, strict: strict}
		out, removed := scan.run(found)
		if scan.unnormalised {
			normal := form.Bytes(out)
			if len(normal) > limit {
				return nil, tooLong(TextTooLong, len(normal), limit, "%d bytes in normal form, limit %d")
			}
			if !bytes.Equal(normal, out) {
				found.renormalised = true
				text = normal
				continue
			}
		}
		text = out
		if !removed {
			return text, nil
		}
	}
	return nil, fmt.Errorf("text does not settle in %d passes", maxTextPasses)
}
