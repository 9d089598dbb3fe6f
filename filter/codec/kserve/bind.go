package kserve

import (
	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// BindRequest keeps the signature, and gives the input of a raw binary request its
// name and shape.
func (c *HTTP) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	if len(request.Inputs) == 1 && request.Inputs[0].DataType == tensor.Invalid {
		return c.bindRaw(&request.Inputs[0], signature)
	}
	return nil
}
