package kserve

import (
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/sanitize/tensor"
)

// EncodeRequest writes the canonical form of a request: every field in the order of
// its number, parameters in that of their names, and all inputs raw. It asks for the
// named outputs, for all of them if outputs is empty. A request that no
// DecodeRequest returns, or whose tensors a sanitiser has made larger than a body
// may be, is refused.
func (c *GRPC) EncodeRequest(request *codec.Request, outputs []string) (*codec.Message, error) {
	if err := checkModel(request.Model, request.Version); err != nil {
		return nil, err
	}
	if err := c.limits.checkRequest(request, outputs); err != nil {
		return nil, err
	}
	parameters := request.Parameters
	if request.Operation == codec.InferStream {
		parameters = append(parameters[:len(parameters):len(parameters)], codec.Parameter{Name: askFinal, Value: true})
	}
	w := appendText(make([]byte, frame.HeaderBytes, 512), 1, request.Model)
	w = appendText(appendText(w, 2, request.Version), 3, request.ID)
	w, err := appendProtoParameters(w, 4, parameters)
	if err != nil {
		return nil, err
	}
	raw := make([][]byte, len(request.Inputs))
	size := 0
	for i := range request.Inputs {
		input := &request.Inputs[i].Tensor
		w = appendMessage(w, 5, appendProtoTensor(nil, input))
		raw[i] = input.Data
		size += len(input.Data)
	}
	if size > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the tensors are larger than allowed as the model server gets them")
	}
	for _, name := range outputs {
		asked := appendText(nil, 1, name)
		if n := askClasses(request, name, &c.limits); n > 0 {
			asked = appendEntry(asked, 2, "classification", appendVarint(nil, 2, uint64(n)))
		}
		w = appendMessage(w, 6, asked)
	}
	return framed(seal(appendRaw(w, 7, raw))), nil
}

// appendResponse writes an answer, within a message of a stream if it is of one.
func (c *GRPC) appendResponse(response *codec.Response, chosen []chosenOutput, stream bool) ([]byte, error) {
	parameters := response.Parameters
	if stream && (response.Error == "" || response.Model != "") {
		parameters = append(parameters[:len(parameters):len(parameters)], codec.Parameter{Name: saysFinal, Value: response.Final})
	}
	head := appendText(make([]byte, 0, 512), 1, response.Model)
	head = appendText(appendText(head, 2, response.Version), 3, response.ID)
	head, err := appendProtoParameters(head, 4, parameters)
	if err != nil {
		return nil, malformedResponse(err)
	}
	raw := make([][]byte, len(chosen))
	for i := range chosen {
		head = appendMessage(head, 5, appendProtoTensor(nil, chosen[i].Tensor))
		raw[i] = chosen[i].Data
	}
	size := len(head) + rawSize(6, raw)
	if size > c.limits.MaxResponseBytes {
		return nil, tooLarge(&c.limits)
	}
	w := make([]byte, frame.HeaderBytes, frame.HeaderBytes+2*binaryLead+len(response.Error)+size)
	if stream {
		w = appendText(w, 1, strings.ToValidUTF8(response.Error, ""))
		w = protowire.AppendVarint(protowire.AppendTag(w, 2, protowire.BytesType), uint64(size))
	}
	return seal(appendRaw(append(w, head...), 6, raw)), nil
}

// binaryLead is the most that a tag and a length take here.
const binaryLead = 1 + 5

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

// appendEntry writes an entry of a map of parameters.
func appendEntry(w []byte, number protowire.Number, name string, value []byte) []byte {
	return appendMessage(w, number, appendMessage(appendText(nil, 1, name), 2, value))
}

// appendProtoParameters writes a map of parameters in the order of the names.
func appendProtoParameters(w []byte, number protowire.Number, list []codec.Parameter) ([]byte, error) {
	for _, p := range sortedParameters(list) {
		value, err := appendProtoValue(nil, p.Value)
		if err != nil {
			return nil, err
		}
		w = appendEntry(w, number, p.Name, value)
	}
	return w, nil
}

// appendProtoValue writes an InferParameter.
func appendProtoValue(w []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case bool:
		return appendVarint(w, 1, protowire.EncodeBool(value)), nil
	case int64:
		return appendVarint(w, 2, uint64(value)), nil
	case string:
		if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not text")
		}
		return protowire.AppendString(protowire.AppendTag(w, 3, protowire.BytesType), value), nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not a finite number")
		}
		return protowire.AppendFixed64(protowire.AppendTag(w, 4, protowire.Fixed64Type), math.Float64bits(value)), nil
	case uint64:
		return appendVarint(w, 5, value), nil
	}
	return nil, codec.Refuse(codec.ParameterInvalid, "a parameter has the Go type %T", value)
}
