//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/deploy/local"
)

const (
	chatPath    = "/openai/v1/chat/completions"
	contentJSON = "Content-Type: application/json"
)

// openAIConfig has models behind both protocols.
const openAIConfig = `limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB}
models:
  - name: echo
    protocol: openai
    inputs: {text: {kind: text}, image: {kind: image}, tokens: {kind: tensor, datatype: INT64}}
    parameters: [seed, user]
  - name: "org/*"
    protocol: openai
    inputs: {text: {kind: text}}
  - name: liar
    protocol: openai
    inputs: {text: {kind: text}}
  - name: identity
    inputs: {BYTES: {kind: opaque}}
`

// openAIStack is a stack in front of Triton and of KServe's OpenAI endpoints.
func openAIStack(t *testing.T) (*stack, *local.OpenAI) {
	t.Helper()
	server, err := local.StartOpenAI(context.Background(), deps, tempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return private(t, stackOptions{upstream: triton.HTTP, openAI: server, config: openAIConfig}).ready(t), server
}

// python runs a script of testdata with OpenAI's client.
func python(t *testing.T, script string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), deps.OpenAI, append([]string{filepath.Join("testdata", script)}, args...)...)
	var messages strings.Builder
	c.Stderr = &messages
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, messages.String())
	}
	return strings.TrimSpace(string(out))
}

// OpenAI's own client must not see a difference, whole or event by event.
func TestOpenAIClientSeesNoDifference(t *testing.T) {
	s, server := openAIStack(t)
	for _, base := range []string{"", "/openai"} { // clients may know the server's path
		out := python(t, "openai_compare.py", server.URL, "http://"+s.addr+base)
		if n, err := strconv.Atoi(out); err != nil || n < 70 {
			t.Errorf("openai_compare.py compared %q answers, want at least 70", out)
		}
	}
}

// What Weir refuses, the client raises as the exception of the status, with the
// reason as its code; within a stream, as an error of the API.
func TestOpenAIClientUnderstandsRefusals(t *testing.T) {
	s, _ := openAIStack(t)
	got := python(t, "openai_refused.py", "http://"+s.addr)
	want := strings.TrimSpace(`
unknown_key BadRequestError 400 json_unknown_key json_unknown_key
range BadRequestError 400 parameter_invalid parameter_invalid
model PermissionDeniedError 403 model_unknown model_unknown
parameter PermissionDeniedError 403 parameter_not_allowed parameter_not_allowed
url PermissionDeniedError 403 remote_content_denied remote_content_denied
audio PermissionDeniedError 403 input_undeclared input_undeclared
bidi BadRequestError 400 text_bidi_override text_bidi_override
liar InternalServerError 502 response_malformed response_malformed
liar_stream InternalServerError 502 response_malformed response_malformed
embeddings BadRequestError 400 parameter_invalid parameter_invalid
upstream APIStatusError 418 upstream_error told to fail`)
	if got != want {
		t.Errorf("the client raised\n%s\nwant\n%s", got, want)
	}
}

// Events reach the client while the model goes on: it waits for a word that it gets
// after the first event has come.
func TestOpenAIStreamsEventByEvent(t *testing.T) {
	s, _ := openAIStack(t)
	ask := func(text string) *http.Response {
		body := `{"model":"echo","stream":true,"messages":[{"role":"user","content":"` + text + `"}]}`
		r, err := http.Post("http://"+s.addr+chatPath, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Body.Close() })
		return r
	}
	waiting := bufio.NewScanner(ask("wait").Body)
	if !waiting.Scan() || !strings.HasPrefix(waiting.Text(), `data: {"id":"echo-1","object":"chat.completion.chunk",`) {
		t.Fatalf("first line %q, %v", waiting.Text(), waiting.Err())
	}
	if _, err := io.Copy(io.Discard, ask("go").Body); err != nil {
		t.Fatal(err)
	}
	last := ""
	for waiting.Scan() {
		if waiting.Text() != "" {
			last = waiting.Text()
		}
	}
	if last != "data: [DONE]" || waiting.Err() != nil {
		t.Errorf("last line %q, %v", last, waiting.Err())
	}
}

// lastOpenAI is the last request that the server got.
func lastOpenAI(t *testing.T, server *local.OpenAI) local.OpenAIRequest {
	t.Helper()
	all, err := server.Received()
	if err != nil || len(all) == 0 {
		t.Fatalf("no record: %v", err)
	}
	return all[len(all)-1]
}

// Wherever a request may hold text, hidden characters are gone when it arrives.
func TestOpenAITextIsCleanedEverywhere(t *testing.T) {
	s, server := openAIStack(t)
	tests := []struct{ path, sent, arrives string }{
		{chatPath, `{"model":"echo","messages":[{"role":"system","content":"a~1","name":"a~2"},
			{"role":"user","content":[{"type":"text","text":"a~3"}]},
			{"role":"assistant","content":"a~4","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a~5\": [\"a~6\", 1.0]}"}}]},
			{"role":"tool","tool_call_id":"c1","content":"a~7"},{"role":"user","content":"a~8"}],
			"tools":[{"type":"function","function":{"name":"f","description":"a~9","parameters":{"type":"object","properties":{"a~10":{"description":"a~11"}}}}}],
			"stop":["a~12"],"user":"a~13","response_format":{"type":"json_object"}}`,
			`{"model":"echo","messages":[{"role":"system","content":"a1","name":"a2"},{"role":"user","content":[{"type":"text","text":"a3"}]},` +
				`{"role":"assistant","content":"a4","tool_calls":[{"type":"function","id":"c1","function":{"name":"f","arguments":"{\"a5\":[\"a6\",1.0]}"}}]},` +
				`{"role":"tool","content":"a7","tool_call_id":"c1"},{"role":"user","content":"a8"}],"stop":["a12"],"response_format":{"type":"json_object"},` +
				`"tools":[{"type":"function","function":{"name":"f","description":"a9","parameters":{"type":"object","properties":{"a10":{"description":"a11"}}}}}],"user":"a13"}`},
		{"/v1/completions", `{"prompt":["a~1","a~2"],"suffix":"a~3","model":"echo","stop":"a~4"}`,
			`{"model":"echo","prompt":["a1","a2"],"suffix":"a3","stop":"a4"}`},
		{"/openai/v1/embeddings", `{"input":["a~1"],"user":"a~2","model":"echo"}`, `{"model":"echo","input":["a1"],"user":"a2"}`},
	}
	for _, hidden := range []string{`\u200b`, "\u200b", "\U000E0041", `\udb40\udc41`, `\u00ad`, `\u2066`} {
		for _, test := range tests {
			inner := strings.ReplaceAll(hidden, `\`, `\\`) // arguments are a string in a string
			sent := strings.NewReplacer("~5", inner+"5", "~6", inner+"6", "~", hidden).Replace(test.sent)
			r := s.post(t, test.path, sent, contentJSON)
			if r.status != http.StatusOK || r.header.Get("x-weir-action") != "sanitize" {
				t.Fatalf("%q: %v", hidden, r)
			}
			got := lastOpenAI(t, server)
			if got.Body != test.arrives || !strings.HasPrefix(got.Path, "/openai/v1/") {
				t.Errorf("%q arrives at %s as\n%s, want\n%s", hidden, got.Path, got.Body, test.arrives)
			}
		}
	}
}

// A picture arrives without what is no picture, under the media type that it has.
func TestOpenAIPicturesAreStripped(t *testing.T) {
	s, server := openAIStack(t)
	file := []byte(photo(t, "secret place"))
	r := s.post(t, chatPath, fmt.Sprintf(`{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`,
		base64.StdEncoding.EncodeToString(file)), contentJSON)
	if r.status != http.StatusOK {
		t.Fatal(r)
	}
	const prefix = `{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,`
	body, ok := strings.CutPrefix(lastOpenAI(t, server).Body, prefix)
	if !ok {
		t.Fatalf("arrives as %.200s", lastOpenAI(t, server).Body)
	}
	arrived, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(body, `"}}]}]}`))
	if err != nil || bytes.Contains(arrived, []byte("secret")) || bytes.Contains(arrived, []byte("Exif")) || !bytes.Contains(file, []byte("secret")) {
		t.Errorf("%v, %q", err, arrived)
	}
	want, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(bytes.NewReader(arrived))
	if err != nil || !bytes.Equal(got.(*image.Gray).Pix, want.(*image.Gray).Pix) {
		t.Errorf("the picture is another one: %v", err)
	}
}

// quiet fails the test if anything of what do does reaches KServe or Triton.
func quiet(t *testing.T, s *stack, server *local.OpenAI, do func()) {
	t.Helper()
	before, err := server.Received()
	if err != nil {
		t.Fatal(err)
	}
	bytes := make([]int, len(s.taps))
	for i, tap := range s.taps {
		bytes[i] = tap.len()
	}
	do()
	after, err := server.Received()
	if err != nil || len(after) != len(before) {
		t.Errorf("%d requests reached the server (%v)", len(after)-len(before), err)
	}
	for i, tap := range s.taps {
		if tap.len() != bytes[i] {
			t.Errorf("bytes went to a model server: %q", tap.seen(bytes[i]))
		}
	}
}

// Tricks, each with what the bare server makes of it, never arrive.
func TestOpenAITricks(t *testing.T) {
	s, server := openAIStack(t)
	chat := func(members string) string {
		return `{"model":"echo","messages":[{"role":"user","content":"x"}]` + members + `}`
	}
	tests := []struct {
		name, path, body string
		bare, status     int // what the server says without Weir, and Weir
		reason           string
		headers          []string
	}{
		{"duplicate keys", chatPath, chat(`,"messages":[{"role":"user","content":"y"}]`), 200, 400, "json_duplicate_key", nil},
		{"escaped duplicate", chatPath, chat(`,"mod\u0065l":"org/echo"`), 200, 400, "json_duplicate_key", nil},
		{"duplicates within arguments", chatPath, `{"model":"echo","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1,\"a\":2}"}}]}]}`, 200, 400, "json_duplicate_key", nil},
		{"arguments that are no JSON", chatPath, `{"model":"echo","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"import os"}}]}]}`, 200, 400, "json_malformed", nil},
		{"NaN", chatPath, chat(`,"x":NaN`), 200, 400, "json_unknown_key", nil},
		{"lone surrogate", chatPath, `{"model":"echo","messages":[{"role":"user","content":"\ud800"}]}`, 0, 400, "json_malformed", nil},
		{"unknown key", chatPath, chat(`,"chat_template":"{{ 7 * 7 }}"`), 200, 400, "json_unknown_key", nil},
		{"URL", chatPath, `{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://127.0.0.1:1/a,QUFB"}}]}]}`, 200, 403, "remote_content_denied", nil},
		{"base64 with white space", chatPath, `{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QU FB"}}]}]}`, 200, 400, "input_data_invalid", nil},
		{"base64 with bits left over", chatPath, `{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QR=="}}]}]}`, 200, 400, "input_data_invalid", nil},
		{"a picture that is none", chatPath, `{"model":"echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUFB"}}]}]}`, 200, 400, "image_format_unknown", nil},
		{"no content-type", chatPath, chat(""), 0, 400, "header_invalid", []string{"Content-Type: text/plain"}},
		{"gzip", chatPath, gzipped(chat("")), 0, 415, "encoding_unsupported", []string{contentJSON, "Content-Encoding: gzip"}},
		{"a model of the other protocol", chatPath, strings.Replace(chat(""), "echo", "identity", 1), 404, 403, "model_unknown", nil},
		{"a name over a slash", chatPath, strings.Replace(chat(""), "echo", "org/a/b", 1), 404, 403, "model_unknown", nil},
		{"an undeclared image", chatPath, `{"model":"org/echo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUFB"}}]}]}`, 200, 403, "input_undeclared", nil},
		{"over the limit", "/v1/completions", `{"model":"echo","prompt":"` + strings.Repeat("x", 1<<20+1) + `"}`, 200, 413, "text_too_long", nil},
		{"reranking", "/openai/v1/rerank", `{}`, 404, 404, "route_unknown", nil},
		{"the server's V1 protocol", "/v1/models/echo:predict", `{}`, 0, 403, "route_denied", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			headers := test.headers
			if headers == nil {
				headers = []string{contentJSON}
			}
			if test.bare != 0 {
				bare := strings.TrimPrefix(test.path, "/openai")
				r, err := http.Post(server.URL+bare, "application/json", strings.NewReader(test.body))
				if err != nil {
					t.Fatal(err)
				}
				if r.Body.Close(); r.StatusCode != test.bare {
					t.Errorf("without Weir: status %d, want %d", r.StatusCode, test.bare)
				}
			}
			quiet(t, s, server, func() {
				r := s.post(t, test.path, test.body, headers...)
				if r.status != test.status || r.header.Get("x-weir-reason") != test.reason {
					t.Errorf("%v, want %d for %s", r, test.status, test.reason)
				}
				if strings.HasPrefix(test.reason, "route") {
					return
				}
				var e struct {
					Error struct{ Code, Message string }
				}
				if err := json.Unmarshal(r.body, &e); err != nil || e.Error.Code != test.reason {
					t.Errorf("body %s, %v", r.body, err)
				}
			})
		})
	}
	quiet(t, s, server, func() {
		r := s.post(t, "/v2/models/echo/infer", textRequest("1", "x"))
		wantRefused(t, r, http.StatusForbidden, "model_unknown")
	})
}

// Both protocols are served side by side, and only canonical bytes and headers of
// the list arrive.
func TestOpenAIHygiene(t *testing.T) {
	s, server := openAIStack(t)
	r := s.post(t, "/v1/chat/completions?canary=1", " {\"messages\" : [ {\"content\":\"h\\u0065y\",\"role\":\"user\"} ],\n\"model\":\"org\\/echo\", \"temperature\":1.50 }",
		contentJSON+"; canary=1", "Authorization: Bearer canary", "OpenAI-Organization: canary", "X-Stainless-Os: canary", "User-Agent: canary", "X-Request-Id: canary")
	if r.status != http.StatusOK || r.header.Get("server") == "uvicorn" {
		t.Fatal(r)
	}
	got := lastOpenAI(t, server)
	if want := `{"model":"org/echo","messages":[{"role":"user","content":"hey"}],"temperature":1.50}`; got.Body != want || got.Path != chatPath {
		t.Errorf("%s gets %s, want %s", got.Path, got.Body, want)
	}
	for name, value := range got.Headers {
		if strings.Contains(value, "canary") {
			t.Errorf("header %s: %s", name, value)
		}
	}
	r = s.post(t, "/v2/models/identity/infer", `{"inputs":[{"name":"BYTES","shape":[1,1],"datatype":"BYTES","data":["x"]}]}`)
	if r.status != http.StatusOK {
		t.Errorf("the other protocol: %v", r)
	}
	if models := s.get(t, "/v1/models"); models.status != http.StatusOK || !strings.Contains(string(models.body), `"id":"org/echo"`) {
		t.Errorf("the list of models: %v", models)
	}
}
