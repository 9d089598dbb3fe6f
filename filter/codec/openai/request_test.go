package openai

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// picture is a PNG file.
func picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const sound = "RIFF\x00\x00\x00\x00WAVEdata"

func base64Of(file []byte) string { return base64.StdEncoding.EncodeToString(file) }

// user is a chat with one message of the user's, which has this content.
func user(content string) string {
	return `{"model":"m","messages":[{"role":"user","content":` + content + `}]}`
}

// with is a chat with one more key.
func with(member string) string {
	return `{"model":"m","messages":[{"role":"user","content":"x"}],` + member + `}`
}

// call is a chat in which the assistant has called a function.
func call(arguments string) string {
	return `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":` + arguments + `}}]}]}`
}

func TestCanonicalRequests(t *testing.T) {
	file := picture(t)
	for name, c := range map[string]struct {
		operation  codec.Operation
		body, want string
		inputs     map[string][]string
		parameters []string
	}{
		"order of keys, white space, escapes, null": {codec.ChatCompletions,
			" { \"temperature\" : 0.70, \"messages\":[ {\"content\":\"h\\u00e9\\/\\n\\u0001\\\"\",\"role\":\"user\"} ], \"top_p\":null,\"model\":\"org\\/m:1\"}\n",
			`{"model":"org/m:1","messages":[{"role":"user","content":"hé/\n\u0001\""}],"temperature":0.70}`,
			map[string][]string{Text: {"hé/\n\x01\""}}, nil},
		"all roles": {codec.ChatCompletions,
			`{"messages":[{"role":"system","content":"a","name":"b"},{"role":"developer","content":[{"type":"text","text":"c"}]},
			{"role":"user","content":"d"},{"role":"assistant","content":null,"refusal":"e"},{"role":"assistant","content":[{"type":"refusal","refusal":"f"}]},
			{"role":"tool","content":"g","tool_call_id":"call_1"},{"role":"function","content":null,"name":"h"}],"model":"m"}`,
			`{"model":"m","messages":[{"role":"system","content":"a","name":"b"},{"role":"developer","content":[{"type":"text","text":"c"}]},` +
				`{"role":"user","content":"d"},{"role":"assistant","content":null,"refusal":"e"},{"role":"assistant","content":[{"type":"refusal","refusal":"f"}]},` +
				`{"role":"tool","content":"g","tool_call_id":"call_1"},{"role":"function","content":null,"name":"h"}]}`,
			map[string][]string{Text: {"a", "b", "c", "d", "e", "f", "g"}}, nil},
		"parts": {codec.ChatCompletions,
			user(`[{"text":"a","type":"text"},{"type":"image_url","image_url":{"detail":"low","url":"data:image/jpeg;base64,` + strings.ReplaceAll(base64Of(file), "/", `\/`) + `"}},{"input_audio":{"format":"wav","data":"` + base64Of([]byte(sound)) + `"},"type":"input_audio"}]`),
			user(`[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + base64Of(file) + `","detail":"low"}},{"type":"input_audio","input_audio":{"format":"wav","data":"` + base64Of([]byte(sound)) + `"}}]`),
			map[string][]string{Text: {"a"}, Image: {string(file)}, Audio: {sound}}, nil},
		"arguments": {codec.ChatCompletions,
			call(`" {\"b\" : [1.50, \"x\\n\\u0022\", {\"\\u0062\":null}],\"a\":true} "`),
			`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"type":"function","id":"1","function":{"name":"f","arguments":"{\"b\":[1.50,\"x\\n\\\"\",{\"b\":null}],\"a\":true}"}}]}]}`,
			map[string][]string{Text: {"b", "x\n\"", "b", "a"}}, nil},
		"tools": {codec.ChatCompletions,
			with(`"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f","strict":true,"description":"a","parameters":{"type":"object","properties":{"b":{"enum":[1e2,"c",false,null]}}}}},
			{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"d"}}}}]`),
			with(`"tools":[{"type":"function","function":{"name":"f","description":"a","parameters":{"type":"object","properties":{"b":{"enum":[1e2,"c",false,null]}}},"strict":true}},` +
				`{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"definition":"d","syntax":"lark"}}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false`),
			map[string][]string{Text: {"x", "a", "type", "object", "properties", "b", "enum", "c", "d"}}, nil},
		"response_format": {codec.ChatCompletions,
			with(`"response_format":{"json_schema":{"schema":{"type":"string"},"name":"s"},"type":"json_schema"},"function_call":"auto","stop":["\n","b"],"stream":true,"stream_options":{"include_usage":true}`),
			with(`"stream":true,"stream_options":{"include_usage":true},"stop":["\n","b"],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"string"}}},"function_call":"auto"`),
			map[string][]string{Text: {"x", "\n", "b", "type", "string"}}, nil},
		"parameters": {codec.ChatCompletions,
			with(`"user":"u","seed":-7,"metadata":{"k":"v"},"logit_bias":{"50256":-100},"store":false,"safety_identifier":null`),
			with(`"logit_bias":{"50256":-100},"metadata":{"k":"v"},"seed":-7,"store":false,"user":"u"`),
			map[string][]string{Text: {"x", "k", "v", "u"}}, []string{"logit_bias", "metadata", "seed", "store", "user"}},
		"prompts": {codec.Completions,
			`{"prompt":["a",""],"model":"m","echo":true,"logprobs":5,"suffix":"s","best_of":2}`,
			`{"model":"m","prompt":["a",""],"suffix":"s","best_of":2,"echo":true,"logprobs":5}`,
			map[string][]string{Text: {"a", "", "s"}}, nil},
		"tokens": {codec.Completions, `{"prompt":[1, 2,3],"model":"m"}`, `{"model":"m","prompt":[1,2,3]}`,
			map[string][]string{Tokens: {"1", "2", "3"}}, nil},
		"lists of tokens": {codec.Embeddings, `{"input":[[1],[2,3]],"model":"m","dimensions":8,"encoding_format":"base64"}`,
			`{"model":"m","input":[[1],[2,3]],"encoding_format":"base64","dimensions":8}`,
			map[string][]string{Tokens: {"1", "2", "3"}}, nil},
		"one text": {codec.Embeddings, `{"input":"a","model":"m"}`, `{"model":"m","input":"a"}`, map[string][]string{Text: {"a"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := decode(t, c.operation, c.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range []string{Text, Image, Audio, Tokens} {
				if got := contents(t, inputs(request), kind); !slices.Equal(got, c.inputs[kind]) {
					t.Errorf("%s is %q, want %q", kind, got, c.inputs[kind])
				}
			}
			var names []string
			for _, p := range request.Parameters {
				names = append(names, p.Name)
			}
			if !slices.Equal(names, c.parameters) {
				t.Errorf("parameters %q, want %q", names, c.parameters)
			}
			if err := Signature(request.Model).MatchRequest(request); err != nil {
				t.Error(err)
			}
			got, err := encode(t, request)
			if err != nil || got != c.want {
				t.Fatalf("upstream gets\n%s (%v), want\n%s", got, err, c.want)
			}
			again, err := decode(t, c.operation, got)
			if err != nil || !reflect.DeepEqual(inputs(again), inputs(request)) {
				t.Errorf("what upstream gets has other content: %v", err)
			}
		})
	}
}

func TestStreamAndModel(t *testing.T) {
	for body, want := range map[string]bool{with(`"stream":true`): true, with(`"stream":false`): false, with(`"stream":null`): false, user(`"x"`): false} {
		if request, err := decode(t, codec.ChatCompletions, body); err != nil || request.Stream != want || request.Model != "m" {
			t.Errorf("%s: %+v, %v", body, request, err)
		}
	}
}

// What is replaced is written in the place of what it replaces, in new forms where
// the bytes are others.
func TestReplacedContent(t *testing.T) {
	jpeg := "\xff\xd8\xff\xe0"
	request, err := decode(t, codec.ChatCompletions, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,`+base64Of(picture(t))+`"}}]},
		{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"k\":\"v\"}"}}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var texts []byte
	for _, text := range []string{"clean", "k\"", "v\\\n"} {
		texts = tensor.AppendElement(texts, []byte(text))
	}
	request.Inputs[0].Data, request.Inputs[1].Data = texts, tensor.AppendElement(nil, []byte(jpeg))
	got, err := encode(t, request)
	want := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"clean"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,` + base64Of([]byte(jpeg)) + `"}}]},` +
		`{"role":"assistant","tool_calls":[{"type":"function","id":"1","function":{"name":"f","arguments":"{\"k\\\"\":\"v\\\\\\n\"}"}}]}]}`
	if err != nil || got != want {
		t.Errorf("upstream gets\n%s (%v), want\n%s", got, err, want)
	}
}

func TestReplacedContentRefused(t *testing.T) {
	element := func(texts ...string) (data []byte) {
		for _, text := range texts {
			data = tensor.AppendElement(data, []byte(text))
		}
		return data
	}
	tools := with(`"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1,"b":{"a":2}}}}]`)
	for name, c := range map[string]struct {
		body string
		data []byte
		want codec.Reason
	}{
		"too few":               {user(`"x"`), nil, "not a refusal"},
		"too many":              {user(`"x"`), element("x", "y"), "not a refusal"},
		"cut short":             {user(`"x"`), element("x")[:4], "not a refusal"},
		"keys that become one":  {tools, element("x", "a", "a", "a"), codec.JSONDuplicateKey},
		"equal keys elsewhere":  {tools, element("x", "a", "b", "a"), ""},
		"larger than the limit": {user(`"x"`), element(strings.Repeat("x", small.MaxBodyBytes)), codec.BodyTooLarge},
	} {
		request, err := decode(t, codec.ChatCompletions, c.body)
		if err != nil {
			t.Fatal(err)
		}
		request.Inputs[0].Data = c.data
		if _, err := encode(t, request); err == nil != (c.want == "") || err != nil && reason(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	request, err := decode(t, codec.ChatCompletions, user(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,`+base64Of(picture(t))+`"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	request.Inputs[0].Data = element("%PDF-1.7")
	if _, err := encode(t, request); reason(err) != codec.InputDataInvalid {
		t.Errorf("a PDF as an image: %v", err)
	}
}

func TestRequestsRefused(t *testing.T) {
	const chat = codec.ChatCompletions
	image := func(url string) string {
		return user(`[{"type":"image_url","image_url":{"url":"` + url + `"}}]`)
	}
	audio := func(format, data string) string {
		return user(`[{"type":"input_audio","input_audio":{"format":"` + format + `","data":"` + data + `"}}]`)
	}
	nested := func(depth int) string {
		return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
	}
	function := func(parameters string) string {
		return with(`"tools":[{"type":"function","function":{"name":"f","parameters":` + parameters + `}}]`)
	}
	many := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	for want, bodies := range map[codec.Reason][]string{
		codec.JSONMalformed: {"", "{", user(`"x"`) + "x", "\xef\xbb\xbf" + user(`"x"`), user("\"\xff\""), user(`"\ud800"`), user("\"\x00\""),
			call(`"{"`), call(`""`), call(`"{'a':1}"`), call(`"{\"a\":1}x"`), call(`"{\"a\":\"\\ud800\"}"`), call(`"NaN"`), with(`"n":01`), with(`"user":"x" "n":1`)},
		codec.JSONDuplicateKey: {with(`"model":"n"`), with(`"mod\u0065l":"n"`), user(`[{"type":"text","text":"a","text":"b"}]`),
			`{"model":"m","messages":[{"role":"user","content":"x","role":"system"}]}`, function(`{"a":1,"a":2}`), function(`{"b":[{"a":1,"\u0061":2}]}`),
			call(`"{\"a\":1,\"a\":2}"`), call(`"{\"a\":1,\"\\u0061\":2}"`), with(`"logit_bias":{"1":1,"1":2}`), with(`"metadata":{"a":"1","a":"2"}`)},
		codec.JSONUnknownKey: {with(`"Model":"n"`), with(`"chat_template":"{{7*7}}"`), with(`"guided_json":{}`), with(`"top_k":1`), with(`"":1`),
			user(`[{"type":"text","text":"a","cache_control":{}}]`), `{"model":"m","messages":[{"role":"user","content":"x","tool_calls":[]}]}`,
			`{"model":"m","messages":[{"role":"tool","content":"x","tool_call_id":"1","name":"x"}]}`, with(`"stream_options":{"x":true}`),
			user(`[{"type":"image_url","image_url":{"url":"data:,","x":1}}]`), user(`[{"type":"text","text":"a","image_url":{}}]`),
			with(`"tools":[{"type":"function","function":{"name":"f","x":1}}]`), with(`"prompt":"x"`)},
		codec.JSONTooDeep:      {function(nested(20)), call(`"` + strings.ReplaceAll(nested(12), `"`, `\"`) + `"`)},
		codec.JSONTooLarge:     {function(`{"a":"` + strings.Repeat("x", small.MaxSchemaBytes) + `"}`), call(`"[` + many("1", small.MaxSchemaBytes) + `]"`), with(`"seed":` + strings.Repeat("1", 41))},
		codec.NumberOutOfRange: {with(`"temperature":1e400`), function(`{"a":1e400}`), call(`"-1e999"`)},
		codec.NameInvalid: {`{"model":"","messages":[{"role":"user","content":"x"}]}`, `{"model":"a b","messages":[]}`, `{"model":"a/../b","messages":[]}`, `{"model":"/a","messages":[]}`,
			`{"model":"a//b","messages":[]}`, `{"model":"a\u0000","messages":[]}`, `{"model":"é","messages":[]}`, `{"model":"` + strings.Repeat("m", 256) + `","messages":[]}`,
			with(`"tools":[{"type":"function","function":{"name":"f g"}}]`), `{"model":"m","messages":[{"role":"tool","content":"x","tool_call_id":"\u200b"}]}`,
			with(`"tool_choice":{"type":"function","function":{"name":""}}`), with(`"function_call":{"name":"` + strings.Repeat("f", 65) + `"}`)},
		codec.RemoteContentDenied: {image("http://example.com/a.png"), image("https://example.com/a.png"), image("file:///etc/passwd"), image("gs://b/a.png"),
			image("DATA:image/png;base64,AAAA"), image(" data:image/png;base64,AAAA"), image("//example.com/a.png"), image("")},
		codec.InputDataInvalid: {image("data:image/svg+xml;base64,AAAA"), image("data:image/PNG;base64,AAAA"), image("data:image/png,AAAA"), image("data:image/png;base64;x=1,AAAA"),
			image("data:;base64,AAAA"), image("data:text/html;base64,AAAA"), image("data:image/png;charset=utf-8;base64,AAAA"), image("data:image/png;base64,"), image("data:image/png;base64,AAA"),
			image("data:image/png;base64,AA="), image("data:image/png;base64,QR=="), image("data:image/png;base64,AA AA"), image(`data:image/png;base64,AA\nAA`),
			image(`data:image/png;base64,AAAA\r\n`), image("data:image/png;base64,AA==AAAA"), image("data:image/png;base64,AA_-"), image("data:image/png;base64,AAAA!"), image("data:image/png;base64,===="),
			audio("wav", base64Of([]byte("ID3\x04"))), audio("mp3", base64Of([]byte(sound))), audio("wav", "UklGRg"), audio("wav", "")},
		codec.FeatureNotEnabled: {user(`[{"type":"file","file":{"file_id":"f"}}]`), `{"model":"m","messages":[{"role":"assistant","content":"x","audio":{"id":"a"}}]}`,
			with(`"audio":{"voice":"x","format":"wav"}`), with(`"modalities":["text","audio"]`), with(`"web_search_options":{}`), with(`"moderation":{}`), with(`"prompt_cache_options":{}`),
			user(`[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}]`)},
		codec.ParameterInvalid: {"[]", `"x"`, `{}`, `{"model":"m"}`, `{"messages":[{"role":"user","content":"x"}]}`, `{"model":null,"messages":[]}`, `{"model":1,"messages":[]}`, `{"model":"m","messages":[]}`,
			`{"model":"m","messages":{}}`, `{"model":"m","messages":["x"]}`, `{"model":"m","messages":[{"content":"x"}]}`, `{"model":"m","messages":[{"role":1,"content":"x"}]}`,
			`{"model":"m","messages":[{"role":"root","content":"x"}]}`, `{"model":"m","messages":[{"role":"user"}]}`, user("null"), user("1"), user("[]"), user(`["x"]`), user(`[{"text":"x"}]`), user(`[{"type":"video"}]`), user(`[{"type":"text"}]`),
			`{"model":"m","messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]}`, with(`"temperature":2.1`), with(`"temperature":-0.1`), with(`"temperature":"1"`), with(`"temperature":true`),
			with(`"n":0`), with(`"n":129`), with(`"n":1.0`), with(`"n":1e2`), with(`"n":99999999999999999999`), with(`"stream":"true"`), with(`"stream":1`), with(`"stop":[]`), with(`"stop":["a","b","c","d","e"]`), with(`"stop":[1]`),
			with(`"max_tokens":-1`), with(`"max_tokens":2147483648`), with(`"top_logprobs":21`), with(`"logprobs":1`), with(`"tools":[]`), with(`"tools":[{"type":"code"}]`), with(`"tools":[` + many(`{"type":"function","function":{"name":"f"}}`, 129) + "]"),
			with(`"tool_choice":"any"`), with(`"tool_choice":1`), with(`"response_format":"json"`), with(`"response_format":{"type":"xml"}`), with(`"response_format":{"type":"json_schema"}`), function(`"x"`), function(`[]`),
			with(`"logit_bias":{"x":1}`), with(`"logit_bias":{"01":1}`), with(`"logit_bias":{"1":101}`), with(`"logit_bias":[]`), with(`"metadata":[]`), with(`"service_tier":"x"`), with(`"user":1`), with(`"seed":1.5`),
			call("{}"), call("null"), audio("ogg", "AAAA"), with(`"reasoning_effort":"most"`), with(`"prediction":{"type":"content"}`)},
		codec.ShapeInvalid: {with(`"metadata":{` + `"a":` + `[` + many(`""`, 70) + `]}`), user("[" + many(`{"type":"text","text":""}`, 65) + "]")},
	} {
		for _, body := range bodies {
			if request, err := decode(t, chat, body); reason(err) != want {
				t.Errorf("%.200s: %+v, %v, want %s", body, request, err, want)
			}
		}
	}
}

func TestPromptsRefused(t *testing.T) {
	for want, prompts := range map[codec.Reason][]string{
		codec.ParameterInvalid: {"null", "1", "{}", "[]", "[[]]", `["a",1]`, `[1,"a"]`, "[[1],2]", "[[1],[]]", "[-1]", "[1.5]", "[2147483648]", "[null]", "[{}]", "[true]", `[["a"]]`, "[[[1]]]", "[[1,[2]]]"},
		codec.JSONMalformed:    {"[1,]", "[1", "[1;]", "x"},
		codec.ShapeInvalid:     {"[" + strings.Repeat("1,", 64) + "1]", "[[1]" + strings.Repeat(",[1]", 64) + "]"},
	} {
		for _, prompt := range prompts {
			if request, err := decode(t, codec.Completions, `{"model":"m","prompt":`+prompt+`}`); reason(err) != want {
				t.Errorf("%.100s: %+v, %v, want %s", prompt, request, err, want)
			}
		}
	}
	lists := small
	lists.MaxElements = 1000
	body := []byte(`{"model":"m","prompt":[[1]` + strings.Repeat(",[1]", 64) + "]}")
	if _, err := newCodec(t, "", lists).DecodeRequest(codec.Route{Operation: codec.Completions}, nil, body); reason(err) != codec.ShapeInvalid {
		t.Errorf("many lists: %v", err)
	}
	if _, err := decode(t, codec.Completions, `{"model":"m","prompt":"x","messages":[]}`); reason(err) != codec.JSONUnknownKey {
		t.Errorf("messages in a completion: %v", err)
	}
}

func TestHeads(t *testing.T) {
	c := newCodec(t, "", small)
	infer, list := codec.Route{Operation: codec.ChatCompletions}, codec.Route{Operation: codec.ModelList}
	for name, test := range map[string]struct {
		route   codec.Route
		headers codec.Headers
		want    codec.Reason
	}{
		"JSON":            {infer, jsonHeaders, ""},
		"charset":         {infer, codec.Headers{{Name: "content-type", Value: "Application/JSON; charset=utf-8"}}, ""},
		"no type":         {infer, nil, codec.HeaderInvalid},
		"form":            {infer, codec.Headers{{Name: "content-type", Value: "multipart/form-data"}}, codec.HeaderInvalid},
		"two types":       {infer, append(jsonHeaders, jsonHeaders...), codec.HeaderDuplicate},
		"identity":        {infer, append(jsonHeaders, codec.Header{Name: "content-encoding", Value: "identity"}), ""},
		"gzip":            {infer, append(jsonHeaders, codec.Header{Name: "content-encoding", Value: "gzip"}), codec.EncodingUnsupported},
		"list of models":  {list, nil, ""},
		"nothing to list": {list, jsonHeaders, ""},
	} {
		if _, err := c.DecodeHead(test.route, test.headers); err == nil != (test.want == "") || err != nil && reason(err) != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	body := user(`"x"`)
	for _, length := range []string{"0", "+1", "", "9999"} {
		headers := append(jsonHeaders, codec.Header{Name: "content-length", Value: length})
		if _, err := c.DecodeRequest(infer, headers, []byte(body)); reason(err) != codec.HeaderInvalid {
			t.Errorf("content-length %q: %v", length, err)
		}
	}
	if _, err := c.DecodeRequest(infer, jsonHeaders, make([]byte, small.MaxBodyBytes+1)); reason(err) != codec.BodyTooLarge {
		t.Errorf("a large body: %v", err)
	}
	if _, err := c.DecodeQuery(&list, nil, nil); reason(err) != codec.HeaderInvalid {
		t.Errorf("a body for the list of models: %v", err)
	}
}

func TestPaths(t *testing.T) {
	for base, want := range map[string]string{"": "/v1/embeddings", "/openai": "/openai/v1/embeddings", "/a/b": "/a/b/v1/embeddings"} {
		if got := newCodec(t, base, small).Path(&codec.Request{Operation: codec.Embeddings}); got != want {
			t.Errorf("%q: %s, want %s", base, got, want)
		}
	}
	for _, base := range []string{"/", "a", "/a/", "//a", "/..", "/a/../b", "/a%2f", "/a?b", "/a b", "/é"} {
		if _, err := New(base, small); err == nil {
			t.Errorf("base %q was accepted", base)
		}
	}
	if _, err := New("", Limits{}); err == nil {
		t.Error("no limits were accepted")
	}
	for _, o := range []codec.Operation{codec.ChatCompletions, codec.Completions, codec.ModelList} {
		path := newCodec(t, "", small).Path(&codec.Request{Operation: o})
		if got := codec.Select(map[bool]string{true: "POST", false: "GET"}[o.Infers()], path); got.Operation != o || got.Protocol != codec.OpenAI {
			t.Errorf("%s selects %+v", path, got)
		}
	}
}

// At the limits, nothing is refused.
func TestAtTheLimits(t *testing.T) {
	for name, body := range map[string]string{
		"elements": user("[" + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":""},`, 64), ",") + "]"),
		"schema":   with(`"metadata":{"a":"` + strings.Repeat("x", small.MaxSchemaBytes-20) + `"}`),
		"model":    strings.Replace(user(`"x"`), `"m"`, `"`+strings.Repeat("m", 255)+`"`, 1),
		"tools":    with(`"tools":[` + strings.TrimSuffix(strings.Repeat(`{"type":"function","function":{"name":"f"}},`, 128), ",") + "]"),
		"depth":    with(`"metadata":` + strings.Repeat(`{"a":`, 14) + "[]" + strings.Repeat("}", 14)),
	} {
		if _, err := decode(t, codec.ChatCompletions, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decode(t, codec.Embeddings, `{"model":"m","input":[`+strings.TrimSuffix(strings.Repeat("1,", 64), ",")+"]}"); err != nil {
		t.Error(err)
	}
}
