package kserve

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// tensorSchema is InferInputTensor and InferOutputTensor: name, datatype, shape,
// parameters, contents.
var tensorSchema = schema{1: oneText, 2: oneText, 3: manyVarints, 4: manyBytes, 5: oneMessage}

// protoTensor is a tensor as its message describes it.
type protoTensor struct {
	part
	typed    bool   // it has contents
	contents []byte // in the form of InferTensorContents
}

func readTensor(source []byte, limits *Limits) (t protoTensor, err error) {
	t.Shape = []int64{} // no dimensions are written as no field
	err = tensorSchema.walk(source, func(f field) (err error) {
		switch f.number {
		case 1:
			t.Name = string(f.bytes)
		case 2:
			if t.DataType, err = tensor.ParseDataType(string(f.bytes)); err != nil {
				err = codec.Refuse(codec.DataTypeInvalid, "a datatype is not one of the V2 protocol")
			}
		case 3:
			err = f.numbers(protowire.VarintType, func(n uint64) error { return t.addDimension(n, limits) })
		case 4:
			var p codec.Parameter
			if p, err = readParameter(f.bytes, limits); err == nil {
				err = unknownParameter(p.Name)
			}
		case 5:
			t.typed, t.contents = true, f.bytes
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if err := checkName(t.Name, limits, "a tensor name"); err != nil {
		return t, err
	}
	if t.DataType == tensor.Invalid {
		return t, codec.Refuse(codec.DataTypeInvalid, "tensor %q has no datatype", t.Name)
	}
	return t, t.measure(limits)
}

func (t *protoTensor) addDimension(n uint64, limits *Limits) error {
	if len(t.Shape) == limits.MaxRank {
		return codec.Refuse(codec.ShapeInvalid, "a shape has more than %d dimensions", limits.MaxRank)
	}
	if n > math.MaxInt64 {
		return codec.Refuse(codec.ShapeInvalid, "a dimension is negative")
	}
	t.Shape = append(t.Shape, int64(n))
	return nil
}

// attachRaw gives a tensor its raw contents, as a view.
func (t *protoTensor) attachRaw(raw []byte) error {
	if size := int64(t.DataType.Size()); size > 0 && int64(len(raw)) != t.elements*size {
		return codec.Refuse(codec.BinarySizeInvalid, "the raw contents of tensor %q are not what its shape says", t.Name)
	}
	t.Data = raw
	if err := t.Validate(); err != nil {
		return codec.Refuse(codec.InputDataInvalid, "the BYTES elements of tensor %q do not end where its data ends", t.Name)
	}
	return nil
}

// rawSize is the size of a list of raw contents.
func rawSize(number protowire.Number, raw [][]byte) (size int) {
	for _, data := range raw {
		size += protowire.SizeTag(number) + protowire.SizeBytes(len(data))
	}
	return size
}

// appendRaw appends a list of raw contents in one allocation.
func appendRaw(w []byte, number protowire.Number, raw [][]byte) []byte {
	if need := len(w) + rawSize(number, raw); need > cap(w) {
		w = append(make([]byte, 0, need), w...)
	}
	for _, data := range raw {
		w = appendMessage(w, number, data)
	}
	return w
}

// appendProtoTensor writes the fields of a tensor but its contents.
func appendProtoTensor(w []byte, t *tensor.Tensor) []byte {
	w = appendText(appendText(w, 1, t.Name), 2, t.DataType.String())
	if len(t.Shape) == 0 {
		return w
	}
	var shape []byte
	for _, d := range t.Shape {
		shape = protowire.AppendVarint(shape, uint64(d))
	}
	return appendMessage(w, 3, shape)
}
