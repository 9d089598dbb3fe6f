package config

import "slices"

// Model is one model, or with a glob as its name several, that clients may reach.
type Model struct {
	// Name is the model's name on the server, or a glob in the sense of Go's
	// path.Match (* ? [a-z]); a * does not match a slash, which names of protocol
	// openai may hold. Required; no two models have the same.
	Name string `yaml:"name"`
	// Protocol is v2 (KServe V2) or openai (the OpenAI API, at upstream.openai). By
	// the other one the model is not reached. With openai there are neither versions,
	// outputs, checks nor drift, the inputs are text, image, audio and tokens, and
	// the parameters are logit_bias, metadata, prompt_cache_key,
	// prompt_cache_retention, safety_identifier, seed, service_tier, store and user.
	// Default: v2.
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
	// Kind is image (files in a BYTES tensor), text (UTF-8 in a BYTES tensor),
	// tensor (numbers) or opaque (let through as it is); unconfirmed, which `weir
	// init` writes, is never valid. Required.
	Kind InputKind `yaml:"kind"`
	// Profile of an image: strip (lossless: all that is not picture goes), light
	// (strip and re-encode) or standard (light and a keyed random crop); of a text:
	// balanced or strict (NFKC, fewer scripts). Default: strip; of a text: balanced.
	Profile Profile `yaml:"profile,omitempty"`
	// Formats of an image that are allowed, told by content: jpeg, png.
	// Default: [jpeg, png].
	Formats []Format `yaml:"formats,omitempty"`
	// Orientation of an image: keep the mark in canonical form, or drop it. The
	// pixels are not turned. Default: keep.
	Orientation Orientation `yaml:"orientation,omitempty"`
	// Encoding of an image: raw (the bytes of its file) or base64 (as text, of which
	// only the canonical form is let through: RFC 4648 §4 with padding, no line breaks).
	// A server with dialect v2-json takes base64 only. Default: raw.
	Encoding Encoding `yaml:"encoding,omitempty"`
	// MaxBytes is the size of one image or text, at most the limit of the file.
	// Default: limits.max_image_bytes or limits.max_text_bytes.
	MaxBytes Bytes `yaml:"max_bytes,omitempty"`
	// Datatype of a tensor, such as FP32, must be the client's. Default: any that is numeric.
	Datatype Datatype `yaml:"datatype,omitempty"`
	// Shape of a tensor with its batch dimension; -1 stands for any size. Default: any.
	Shape []int64 `yaml:"shape,omitempty,flow"`
	// Min is the smallest value of a tensor that is let through. Default: none.
	Min *float64 `yaml:"min,omitempty"`
	// Max is the largest value of a tensor that is let through. Default: none.
	Max *float64 `yaml:"max,omitempty"`
	// NotFinite says what becomes of a tensor with NaN or infinity: reject or
	// allow. Default: reject.
	NotFinite NotFinite `yaml:"not_finite,omitempty"`
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

// unset is the size of an input for which the file says none.
const unset Bytes = -1

// setDefaults marks what complete fills in.
func (in *Input) setDefaults() { in.MaxBytes = unset }

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
	switch in.Kind {
	case Image:
		if in.Profile == "" {
			in.Profile = Strip
		}
		if in.Formats == nil {
			in.Formats = []Format{JPEG, PNG}
		}
		if in.Orientation == "" {
			in.Orientation = Keep
		}
		if in.Encoding == "" {
			in.Encoding = Raw
		}
	case Text:
		if in.Profile == "" {
			in.Profile = Balanced
		}
	case Tensor:
		if in.NotFinite == "" {
			in.NotFinite = Reject
		}
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
