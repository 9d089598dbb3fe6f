package openai

import (
	"encoding/binary"
	"math"
	"slices"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/filter/codec/strictjson"
)

// DecodeResponse parses an answer, or one event of a stream of them. All reasons are
// ResponseMalformed or ResponseTooLarge.
func (c *Codec) DecodeResponse(request *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if len(body) > c.limits.MaxResponseBytes {
		return nil, codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes", c.limits.MaxResponseBytes)
	}
	decode := c.decodeAnswer
	if request.Stream {
		decode = c.decodeEvent
	}
	response, err := decode(request, headers, body)
	if err != nil {
		return nil, malformedResponse(err)
	}
	return response, nil
}

func malformedResponse(err error) error {
	return codec.RefuseAnswer(err, codec.JSONTooLarge, codec.BodyTooLarge, codec.ShapeInvalid)
}

func (c *Codec) decodeAnswer(request *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if err := headers.CheckLength(body); err != nil {
		return nil, err
	}
	if coding, lines := headers.Get("content-encoding"); lines > 0 && coding != string(codec.Identity) {
		return nil, codec.Refuse(codec.EncodingUnsupported, "it has a content coding that was not asked for")
	}
	if err := mediaType(headers, "application/json"); err != nil {
		return nil, err
	}
	return c.decodeObject(request, body, object("the answer", answerFields[request.Operation]))
}

func (c *Codec) decodeObject(request *codec.Request, body []byte, read read) (*codec.Response, error) {
	response := &codec.Response{Model: request.Model, Anonymous: true}
	r := c.reader(body, request, response)
	if err := r.message(read); err != nil {
		return nil, err
	}
	response.Outputs = r.tensors()
	response.Extra = &r.document
	return response, nil
}

// EncodeResponse writes an answer, or one event.
func (c *Codec) EncodeResponse(request *codec.Request, response *codec.Response) (*codec.Message, error) {
	if response.Extra == nil {
		return encodeMark(response), nil
	}
	body, err := response.Extra.(*document).fill(response.Outputs, c.limits.MaxResponseBytes)
	if err != nil {
		return nil, malformedResponse(err)
	}
	if request.Stream {
		return &codec.Message{Body: frame.AppendEvent(nil, body)}, nil
	}
	return codec.JSONMessage(body), nil
}

// The fields of answers, and of the chunks of a stream of them.
var (
	answerFields = map[codec.Operation][]field{
		codec.ChatCompletions: answer("chat.completion", choice(
			field{"message", object("a message", messageFields), required}, chatLogprobs), serviceTier),
		codec.Completions: completion,
		codec.Embeddings: {
			{"object", oneOf("list"), required},
			{"data", list("a list of embeddings", many, object("an embedding", []field{
				{"object", oneOf("embedding"), 0},
				{"index", integer(0, math.MaxInt32), required},
				{"embedding", embedding, required},
			})), required},
			{"model", echoedModel, required},
			{"usage", usage, 0},
		},
	}
	chunkFields = map[codec.Operation][]field{
		codec.ChatCompletions: answer("chat.completion.chunk", choice(
			field{"delta", object("a delta", messageFields), required}, chatLogprobs), serviceTier),
		codec.Completions: completion,
	}
	completion = answer("text_completion", choice(field{"text", text, required}, completionLogprobs))
)

var serviceTier = field{"service_tier", serverToken, 0}

func answer(name string, choice []field, more ...field) []field {
	return append([]field{
		{"id", serverToken, 0},
		{"object", oneOf(name), required},
		{"created", integer(0, math.MaxInt64), 0},
		{"model", echoedModel, required},
		{"choices", list("a list of choices", many, object("a choice", choice)), required},
		{"usage", usage, 0},
		{"system_fingerprint", serverToken, 0},
	}, more...)
}

func choice(body field, logprobs read) []field {
	return []field{
		{"index", integer(0, math.MaxInt32), required},
		body,
		{"finish_reason", name("_-", 64), 0},
		{"logprobs", logprobs, 0},
	}
}

// messageFields are those of a message and of what a chunk adds to one.
var messageFields = []field{
	{"role", oneOf("assistant", "user", "system", "developer", "tool"), 0},
	{"content", text, 0},
	{"refusal", text, 0},
	{"tool_calls", list("a list of tool calls", many, object("a tool call", []field{
		{"index", integer(0, math.MaxInt32), 0},
		{"id", serverToken, 0},
		{"type", oneOf("function", "custom"), 0},
		{"function", object("a function call", []field{{"name", text, 0}, {"arguments", text, 0}}), 0},
		{"custom", object("a custom tool call", []field{{"name", text, 0}, {"input", text, 0}}), 0},
	})), 0},
	{"function_call", object("a function call", []field{{"name", text, 0}, {"arguments", text, 0}}), 0},
}

var usage = object("usage", []field{
	{"prompt_tokens", count, 0},
	{"completion_tokens", count, 0},
	{"total_tokens", count, 0},
	{"prompt_tokens_details", object("details", []field{{"cached_tokens", count, 0}, {"audio_tokens", count, 0}}), 0},
	{"completion_tokens_details", object("details", []field{
		{"reasoning_tokens", count, 0},
		{"audio_tokens", count, 0},
		{"accepted_prediction_tokens", count, 0},
		{"rejected_prediction_tokens", count, 0},
	}), 0},
})

var count = integer(0, math.MaxInt64)

// The likelihoods of tokens.
var (
	chatLogprobs = object("logprobs", []field{
		{"content", tokenLogprobs, 0},
		{"refusal", tokenLogprobs, 0},
	})
	tokenLogprobs   = list("a list of tokens", many, object("a token", tokenWithOthers))
	tokenWithOthers = append(slices.Clone(tokenLogprob),
		field{"top_logprobs", list("a list of tokens", many, object("a token", tokenLogprob)), 0})
	tokenLogprob = []field{
		{"token", copied, required},
		{"logprob", anyNumber, required},
		{"bytes", list("a list of bytes", many, integer(0, 255)), 0},
	}
	completionLogprobs = object("logprobs", []field{
		{"text_offset", list("a list of offsets", many, integer(0, math.MaxInt64)), 0},
		{"token_logprobs", list("a list of numbers", many, orNull(anyNumber)), 0},
		{"tokens", list("a list of tokens", many, copied), 0},
		{"top_logprobs", list("a list of likelihoods", many, orNull(likelihoods)), 0},
	})
)

// likelihoods reads an object of numbers by token.
func likelihoods(r *reader) error {
	first := true
	r.put("{")
	err := r.Object("likelihoods", func(key string) error {
		if !first {
			r.put(",")
		}
		first = false
		r.skeleton = append(strictjson.AppendString(r.skeleton, key), ':')
		return anyNumber(r)
	})
	r.put("}")
	return err
}

func orNull(value read) read {
	return func(r *reader) error {
		if r.Null() {
			r.put("null")
			return nil
		}
		return value(r)
	}
}

// copied reads a string that no rule looks at.
func copied(r *reader) error {
	text, err := r.word()
	r.skeleton = strictjson.AppendString(r.skeleton, text)
	return err
}

// serverToken reads an id of the server's. One that is not short, or holds more than
// letters, digits and . _ : -, becomes empty.
func serverToken(r *reader) error {
	word, err := r.word()
	token := string(word)
	if !isName(token, "._:-", 256) {
		token = ""
	}
	r.putName(token)
	return err
}

// echoedModel reads the name of the model, which must be the one asked for.
func echoedModel(r *reader) error {
	name, err := r.word()
	if err == nil && string(name) != r.request.Model {
		err = codec.Refuse(codec.ResponseMalformed, "it is of another model")
	}
	r.putName(r.request.Model)
	return err
}

// embedding reads a vector: numbers, or base64 of binary32 numbers, little-endian.
var embedding = either("a list of numbers or base64", map[strictjson.Kind]read{
	strictjson.Array: list("an embedding", many, anyNumber),
	strictjson.String: func(r *reader) error {
		data, err := r.word()
		if err != nil {
			return err
		}
		vector, err := appendBase64(nil, data)
		if err != nil {
			return err
		}
		if len(vector)%4 != 0 {
			return r.invalid("base64 of binary32 numbers")
		}
		for ; len(vector) > 0; vector = vector[4:] {
			if v := float64(math.Float32frombits(binary.LittleEndian.Uint32(vector))); math.IsNaN(v) || math.IsInf(v, 0) {
				return r.invalid("finite")
			}
		}
		r.putName(string(data))
		return nil
	},
})
