package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/filter/codec"
	"weir/filter/config"
	"weir/filter/draft"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/redteam"
)

func newProbe() *cobra.Command {
	return newGroup("probe", "Measure what sanitising does to a model, and to attacks on it", newProbeRedteam(), newProbeCalibrate(), newProbeTriggers())
}

func newProbeTriggers() *cobra.Command {
	c := &cobra.Command{
		Use:   "triggers",
		Short: "List the triggers of the library, one a line, with all parameters",
		Args:  noArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, t := range redteam.Library() {
			fmt.Fprintln(c.OutOrStdout(), t.Spec) // run sees a failed standard output
		}
		return nil
	}
	return c
}

// probeFlags are the flags that the subcommands share.
type probeFlags struct {
	config, server, model, version, input, scores, classes string
	samples, profiles, keyFile                             string
	kind, encoding, layout, mean, std, size                string
	white                                                  float64
	limit                                                  int
}

// add adds the flags. profiles are those that are the default, limit is that of the
// pictures.
func (f *probeFlags) add(c *cobra.Command, profiles string, limit int) {
	for _, flag := range []struct {
		to          *string
		name, usage string
	}{
		{&f.server, "server", "`URL` of the model server's HTTP endpoint, of the V2 protocol with Triton's extensions (default: that of the configuration)"},
		{&f.model, "model", "`NAME` of the model (default: the one of the configuration)"},
		{&f.version, "model-version", "`VERSION` of the model (default: the newest)"},
		{&f.input, "input", "`TENSOR` that takes the pictures (default: the one of the configuration, or the only one)"},
		{&f.scores, "scores", "`TENSOR` with a score for each class, or with the name of the class (default: the only one with scores)"},
		{&f.classes, "classes", "`FILE` with the names of the classes, one a line (default: those of the configuration, or what the server calls them)"},
		{&f.profiles, "profile", "`NAMES` of profiles, separated by commas (default: " + profiles + ")"},
		{&f.keyFile, "key-file", "`FILE` with the key of keyed profiles, at least 32 bytes (default: that of the configuration, or a random key, with which two runs differ)"},
	} {
		c.Flags().Var((*text)(flag.to), flag.name, flag.usage)
	}
	f.addForms(c)
	c.Flags().VarP((*text)(&f.config), "config", "c", "configuration `FILE`, for what is not given by flags")
	c.Flags().Var((*text)(&f.samples), "samples", "`DIR` of clean pictures (required)")
	_ = c.MarkFlagRequired("samples") // fails only for a flag that does not exist
	c.Flags().IntVar(&f.limit, "limit", limit, "most pictures that are used, taken evenly")
}

// addForms adds the flags that say what the input holds.
func (f *probeFlags) addForms(c *cobra.Command) {
	for _, flag := range []struct {
		to          *string
		name, usage string
	}{
		{&f.kind, "kind", "`KIND` of the input: image (files) or pixels (numbers) (default: that of the configuration, or image)"},
		{&f.encoding, "encoding", "`FORM` of files in a BYTES input: raw, base64 or data-uri (default: that of the configuration, or raw)"},
		{&f.layout, "layout", "`ORDER` of the dimensions of pixels, with the batch dimension, such as NCHW"},
		{&f.mean, "mean", "`NUMBERS` of the normalisation of pixels, one a channel: a sample is (pixel × white - mean) / std"},
		{&f.std, "std", "`NUMBERS` of the normalisation of pixels, as --mean"},
		{&f.size, "size", "`WIDTHxHEIGHT` of pixels, for a model that takes any"},
	} {
		c.Flags().Var((*text)(flag.to), flag.name, flag.usage)
	}
	c.Flags().Float64Var(&f.white, "white", 0, "value of a white sample of pixels before the normalisation (default 255 for UINT8, else 1)")
}

// probe is what both subcommands work on.
type probe struct {
	flags   probeFlags
	kind    policy.Kind
	encoded policy.Encoding       // of kind image
	image   sanitize.ImageOptions // of the configuration, or the default
	pixels  sanitize.PixelOptions // the same, of kind pixels
	names   []string              // of the profiles
	model   *servedModel
	samples []sampleFile
	known   bool // the configuration says what the input is
}

// setUp reads what the flags name and asks the server about the model. Defaults are
// the profiles if neither the flags nor the configuration name one.
func (f probeFlags) setUp(c *cobra.Command, defaults string) (*probe, error) {
	p := &probe{flags: f}
	if f.limit < 1 {
		return nil, fail(exitUsage, "--limit: at least 1")
	}
	classes, err := p.configure()
	if err != nil {
		return nil, err
	}
	if p.flags.server == "" || p.flags.model == "" {
		return nil, fail(exitUsage, "name the server and the model with --server and --model, or a configuration with --config")
	}
	if err := p.chooseProfiles(defaults); err != nil {
		return nil, err
	}
	if p.samples, err = findSamples(p.flags.samples, p.flags.limit, c.ErrOrStderr()); err != nil {
		return nil, err
	}
	if f.classes != "" {
		if classes, err = readClasses(f.classes); err != nil {
			return nil, err
		}
	}
	return p, p.open(c, classes)
}

// open asks the server about the model, and makes the samples fit.
func (p *probe) open(c *cobra.Command, classes []string) error {
	server, err := serverURL(p.flags.server)
	if err != nil {
		return err
	}
	if (draft.Server{HTTP: server}).Exposed() {
		fmt.Fprintf(c.ErrOrStderr(), "weir: warning: %s is not on loopback; the pictures leave this machine unencrypted unless it is https\n", server)
	}
	if p.model, err = openModel(c.Context(), server, p, classes); err != nil {
		return err
	}
	if p.kind == policy.Pixels {
		if err := p.fit(c); err != nil {
			return err
		}
	}
	first, err := p.model.carried(p.samples[0].file)
	if err != nil {
		return fail(exitUndecided, "%s: %w", p.samples[0].name, err)
	}
	return p.model.learnClasses(c.Context(), first)
}

// fit makes the samples as large as the model takes them.
func (p *probe) fit(c *cobra.Command) error {
	var fitted []sampleFile
	for _, s := range p.samples {
		file, err := p.model.form.fit(c.Context(), s.file)
		if c.Context().Err() != nil {
			return fail(exitUndecided, "%w", c.Context().Err())
		}
		if err != nil {
			fmt.Fprintf(c.ErrOrStderr(), "weir: %s: skipped: %v\n", s.name, err)
			continue
		}
		fitted = append(fitted, sampleFile{s.name, file})
	}
	if p.samples = fitted; len(fitted) == 0 {
		return fail(exitNothing, "%s: no pictures", p.flags.samples)
	}
	return nil
}

// configure fills in what the configuration says, and returns the names of the classes.
func (p *probe) configure() ([]string, error) {
	f := &p.flags
	key, err := readKey(f.keyFile)
	if err != nil {
		return nil, err
	}
	if f.config == "" {
		p.image.Key, p.pixels.Key = key, key
		p.image.Formats = sanitize.ImageFormats() // those of the samples are fit to measure with
		return nil, p.kindOfFlags()
	}
	cfg, err := loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	if f.server == "" {
		if cfg.Upstream.Dialect != config.Triton {
			return nil, fail(exitUsage, "the server's dialect is %s; only a server with Triton's extensions can be probed", cfg.Upstream.Dialect)
		}
		f.server = cfg.Upstream.HTTP
	}
	built, err := cfg.Build(make([]byte, 32)) // its own key stands in below
	if err != nil {
		return nil, configError(err)
	}
	model, err := p.pickModel(built.Policy)
	if err != nil {
		return nil, err
	}
	if err := p.pickInput(model); err != nil {
		return nil, err
	}
	if file := cfg.Keys.SanitizeFile; f.keyFile == "" && file != "" {
		if key, err = sanitize.NewKey(cfg.Contents(file)); err != nil {
			return nil, fail(exitUsage, "keys.sanitize_file: %w", err)
		}
	}
	p.image.Key, p.pixels.Key = key, key
	return p.pickScores(model), nil
}

// kindOfFlags reads what the input is when there is no configuration.
func (p *probe) kindOfFlags() (err error) {
	f := &p.flags
	switch {
	case f.kind == "pixels" && f.encoding != "":
		return fail(exitUsage, "--encoding is for --kind image")
	case f.kind == "pixels" && f.layout == "":
		return fail(exitUsage, "--kind pixels needs --layout, such as NCHW")
	case f.kind == "pixels":
		p.kind = policy.Pixels
		p.pixels.Layout, p.pixels.White = f.layout, f.white
		if f.mean != "" {
			if p.pixels.Mean, err = parseNumbers("mean", f.mean); err != nil {
				return err
			}
		}
		if f.std != "" {
			p.pixels.Std, err = parseNumbers("std", f.std)
		}
		return err
	case f.kind != "" && f.kind != "image":
		return fail(exitUsage, "--kind: image or pixels")
	case f.layout+f.mean+f.std+f.size != "" || f.white != 0:
		return fail(exitUsage, "--layout, --mean, --std, --white and --size are for --kind pixels")
	}
	encodings := map[string]policy.Encoding{"": policy.Raw, "raw": policy.Raw, "base64": policy.Base64, "data-uri": policy.DataURI}
	encoded, ok := encodings[f.encoding]
	if !ok {
		return fail(exitUsage, "--encoding: raw, base64 or data-uri")
	}
	p.kind, p.encoded = policy.Image, encoded
	return nil
}

// pickModel finds the rules of the model.
func (p *probe) pickModel(rules *policy.Policy) (*policy.Model, error) {
	f := &p.flags
	if models := rules.Models(); f.model == "" && len(models) == 1 && !policy.IsGlob(models[0].Pattern) {
		f.model = models[0].Pattern
	}
	if f.model == "" {
		return nil, fail(exitUsage, "the configuration has several models, or a glob; name one with --model")
	}
	m := rules.Model(f.model)
	switch {
	case m == nil:
		return nil, fail(exitUsage, "--model: the configuration has no rules for %q", f.model)
	case m.Protocol != codec.Unknown:
		return nil, fail(exitUsage, "model %q: only models of protocol v2 can be probed", f.model)
	case f.version == "" && len(m.Versions) == 1:
		f.version = m.Versions[0]
	}
	return m, nil
}

// pickInput finds the rules of the input.
func (p *probe) pickInput(m *policy.Model) error {
	f := &p.flags
	if f.kind+f.encoding+f.layout+f.mean+f.std != "" || f.white != 0 {
		return fail(exitUsage, "the configuration says what the input is; leave out --kind, --encoding, --layout, --mean, --std and --white")
	}
	if f.input == "" {
		for name, in := range m.Inputs {
			if in.Kind != policy.Image && in.Kind != policy.Pixels {
				continue
			}
			if f.input != "" {
				return fail(exitUsage, "the configuration has several inputs of pictures; name one with --input")
			}
			f.input = name
		}
	}
	in := m.Inputs[f.input]
	if in.Kind != policy.Pixels && in.Kind != policy.Image {
		return fail(exitUsage, "the configuration has no input %q of kind image or pixels", f.input)
	}
	p.kind, p.encoded, p.image, p.pixels, p.known = in.Kind, in.Encoding, in.Image, in.Pixels, true
	return nil
}

// pickScores finds the output with scores, and the names of its classes.
func (p *probe) pickScores(m *policy.Model) []string {
	f := &p.flags
	for name, out := range m.Outputs {
		if out.Probabilities && (f.scores == "" || f.scores == name) {
			f.scores = name
			return out.Labels
		}
	}
	return nil
}

// chooseProfiles checks the names of the profiles.
func (p *probe) chooseProfiles(defaults string) error {
	list := p.flags.profiles
	if list == "" {
		list = defaults
		configured := max(p.image.Profile, p.pixels.Profile) // one of them is empty
		if defaults == sanitize.ProfileStandard && p.known && configured != "" {
			list = configured
		}
	}
	for name := range strings.SplitSeq(list, ",") {
		err := p.imageOptions(name).Validate()
		if p.kind == policy.Pixels {
			err = p.pixelOptions(name).Validate()
		}
		if err != nil {
			return fail(exitUsage, "--profile: %w", err)
		}
		p.names = append(p.names, name)
	}
	return nil
}

// imageOptions are those of a profile: as configured, with another profile.
func (p *probe) imageOptions(profile string) sanitize.ImageOptions {
	o := p.image
	o.Profile, o.Model, o.Input = profile, p.flags.model, p.flags.input
	if profile != sanitize.ProfileCustom {
		o.Steps = nil
	}
	return o
}

// pixelOptions are the same of kind pixels.
func (p *probe) pixelOptions(profile string) sanitize.PixelOptions {
	o := p.pixels
	o.Profile, o.Model, o.Input = profile, p.flags.model, p.flags.input
	if profile != sanitize.ProfileCustom {
		o.Steps = nil
	}
	return o
}

// profiles are those of the flags.
func (p *probe) profiles() []redteam.Profile {
	var all []redteam.Profile
	for _, name := range p.names {
		if p.kind == policy.Pixels {
			all = append(all, p.model.form.profile(name, p.pixelOptions(name)))
		} else {
			all = append(all, redteam.ImageProfile(name, p.imageOptions(name)))
		}
	}
	return all
}
