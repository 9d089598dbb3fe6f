// Package kserve is the codec of the KServe V2 protocol (Open Inference
// Protocol) over HTTP, in the dialect of NVIDIA Triton: JSON, and JSON followed
// by binary tensors (Triton's extension_binary_data.md). JSON is the codec for
// servers that know nothing but the protocol.
//
// # Trust
//
// Triton reads JSON with RapidJSON and HTTP with libevhtp, and both forgive much
// that other parsers read differently or refuse: the first of duplicate keys
// wins, a NUL ends the document, 300 as UINT8 is 44, an undecodable length is 0,
// a second gzip member is ignored. So the codec accepts exactly one spelling of
// what it understands, refuses everything else with a reason, and encodes afresh:
// a fixed order of keys, every tensor binary with its size, identity coding and
// explicit lengths. No byte of the client reaches the model server but tensor
// contents, names, the id and parameters that were understood.
//
// Nothing that a message announces is allocated before its bytes are there: the
// memory that decoding takes is a small multiple of the body (at most 8 bytes
// per 2 bytes of JSON) and of what inflating really yields.
package kserve

import (
	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// HTTP implements codec.Codec for the protocol over HTTP in Triton's dialect. It is
// safe for concurrent use.
type HTTP struct {
	limits Limits
	read   map[tensor.DataType]element // what reads the elements of a datatype in JSON
	write  map[tensor.DataType]writer  // and what writes them for a client
}

var _ codec.Codec = (*HTTP)(nil)

// NewHTTP returns a codec with these limits, or an error if they are not valid.
func NewHTTP(limits Limits) (*HTTP, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	return &HTTP{limits, elements, writers}, nil
}

// MaxTensorBytes is the limit of a request's tensors, taken together.
func (c *HTTP) MaxTensorBytes() int { return c.limits.MaxBodyBytes }

// Path returns the canonical path of an inference; an empty version leaves the
// choice to the model server.
func (c *HTTP) Path(request *codec.Request) string {
	if request.Version == "" {
		return "/v2/models/" + request.Model + "/infer"
	}
	return "/v2/models/" + request.Model + "/versions/" + request.Version + "/infer"
}

// DecodeHead has nothing to say: DecodeRequest judges the headers with the body.
func (c *HTTP) DecodeHead(codec.Route, codec.Headers) (codec.Headers, error) { return nil, nil }

// DecodeQuery refuses: over HTTP, operations that infer nothing take no body.
func (c *HTTP) DecodeQuery(*codec.Route, codec.Headers, []byte) (*codec.Message, error) {
	return nil, codec.Refuse(codec.HeaderInvalid, "this endpoint takes no body")
}

// EncodeError writes an error as a server-sent event, as generate_stream does
// after its first event.
func (c *HTTP) EncodeError(_ *codec.Request, text string) []byte {
	return append(appendString([]byte(`data: {"error":`), text), "}\n\n"...)
}
