// Package strictjson reads JSON documents (RFC 8259) of which all parsers have one
// opinion, and writes them in one spelling.
//
// Parsers differ on duplicate keys, invalid UTF-8, lone surrogates, byte order
// marks, numbers such as 01 or 1e999, and bytes after the document (Bishop Fox, "An
// Exploration of JSON Interoperability Vulnerabilities"). A Scanner refuses all of
// these. It builds no tree: it calls back with what it finds, so that what a reader
// keeps is the reader's choice.
package strictjson

import (
	"bytes"

	"weir/filter/codec"
)

// Scanner reads one document from the front. Its errors are *codec.Refusal and
// never hold contents. The zero value has no document to read.
type Scanner struct {
	src      []byte
	pos      int
	depth    int
	maxDepth int
}

// New returns a scanner of src in which at most maxDepth objects and arrays are
// nested. src must not change while the scanner is in use.
func New(src []byte, maxDepth int) Scanner { return Scanner{src: src, maxDepth: maxDepth} }

// Within returns a scanner of a document that stands within a string of this one:
// what is nested here counts there.
func (s *Scanner) Within(src []byte) Scanner {
	return Scanner{src: src, depth: s.depth, maxDepth: s.maxDepth}
}

// Offset is the number of bytes that were read.
func (s *Scanner) Offset() int { return s.pos }

// Seek goes to an offset, for a value that is to be read again or later.
func (s *Scanner) Seek(offset int) { s.pos = offset }

// Rest is what was not read yet, a view into the document.
func (s *Scanner) Rest() []byte { return s.src[s.pos:] }

func (s *Scanner) malformed(what string) error {
	return codec.Refuse(codec.JSONMalformed, "%s at byte %d", what, s.pos)
}

// Kind is the kind of a value.
type Kind uint8

// The kinds of values. None is where no value begins.
const (
	None Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// Kind skips white space and tells the kind of the value that begins there by its
// first byte.
func (s *Scanner) Kind() Kind {
	switch c := s.space(); {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == '-', '0' <= c && c <= '9':
		return Number
	case c == 't', c == 'f':
		return Bool
	case c == 'n':
		return Null
	}
	return None
}

// space skips white space and returns the byte after it; 0, which no token begins
// with, at the end.
func (s *Scanner) space() byte {
	if s.pos < len(s.src) && s.src[s.pos] > ' ' {
		return s.src[s.pos]
	}
	return s.skipSpace()
}

func (s *Scanner) skipSpace() byte {
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
func (s *Scanner) open(bracket byte, what string) error {
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
func (s *Scanner) more(i int, closing byte) (bool, error) {
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

// Object calls member with each key, unescaped, in the order of the document;
// member consumes the value. what names the object in errors. Keys that are equal
// after unescaping are refused.
func (s *Scanner) Object(what string, member func(key string) error) error {
	return s.object(what, false, member)
}

// Repeating is Object for where equal keys are known to come: member judges them.
func (s *Scanner) Repeating(what string, member func(key string) error) error {
	return s.object(what, true, member)
}

func (s *Scanner) object(what string, repeats bool, member func(key string) error) error {
	if err := s.open('{', what); err != nil {
		return err
	}
	var seen keys
	for i := 0; ; i++ {
		more, err := s.more(i, '}')
		if err != nil || !more {
			return err
		}
		key, err := s.String("a key")
		if err != nil {
			return err
		}
		if !repeats && !seen.add(key) {
			return codec.Refuse(codec.JSONDuplicateKey, "a key stands twice in %s", what)
		}
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

// manyKeys is the number of keys above which an object's are found by a map.
const manyKeys = 16

// keys are the keys of one object so far.
type keys struct {
	few   [manyKeys]string
	count int
	many  map[string]bool // all of them, once few is full
}

// add reports whether the key is new.
func (k *keys) add(key string) bool {
	if k.many != nil {
		if k.many[key] {
			return false
		}
		k.many[key] = true
		return true
	}
	for _, other := range k.few[:k.count] {
		if other == key {
			return false
		}
	}
	k.few[k.count] = key
	if k.count++; k.count == manyKeys {
		k.many = make(map[string]bool, 2*manyKeys)
		for _, other := range k.few {
			k.many[other] = true
		}
	}
	return true
}

// Array calls item for each item, which it consumes. what names the array in errors.
func (s *Scanner) Array(what string, item func(i int) error) error {
	if err := s.OpenArray(what); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := s.MoreItems(i)
		if err != nil || !more {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
}

// OpenArray consumes the bracket of an array. With MoreItems it is Array in steps, for
// items too small for a call each.
func (s *Scanner) OpenArray(what string) error { return s.open('[', what) }

// MoreItems consumes what stands before item i and reports whether there is one; at
// the end of the array it consumes the bracket.
func (s *Scanner) MoreItems(i int) (bool, error) { return s.more(i, ']') }

// Bool reads true or false.
func (s *Scanner) Bool(what string) (bool, error) {
	s.space()
	switch rest := s.src[s.pos:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		s.pos += len("true")
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		s.pos += len("false")
		return false, nil
	}
	return false, s.malformed("expected " + what)
}

// Null consumes null if it stands here, and reports whether it did.
func (s *Scanner) Null() bool { return s.Word("null") }

// Word consumes a word if it stands here, and reports whether it did. So a reader can
// take what is no JSON, such as NaN.
func (s *Scanner) Word(word string) bool {
	s.space()
	if !bytes.HasPrefix(s.src[s.pos:], []byte(word)) {
		return false
	}
	s.pos += len(word)
	return true
}

// Discard reads a value of any kind.
func (s *Scanner) Discard() (err error) {
	switch s.Kind() {
	case Object:
		return s.Object("an object", func(string) error { return s.Discard() })
	case Array:
		return s.Array("an array", func(int) error { return s.Discard() })
	case String:
		_, err = s.View("a string")
	case Number:
		_, err = s.Number()
	case Null:
		if !s.Null() {
			err = s.malformed("expected a value")
		}
	default:
		_, err = s.Bool("a value")
	}
	return err
}

// Skip finds the end of a value by its brackets and strings alone, for one that is
// read later or not at all: what it skips may be no JSON.
func (s *Scanner) Skip() error {
	depth := s.depth
	for {
		switch c := s.space(); c {
		case '"':
			if err := s.skipString(); err != nil {
				return err
			}
		case '{', '[':
			if err := s.open(c, "a value"); err != nil {
				return err
			}
			continue
		case '}', ']':
			if s.depth == depth {
				return s.malformed("expected a value")
			}
			s.depth--
			s.pos++
		case ',', ':':
			if s.depth == depth {
				return s.malformed("expected a value")
			}
			s.pos++
			continue
		case 0:
			return s.malformed("expected a value")
		default:
			s.skipWord()
		}
		if s.depth == depth {
			return nil
		}
	}
}

// skipWord finds the end of a number or of what else stands without quotes. It
// consumes at least one byte.
func (s *Scanner) skipWord() {
	for s.pos++; s.pos < len(s.src); s.pos++ {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r', ',', ':', '"', '{', '}', '[', ']':
			return
		}
	}
}

// End checks that only white space is left.
func (s *Scanner) End() error {
	if s.space(); s.pos != len(s.src) {
		return s.malformed("bytes after the document")
	}
	return nil
}

// Member is one member of an object: its key, unescaped, and where its value is.
type Member struct {
	Key     string
	at, end int
}

// Members returns the members of an object in the order of the document, for values
// that are to be read in another one: see At. A value that is not read may be no JSON.
// An object with more than most members is refused with the reason, duplicate keys as
// Object does.
func (s *Scanner) Members(what string, most int, reason codec.Reason) ([]Member, error) {
	var members []Member
	err := s.Object(what, func(key string) error {
		if len(members) == most {
			return codec.Refuse(reason, "%s has more than %d keys", what, most)
		}
		at := s.pos
		err := s.Skip()
		members = append(members, Member{key, at, s.pos})
		return err
	})
	return members, err
}

// At calls read where the value of m begins; read must consume exactly the value.
// The scanner then is where it was.
func (s *Scanner) At(m Member, read func() error) error {
	after := s.pos
	s.pos = m.at
	s.depth++ // the object around the member
	if s.depth > s.maxDepth {
		return codec.Refuse(codec.JSONTooDeep, "more than %d nested values", s.maxDepth)
	}
	if err := read(); err != nil {
		return err
	}
	if s.pos != m.end {
		return s.malformed("unexpected bytes")
	}
	s.depth--
	s.pos = after
	return nil
}
