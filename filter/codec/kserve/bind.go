package kserve

import (
	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// BindRequest keeps the signature. It gives the input of a raw binary request its
// name and shape, and makes the inputs and parameters of a generate request. An
// output that is asked for by name as JSON must be of a datatype that has such a form;
// of those that are not named, EncodeResponse finds out which there are.
func (c *HTTP) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	if g, ok := request.Extra.(*generate); ok {
		return c.bindGenerate(request, g)
	}
	if len(request.Inputs) == 1 && request.Inputs[0].DataType == tensor.Invalid {
		return c.bindRaw(&request.Inputs[0], signature)
	}
	for _, out := range request.Outputs {
		spec := signature.Output(out.Name)
		if spec != nil && !out.Binary && out.Classes == 0 && !c.hasJSON(spec.DataType) {
			return noJSON(out.Name, spec.DataType)
		}
	}
	return nil
}

// hasJSON reports whether a client can get a datatype as JSON.
func (c *HTTP) hasJSON(d tensor.DataType) bool { return d == tensor.Bytes || c.write[d] != nil }

func noJSON(output string, d tensor.DataType) error {
	return codec.Refuse(codec.DataTypeInvalid, "output %q is %s, which has no JSON form: ask for binary data", output, d)
}
