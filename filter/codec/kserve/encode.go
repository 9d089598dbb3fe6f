package kserve

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// EncodeRequest writes the canonical form of a request: a JSON header with a
// fixed order of keys, then every input binary, in order, with its size said.
// It asks for the named outputs in binary form, for all of them if outputs is
// empty. A generate request is JSON, and for all outputs. A request that no
// DecodeRequest returns, or whose tensors a sanitiser has made larger than a body may
// be, is refused.
func (c *HTTP) EncodeRequest(request *codec.Request, outputs []string) (*codec.Message, error) {
	if err := c.limits.checkRequest(request, outputs); err != nil {
		return nil, err
	}
	for _, p := range request.Parameters {
		if err := checkCustom(p); err != nil {
			return nil, err
		}
	}
	if generates(request.Operation) {
		return c.encodeGenerate(request)
	}
	w := make([]byte, 0, 512)
	w = append(w, '{')
	if request.ID != "" {
		w = append(strictjson.AppendString(append(w, `"id":`...), request.ID), ',')
	}
	w = append(w, `"parameters":{`...)
	w, err := appendParameters(w, request.Parameters)
	if err != nil {
		return nil, err
	}
	if len(request.Parameters) > 0 {
		w = append(w, ',')
	}
	w = append(w, `"binary_data_output":true},"inputs":[`...)
	size := 0
	for i := range request.Inputs {
		input := &request.Inputs[i].Tensor
		w = appendTensorHead(appendComma(w, i), input, true)
		w = appendBinarySize(w, len(input.Data))
		size += len(input.Data)
	}
	w = append(w, ']')
	for i, name := range outputs {
		if i == 0 {
			w = append(w, `,"outputs":[`...)
		}
		w = strictjson.AppendString(append(appendComma(w, i), `{"name":`...), name)
		w = append(w, `,"parameters":{"binary_data":true`...)
		if n := askClasses(request, name, &c.limits); n > 0 {
			w = strconv.AppendInt(append(w, `,"classification":`...), n, 10)
		}
		w = append(w, `}}`...)
		if i == len(outputs)-1 {
			w = append(w, ']')
		}
	}
	w = append(w, '}')
	if size > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the tensors are larger than allowed as the model server gets them")
	}
	body := append(make([]byte, 0, len(w)+size), w...)
	for i := range request.Inputs {
		body = append(body, request.Inputs[i].Data...)
	}
	return message(body, len(w)), nil
}

// checkRequest holds that what a sanitiser or a caller made of a request can
// still be said in one way.
func (l *Limits) checkRequest(request *codec.Request, outputs []string) error {
	if request.ID != "" {
		if err := checkName(request.ID, l, "the id"); err != nil {
			return err
		}
	}
	names := make([]string, len(request.Inputs))
	for i := range request.Inputs {
		names[i] = request.Inputs[i].Name
		if err := l.checkInput(&request.Inputs[i]); err != nil {
			return err
		}
	}
	if i := duplicate(names); i >= 0 {
		return codec.Refuse(codec.InputDuplicate, "input %q stands twice", names[i])
	}
	for _, name := range outputs {
		if err := checkName(name, l, "an output name"); err != nil {
			return err
		}
	}
	if i := duplicate(outputs); i >= 0 {
		return codec.Refuse(codec.OutputDuplicate, "output %q stands twice", outputs[i])
	}
	for _, parameter := range request.Parameters {
		if err := checkName(parameter.Name, l, "a parameter name"); err != nil {
			return err
		}
		if err := checkParameter(parameter); err != nil {
			return err
		}
	}
	return nil
}

func (l *Limits) checkInput(input *codec.Input) error {
	if err := checkName(input.Name, l, "a tensor name"); err != nil {
		return err
	}
	if err := input.Validate(); err != nil {
		return codec.Refuse(codec.InputDataInvalid, "%v", err)
	}
	if len(input.Parameters) > 0 {
		return codec.Refuse(codec.ParameterInvalid, "input %q has parameters", input.Name)
	}
	return nil
}

// message wraps a body whose first jsonBytes are JSON and the rest tensors.
func message(body []byte, jsonBytes int) *codec.Message {
	return &codec.Message{
		Headers: codec.Headers{
			{Name: "content-type", Value: "application/octet-stream"},
			{Name: "content-length", Value: strconv.Itoa(len(body))},
			{Name: headerLengthName, Value: strconv.Itoa(jsonBytes)},
		},
		Body: body,
	}
}

func appendComma(w []byte, i int) []byte {
	if i > 0 {
		return append(w, ',')
	}
	return w
}

// appendTensorHead opens the object of a tensor and writes all but its data.
// Triton writes the datatype of an output before its shape, clients write the
// shape of an input first.
func appendTensorHead(w []byte, t *tensor.Tensor, shapeFirst bool) []byte {
	w = strictjson.AppendString(append(w, `{"name":`...), t.Name)
	if shapeFirst {
		w = appendShape(append(w, `,"shape":`...), t.Shape)
	}
	w = append(append(append(w, `,"datatype":"`...), t.DataType.String()...), '"')
	if !shapeFirst {
		w = appendShape(append(w, `,"shape":`...), t.Shape)
	}
	return w
}

// appendBinarySize closes the object of a binary tensor.
func appendBinarySize(w []byte, size int) []byte {
	w = strconv.AppendInt(append(w, `,"parameters":{"binary_data_size":`...), int64(size), 10)
	return append(w, `}}`...)
}

func appendShape(w []byte, shape []int64) []byte {
	w = append(w, '[')
	for i, d := range shape {
		w = strconv.AppendInt(appendComma(w, i), d, 10)
	}
	return append(w, ']')
}

// appendParameters writes the members of a parameters object.
func appendParameters(w []byte, list []codec.Parameter) (_ []byte, err error) {
	for i, parameter := range list {
		w = append(strictjson.AppendString(appendComma(w, i), parameter.Name), ':')
		if w, err = appendValue(w, parameter.Value); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// appendValue writes the value of a parameter.
func appendValue(w []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not text")
		}
		return strictjson.AppendString(w, value), nil
	case bool:
		return strconv.AppendBool(w, value), nil
	case int64:
		return strconv.AppendInt(w, value, 10), nil
	case uint64:
		return strconv.AppendUint(w, value, 10), nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not a finite number")
		}
		return appendFloat(w, value), nil
	}
	return nil, codec.Refuse(codec.ParameterInvalid, "a parameter has the Go type %T", value)
}
