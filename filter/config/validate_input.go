package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// optionsOf lists the keys that an input of a kind may have beside kind.
var optionsOf = map[InputKind][]string{
	Image: {"profile", "steps", "formats", "orientation", "verify", "animation", "zero_transparent", "encoding",
		"max_pixels", "max_bytes"},
	Pixels: {"profile", "steps", "max_pixels", "datatype", "shape", "layout", "white", "mean", "std"},
	Text:   {"profile", "max_bytes"},
	Tensor: {"datatype", "shape", "min", "max", "not_finite"},
	Opaque: {},
}

// profilesOf lists the profiles of the kinds that have them.
var profilesOf = map[InputKind][]Profile{
	Image:  {Strip, Light, Standard, Strong, Custom},
	Pixels: {Strip, Light, Standard, Strong, Custom},
	Text:   {Balanced, Strict},
}

func (v *validator) input(in Input, path string) {
	if in.Kind == "" {
		v.fail(path+".kind", "required: one of %s", strings.Join(in.Kind.names(), ", "))
		return
	}
	for _, f := range fieldsOf(reflect.TypeFor[Input]()) {
		if key := join(path, f.name); f.name != "kind" && v.c.source.given(key) && !slices.Contains(optionsOf[in.Kind], f.name) {
			v.fail(key, "does not apply to kind %s", in.Kind)
		}
	}
	if profiles := profilesOf[in.Kind]; profiles != nil && !slices.Contains(profiles, in.Profile) {
		v.fail(path+".profile", "%s is no profile of kind %s: one of %s", in.Profile, in.Kind, strings.Join(list(profiles...), ", "))
	}
	switch in.Kind {
	case Image:
		v.image(in, path)
	case Pixels:
		v.pixels(in, path)
	case Text:
		v.maxBytes(in, path, v.c.Limits.MaxTextBytes, "limits.max_text_bytes")
	case Tensor:
		v.tensor(in, path)
	case Opaque:
		v.warn(path+".kind", "kind opaque: the input reaches the model as it is")
	}
}

func (v *validator) image(in Input, path string) {
	v.maxBytes(in, path, v.c.Limits.MaxImageBytes, "limits.max_image_bytes")
	v.picture(in, path)
	for i, f := range in.Formats {
		if slices.Index(in.Formats, f) < i {
			v.fail(fmt.Sprintf("%s.formats[%d]", path, i), "is listed twice")
		}
	}
	switch {
	case in.Animation != KeepAnimation:
	case in.Profile != Strip:
		v.failHint(path+".animation", fmt.Sprintf("profile %s writes one frame", in.Profile), "write first, or profile: strip")
	case in.Orientation == Apply:
		v.failHint(path+".animation", "orientation apply writes one frame", "write first, or orientation: keep")
	}
	if in.Verify == VerifyContainer {
		v.warn(path+".verify", "verify container: what hides within and behind the coded picture of a file is left")
	}
}

// picture checks what images and pixels share.
func (v *validator) picture(in Input, path string) {
	v.steps(in, path)
	if in.keyed() && v.c.Keys.SanitizeFile == "" {
		v.warn(path+".profile", "no keys.sanitize_file: the key of this profile is random at each start, and differs between replicas")
	}
	switch limit := v.c.Limits.MaxImagePixels; {
	case !v.c.source.given(path + ".max_pixels"):
	case in.MaxPixels < 1:
		v.fail(path+".max_pixels", "must be above 0")
	case in.MaxPixels > limit:
		v.fail(path+".max_pixels", "must be at most limits.max_image_pixels (%d)", limit)
	}
}

// keyed reports whether the profile draws from the key.
func (in Input) keyed() bool {
	return in.Profile == Standard || in.Profile == Strong ||
		slices.ContainsFunc(in.Steps, func(s Step) bool { return s.compiled().Keyed() })
}

// maxSteps bounds the work that a file can make of one picture.
const maxSteps = 16

// steps checks a profile of the file's own.
func (v *validator) steps(in Input, path string) {
	at := path + ".steps"
	switch {
	case in.Profile == Custom && len(in.Steps) == 0:
		v.failHint(path+".profile", "custom needs steps", "such as steps: [{step: crop, min_percent: 3, max_percent: 8}]")
	case in.Profile != Custom && len(in.Steps) > 0:
		v.failHint(at, "applies to profile custom only", "write profile: custom")
	case len(in.Steps) > maxSteps:
		v.fail(at, "has more than %d steps", maxSteps)
	}
	for i, s := range in.Steps {
		v.step(s, fmt.Sprintf("%s[%d]", at, i))
	}
}

func (v *validator) step(s Step, path string) {
	if s.Step == "" {
		v.fail(path+".step", "required: one of %s", strings.Join(s.Step.names(), ", "))
		return
	}
	op := s.compiled()
	takes := op.Op.Parameters()
	for _, f := range op.Faults() {
		v.fail(path+"."+f.Parameter, "%s", f.Says)
	}
	for _, f := range fieldsOf(reflect.TypeFor[Step]()) { // those at 0 are none that a step could tell
		if f.name != "step" && v.c.source.given(path+"."+f.name) && !slices.Contains(takes, f.name) {
			v.fail(path+"."+f.name, "is not a parameter of step %s", s.Step)
		}
	}
}

// encoding checks how an image comes. The images of protocol openai are in data: URIs to
// clients and files to everybody else, those of protocol upload files to all.
func (v *validator) encoding(m *Model, in Input, path string) {
	switch {
	case in.Kind != Image:
	case m.Protocol == OpenAI && in.Encoding != Raw:
		v.fail(path, "does not apply to protocol openai, whose images are taken out of their URLs as files")
	case m.Protocol == Upload && in.Encoding != Raw:
		v.fail(path, "does not apply to protocol upload, whose images are files")
	case m.Protocol == V2 && in.Encoding == Raw && v.c.Upstream.Dialect == V2JSON:
		v.fail(path, "must be base64 or data-uri: JSON, which upstream.dialect %s sends, holds no bytes", V2JSON)
	}
}

func (v *validator) maxBytes(in Input, path string, limit Bytes, name string) {
	switch {
	case !v.c.source.given(path + ".max_bytes"):
	case in.MaxBytes < 1:
		v.fail(path+".max_bytes", "must be above 0")
	case in.MaxBytes > limit:
		v.fail(path+".max_bytes", "must be at most %s (%s)", name, limit)
	}
}

func (v *validator) tensor(in Input, path string) {
	if in.Datatype == "BYTES" {
		v.fail(path+".datatype", "kind tensor is for numbers; BYTES is of kind image, text or opaque")
	}
	v.shape(in, path)
	if in.Min != nil && in.Max != nil && *in.Min > *in.Max {
		v.fail(path+".min", "must be at most max (%s)", strconv.FormatFloat(*in.Max, 'g', -1, 64))
	}
}

func (v *validator) shape(in Input, path string) {
	if int64(len(in.Shape)) > v.c.Limits.MaxRank {
		v.fail(path+".shape", "has more dimensions than limits.max_rank (%d)", v.c.Limits.MaxRank)
	}
	for i, n := range in.Shape {
		if n < 1 && n != -1 {
			v.fail(fmt.Sprintf("%s.shape[%d]", path, i), "a dimension is above 0, or -1 for any size")
		}
	}
}
