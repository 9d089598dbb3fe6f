package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"weir/filter/codec"
	"weir/filter/codec/upload"
	"weir/filter/policy"
)

// UploadEndpoint is the address, host:port, and the path of the endpoint that takes
// files as bodies.
func (u *Upstream) UploadEndpoint() (address string, path upload.Template, err error) {
	at, err := url.Parse(u.Upload)
	if err != nil {
		return "", upload.Template{}, err
	}
	if address = at.Host; at.Port() == "" {
		address = at.Host + ":80"
	}
	path, err = upload.ParseTemplate(at.Path)
	return address, path, err
}

func (c *Config) uploadCodec() (*upload.Codec, error) {
	_, path, err := c.Upstream.UploadEndpoint()
	if err != nil {
		return nil, err
	}
	model := ""
	if i := slices.IndexFunc(c.Models, func(m Model) bool { return m.Protocol == Upload }); i >= 0 && !path.Named() {
		model = c.Models[i].Name
	}
	return upload.New(path, model, upload.Limits{
		MaxBodyBytes:     int(c.Limits.MaxBodyBytes),
		MaxResponseBytes: int(c.Limits.MaxResponseBytes),
		MaxJSONDepth:     int(c.Limits.MaxJSONDepth),
		MaxParts:         int(c.Limits.MaxInputs),
		MaxNameBytes:     int(c.Limits.MaxNameBytes),
	})
}

// upload checks the URL of the endpoint that takes files and returns its host.
func (v *validator) upload(text string) (host string) {
	const path = "upstream.upload"
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "%") {
		v.fail(path, "must be a URL such as http://127.0.0.1:8080/predictions/{model}")
		return ""
	}
	if _, err := upload.ParseTemplate(u.Path); err != nil {
		v.fail(path, "%v", err)
	}
	u.Path, u.RawPath = "", ""
	host, _ = v.url(path, u.String())
	return host
}

// uploadModels checks what the models of protocol upload are together.
func (v *validator) uploadModels() {
	_, path, err := v.c.Upstream.UploadEndpoint()
	first := -1
	for i, m := range v.c.Models {
		switch {
		case m.Protocol != Upload || v.c.Upstream.Upload == "" || err != nil || path.Named():
		case first >= 0:
			v.failHint(fmt.Sprintf("models[%d].protocol", i), fmt.Sprintf("models[%d] already is the one model of upstream.upload", first),
				"give the path there a {model}")
		default:
			first = i
		}
	}
}

// uploadModel checks what holds only for models that take files as bodies.
func (v *validator) uploadModel(m *Model, at string) {
	if v.c.Upstream.Upload == "" {
		v.fail(at+".protocol", "needs upstream.upload, which is where such models are")
	}
	switch {
	case policy.IsGlob(m.Name):
		v.fail(at+".name", "must be one name: a server of protocol upload does not tell which models it has")
	case m.Name != "" && !codec.ValidModel(m.Name):
		v.fail(at+".name", "is not a name that a path can hold: letters, digits and . _ ~ -")
	}
	v.inapplicable(m, at)
	if len(m.Parameters) > 0 {
		v.fail(at+".parameters", "does not apply to protocol upload")
	}
	files := 0
	for _, name := range sorted(m.Inputs) {
		path, in := join(at+".inputs", name), m.Inputs[name]
		if in.Kind != Text {
			files++
		}
		switch {
		case !upload.ValidName(name):
			v.fail(path, "is no name of a field of a form: letters, digits and . _ -")
		case in.Kind != "" && !slices.Contains([]InputKind{Image, Text, Opaque}, in.Kind):
			v.fail(path+".kind", "files and fields of forms are of kind image, text or opaque")
		}
	}
	if files == 0 && len(m.Inputs) > 0 {
		v.fail(at+".inputs", "has no file: an input of kind image or opaque")
	}
}

// inapplicable refuses what only models of protocol v2 have.
func (v *validator) inapplicable(m *Model, at string) {
	var standard Model
	standard.setDefaults()
	drift := m.Drift
	if !v.c.source.given(at + ".drift.output") {
		drift.Output = "" // complete has found one
	}
	for key, differs := range map[string]bool{"versions": len(m.Versions) > 0, "outputs": len(m.Outputs) > 0,
		"checks": len(m.Checks) > 0, "drift": drift != standard.Drift} {
		if differs {
			v.fail(at+"."+key, "does not apply to protocol %s", m.Protocol)
		}
	}
}
