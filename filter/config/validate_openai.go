package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"weir/filter/codec/openai"
	"weir/filter/policy"
)

// openAIBase is the path of the endpoints before /v1.
func (u *Upstream) openAIBase() string {
	at, err := url.Parse(u.OpenAI)
	if err != nil { // validated
		return ""
	}
	return strings.TrimSuffix(at.EscapedPath(), "/")
}

// openAI checks the URL of the endpoints of the OpenAI API and returns its host.
func (v *validator) openAI(text string) (host string) {
	const path = "upstream.openai"
	u, err := url.Parse(text)
	if err != nil {
		v.fail(path, "must be a URL such as http://127.0.0.1:9000/openai")
		return ""
	}
	base := v.c.Upstream.openAIBase()
	if u.Path, u.RawPath = "", ""; !openai.ValidBase(base) {
		v.fail(path, "the path must have plain segments of letters, digits and . _ ~ -")
	} else if strings.HasSuffix(base, "/v1") {
		v.fail(path, "must end before the /v1 of the paths")
	}
	host, _ = v.url(path, u.String())
	return host
}

// openAIInputs are the inputs of models behind the OpenAI API, with the kinds that
// they may be of.
var openAIInputs = map[string][]InputKind{
	openai.Text:   {Text, Opaque},
	openai.Image:  {Image, Opaque},
	openai.Audio:  {Opaque},
	openai.Tokens: {Tensor, Opaque},
}

// openAIModel checks what holds only for models behind the OpenAI API.
func (v *validator) openAIModel(m *Model, at string) {
	if v.c.Upstream.OpenAI == "" {
		v.fail(at+".protocol", "needs upstream.openai, which is where such models are")
	}
	if !policy.IsGlob(m.Name) && m.Name != "" && !openai.ValidModel(m.Name) {
		v.fail(at+".name", "is not a name that a request can hold: letters, digits and . _ ~ : @ + - in segments with / between them")
	}
	v.inapplicable(m, at)
	for _, name := range sorted(m.Inputs) {
		path, in := join(at+".inputs", name), m.Inputs[name]
		kinds, ok := openAIInputs[name]
		switch {
		case !ok:
			v.failHint(path, "is no input of protocol openai: one of "+strings.Join(sorted(openAIInputs), ", "), didYouMean(name, sorted(openAIInputs)))
		case in.Kind != "" && !slices.Contains(kinds, in.Kind):
			v.fail(path+".kind", "%s does not hold kind %s: one of %s", name, in.Kind, strings.Join(list(kinds...), ", "))
		case in.Datatype != "" && in.Datatype != "INT64":
			v.fail(path+".datatype", "tokens are INT64")
		}
	}
	for i, name := range m.Parameters {
		if known := openai.Parameters(); !slices.Contains(known, name) {
			v.failHint(fmt.Sprintf("%s.parameters[%d]", at, i), quote(name)+" is no parameter of protocol openai", didYouMean(name, known))
		}
	}
}
