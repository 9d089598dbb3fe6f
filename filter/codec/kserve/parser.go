package kserve

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// parser reads the objects that requests and responses of the V2 protocol share.
type parser struct {
	strictjson.Scanner
	limits *Limits
	room   int64 // bytes that numbers of JSON may still take in binary form
	read   map[tensor.DataType]element
	plain  bool // the message may hold no binary tensors
}

// parser returns a parser of a message whose tensors have at most room bytes.
func (c *HTTP) parser(json []byte, room int) *parser {
	return &parser{Scanner: strictjson.New(json, c.limits.MaxJSONDepth), limits: &c.limits, room: int64(room), read: c.read}
}

// part is a tensor as its JSON object describes it.
type part struct {
	tensor.Tensor
	elements    int64
	binarySize  int64  // -1 if the data stood in the JSON
	contentType string // of an output of a plain message
}

// part reads one tensor with its JSON data, if it has such.
func (p *parser) part() (part, error) {
	t := part{elements: -1, binarySize: -1}
	hasData, dataAt := false, -1
	err := p.Object("a tensor", func(key string) (err error) {
		switch key {
		case "name":
			t.Name, err = p.name("a tensor name")
		case "datatype":
			if t.DataType, err = p.datatype(); err == nil {
				err = t.measure(p.limits)
			}
		case "shape":
			if t.Shape, err = p.shape(); err == nil {
				err = t.measure(p.limits)
			}
		case "parameters":
			if p.plain {
				t.contentType, err = p.plainParameters()
			} else {
				t.binarySize, err = p.tensorParameters()
			}
		case "data":
			hasData = true
			if t.elements >= 0 {
				return p.tensorData(&t)
			}
			dataAt = p.Offset()
			return p.Skip()
		default:
			err = unknownKey("a tensor")
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if err := t.complete(hasData); err != nil || dataAt < 0 {
		return t, err
	}
	end := p.Offset()
	p.Seek(dataAt)
	err = p.tensorData(&t)
	p.Seek(end)
	return t, err
}

// tensorData reads the JSON data of t. Two bytes of JSON may be eight of binary
// data, so what all tensors of a message take together is limited.
func (p *parser) tensorData(t *part) error {
	if p.room -= t.elements * int64(t.DataType.Size()); p.room < 0 {
		return codec.Refuse(codec.BodyTooLarge, "the tensors are larger than allowed in binary form")
	}
	return p.data(&t.Tensor, t.elements)
}

// measure sets the number of elements once datatype and shape are known.
func (t *part) measure(limits *Limits) (err error) {
	if t.DataType == tensor.Invalid || t.Shape == nil {
		return nil
	}
	most := limits.MaxElements
	if t.DataType == tensor.Bytes {
		most = limits.MaxBytesElements
	}
	if t.elements, err = tensor.Elements(t.Shape, most); err != nil {
		return codec.Refuse(codec.ShapeInvalid, "the shape of tensor %q has more elements than are allowed", t.Name)
	}
	return nil
}

// complete checks that everything that must be said about a tensor was said, and
// where its data is exactly once.
func (t *part) complete(hasData bool) error {
	switch {
	case t.Name == "":
		return codec.Refuse(codec.NameInvalid, "a tensor has no name")
	case t.DataType == tensor.Invalid:
		return codec.Refuse(codec.DataTypeInvalid, "tensor %q has no datatype", t.Name)
	case t.Shape == nil:
		return codec.Refuse(codec.ShapeInvalid, "tensor %q has no shape", t.Name)
	case hasData == (t.binarySize >= 0):
		return codec.Refuse(codec.InputDataInvalid, "tensor %q needs data or binary_data_size, and one of them only", t.Name)
	}
	return nil
}

// attach gives every tensor that announced a binary size its part of blob, in
// order, as a view. The sizes must add up to blob exactly.
func attach(parts []part, blob []byte) error {
	for i := range parts {
		t := &parts[i]
		if t.binarySize < 0 {
			continue
		}
		size := int64(t.DataType.Size())
		if t.binarySize > int64(len(blob)) || size > 0 && t.binarySize != t.elements*size {
			return codec.Refuse(codec.BinarySizeInvalid, "binary_data_size of tensor %q is not what its shape or the body holds", t.Name)
		}
		t.Data, blob = blob[:t.binarySize:t.binarySize], blob[t.binarySize:]
		if err := t.Validate(); err != nil {
			return codec.Refuse(codec.InputDataInvalid, "the BYTES elements of tensor %q do not end where its data ends", t.Name)
		}
	}
	if len(blob) > 0 {
		return codec.Refuse(codec.BinarySizeInvalid, "%d bytes follow the binary tensors", len(blob))
	}
	return nil
}

func (p *parser) datatype() (tensor.DataType, error) {
	name, err := p.String("a datatype")
	if err != nil {
		return tensor.Invalid, err
	}
	d, err := tensor.ParseDataType(name)
	if err != nil {
		return tensor.Invalid, codec.Refuse(codec.DataTypeInvalid, "a datatype is not one of the V2 protocol")
	}
	return d, nil
}

// shape reads the dimensions; it is not nil if there are none.
func (p *parser) shape() ([]int64, error) {
	shape := make([]int64, 0, 4)
	err := p.Array("a shape", func(i int) error {
		if i >= p.limits.MaxRank {
			return codec.Refuse(codec.ShapeInvalid, "a shape has more than %d dimensions", p.limits.MaxRank)
		}
		dimension, err := p.count(codec.ShapeInvalid, "a dimension")
		shape = append(shape, dimension)
		return err
	})
	return shape, err
}

// count reads an integer that is not negative. The reason is for a number that
// is not.
func (p *parser) count(reason codec.Reason, what string) (int64, error) {
	var n number
	if err := n.read(&p.Scanner); err != nil {
		return 0, err
	}
	value, err := n.unsigned(math.MaxInt64, what)
	if err != nil {
		return 0, codec.Refuse(reason, "%s is not an integer in range", what)
	}
	return int64(value), nil
}

// flag reads a parameter that must be true or false.
func (p *parser) flag(what string) (bool, error) {
	if p.Kind() != strictjson.Bool {
		return false, codec.Refuse(codec.ParameterInvalid, "%s must be true or false", what)
	}
	return p.Bool("true or false")
}

// tensorParameters reads the parameters of a tensor, of which only
// binary_data_size is understood; it is -1 if absent.
func (p *parser) tensorParameters() (binarySize int64, err error) {
	binarySize = -1
	err = p.Object("parameters", func(key string) (err error) {
		if key != "binary_data_size" {
			return unknownParameter(key)
		}
		binarySize, err = p.count(codec.BinarySizeInvalid, key)
		return err
	})
	return binarySize, err
}

// parameters reads the parameters of a request or response. consume takes those
// that the codec itself acts on and reports whether it did.
func (p *parser) parameters(consume func(key string) (bool, error)) (list []codec.Parameter, err error) {
	count := 0
	err = p.Object("parameters", func(key string) error {
		if count++; count > p.limits.MaxParameters {
			return codec.Refuse(codec.ParameterInvalid, "more than %d parameters", p.limits.MaxParameters)
		}
		if err := checkName(key, p.limits, "a parameter name"); err != nil {
			return err
		}
		if done, err := consume(key); done || err != nil {
			return err
		}
		value, err := p.parameter()
		list = append(list, codec.Parameter{Name: key, Value: value})
		return err
	})
	return list, err
}

// parameter reads a value: a string, bool, int64, uint64 above every int64, or
// float64.
func (p *parser) parameter() (any, error) {
	switch p.Kind() {
	case strictjson.String:
		value, err := p.String("a parameter")
		if err == nil && strings.IndexByte(value, 0) >= 0 {
			err = codec.Refuse(codec.ParameterInvalid, "a parameter holds a NUL, at which Triton would cut it")
		}
		return value, err
	case strictjson.Bool:
		return p.Bool("true or false")
	case strictjson.Null, strictjson.Object, strictjson.Array:
		return nil, codec.Refuse(codec.ParameterInvalid, "a parameter must be a string, number or boolean")
	}
	var n number
	err := n.read(&p.Scanner)
	switch {
	case err != nil:
		return nil, err
	case !n.Integer:
		return n.float64()
	case n.Negative || n.Exact && n.Mantissa <= math.MaxInt64:
		return n.signed(math.MaxInt64, "INT64")
	}
	return n.unsigned(math.MaxUint64, "UINT64")
}

// name reads an identifier.
func (p *parser) name(what string) (string, error) {
	name, err := p.String(what)
	if err != nil {
		return "", err
	}
	return name, checkName(name, p.limits, what)
}

// checkName refuses identifiers that are empty, too long, or hold control
// characters: Triton cuts them at NUL and writes them into its log.
func checkName(name string, limits *Limits, what string) error {
	if name == "" || len(name) > limits.MaxNameBytes || !utf8.ValidString(name) {
		return codec.Refuse(codec.NameInvalid, "%s must have 1 to %d bytes of UTF-8", what, limits.MaxNameBytes)
	}
	for _, r := range name {
		if r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return codec.Refuse(codec.NameInvalid, "%s holds a control character", what)
		}
	}
	return nil
}

func unknownKey(where string) error {
	return codec.Refuse(codec.JSONUnknownKey, "a key of %s is not one of the V2 protocol", where)
}

// unknownParameter is the refusal of a parameter that would change where a
// tensor comes from or goes to.
func unknownParameter(key string) error {
	if strings.HasPrefix(key, "shared_memory_") {
		return codec.Refuse(codec.SharedMemoryDenied, "tensors in shared memory are not accepted")
	}
	return codec.Refuse(codec.ParameterInvalid, "a tensor has a parameter that is not understood")
}

// checkRequestParameter refuses the names of request parameters that Triton
// reserves for itself or that the codec writes.
func checkRequestParameter(key string) error {
	switch {
	case strings.HasPrefix(key, "shared_memory_"):
		return codec.Refuse(codec.SharedMemoryDenied, "tensors in shared memory are not accepted")
	case strings.HasPrefix(key, "triton_") || strings.HasPrefix(key, "binary_data"):
		return codec.Refuse(codec.ParameterInvalid, "a parameter has a reserved name")
	}
	return nil
}

// duplicate returns the index of the first name that stood before; -1 if none.
// Lists are short.
func duplicate(names []string) int {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return i
		}
	}
	return -1
}
