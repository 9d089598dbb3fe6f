package kserve

import (
	"slices"

	"weir/filter/codec"
)

// DecodeResponse parses the model server's answer to a canonical request: every
// output binary, no content coding. The outputs are views into body, but for those
// that were rebuilt from classes. All reasons are ResponseMalformed or
// ResponseTooLarge.
func (c *HTTP) DecodeResponse(request *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if len(body) > c.limits.MaxResponseBytes {
		return nil, codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes", c.limits.MaxResponseBytes)
	}
	response, err := c.decodeResponse(request, headers, body)
	if err != nil {
		return nil, malformedResponse(err)
	}
	if err := declassify(request, response); err != nil {
		return nil, err
	}
	return response, nil
}

func malformedResponse(err error) error {
	return codec.RefuseAnswer(err, codec.JSONTooLarge, codec.OutputsTooMany)
}

func (c *HTTP) decodeResponse(request *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if err := identityBody(headers, body); err != nil {
		return nil, err
	}
	if request != nil && generates(request.Operation) {
		return c.decodeGenerated(request, body)
	}
	jsonBytes, ok, err := headers.Length(headerLengthName, len(body))
	if err != nil {
		return nil, err
	}
	if !ok {
		jsonBytes = len(body)
	}
	response := &codec.Response{}
	p := c.parser(body[:jsonBytes], c.limits.MaxResponseBytes)
	outputs, err := p.response(response)
	if err != nil {
		return nil, err
	}
	if err := p.End(); err != nil {
		return nil, err
	}
	if err := attach(outputs, body[jsonBytes:]); err != nil {
		return nil, err
	}
	for i := range outputs {
		response.Outputs = append(response.Outputs, outputs[i].Tensor)
	}
	return response, nil
}

// identityBody checks that a body is whole and has no content coding.
func identityBody(headers codec.Headers, body []byte) error {
	if err := headers.CheckLength(body); err != nil {
		return err
	}
	coding, err := contentCoding(headers)
	if err != nil || coding != codec.Identity {
		return codec.Refuse(codec.EncodingUnsupported, "it has a content coding that was not asked for")
	}
	return nil
}

// response reads the JSON of a response, into r all but the outputs.
func (p *parser) response(r *codec.Response) (outputs []part, err error) {
	err = p.Object("the answer", func(key string) (err error) {
		switch key {
		case "id":
			r.ID, err = p.id()
		case "model_name":
			r.Model, err = p.name("a model name")
		case "model_version":
			r.Version, err = p.name("a model version")
		case "parameters":
			r.Parameters, err = p.responseParameters()
		case "outputs":
			outputs, err = p.responseOutputs()
		default:
			err = unknownKey("the answer")
		}
		return err
	})
	if err == nil && (r.Model == "" || outputs == nil) {
		err = codec.Refuse(codec.JSONMalformed, "model_name or outputs are missing")
	}
	return outputs, err
}

// responseParameters reads the parameters of a response. Triton repeats those of an
// ensemble's for each step that an output comes from (Triton 2.51); a key that has the
// same value each time is read once.
func (p *parser) responseParameters() (list []codec.Parameter, err error) {
	count := 0
	err = p.Repeating("parameters", func(key string) error {
		if count++; count > p.limits.MaxParameters {
			return codec.Refuse(codec.ParameterInvalid, "more than %d parameters", p.limits.MaxParameters)
		}
		if err := checkName(key, p.limits, "a parameter name"); err != nil {
			return err
		}
		value, err := p.parameter()
		if err != nil {
			return err
		}
		switch i := slices.IndexFunc(list, func(have codec.Parameter) bool { return have.Name == key }); {
		case i < 0:
			list = append(list, codec.Parameter{Name: key, Value: value})
		case list[i].Value != value:
			return codec.Refuse(codec.JSONDuplicateKey, "a key stands twice in parameters, with two values")
		}
		return nil
	})
	return list, err
}

func (p *parser) responseOutputs() (outputs []part, err error) {
	outputs = []part{}
	var names []string
	err = p.Array("a list of outputs", func(i int) error {
		if i >= p.limits.MaxOutputs {
			return codec.Refuse(codec.OutputsTooMany, "more than %d outputs", p.limits.MaxOutputs)
		}
		output, err := p.part()
		if err == nil && !p.plain && output.binarySize < 0 && output.elements > 0 {
			err = codec.Refuse(codec.InputDataInvalid, "output %q is not binary", output.Name)
		}
		outputs, names = append(outputs, output), append(names, output.Name)
		return err
	})
	if err == nil {
		if i := duplicate(names); i >= 0 {
			err = codec.Refuse(codec.OutputDuplicate, "output %q stands twice", names[i])
		}
	}
	return outputs, err
}
