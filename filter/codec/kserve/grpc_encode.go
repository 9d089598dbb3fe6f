package kserve

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
	"weir/filter/codec/frame"
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

// responseBody writes an answer, within a message of a stream if it is of one.
func (c *GRPC) responseBody(response *codec.Response, chosen []chosenOutput, stream bool) ([]byte, error) {
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
	w := make([]byte, frame.HeaderBytes, frame.HeaderBytes+2*maxFieldHead+len(response.Error)+size)
	if stream {
		w = appendText(w, 1, strings.ToValidUTF8(response.Error, ""))
		w = protowire.AppendVarint(protowire.AppendTag(w, 2, protowire.BytesType), uint64(size))
	}
	return seal(appendRaw(append(w, head...), 6, raw)), nil
}

// maxFieldHead is the most that a tag and a length take here.
const maxFieldHead = 1 + 5
