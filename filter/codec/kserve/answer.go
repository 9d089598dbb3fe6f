package kserve

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// EncodeResponse writes the answer in the form the client asked for, as Triton
// would: the outputs that it named in its order, or all in the model server's,
// each JSON or binary, in the coding it accepts. Outputs that were not asked for
// are left out; one that was asked for but is missing is ResponseMalformed.
func (c *HTTP) EncodeResponse(request *codec.Request, response *codec.Response) (*codec.Message, error) {
	if generates(request.Operation) {
		return c.encodeGenerated(request, response)
	}
	chosen, err := choose(request, response)
	if err != nil {
		return nil, err
	}
	w := make([]byte, 0, room(chosen))
	if w, err = appendResponseHead(w, response); err != nil {
		return nil, err
	}
	blobBytes := 0
	for i := range chosen {
		output := &chosen[i]
		w = appendTensorHead(appendComma(w, i), output.Tensor, false)
		w = appendContentType(w, response, output)
		if output.binary {
			w = appendBinarySize(w, len(output.Data))
			blobBytes += len(output.Data)
			continue
		}
		if w, err = c.appendData(append(w, `,"data":[`...), output.Tensor); err != nil {
			return nil, err
		}
		w = append(w, `]}`...)
	}
	w = append(w, `]}`...)
	jsonBytes := len(w)
	if jsonBytes+blobBytes > c.limits.MaxResponseBytes {
		return nil, tooLarge(&c.limits)
	}
	for i := range chosen {
		if chosen[i].binary {
			w = append(w, chosen[i].Data...)
		}
	}
	return answer(request.Accept, w, jsonBytes)
}

// answer sets the headers of a body whose first jsonBytes are JSON, and
// compresses it.
func answer(accept codec.Coding, body []byte, jsonBytes int) (*codec.Message, error) {
	m := &codec.Message{Headers: codec.Headers{{Name: "content-type", Value: "application/json"}}, Body: body}
	if jsonBytes < len(body) {
		m.Headers[0].Value = "application/octet-stream"
		m.Headers = append(m.Headers, codec.Header{Name: headerLengthName, Value: strconv.Itoa(jsonBytes)})
	}
	if accept == codec.Gzip || accept == codec.Deflate {
		var err error
		if m.Body, err = deflate(accept, body); err != nil {
			return nil, codec.Refuse(codec.ResponseMalformed, "compressing the answer: %v", err)
		}
		m.Headers = append(m.Headers, codec.Header{Name: "content-encoding", Value: string(accept)})
	}
	m.Headers = append(m.Headers, codec.Header{Name: "content-length", Value: strconv.Itoa(len(m.Body))})
	return m, nil
}

// chosenOutput is an output and the form it is wanted in.
type chosenOutput struct {
	*tensor.Tensor
	binary bool
}

// choose lists the outputs that a client gets, and checks their data.
func choose(request *codec.Request, response *codec.Response) (chosen []chosenOutput, err error) {
	if len(request.Outputs) == 0 {
		for i := range response.Outputs {
			chosen = append(chosen, chosenOutput{&response.Outputs[i], request.Binary})
		}
	}
	for _, wanted := range request.Outputs {
		output := clientOutput(response, wanted)
		if output == nil {
			return nil, codec.Refuse(codec.ResponseMalformed, "the model server did not return output %q", wanted.Name)
		}
		chosen = append(chosen, chosenOutput{output, wanted.Binary})
	}
	for _, output := range chosen {
		if err := output.Validate(); err != nil {
			return nil, codec.Refuse(codec.ResponseMalformed, "%v", err)
		}
	}
	return chosen, nil
}

func find(list []tensor.Tensor, name string) *tensor.Tensor {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// room estimates the bytes of an answer, so that its buffer seldom grows.
func room(chosen []chosenOutput) int {
	n := 512
	for _, output := range chosen {
		n += 128 + len(output.Data)
		if !output.binary && output.DataType.Size() > 0 {
			n += 2 * len(output.Data)
		}
	}
	return n
}

// appendResponseHead writes an answer up to the list of outputs, in Triton's
// order of keys.
func appendResponseHead(w []byte, r *codec.Response) ([]byte, error) {
	w = append(w, '{')
	if r.ID != "" {
		w = append(strictjson.AppendString(append(w, `"id":`...), r.ID), ',')
	}
	w = strictjson.AppendString(append(w, `"model_name":`...), r.Model)
	if r.Version != "" {
		w = strictjson.AppendString(append(w, `,"model_version":`...), r.Version)
	}
	if len(r.Parameters) > 0 {
		var err error
		if w, err = appendParameters(append(w, `,"parameters":{`...), r.Parameters); err != nil {
			return nil, malformedResponse(err)
		}
		w = append(w, '}')
	}
	return append(w, `,"outputs":[`...), nil
}

func tooLarge(limits *Limits) error {
	return codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes in the form that was asked for", limits.MaxResponseBytes)
}

// appendData writes the elements of a tensor as a flat JSON list.
func (c *HTTP) appendData(w []byte, t *tensor.Tensor) ([]byte, error) {
	if t.DataType == tensor.Bytes {
		return c.appendBytes(w, t)
	}
	write := c.write[t.DataType]
	if write == nil {
		return nil, noJSON(t.Name, t.DataType)
	}
	size := t.DataType.Size()
	for i := 0; i < len(t.Data); i += size {
		w = write(appendComma(w, i), t.Data[i:])
		if len(w) > c.limits.MaxResponseBytes {
			return nil, tooLarge(&c.limits)
		}
	}
	return w, nil
}

func (c *HTTP) appendBytes(w []byte, t *tensor.Tensor) ([]byte, error) {
	n, err := tensor.Elements(t.Shape, math.MaxInt32)
	if err != nil {
		return nil, codec.Refuse(codec.ResponseMalformed, "%v", err)
	}
	err = tensor.EachElement(t.Data, n, func(i int64, e []byte) error {
		if !utf8.Valid(e) {
			return codec.Refuse(codec.ResponseMalformed, "output %q is not UTF-8, which JSON must be: ask for binary data", t.Name)
		}
		w = strictjson.AppendString(appendComma(w, int(i)), e)
		if len(w) > c.limits.MaxResponseBytes {
			return tooLarge(&c.limits)
		}
		return nil
	})
	return w, err
}

// writer prints the first element of little-endian data.
type writer func(w, data []byte) []byte

// writers are those of the datatypes that have a JSON form. FP16 and BF16 have no
// JSON form, as in Triton.
var writers = map[tensor.DataType]writer{
	tensor.Bool:   func(w, d []byte) []byte { return strconv.AppendBool(w, d[0] != 0) },
	tensor.Uint8:  func(w, d []byte) []byte { return strconv.AppendUint(w, uint64(d[0]), 10) },
	tensor.Uint16: func(w, d []byte) []byte { return strconv.AppendUint(w, uint64(binary.LittleEndian.Uint16(d)), 10) },
	tensor.Uint32: func(w, d []byte) []byte { return strconv.AppendUint(w, uint64(binary.LittleEndian.Uint32(d)), 10) },
	tensor.Uint64: func(w, d []byte) []byte { return strconv.AppendUint(w, binary.LittleEndian.Uint64(d), 10) },
	tensor.Int8:   func(w, d []byte) []byte { return strconv.AppendInt(w, int64(int8(d[0])), 10) },
	tensor.Int16:  func(w, d []byte) []byte { return strconv.AppendInt(w, int64(int16(binary.LittleEndian.Uint16(d))), 10) },
	tensor.Int32:  func(w, d []byte) []byte { return strconv.AppendInt(w, int64(int32(binary.LittleEndian.Uint32(d))), 10) },
	tensor.Int64:  func(w, d []byte) []byte { return strconv.AppendInt(w, int64(binary.LittleEndian.Uint64(d)), 10) },
	tensor.FP32: func(w, d []byte) []byte {
		return appendFloat(w, float64(math.Float32frombits(binary.LittleEndian.Uint32(d))))
	},
	tensor.FP64: func(w, d []byte) []byte { return appendFloat(w, math.Float64frombits(binary.LittleEndian.Uint64(d))) },
}
