package kserve

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"weir/filter/codec"
)

// scanner reads one JSON document (RFC 8259) strictly and without building a
// tree. Its errors are *codec.Refusal and never hold contents.
type scanner struct {
	src      []byte
	pos      int
	depth    int
	maxDepth int
}

func (s *scanner) malformed(what string) error {
	return codec.Refuse(codec.JSONMalformed, "%s at byte %d", what, s.pos)
}

// peek returns the next byte; 0, which no token begins with, at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// space skips white space and returns the byte after it.
func (s *scanner) space() byte {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// open consumes the bracket of an object or array.
func (s *scanner) open(bracket byte, what string) error {
	if s.space() != bracket {
		return s.malformed("expected " + what)
	}
	if s.depth++; s.depth > s.maxDepth {
		return codec.Refuse(codec.JSONTooDeep, "more than %d nested values", s.maxDepth)
	}
	s.pos++
	return nil
}

// more consumes what stands before item i of an object or array and reports
// whether there is one; at the end it consumes the closing bracket.
func (s *scanner) more(i int, closing byte) (bool, error) {
	c := s.space()
	if c == closing {
		s.pos++
		s.depth--
		return false, nil
	}
	if i == 0 {
		return true, nil
	}
	if c != ',' {
		return false, s.malformed("expected a comma or the end of a list")
	}
	s.pos++
	if s.space() == closing {
		return false, s.malformed("trailing comma")
	}
	return true, nil
}

// object calls member with each key, unescaped; member consumes the value. Keys
// that are equal after unescaping are refused. member bounds the number of keys.
func (s *scanner) object(what string, member func(key string) error) error {
	if err := s.open('{', what); err != nil {
		return err
	}
	var seen []string
	for i := 0; ; i++ {
		more, err := s.more(i, '}')
		if err != nil || !more {
			return err
		}
		key, err := s.text("a key")
		if err != nil {
			return err
		}
		for _, k := range seen {
			if k == key {
				return codec.Refuse(codec.JSONDuplicateKey, "a key stands twice in %s", what)
			}
		}
		seen = append(seen, key)
		if s.space() != ':' {
			return s.malformed("expected a colon")
		}
		s.pos++
		s.space()
		if err := member(key); err != nil {
			return err
		}
	}
}

// array calls item for each item, which it consumes.
func (s *scanner) array(what string, item func(i int) error) error {
	if err := s.open('[', what); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := s.more(i, ']')
		if err != nil || !more {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
}

// boolean reads true or false.
func (s *scanner) boolean() (value bool, err error) {
	rest := s.src[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		s.pos += 4
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		s.pos += 5
		return false, nil
	}
	return false, s.malformed("expected true or false")
}

// text reads a string.
func (s *scanner) text(what string) (string, error) {
	raw, escaped, err := s.rawString(what)
	if err != nil || !escaped {
		return string(raw), err
	}
	plain, err := s.appendUnescaped(make([]byte, 0, len(raw)), raw)
	return string(plain), err
}

// appendText reads a string and appends what it means to dst.
func (s *scanner) appendText(dst []byte, what string) ([]byte, error) {
	raw, escaped, err := s.rawString(what)
	if err != nil || !escaped {
		return append(dst, raw...), err
	}
	return s.appendUnescaped(dst, raw)
}

// rawString consumes a string and returns what stands between its quotes, which
// is valid UTF-8 without control characters.
func (s *scanner) rawString(what string) (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.malformed("expected " + what)
	}
	ascii := true
	for i := s.pos + 1; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			raw = s.src[s.pos+1 : i]
			if !ascii && !utf8.Valid(raw) {
				return nil, false, s.malformed("invalid UTF-8 in a string")
			}
			s.pos = i + 1
			return raw, escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false, s.malformed("control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, s.malformed("string without end")
}

// unescapes are the one-letter escapes of RFC 8259 §7.
var unescapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (s *scanner) appendUnescaped(dst, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), nil
		}
		dst = append(dst, raw[:i]...)
		c := raw[i+1] // rawString never ends on a backslash
		raw = raw[i+2:]
		if c != 'u' {
			if unescapes[c] == 0 {
				return nil, s.malformed("unknown escape in a string before")
			}
			dst = append(dst, unescapes[c])
			continue
		}
		r, n := unescapeRune(raw)
		if n == 0 {
			return nil, s.malformed("bad \\u escape or lone surrogate in a string before")
		}
		dst = utf8.AppendRune(dst, r)
		raw = raw[n:]
	}
}

// unescapeRune reads what follows a \u, a surrogate pair as one character. n is
// the number of bytes consumed; 0 if they are no escape of a character.
func unescapeRune(raw []byte) (r rune, n int) {
	r, ok := hex4(raw)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(raw) < 6 || raw[4] != '\\' || raw[5] != 'u' {
		return 0, 0
	}
	low, ok := hex4(raw[6:])
	r = utf16.DecodeRune(r, low)
	if !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 10
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// skipArray finds the end of an array without looking at its values, for data
// that comes before the shape it is read by.
func (s *scanner) skipArray() error {
	depth := s.depth
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case '"':
			if _, _, err := s.rawString("a string"); err != nil {
				return err
			}
			continue
		case '[', '{':
			if err := s.open(c, "an array"); err != nil {
				return err
			}
			continue
		case ']', '}':
			s.depth--
		}
		s.pos++
		if s.depth == depth {
			return nil
		}
	}
	return s.malformed("array without end")
}

// end checks that only white space is left.
func (s *scanner) end() error {
	if s.space(); s.pos != len(s.src) {
		return s.malformed("bytes after the document")
	}
	return nil
}
