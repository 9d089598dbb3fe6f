package openai

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// reader reads one message and writes its canonical form as it goes, content apart.
type reader struct {
	strictjson.Scanner
	document
	limits   *Limits
	request  *codec.Request  // being read, or that of the answer being read
	response *codec.Response // being read; nil in a request
	within   bool            // in JSON that stands in a string
	objects  int             // with keys that are content, so far
	key      string          // of the value being read, for errors

	bytes      map[string][]byte // of the tensors, by name
	counts     map[string]int64  // of their elements
	total      int               // of the bytes
	tokenLists int64
}

func (c *Codec) reader(body []byte, request *codec.Request, response *codec.Response) *reader {
	return &reader{Scanner: strictjson.New(body, c.limits.MaxJSONDepth), limits: &c.limits, request: request, response: response,
		bytes: map[string][]byte{}, counts: map[string]int64{}}
}

// read is the way of one value: it consumes the value and writes it.
type read func(r *reader) error

// message reads a whole body.
func (r *reader) message(read read) error {
	if err := read(r); err != nil {
		return err
	}
	return r.End()
}

// put writes a piece of the canonical form.
func (r *reader) put(piece string) {
	if r.within {
		r.skeleton = strictjson.AppendEscaped(r.skeleton, piece)
	} else {
		r.skeleton = append(r.skeleton, piece...)
	}
}

// putName writes a string that is not content.
func (r *reader) putName(name string) { r.put(`"` + name + `"`) }

// invalid is the refusal of a value that is not of its type or out of its range.
func (r *reader) invalid(format string, args ...any) error {
	return codec.Refuse(codec.ParameterInvalid, "%s must be %s", r.key, fmt.Sprintf(format, args...))
}

// wrong is the refusal of a value of another kind, which was not read yet.
func (r *reader) wrong(format string, args ...any) error {
	if r.Kind() == strictjson.None {
		return codec.Refuse(codec.JSONMalformed, "expected a value")
	}
	return r.invalid(format, args...)
}

// hole leaves a place for an element of the named tensor.
func (r *reader) hole(kind holeKind, count int) {
	r.holes = append(r.holes, hole{at: len(r.skeleton), kind: kind, within: r.within, count: count})
}

// element appends a BYTES element, which fill appends to what it gets, to a tensor.
func (r *reader) element(name string, fill func(dst []byte) ([]byte, error)) error {
	if r.counts[name]++; r.counts[name] > r.limits.MaxBytesElements {
		return codec.Refuse(codec.ShapeInvalid, "there are more than %d values of kind %s", r.limits.MaxBytesElements, name)
	}
	data := r.bytes[name]
	start := len(data)
	data, err := fill(append(data, 0, 0, 0, 0))
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(data[start:], uint32(len(data)-start-4))
	r.bytes[name] = data
	return r.add(len(data) - start)
}

// add counts bytes of tensors.
func (r *reader) add(n int) error {
	most := r.limits.MaxBodyBytes
	if r.response != nil {
		most = 3 * r.limits.MaxResponseBytes // "" takes 2 bytes of JSON, 4 as an element
	}
	if r.total += n; r.total > most {
		return codec.Refuse(codec.BodyTooLarge, "the values take more than %d bytes in binary form", most)
	}
	return nil
}

// tensors returns those that have elements.
func (r *reader) tensors() (all []tensor.Tensor) {
	for _, name := range []string{Text, Image, Audio, Tokens} {
		if n := r.counts[name]; n > 0 {
			datatype := tensor.Bytes
			if name == Tokens {
				datatype = tensor.Int64
			}
			all = append(all, tensor.Tensor{Name: name, DataType: datatype, Shape: []int64{n}, Data: r.bytes[name]})
		}
	}
	return all
}

// text reads a string that is content.
func text(r *reader) error {
	if r.Kind() != strictjson.String {
		return r.wrong("a string")
	}
	r.hole(textHole, 0)
	return r.element(Text, func(dst []byte) ([]byte, error) { return r.AppendText(dst, r.key) })
}

// word reads a string that is not content; a view into the message, or new memory.
func (r *reader) word() ([]byte, error) {
	if r.Kind() != strictjson.String {
		return nil, r.wrong("a string")
	}
	return r.View(r.key)
}

// number reads a number of a range.
func number(least, most float64) read {
	return func(r *reader) error {
		token, value, err := r.float()
		if err == nil && (value < least || value > most) {
			err = r.invalid("a number from %g to %g", least, most)
		}
		r.put(token)
		return err
	}
}

// anyNumber reads a number that is finite as a float64.
func anyNumber(r *reader) error { return number(-math.MaxFloat64, math.MaxFloat64)(r) }

// float reads a number with its token, which is what is written: no other parser
// reads another number in it.
func (r *reader) float() (token string, value float64, err error) {
	if r.Kind() != strictjson.Number {
		return "", 0, r.wrong("a number")
	}
	raw, err := r.Number()
	if err != nil {
		return "", 0, err
	}
	token = string(raw)
	if value, err = strconv.ParseFloat(token, 64); err != nil {
		return "", 0, codec.Refuse(codec.NumberOutOfRange, "%s is out of range", r.key)
	}
	return token, value, nil
}

// integer reads a whole number of a range, without fraction or exponent.
func integer(least, most int64) read {
	return func(r *reader) error {
		value, err := r.integer(least, most)
		r.put(strconv.FormatInt(value, 10))
		return err
	}
}

func (r *reader) integer(least, most int64) (int64, error) {
	if r.Kind() != strictjson.Number {
		return 0, r.wrong("a whole number")
	}
	token, err := r.Number()
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseInt(string(token), 10, 64)
	if err != nil || value < least || value > most {
		return 0, r.invalid("a whole number from %d to %d", least, most)
	}
	return value, nil
}

// boolean reads true or false.
func boolean(r *reader) error {
	_, err := r.flag()
	return err
}

func (r *reader) flag() (bool, error) {
	if r.Kind() != strictjson.Bool {
		return false, r.wrong("true or false")
	}
	value, err := r.Bool(r.key)
	r.put(strconv.FormatBool(value))
	return value, err
}

// oneOf reads a word of a closed list.
func oneOf(words ...string) read {
	return func(r *reader) error {
		word, err := r.word()
		if err == nil && !slices.Contains(words, string(word)) {
			err = r.invalid("one of %s", strings.Join(words, ", "))
		}
		r.putName(string(word))
		return err
	}
}

// name reads a string of ASCII letters, digits and the given punctuation.
func name(punctuation string, most int) read {
	return func(r *reader) error {
		text, err := r.word()
		if err == nil && !isName(string(text), punctuation, most) {
			err = codec.Refuse(codec.NameInvalid, "%s must have 1 to %d letters, digits and %s", r.key, most, punctuation)
		}
		r.putName(string(text))
		return err
	}
}

func isName(text, punctuation string, most int) bool {
	for i := range len(text) {
		c := text[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(punctuation, c) >= 0) {
			return false
		}
	}
	return 0 < len(text) && len(text) <= most
}

// list reads an array of at least one and at most most items.
func list(what string, most int, item read) read {
	return func(r *reader) error {
		if r.Kind() != strictjson.Array {
			return r.wrong("%s", what)
		}
		count := 0
		r.put("[")
		err := r.Array(what, func(i int) error {
			if count++; count > most {
				return codec.Refuse(codec.ParameterInvalid, "%s has more than %d items", what, most)
			}
			if i > 0 {
				r.put(",")
			}
			return item(r)
		})
		if err == nil && count == 0 && r.response == nil {
			err = codec.Refuse(codec.ParameterInvalid, "%s is empty", what)
		}
		r.put("]")
		return err
	}
}

// many is the length of lists that only the size of the message bounds.
const many = math.MaxInt32
