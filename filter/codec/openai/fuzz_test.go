package openai

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

var operations = []codec.Operation{codec.ChatCompletions, codec.Completions, codec.Embeddings}

// fuzzLimits are wide enough that the interesting paths are not behind them.
var fuzzLimits = Limits{MaxBodyBytes: 1 << 20, MaxResponseBytes: 1 << 20, MaxJSONDepth: 16, MaxSchemaBytes: 1 << 16,
	MaxElements: 1 << 10, MaxBytesElements: 1 << 10}

// FuzzRequest holds that a request that is let through means the same to
// encoding/json before and after, that its canonical form is its own, and that no
// text goes upstream but through the tensors: with every text replaced, only words
// that the tables know are left.
func FuzzRequest(f *testing.F) {
	file := picture(f)
	for _, seed := range []string{
		user(`[{"type":"text","text":"h\u00e9"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + base64Of(file) + `"}}]`),
		call(`"{\"b\":[1.50,\"x\\n\"],\"a\":{\"\":null}}"`),
		with(`"tools":[{"type":"function","function":{"name":"f","parameters":{"a":{"b":[true,1e2]}}}}],"tool_choice":"auto","stop":["a"],"stream":true`),
		with(`"user":"u","seed":-7,"metadata":{"k":"v"},"logit_bias":{"1":-100},"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}`),
		user(`[{"type":"input_audio","input_audio":{"format":"wav","data":"` + base64Of([]byte(sound)) + `"}}]`),
		`{"prompt":["a","b"],"model":"m","suffix":"s"}`, `{"prompt":[[1],[2,3]],"model":"m"}`, `{"input":[1,2],"model":"a/b","dimensions":3}`,
	} {
		for o := range operations {
			f.Add(uint8(o), seed)
		}
	}
	f.Fuzz(func(t *testing.T, operation uint8, body string) {
		c := newCodec(t, "", fuzzLimits)
		route := codec.Route{Operation: operations[int(operation)%len(operations)]}
		request, err := c.DecodeRequest(route, nil, []byte(body))
		if err != nil {
			if reason(err) == "not a refusal" {
				t.Fatal(err)
			}
			return
		}
		m, err := c.EncodeRequest(request, nil)
		if err != nil {
			if reason(err) != codec.InputDataInvalid { // an image of no known format
				t.Fatal(err)
			}
			return
		}
		if !sameMeaning(t, mediaTypeless(body), mediaTypeless(string(m.Body))) {
			t.Fatalf("%q became %q", body, m.Body)
		}
		again, err := c.DecodeRequest(route, m.Headers, m.Body)
		if err != nil || !reflect.DeepEqual(inputs(again), inputs(request)) {
			t.Fatalf("%q is not canonical: %v", m.Body, err)
		}
		if twice, err := c.EncodeRequest(again, nil); err != nil || !bytes.Equal(twice.Body, m.Body) {
			t.Fatalf("%q became %q (%v)", m.Body, twice.Body, err)
		}
		onlyKnownWords(t, request)
	})
}

// mediaTypeless makes all data: URIs of images equal in their media type, which
// Weir corrects.
func mediaTypeless(document string) string {
	var v any
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return document
	}
	out, _ := json.Marshal(rename(v))
	return string(out)
}

func rename(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if url, ok := value.(string); ok && key == "url" {
				_, data, _ := strings.Cut(url, ",")
				v[key] = data
				continue
			}
			v[key] = rename(value)
		}
	case []any:
		for i := range v {
			v[i] = rename(v[i])
		}
	}
	return v
}

// onlyKnownWords reads what of a request is no content: every string of it must be a
// key or word of the API, the model, or short and plain.
func onlyKnownWords(t *testing.T, request *codec.Request) {
	skeleton := request.Extra.(*document).skeleton
	for i, text := range strings.Split(string(skeleton), `"`) {
		if i%2 == 0 {
			if strings.Trim(text, "{}[]:,0123456789.eE+-truefalsn\\") != "" {
				t.Fatalf("%q stands outside of strings in %q", text, skeleton)
			}
			continue
		}
		if text = strings.TrimSuffix(text, `\`); text != request.Model && !isName(text, "_-.:", 128) && !emptyOrSyntax(text) {
			t.Fatalf("%q is neither content nor plain in %q", text, skeleton)
		}
	}
}

// emptyOrSyntax is what is between the quotes of arguments once their content is out.
func emptyOrSyntax(text string) bool {
	return strings.Trim(text, `{}[]:,0123456789.eE+-truefalsn\`) == ""
}

// FuzzResponse holds the same for answers, whole and event by event: what the client
// gets is the answer without the keys that are not known.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		answerOf(`{"role":"assistant","content":"x","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}`),
		`{"object":"text_completion","model":"m","choices":[{"index":0,"text":"a","logprobs":{"token_logprobs":[null,-1],"top_logprobs":[null,{"a":-1}]}}],"usage":{"total_tokens":1}}`,
		`{"object":"list","model":"m","data":[{"index":0,"embedding":[0.5,-1e3]},{"index":1,"embedding":"` + vectorOf(1) + `"}]}`,
		`{"object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"x"}}],"x":{"y":[]}}`, `{"error":{"message":"x"}}`, `[DONE]`,
	} {
		for o := range operations {
			f.Add(uint8(o), false, seed)
			f.Add(uint8(o), true, "data: "+seed+"\n\n")
		}
	}
	f.Fuzz(func(t *testing.T, operation uint8, stream bool, body string) {
		c := newCodec(t, "", fuzzLimits)
		request := &codec.Request{Operation: operations[int(operation)%len(operations)], Model: "m", Stream: stream}
		response, err := c.DecodeResponse(request, jsonHeaders, []byte(body))
		if err != nil {
			if r := reason(err); r != codec.ResponseMalformed && r != codec.ResponseTooLarge {
				t.Fatal(err)
			}
			return
		}
		if response.Error != "" {
			return
		}
		if err := Signature("m").MatchResponse(response, nil); err != nil {
			t.Fatal(err)
		}
		m, err := c.EncodeResponse(request, response)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Body) == 0 || response.Final {
			return
		}
		within(t, dataOf(t, stream, m.Body), dataOf(t, stream, []byte(body)))
		again, err := c.DecodeResponse(request, jsonHeaders, m.Body)
		if err != nil || !reflect.DeepEqual(again.Outputs, response.Outputs) {
			t.Fatalf("%q is not canonical: %v", m.Body, err)
		}
		if twice, err := c.EncodeResponse(request, again); err != nil || !bytes.Equal(twice.Body, m.Body) {
			t.Fatalf("%q became %q (%v)", m.Body, twice.Body, err)
		}
	})
}

func dataOf(t *testing.T, stream bool, body []byte) any {
	if stream {
		data, err := frame.Data(body)
		if err != nil {
			t.Fatal(err)
		}
		body = data
	}
	return meaning(t, string(body))
}

// within holds that part says nothing that whole does not say in the same place,
// but for names of the server's that were made empty.
func within(t *testing.T, part, whole any) {
	t.Helper()
	switch part := part.(type) {
	case map[string]any:
		whole, ok := whole.(map[string]any)
		for key := range part {
			if _, has := whole[key]; !ok || !has {
				t.Fatalf("%q is new", key)
			}
			if part[key] == "" && slices.Contains([]string{"id", "system_fingerprint", "service_tier"}, key) {
				continue
			}
			within(t, part[key], whole[key])
		}
	case []any:
		whole, ok := whole.([]any)
		if !ok || len(whole) != len(part) {
			t.Fatalf("%v became %v", whole, part)
		}
		for i := range part {
			within(t, part[i], whole[i])
		}
	default:
		if part != whole {
			t.Fatalf("%v became %v", whole, part)
		}
	}
}

// FuzzBase64 holds that what is decoded is what Go encodes as the same bytes.
func FuzzBase64(f *testing.F) {
	for _, seed := range []string{"AAAA", "QR==", "QQ==", "AA\nAA", "====", "A", "", "_-__"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if file, err := appendBase64(nil, []byte(text)); err == nil && base64.StdEncoding.EncodeToString(file) != text {
			t.Fatalf("%q was taken for %q", text, file)
		}
	})
}
