package kserve

import (
	"bytes"
	"encoding/binary"
	"math"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// element is how one element of a datatype stands in JSON, and what reads it and
// appends its binary form to dst.
type element struct {
	kind strictjson.Kind
	read func(s *strictjson.Scanner, dst []byte) ([]byte, error)
}

// elements are the datatypes that have a JSON form. FP16 and BF16 have none, as
// in Triton.
var elements = map[tensor.DataType]element{
	tensor.Bool:   {strictjson.Bool, boolElement},
	tensor.Uint8:  {strictjson.Number, unsignedElement(tensor.Uint8, math.MaxUint8)},
	tensor.Uint16: {strictjson.Number, unsignedElement(tensor.Uint16, math.MaxUint16)},
	tensor.Uint32: {strictjson.Number, unsignedElement(tensor.Uint32, math.MaxUint32)},
	tensor.Uint64: {strictjson.Number, unsignedElement(tensor.Uint64, math.MaxUint64)},
	tensor.Int8:   {strictjson.Number, signedElement(tensor.Int8, math.MaxInt8)},
	tensor.Int16:  {strictjson.Number, signedElement(tensor.Int16, math.MaxInt16)},
	tensor.Int32:  {strictjson.Number, signedElement(tensor.Int32, math.MaxInt32)},
	tensor.Int64:  {strictjson.Number, signedElement(tensor.Int64, math.MaxInt64)},
	tensor.FP32:   {strictjson.Number, fp32Element},
	tensor.FP64:   {strictjson.Number, fp64Element},
	tensor.Bytes:  {strictjson.String, bytesElement},
}

func boolElement(s *strictjson.Scanner, dst []byte) ([]byte, error) {
	value, err := s.Bool("true or false")
	if value {
		return append(dst, 1), err
	}
	return append(dst, 0), err
}

func unsignedElement(d tensor.DataType, most uint64) func(*strictjson.Scanner, []byte) ([]byte, error) {
	return func(s *strictjson.Scanner, dst []byte) ([]byte, error) {
		var n number
		if err := n.read(s); err != nil {
			return nil, err
		}
		value, err := n.unsigned(most, d.String())
		return appendInteger(dst, d.Size(), value), err
	}
}

func signedElement(d tensor.DataType, most int64) func(*strictjson.Scanner, []byte) ([]byte, error) {
	return func(s *strictjson.Scanner, dst []byte) ([]byte, error) {
		var n number
		if err := n.read(s); err != nil {
			return nil, err
		}
		value, err := n.signed(most, d.String())
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

func fp32Element(s *strictjson.Scanner, dst []byte) ([]byte, error) {
	var n number
	if err := n.read(s); err != nil {
		return nil, err
	}
	value, err := n.float32()
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(value)), err
}

func fp64Element(s *strictjson.Scanner, dst []byte) ([]byte, error) {
	var n number
	if err := n.read(s); err != nil {
		return nil, err
	}
	value, err := n.float64()
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(value)), err
}

func bytesElement(s *strictjson.Scanner, dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := s.AppendText(append(dst, 0, 0, 0, 0), "a string")
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// data reads an array that is flat or nested exactly as the shape of t says, and
// sets t.Data. count is the product of the shape.
func (p *parser) data(t *tensor.Tensor, count int64) error {
	e, ok := p.read[t.DataType]
	if !ok {
		return codec.Refuse(codec.InputDataInvalid, "%s has no JSON form, use the binary data format", t.DataType)
	}
	shape := t.Shape
	if !p.nested() || len(shape) < 2 {
		shape = []int64{count}
	}
	// An element takes two bytes of JSON, so the rest of the body bounds what a
	// shape may reserve. What BYTES hold beyond their length prefix is grown.
	room := min(count, int64(len(p.Rest()))/2+1)
	width := t.DataType.Size()
	if width == 0 {
		width = 4
	}
	r := dataReader{&p.Scanner, e}
	var err error
	t.Data, err = r.level(shape, make([]byte, 0, room*int64(width)))
	return err
}

// nested reports whether the array that comes next holds arrays.
func (p *parser) nested() bool {
	if p.Kind() != strictjson.Array {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(p.Rest()[1:], " \t\r\n"), []byte("["))
}

// dataReader turns JSON data into the binary form of a tensor.
type dataReader struct {
	*strictjson.Scanner
	element element
}

// level reads the array of the first dimension of shape and appends its elements to
// dst.
func (r *dataReader) level(shape []int64, dst []byte) ([]byte, error) {
	if err := r.OpenArray("an array of data"); err != nil {
		return nil, err
	}
	for n := int64(0); ; n++ {
		more, err := r.MoreItems(int(min(n, 1)))
		if err != nil {
			return nil, err
		}
		if !more && n == shape[0] {
			return dst, nil
		}
		if !more || n == shape[0] {
			return nil, codec.Refuse(codec.InputDataInvalid, "data does not have the elements that its shape says")
		}
		at := r.Offset()
		if len(shape) > 1 {
			dst, err = r.level(shape[1:], dst)
		} else if dst, err = r.element.read(r.Scanner, dst); err != nil {
			err = r.mismatch(at, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// mismatch tells a value of the wrong type, which begins at an offset, from one that
// is no JSON, which is err.
func (r *dataReader) mismatch(at int, err error) error {
	r.Seek(at)
	if found := r.Kind(); found != strictjson.None && found != r.element.kind {
		return codec.Refuse(codec.InputDataInvalid, "data holds a value that its datatype cannot take")
	}
	return err
}
