package upload

import (
	"errors"
	"regexp"
	"strings"

	"weir/filter/codec"
)

// Template is the path of an endpoint. In its place for the model stands the name.
type Template struct {
	before, after string
	named         bool // there is a place for the model between before and after
}

const place = "{model}"

var (
	templatePattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$`)
	// reserved are the first segments of paths that belong to other protocols.
	reserved = []string{"v1", "v2", "openai", "inference.GRPCInferenceService", "grpc.health.v1.Health"}
)

// ParseTemplate reads a path such as /predictions/{model}, where {model} stands for one
// whole segment but the first, or /predict, which is that of one model.
func ParseTemplate(path string) (Template, error) {
	before, after, named := strings.Cut(path, place)
	if named && (!strings.HasSuffix(before, "/") || after != "" && after[0] != '/') || strings.Contains(after, place) {
		return Template{}, errors.New("{model} must be one whole segment of the path")
	}
	plain := path
	if named {
		plain = before + "model" + after
	}
	if !templatePattern.MatchString(plain) {
		return Template{}, errors.New("the path must have plain segments of letters, digits and . _ ~ -, and may have {model}")
	}
	first, _, _ := strings.Cut(path[1:], "/")
	if first == place {
		return Template{}, errors.New("{model} must not be the first segment of the path")
	}
	for _, r := range reserved {
		if first == r {
			return Template{}, errors.New("paths that begin with /" + r + " belong to another protocol")
		}
	}
	return Template{before, after, named}, nil
}

// Named reports whether the path names the model.
func (t Template) Named() bool { return t.named }

// Pattern is the regular expression, in the syntax of RE2, of the paths of all models.
// If the path is that of one model, literal is true and it is the path.
func (t Template) Pattern() (expression string, literal bool) {
	if !t.named {
		return t.before, true
	}
	return regexp.QuoteMeta(t.before) + "[^/]+" + regexp.QuoteMeta(t.after), false
}

// match returns the model that a path names, "" if the template names none.
func (t Template) match(path string) (model string, ok bool) {
	if !t.named {
		return "", path == t.before
	}
	rest, ok := strings.CutPrefix(path, t.before)
	if !ok {
		return "", false
	}
	model, ok = strings.CutSuffix(rest, t.after)
	return model, ok && codec.ValidModel(model)
}

// Path is the path of a model.
func (t Template) Path(model string) string {
	if !t.named {
		return t.before
	}
	return t.before + model + t.after
}
