// Package openai is the codec of the OpenAI API as model servers offer it: chat
// completions, completions, embeddings and the list of models, with answers that
// are whole or streams of server-sent events. The source of every key, range and
// enumeration is OpenAI's API reference, as its client of version 3 types it.
//
// # What is content
//
// A request is JSON in which some strings are content and the rest is structure.
// The codec takes the content out, as elements of up to four inputs, in the order
// of the canonical document, and keeps the rest as a document with holes. So
// content is declared, sanitised and refused as the inputs of every other model:
//
//	text    BYTES  contents and text parts, refusals, names of participants, prompts,
//	               suffixes and stop sequences, inputs of embeddings, predictions,
//	               results of tools, descriptions and grammars; all strings, and all
//	               keys, of JSON schemas, of metadata, and of the JSON within the
//	               arguments of tool calls; user, safety_identifier, prompt_cache_key
//	image   BYTES  the files in data: URIs of image parts
//	audio   BYTES  the files in audio parts
//	tokens  INT64  prompts and inputs that are token numbers, one after the other
//
// Everything else is a number, a boolean, a word of a closed list, or a name of
// letters, digits and a little punctuation, which is short. So no text of a client
// reaches the model server but as an element of text.
//
// # What is let through
//
// Every object has a table of the keys that it may have, with their types; an
// unknown key is refused, a known one is written in the order of the table, and
// null, where the API allows it, like a key that is not there. What the server would
// fetch by itself (URLs of images, ids of files and of earlier audio, web search)
// is refused: nobody could inspect it. So are answers in audio. Servers' own keys,
// such as vLLM's chat_template, are unknown.
//
// Options that shape the answer are let through within the ranges of the reference:
// temperature, top_p, n, stop, max_tokens, penalties, logprobs, tools,
// response_format and the like. Those that carry values of the client's choice past
// the messages, or have effects beyond the answer, are parameters that a model's
// rules must allow by name: logit_bias, metadata, prompt_cache_key,
// prompt_cache_retention, safety_identifier, seed, service_tier, store and user.
//
// # Answers
//
// An answer is parsed as strictly, and written afresh from what is known of it; keys
// that the reference does not know are dropped. It must name the model that was asked
// for. Its text is the output text (BYTES): contents, refusals, and names and
// arguments of tool calls.
package openai

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// The inputs and the output of every model.
const (
	Text   = "text"
	Image  = "image"
	Audio  = "audio"
	Tokens = "tokens"
)

// Parameters are the options of requests that a model's rules must allow by name.
func Parameters() []string {
	return []string{"logit_bias", "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "seed",
		"service_tier", "store", "user"}
}

// Codec implements codec.Codec. It is safe for concurrent use.
type Codec struct {
	base   string
	limits Limits
}

var _ codec.Codec = (*Codec)(nil)

// Limits bound one message.
type Limits struct {
	MaxBodyBytes     int   // request body, and what it carries in binary form
	MaxResponseBytes int   // answer, or one event of it
	MaxJSONDepth     int   // nested objects and arrays, those within arguments among them
	MaxSchemaBytes   int   // one JSON schema, metadata, or arguments of one tool call
	MaxElements      int64 // token numbers of a request
	MaxBytesElements int64 // texts, images or audio files of a message
}

// New returns a codec of a server whose endpoints are at base, such as "/openai"
// for /openai/v1/models; "" if they are at /v1.
func New(base string, limits Limits) (*Codec, error) {
	if !ValidBase(base) {
		return nil, errors.New("the base path of the OpenAI endpoints is not in canonical form")
	}
	if min(limits.MaxBodyBytes, limits.MaxResponseBytes, limits.MaxJSONDepth, limits.MaxSchemaBytes) < 1 ||
		min(limits.MaxElements, limits.MaxBytesElements) < 1 {
		return nil, fmt.Errorf("a limit is not positive: %+v", limits)
	}
	return &Codec{base, limits}, nil
}

var basePattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)

// ValidBase reports whether a path can stand before /v1: segments that nobody reads
// in two ways, without a slash at the end; or none.
func ValidBase(path string) bool { return basePattern.MatchString(path) }

const maxModelBytes = 255

var modelPattern = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~:@+-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~:@+-]*)*$`)

// ValidModel reports whether a message may name this model: segments of letters,
// digits and . _ ~ : @ + - that do not begin with a dot, with slashes between them,
// such as "meta-llama/Llama-3.1-8B:free". A * in a model's rules matches within one
// segment.
func ValidModel(name string) bool {
	return len(name) <= maxModelBytes && modelPattern.MatchString(name)
}

// Signature is that of every model: such servers say nothing of their models but
// their names.
func Signature(model string) *codec.Signature {
	list := []int64{-1}
	return &codec.Signature{Model: model,
		Inputs: []codec.Spec{
			{Name: Text, DataType: tensor.Bytes, Shape: list, Optional: true},
			{Name: Image, DataType: tensor.Bytes, Shape: list, Optional: true},
			{Name: Audio, DataType: tensor.Bytes, Shape: list, Optional: true},
			{Name: Tokens, DataType: tensor.Int64, Shape: list, Optional: true},
		},
		Outputs: []codec.Spec{{Name: Text, DataType: tensor.Bytes, Shape: list}}}
}

// paths are the endpoints below the base path.
var paths = map[codec.Operation]string{
	codec.ChatCompletions: "/v1/chat/completions",
	codec.Completions:     "/v1/completions",
	codec.Embeddings:      "/v1/embeddings",
	codec.ModelList:       "/v1/models",
}

// Path returns the path of the request's operation on the server.
func (c *Codec) Path(request *codec.Request) string { return c.base + paths[request.Operation] }

// MaxTensorBytes is the limit of what a request carries in binary form.
func (c *Codec) MaxTensorBytes() int { return c.limits.MaxBodyBytes }

// DecodeHead refuses bodies that are not plain JSON.
func (c *Codec) DecodeHead(route codec.Route, headers codec.Headers) (codec.Headers, error) {
	if !route.Operation.Infers() {
		return nil, nil
	}
	if coding, lines := headers.Get("content-encoding"); lines > 0 && (lines > 1 || coding != string(codec.Identity)) {
		return nil, codec.Refuse(codec.EncodingUnsupported, "content-encoding must be identity")
	}
	if err := mediaType(headers, "application/json"); err != nil {
		return nil, err
	}
	return nil, nil
}

// mediaType checks the content-type of a message; parameters do not count, JSON and
// events are UTF-8 whatever they say.
func mediaType(headers codec.Headers, want string) error {
	value, _, err := headers.Single("content-type")
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimSpace(name), want) {
		return codec.Refuse(codec.HeaderInvalid, "content-type must be %s", want)
	}
	return nil
}

// BindRequest keeps the signature: the inputs have names.
func (c *Codec) BindRequest(request *codec.Request, signature *codec.Signature) error {
	request.Signature = signature
	return nil
}

// DecodeQuery refuses: the list of models takes no body.
func (c *Codec) DecodeQuery(*codec.Route, codec.Headers, []byte) (*codec.Message, error) {
	return nil, codec.Refuse(codec.HeaderInvalid, "this endpoint takes no body")
}
