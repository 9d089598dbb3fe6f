package kserve

import (
	"encoding/binary"
	"math"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// kind is a type of JSON value.
type kind uint8

const (
	noValue kind = iota
	numberValue
	booleanValue
	stringValue
	otherValue // null, object, array
)

// kindOf tells the type of the value that begins with c.
func kindOf(c byte) kind {
	switch {
	case c == '-' || '0' <= c && c <= '9':
		return numberValue
	case c == 't' || c == 'f':
		return booleanValue
	case c == '"':
		return stringValue
	case c == 'n' || c == '[' || c == '{':
		return otherValue
	}
	return noValue
}

// element is how one element of a datatype stands in JSON, and what reads it and
// appends its binary form to dst.
type element struct {
	kind kind
	read func(s *scanner, dst []byte) ([]byte, error)
}

// elements are the datatypes that have a JSON form. FP16 and BF16 have none, as
// in Triton.
var elements = map[tensor.DataType]element{
	tensor.Bool:   {booleanValue, boolElement},
	tensor.Uint8:  {numberValue, unsignedElement(tensor.Uint8, math.MaxUint8)},
	tensor.Uint16: {numberValue, unsignedElement(tensor.Uint16, math.MaxUint16)},
	tensor.Uint32: {numberValue, unsignedElement(tensor.Uint32, math.MaxUint32)},
	tensor.Uint64: {numberValue, unsignedElement(tensor.Uint64, math.MaxUint64)},
	tensor.Int8:   {numberValue, signedElement(tensor.Int8, math.MaxInt8)},
	tensor.Int16:  {numberValue, signedElement(tensor.Int16, math.MaxInt16)},
	tensor.Int32:  {numberValue, signedElement(tensor.Int32, math.MaxInt32)},
	tensor.Int64:  {numberValue, signedElement(tensor.Int64, math.MaxInt64)},
	tensor.FP32:   {numberValue, fp32Element},
	tensor.FP64:   {numberValue, fp64Element},
	tensor.Bytes:  {stringValue, bytesElement},
}

func boolElement(s *scanner, dst []byte) ([]byte, error) {
	value, err := s.boolean()
	if value {
		return append(dst, 1), err
	}
	return append(dst, 0), err
}

func unsignedElement(d tensor.DataType, most uint64) func(*scanner, []byte) ([]byte, error) {
	return func(s *scanner, dst []byte) ([]byte, error) {
		var n number
		if err := s.number(&n); err != nil {
			return nil, err
		}
		value, err := s.unsigned(&n, most, d.String())
		return appendInteger(dst, d.Size(), value), err
	}
}

func signedElement(d tensor.DataType, most int64) func(*scanner, []byte) ([]byte, error) {
	return func(s *scanner, dst []byte) ([]byte, error) {
		var n number
		if err := s.number(&n); err != nil {
			return nil, err
		}
		value, err := s.signed(&n, most, d.String())
		return appendInteger(dst, d.Size(), uint64(value)), err
	}
}

// appendInteger appends the low size bytes of value, little-endian.
func appendInteger(dst []byte, size int, value uint64) []byte {
	switch size {
	case 1:
		return append(dst, byte(value))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(value))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(value))
	}
	return binary.LittleEndian.AppendUint64(dst, value)
}

func fp32Element(s *scanner, dst []byte) ([]byte, error) {
	var n number
	if err := s.number(&n); err != nil {
		return nil, err
	}
	value, err := s.float32(&n)
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(value)), err
}

func fp64Element(s *scanner, dst []byte) ([]byte, error) {
	var n number
	if err := s.number(&n); err != nil {
		return nil, err
	}
	value, err := s.float64(&n)
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(value)), err
}

func bytesElement(s *scanner, dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := s.appendText(append(dst, 0, 0, 0, 0), "a string")
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// dataReader turns the "data" of one tensor into its binary form.
type dataReader struct {
	*scanner
	shape   []int64
	element element
}

// data reads an array that is flat or nested exactly as the shape of t says, and
// sets t.Data. count is the product of the shape, elements what reads an element.
func (s *scanner) data(elements map[tensor.DataType]element, t *tensor.Tensor, count int64) error {
	read, ok := elements[t.DataType]
	if !ok {
		return codec.Refuse(codec.InputDataInvalid, "%s has no JSON form, use the binary data format", t.DataType)
	}
	shape := t.Shape
	if !s.nested() || len(shape) < 2 {
		shape = []int64{count}
	}
	// An element takes two bytes of JSON, so the rest of the body bounds what a
	// shape may reserve. What BYTES hold beyond their length prefix is grown.
	room := min(count, int64(len(s.src)-s.pos)/2+1)
	width := t.DataType.Size()
	if width == 0 {
		width = 4
	}
	r := dataReader{s, shape, read}
	dst, err := r.level(0, make([]byte, 0, room*int64(width)))
	if err != nil {
		return err
	}
	t.Data = dst
	return nil
}

// nested reports whether the array that comes next holds arrays.
func (s *scanner) nested() bool {
	ahead := *s
	if ahead.space() != '[' {
		return false
	}
	ahead.pos++
	return ahead.space() == '['
}

// level reads one array of dimension i and appends its elements to dst.
func (r *dataReader) level(i int, dst []byte) ([]byte, error) {
	if err := r.open('[', "an array of data"); err != nil {
		return nil, err
	}
	last := i == len(r.shape)-1
	for n := int64(0); ; n++ {
		more, err := r.more(int(min(n, 1)), ']')
		if err != nil {
			return nil, err
		}
		if !more && n == r.shape[i] {
			return dst, nil
		}
		if !more || n == r.shape[i] {
			return nil, codec.Refuse(codec.InputDataInvalid, "data does not have the elements that its shape says")
		}
		if !last {
			dst, err = r.level(i+1, dst)
		} else if dst, err = r.element.read(r.scanner, dst); err != nil {
			err = r.mismatch(err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// mismatch tells a value of the wrong type from one that is no JSON, which is err.
func (r *dataReader) mismatch(err error) error {
	if found := kindOf(r.peek()); found != noValue && found != r.element.kind {
		return codec.Refuse(codec.InputDataInvalid, "data holds a value that its datatype cannot take")
	}
	return err
}
