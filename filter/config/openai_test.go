package config

import (
	"strings"
	"testing"

	"weir/filter/codec"
)

func TestOpenAI(t *testing.T) {
	const model = "\nmodels: [{name: org/m, protocol: openai, inputs: {text: {kind: text}}}, {name: v, inputs: {A: {kind: text}}}]"
	for url, want := range map[string]string{
		"http://127.0.0.1:9000/openai":  "/openai/v1/chat/completions",
		"http://127.0.0.1:9000/openai/": "/openai/v1/chat/completions",
		"http://127.0.0.1:9000/":        "/v1/chat/completions",
		"http://127.0.0.1:9000":         "/v1/chat/completions",
	} {
		c, _, err := Parse("w", []byte(`upstream: {openai: "`+url+`"}`+model), environment)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		built, err := c.Build(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		if got := built.Codecs[codec.OpenAI].Path(&codec.Request{Operation: codec.ChatCompletions}); got != want {
			t.Errorf("%s: path %s, want %s", url, got, want)
		}
		if chat, v2 := built.Policy.Model("org/m"), built.Policy.Model("v"); !chat.Speaks(codec.OpenAI) || chat.Speaks(codec.KServeHTTP) ||
			v2.Speaks(codec.OpenAI) || !v2.Speaks(codec.KServeHTTP) || !v2.Speaks(codec.KServeGRPC) {
			t.Errorf("protocols: %+v, %+v", chat, v2)
		}
	}
	for text, want := range map[string]string{
		`upstream: {openai: "http://127.0.0.1:9000/a/../b"}` + model: "1:20: upstream.openai: the path must have plain segments",
		`upstream: {openai: "http://127.0.0.1:9000/a%2fb"}` + model:  "1:20: upstream.openai: the path must have plain segments",
		`upstream: {openai: "127.0.0.1:9000"}` + model:               "1:20: upstream.openai: must be a URL",
		`upstream: {openai: "ftp://127.0.0.1"}` + model:              "1:20: upstream.openai: must be a URL",
		`upstream: {openai: "http://u:p@127.0.0.1:9000/x"}` + model:  "1:20: upstream.openai: must hold a scheme, a host and a port",
		`upstream: {openai: "http://127.0.0.1:9000/x?a"}` + model:    "1:20: upstream.openai: must hold a scheme, a host and a port",
		`upstream: {timeout: 1s}` + model:                            "2:34: models[0].protocol: needs upstream.openai",
	} {
		if _, _, err := Parse("w", []byte(text), environment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	c, _, err := Parse("w", []byte("log: {level: info}"), environment)
	if err != nil {
		t.Fatal(err)
	}
	built, err := c.Build(make([]byte, 32))
	if err != nil || built.Codecs[codec.OpenAI] != nil {
		t.Errorf("a file that says nothing lets the API through: %v", err)
	}
}

func TestOpenAIWarning(t *testing.T) {
	_, warnings, err := Parse("w", []byte("upstream: {openai: 'http://10.0.0.7:9000'}\nmodels: [{name: m, inputs: {A: {kind: text}}}]"), environment)
	if err != nil || !strings.Contains(warnings.String(), "1:20: upstream.openai: the model server is not on a loopback address") {
		t.Errorf("%s, %v", warnings, err)
	}
}
