package kserve

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// contentsSchema is InferTensorContents: bool, int, int64, uint, uint64, fp32, fp64
// and bytes contents.
var contentsSchema = schema{1: manyVarints, 2: manyVarints, 3: manyVarints, 4: manyVarints, 5: manyVarints, 6: manyFixed32, 7: manyFixed64, 8: manyBytes}

// contentsOf is the list that holds the elements of each datatype; FP16 and BF16
// have none.
var contentsOf = [...]uint64{tensor.Bool: 1, tensor.Int8: 2, tensor.Int16: 2, tensor.Int32: 2, tensor.Int64: 3,
	tensor.Uint8: 4, tensor.Uint16: 4, tensor.Uint32: 4, tensor.Uint64: 5, tensor.FP32: 6, tensor.FP64: 7, tensor.Bytes: 8,
	tensor.FP16: 0, tensor.BF16: 0}

// readContents turns typed contents into the binary form. room is what all tensors
// of a message may still take together: a byte on the wire may be eight in binary
// form.
func (t *protoTensor) readContents(room *int64) error {
	list, size := contentsOf[t.DataType], t.DataType.Size()
	if list == 0 {
		return codec.Refuse(codec.InputDataInvalid, "%s has no typed contents, use raw ones", t.DataType)
	}
	if *room -= t.elements * int64(size); *room < 0 {
		return codec.Refuse(codec.BodyTooLarge, "the tensors are larger than allowed in binary form")
	}
	c := contents{tensor: t, wire: wireTypes[contentsSchema[list]]}
	err := contentsSchema.walk(t.contents, func(f field) error {
		switch {
		case f.number == list:
			return c.add(&f)
		case f.packed && len(f.bytes) == 0:
			return nil // a list without elements
		}
		return codec.Refuse(codec.InputDataInvalid, "input %q has contents of another datatype", t.Name)
	})
	if err == nil && c.count != t.elements {
		err = c.miscounted()
	}
	return err
}

// contents are the elements of a tensor as they come.
type contents struct {
	tensor *protoTensor
	wire   protowire.Type // of an element
	count  int64          // of the elements so far
}

func (c *contents) miscounted() error {
	return codec.Refuse(codec.InputDataInvalid, "input %q does not have the elements that its shape says", c.tensor.Name)
}

// add appends the elements of one field.
func (c *contents) add(f *field) error {
	t := c.tensor
	switch {
	case t.DataType == tensor.Bytes:
		if c.count++; c.count > t.elements {
			return c.miscounted()
		}
		t.Data = tensor.AppendElement(t.Data, f.bytes)
		return nil
	case f.packed && t.DataType.Float():
		return c.addFloats(f.bytes)
	}
	return c.addNumbers(f)
}

// addFloats appends packed floating-point numbers, whose form is the binary one.
func (c *contents) addFloats(packed []byte) error {
	t, size := c.tensor, c.tensor.DataType.Size()
	if len(packed)%size != 0 {
		return malformed("a number that is cut short")
	}
	if c.count += int64(len(packed) / size); c.count > t.elements {
		return c.miscounted()
	}
	if t.Data == nil {
		t.Data = packed
	} else {
		t.Data = append(t.Data, packed...)
	}
	return nil
}

func (c *contents) addNumbers(f *field) error {
	t, data, size := c.tensor, c.tensor.Data, c.tensor.DataType.Size()
	if f.packed {
		room := min(t.elements-c.count, int64(len(f.bytes))) // an element takes a byte at least
		data = slices.Grow(data, int(room)*size)
	}
	count := c.count // variables, because pointers would slow the loop down
	err := f.numbers(c.wire, func(value uint64) error {
		if count++; count > t.elements {
			return c.miscounted()
		}
		if !fits(t.DataType, value) {
			return codec.Refuse(codec.NumberOutOfRange, "an element of input %q is not within the range of %s", t.Name, t.DataType)
		}
		data = appendInteger(data, size, value)
		return nil
	})
	c.count, t.Data = count, data
	return err
}

// fits reports whether a number on the wire is a value of the datatype. What has a
// sign is written as an int64.
func fits(d tensor.DataType, value uint64) bool {
	spare := 64 - 8*d.Size()
	switch d {
	case tensor.Bool:
		return value <= 1
	case tensor.Int8, tensor.Int16, tensor.Int32:
		return int64(value)<<spare>>spare == int64(value)
	}
	return value<<spare>>spare == value
}
