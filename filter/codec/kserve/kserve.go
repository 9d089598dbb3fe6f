// Package kserve is the codec of the KServe V2 protocol (Open Inference
// Protocol) over HTTP, in the dialect of NVIDIA Triton: JSON, and JSON followed
// by binary tensors (Triton's extension_binary_data.md).
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
)

// Codec implements codec.Codec. It is safe for concurrent use.
type Codec struct{ limits Limits }

var _ codec.Codec = (*Codec)(nil)

// New returns a codec with these limits, or an error if they are not valid.
func New(limits Limits) (*Codec, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	return &Codec{limits}, nil
}

// MaxTensorBytes is the limit of a request's tensors, taken together.
func (c *Codec) MaxTensorBytes() int { return c.limits.MaxBodyBytes }

// Path returns the canonical path of an inference; an empty version leaves the
// choice to the model server.
func (c *Codec) Path(model, version string) string {
	if version == "" {
		return "/v2/models/" + model + "/infer"
	}
	return "/v2/models/" + model + "/versions/" + version + "/infer"
}
