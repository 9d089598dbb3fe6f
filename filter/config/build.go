package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"path"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/filter/codec/openai"
	"weir/filter/policy"
	"weir/filter/upstream"
	"weir/monitor"
	"weir/monitor/baseline"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// Built is what a configuration compiles to.
type Built struct {
	Policy   *policy.Policy
	Codecs   codec.Codecs
	Monitors []monitor.ModelConfig
	KeyEpoch time.Duration // how long keyed draws stay the same
	BodyKey  []byte        // keys the hashes of forwarded bodies
}

// Inherit takes over what outlives a reload of old, which was built: the memory that
// images share with those whose exchanges began under old.
func (c *Config) Inherit(old *Config) { c.memory = old.memory }

// Build compiles the configuration. secret, of at least 32 bytes, stands in for
// the key file if the configuration names none. The error is of type Errors.
func (c *Config) Build(secret []byte) (*Built, error) {
	if c.Keys.SanitizeFile != "" {
		secret = c.Contents(c.Keys.SanitizeFile)
	}
	r := &report{file: c.source.path}
	if c.memory == nil {
		c.memory = sanitize.NewMemory(int64(c.Limits.MaxImageDecodedBytes))
	}
	v := &compiler{validator: validator{c, r}}
	var err error
	if v.key, err = sanitize.NewKey(secret); err != nil {
		v.fail("keys.sanitize_file", "%v", err)
	}
	b := &Built{KeyEpoch: time.Duration(c.Keys.Epoch), BodyKey: derive(secret, "weir forwarded body")}
	if b.Codecs, err = c.codecs(); err != nil {
		v.fail("limits", "%v", err)
	}
	models := make([]*policy.Model, len(c.Models))
	for i := range c.Models {
		models[i] = v.model(fmt.Sprintf("models[%d]", i), &c.Models[i])
		b.Monitors = append(b.Monitors, observed(models[i])...)
	}
	open := make([]codec.Operation, len(c.Endpoints))
	for i, e := range c.Endpoints {
		open[i] = e.operation()
	}
	b.Policy = policy.New(models, open...)
	if _, _, err := r.result(c); err != nil {
		return nil, err
	}
	return b, nil
}

// codecs are those of the protocols that the model server is said to speak.
func (c *Config) codecs() (codec.Codecs, error) {
	codecs := codec.Codecs{}
	var err error
	if c.Upstream.Dialect == V2JSON {
		codecs[codec.KServeHTTP], err = kserve.NewJSON(c.Limits.codec())
	} else {
		codecs[codec.KServeHTTP], err = kserve.NewHTTP(c.Limits.codec())
	}
	if err == nil && c.Upstream.OpenGRPC() != "" {
		codecs[codec.KServeGRPC], err = kserve.NewGRPC(c.Limits.codec())
	}
	if err == nil && c.Upstream.OpenAI != "" {
		codecs[codec.OpenAI], err = openai.New(c.Upstream.openAIBase(), c.Limits.openAI())
	}
	if err == nil && c.Upstream.Upload != "" {
		codecs[codec.Upload], err = c.uploadCodec()
	}
	return codecs, err
}

// OpenGRPC is the gRPC endpoint that clients reach; "" if gRPC is closed, as it is
// with every dialect but Triton's.
func (u Upstream) OpenGRPC() string {
	if u.Dialect != Triton {
		return ""
	}
	return u.GRPC
}

// Client returns a client of the model server.
func (u Upstream) Client() upstream.SourceCloser {
	if u.Dialect == V2JSON {
		return upstream.NewJSON(u.HTTP, u.Timeout.Std())
	}
	return upstream.NewClient(u.HTTP, u.Timeout.Std())
}

// derive makes a key of its own for each purpose out of one secret.
func derive(secret []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

func (l *Limits) codec() kserve.Limits {
	return kserve.Limits{
		MaxBodyBytes:       int(l.MaxBodyBytes),
		MaxResponseBytes:   int(l.MaxResponseBytes),
		MaxInflateRatio:    int(l.MaxInflateRatio),
		MaxJSONHeaderBytes: int(l.MaxJSONHeaderBytes),
		MaxJSONDepth:       int(l.MaxJSONDepth),
		MaxInputs:          int(l.MaxInputs),
		MaxOutputs:         int(l.MaxOutputs),
		MaxParameters:      int(l.MaxParameters),
		MaxRank:            int(l.MaxRank),
		MaxElements:        l.MaxElements,
		MaxBytesElements:   l.MaxBytesElements,
		MaxNameBytes:       int(l.MaxNameBytes),
	}
}

func (l *Limits) openAI() openai.Limits {
	return openai.Limits{
		MaxBodyBytes:     int(l.MaxBodyBytes),
		MaxResponseBytes: int(l.MaxResponseBytes),
		MaxJSONDepth:     int(l.MaxJSONDepth),
		MaxSchemaBytes:   int(l.MaxJSONHeaderBytes),
		MaxElements:      l.MaxElements,
		MaxBytesElements: l.MaxBytesElements,
	}
}

func (l *Limits) image(maxBytes Bytes, maxPixels int64) sanitize.ImageLimits {
	return sanitize.ImageLimits{
		MaxBytes:         int(maxBytes),
		MaxPixels:        maxPixels,
		MaxSide:          int(l.MaxImageSide),
		MaxSegments:      int(l.MaxImageSegments),
		MaxMetadataBytes: int(l.MaxImageMetadataBytes),
		MaxScans:         int(l.MaxImageScans),
		MaxFrames:        int(l.MaxImageFrames),
		MaxExpansion:     l.MaxImageExpansion,
		MaxDecodedBytes:  int64(l.MaxImageDecodedBytes),
	}
}

// compiler makes rules of the configuration and reports what no rule can be made of.
type compiler struct {
	validator
	key *sanitize.Key
}

// model compiles the rules of one model.
func (v *compiler) model(at string, m *Model) *policy.Model {
	p := &policy.Model{Pattern: m.Name, Protocol: m.Protocol.compiled(), Versions: m.Versions, Mode: m.Mode.compiled(), Parameters: m.Parameters,
		Inputs: map[string]policy.Input{}, Outputs: map[string]policy.Output{}}
	for _, name := range sorted(m.Inputs) {
		in := m.Inputs[name]
		p.Inputs[name] = v.input(join(at+".inputs", name), &in)
	}
	for _, name := range sorted(m.Outputs) {
		p.Outputs[name] = v.output(join(at+".outputs", name), m.Outputs[name])
	}
	for _, c := range m.Checks {
		action := policy.Block
		if c.Action == Flag {
			action = policy.Flag
		}
		p.Checks = append(p.Checks, policy.Check{Name: c.Name, Output: c.Output, MinConfidence: c.MinConfidence,
			Finite: c.Finite, Action: action, Mode: c.Mode.compiled()})
	}
	if m.Drift.Output != "" {
		p.Drift = v.drift(at+".drift", m)
	}
	return p
}

func (v *compiler) input(at string, in *Input) policy.Input {
	switch in.Kind {
	case Image:
		o := v.image(in)
		v.valid(at, o.Validate())
		return policy.Input{Kind: policy.Image, Image: o, Encoding: in.Encoding.compiled()}
	case Pixels:
		o := v.pixels(in)
		v.valid(at, o.Validate())
		return policy.Input{Kind: policy.Pixels, Pixels: o}
	case Text:
		o := sanitize.TextOptions{Profile: string(in.Profile), MaxBytes: int(in.MaxBytes)}
		v.valid(at, o.Validate())
		return policy.Input{Kind: policy.Text, Text: o}
	case Tensor:
		o := sanitize.TensorOptions{Shape: in.Shape, Min: in.Min, Max: in.Max, NotFinite: string(in.NotFinite)}
		if in.Datatype != "" {
			o.DataType, _ = tensor.ParseDataType(string(in.Datatype)) // an enumeration of these names
		}
		v.valid(at, o.Validate())
		return policy.Input{Kind: policy.Tensor, Tensor: o}
	default:
		return policy.Input{Kind: policy.Opaque}
	}
}

func (v *compiler) image(in *Input) sanitize.ImageOptions {
	formats := make([]string, len(in.Formats))
	for i, f := range in.Formats {
		formats[i] = string(f)
	}
	return sanitize.ImageOptions{Profile: string(in.Profile), Steps: compiledSteps(in.Steps), Formats: formats,
		Orientation: string(in.Orientation), Verify: string(in.Verify), Animation: string(in.Animation),
		ZeroTransparent: in.ZeroTransparent, Limits: v.c.Limits.image(in.MaxBytes, in.MaxPixels), Memory: v.c.memory, Key: v.key}
}

func (v *compiler) pixels(in *Input) sanitize.PixelOptions {
	o := sanitize.PixelOptions{Layout: in.Layout, Shape: in.Shape, White: in.White, Mean: in.Mean, Std: in.Std,
		Profile: string(in.Profile), Steps: compiledSteps(in.Steps), MaxPixels: in.MaxPixels, Key: v.key}
	if in.Datatype != "" {
		o.DataType, _ = tensor.ParseDataType(string(in.Datatype)) // an enumeration of these names
	}
	return o
}

func compiledSteps(steps []Step) []sanitize.Step {
	var all []sanitize.Step
	for _, s := range steps {
		all = append(all, s.compiled())
	}
	return all
}

func (e Encoding) compiled() policy.Encoding {
	return map[Encoding]policy.Encoding{Raw: policy.Raw, Base64: policy.Base64, DataURI: policy.DataURI}[e]
}

func (v *compiler) valid(at string, err error) {
	if err != nil {
		v.fail(at, "%v", err)
	}
}

func (v *compiler) output(at string, out Output) policy.Output {
	p := policy.Output{Probabilities: out.Kind == Probabilities}
	if out.Labels == "" {
		return p
	}
	labels, err := ParseLabels(v.c.Contents(out.Labels))
	v.valid(at+".labels", err)
	p.Labels = labels
	return p
}

// drift compiles how a model is watched. A model without a baseline is watched,
// too, so that one can be recorded from it.
func (v *compiler) drift(at string, m *Model) *policy.Drift {
	d := &policy.Drift{Output: m.Drift.Output, Settings: monitor.DefaultSettings()}
	d.Settings.MeanTimeBetweenFalseAlarms = time.Duration(m.Drift.MeanTimeBetweenFalseAlarms)
	d.Settings.Block = time.Duration(m.Drift.Block)
	d.Settings.Tolerance = m.Drift.Tolerance
	d.Settings.MinBlockRequests = int(m.Drift.MinBlockRequests)
	v.valid(at, d.Settings.Validate())
	if m.Drift.Baseline == "" {
		return d
	}
	if policy.IsGlob(m.Name) {
		v.fail(at+".baseline", "a baseline belongs to one model; name it without a glob")
	}
	b, err := baseline.Parse(v.c.Contents(m.Drift.Baseline))
	if err == nil {
		err = monitor.ModelConfig{Baseline: b, Settings: monitor.DefaultSettings()}.Validate()
	}
	if err != nil {
		v.fail(at+".baseline", "%v", err)
		return d
	}
	d.Baseline, d.Digest, d.File = b, b.Digest(), path.Base(string(m.Drift.Baseline))
	return d
}

// observed is what the monitor keeps of a model: its one version, or all of them
// together when the policy does not name just one.
func observed(m *policy.Model) []monitor.ModelConfig {
	if m.Drift == nil || policy.IsGlob(m.Pattern) {
		return nil
	}
	w := monitor.ModelConfig{Model: m.Pattern, Baseline: m.Drift.Baseline, Settings: m.Drift.Settings}
	if len(m.Versions) == 1 {
		w.Version = m.Versions[0]
	}
	return []monitor.ModelConfig{w}
}

func (m Mode) compiled() policy.Mode {
	mode, _ := policy.ParseMode(string(m)) // an enumeration of these names
	return mode
}

// Slog is the level in the terms of package slog.
func (l Level) Slog() slog.Level {
	switch l {
	case LevelDebug:
		return slog.LevelDebug
	case LevelWarn:
		return slog.LevelWarn
	case LevelError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
