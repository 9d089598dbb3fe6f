package draft

import (
	"slices"
	"strings"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize/tensor"
)

// Words in the names of tensors from which something is guessed.
var (
	imageWords       = []string{"image", "img", "jpeg", "jpg", "png", "photo", "picture", "frame"}
	textWords        = []string{"text", "prompt", "query", "question", "sentence", "message", "document", "string"}
	probabilityWords = []string{"prob", "score", "softmax", "confidence", "class", "predict"}
	numberWords      = []string{"box", "logit", "embed", "feature", "mask", "landmark"}
	labelWords       = []string{"label", "class", "category"}
)

func says(name string, words []string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// kinds lists the kinds of which an input of a datatype can be.
func kinds(d tensor.DataType) (names []string) {
	for _, k := range []policy.Kind{policy.Image, policy.Text, policy.Tensor, policy.Opaque} {
		if (policy.Input{Kind: k}).Carries(d) {
			names = append(names, k.String())
		}
	}
	return names
}

// inputKind is the kind that the name of an input suggests, "" for none.
func inputKind(s codec.Spec) string {
	guess := ""
	switch {
	case says(s.Name, imageWords):
		guess = policy.Image.String()
	case says(s.Name, textWords):
		guess = policy.Text.String()
	}
	if !slices.Contains(kinds(s.DataType), guess) {
		return ""
	}
	return guess
}

// outputKind is the kind that an output most likely has; "" if no kind fits.
func outputKind(s codec.Spec, labels string) string {
	switch {
	case s.DataType == tensor.Bytes && says(s.Name, labelWords):
		return "labels"
	case s.DataType == tensor.Bytes:
		return ""
	case probable(s, labels):
		return "probabilities"
	default:
		return "tensor"
	}
}

// probable reports whether an output may hold class probabilities: floating-point
// numbers of two classes or more that have labels, or a name that says so.
func probable(s codec.Spec, labels string) bool {
	if !s.DataType.Float() || len(s.Shape) == 0 || says(s.Name, numberWords) {
		return false
	}
	classes := s.Shape[len(s.Shape)-1]
	return classes >= 2 && (labels != "" || says(s.Name, probabilityWords))
}

// floor is a confidence that a model which guesses among so many classes, with a
// confidence of 1 by their number, does not reach.
func floor(classes int64) float64 { return max(0.35, 1.2/float64(classes)) }
