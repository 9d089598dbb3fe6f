package kserve

import (
	"slices"

	"weir/filter/codec"
)

// requestSchema is ModelInferRequest: model_name, model_version, id, parameters,
// inputs, outputs, raw_input_contents.
var requestSchema = schema{1: oneText, 2: oneText, 3: oneText, 4: manyBytes, 5: manyBytes, 6: manyBytes, 7: manyBytes}

// askedSchema is InferRequestedOutputTensor: name, parameters.
var askedSchema = schema{1: oneText, 2: manyBytes}

// The parameters of ModelStreamInfer by which the end of an answer is told.
const (
	askFinal  = "triton_enable_empty_final_response"
	saysFinal = "triton_final_response"
)

// emptyFinal is the Extra of a request whose client wants a message that ends the
// answer, even if it has no outputs.
type emptyFinal bool

// DecodeRequest parses an inference request, or one of a stream of them, strictly.
// Raw tensors are views into body, or into what it inflates to.
func (c *GRPC) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	if route.Protocol != codec.KServeGRPC || route.Operation != codec.Infer && route.Operation != codec.InferStream {
		return nil, codec.Refuse(codec.RouteDenied, "not an inference over gRPC")
	}
	if route.Operation == codec.Infer {
		if err := headers.CheckLength(body); err != nil {
			return nil, err
		}
	}
	source, err := c.requestMessage(headers, body)
	if err != nil {
		return nil, err
	}
	r := requestReader{Request: codec.Request{Operation: route.Operation, Accept: codec.Identity, Binary: true},
		limits: &c.limits, room: int64(c.limits.MaxBodyBytes)}
	if err := requestSchema.walk(source, r.field); err != nil {
		return nil, err
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	request := r.Request // without what would keep the body alive
	return &request, nil
}

// requestReader puts a request together from the fields of its message.
type requestReader struct {
	codec.Request
	limits *Limits
	inputs []protoTensor
	raw    [][]byte
	final  bool  // the client wants a message that ends the answer
	room   int64 // bytes that typed contents may still take in binary form
}

func (r *requestReader) field(f field) (err error) {
	switch f.number {
	case 1:
		r.Model = string(f.bytes)
	case 2:
		r.Version = string(f.bytes)
	case 3:
		r.ID = string(f.bytes)
	case 4:
		return r.parameter(f.bytes)
	case 5:
		return r.input(f.bytes)
	case 6:
		return r.output(f.bytes)
	case 7:
		if len(r.raw) == r.limits.MaxInputs {
			return codec.Refuse(codec.InputsTooMany, "raw contents of more than %d inputs", r.limits.MaxInputs)
		}
		r.raw = append(r.raw, f.bytes)
	}
	return nil
}

// parameter adds an entry of the request's parameters, or acts on it.
func (r *requestReader) parameter(source []byte) error {
	p, err := readParameter(source, r.limits)
	if err != nil {
		return err
	}
	if p.Name == askFinal {
		if r.final, err = finalFlag(p, codec.ParameterInvalid); err != nil {
			return err
		}
	} else if err := checkParameter(p); err != nil {
		return err
	}
	r.Parameters, err = addParameter(r.Parameters, p, r.limits)
	return err
}

func (r *requestReader) input(source []byte) error {
	if len(r.inputs) == r.limits.MaxInputs {
		return codec.Refuse(codec.InputsTooMany, "more than %d inputs", r.limits.MaxInputs)
	}
	t, err := readTensor(source, r.limits)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(r.inputs, func(o protoTensor) bool { return o.Name == t.Name }) {
		return codec.Refuse(codec.InputDuplicate, "input %q stands twice", t.Name)
	}
	r.inputs = append(r.inputs, t)
	return nil
}

func (r *requestReader) output(source []byte) error {
	if len(r.Outputs) == r.limits.MaxOutputs {
		return codec.Refuse(codec.OutputsTooMany, "more than %d outputs", r.limits.MaxOutputs)
	}
	output := codec.Output{Binary: true}
	err := askedSchema.walk(source, func(f field) (err error) {
		if f.number == 1 {
			output.Name = string(f.bytes)
			return nil
		}
		p, err := readParameter(f.bytes, r.limits)
		switch {
		case err != nil:
		case p.Name != "classification":
			err = unknownParameter(p.Name)
		case output.Classes > 0:
			err = codec.Refuse(codec.ParameterInvalid, "a parameter stands twice")
		default:
			output.Classes, err = classes(p, r.limits)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := checkName(output.Name, r.limits, "an output name"); err != nil {
		return err
	}
	if slices.ContainsFunc(r.Outputs, func(o codec.Output) bool { return o.Name == output.Name }) {
		return codec.Refuse(codec.OutputDuplicate, "output %q stands twice", output.Name)
	}
	r.Outputs = append(r.Outputs, output)
	return nil
}

// classes reads the number of classes, which Triton takes as int64_param only.
func classes(p codec.Parameter, limits *Limits) (int, error) {
	n, ok := p.Value.(int64)
	if !ok || n < 1 || n > limits.MaxElements {
		return 0, codec.Refuse(codec.ParameterInvalid, "classification must be an int64 between 1 and %d", limits.MaxElements)
	}
	return int(n), nil
}

// finish checks what only the whole message tells and gives the inputs their data.
func (r *requestReader) finish() error {
	if err := checkModel(r.Model, r.Version); err != nil {
		return err
	}
	if r.ID != "" {
		if err := checkName(r.ID, r.limits, "the id"); err != nil {
			return err
		}
	}
	r.Parameters = slices.DeleteFunc(r.Parameters, func(p codec.Parameter) bool { return p.Name == askFinal })
	r.Extra = emptyFinal(r.final)
	if len(r.inputs) == 0 {
		return codec.Refuse(codec.InputDataInvalid, "the request has no inputs")
	}
	if len(r.raw) > 0 && len(r.raw) != len(r.inputs) {
		return codec.Refuse(codec.BinarySizeInvalid, "raw contents of %d inputs, but %d inputs", len(r.raw), len(r.inputs))
	}
	r.Inputs = make([]codec.Input, len(r.inputs))
	for i := range r.inputs {
		if err := r.attach(i); err != nil {
			return err
		}
		r.Inputs[i].Tensor = r.inputs[i].Tensor
	}
	return nil
}

// attach gives an input its data, which is raw or in typed contents.
func (r *requestReader) attach(i int) error {
	t := &r.inputs[i]
	switch {
	case len(r.raw) > 0 && t.typed:
		return codec.Refuse(codec.InputDataInvalid, "input %q has contents beside raw ones", t.Name)
	case len(r.raw) > 0:
		return t.attachRaw(r.raw[i])
	case !t.typed:
		return codec.Refuse(codec.InputDataInvalid, "input %q has no data", t.Name)
	}
	return t.readContents(&r.room)
}

// checkModel refuses names of models and versions that have a second spelling.
func checkModel(model, version string) error {
	if !codec.ValidModel(model) {
		return codec.Refuse(codec.NameInvalid, "the name of the model is not valid")
	}
	if version != "" && !codec.ValidVersion(version) {
		return codec.Refuse(codec.NameInvalid, "the version must be a decimal number without leading zeros")
	}
	return nil
}
