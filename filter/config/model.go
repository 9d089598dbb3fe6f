package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"weir/sanitize"
)

// Model is one model, or with a glob as its name several, that clients may reach.
type Model struct {
	// Name is the model's name on the server, or a glob in the sense of Go's
	// path.Match (* ? [a-z]); a * does not match a slash, which names of protocol
	// openai may hold. Required; no two models have the same.
	Name string `yaml:"name"`
	// Protocol is v2 (KServe V2), openai (the OpenAI API, at upstream.openai) or upload
	// (files as bodies, at upstream.upload). By the others the model is not reached. With
	// openai and upload there are neither versions, outputs, checks nor drift. With
	// openai the inputs are text, image, audio and tokens, and the parameters are
	// logit_bias, metadata, prompt_cache_key, prompt_cache_retention,
	// safety_identifier, seed, service_tier, store and user. With upload the inputs are
	// of kind image, text or opaque, have the names of the fields of forms (letters,
	// digits and . _ -), all but the texts must be in each request, and a body that is
	// no form is the one that is no text. Default: v2.
	Protocol Protocol `yaml:"protocol"`
	// Versions are the versions that clients may ask for, as decimal numbers in
	// quotes. Default: those that the server has.
	Versions []string `yaml:"versions,omitempty"`
	// Mode overrides the mode of the file. Default: that of defaults.
	Mode Mode `yaml:"mode"`
	// Inputs are the model's inputs by name; an input that is not here is
	// refused. Required.
	Inputs map[string]Input `yaml:"inputs"`
	// Outputs are the outputs that checks and drift look at, by name. Default: none.
	Outputs map[string]Output `yaml:"outputs,omitempty"`
	// Parameters are the names of the request parameters that may reach the
	// model. Default: none.
	Parameters []string `yaml:"parameters,omitempty"`
	// Checks look at the outputs of each response. Default: none.
	Checks []Check `yaml:"checks,omitempty"`
	// Drift says how the outputs are compared with a baseline.
	Drift Drift `yaml:"drift"`
}

// Input says what an input holds and how it is sanitised.
type Input struct {
	// Kind is image (files: one in each element of a BYTES tensor or, padded with
	// zeros, in each row of a UINT8 tensor), pixels (decoded pictures as numbers), text
	// (UTF-8 in a BYTES tensor), tensor (other numbers) or opaque (let through as it
	// is); unconfirmed, which `weir init` writes, is never valid. Required.
	Kind InputKind `yaml:"kind"`
	// Profile of an image: strip (lossless: all that is not picture goes), light
	// (strip and re-encode), standard (light and a keyed random crop, resized back),
	// strong (standard, shrunk and restored, and a median) or custom (light and steps);
	// of pixels: the same, where strip checks and changes nothing; of a text: balanced
	// or strict (NFKC, fewer scripts). Default: strip; of a text: balanced.
	Profile Profile `yaml:"profile,omitempty"`
	// Steps of profile custom, at most 16, in their order. Default: none.
	Steps []Step `yaml:"steps,omitempty"`
	// Formats of an image that are allowed, told by content: jpeg, png, webp, gif,
	// tiff, bmp. Default: [jpeg, png].
	Formats []Format `yaml:"formats,omitempty,flow"`
	// Orientation of an image: keep the mark in canonical form, apply (turn the pixels
	// and drop the mark) or drop it. Default: keep.
	Orientation Orientation `yaml:"orientation,omitempty"`
	// Verify says how far the file of an image is read: decode finds files that are cut
	// short, and what hides within and behind the coded picture; container only walks
	// segments and chunks, and leaves what hides there. Default: decode.
	Verify Verify `yaml:"verify,omitempty"`
	// Animation says what becomes of an image with several frames: refuse, first (the
	// picture that a reader of still pictures shows) or keep (at most
	// limits.max_image_frames). Default: refuse.
	Animation Animation `yaml:"animation,omitempty"`
	// ZeroTransparent makes the colour of wholly transparent pixels of an image, which
	// nobody sees but a model may, black. Default: false.
	ZeroTransparent bool `yaml:"zero_transparent,omitempty"`
	// Encoding of an image: raw (the bytes of its file), base64 (as text, of which only
	// the canonical form is let through: RFC 4648 §4 with padding, no line breaks) or
	// data-uri (data:image/png;base64, and base64; Weir names the format that it finds).
	// A server with dialect v2-json takes no raw ones. Default: raw.
	Encoding Encoding `yaml:"encoding,omitempty"`
	// MaxPixels is width times height of one image, added up over its frames, or of all
	// pictures of a tensor of pixels; at most the limit of the file.
	// Default: limits.max_image_pixels.
	MaxPixels int64 `yaml:"max_pixels,omitempty"`
	// MaxBytes is the size of one image or text, at most the limit of the file.
	// Default: limits.max_image_bytes or limits.max_text_bytes.
	MaxBytes Bytes `yaml:"max_bytes,omitempty"`
	// Datatype of a tensor or of pixels, such as FP32, must be the client's.
	// Default: any that is numeric; of pixels: UINT8, FP16 or FP32.
	Datatype Datatype `yaml:"datatype,omitempty"`
	// Shape of a tensor or of pixels, with the batch dimension; -1 stands for any size.
	// Default: any.
	Shape []int64 `yaml:"shape,omitempty,flow"`
	// Layout is the order of the dimensions of pixels, with the batch dimension: H and
	// W, and N (pictures) and C (channels) if there are such, as in NCHW or HWC.
	// Required for kind pixels.
	Layout string `yaml:"layout,omitempty"`
	// White is the value of a white sample of pixels before the model's normalisation;
	// black is 0. Default: 255 for UINT8, else 1.
	White float64 `yaml:"white,omitempty"`
	// Mean of the normalisation of each channel of pixels, in units of white: a sample x
	// stands for x times std plus mean. Default: 0.
	Mean []float64 `yaml:"mean,omitempty,flow"`
	// Std is the standard deviation of the normalisation, as mean. Default: 1.
	Std []float64 `yaml:"std,omitempty,flow"`
	// Min is the smallest value of a tensor that is let through. Default: none.
	Min *float64 `yaml:"min,omitempty"`
	// Max is the largest value of a tensor that is let through. Default: none.
	Max *float64 `yaml:"max,omitempty"`
	// NotFinite says what becomes of a tensor with NaN or infinity: reject or
	// allow. Default: reject.
	NotFinite NotFinite `yaml:"not_finite,omitempty"`
}

// Step is one change to pixels. Each takes the parameters that its line names.
type Step struct {
	// Step is crop (margins off each side, drawn by the key, and resized back), shrink
	// (and restore), shrink_pad (shrunk, placed by the key, edges repeated around),
	// median, gaussian (blur), bits (fewer bits a sample), jpeg (through JPEG), border
	// (an outer frame becomes the colour inside it) or rotate (by an angle that the key
	// draws). Required.
	Step StepName `yaml:"step"`
	// MinPercent is the least margin of a crop, in per cent of the side. Default: 0.
	MinPercent float64 `yaml:"min_percent,omitempty"`
	// MaxPercent is the largest margin of a crop, below 50. Required for crop.
	MaxPercent float64 `yaml:"max_percent,omitempty"`
	// Percent of each side by which shrink_pad shrinks, or of the shorter side that
	// border replaces; below 50. Required for these.
	Percent float64 `yaml:"percent,omitempty"`
	// Factor of the sides for shrink, from 0.1 to below 1. Required for shrink.
	Factor float64 `yaml:"factor,omitempty"`
	// Size of the square of a median, in pixels: 3 or 5. Required for median.
	Size int64 `yaml:"size,omitempty"`
	// Sigma of gaussian, in pixels, at most 10. Required for gaussian.
	Sigma float64 `yaml:"sigma,omitempty"`
	// Depth that bits leaves, 1 to 7 bits a sample. Required for bits.
	Depth int64 `yaml:"depth,omitempty"`
	// Quality of jpeg, 1 to 100. Required for jpeg.
	Quality int64 `yaml:"quality,omitempty"`
	// MaxDegrees is the largest angle of rotate, at most 45. Required for rotate.
	MaxDegrees float64 `yaml:"max_degrees,omitempty"`
}

// String returns the step as it stands in the file.
func (s Step) String() string {
	text := "{step: " + string(s.Step)
	v := reflect.ValueOf(s)
	for _, f := range fieldsOf(v.Type())[1:] {
		if n := v.Field(f.index); !n.IsZero() {
			text += fmt.Sprintf(", %s: %v", f.name, n)
		}
	}
	return text + "}"
}

// compiled is the step in the terms of package sanitize.
func (s Step) compiled() sanitize.Step {
	return sanitize.Step{Op: sanitize.Op(s.Step), MinPercent: s.MinPercent, MaxPercent: s.MaxPercent, Percent: s.Percent,
		Factor: s.Factor, Size: int(s.Size), Sigma: s.Sigma, Depth: int(s.Depth), Quality: int(s.Quality), MaxDegrees: s.MaxDegrees}
}

// Output says what an output holds.
type Output struct {
	// Kind is probabilities (the last dimension are the classes), labels (names of
	// classes in a BYTES tensor) or tensor (any numbers). Required.
	Kind OutputKind `yaml:"kind"`
	// Labels is a file with the names of the classes of probabilities, one a line,
	// in the order of the classes. Default: classes have numbers.
	Labels File `yaml:"labels,omitempty"`
}

// Check looks at an output of each response. It has at least one of
// min_confidence and finite.
type Check struct {
	// Name of the check in metrics, logs and records: letters, digits, - and _,
	// at most 63. Required; unique within the model.
	Name string `yaml:"name"`
	// Output that is checked. Default: the model's only output that fits.
	Output string `yaml:"output"`
	// MinConfidence is the floor, above 0 and at most 1, of the probability of
	// the likeliest class of each row. Default: no floor.
	MinConfidence float64 `yaml:"min_confidence,omitempty"`
	// Finite finds NaN and infinity. Default: false.
	Finite bool `yaml:"finite,omitempty"`
	// Action on a finding: flag (mark the response) or block. Default: block.
	Action Action `yaml:"action"`
	// Mode overrides the mode of the model. Default: that of the model.
	Mode Mode `yaml:"mode"`
}

// Drift says how the class probabilities of a model are compared with a baseline.
type Drift struct {
	// Baseline is the file that `weir baseline build` wrote. Default: none, which
	// serves without drift detection.
	Baseline File `yaml:"baseline,omitempty"`
	// Output that is compared, of kind probabilities. Default: the only one.
	Output string `yaml:"output,omitempty"`
	// MeanTimeBetweenFalseAlarms is the promise of the detector; at least
	// ten blocks. Default: 30d.
	MeanTimeBetweenFalseAlarms Duration `yaml:"mean_time_between_false_alarms"`
	// Tolerance is by how much the share of a bin may move without an alarm,
	// from 0 to below 0.5. Default: 0.02.
	Tolerance float64 `yaml:"tolerance"`
	// Block is the time over which the shares of one test are counted. Default: 10s.
	Block Duration `yaml:"block" max:"1d"`
	// MinBlockRequests is the number of rows below which a block is merged with
	// the next. Default: 100.
	MinBlockRequests int64 `yaml:"min_block_requests" max:"1000000000"`
}

// setDefaults fills in what holds for a model whatever else the file says.
func (m *Model) setDefaults() {
	m.Protocol = V2
	m.Drift = Drift{
		MeanTimeBetweenFalseAlarms: 30 * day,
		Tolerance:                  0.02,
		Block:                      10 * second,
		MinBlockRequests:           100,
	}
}

// unset is a limit of an input for which the file says none.
const unset = math.MinInt64

// setDefaults marks what complete fills in.
func (in *Input) setDefaults() { in.MaxBytes, in.MaxPixels = unset, unset }

// setDefaults fills in what holds for a check whatever else the file says.
func (c *Check) setDefaults() { c.Action = Block }

// complete fills in the defaults that follow from other parts of the file.
func (c *Config) complete() {
	for i := range c.Models {
		m := &c.Models[i]
		if m.Mode == "" {
			m.Mode = c.Defaults.Mode
		}
		for name, in := range m.Inputs {
			in.complete(&c.Limits)
			m.Inputs[name] = in
		}
		for j := range m.Checks {
			m.Checks[j].complete(m)
		}
		if m.Drift.Output == "" {
			m.Drift.Output = onlyOutput(m, Probabilities)
		}
	}
}

func (in *Input) complete(limits *Limits) {
	if in.MaxBytes == unset {
		in.MaxBytes = map[InputKind]Bytes{Image: limits.MaxImageBytes, Text: limits.MaxTextBytes}[in.Kind]
	}
	if in.MaxPixels == unset {
		in.MaxPixels = map[InputKind]int64{Image: limits.MaxImagePixels, Pixels: limits.MaxImagePixels}[in.Kind]
	}
	switch in.Kind {
	case Image:
		in.completeImage()
	case Pixels:
		fill(&in.Profile, Strip)
	case Text:
		fill(&in.Profile, Balanced)
	case Tensor:
		fill(&in.NotFinite, Reject)
	}
}

func (in *Input) completeImage() {
	fill(&in.Profile, Strip)
	if in.Formats == nil {
		in.Formats = []Format{JPEG, PNG}
	}
	fill(&in.Orientation, Keep)
	fill(&in.Verify, VerifyDecode)
	fill(&in.Animation, RefuseAnimation)
	fill(&in.Encoding, Raw)
}

// fill sets what the file leaves out.
func fill[T ~string](value *T, standard T) {
	if *value == "" {
		*value = standard
	}
}

func (c *Check) complete(m *Model) {
	if c.Mode == "" {
		c.Mode = m.Mode
	}
	if c.Output == "" {
		c.Output = onlyOutput(m, c.fits()...)
	}
}

// fits lists the kinds of output that the check can look at.
func (c *Check) fits() []OutputKind {
	if c.MinConfidence != 0 {
		return []OutputKind{Probabilities}
	}
	return []OutputKind{Probabilities, Numbers}
}

// onlyOutput returns the name of the model's one output of the given kinds, or
// "" if there are several or none.
func onlyOutput(m *Model, kinds ...OutputKind) string {
	only := ""
	for name, out := range m.Outputs {
		if !slices.Contains(kinds, out.Kind) {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}
