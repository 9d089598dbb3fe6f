package kserve

import (
	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// BindRequest keeps the signature. It gives the input of a raw binary request its
// name and shape, and makes the inputs and parameters of a generate request. An
// output that is asked for as JSON must be of a datatype that has such a form.
func (c *HTTP) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	if g, ok := request.Extra.(*generate); ok {
		return c.bindGenerate(request, g)
	}
	if len(request.Inputs) == 1 && request.Inputs[0].DataType == tensor.Invalid {
		return c.bindRaw(&request.Inputs[0], signature)
	}
	return nil
}
