package kserve

import (
	"slices"
	"strings"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/sanitize/tensor"
)

// responseSchema is ModelInferResponse: model_name, model_version, id, parameters,
// outputs, raw_output_contents.
var responseSchema = schema{1: oneText, 2: oneText, 3: oneText, 4: manyBytes, 5: manyBytes, 6: manyBytes}

// streamSchema is ModelStreamInferResponse: error_message, infer_response.
var streamSchema = schema{1: oneText, 2: oneMessage}

// DecodeResponse parses the model server's answer to a canonical request, or one
// message of a stream of answers. The outputs are views into body, but for those
// that were rebuilt from classes. All reasons are ResponseMalformed or
// ResponseTooLarge.
func (c *GRPC) DecodeResponse(request *codec.Request, _ codec.Headers, body []byte) (*codec.Response, error) {
	if len(body) > frame.HeaderBytes+c.limits.MaxResponseBytes {
		return nil, codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes", c.limits.MaxResponseBytes)
	}
	r := responseReader{limits: &c.limits}
	if err := r.read(body, request.Operation == codec.InferStream); err != nil {
		return nil, malformedResponse(err)
	}
	response := r.Response
	if err := declassify(request, &response); err != nil {
		return nil, err
	}
	return &response, nil
}

// responseReader puts an answer together from the fields of its message.
type responseReader struct {
	codec.Response
	limits  *Limits
	outputs []protoTensor
	raw     [][]byte
	marked  bool // the message says whether it is the last one
}

func (r *responseReader) read(body []byte, stream bool) error {
	source, compressed, err := unframe(body)
	if err != nil {
		return err
	}
	if compressed {
		return codec.Refuse(codec.EncodingUnsupported, "it is compressed, which was not asked for")
	}
	if !stream {
		err = responseSchema.walk(source, r.field)
	} else {
		err = streamSchema.walk(source, func(f field) error {
			if f.number == 1 {
				r.Error = string(f.bytes)
				return nil
			}
			return responseSchema.walk(f.bytes, r.field)
		})
	}
	if err != nil {
		return err
	}
	return r.finish(stream)
}

func (r *responseReader) field(f field) (err error) {
	switch f.number {
	case 1:
		r.Model = string(f.bytes)
	case 2:
		r.Version = string(f.bytes)
	case 3:
		r.ID = string(f.bytes)
	case 4:
		err = r.parameter(f.bytes)
	case 5:
		if len(r.outputs) == r.limits.MaxOutputs {
			return codec.Refuse(codec.OutputsTooMany, "more than %d outputs", r.limits.MaxOutputs)
		}
		var t protoTensor
		t, err = readTensor(f.bytes, r.limits)
		r.outputs = append(r.outputs, t)
	case 6:
		if len(r.raw) == r.limits.MaxOutputs {
			return codec.Refuse(codec.OutputsTooMany, "raw contents of more than %d outputs", r.limits.MaxOutputs)
		}
		r.raw = append(r.raw, f.bytes)
	}
	return err
}

func (r *responseReader) parameter(source []byte) error {
	p, err := readParameter(source, r.limits)
	if err == nil && p.Name == saysFinal {
		r.marked = true
		r.Final, err = finalFlag(p, codec.ResponseMalformed)
	}
	if err != nil {
		return err
	}
	r.Parameters, err = addParameter(r.Parameters, p, r.limits)
	return err
}

// finish checks what only the whole message tells and gives the outputs their data.
func (r *responseReader) finish(stream bool) error {
	r.Parameters = slices.DeleteFunc(r.Parameters, func(p codec.Parameter) bool { return p.Name == saysFinal })
	for _, name := range []string{r.ID, r.Model, r.Version} {
		if name != "" {
			if err := checkName(name, r.limits, "its id, model or version"); err != nil {
				return err
			}
		}
	}
	switch {
	case len(r.raw) != len(r.outputs):
		return codec.Refuse(codec.BinarySizeInvalid, "raw contents of %d outputs, but %d outputs", len(r.raw), len(r.outputs))
	case r.Error != "":
		return r.finishError()
	case r.Model == "":
		return malformed("no name of a model")
	case stream && !r.marked:
		return malformed("an answer that does not say whether it is the last")
	case !stream && r.marked:
		return malformed("a mark of a stream")
	}
	for i := range r.outputs {
		if err := r.attach(i); err != nil {
			return err
		}
	}
	return nil
}

// finishError checks an error of a stream. One without a mark belongs to a request
// that no model saw, so that no other message follows.
func (r *responseReader) finishError() error {
	if len(r.outputs) > 0 {
		return malformed("outputs beside an error")
	}
	r.Final = r.Final || !r.marked
	return nil
}

func (r *responseReader) attach(i int) error {
	t := &r.outputs[i]
	if t.typed {
		return codec.Refuse(codec.InputDataInvalid, "output %q is not raw", t.Name)
	}
	if find(r.Outputs, t.Name) != nil {
		return codec.Refuse(codec.OutputDuplicate, "output %q stands twice", t.Name)
	}
	if err := t.attachRaw(r.raw[i]); err != nil {
		return err
	}
	r.Outputs = append(r.Outputs, t.Tensor)
	return nil
}

// EncodeResponse writes an answer with the outputs that the client named, or all, in
// the model server's order, as Triton does over gRPC; of a stream also an error. In a
// stream, what comes out of a model says whether it is the last; a message that says
// nothing else is left out, unless the client asked for it.
func (c *GRPC) EncodeResponse(request *codec.Request, response *codec.Response) (*codec.Message, error) {
	var chosen []chosenOutput
	stream := request.Operation == codec.InferStream
	switch ends := stream && response.Final && len(response.Outputs) == 0; {
	case stream && response.Error != "":
	case ends && request.Extra != emptyFinal(true):
		return &codec.Message{}, nil
	case !ends:
		var err error
		if chosen, err = choose(request, response); err != nil {
			return nil, err
		}
		slices.SortStableFunc(chosen, func(a, b chosenOutput) int {
			return position(response.Outputs, a.Name) - position(response.Outputs, b.Name)
		})
	}
	body, err := c.responseBody(response, chosen, stream)
	if err != nil {
		return nil, err
	}
	return &codec.Message{Body: body, Headers: codec.Headers{{Name: "content-type", Value: grpcType}}}, nil
}

func position(list []tensor.Tensor, name string) int {
	return slices.IndexFunc(list, func(t tensor.Tensor) bool { return t.Name == name })
}

// EncodeError writes an error as a message of a stream of answers, in the way of
// those that Triton writes for a request that no model saw.
func (c *GRPC) EncodeError(request *codec.Request, text string) []byte {
	w := make([]byte, frame.HeaderBytes, 64+len(text))
	w = appendText(w, 1, strings.ToValidUTF8(text, ""))
	return seal(appendMessage(w, 2, appendText(nil, 3, request.ID)))
}
