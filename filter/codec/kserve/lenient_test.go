package kserve

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// This file reads JSON as Triton does, with all that RapidJSON forgives. It is
// written apart from the package's own parser, so that the two can disagree;
// TestLenientReaderIsRapidJSON holds that it agrees with RapidJSON itself.

type (
	lenientMember struct {
		name  string
		value any
	}
	lenientObject []lenientMember
)

// find takes the first of equal keys and compares up to a NUL, as RapidJSON's
// FindMember does with a C string.
func (o lenientObject) find(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// lenientReader is a JSON reader with RapidJSON's kParseNanAndInf: a byte order
// mark is skipped, a NUL ends the document, strings are not validated, equal
// keys are kept.
type lenientReader struct {
	src []byte
	pos int
}

var errLenient = errors.New("not read by RapidJSON")

func readLenient(src []byte) (any, error) {
	r := &lenientReader{src: bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))}
	value, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.next() != 0 {
		return nil, errLenient
	}
	return value, nil
}

// next skips white space; the end of the source is a NUL.
func (r *lenientReader) next() byte {
	for r.pos < len(r.src) && strings.IndexByte(" \t\r\n", r.src[r.pos]) >= 0 {
		r.pos++
	}
	return r.here()
}

func (r *lenientReader) here() byte {
	if r.pos >= len(r.src) {
		return 0
	}
	return r.src[r.pos]
}

func (r *lenientReader) value() (any, error) {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return r.text()
	}
	for token, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if bytes.HasPrefix(r.src[r.pos:], []byte(token)) {
			r.pos += len(token)
			return value, nil
		}
	}
	return r.number()
}

func (r *lenientReader) object() (any, error) {
	object := lenientObject{}
	r.pos++
	for i := 0; ; i++ {
		c := r.next()
		if c == '}' && i == 0 {
			r.pos++
			return object, nil
		}
		if c != '"' {
			return nil, errLenient
		}
		name, err := r.text()
		if err != nil || r.next() != ':' {
			return nil, errLenient
		}
		r.pos++
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		object = append(object, lenientMember{name, value})
		end := r.next()
		r.pos++
		if end == '}' {
			return object, nil
		}
		if end != ',' {
			return nil, errLenient
		}
	}
}

func (r *lenientReader) array() (any, error) {
	array := []any{}
	r.pos++
	if r.next() == ']' {
		r.pos++
		return array, nil
	}
	for {
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		array = append(array, value)
		end := r.next()
		r.pos++
		if end == ']' {
			return array, nil
		}
		if end != ',' {
			return nil, errLenient
		}
	}
}

// text reads a string byte for byte.
func (r *lenientReader) text() (string, error) {
	var out []byte
	r.pos++
	for {
		c := r.here()
		r.pos++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", errLenient
		case c != '\\':
			out = append(out, c)
			continue
		}
		c = r.here()
		r.pos++
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		if c != 'u' {
			return "", errLenient
		}
		code, err := r.unit()
		if err != nil {
			return "", err
		}
		if code >= 0xd800 && code < 0xdc00 {
			if !bytes.HasPrefix(r.src[min(r.pos, len(r.src)):], []byte(`\u`)) {
				return "", errLenient
			}
			r.pos += 2
			low, err := r.unit()
			if err != nil || low < 0xdc00 || low > 0xdfff {
				return "", errLenient
			}
			code = (code-0xd800)<<10 + (low - 0xdc00) + 0x10000
		} else if code >= 0xdc00 && code < 0xe000 {
			return "", errLenient // RapidJSON 1.1.0 made three bytes of it
		}
		out = utf8.AppendRune(out, rune(code))
	}
}

func (r *lenientReader) unit() (int, error) {
	if r.pos+4 > len(r.src) {
		return 0, errLenient
	}
	code, err := hex.DecodeString(string(r.src[r.pos : r.pos+4]))
	r.pos += 4
	if err != nil {
		return 0, errLenient
	}
	return int(code[0])<<8 | int(code[1]), nil
}

// number returns uint64, int64 or float64 as RapidJSON types numbers.
func (r *lenientReader) number() (any, error) {
	start := r.pos
	if r.here() == '-' {
		r.pos++
	}
	for _, token := range []string{"Infinity", "Inf", "NaN"} {
		if bytes.HasPrefix(r.src[min(r.pos, len(r.src)):], []byte(token)) {
			value := math.Inf(1 - 2*(r.pos-start))
			if token == "NaN" {
				value = math.NaN()
			}
			r.pos += len(token)
			return value, nil
		}
	}
	first := r.pos
	integer := true
	for c := r.here(); c != 0 && strings.IndexByte("0123456789.eE+-", c) >= 0; c = r.here() {
		integer = integer && c >= '0' && c <= '9'
		r.pos++
	}
	text := string(r.src[start:r.pos])
	digits := r.src[first:r.pos]
	if !jsonNumber(string(digits)) {
		return nil, errLenient
	}
	if integer {
		if value, err := strconv.ParseUint(strings.TrimPrefix(text, "-"), 10, 64); err == nil && (text[0] != '-' || value == 0) {
			return value, nil
		}
		if value, err := strconv.ParseInt(text, 10, 64); err == nil {
			return value, nil
		}
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errLenient
	}
	return value, nil
}

// jsonNumber is the grammar of a number without its sign.
func jsonNumber(s string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	whole, fraction, hasFraction := strings.Cut(mantissa, ".")
	if hasExponent && exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
		exponent = exponent[1:]
	}
	return digitsOnly(whole) && (len(whole) == 1 || whole[0] != '0') &&
		(!hasFraction || digitsOnly(fraction)) && (!hasExponent || digitsOnly(exponent))
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// tree prints a value as testdata/rapidjson.cc does.
func tree(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return fmt.Sprintf("\"%x\"", v)
	case uint64:
		return fmt.Sprintf("u%d", v)
	case int64:
		return fmt.Sprintf("i%d", v)
	case float64:
		if math.IsNaN(v) {
			return "nan"
		}
		return fmt.Sprintf("d%016x", math.Float64bits(v))
	case []any:
		s := "["
		for _, e := range v {
			s += tree(e) + ","
		}
		return s + "]"
	}
	s := "{"
	for _, m := range value.(lenientObject) {
		s += tree(m.name) + ":" + tree(m.value) + ","
	}
	return s + "}"
}

// TestLenientReaderIsRapidJSON checks the reader against what RapidJSON made of
// the same documents (testdata/rapidjson.cc).
func TestLenientReaderIsRapidJSON(t *testing.T) {
	file, err := os.Open("testdata/rapidjson_reads.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	count := 0
	for lines.Scan() {
		document, want, _ := strings.Cut(lines.Text(), " ")
		src, err := hex.DecodeString(document)
		if err != nil {
			t.Fatal(err)
		}
		got := "error"
		if value, err := readLenient(src); err == nil {
			got = tree(value)
		}
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", src, got, want)
		}
		count++
	}
	if lines.Err() != nil || count < 150 {
		t.Fatalf("%d documents, error %v", count, lines.Err())
	}
}
