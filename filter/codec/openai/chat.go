package openai

import (
	"weir/filter/codec"
	"weir/filter/codec/strictjson"
)

// roles are the fields of a message by the role of its author.
var roles = map[string][]field{
	"system":    {{"content", content(textParts), required}, {"name", text, 0}},
	"developer": {{"content", content(textParts), required}, {"name", text, 0}},
	"user":      {{"content", content(userParts), required}, {"name", text, 0}},
	"assistant": {
		{"content", content(assistantParts), nullable},
		{"refusal", text, 0},
		{"name", text, 0},
		{"tool_calls", list("a list of tool calls", many, tagged("a tool call", "type", toolCalls)), 0},
		{"function_call", object("a function call", functionCall), 0},
		{"audio", closed, 0}, // an earlier answer that the server kept
	},
	"tool":     {{"content", content(textParts), required}, {"tool_call_id", callID, required}},
	"function": {{"content", text, nullable}, {"name", functionName, required}},
}

// content reads a text or a list of parts.
func content(parts map[string][]field) read {
	return either("a string or a list of content parts", map[strictjson.Kind]read{
		strictjson.String: text,
		strictjson.Array:  list("a list of content parts", many, tagged("a content part", "type", parts)),
	})
}

// The content parts of the roles, by type.
var (
	textPart       = []field{{"text", text, required}, {"prompt_cache_breakpoint", closed, 0}}
	textParts      = map[string][]field{"text": textPart}
	assistantParts = map[string][]field{"text": textPart, "refusal": {{"refusal", text, required}}}
	userParts      = map[string][]field{
		"text": textPart,
		"image_url": {
			{"image_url", object("image_url", []field{{"url", imageURL, required}, {"detail", oneOf("auto", "low", "high", "original"), 0}}), required},
			{"prompt_cache_breakpoint", closed, 0},
		},
		"input_audio": {
			{"input_audio", tagged("input_audio", "format", audioFormats), required},
			{"prompt_cache_breakpoint", closed, 0},
		},
		"file": {{"file", closed, required}, {"prompt_cache_breakpoint", closed, 0}},
	}
	audioFormats = map[string][]field{
		"wav": {{"data", audioFile(isWAV), required}},
		"mp3": {{"data", audioFile(isMP3), required}},
	}
	predictions = map[string][]field{"content": {{"content", content(textParts), required}}}
)

// functionName reads the name of a function, a tool or a schema: letters, digits, _
// and -, at most 64 of them.
var functionName = name("_-", 64)

// callID reads the id of a tool call, which the server made up.
var callID = name("_-.:", 128)

// toolCalls are the fields of a tool call of the assistant's.
var toolCalls = map[string][]field{
	"function": {{"id", callID, required}, {"function", object("a function call", functionCall), required}},
	"custom": {{"id", callID, required},
		{"custom", object("a custom tool call", []field{{"name", functionName, required}, {"input", text, required}}), required}},
}

var functionCall = []field{{"name", functionName, required}, {"arguments", arguments, required}}

// function are the fields of a function that the model may call.
var function = []field{
	{"name", functionName, required},
	{"description", text, 0},
	{"parameters", freeObject, 0},
	{"strict", boolean, 0},
}

// tools are the fields of a tool.
var tools = map[string][]field{
	"function": {{"function", object("a function", function), required}},
	"custom": {{"custom", object("a custom tool", []field{
		{"name", functionName, required},
		{"description", text, 0},
		{"format", tagged("a format", "type", map[string][]field{
			"text": {},
			"grammar": {{"grammar", object("a grammar",
				[]field{{"definition", text, required}, {"syntax", oneOf("lark", "regex"), required}}), required}},
		}), 0},
	}), required}},
}

var named = object("a choice of a tool", []field{{"name", functionName, required}})

// toolChoices are the ways to choose by an object.
var toolChoices = map[string][]field{
	"function": {{"function", named, required}},
	"custom":   {{"custom", named, required}},
	"allowed_tools": {{"allowed_tools", object("allowed_tools", []field{
		{"mode", oneOf("auto", "required"), required},
		{"tools", list("a list of tools", 128, tagged("a choice of a tool", "type", map[string][]field{
			"function": {{"function", named, required}},
			"custom":   {{"custom", named, required}},
		})), required},
	}), required}},
}

var toolChoice = either("none, auto, required or an object", map[strictjson.Kind]read{
	strictjson.String: oneOf("none", "auto", "required"),
	strictjson.Object: tagged("tool_choice", "type", toolChoices),
})

var functionChoice = either("none, auto or an object", map[strictjson.Kind]read{
	strictjson.String: oneOf("none", "auto"),
	strictjson.Object: named,
})

// formats are the fields of a response_format.
var formats = map[string][]field{
	"text":        {},
	"json_object": {},
	"json_schema": {{"json_schema", object("json_schema", []field{
		{"name", functionName, required},
		{"description", text, 0},
		{"schema", freeObject, 0},
		{"strict", boolean, 0},
	}), required}},
}

// freeObject reads an object of any keys and values, such as a JSON schema.
func freeObject(r *reader) error {
	if r.Kind() != strictjson.Object {
		return r.wrong("an object")
	}
	return tree(r)
}

// arguments reads the arguments of a call: JSON that stands in a string.
func arguments(r *reader) error {
	text, err := r.word()
	if err != nil {
		return err
	}
	outer := r.Scanner
	r.put(`"`)
	r.Scanner, r.within = outer.Within(text), true
	if err := r.message(tree); err != nil {
		return err
	}
	r.Scanner, r.within = outer, false
	r.put(`"`)
	return nil
}

// tree reads any JSON value: its strings and keys are content, its numbers stay as
// they are.
func tree(r *reader) error {
	start := len(r.skeleton) + r.total
	return r.branch(func() error {
		if size := len(r.skeleton) + r.total - start; size > r.limits.MaxSchemaBytes {
			return codec.Refuse(codec.JSONTooLarge, "a schema, metadata or arguments have more than %d bytes", r.limits.MaxSchemaBytes)
		}
		return nil
	})
}

// branch reads a value of a tree; grown is asked after each whether the tree may be
// as large as it is.
func (r *reader) branch(grown func() error) (err error) {
	switch r.Kind() {
	case strictjson.Object:
		err = r.branches(grown)
	case strictjson.Array:
		r.put("[")
		err = r.Array("an array", func(i int) error {
			if i > 0 {
				r.put(",")
			}
			return r.branch(grown)
		})
		r.put("]")
	case strictjson.String:
		err = text(r)
	case strictjson.Number:
		err = anyNumber(r)
	case strictjson.Null:
		err = null(r)
	case strictjson.Bool:
		err = boolean(r)
	default:
		err = r.wrong("a value")
	}
	if err != nil {
		return err
	}
	return grown()
}

func null(r *reader) error {
	if !r.Null() {
		return codec.Refuse(codec.JSONMalformed, "expected a value")
	}
	r.put("null")
	return nil
}

func (r *reader) branches(grown func() error) error {
	r.objects++
	number, first := r.objects, true
	r.put("{")
	err := r.Object("an object", func(key string) error {
		if !first {
			r.put(",")
		}
		first = false
		r.hole(keyHole, number)
		if err := r.element(Text, func(dst []byte) ([]byte, error) { return append(dst, key...), nil }); err != nil {
			return err
		}
		r.put(":")
		return r.branch(grown)
	})
	r.put("}")
	return err
}
