package kserve

import (
	"encoding/binary"
	"math"
	"regexp"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// DecodeResponse parses the model server's answer to a canonical request: one JSON
// document, no content coding. All reasons are ResponseMalformed or
// ResponseTooLarge.
func (c *JSON) DecodeResponse(_ *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if len(body) > c.limits.MaxResponseBytes {
		return nil, codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes", c.limits.MaxResponseBytes)
	}
	response, err := c.decodePlain(headers, body)
	if err != nil {
		return nil, malformedResponse(err)
	}
	response.Anonymous = !weirID.MatchString(response.ID)
	return response, nil
}

// weirID is the form of the ids that Weir gives to requests, a ULID.
var weirID = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// contentTypes are the content_type of outputs, by their names.
type contentTypes map[string]string

func (c *JSON) decodePlain(headers codec.Headers, body []byte) (*codec.Response, error) {
	if err := identityBody(headers, body); err != nil {
		return nil, err
	}
	if _, lines := headers.Get(headerLengthName); lines > 0 {
		return nil, codec.Refuse(codec.HeaderInvalid, "it is said to hold binary tensors")
	}
	p := c.parser(body, c.limits.MaxResponseBytes)
	p.plain, p.read = true, answerElements
	response := &codec.Response{}
	outputs, err := p.plainResponse(response)
	if err != nil {
		return nil, err
	}
	if err := p.End(); err != nil {
		return nil, err
	}
	types := contentTypes{}
	for i := range outputs {
		response.Outputs = append(response.Outputs, outputs[i].Tensor)
		if outputs[i].contentType != "" {
			types[outputs[i].Name] = outputs[i].contentType
		}
	}
	response.Extra = types
	return response, nil
}

// plainResponse reads a response, into r all but the outputs. A null is an absent
// value, an empty text an absent version.
func (p *parser) plainResponse(r *codec.Response) (outputs []part, err error) {
	fields := map[string]func() error{
		"id":         func() (err error) { r.ID, err = p.id(); return err },
		"model_name": func() (err error) { r.Model, err = p.name("a model name"); return err },
		"model_version": func() (err error) {
			if r.Version, err = p.String("a model version"); err != nil || r.Version == "" {
				return err
			}
			return checkName(r.Version, p.limits, "a model version")
		},
		"parameters": func() (err error) { r.Parameters, err = p.parameters(p.skipNull); return err },
		"outputs":    func() (err error) { outputs, err = p.responseOutputs(); return err },
	}
	err = p.Object("the answer", func(key string) error {
		read := fields[key]
		if read == nil {
			return unknownKey("the answer")
		}
		if p.Null() {
			return nil
		}
		return read()
	})
	if err == nil && (r.Model == "" || outputs == nil) {
		err = codec.Refuse(codec.JSONMalformed, "model_name or outputs are missing")
	}
	return outputs, err
}

// plainParameters reads the parameters of an output and returns its content_type.
func (p *parser) plainParameters() (contentType string, err error) {
	if p.Null() {
		return "", nil
	}
	list, err := p.parameters(p.skipNull)
	for _, parameter := range list {
		if text, ok := parameter.Value.(string); ok && parameter.Name == "content_type" {
			contentType = text
		}
	}
	if err == nil && contentType != "" {
		err = checkName(contentType, p.limits, "a content_type")
	}
	return contentType, err
}

// skipNull takes a parameter that is null for none.
func (p *parser) skipNull(string) (skipped bool, err error) { return p.Null(), nil }

// answerElements read what the model server answers: null is NaN.
var answerElements = with(plainElements, map[tensor.DataType]element{
	tensor.FP16: {strictjson.Number, orNull(fp16Element, []byte{0x00, 0x7E})},
	tensor.FP32: {strictjson.Number, orNull(fp32Element, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))))},
	tensor.FP64: {strictjson.Number, orNull(fp64Element, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())))},
})

// orNull reads null as this NaN, and leaves every other value to read.
func orNull(read func(*strictjson.Scanner, []byte) ([]byte, error), nan []byte) func(*strictjson.Scanner, []byte) ([]byte, error) {
	return func(s *strictjson.Scanner, dst []byte) ([]byte, error) {
		if s.Null() {
			return append(dst, nan...), nil
		}
		return read(s, dst)
	}
}

// appendContentType writes the content_type of an output that is JSON, if it has one.
func appendContentType(w []byte, response *codec.Response, output *chosenOutput) []byte {
	types, _ := response.Extra.(contentTypes)
	if output.binary || types[output.Name] == "" {
		return w
	}
	return append(strictjson.AppendString(append(w, `,"parameters":{"content_type":`...), types[output.Name]), '}')
}
