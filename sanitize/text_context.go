package sanitize

import (
	"bytes"
	"unicode/utf8"

	"weir/sanitize/internal/unicode"
)

const (
	blackFlag  = "\U0001F3F4"
	tagEnd     = '\U000E007F'
	keycap     = '\u20E3'
	textStyle  = '\uFE0E'
	emojiStyle = '\uFE0F'
	mvs        = '\u180E' // Mongolian vowel separator
	lead       = '\u115F' // Hangul fillers
	vowel      = '\u1160'
	zwj        = '\u200D'
)

// allows reports whether the special character g may stay between what was kept
// and the source from offset next. Classes without a rule here never stay.
func (s *textScan) allows(g glyph, next int) bool {
	switch g.p.Class() {
	case unicode.ZeroWidthSpace:
		right := s.peek(next).p
		return !s.strict && s.prev.p.Has(unicode.Unspaced) &&
			right.Has(unicode.Unspaced) && right.Has(unicode.Letter)
	case unicode.NonJoiner:
		return s.prev.p.Has(unicode.Joining) ||
			s.prev.r == zwj && s.before.p.Group() == unicode.Malayalam
	case unicode.Joiner:
		return s.prev.p.Has(unicode.Joining) || s.joinsEmoji(next)
	case unicode.VariationSelector:
		return s.allowsSelector(g.r, next)
	case unicode.MongolianSelector:
		return s.allowsMongolian(g.r, next)
	case unicode.Tag:
		return s.inFlag(next - utf8.RuneLen(g.r))
	case unicode.BidiMark:
		right := s.peek(next).p
		return !s.strict && s.prev.p.Class() != unicode.BidiMark &&
			(rightToLeftLetter(s.base.p) || rightToLeftLetter(right))
	case unicode.GraphemeJoiner:
		return !s.strict && hebrewMark(s.prev.p) && hebrewMark(s.peek(next).p)
	case unicode.HangulFiller:
		return s.allowsFiller(g.r, next)
	case unicode.BrailleBlank:
		return braille(s.prev) || s.peek(next).p.Group() == unicode.Braille
	case unicode.NarrowNoBreakSpace:
		return s.prev.p.Group() == unicode.Mongolian && s.peek(next).p.Group() == unicode.Mongolian
	case unicode.PrivateUse:
		return !s.strict
	case unicode.Overlay:
		return s.allowsOverlay(g.r)
	}
	return false
}

// joinsEmoji: ED-15a of UTS #51, an element of a ZWJ sequence on both sides.
func (s *textScan) joinsEmoji(next int) bool {
	left := s.prev.p.Has(unicode.Pictographic|unicode.EmojiModifier) ||
		s.prev.r == emojiStyle && s.before.p.Has(unicode.Pictographic)
	return left && s.peek(next).p.Has(unicode.Pictographic)
}

// allowsSelector: one selector after a base with which Unicode lists it; digits
// are listed for keycaps and only there is U+FE0F of use. Sequences with
// U+E0100..U+E01EF are registered by font makers, so any ideograph may have one.
func (s *textScan) allowsSelector(r rune, next int) bool {
	switch {
	case r == emojiStyle && s.prev.r < utf8.RuneSelf:
		return s.prev.p.Has(unicode.EmojiStyle) && s.peek(next).r == keycap
	case r == emojiStyle, r == textStyle:
		return s.prev.p.Has(unicode.EmojiStyle) && s.prev.r >= utf8.RuneSelf
	case r < emojiStyle:
		return unicode.StandardVariant(s.prev.r, r)
	}
	return !s.strict && s.prev.p.Group() == unicode.Han
}

// allowsMongolian: one selector after a letter; the vowel separator also between
// a letter, or its selector, and the vowel that it parts from the word.
func (s *textScan) allowsMongolian(r rune, next int) bool {
	left := s.prev
	if r == mvs {
		if left.p.Class() == unicode.MongolianSelector && left.r != mvs {
			left = s.before
		}
		if s.peek(next).p.Group() != unicode.Mongolian {
			return false
		}
	}
	return left.p.Group() == unicode.Mongolian
}

// inFlag reports whether the tag character at offset at is part of a flag of a
// subdivision (UTS #51, ED-14a): a black flag, the region and 1 to 4 more letters
// or digits, and the end tag.
func (s *textScan) inFlag(at int) bool {
	if at < s.flagEnds {
		return true
	}
	if !bytes.HasSuffix(s.src[:at], []byte(blackFlag)) {
		return false
	}
	var code []byte
	for i := at; i < len(s.src) && len(code) <= 6; {
		r, size := utf8.DecodeRune(s.src[i:])
		i += size
		if r == tagEnd {
			if !s.subdivision(string(code)) {
				return false
			}
			s.flagEnds = i
			return true
		}
		if r < 0xE0020 || r > tagEnd {
			return false
		}
		code = append(code, byte(r-0xE0000))
	}
	return false
}

func (s *textScan) subdivision(code string) bool {
	if s.strict {
		return code == "gbeng" || code == "gbsct" || code == "gbwls"
	}
	if len(code) < 3 || len(code) > 6 {
		return false
	}
	for i := range len(code) {
		letter := 'a' <= code[i] && code[i] <= 'z'
		digit := '0' <= code[i] && code[i] <= '9'
		if !letter && (i < 2 || !digit) {
			return false
		}
	}
	return true
}

// allowsFiller: U+1160 for the missing vowel after a leading consonant, U+115F for
// the missing consonant before a vowel, both before a trailing consonant alone.
func (s *textScan) allowsFiller(r rune, next int) bool {
	right := s.peek(next)
	if r == vowel {
		return s.prev.p.Group() == unicode.JamoL || s.prev.r == lead && right.p.Group() == unicode.JamoT
	}
	return right.p.Group() == unicode.JamoV ||
		right.r == vowel && s.peek(next+utf8.RuneLen(vowel)).p.Group() == unicode.JamoT
}

// allowsOverlay: marks that strike through or enclose stay on symbols; on letters
// and digits they hide or disguise text, but for the box around a keycap.
func (s *textScan) allowsOverlay(r rune) bool {
	if r == keycap && s.base.r < utf8.RuneSelf && s.base.p.Has(unicode.EmojiStyle) {
		return true
	}
	return !s.base.p.Has(unicode.Letter | unicode.Number)
}

// keepsWide: full-width punctuation is the ordinary one beside an East Asian
// letter; elsewhere, and in strict, it is a look-alike.
func (s *textScan) keepsWide(g glyph, next int) bool {
	if s.strict || g.p.Group() != unicode.WidePunctuation {
		return false
	}
	left, right := s.prev.p.Group(), s.peek(next).p.Group()
	return eastAsian(left) || left == unicode.WidePunctuation || eastAsian(right)
}

func eastAsian(g unicode.Group) bool { return g == unicode.Han || g == unicode.EastAsian }

func rightToLeftLetter(p unicode.Properties) bool {
	return p.Has(unicode.Letter) && p.Has(unicode.RightToLeft)
}

func hebrewMark(p unicode.Properties) bool {
	return p.Has(unicode.Mark) && p.Group() == unicode.Hebrew
}

func braille(g glyph) bool {
	return g.p.Group() == unicode.Braille || g.p.Class() == unicode.BrailleBlank
}
