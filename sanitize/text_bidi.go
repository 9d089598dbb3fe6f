package sanitize

import (
	"bytes"

	"weir/sanitize/internal/unicode"
)

const (
	leftToRightOverride = '\u202D'
	rightToLeftOverride = '\u202E'
)

// checkOverrides refuses a text in which a directional override changes the order
// in which letters or digits are read (UAX #9, rules X4, X5, L2): one without
// right-to-left letters, or one where an override is followed, up to the end of
// its paragraph, by a letter or digit that it turns round. Whether a closing
// character has ended the override by then is not followed up: that only makes
// the rule stricter, and overrides have hardly any honest use.
func checkOverrides(data []byte, strict bool) error {
	first := bytes.Index(data, []byte(string(leftToRightOverride)))
	if at := bytes.Index(data, []byte(string(rightToLeftOverride))); first < 0 || at >= 0 && at < first {
		first = at
	}
	if first < 0 {
		return nil
	}
	if strict {
		return refuse(TextBidiOverride, "directional override at byte %d", first)
	}
	text := string(data)
	rightToLeft := false // the text has a right-to-left letter
	toLeft, toRight := false, false
	for i, r := range text {
		p := unicode.Lookup(r)
		letter := p.Has(unicode.Letter)
		rightToLeft = rightToLeft || letter && p.Has(unicode.RightToLeft)
		switch {
		case r == '\n':
			toLeft, toRight = false, false
		case r == leftToRightOverride:
			toRight = true
		case r == rightToLeftOverride:
			toLeft = true
		case toRight && letter && p.Has(unicode.RightToLeft),
			toLeft && (letter && !p.Has(unicode.RightToLeft) || p.Has(unicode.Number)):
			return refuse(TextBidiOverride, "the character at byte %d is turned round by a directional override", i)
		}
	}
	if !rightToLeft {
		return refuse(TextBidiOverride, "directional override at byte %d of a text without right-to-left letters", first)
	}
	return nil
}
