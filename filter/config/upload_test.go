package config

import (
	"strings"
	"testing"

	"weir/filter/codec"
)

func TestUpload(t *testing.T) {
	const one = "\nmodels: [{name: cats, protocol: upload, inputs: {data: {kind: image}}}]"
	for url, want := range map[string]string{
		"http://127.0.0.1:8080/predictions/{model}":  "/predictions/cats",
		"http://127.0.0.1:8080/m/{model}/classify.x": "/m/cats/classify.x",
		"http://127.0.0.1:8080/predict":              "/predict",
	} {
		c, _, err := Parse("w", []byte(`upstream: {upload: "`+url+`"}`+one), environment)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		built, err := c.Build(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		route := built.Codecs.Select("POST", want+"?top=5")
		if route.Protocol != codec.Upload || route.Operation != codec.Predict || route.Model != "cats" || route.Path != want {
			t.Errorf("%s: %+v", url, route)
		}
		if got := built.Codecs[codec.Upload].Path(&codec.Request{Model: "cats"}); got != want {
			t.Errorf("%s: path %s, want %s", url, got, want)
		}
		if m := built.Policy.Model("cats"); !m.Speaks(codec.Upload) || m.Speaks(codec.KServeHTTP) || m.Speaks(codec.OpenAI) {
			t.Errorf("%s: protocol %s", url, m.Protocol)
		}
		if address, _, err := c.Upstream.UploadEndpoint(); address != "127.0.0.1:8080" || err != nil {
			t.Errorf("%s: address %s, %v", url, address, err)
		}
	}
	for text, want := range map[string]string{
		`upstream: {upload: "http://127.0.0.1:8080/a/../b"}`:          "1:20: upstream.upload: the path must have plain segments",
		`upstream: {upload: "http://127.0.0.1:8080/a%2fb"}`:           "1:20: upstream.upload: must be a URL",
		`upstream: {upload: "http://127.0.0.1:8080"}`:                 "1:20: upstream.upload: the path must have plain segments",
		`upstream: {upload: "http://127.0.0.1:8080/{model}"}`:         "1:20: upstream.upload: {model} must not be the first segment",
		`upstream: {upload: "http://127.0.0.1:8080/p/x{model}"}`:      "1:20: upstream.upload: {model} must be one whole segment",
		`upstream: {upload: "http://127.0.0.1:8080/{model}/{model}"}`: "1:20: upstream.upload: {model} must be one whole segment",
		`upstream: {upload: "http://u:p@127.0.0.1:8080/p"}`:           "1:20: upstream.upload: must hold a scheme, a host and a port",
		`upstream: {upload: "ftp://127.0.0.1/p"}`:                     "1:20: upstream.upload: must be a URL",
		`upstream: {upload: "http://127.0.0.1:8080/p?top=5"}`:         "1:20: upstream.upload: must hold a scheme, a host and a port",
		`upstream: {timeout: 1s}`:                                     "2:33: models[0].protocol: needs upstream.upload",
	} {
		if _, _, err := Parse("w", []byte(text+one), environment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	two := `upstream: {upload: "http://127.0.0.1:8080/p"}` + one[:len(one)-1] + `, {name: dogs, protocol: upload, inputs: {data: {kind: image}}}]`
	if _, _, err := Parse("w", []byte(two), environment); err == nil ||
		!strings.Contains(err.Error(), "models[1].protocol: models[0] already is the one model of upstream.upload (give the path there a {model})") {
		t.Errorf("two models at one path: %v", err)
	}
	_, warnings, err := Parse("w", []byte(`upstream: {upload: "http://10.0.0.7:8080/p"}`+one), environment)
	if err != nil || !strings.Contains(warnings.String(), "upstream.upload: the model server is not on a loopback address") {
		t.Errorf("%s, %v", warnings, err)
	}
}
