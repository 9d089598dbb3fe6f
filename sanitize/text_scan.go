package sanitize

import (
	"unicode/utf8"

	"weir/sanitize/internal/unicode"
)

// Combining marks on one base: the deepest honest stacks (Hebrew cantillation,
// Tibetan, phonetic notation) have fewer than 8; UTS #39 §5.4 allows identifiers 4.
const (
	maxMarks       = 8
	maxMarksStrict = 4
)

// textScan is one pass over a text: it removes and replaces characters by their
// context, and finds out whether the result may be out of normal form. The
// context to the left is what was kept, not what was read.
type textScan struct {
	src    []byte
	strict bool

	dst      []byte // the output before src[from:], nil until something changes
	from     int
	flagEnds int // src up to here belongs to a flag made of tag characters

	prev, before glyph // the last two kept
	base         glyph // the last kept that is no mark and no selector
	marks        int   // nonspacing marks since base

	starter      unicode.Properties // the last with combining class 0
	class        uint8              // combining class of prev
	unnormalised bool               // the output may not be in normal form
}

// glyph is a code point with its properties.
type glyph struct {
	r rune
	p unicode.Properties
}

// run returns the cleaned text, src itself if there is nothing to clean, and
// whether anything was removed or replaced, which it adds to found.
func (s *textScan) run(found *findings) (out []byte, changed bool) {
	attention := needAttention
	if s.strict {
		attention |= unicode.Compatibility
	}
	for i := 0; i < len(s.src); {
		if n := inertSpan(s.src[i:], attention); n > 0 {
			s.keepInert(s.src[i : i+n])
			i += n
			continue
		}
		r, size := utf8.DecodeRune(s.src[i:])
		g := glyph{r, unicode.Lookup(r)}
		instead, key, kept := s.judge(g, i+size)
		if kept {
			s.keep(g)
		} else {
			found.add(key, size)
			found.renormalised = found.renormalised || instead != ""
			s.replace(i, size, instead)
		}
		i += size
	}
	if s.from == 0 {
		return s.src, false
	}
	return append(s.dst, s.src[s.from:]...), true
}

// needAttention has a bit of every property that makes a character more than one
// which stays, is in normal form and has nothing to do with its neighbours.
const needAttention = unicode.ClassMask | unicode.CombiningClassMask | unicode.Nonspacing |
	unicode.NFCNo | unicode.NFCMaybe | unicode.Fold

// inertSpan returns the length of the longest prefix of text, which is valid
// UTF-8, without a control or a character with one of the properties.
func inertSpan(text []byte, attention unicode.Properties) int {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if !plain(c) {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if unicode.Lookup(r).Has(attention) {
			return i
		}
		i += size
	}
	return len(text)
}

// keepInert keeps a span of inert characters, of which only the end is context.
func (s *textScan) keepInert(span []byte) {
	r, size := utf8.DecodeLastRune(span)
	if size < len(span) {
		r, _ := utf8.DecodeLastRune(span[:len(span)-size])
		s.prev = glyph{r, unicode.Lookup(r)}
	}
	s.keep(glyph{r, unicode.Lookup(r)})
}

// replace puts instead, which may be empty, in the place of size bytes at i.
func (s *textScan) replace(i, size int, instead string) {
	s.dst = append(s.dst, s.src[s.from:i]...)
	s.dst = append(s.dst, instead...)
	s.from = i + size
	for _, r := range instead {
		s.keep(glyph{r, unicode.Lookup(r)})
	}
}

// keep records g as the new left context and as a part of the normal form
// (the quick check of UAX #15 §9, sharpened: a character that may combine with
// its starter does so only if that is one which combines).
func (s *textScan) keep(g glyph) {
	ccc := g.p.CombiningClass()
	switch {
	case g.p.Has(unicode.NFCNo),
		s.strict && g.p.Has(unicode.Compatibility),
		ccc != 0 && ccc < s.class,
		g.p.Has(unicode.NFCMaybe) && s.starter.Has(unicode.Composes):
		s.unnormalised = true
	}
	s.class = ccc
	if ccc == 0 {
		s.starter = g.p
	}
	switch {
	case stacks(g.p):
		s.marks++
	case !joiner(g.p):
		s.base = g
		s.marks = 0
	}
	s.before, s.prev = s.prev, g
}

// stacks reports whether p is of a mark that takes no room of its own.
func stacks(p unicode.Properties) bool {
	return p.Has(unicode.Nonspacing) || p.CombiningClass() != 0
}

func joiner(p unicode.Properties) bool {
	return p.Class() == unicode.Joiner || p.Class() == unicode.NonJoiner
}

// judge decides about g, the character before offset next of the source: kept, or
// removed under key with instead in its place.
func (s *textScan) judge(g glyph, next int) (instead string, key rune, kept bool) {
	if stacks(g.p) && s.overLimit(g) {
		return "", keyMarks, false
	}
	class := g.p.Class()
	if class == unicode.Ordinary {
		if !g.p.Has(unicode.Fold) || s.keepsWide(g, next) {
			return "", 0, true
		}
		return unicode.Folded(g.r), keyFold, false
	}
	if s.allows(g, next) {
		return "", 0, true
	}
	switch class {
	case unicode.Space, unicode.BrailleBlank, unicode.NarrowNoBreakSpace:
		instead = " "
	}
	return instead, keyOf(g.r, class), false
}

func (s *textScan) overLimit(g glyph) bool {
	if s.strict {
		return s.marks >= maxMarksStrict || g.r == s.prev.r
	}
	return s.marks >= maxMarks
}

// peek returns the character of the source at offset i, zero at the end.
func (s *textScan) peek(i int) glyph {
	if i >= len(s.src) {
		return glyph{}
	}
	r, _ := utf8.DecodeRune(s.src[i:])
	return glyph{r, unicode.Lookup(r)}
}
