package openai

import (
	"encoding/binary"
	"math"
	"strconv"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// DecodeRequest parses a request. Nothing in the Request is a view into body.
func (c *Codec) DecodeRequest(route codec.Route, headers codec.Headers, body []byte) (*codec.Request, error) {
	if len(body) > c.limits.MaxBodyBytes {
		return nil, codec.Refuse(codec.BodyTooLarge, "the body has more than %d bytes", c.limits.MaxBodyBytes)
	}
	if err := headers.CheckLength(body); err != nil {
		return nil, err
	}
	request := &codec.Request{Operation: route.Operation}
	r := c.reader(body, request, nil)
	if err := r.message(object("the request", requestFields[route.Operation])); err != nil {
		return nil, err
	}
	for _, t := range r.tensors() {
		request.Inputs = append(request.Inputs, codec.Input{Tensor: t})
	}
	request.Extra = &r.document
	return request, nil
}

// requestFields are the keys of a request by endpoint.
var requestFields = map[codec.Operation][]field{
	codec.ChatCompletions: {
		{"model", model, required},
		{"messages", list("a list of messages", many, tagged("a message", "role", roles)), required},
		{"stream", stream, 0},
		{"stream_options", streamOptions, 0},
		{"temperature", number(0, 2), 0},
		{"top_p", number(0, 1), 0},
		{"n", integer(1, 128), 0},
		{"stop", stop, 0},
		{"max_tokens", integer(0, math.MaxInt32), 0},
		{"max_completion_tokens", integer(0, math.MaxInt32), 0},
		{"presence_penalty", number(-2, 2), 0},
		{"frequency_penalty", number(-2, 2), 0},
		{"logprobs", boolean, 0},
		{"top_logprobs", integer(0, 20), 0},
		{"response_format", tagged("a response_format", "type", formats), 0},
		{"tools", list("a list of tools", 128, tagged("a tool", "type", tools)), 0},
		{"tool_choice", toolChoice, 0},
		{"parallel_tool_calls", boolean, 0},
		{"functions", list("a list of functions", 128, object("a function", function)), 0},
		{"function_call", functionChoice, 0},
		{"prediction", tagged("a prediction", "type", predictions), 0},
		{"reasoning_effort", oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max"), 0},
		{"verbosity", oneOf("low", "medium", "high"), 0},
		{"logit_bias", logitBias, gated},
		{"metadata", freeObject, gated},
		{"prompt_cache_key", text, gated},
		{"prompt_cache_retention", oneOf("in_memory", "24h"), gated},
		{"safety_identifier", text, gated},
		{"seed", integer(math.MinInt64, math.MaxInt64), gated},
		{"service_tier", oneOf("auto", "default", "flex", "scale", "priority", "fast"), gated},
		{"store", boolean, gated},
		{"user", text, gated},
		{"audio", closed, 0},      // the answer would be sound, which nobody inspects
		{"modalities", closed, 0}, // likewise
		{"moderation", closed, 0},
		{"prompt_cache_options", closed, 0},
		{"web_search_options", closed, 0}, // the server would fetch pages
	},
	codec.Completions: {
		{"model", model, required},
		{"prompt", prompts, required},
		{"suffix", text, 0},
		{"stream", stream, 0},
		{"stream_options", streamOptions, 0},
		{"temperature", number(0, 2), 0},
		{"top_p", number(0, 1), 0},
		{"n", integer(1, 128), 0},
		{"best_of", integer(0, 20), 0},
		{"echo", boolean, 0},
		{"stop", stop, 0},
		{"max_tokens", integer(0, math.MaxInt32), 0},
		{"presence_penalty", number(-2, 2), 0},
		{"frequency_penalty", number(-2, 2), 0},
		{"logprobs", integer(0, 5), 0},
		{"logit_bias", logitBias, gated},
		{"seed", integer(math.MinInt64, math.MaxInt64), gated},
		{"user", text, gated},
	},
	codec.Embeddings: {
		{"model", model, required},
		{"input", prompts, required},
		{"encoding_format", oneOf("float", "base64"), 0},
		{"dimensions", integer(1, math.MaxInt32), 0},
		{"user", text, gated},
	},
}

// model reads the name of the model.
func model(r *reader) error {
	word, err := r.word()
	name := string(word)
	if err == nil && !ValidModel(name) {
		err = codec.Refuse(codec.NameInvalid, "the name of a model has 1 to %d letters, digits and . _ ~ : @ + - in segments with / between them", maxModelBytes)
	}
	r.request.Model = name
	r.putName(name)
	return err
}

func stream(r *reader) (err error) {
	r.request.Stream, err = r.flag()
	return err
}

var (
	streamOptions      = object("stream_options", streamOptionFields)
	streamOptionFields = []field{{"include_usage", boolean, 0}, {"include_obfuscation", boolean, 0}}
)

var stop = either("a string or a list of at most 4 strings", map[strictjson.Kind]read{
	strictjson.String: text,
	strictjson.Array:  list("a list of stop sequences", 4, text),
})

// maxBiases is the number of keys of a logit_bias.
const maxBiases = 1024

// logitBias reads a map from token numbers, as strings, to a bias.
func logitBias(r *reader) error {
	if r.Kind() != strictjson.Object {
		return r.wrong("an object")
	}
	first, left := true, maxBiases
	r.put("{")
	err := r.Object("logit_bias", func(key string) error {
		token, err := strconv.ParseUint(key, 10, 31)
		if err != nil || strconv.FormatUint(token, 10) != key {
			return codec.Refuse(codec.ParameterInvalid, "a key of logit_bias is not the number of a token")
		}
		if left--; left < 0 {
			return codec.Refuse(codec.ParameterInvalid, "logit_bias has more than %d keys", maxBiases)
		}
		if !first {
			r.put(",")
		}
		first = false
		r.putName(key)
		r.put(":")
		return number(-100, 100)(r)
	})
	r.put("}")
	return err
}

// prompts reads one or several texts, or lists of token numbers.
var prompts = either("a string, a list of strings, a list of token numbers or a list of such lists", map[strictjson.Kind]read{
	strictjson.String: text,
	strictjson.Array:  promptList,
})

// promptList reads a list whose first item says of what it is.
func promptList(r *reader) error {
	kind, count := strictjson.None, 0
	r.put("[")
	tokens := tokenRun{r: r}
	err := r.Array("a list of prompts", func(i int) error {
		if count++; i == 0 {
			kind = r.Kind()
		}
		switch {
		case r.Kind() != kind:
			return r.invalid("a list of one kind of items")
		case kind == strictjson.Number:
			return tokens.next()
		}
		if i > 0 {
			r.put(",")
		}
		switch kind {
		case strictjson.String:
			return text(r)
		case strictjson.Array:
			return tokenList(r)
		}
		return r.invalid("a list of strings, of token numbers or of lists of them")
	})
	if err == nil && count == 0 {
		err = r.invalid("a list with at least one item")
	}
	r.put("]")
	return err
}

// tokenList reads a list of token numbers.
func tokenList(r *reader) error {
	tokens := tokenRun{r: r}
	r.put("[")
	err := r.Array("a list of tokens", func(int) error { return tokens.next() })
	if err == nil && tokens.count == 0 {
		err = r.invalid("lists with at least one token")
	}
	r.put("]")
	return err
}

// tokenRun is a list of token numbers, for which the document has one hole.
type tokenRun struct {
	r     *reader
	hole  int
	count int
}

// next reads one token number.
func (t *tokenRun) next() error {
	r := t.r
	value, err := r.integer(0, math.MaxInt32)
	if err != nil {
		return err
	}
	if t.count++; t.count == 1 {
		if r.tokenLists++; r.tokenLists > r.limits.MaxBytesElements {
			return codec.Refuse(codec.ShapeInvalid, "there are more than %d lists of tokens", r.limits.MaxBytesElements)
		}
		t.hole = len(r.holes)
		r.hole(tokensHole, 0)
	}
	r.holes[t.hole].count = t.count
	if r.counts[Tokens]++; r.counts[Tokens] > r.limits.MaxElements {
		return codec.Refuse(codec.ShapeInvalid, "there are more than %d tokens", r.limits.MaxElements)
	}
	r.bytes[Tokens] = binary.LittleEndian.AppendUint64(r.bytes[Tokens], uint64(value))
	return r.add(8)
}

// EncodeRequest writes what the model server gets. The server gives the one output
// there is whatever is asked for.
func (c *Codec) EncodeRequest(request *codec.Request, _ []string) (*codec.Message, error) {
	tensors := make([]tensor.Tensor, len(request.Inputs))
	for i := range request.Inputs {
		tensors[i] = request.Inputs[i].Tensor
	}
	body, err := request.Extra.(*document).fill(tensors, c.limits.MaxBodyBytes)
	if err != nil {
		return nil, err
	}
	return codec.JSONMessage(body), nil
}
