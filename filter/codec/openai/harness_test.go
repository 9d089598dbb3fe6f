package openai

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// small are limits that a test reaches without large messages.
var small = Limits{MaxBodyBytes: 1 << 16, MaxResponseBytes: 1 << 16, MaxJSONDepth: 16, MaxSchemaBytes: 4096,
	MaxElements: 64, MaxBytesElements: 64}

func newCodec(t testing.TB, base string, limits Limits) *Codec {
	t.Helper()
	c, err := New(base, limits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var jsonHeaders = codec.Headers{{Name: "content-type", Value: "application/json"}}

func decode(t testing.TB, o codec.Operation, body string) (*codec.Request, error) {
	t.Helper()
	return newCodec(t, "", small).DecodeRequest(codec.Route{Operation: o}, jsonHeaders, []byte(body))
}

func encode(t testing.TB, request *codec.Request) (string, error) {
	t.Helper()
	m, err := newCodec(t, "", small).EncodeRequest(request, nil)
	if err != nil {
		return "", err
	}
	return string(m.Body), nil
}

func reason(err error) codec.Reason {
	var refusal *codec.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return codec.Reason("not a refusal")
}

// contents lists the elements of a tensor; numbers as their text.
func contents(t testing.TB, all []tensor.Tensor, name string) (list []string) {
	t.Helper()
	for _, in := range all {
		if in.Name != name {
			continue
		}
		if err := in.Validate(); err != nil {
			t.Fatal(err)
		}
		if in.DataType == tensor.Int64 {
			for i := 0; i < len(in.Data); i += 8 {
				list = append(list, string('0'+rune(in.Data[i])))
			}
			return list
		}
		err := tensor.EachElement(in.Data, in.Shape[0], func(_ int64, e []byte) error {
			list = append(list, string(e))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func inputs(request *codec.Request) (all []tensor.Tensor) {
	for _, in := range request.Inputs {
		all = append(all, in.Tensor)
	}
	return all
}

// meaning is what encoding/json reads, numbers as their tokens.
func meaning(t testing.TB, document string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", document, err)
	}
	return v
}

// sameMeaning reports whether two documents mean the same, where null is no
// different from nothing and a string that holds JSON is what it holds.
func sameMeaning(t testing.TB, a, b string) bool {
	t.Helper()
	return reflect.DeepEqual(plain(meaning(t, a)), plain(meaning(t, b)))
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if text, ok := value.(string); ok && key == "arguments" {
				d := json.NewDecoder(strings.NewReader(text))
				d.UseNumber()
				var inner any
				if d.Decode(&inner) == nil {
					out[key] = inner
					continue
				}
			}
			if value != nil {
				out[key] = plain(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}
