package sanitize

import (
	"unicode/utf8"

	"weir/sanitize/internal/unicode"
)

// resolveControls returns text without the controls other than TAB and LF:
// deletions erase, escape sequences and other controls go, all line breaks become
// LF. It returns text itself if there is nothing to do.
func resolveControls(text []byte, found *findings) []byte {
	var out []byte
	from := 0 // text[from:i] is still to be copied
	for i := 0; i < len(text); {
		if !mayBeginControl[text[i]] || !beginsControl(text[i:]) {
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		out = append(out, text[from:i]...)
		out, size = resolveControl(out, text[i:], c, size, found)
		i += size
		from = i
	}
	if from == 0 {
		return text
	}
	return append(out, text[from:]...)
}

// mayBeginControl holds the first bytes of all controls and line breaks.
var mayBeginControl = func() (t [256]bool) {
	for c := range t {
		t[c] = c < utf8.RuneSelf && !plain(byte(c)) || c == 0xC2 || c == 0xE2
	}
	return t
}()

// beginsControl reports whether text, valid UTF-8 that begins with a byte of
// mayBeginControl, begins with a control or line break.
func beginsControl(text []byte) bool {
	switch text[0] {
	case 0xC2:
		return text[1] < 0xA0 // C1
	case 0xE2:
		return text[1] == 0x80 && text[2]|1 == 0xA9 // U+2028, U+2029
	}
	return true
}

// resolveControl handles the control c, of size bytes, with which text begins,
// and returns the output so far and how many bytes of text are done with.
func resolveControl(out, text []byte, c rune, size int, found *findings) ([]byte, int) {
	switch c {
	case '\b', 0x7F:
		rest := eraseLast(out)
		found.add(keyDeletion, size+len(out)-len(rest))
		found.renormalised = true
		return rest, size
	case '\r':
		if len(text) > 1 && text[1] == '\n' {
			found.add(keyCarriageReturn, 1)
			return out, 1
		}
		fallthrough
	case '\v', '\f', 0x85, 0x2028, 0x2029:
		found.add(keyLineBreak, size)
		return append(out, '\n'), size
	case 0x1B, 0x90, 0x98, 0x9B, 0x9D, 0x9E, 0x9F:
		n := escapeLength(text, c, size)
		found.add(keyEscape, n)
		return out, n
	}
	found.add(keyControl, size)
	return out, size
}

// eraseLast cuts the last user-perceived character off text, with the marks and
// invisible characters on it, as a terminal's backspace would: a base and what
// extends it, or an emoji with all that is joined to it, but no line break.
func eraseLast(text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeLastRune(text)
		if r == '\n' {
			break
		}
		text = text[:len(text)-size]
		before, _ := utf8.DecodeLastRune(text)
		p, left := unicode.Lookup(r), unicode.Lookup(before)
		extends := p.Has(unicode.Mark) || hidden(p.Class()) ||
			p.Has(unicode.EmojiModifier) && left.Has(unicode.Pictographic) ||
			p.Has(unicode.Pictographic) && left.Class() == unicode.Joiner
		if !extends {
			break
		}
	}
	return text
}

// hidden reports whether characters of the class are invisible on their own.
func hidden(c unicode.Class) bool {
	switch c {
	case unicode.Ignorable, unicode.Noncharacter, unicode.ZeroWidthSpace, unicode.NonJoiner,
		unicode.Joiner, unicode.VariationSelector, unicode.MongolianSelector, unicode.Tag,
		unicode.BidiMark, unicode.BidiEmbedding, unicode.BidiOverride, unicode.GraphemeJoiner,
		unicode.Annotation:
		return true
	}
	return false
}

// escapeLength returns the length of the escape sequence (ECMA-48 §5.4, §5.6,
// ECMA-35 §13.2) with which text begins; intro, of size bytes, is ESC or the C1
// form of an introducer. Of a malformed sequence, and of a string without
// terminator, only what introduces it counts, so that it cannot hide what follows.
func escapeLength(text []byte, intro rune, size int) int {
	kind := byte(intro) - 0x40 // the C1 form is 0x40 above the byte after ESC
	n := size
	if intro == 0x1B {
		n += span(text[n:], 0x20, 0x2F)
		if n == len(text) || text[n] < 0x30 || text[n] > 0x7E {
			return n
		}
		kind = text[n]
		n++
		if n > size+1 {
			return n // with intermediate bytes, such as the choice of a character set
		}
	}
	switch kind {
	case '[': // control sequence: parameters, intermediates, one final byte
		n += span(text[n:], 0x30, 0x3F)
		n += span(text[n:], 0x20, 0x2F)
		return n + min(1, span(text[n:], 0x40, 0x7E))
	case ']', 'P', 'X', '^', '_': // a string up to ST, or BEL
		return n + stringLength(text[n:])
	}
	return n
}

// span counts the bytes at the start of text that are in lo..hi.
func span(text []byte, lo, hi byte) int {
	n := 0
	for n < len(text) && lo <= text[n] && text[n] <= hi {
		n++
	}
	return n
}

// stringLength returns the length of a control string with its terminator, 0 if
// another control or the end comes first. Stopping at any control also keeps the
// time of resolveControls linear.
func stringLength(text []byte) int {
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		i += size
		if unicode.Lookup(c).Class() != unicode.Control {
			continue
		}
		switch {
		case c == 0x07, c == 0x9C:
			return i
		case c == 0x1B && i < len(text) && text[i] == '\\':
			return i + 1
		}
		return 0
	}
	return 0
}
