package kserve

import (
	"encoding/binary"
	"strconv"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// GRPC implements codec.Codec for the protocol over gRPC (grpc_service.proto of
// Triton). It is safe for concurrent use.
//
// The server that Triton has is forgiving, too: it serves any content-type, takes
// the first of several messages, the last of equal fields and of a request's raw
// contents no more than it needs, cuts names at a NUL, and drops the high bits of
// numbers in typed contents. So a request is exactly one message in the form that
// protobuf.go describes, and goes on in raw form, uncompressed.
//
// # Streams
//
// Triton 2.51 marks every message of ModelStreamInfer that comes out of a model by
// the parameter triton_final_response, errors too, whoever asks for it. A model
// that is not decoupled answers with one message, which is final. A decoupled one
// may end without another message, unless the request has the parameter
// triton_enable_empty_final_response: then a message without outputs comes last. So
// Weir always asks for it, and keeps that message from a client that did not. An
// error without the mark comes from a request that no model saw; it is final.
type GRPC struct{ limits Limits }

var _ codec.Codec = (*GRPC)(nil)

// NewGRPC returns a codec with these limits, or an error if they are not valid.
func NewGRPC(limits Limits) (*GRPC, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	return &GRPC{limits}, nil
}

// MaxTensorBytes is the limit of a request's tensors, taken together.
func (c *GRPC) MaxTensorBytes() int { return c.limits.MaxBodyBytes }

// Path returns the path of the method that takes the request.
func (c *GRPC) Path(request *codec.Request) string {
	if request.Operation == codec.InferStream {
		return "/inference.GRPCInferenceService/ModelStreamInfer"
	}
	return "/inference.GRPCInferenceService/ModelInfer"
}

// BindRequest keeps the signature: the inputs have names.
func (c *GRPC) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	return nil
}

// Headers of the gRPC protocol over HTTP/2.
const (
	grpcEncoding = "grpc-encoding"
	grpcTimeout  = "grpc-timeout"
	grpcType     = "application/grpc"
)

// DecodeHead accepts the headers of a gRPC call in one spelling. The server gets
// the timeout, and is asked for answers that are not compressed.
func (c *GRPC) DecodeHead(_ codec.Route, headers codec.Headers) (codec.Headers, error) {
	contentType, _, err := headers.Single("content-type")
	if err != nil {
		return nil, err
	}
	if contentType != grpcType && contentType != grpcType+"+proto" {
		return nil, codec.Refuse(codec.HeaderInvalid, "content-type must be %s", grpcType)
	}
	te, _, err := headers.Single("te")
	if err != nil {
		return nil, err
	}
	if te != "trailers" {
		return nil, codec.Refuse(codec.HeaderInvalid, "te must be trailers")
	}
	if err := checkCodings(headers); err != nil {
		return nil, err
	}
	upstream := codec.Headers{{Name: "content-type", Value: grpcType}, {Name: "te", Value: "trailers"},
		{Name: "grpc-accept-encoding", Value: string(codec.Identity)}}
	timeout, ok, err := headers.Single(grpcTimeout)
	if err != nil {
		return nil, err
	}
	if !ok {
		return upstream, nil
	}
	if !validTimeout(timeout) {
		return nil, codec.Refuse(codec.HeaderInvalid, "%s must be 1 to 8 digits and a unit", grpcTimeout)
	}
	return append(upstream, codec.Header{Name: grpcTimeout, Value: timeout}), nil
}

// checkCodings refuses what would compress a body as a whole, and codings of
// messages that are not known.
func checkCodings(headers codec.Headers) error {
	if _, lines := headers.Get("transfer-encoding"); lines > 0 {
		return codec.Refuse(codec.HeaderInvalid, "transfer-encoding is not accepted")
	}
	whole, err := contentCoding(headers)
	if err != nil {
		return err
	}
	if whole != codec.Identity {
		return codec.Refuse(codec.EncodingUnsupported, "gRPC compresses messages, not the body")
	}
	_, err = coding(headers, grpcEncoding)
	return err
}

// validTimeout knows the grammar of grpc-timeout: TimeoutValue TimeoutUnit.
func validTimeout(value string) bool {
	digits := len(value) - 1
	if digits < 1 || digits > 8 {
		return false
	}
	for i := range digits {
		if value[i] < '0' || value[i] > '9' {
			return false
		}
	}
	switch value[digits] {
	case 'H', 'M', 'S', 'm', 'u', 'n':
		return true
	}
	return false
}

// requestMessage returns the one message of a request's body, inflated.
func (c *GRPC) requestMessage(headers codec.Headers, body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, codec.Refuse(codec.BodyMissing, "a request needs a message")
	}
	if len(body) > frame.HeaderBytes+c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the message has more than %d bytes", c.limits.MaxBodyBytes)
	}
	message, compressed, err := unframe(body)
	if err != nil || !compressed {
		return message, err
	}
	coding, err := coding(headers, grpcEncoding)
	if err != nil {
		return nil, err
	}
	if coding == codec.Identity {
		return nil, codec.Refuse(codec.EncodingInvalid, "a compressed message needs %s", grpcEncoding)
	}
	return c.limits.inflate(coding, message)
}

// unframe returns the message of a body that holds exactly one, as a view.
func unframe(body []byte) (message []byte, compressed bool, err error) {
	if len(body) < frame.HeaderBytes || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-frame.HeaderBytes) {
		return nil, false, codec.Refuse(codec.MessageMalformed, "the body is not exactly one message")
	}
	if body[0] > 1 {
		return nil, false, codec.Refuse(codec.MessageMalformed, "the flag of the message is neither 0 nor 1")
	}
	return body[frame.HeaderBytes:], body[0] == 1, nil
}

// framed returns the message that a request or query becomes, for the server.
func framed(body []byte) *codec.Message {
	return &codec.Message{Body: body, Headers: codec.Headers{{Name: "content-type", Value: grpcType},
		{Name: "content-length", Value: strconv.Itoa(len(body))}}}
}

// seal writes the framing of a message into the bytes that were left for it.
func seal(body []byte) []byte {
	body[0] = 0
	binary.BigEndian.PutUint32(body[1:], uint32(len(body)-frame.HeaderBytes))
	return body
}
