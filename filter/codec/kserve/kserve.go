// Package kserve holds the codecs of the KServe V2 protocol (Open Inference
// Protocol): HTTP in the dialect of NVIDIA Triton, which is JSON, and JSON followed
// by binary tensors (Triton's extension_binary_data.md); GRPC, the same over gRPC;
// and JSON, for servers that know nothing but the protocol.
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
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// HTTP implements codec.Codec for the protocol over HTTP in Triton's dialect. It is
// safe for concurrent use.
//
// # Numbers that JSON cannot say
//
// NaN and infinities are refused in the JSON of a request, where Triton would take
// tokens for them; in binary form they are for the rules of the input to judge. In
// the JSON of an answer they are what Triton and its clients make of them, the
// tokens NaN, Infinity and -Infinity, which RFC 8259 does not know: a client that
// reads by it asks for binary data. FP16 and BF16 have no JSON form either way.
//
// # Generate
//
// The model server gets JSON here too, for it knows no other form of the generate
// extension, and answers in JSON that says neither datatypes nor shapes. They are
// those of the signature; a shape of several dimensions of any size gives all
// elements to the innermost, as Triton does with a request. RapidJSON, as Triton
// uses it, reads every FP32 that Weir writes exactly, an FP64 to within three units
// in the last place (measured), as it would read the client's own digits. Triton
// repeats the id of a request in every answer but an error.
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
	path := "/v2/models/" + request.Model
	if request.Version != "" {
		path += "/versions/" + request.Version
	}
	switch request.Operation {
	case codec.Generate:
		return path + "/generate"
	case codec.GenerateStream:
		return path + "/generate_stream"
	}
	return path + "/infer"
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
	return append(strictjson.AppendString([]byte(`data: {"error":`), text), "}\n\n"...)
}
