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

// kinds lists the kinds of which an input can be.
func kinds(s codec.Spec) (names []string) {
	for _, k := range []policy.Kind{policy.Image, policy.Pixels, policy.Text, policy.Tensor, policy.Opaque} {
		if (policy.Input{Kind: k}).Carries(s.DataType) && !rulesOut(k, s) {
			names = append(names, k.String())
		}
	}
	return names
}

// rulesOut reports whether the shape of an input speaks against a kind that its
// datatype could carry.
func rulesOut(k policy.Kind, s codec.Spec) bool {
	switch k {
	case policy.Image: // rows of file bytes, of any number
		return s.DataType == tensor.Uint8 && (len(s.Shape) < 1 || len(s.Shape) > 2 || s.Shape[len(s.Shape)-1] != -1)
	case policy.Pixels:
		return layout(s) == ""
	}
	return false
}

// minSide is the side of a square, in pixels, from which it is taken for a picture.
const minSide = 16

// layout is the order of the dimensions of an input that looks like square pictures of
// three channels; "" for others.
func layout(s codec.Spec) string {
	batch, shape := "", s.Shape
	if len(shape) == 4 {
		batch, shape = "N", shape[1:]
	}
	square := func(a, b int64) bool { return a == b && (a == -1 || a >= minSide) }
	switch {
	case len(shape) != 3:
		return ""
	case shape[0] == 3 && square(shape[1], shape[2]):
		return batch + "CHW"
	case shape[2] == 3 && square(shape[0], shape[1]):
		return batch + "HWC"
	}
	return ""
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
	if !slices.Contains(kinds(s), guess) {
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
