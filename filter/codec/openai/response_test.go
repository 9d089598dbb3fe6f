package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
)

// answerTo decodes an answer to a request for model m.
func answerTo(t testing.TB, o codec.Operation, stream bool, body string) (*codec.Response, error) {
	t.Helper()
	return newCodec(t, "", small).DecodeResponse(&codec.Request{Operation: o, Model: "m", Stream: stream}, jsonHeaders, []byte(body))
}

func encodeAnswer(t testing.TB, o codec.Operation, stream bool, response *codec.Response) string {
	t.Helper()
	m, err := newCodec(t, "", small).EncodeResponse(&codec.Request{Operation: o, Model: "m", Stream: stream}, response)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Body)
}

// answerOf is a chat completion whose one choice has this message.
func answerOf(message string) string {
	return `{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":"stop"}]}`
}

func vectorOf(values ...float32) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestAnswers(t *testing.T) {
	const chunk = `{"id":"1","object":"chat.completion.chunk","created":7,"model":"m","choices":[`
	for name, c := range map[string]struct {
		operation  codec.Operation
		stream     bool
		body, want string
		texts      []string
	}{
		"chat": {codec.ChatCompletions, false,
			`{"object":"chat.completion","id":"chatcmpl-1","choices":[{"finish_reason":"stop","index":0,"message":{"content":"h\u00e9\n","role":"assistant","refusal":null,"reasoning_content":"x"},"logprobs":null,"stop_reason":null}],"created":7,"model":"m","usage":{"total_tokens":3,"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null,"x":{}},"system_fingerprint":"fp_1"}`,
			`{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hé\n","refusal":null},"finish_reason":"stop","logprobs":null}],` +
				`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":null},"system_fingerprint":"fp_1"}`,
			[]string{"hé\n"}},
		"tool calls": {codec.ChatCompletions, false,
			answerOf(`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]}`),
			answerOf(`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]}`),
			[]string{"f", `{"a": 1}`, "g", "x"}},
		"an id that is no token": {codec.ChatCompletions, false, strings.Replace(answerOf(`{"content":"x"}`), "chatcmpl-1", "<script>", 1),
			strings.Replace(answerOf(`{"content":"x"}`), "chatcmpl-1", "", 1), []string{"x"}},
		"logprobs": {codec.ChatCompletions, false,
			strings.Replace(answerOf(`{"content":"x"}`), `"stop"`, `"stop","logprobs":{"content":[{"token":"\u00e9","logprob":-0.10,"bytes":[195,169],"top_logprobs":[{"token":"x","logprob":-9999.0,"bytes":null}]}],"refusal":null}`, 1),
			strings.Replace(answerOf(`{"content":"x"}`), `"stop"`, `"stop","logprobs":{"content":[{"token":"é","logprob":-0.10,"bytes":[195,169],"top_logprobs":[{"token":"x","logprob":-9999.0,"bytes":null}]}],"refusal":null}`, 1),
			[]string{"x"}},
		"completion": {codec.Completions, false,
			`{"id":"cmpl-1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"a b","finish_reason":"length","logprobs":{"tokens":["a"," b"],"token_logprobs":[null,-1e-3],"top_logprobs":[null,{" b":-1}],"text_offset":[0,1]}}]}`,
			`{"id":"cmpl-1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"a b","finish_reason":"length","logprobs":{"text_offset":[0,1],"token_logprobs":[null,-1e-3],"tokens":["a"," b"],"top_logprobs":[null,{" b":-1}]}}]}`,
			[]string{"a b"}},
		"embeddings": {codec.Embeddings, false,
			`{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.10, -1e-3,2]},{"object":"embedding","index":1,"embedding":"` + vectorOf(1, -2) + `"}],"usage":{"prompt_tokens":1,"total_tokens":1}}`,
			`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-1e-3,2]},{"object":"embedding","index":1,"embedding":"` + vectorOf(1, -2) + `"}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}`,
			nil},
		"delta": {codec.ChatCompletions, true, ": note\ndata:" + chunk + `{"index":0,"delta":{"role":"assistant","content":"h\u00e9"},"finish_reason":null}],"obfuscation":"zzz"}` + "\n\n",
			"data: " + chunk + `{"index":0,"delta":{"role":"assistant","content":"hé"},"finish_reason":null}]}` + "\n\n", []string{"hé"}},
		"tool call delta": {codec.ChatCompletions, true, "data: " + chunk + `{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{\"a"},"index":0,"id":null}]},"finish_reason":null}]}` + "\n\n",
			"data: " + chunk + `{"index":0,"delta":{"tool_calls":[{"index":0,"id":null,"function":{"arguments":"{\"a"}}]},"finish_reason":null}]}` + "\n\n", []string{`{"a`}},
		"usage chunk": {codec.ChatCompletions, true, "data: " + chunk + `],"usage":{"prompt_tokens":1}}` + "\n\n",
			"data: " + chunk + `],"usage":{"prompt_tokens":1}}` + "\n\n", nil},
		"completion chunk": {codec.Completions, true, `data: {"id":"1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"a","finish_reason":null,"logprobs":null}]}` + "\n\n",
			`data: {"id":"1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"a","finish_reason":null,"logprobs":null}]}` + "\n\n", []string{"a"}},
		"comment": {codec.ChatCompletions, true, ": ping\n\n", "", nil},
		"done":    {codec.ChatCompletions, true, "data: [DONE]\n\n", "data: [DONE]\n\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := answerTo(t, c.operation, c.stream, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if got := contents(t, response.Outputs, Text); !slices.Equal(got, c.texts) {
				t.Errorf("text is %q, want %q", got, c.texts)
			}
			if response.Final != (name == "done") || !response.Anonymous || response.Error != "" {
				t.Errorf("%+v", response)
			}
			if err := Signature("m").MatchResponse(response, nil); err != nil {
				t.Error(err)
			}
			if got := encodeAnswer(t, c.operation, c.stream, response); got != c.want {
				t.Errorf("the client gets\n%s, want\n%s", got, c.want)
			}
		})
	}
}

func TestAnswersRefused(t *testing.T) {
	embedding := func(vector string) string {
		return `{"object":"list","model":"m","data":[{"index":0,"embedding":` + vector + `}]}`
	}
	ok := answerOf(`{"content":"x"}`)
	for name, c := range map[string]struct {
		operation codec.Operation
		body      string
		want      codec.Reason
	}{
		"not JSON":           {codec.ChatCompletions, "<html>", codec.ResponseMalformed},
		"an error":           {codec.ChatCompletions, `{"error":{"message":"x"}}`, codec.ResponseMalformed},
		"duplicate keys":     {codec.ChatCompletions, strings.Replace(ok, `"id"`, `"model":"m","id"`, 1), codec.ResponseMalformed},
		"another model":      {codec.ChatCompletions, strings.Replace(ok, `"m"`, `"n"`, 1), codec.ResponseMalformed},
		"no model":           {codec.ChatCompletions, strings.Replace(ok, `"model":"m",`, "", 1), codec.ResponseMalformed},
		"another object":     {codec.ChatCompletions, strings.Replace(ok, "chat.completion", "chat.completion.chunk", 1), codec.ResponseMalformed},
		"choices null":       {codec.ChatCompletions, `{"object":"chat.completion","model":"m","choices":null}`, codec.ResponseMalformed},
		"an event":           {codec.ChatCompletions, "data: " + ok + "\n\n", codec.ResponseMalformed},
		"lone surrogate":     {codec.ChatCompletions, answerOf(`{"content":"\udc80"}`), codec.ResponseMalformed},
		"NaN as a number":    {codec.Embeddings, embedding("[NaN]"), codec.ResponseMalformed},
		"null as a number":   {codec.Embeddings, embedding("[null]"), codec.ResponseMalformed},
		"infinity":           {codec.Embeddings, embedding("[1e400]"), codec.ResponseMalformed},
		"NaN in base64":      {codec.Embeddings, embedding(`"` + vectorOf(float32(math.NaN())) + `"`), codec.ResponseMalformed},
		"infinity in base64": {codec.Embeddings, embedding(`"` + vectorOf(float32(math.Inf(1))) + `"`), codec.ResponseMalformed},
		"half a number":      {codec.Embeddings, embedding(`"AAA="`), codec.ResponseMalformed},
		"no base64":          {codec.Embeddings, embedding(`"AA AA=="`), codec.ResponseMalformed},
		"NaN likelihood":     {codec.Completions, `{"object":"text_completion","model":"m","choices":[{"index":0,"text":"x","logprobs":{"token_logprobs":[NaN]}}]}`, codec.ResponseMalformed},
		"many texts":         {codec.ChatCompletions, answerOf(`{"tool_calls":[` + strings.TrimSuffix(strings.Repeat(`{"function":{"name":"f"}},`, 65), ",") + `]}`), codec.ResponseTooLarge},
		"too large":          {codec.ChatCompletions, strings.Repeat(" ", small.MaxResponseBytes+1), codec.ResponseTooLarge},
	} {
		if response, err := answerTo(t, c.operation, false, c.body); reason(err) != c.want {
			t.Errorf("%s: %+v, %v, want %s", name, response, err, c.want)
		}
	}
	for name, headers := range map[string]codec.Headers{
		"of no type": nil,
		"a stream":   {{Name: "content-type", Value: "text/event-stream"}},
		"compressed": append(slices.Clone(jsonHeaders), codec.Header{Name: "content-encoding", Value: "gzip"}),
		"cut short":  append(slices.Clone(jsonHeaders), codec.Header{Name: "content-length", Value: "9999"}),
	} {
		request := &codec.Request{Operation: codec.ChatCompletions, Model: "m"}
		if _, err := newCodec(t, "", small).DecodeResponse(request, headers, []byte(ok)); reason(err) != codec.ResponseMalformed {
			t.Errorf("an answer %s: %v", name, err)
		}
	}
}

func TestEventsRefused(t *testing.T) {
	for _, event := range []string{"data: x\n\n", "event: x\ndata: [DONE]\n\n", "data: {}\n\n", "data: [done]\n\n", "data:\n\n", "data: [DONE]\ndata: [DONE]\n\n",
		"data: {\"a\":1}\ndata: {}\n\n", "data: {\"object\":\"chat.completion.chunk\",\"model\":\"n\",\"choices\":[]}\n\n", "data: {\"error\":1}\n\n"} {
		if response, err := answerTo(t, codec.ChatCompletions, true, event); reason(err) != codec.ResponseMalformed {
			t.Errorf("%q: %+v, %v", event, response, err)
		}
	}
}

func TestErrorsInStreams(t *testing.T) {
	for event, want := range map[string]string{
		`{"error":{"message":"no memory","type":"x","code":500}}`: "no memory",
		`{"error":"no memory"}`:                                   "no memory",
		`{"error":{"code":1}}`:                                    "no reason given",
		`{"error":{"message":""},"model":"m"}`:                    "no reason given",
		`{"id":"1","error":{"x":[{}],"message":"a\nb"}}`:          "a\nb",
	} {
		response, err := answerTo(t, codec.ChatCompletions, true, "data: "+event+"\n\n")
		if err != nil || response.Error != want {
			t.Errorf("%s: %+v, %v", event, response, err)
		}
	}
	got := string(newCodec(t, "", small).EncodeError(nil, "weir: \"x\"\n\ndata: y"))
	data, ok := strings.CutPrefix(got, "data: ")
	if !ok || strings.Count(got, "\n\n") != 1 || ErrorText([]byte(data)) != "weir: \"x\"\n\ndata: y" {
		t.Errorf("an error in the stream is %q", got)
	}
}

func TestErrorBodies(t *testing.T) {
	var e struct {
		Error struct {
			Message, Type string
			Code, Param   *string
		}
	}
	body := ErrorBody("weir: no", "json_malformed", 400)
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message != "weir: no" || e.Error.Type != "invalid_request_error" || *e.Error.Code != "json_malformed" || e.Error.Param != nil {
		t.Errorf("%s, %v", body, err)
	}
	if body := string(ErrorBody("x", "", 502)); body != `{"error":{"message":"x","type":"server_error","param":null,"code":null}}` {
		t.Error(body)
	}
	for body, want := range map[string]string{
		`{"error":{"message":"a","code":1}}`: "a", `{"error":"a"}`: "a", `{"object":"error","message":"a"}`: "a",
		`{"detail":"a"}`: "a", `{"detail":[{"msg":"a"}]}`: "", `[]`: "", `<html>`: "", ``: "", `{"error":[1]}`: "",
	} {
		if got := ErrorText([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// An output that was replaced goes to the client instead.
func TestReplacedAnswer(t *testing.T) {
	response, err := answerTo(t, codec.ChatCompletions, false, answerOf(`{"content":"abc"}`))
	if err != nil {
		t.Fatal(err)
	}
	copy(response.Outputs[0].Data[4:], `"\x`)
	if got := encodeAnswer(t, codec.ChatCompletions, false, response); got != answerOf(`{"content":"\"\\x"}`) {
		t.Error(got)
	}
	response.Outputs = nil
	if _, err := newCodec(t, "", small).EncodeResponse(&codec.Request{}, response); reason(err) != codec.ResponseMalformed {
		t.Errorf("an answer without its text: %v", err)
	}
}
