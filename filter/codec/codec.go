// Package codec holds what every inference protocol is decoded into: the typed
// Request and Response, the Route that a method and path select, and the closed
// list of reasons for which bytes are refused.
//
// A codec parses strictly, so that a Request has one meaning, and encodes
// canonically, so that the model server reads exactly that meaning. No byte of
// the client's survives except tensor contents and names that were understood.
package codec

import (
	"weir/sanitize/tensor"
)

// Protocol names the wire protocol of an exchange.
type Protocol string

// The protocols that Weir tells apart.
const (
	Unknown    Protocol = ""
	KServeHTTP Protocol = "kserve_v2_http"
	KServeGRPC Protocol = "kserve_v2_grpc"
)

// Operation is what a route asks the model server for. The zero value is Deny.
type Operation uint8

// The operations that may be let through.
const (
	Deny Operation = iota
	Infer
	ServerLive
	ServerReady
	ServerMetadata
	ModelMetadata
	ModelReady
)

// Route is what the method and the raw path of a request ask for.
type Route struct {
	Protocol  Protocol
	Operation Operation
	Model     string // of the operations on a model
	Version   string // as the client asked; "" leaves it to the policy
	Path      string // the canonical path, rebuilt without query; "" if denied
	Reason    Reason // why Operation is Deny
}

// Header is one header line; the name is in lower case, the value as it came.
type Header struct{ Name, Value string }

// Headers are the header lines of a message in their order, duplicates kept.
type Headers []Header

// Get returns the value of the first line named name and the number of such lines.
func (h Headers) Get(name string) (value string, lines int) {
	for i := range h {
		if h[i].Name == name {
			if lines == 0 {
				value = h[i].Value
			}
			lines++
		}
	}
	return value, lines
}

// Parameter is one entry of a V2 "parameters" object. Value is a string, int64,
// uint64, float64 or bool.
type Parameter struct {
	Name  string
	Value any
}

// Input is one input tensor of a request. The Data of a tensor that came in
// binary form is a view into the body; whoever changes it replaces it.
type Input struct {
	tensor.Tensor
	Parameters []Parameter
}

// Output is one output that the client asked for by name.
type Output struct {
	Name   string
	Binary bool // binary form, else JSON
}

// Coding is a content coding of HTTP (RFC 9110 §8.4.1).
type Coding string

// The codings that Triton and Weir know.
const (
	Identity Coding = "identity"
	Gzip     Coding = "gzip"
	Deflate  Coding = "deflate" // the zlib format, RFC 1950
)

// Request is one inference request with exactly one meaning.
type Request struct {
	Model   string
	Version string
	ID      string
	// Parameters of the request that the codec does not consume itself.
	Parameters []Parameter
	Inputs     []Input
	// Outputs are those that the client named, in its order; empty means all of
	// them, in the form that Binary says.
	Outputs []Output
	Binary  bool   // form of the outputs that Outputs does not name
	Accept  Coding // the coding in which the client wants its answer
}

// Response is one inference response, every output in binary form.
type Response struct {
	Model      string
	Version    string
	ID         string
	Parameters []Parameter
	Outputs    []tensor.Tensor
}

// Message is an encoded request or response: the headers that its body needs
// (content-type, content-length, inference-header-content-length,
// content-encoding) and the body. The receiver owns both.
type Message struct {
	Headers Headers
	Body    []byte
}

// Codec turns the bytes of one protocol and dialect into typed messages and back.
// Errors are *Refusal. Implementations keep no state and are safe for concurrent use.
type Codec interface {
	// DecodeRequest parses an inference request strictly. The Request may hold
	// views into body.
	DecodeRequest(route Route, headers Headers, body []byte) (*Request, error)
	// EncodeRequest writes the canonical form that the model server gets, asking
	// for the named outputs, all in binary form and uncompressed.
	EncodeRequest(request *Request, outputs []string) (*Message, error)
	// DecodeResponse parses the model server's answer to such a request.
	DecodeResponse(headers Headers, body []byte) (*Response, error)
	// EncodeResponse writes the answer in the form the client asked for: its
	// outputs, in its order, each binary or JSON, in the coding it accepts.
	EncodeResponse(request *Request, response *Response) (*Message, error)
	// MaxTensorBytes is the size of the tensors of a request, taken together, above
	// which EncodeRequest refuses it.
	MaxTensorBytes() int
	// Path is the canonical path of an inference on a model version.
	Path(model, version string) string
}
