package config

import (
	"strings"

	"weir/filter/codec"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// enum is a text of a closed list. Its names are lower case unless a standard
// says otherwise.
type enum interface{ names() []string }

// refuser is an enum that knows why some texts, which somebody may well write, are
// none of its names.
type refuser interface {
	never(text string) (message, hint string)
}

// Mode says whether rules act. After Load it is never empty.
type Mode string

// The modes, from the strictest.
const (
	Enforce Mode = "enforce" // rules act
	Shadow  Mode = "shadow"  // rules are evaluated and recorded, values pass unchanged
	Off     Mode = "off"     // rules are not evaluated
)

func (Mode) names() []string { return list(Enforce, Shadow, Off) }

// Dialect is the form in which the model server gets requests.
type Dialect string

// The dialects.
const (
	Triton Dialect = "triton"  // KServe V2 with Triton's extensions
	V2JSON Dialect = "v2-json" // KServe V2 as it is defined, tensors in the JSON
)

func (Dialect) names() []string { return list(Triton, V2JSON) }

// Protocol is how a model is reached.
type Protocol string

// The protocols of models.
const (
	V2     Protocol = "v2"     // KServe V2, over HTTP and gRPC
	OpenAI Protocol = "openai" // chat completions, completions, embeddings
	Upload Protocol = "upload" // a file, or a form with files, as the body of a request
)

func (Protocol) names() []string { return list(V2, OpenAI, Upload) }

func (p Protocol) compiled() codec.Protocol {
	return map[Protocol]codec.Protocol{OpenAI: codec.OpenAI, Upload: codec.Upload}[p] // codec.Unknown: V2
}

// Endpoint is one that is closed unless the file opens it.
type Endpoint string

// The endpoints that may be opened.
const (
	ModelConfig     Endpoint = "config"
	ModelStatistics Endpoint = "statistics"
	RepositoryIndex Endpoint = "repository_index"
)

func (Endpoint) names() []string { return list(ModelConfig, ModelStatistics, RepositoryIndex) }

// operation is what is asked of an endpoint.
func (e Endpoint) operation() codec.Operation {
	return map[Endpoint]codec.Operation{ModelConfig: codec.ModelConfig, ModelStatistics: codec.ModelStatistics,
		RepositoryIndex: codec.RepositoryIndex}[e] // Deny, which opens nothing, for any other
}

// Level is a level of the log.
type Level string

// The levels of the log.
const (
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

func (Level) names() []string { return list(LevelDebug, LevelInfo, LevelWarn, LevelError) }

// InputKind says what an input holds.
type InputKind string

// The kinds of inputs.
const (
	Image  InputKind = "image"
	Pixels InputKind = "pixels"
	Text   InputKind = "text"
	Tensor InputKind = "tensor"
	Opaque InputKind = "opaque"
)

func (InputKind) names() []string { return list(Image, Pixels, Text, Tensor, Opaque) }

// unconfirmed is what `weir init` writes where a person has to write a kind. It is
// none: a file that holds it is not valid, so that no guess is ever served.
const unconfirmed = "unconfirmed"

func (k InputKind) never(text string) (message, hint string) {
	if text == unconfirmed {
		return "nobody has confirmed what this input holds", "write one of: " + strings.Join(k.names(), ", ")
	}
	return "", ""
}

// Profile is how thoroughly images, pixels or texts are sanitised.
type Profile string

// The profiles of images and pixels and those of texts, each of which includes the
// one before.
const (
	Strip    Profile = "strip"
	Light    Profile = "light"
	Standard Profile = "standard" // draws from the key
	Strong   Profile = "strong"   // draws from the key
	Custom   Profile = "custom"   // light and a list of steps

	Balanced Profile = "balanced"
	Strict   Profile = "strict"
)

func (Profile) names() []string {
	return list(Strip, Light, Standard, Strong, Custom, Balanced, Strict)
}

// StepName names one change to pixels.
type StepName string

func (StepName) names() []string {
	return list(sanitize.StepCrop, sanitize.StepShrink, sanitize.StepShrinkPad, sanitize.StepMedian, sanitize.StepGaussian,
		sanitize.StepBits, sanitize.StepJPEG, sanitize.StepBorder, sanitize.StepRotate)
}

// Format is a file format of images.
type Format string

// The formats of images.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
	GIF  Format = "gif"
	TIFF Format = "tiff"
	BMP  Format = "bmp"
)

func (Format) names() []string { return list(JPEG, PNG, WebP, GIF, TIFF, BMP) }

func (Format) never(text string) (message, hint string) {
	switch text {
	case "avif", "heic", "heif":
		return text + " files are always refused: Weir does not decode them", "have clients send jpeg or png"
	case "svg", "pdf":
		return text + " files are always refused: they are programs rather than pictures", "have clients send jpeg or png"
	}
	return "", ""
}

// Orientation says what becomes of the orientation mark of an image (Exif tag 0x0112).
type Orientation string

// The treatments of the orientation mark.
const (
	Keep  Orientation = "keep"  // the mark stays, in canonical form
	Apply Orientation = "apply" // the picture is turned, and the mark goes
	Drop  Orientation = "drop"  // the mark goes
)

func (Orientation) names() []string { return list(Keep, Apply, Drop) }

// Verify says how far the file of an image is read.
type Verify string

// The extents of reading.
const (
	VerifyDecode    Verify = "decode"    // to the last symbol of the picture
	VerifyContainer Verify = "container" // segments and chunks only
)

func (Verify) names() []string { return list(VerifyDecode, VerifyContainer) }

// Animation says what becomes of an image with several frames.
type Animation string

// The treatments of animations.
const (
	RefuseAnimation Animation = "refuse"
	FirstFrame      Animation = "first" // the picture that a reader of still pictures shows
	KeepAnimation   Animation = "keep"
)

func (Animation) names() []string { return list(RefuseAnimation, FirstFrame, KeepAnimation) }

// Encoding is how an image stands in a tensor.
type Encoding string

// The encodings of images.
const (
	Raw     Encoding = "raw"      // the bytes of the file
	Base64  Encoding = "base64"   // their base64, as text
	DataURI Encoding = "data-uri" // data:image/png;base64, and their base64
)

func (Encoding) names() []string { return list(Raw, Base64, DataURI) }

// Datatype is a datatype of the KServe V2 protocol.
type Datatype string

func (Datatype) names() []string {
	var names []string
	for d := tensor.Bool; d <= tensor.BF16; d++ {
		names = append(names, d.String())
	}
	return names
}

// NotFinite says what becomes of a tensor that holds NaN or infinity.
type NotFinite string

// The treatments of NaN and infinity.
const (
	Reject NotFinite = "reject"
	Allow  NotFinite = "allow"
)

func (NotFinite) names() []string { return list(Reject, Allow) }

// OutputKind says what an output holds.
type OutputKind string

// The kinds of outputs.
const (
	Probabilities OutputKind = "probabilities" // the last dimension are the classes
	ClassLabels   OutputKind = "labels"        // names of classes in a BYTES tensor
	Numbers       OutputKind = "tensor"        // any numbers
)

func (OutputKind) names() []string { return list(Probabilities, ClassLabels, Numbers) }

// Action is what a finding of a check does to the response.
type Action string

// The actions, from the strictest.
const (
	Block Action = "block" // the client gets an error instead
	Flag  Action = "flag"  // the response is marked in its headers
)

func (Action) names() []string { return list(Block, Flag) }

func list[T ~string](values ...T) []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return names
}
