// Package codec holds what every inference protocol is decoded into: the typed
// Request and Response, the Route that a method and path select, and the closed
// list of reasons for which bytes are refused.
//
// A codec parses strictly, so that a Request has one meaning, and encodes
// canonically, so that the model server reads exactly that meaning. No byte of
// the client's survives except tensor contents and names that were understood.
package codec

import (
	"strconv"
	"strings"

	"weir/sanitize/tensor"
)

// Protocol names the wire protocol of an exchange.
type Protocol string

// The protocols that Weir tells apart.
const (
	Unknown    Protocol = ""
	KServeHTTP Protocol = "kserve_v2_http"
	KServeGRPC Protocol = "kserve_v2_grpc"
	OpenAI     Protocol = "openai"
	Upload     Protocol = "upload" // a file, or a form with files, as the body of a request
)

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
	// Classes is the number of likeliest classes that the client wants instead of
	// the tensor (Triton's classification extension); 0: the tensor.
	Classes int
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
	Operation Operation // of the route that it came on
	Model     string
	Version   string
	ID        string
	// Parameters of the request that the codec does not consume itself.
	Parameters []Parameter
	Inputs     []Input
	// Outputs are those that the client named, in its order; empty means all of
	// them, in the form that Binary says.
	Outputs []Output
	Binary  bool   // form of the outputs that Outputs does not name
	Accept  Coding // the coding in which the client wants its answer
	Stream  bool   // the answer is a stream of events
	// Signature is that of the model; BindRequest sets it.
	Signature *Signature
	// Extra is what the codec keeps of the message beside the typed parts. It is
	// nobody else's to read, and immutable once BindRequest has returned.
	Extra any
}

// Response is one inference response, every output in binary form, or one
// message of a stream of them.
type Response struct {
	Model      string
	Version    string
	ID         string
	Parameters []Parameter
	Outputs    []tensor.Tensor
	// Classified holds the outputs that the client asked for as classes, in the form
	// that it gets: strings "value:index[:label]", the likeliest first. Outputs has
	// the tensors that they were made of.
	Classified []tensor.Tensor
	// Anonymous says that the protocol's answers do not repeat the id of a request.
	Anonymous bool
	// Error is the text of an error that came in the stream, instead of outputs.
	Error string
	// Final marks the last message for its request; it may hold no outputs.
	Final bool
	// Extra is what the codec keeps of the message beside the typed parts.
	Extra any
}

// Message is an encoded request or response: the headers that its body needs
// (content-type, content-length, inference-header-content-length,
// content-encoding) and the body. The receiver owns both.
type Message struct {
	Headers Headers
	Body    []byte
}

// JSONMessage is a message whose body is one JSON document.
func JSONMessage(body []byte) *Message {
	return &Message{Body: body, Headers: Headers{
		{Name: "content-type", Value: "application/json"},
		{Name: "content-length", Value: strconv.Itoa(len(body))},
	}}
}

// Codec turns the bytes of one protocol and dialect into typed messages and back.
// Errors are *Refusal. Implementations keep no state and are safe for concurrent use.
//
// In a stream, body is one message of it: a gRPC message with its five bytes of
// framing, or the lines of one server-sent event; Message.Body is the same.
type Codec interface {
	// DecodeHead judges the headers of a request before its body comes, and returns
	// those that the model server gets with it whatever the body says.
	DecodeHead(route Route, headers Headers) (Headers, error)
	// DecodeRequest parses an inference request strictly. The Request may hold
	// views into body.
	DecodeRequest(route Route, headers Headers, body []byte) (*Request, error)
	// BindRequest gives the values of a request their inputs where only the model's
	// signature can name them, and keeps the signature in the request.
	BindRequest(request *Request, signature *Signature) error
	// EncodeRequest writes the canonical form that the model server gets, asking
	// for the named outputs, all in binary form and uncompressed.
	EncodeRequest(request *Request, outputs []string) (*Message, error)
	// DecodeResponse parses the model server's answer to such a request, or one
	// message of the stream of answers.
	DecodeResponse(request *Request, headers Headers, body []byte) (*Response, error)
	// EncodeResponse writes the answer in the form the client asked for: its
	// outputs, in its order, each binary or JSON, in the coding it accepts. In a
	// stream it writes one message, with the response's Error if there is one; an
	// empty body means that the client gets none.
	EncodeResponse(request *Request, response *Response) (*Message, error)
	// EncodeError writes an error of Weir's as a message of a stream of answers, the
	// last one to a request that may never have been read: it may lack all but the
	// operation.
	EncodeError(request *Request, text string) []byte
	// DecodeQuery parses the message of an operation that infers nothing, puts the
	// model and version that it names into route, and writes it anew.
	DecodeQuery(route *Route, headers Headers, body []byte) (*Message, error)
	// MaxTensorBytes is the size of the tensors of a request, taken together, above
	// which EncodeRequest refuses it.
	MaxTensorBytes() int
	// Path is the canonical path of a request, with the version that it holds.
	Path(request *Request) string
}

// Router is a Codec whose endpoint is at a path of the operator's choice.
type Router interface {
	// Route returns what a method and a canonical path ask for; ok is false if the path
	// is not the endpoint's.
	Route(method, path string) (route Route, ok bool)
}

// Codecs are the codecs of the protocols that are let through.
type Codecs map[Protocol]Codec

// Select is the function Select, with the endpoint of a Router among the codecs where
// no protocol with paths of its own has one.
func (c Codecs) Select(method, rawPath string) Route {
	route := Select(method, rawPath)
	router, ok := c[Upload].(Router)
	if !ok || route.Operation != Deny || route.Reason == PathInvalid {
		return route
	}
	path, _, _ := strings.Cut(rawPath, "?")
	if own, ok := router.Route(method, path); ok {
		return own
	}
	return route
}
