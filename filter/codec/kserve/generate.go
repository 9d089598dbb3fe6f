package kserve

import (
	"math"
	"slices"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// Triton's generate extension (extension_generate.md) is flat JSON: a key is an
// input if the model has one of that name, else a parameter, and so are the keys of
// a nested object "parameters". A value is one element or a flat list of them; the
// shape follows from the model. So a request is read twice: once for its form, and
// again when the signature tells what its values are.

// generates reports whether an operation is one of the extension.
func generates(o codec.Operation) bool { return o == codec.Generate || o == codec.GenerateStream }

// generate is what DecodeRequest keeps of such a request for BindRequest, and that
// for the answers to it.
type generate struct {
	src     []byte
	members []member
	rows    int64 // of the request; 0 if the model does not batch
}

// member is a key that may be an input or a parameter, and where its value stands.
type member struct {
	name string
	value
}

// value is where a value stands that is one element, or a flat list of them.
type value struct {
	at    int
	list  bool
	count int64
}

// decodeGenerate reads the form of a generate request.
func (c *HTTP) decodeGenerate(request *codec.Request, headers codec.Headers, body []byte) error {
	if _, lines := headers.Get(headerLengthName); lines > 0 {
		return codec.Refuse(codec.HeaderInvalid, "generate takes no %s", headerLengthName)
	}
	p := c.parser(body, c.limits.MaxBodyBytes)
	g := &generate{src: body}
	err := p.Object("the request", func(key string) (err error) {
		switch key {
		case "id":
			request.ID, err = p.id()
			return err
		case "parameters":
			return p.Object("parameters", func(key string) error { return g.member(p, key) })
		}
		return g.member(p, key)
	})
	if err != nil {
		return err
	}
	names := make([]string, len(g.members))
	for i := range g.members {
		names[i] = g.members[i].name
	}
	if duplicate(names) >= 0 {
		return codec.Refuse(codec.JSONDuplicateKey, "a key stands in the request and in its parameters")
	}
	request.Extra = g
	return p.End()
}

// member reads the form of one member.
func (g *generate) member(p *parser, key string) error {
	if most := p.limits.MaxInputs + p.limits.MaxParameters; len(g.members) >= most {
		return codec.Refuse(codec.ParameterInvalid, "more than %d keys", most)
	}
	if err := checkName(key, p.limits, "a key"); err != nil {
		return err
	}
	if key == "id" || key == "parameters" { // Triton would make them parameters beside those of the request
		return codec.Refuse(codec.ParameterInvalid, "a parameter has a reserved name")
	}
	v, err := p.value(p.skipScalar)
	g.members = append(g.members, member{key, v})
	return err
}

// value finds the end of one element or of a flat list of them; skip finds that of
// an element.
func (p *parser) value(skip func() error) (value, error) {
	v := value{at: p.Offset(), list: p.Kind() == strictjson.Array, count: 1}
	if !v.list {
		return v, skip()
	}
	v.count = 0
	err := p.Array("a list", func(int) error {
		v.count++
		return skip()
	})
	return v, err
}

// skipScalar finds the end of a string, number or boolean.
func (p *parser) skipScalar() (err error) {
	switch p.Kind() {
	case strictjson.String:
		_, _, err = p.RawString("a string")
	case strictjson.Bool:
		_, err = p.Bool("true or false")
	case strictjson.Null, strictjson.Object, strictjson.Array:
		err = codec.Refuse(codec.InputDataInvalid, "a value is neither text, number, boolean nor a flat list of them")
	default:
		var n number
		err = n.read(&p.Scanner)
	}
	return err
}

// bindGenerate tells inputs from parameters and gives the inputs their datatypes
// and shapes, as ConvertGenerateRequest in http_server.cc does.
func (c *HTTP) bindGenerate(request *codec.Request, g *generate) error {
	for _, name := range []string{"id", "parameters"} {
		if request.Signature.Input(name) != nil {
			return codec.Refuse(codec.SignatureMismatch, "generate cannot name the model's input %q", name)
		}
	}
	p := c.parser(g.src, c.limits.MaxBodyBytes)
	for _, m := range g.members {
		if spec := request.Signature.Input(m.name); spec != nil {
			t, err := p.generateTensor(spec, m.value)
			if err != nil {
				return err
			}
			request.Inputs = append(request.Inputs, codec.Input{Tensor: t})
			continue
		}
		p.Seek(m.at)
		v, err := p.parameter()
		if err != nil {
			return err
		}
		request.Parameters = append(request.Parameters, codec.Parameter{Name: m.name, Value: v})
		if err := checkParameter(request.Parameters[len(request.Parameters)-1]); err != nil {
			return err
		}
	}
	if len(request.Inputs) > c.limits.MaxInputs {
		return codec.Refuse(codec.InputsTooMany, "more than %d inputs", c.limits.MaxInputs)
	}
	if len(request.Parameters) > c.limits.MaxParameters {
		return codec.Refuse(codec.ParameterInvalid, "more than %d parameters", c.limits.MaxParameters)
	}
	*g = generate{rows: request.Signature.Batch(request)}
	return nil
}

// generateTensor reads a value as an input of the model. Triton takes no shape from
// an empty list that its versions agree on.
func (p *parser) generateTensor(spec *codec.Spec, v value) (tensor.Tensor, error) {
	shape, ok := fillShape(spec.Shape, v.count)
	if !ok || v.count == 0 {
		return tensor.Tensor{}, codec.Refuse(codec.ShapeInvalid, "%d elements do not make an input %q", v.count, spec.Name)
	}
	return p.flatTensor(tensor.Tensor{Name: spec.Name, DataType: spec.DataType, Shape: shape}, v, elements)
}

// flatTensor reads a value into a tensor of its number of elements. read is what
// reads the elements of each datatype.
func (p *parser) flatTensor(t tensor.Tensor, v value, read map[tensor.DataType]element) (tensor.Tensor, error) {
	e, ok := read[t.DataType]
	if !ok {
		return t, codec.Refuse(codec.InputDataInvalid, "%s has no JSON form", t.DataType)
	}
	flat := part{Tensor: t}
	if err := flat.measure(p.limits); err != nil {
		return t, err
	}
	if p.room -= v.count * int64(t.DataType.Size()); p.room < 0 {
		return t, codec.Refuse(codec.BodyTooLarge, "the tensors are larger than allowed in binary form")
	}
	r, dst := dataReader{&p.Scanner, e}, make([]byte, 0, v.count*int64(max(t.DataType.Size(), 4)))
	p.Seek(v.at)
	var err error
	if v.list {
		t.Data, err = r.level([]int64{v.count}, dst)
	} else if t.Data, err = e.read(&p.Scanner, dst); err != nil {
		err = r.mismatch(v.at, err)
	}
	return t, err
}

// encodeGenerate writes the canonical form of a generate request: the id, the
// inputs as one element or a flat list, the parameters. What cannot be said so that
// Triton reads the same tensor is refused.
func (c *HTTP) encodeGenerate(request *codec.Request) (*codec.Message, error) {
	w := []byte{'{'}
	if request.ID != "" {
		w = append(strictjson.AppendString(append(w, `"id":`...), request.ID), ',')
	}
	for i := range request.Inputs {
		in := &request.Inputs[i].Tensor
		if err := sayable(request.Signature, in); err != nil {
			return nil, err
		}
		w = append(strictjson.AppendString(w, in.Name), ':')
		var err error
		if w, err = c.appendFlat(w, in); err != nil {
			return nil, codec.Refuse(codec.InputDataInvalid, "input %q has no JSON form that the model server could get", in.Name)
		}
		w = append(w, ',')
	}
	w, err := appendParameters(append(w, `"parameters":{`...), request.Parameters)
	if err != nil {
		return nil, err
	}
	w = append(w, `}}`...)
	if len(w) > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the request is larger than allowed as the model server gets it")
	}
	return codec.JSONMessage(w), nil
}

// sayable checks that the number of elements says the shape, and that every element
// has a JSON form.
func sayable(signature *codec.Signature, in *tensor.Tensor) error {
	if signature == nil || signature.Input(in.Name) == nil {
		return codec.Refuse(codec.SignatureMismatch, "the model has no input %q", in.Name)
	}
	n, err := tensor.Elements(in.Shape, math.MaxInt32)
	shape, ok := fillShape(signature.Input(in.Name).Shape, n)
	if err != nil || !ok || n == 0 || !slices.Equal(shape, in.Shape) {
		return codec.Refuse(codec.ShapeInvalid, "the shape of input %q does not follow from its elements", in.Name)
	}
	values, _ := in.Floats()
	if slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		return codec.Refuse(codec.InputDataInvalid, "input %q holds a number that is not finite, for which JSON has no form", in.Name)
	}
	return nil
}

// appendFlat writes a tensor as one element, or as a flat list of none or several.
func (c *HTTP) appendFlat(w []byte, t *tensor.Tensor) ([]byte, error) {
	n, err := tensor.Elements(t.Shape, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	if n == 1 {
		return c.appendData(w, t)
	}
	w, err = c.appendData(append(w, '['), t)
	return append(w, ']'), err
}
