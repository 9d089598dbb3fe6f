package strictjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string.
func (s *Scanner) String(what string) (string, error) {
	raw, escaped, err := s.RawString(what)
	if err != nil || !escaped {
		return string(raw), err
	}
	plain, err := s.appendUnescaped(make([]byte, 0, len(raw)), raw)
	return string(plain), err
}

// AppendText reads a string and appends what it means to dst.
func (s *Scanner) AppendText(dst []byte, what string) ([]byte, error) {
	raw, escaped, err := s.RawString(what)
	if err != nil || !escaped {
		return append(dst, raw...), err
	}
	return s.appendUnescaped(dst, raw)
}

// View reads a string and returns what it means: a view into the document if it
// holds no escapes, else new memory.
func (s *Scanner) View(what string) ([]byte, error) {
	raw, escaped, err := s.RawString(what)
	if err != nil || !escaped {
		return raw, err
	}
	return s.appendUnescaped(make([]byte, 0, len(raw)), raw)
}

// RawString reads a string and returns what stands between its quotes, a view into
// the document: valid UTF-8 without control characters, its escapes unread.
func (s *Scanner) RawString(what string) (raw []byte, escaped bool, err error) {
	if s.space() != '"' {
		return nil, false, s.malformed("expected " + what)
	}
	ascii := true
	for i := s.pos + 1; ; i++ {
		if i = s.skipPlain(i); i >= len(s.src) {
			return nil, false, s.malformed("string without end")
		}
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
}

// skipPlain returns the index from i on of the next byte that is not plain, or that is
// among the last of the document.
func (s *Scanner) skipPlain(i int) int {
	for ; i+8 <= len(s.src); i += 8 {
		if first := special(binary.LittleEndian.Uint64(s.src[i:])); first != 0 {
			return i + bits.TrailingZeros64(first)/8
		}
	}
	return i
}

// special marks the first of eight bytes that is a quote, a backslash, a C0 control or
// not ASCII by its top bit; 0 if none is. The subtractions borrow into the top bit of a
// byte that is too small; a borrow from a byte into the next one comes after the first
// such byte only.
func special(eight uint64) uint64 {
	const each = 0x0101010101010101
	small, quote, backslash := eight-each*' ', (eight^each*'"')-each, (eight^each*'\\')-each
	return (small | quote | backslash | eight) & (each << 7)
}

// skipString finds the end of a string without looking at what it holds.
func (s *Scanner) skipString() error {
	for i := s.pos + 1; ; i++ {
		n := bytes.IndexByte(s.src[i:], '"')
		if n < 0 {
			return s.malformed("string without end")
		}
		i += n
		escapes := i
		for s.src[escapes-1] == '\\' { // which ends at the opening quote
			escapes--
		}
		if (i-escapes)%2 == 0 {
			s.pos = i + 1
			return nil
		}
	}
}

// unescapes are the one-letter escapes of RFC 8259 §7.
var unescapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (s *Scanner) appendUnescaped(dst, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), nil
		}
		dst = append(dst, raw[:i]...)
		c := raw[i+1] // RawString never ends on a backslash
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

// AppendString appends text, which is UTF-8, as a JSON string to dst.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	return append(AppendEscaped(append(dst, '"'), text), '"')
}

// AppendEscaped appends text as it stands between the quotes of a JSON string:
// quotes, backslashes and C0 controls are escaped, everything else is as it is. The
// bytes are those that the Writer of RapidJSON writes, and so Triton.
func AppendEscaped[T string | []byte](dst []byte, text T) []byte {
	start := 0
	for i := range len(text) {
		if mustEscape[text[i]] {
			dst = appendEscape(append(dst, text[start:i]...), text[i])
			start = i + 1
		}
	}
	return append(dst, text[start:]...)
}

var mustEscape = func() (set [256]bool) {
	for c := range ' ' {
		set[c] = true
	}
	set['"'], set['\\'] = true, true
	return set
}()

// escapes are the one-letter escapes that are written.
var escapes = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendEscape(dst []byte, c byte) []byte {
	if e := escapes[c]; e != 0 {
		return append(dst, '\\', e)
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&0xf])
}
