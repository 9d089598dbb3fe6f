package openai

import (
	"os"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
)

// dropped are the keys of answers that the API knows and clients do not get: what
// Weir lets nobody ask for, and padding against readers of sizes.
var dropped = []string{"annotations", "audio", "metadata", "moderation", "obfuscation"}

var answers = []string{"answer chat", "chunk chat", "message", "delta"}

// The tables have the keys that OpenAI's client types, and no others.
func TestKeysOfTheReference(t *testing.T) {
	tables := map[string][]field{
		"answer chat":         answerFields[codec.ChatCompletions],
		"answer completions":  answerFields[codec.Completions],
		"answer embeddings":   answerFields[codec.Embeddings],
		"chunk chat":          chunkFields[codec.ChatCompletions],
		"request chat":        requestFields[codec.ChatCompletions],
		"request completions": requestFields[codec.Completions],
		"request embeddings":  requestFields[codec.Embeddings],
		"stream_options":      streamOptionFields,
		"function":            function,
		"message":             messageFields,
		"delta":               messageFields,
		"token":               tokenWithOthers,
	}
	for prefix, variants := range map[string]map[string][]field{"message": roles, "part": userParts, "call": toolCalls,
		"tool": tools, "choice": toolChoices, "format": formats, "prediction": predictions} {
		for tag, fields := range variants {
			name, key := prefix+" "+tag, "type"
			if prefix == "message" {
				key = "role"
			}
			tables[name] = append([]field{{key, nil, required}}, fields...)
		}
	}
	tables["part refusal"] = append([]field{{"type", nil, required}}, assistantParts["refusal"]...)
	delete(tables, "part file") // refused

	text, err := os.ReadFile("testdata/keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, list, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		want := strings.Fields(list)
		if slices.Contains(answers, name) {
			want = slices.DeleteFunc(want, func(key string) bool { return slices.Contains(dropped, key) })
		}
		var have []string
		for _, f := range tables[name] {
			have = append(have, f.key)
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s has %q, the client types %q", name, have, want)
		}
		delete(tables, name)
	}
	for name := range tables {
		t.Errorf("%s has no line in keys.txt", name)
	}
}
