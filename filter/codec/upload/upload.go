// Package upload is the codec of model servers that take a file as the body of a
// request and answer in JSON, each under a path of its own: TorchServe's
// /predictions/MODEL, and the /predict of many a server that somebody wrote around one
// model.
//
// # Requests
//
// The body of a POST (or PUT, which `curl -T` sends) is
//
//   - the file itself, whatever content-type it comes under but those below, for the
//     model's one input that is a file; or
//   - a form (multipart/form-data, RFC 7578) with one part for each input, in any order:
//     files, and texts beside them.
//
// The names, datatypes and number of the inputs are those that the policy declares; the
// server says nothing of them. A file is a UINT8 tensor [bytes], a view into the body; a
// text is a BYTES tensor of one element. Files must be there, texts may be left out.
//
// The server gets the same form of request as the client sent, written afresh: of a file
// its bytes, its length and a content-type that follows from its content; of a form the
// parts in the order of the signature, with those three headers each, a file name that is
// always the same, and a boundary of Weir's. Names of files, headers of parts, preambles
// and content types of the client's do not reach the server, and neither does a query.
//
// # Forms
//
// Readers of multipart differ on nearly everything that RFC 2046 §5.1 leaves open, so
// one spelling is read: lines end in CRLF, the body begins with the first boundary and
// ends with the last one, where one CRLF may follow. Within a part "CRLF -- boundary"
// ends the part or is refused. Parts have Content-Disposition with a name, once, and may
// have Content-Type, Content-Length (which must be true) and Content-Transfer-Encoding
// (binary, 8bit or 7bit, which leave bytes as they are); other headers, parts that are
// forms themselves and two parts of one name are refused.
//
// # Answers
//
// An answer is JSON of any shape, read strictly and written afresh with its own number
// tokens. There are no checks of it: without a signature of outputs nobody knows which
// of its numbers are probabilities.
package upload

import (
	"fmt"
	"strconv"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// Codec implements codec.Codec. It is safe for concurrent use.
type Codec struct {
	template Template
	model    string
	limits   Limits
}

var (
	_ codec.Codec  = (*Codec)(nil)
	_ codec.Router = (*Codec)(nil)
)

// Limits bound one message.
type Limits struct {
	MaxBodyBytes     int // request body
	MaxResponseBytes int // answer
	MaxJSONDepth     int // nested objects and arrays of an answer
	MaxParts         int // of a form
	MaxNameBytes     int // name of a part
}

// New returns a codec of a server with this endpoint. model is the one model of a
// template that does not name it.
func New(t Template, model string, limits Limits) (*Codec, error) {
	if min(limits.MaxBodyBytes, limits.MaxResponseBytes, limits.MaxJSONDepth, limits.MaxParts, limits.MaxNameBytes) < 1 {
		return nil, fmt.Errorf("a limit is not positive: %+v", limits)
	}
	return &Codec{t, model, limits}, nil
}

// Signature is that of a model with these inputs: files, which must be there, and
// texts, which need not, each in the order of the canonical form.
func Signature(model string, files, texts []string) *codec.Signature {
	s := &codec.Signature{Model: model}
	for _, name := range files {
		s.Inputs = append(s.Inputs, codec.Spec{Name: name, DataType: tensor.Uint8, Shape: []int64{-1}})
	}
	for _, name := range texts {
		s.Inputs = append(s.Inputs, codec.Spec{Name: name, DataType: tensor.Bytes, Shape: []int64{1}, Optional: true})
	}
	return s
}

// Route is that of the endpoint, if the path is its.
func (c *Codec) Route(method, path string) (codec.Route, bool) {
	model, ok := c.template.match(path)
	switch {
	case !ok:
		return codec.Route{}, false
	case model == "":
		model = c.model
	}
	if method != "POST" && method != "PUT" {
		return codec.Route{Protocol: codec.Upload, Reason: codec.MethodNotAllowed}, true
	}
	return codec.Route{Protocol: codec.Upload, Operation: codec.Predict, Model: model, Path: path}, true
}

// Path returns the path of the model.
func (c *Codec) Path(request *codec.Request) string { return c.template.Path(request.Model) }

// MaxTensorBytes is the limit of the values of a request, taken together.
func (c *Codec) MaxTensorBytes() int { return c.limits.MaxBodyBytes }

// DecodeHead refuses bodies that are coded, or forms of an unknown kind.
func (c *Codec) DecodeHead(_ codec.Route, headers codec.Headers) (codec.Headers, error) {
	if coding, lines := headers.Get("content-encoding"); lines > 0 && (lines > 1 || coding != string(codec.Identity)) {
		return nil, codec.Refuse(codec.EncodingUnsupported, "content-encoding must be identity")
	}
	_, _, err := boundaryOf(headers)
	return nil, err
}

// DecodeRequest takes the body apart. The values of its inputs are views into it.
func (c *Codec) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	if len(body) > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the body has more than %d bytes", c.limits.MaxBodyBytes)
	}
	if err := headers.CheckLength(body); err != nil {
		return nil, err
	}
	boundary, form, err := boundaryOf(headers)
	if err != nil {
		return nil, err
	}
	request := &codec.Request{Operation: route.Operation, Model: route.Model, Version: route.Version, Accept: codec.Identity, Extra: form}
	parts := []part{{value: body}}
	if form {
		if parts, err = c.parts(body, boundary); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		request.Inputs = append(request.Inputs, codec.Input{Tensor: tensor.Tensor{Name: p.name, DataType: tensor.Uint8,
			Shape: []int64{int64(len(p.value))}, Data: p.value}})
	}
	return request, nil
}

// BindRequest names the input that a body without a form is, and makes texts of the
// values of those inputs.
func (c *Codec) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	if request.Extra != true {
		for _, spec := range signature.Inputs {
			if spec.Optional {
				continue
			}
			if request.Inputs[0].Name != "" {
				return codec.Refuse(codec.SignatureMismatch, "the model takes several files: send a form")
			}
			request.Inputs[0].Name = spec.Name
		}
	}
	for i := range request.Inputs {
		in := &request.Inputs[i]
		if spec := signature.Input(in.Name); spec != nil && spec.DataType == tensor.Bytes {
			in.DataType, in.Shape, in.Data = tensor.Bytes, []int64{1}, tensor.AppendElement(nil, in.Data)
		}
	}
	return nil
}

// EncodeRequest writes the file, or the form.
func (c *Codec) EncodeRequest(request *codec.Request, _ []string) (*codec.Message, error) {
	body, media := []byte(nil), ""
	if request.Extra == true {
		body, media = appendForm(request)
	} else {
		body = request.Inputs[0].Data
		media = mediaType(body)
	}
	if len(body) > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the request has more than %d bytes in canonical form", c.limits.MaxBodyBytes)
	}
	return &codec.Message{Body: body, Headers: codec.Headers{
		{Name: "content-type", Value: media},
		{Name: "content-length", Value: strconv.Itoa(len(body))},
	}}, nil
}

// mediaType is that of a file, by its content.
func mediaType(file []byte) string {
	if media := codec.ImageType(file); media != "" {
		return media
	}
	return "application/octet-stream"
}

// EncodeError is never called: no answer is a stream.
func (c *Codec) EncodeError(*codec.Request, string) []byte { return nil }

// DecodeQuery refuses: every operation infers.
func (c *Codec) DecodeQuery(*codec.Route, codec.Headers, []byte) (*codec.Message, error) {
	return nil, codec.Refuse(codec.HeaderInvalid, "this endpoint takes no body")
}
