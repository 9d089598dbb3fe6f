package kserve

import (
	"weir/filter/codec"
)

// DecodeRequest parses an inference request strictly. Binary tensors are views
// into body, or into what it inflates to. The inputs of a generate request, and the
// name of that of a raw binary one, wait for BindRequest.
func (c *HTTP) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	if route.Protocol != codec.KServeHTTP {
		return nil, codec.Refuse(codec.RouteDenied, "not an inference over HTTP")
	}
	body, jsonBytes, err := c.requestBody(headers, body)
	if err != nil {
		return nil, err
	}
	request := &codec.Request{Operation: route.Operation, Model: route.Model, Version: route.Version,
		Accept: acceptedCoding(headers), Stream: route.Operation == codec.GenerateStream}
	switch {
	case generates(route.Operation):
		err = c.decodeGenerate(request, headers, body)
	case route.Operation != codec.Infer:
		err = codec.Refuse(codec.RouteDenied, "not an inference over HTTP")
	case jsonBytes == 0:
		decodeRaw(request, body)
	default:
		err = c.decodeInfer(request, body, jsonBytes)
	}
	if err != nil {
		return nil, err
	}
	return request, nil
}

// decodeInfer reads a body of which the first jsonBytes are JSON.
func (c *HTTP) decodeInfer(request *codec.Request, body []byte, jsonBytes int) error {
	p := c.parser(body[:jsonBytes], c.limits.MaxBodyBytes)
	inputs, err := p.request(request)
	if err != nil {
		return err
	}
	if err := p.End(); err != nil {
		return err
	}
	if err := attach(inputs, body[jsonBytes:]); err != nil {
		return err
	}
	request.Inputs = make([]codec.Input, len(inputs))
	for i := range inputs {
		request.Inputs[i].Tensor = inputs[i].Tensor
	}
	return nil
}

// requestBody checks what the headers say about the body and returns it without
// its content coding, and how many bytes of it are JSON: 0 if the client says that
// it is a raw binary request.
func (c *HTTP) requestBody(headers codec.Headers, body []byte) (plain []byte, jsonBytes int, err error) {
	if _, lines := headers.Get("transfer-encoding"); lines > 0 {
		return nil, 0, codec.Refuse(codec.HeaderInvalid, "transfer-encoding is not accepted")
	}
	if err := headers.CheckLength(body); err != nil {
		return nil, 0, err
	}
	coding, err := contentCoding(headers)
	if err != nil {
		return nil, 0, err
	}
	if len(body) > c.limits.MaxBodyBytes {
		return nil, 0, codec.Refuse(codec.BodyTooLarge, "the body has more than %d bytes", c.limits.MaxBodyBytes)
	}
	if body, err = c.limits.inflate(coding, body); err != nil {
		return nil, 0, err
	}
	jsonBytes, ok, err := headers.Length(headerLengthName, len(body))
	switch {
	case err != nil:
		return nil, 0, err
	case len(body) == 0:
		return nil, 0, codec.Refuse(codec.BodyMissing, "an inference request needs a body")
	case ok && jsonBytes == 0:
		return body, 0, rawHeader(headers)
	case !ok:
		jsonBytes = len(body)
	case jsonBytes < len(body) && jsonBytes > c.limits.MaxJSONHeaderBytes:
		return nil, 0, codec.Refuse(codec.JSONTooLarge, "the JSON header has more than %d bytes", c.limits.MaxJSONHeaderBytes)
	}
	return body, jsonBytes, nil
}

// request reads the JSON of a request, into r all but the inputs.
func (p *parser) request(r *codec.Request) (inputs []part, err error) {
	err = p.Object("the request", func(key string) (err error) {
		switch key {
		case "id":
			r.ID, err = p.id()
		case "parameters":
			r.Parameters, err = p.requestParameters(&r.Binary)
		case "inputs":
			inputs, err = p.inputs()
		case "outputs":
			r.Outputs, err = p.outputs()
		default:
			err = unknownKey("the request")
		}
		return err
	})
	if err == nil && len(inputs) == 0 {
		err = codec.Refuse(codec.InputDataInvalid, "the request has no inputs")
	}
	return inputs, err
}

// id reads the id of a request or response, which may be empty.
func (p *parser) id() (string, error) {
	id, err := p.String("an id")
	if err != nil || id == "" {
		return "", err
	}
	return id, checkName(id, p.limits, "the id")
}

// requestParameters reads the parameters of a request. Those that decide the
// form of the answer are consumed; the prefixes that Triton or its extensions
// act on, but that are no parameters of an inference, are refused.
func (p *parser) requestParameters(binary *bool) ([]codec.Parameter, error) {
	list, err := p.parameters(func(key string) (consumed bool, err error) {
		if key == "binary_data_output" {
			*binary, err = p.flag(key)
			return true, err
		}
		return false, checkRequestParameter(key)
	})
	for i := 0; err == nil && i < len(list); i++ {
		err = checkParameter(list[i])
	}
	return list, err
}

func (p *parser) inputs() (inputs []part, err error) {
	var names []string
	err = p.Array("a list of inputs", func(i int) error {
		if i >= p.limits.MaxInputs {
			return codec.Refuse(codec.InputsTooMany, "more than %d inputs", p.limits.MaxInputs)
		}
		input, err := p.part()
		inputs, names = append(inputs, input), append(names, input.Name)
		return err
	})
	if err == nil {
		if i := duplicate(names); i >= 0 {
			err = codec.Refuse(codec.InputDuplicate, "input %q stands twice", names[i])
		}
	}
	return inputs, err
}

func (p *parser) outputs() (outputs []codec.Output, err error) {
	var names []string
	err = p.Array("a list of outputs", func(i int) error {
		if i >= p.limits.MaxOutputs {
			return codec.Refuse(codec.OutputsTooMany, "more than %d outputs", p.limits.MaxOutputs)
		}
		output, err := p.output()
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

// output reads one requested output. Without binary_data it is JSON, whatever
// binary_data_output says of the outputs that are not named.
func (p *parser) output() (output codec.Output, err error) {
	err = p.Object("an output", func(key string) (err error) {
		switch key {
		case "name":
			output.Name, err = p.name("an output name")
		case "parameters":
			err = p.outputParameters(&output)
		default:
			err = unknownKey("an output")
		}
		return err
	})
	if err == nil && output.Name == "" {
		err = codec.Refuse(codec.NameInvalid, "an output has no name")
	}
	return output, err
}

func (p *parser) outputParameters(output *codec.Output) error {
	return p.Object("parameters", func(key string) (err error) {
		switch key {
		case "binary_data":
			output.Binary, err = p.flag(key)
		case "classification":
			output.Classes, err = p.classification()
		default:
			err = unknownParameter(key)
		}
		return err
	})
}
