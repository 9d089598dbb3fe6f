// Package tensor holds the typed value that every protocol decodes into and every
// sanitiser works on: a KServe V2 tensor in its binary form.
//
// The binary form is the one of the V2 "binary tensor data" extension: elements
// little-endian, row-major, without padding; BYTES elements each as a uint32
// little-endian length followed by that many bytes.
package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// DataType is a KServe V2 tensor datatype. The zero value is invalid.
type DataType uint8

// The datatypes of the V2 protocol, in the order of its specification.
const (
	Invalid DataType = iota
	Bool
	Uint8
	Uint16
	Uint32
	Uint64
	Int8
	Int16
	Int32
	Int64
	FP16
	FP32
	FP64
	Bytes
	BF16
)

var (
	names = [...]string{"INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64",
		"INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES", "BF16"}
	sizes = [...]int{0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 0, 2}
)

// ParseDataType returns the datatype of a V2 name such as "FP32"; the match is
// case-sensitive, as it is in Triton.
func ParseDataType(name string) (DataType, error) {
	for i := 1; i < len(names); i++ {
		if names[i] == name {
			return DataType(i), nil
		}
	}
	return Invalid, fmt.Errorf("unknown datatype %q", name)
}

// String returns the V2 name of the datatype.
func (d DataType) String() string {
	if int(d) >= len(names) {
		return names[Invalid]
	}
	return names[d]
}

// Size is the number of bytes of one element; 0 for BYTES, whose elements vary.
func (d DataType) Size() int {
	if int(d) >= len(sizes) {
		return 0
	}
	return sizes[d]
}

// Float reports whether the datatype can hold NaN and infinities.
func (d DataType) Float() bool { return d == FP16 || d == FP32 || d == FP64 || d == BF16 }

// Tensor is one named tensor. Data is in the binary form of the package doc and
// is owned by whoever owns the Tensor; functions that change a tensor return a
// new one and leave the old Data alone.
type Tensor struct {
	Name     string
	DataType DataType
	Shape    []int64
	Data     []byte
}

// Errors of size arithmetic and of the BYTES form.
var (
	ErrShape    = errors.New("shape out of bounds")
	ErrByteSize = errors.New("data does not have the size that the shape says")
	ErrElement  = errors.New("BYTES element runs past the end of the data")
)

// Elements returns the product of the dimensions. A negative dimension, or a
// product above limit, is ErrShape; the arithmetic cannot overflow.
func Elements(shape []int64, limit int64) (int64, error) {
	n, zero := int64(1), false
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("%w: dimension %d", ErrShape, d)
		}
		if d == 0 {
			zero = true
			continue
		}
		if n > limit/d {
			return 0, fmt.Errorf("%w: more than %d elements", ErrShape, limit)
		}
		n *= d
	}
	if zero {
		return 0, nil
	}
	return n, nil
}

// Validate checks that Data is exactly what Shape and DataType say, walking
// every BYTES length prefix to the end. Triton's own check of BYTES does not
// look whether the last element is complete.
func (t *Tensor) Validate() error {
	if t.DataType == Invalid || int(t.DataType) >= len(names) {
		return fmt.Errorf("tensor %q: invalid datatype", t.Name)
	}
	n, err := Elements(t.Shape, math.MaxInt32)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.DataType != Bytes {
		if int64(len(t.Data)) != n*int64(t.DataType.Size()) {
			return fmt.Errorf("tensor %q: %w: %d bytes for %d elements of %s",
				t.Name, ErrByteSize, len(t.Data), n, t.DataType)
		}
		return nil
	}
	if err := EachElement(t.Data, n, func(int64, []byte) error { return nil }); err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return nil
}

// EachElement calls f for each of the n elements of BYTES data, in order, with a
// view into data. It fails with ErrElement if a length prefix or an element runs
// past the end, with ErrByteSize if bytes are left over, with ErrShape if n is
// negative, or with f's error.
func EachElement(data []byte, n int64, f func(i int64, element []byte) error) error {
	if n < 0 {
		return fmt.Errorf("%w: %d elements", ErrShape, n)
	}
	for i := range n {
		if len(data) < 4 {
			return fmt.Errorf("element %d: %w", i, ErrElement)
		}
		size := binary.LittleEndian.Uint32(data)
		data = data[4:]
		if uint64(size) > uint64(len(data)) {
			return fmt.Errorf("element %d: %w", i, ErrElement)
		}
		if err := f(i, data[:size:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	if len(data) != 0 {
		return fmt.Errorf("%w: %d bytes after the last element", ErrByteSize, len(data))
	}
	return nil
}

// AppendElement appends one BYTES element, its length prefix first, to dst. The
// element must be shorter than 4 GiB, which the prefix can say.
func AppendElement(dst, element []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(element)))
	return append(dst, element...)
}
