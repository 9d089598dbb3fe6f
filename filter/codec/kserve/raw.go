package kserve

import (
	"slices"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// Triton takes a body without any JSON as the one input of a model
// (extension_binary_data.md, "Raw Binary Request"): what it is called and what
// shape it has follows from the model (Normalize in infer_request.cc). Weir writes
// it out as every other request.

// rawHeader checks that a raw binary request is announced in one spelling: to
// Triton up to 26.05, whatever is not a number announces one.
func rawHeader(headers codec.Headers) error {
	if value, _ := headers.Get(headerLengthName); value != "0" {
		return codec.Refuse(codec.HeaderInvalid, "a raw binary request has %s 0", headerLengthName)
	}
	return nil
}

// decodeRaw makes body the unnamed input of a request; all its outputs come back
// in binary form.
func decodeRaw(request *codec.Request, body []byte) {
	request.Binary = true
	request.Inputs = []codec.Input{{Tensor: tensor.Tensor{Data: body}}}
}

// bindRaw makes the unnamed input that of the model, which must have one only. It
// is one row; at most one dimension may be of any size; a string must be the only
// element.
func (c *HTTP) bindRaw(in *codec.Input, signature *codec.Signature) error {
	if len(signature.Inputs) != 1 {
		return codec.Refuse(codec.SignatureMismatch, "a raw binary request needs a model with one input, this one has %d", len(signature.Inputs))
	}
	spec := &signature.Inputs[0]
	row := rowShape(signature, spec)
	in.Name, in.DataType = spec.Name, spec.DataType
	var err error
	if spec.DataType == tensor.Bytes {
		err = rawString(in, row)
	} else {
		err = c.rawNumbers(in, row)
	}
	if signature.MaxBatchSize > 0 {
		in.Shape = append([]int64{1}, in.Shape...)
	}
	return err
}

func rawString(in *codec.Input, row []int64) error {
	if n, err := tensor.Elements(row, 1); err != nil || n != 1 {
		return codec.Refuse(codec.ShapeInvalid, "the input of a raw binary request must be one string, or numbers")
	}
	in.Shape = slices.Clone(row)
	in.Data = tensor.AppendElement(make([]byte, 0, 4+len(in.Data)), in.Data)
	return nil
}

func (c *HTTP) rawNumbers(in *codec.Input, row []int64) error {
	if first := slices.Index(row, -1); first >= 0 && slices.Contains(row[first+1:], -1) {
		return codec.Refuse(codec.ShapeInvalid, "the input has several dimensions of any size, of which a raw binary request says nothing")
	}
	size := in.DataType.Size()
	count := int64(len(in.Data) / size)
	shape, ok := fillShape(row, count)
	if !ok || len(in.Data)%size != 0 {
		return codec.Refuse(codec.BinarySizeInvalid, "the body does not have the size of the model's input")
	}
	if count > c.limits.MaxElements {
		return codec.Refuse(codec.ShapeInvalid, "the input has more elements than are allowed")
	}
	in.Shape = shape
	return nil
}
