package filter_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/openai"
	"weir/filter/policy"
)

const completions = "/v1/chat/completions"

var typeJSON = codec.Headers{{Name: "content-type", Value: "application/json"}}

// newChat is a filter with one model behind the OpenAI API, below /openai there.
func newChat(t *testing.T) *rig {
	r := newRig(t)
	r.model = &policy.Model{Pattern: "org/m", Protocol: codec.OpenAI, Inputs: map[string]policy.Input{openai.Text: {Kind: policy.Text}}}
	c, err := openai.New("/openai", openai.Limits{MaxBodyBytes: 1 << 20, MaxResponseBytes: 1 << 20, MaxJSONDepth: 16,
		MaxSchemaBytes: 1 << 16, MaxElements: 1 << 10, MaxBytesElements: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	r.use(signatures{openai.Signature("org/m")})
	runtime := *r.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.OpenAI: c, codec.KServeHTTP: runtime.Codecs[codec.KServeHTTP]}
	r.filter.Use(&runtime)
	return r
}

// chat is the transaction of a request whose body is about to come.
func (r *rig) chat(t *testing.T, path string) *filter.Transaction {
	t.Helper()
	x := r.filter.Begin(context.Background(), filter.Head{Method: "POST", Path: path, Headers: typeJSON})
	if a := x.RequestHead(false); a.Refusal != nil || a.Pass {
		t.Fatalf("head: %+v, want to see the body", a)
	}
	return x
}

func ofUser(content string) []byte {
	return []byte(`{"model":"org/m","messages":[{"role":"user","content":` + content + `}]}`)
}

func TestChat(t *testing.T) {
	for _, path := range []string{completions, "/openai" + completions} {
		x := newChat(t).chat(t, path)
		defer x.End(nil)
		a := x.RequestBody(ofUser(`"a\u200bb"`))
		if a.Message == nil || a.Path != "/openai/v1/chat/completions" {
			t.Fatalf("%+v", a)
		}
		if got := string(a.Message.Body); got != string(ofUser(`"ab"`)) {
			t.Errorf("upstream gets %s", got)
		}
		if a := x.ResponseHead(200, typeJSON, false, false); a.Refusal != nil {
			t.Fatalf("%+v", a)
		}
		answer := `{"id":"1","object":"chat.completion","created":1,"model":"org/m","choices":[{"index":0,"message":{"role":"assistant","content":"c"},"finish_reason":"stop"}]}`
		if a = x.ResponseBody(200, typeJSON, []byte(answer)); a.Message == nil || string(a.Message.Body) != answer {
			t.Errorf("the client gets %+v", a)
		}
	}
}

func TestChatStream(t *testing.T) {
	x := newChat(t).chat(t, completions)
	defer x.End(nil)
	body := strings.Replace(string(ofUser(`"x"`)), "{", `{"stream":true,`, 1)
	if a := x.RequestBody([]byte(body)); a.Message == nil || !x.Streams() {
		t.Fatalf("%+v", a)
	}
	if a := x.ResponseHead(200, typeJSON, false, false); a.Refusal != nil {
		t.Fatalf("%+v", a)
	}
	chunk := `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"org/m","choices":[{"index":0,"delta":{"content":"c"},"finish_reason":null}]}` + "\n\n"
	for _, event := range []string{chunk, ": ping\n\n", "data: [DONE]\n\n"} {
		want := event
		if strings.HasPrefix(event, ":") {
			want = ""
		}
		if o := x.Event([]byte(event)); o.Refusal != nil || string(o.Message) != want {
			t.Errorf("event %q became %q (%+v)", event, o.Message, o.Refusal)
		}
	}
	o := x.Event([]byte(strings.Replace(chunk, "org/m", "other", 1)))
	if o.Refusal == nil || o.Refusal.Reason != filter.Reason(codec.ResponseMalformed) || !strings.HasPrefix(string(o.Reply), `data: {"error":{"message":"weir: response_malformed: `) {
		t.Errorf("an event of another model: %+v, reply %q", o.Refusal, o.Reply)
	}
}

// What is refused is told in the form of the API, with the reason as its code.
func TestChatRefused(t *testing.T) {
	for want, body := range map[filter.Reason][]byte{
		filter.Reason(codec.JSONDuplicateKey):     ofUser(`"x","content":"y"`),
		filter.Reason(codec.RemoteContentDenied):  ofUser(`[{"type":"image_url","image_url":{"url":"http://10.0.0.1/"}}]`),
		filter.Reason(policy.InputUndeclared):     ofUser(`[{"type":"input_audio","input_audio":{"format":"mp3","data":"SUQz"}}]`),
		filter.Reason(policy.ParameterNotAllowed): []byte(`{"seed":1,` + string(ofUser(`"x"`))[1:]),
		filter.Reason(policy.ModelUnknown):        []byte(strings.Replace(string(ofUser(`"x"`)), "org/m", "org/other", 1)),
		filter.Reason("text_bidi_override"):       ofUser(`"a\u202eb"`),
	} {
		x := newChat(t).chat(t, completions)
		defer x.End(nil)
		a := x.RequestBody(body)
		if a.Refusal == nil || a.Refusal.Reason != want {
			t.Errorf("%s: %+v, want %s", body, a, want)
			continue
		}
		var e struct {
			Error struct{ Message, Code, Type string }
		}
		if err := json.Unmarshal(a.Refusal.ErrorBody(), &e); err != nil || e.Error.Code != string(want) ||
			!strings.HasPrefix(e.Error.Message, "weir: "+string(want)+": ") || e.Error.Type != "invalid_request_error" {
			t.Errorf("%s, %v", a.Refusal.ErrorBody(), err)
		}
	}
}

// A model is there for one protocol only.
func TestOneProtocolForAModel(t *testing.T) {
	r := newChat(t)
	r.model.Pattern = "m"
	x := r.begin("/v2/models/m/infer")
	defer x.End(nil)
	wantRefusal(t, x.RequestHead(false), filter.Reason(policy.ModelUnknown))
	r.model.Protocol = codec.Unknown
	y := r.chat(t, completions)
	defer y.End(nil)
	a := y.RequestBody([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
	if a.Refusal == nil || a.Refusal.Reason != filter.Reason(policy.ModelUnknown) {
		t.Errorf("a model of the V2 protocol: %+v", a)
	}
}

func TestModelList(t *testing.T) {
	x := newChat(t).filter.Begin(context.Background(), filter.Head{Method: "GET", Path: "/v1/models?a"})
	defer x.End(nil)
	if a := x.RequestHead(true); !a.Pass || a.Path != "/openai/v1/models" {
		t.Errorf("%+v", a)
	}
	if a := x.ResponseHead(200, typeJSON, false, false); !a.Pass {
		t.Errorf("%+v", a)
	}
}

// An error of the server keeps its status and its words, in one form.
func TestChatUpstreamError(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"no such\u200b adapter","type":"x","code":404}}`: "no such adapter",
		`{"error":"overloaded"}`:                "overloaded",
		`{"detail":[{"msg":"field required"}]}`: "no reason given",
	} {
		x := newChat(t).chat(t, completions)
		defer x.End(nil)
		if a := x.RequestBody(ofUser(`"x"`)); a.Message == nil {
			t.Fatalf("%+v", a)
		}
		x.ResponseHead(http.StatusNotFound, typeJSON, false, false)
		a := x.ResponseBody(http.StatusNotFound, typeJSON, []byte(body))
		var e struct {
			Error struct{ Message, Code string }
		}
		if a.Message == nil || json.Unmarshal(a.Message.Body, &e) != nil || e.Error.Message != want || e.Error.Code != "upstream_error" {
			t.Errorf("%s became %+v", body, a)
		}
	}
}
