package config

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

func (v *validator) models() {
	if len(v.c.Models) == 0 && !v.c.source.given("models") {
		v.warn("models", "no models: every inference is refused")
	}
	first := map[string]int{}
	for i := range v.c.Models {
		m, path := &v.c.Models[i], fmt.Sprintf("models[%d]", i)
		if j, twice := first[m.Name]; twice && m.Name != "" {
			v.fail(path+".name", "models[%d] has the same name %s", j, quote(m.Name))
		} else {
			first[m.Name] = i
		}
		v.model(m, path)
	}
	v.uploadModels()
}

func (v *validator) model(m *Model, at string) {
	v.name(at+".name", m.Name)
	if _, err := path.Match(m.Name, ""); err != nil {
		v.fail(at+".name", "is not a valid glob: a [ or \\ without its end")
	}
	for i, version := range m.Versions {
		v.version(m, i, fmt.Sprintf("%s.versions[%d]", at, i), version)
	}
	v.mode(at+".mode", m.Mode, "the model")
	if len(m.Inputs) == 0 {
		v.fail(at+".inputs", "required: an input that is not declared is refused")
	}
	for _, name := range sorted(m.Inputs) {
		v.name(join(at+".inputs", name), name)
		v.input(m.Inputs[name], join(at+".inputs", name))
		v.encoding(m, m.Inputs[name], join(at+".inputs", name)+".encoding")
	}
	for _, name := range sorted(m.Outputs) {
		v.name(join(at+".outputs", name), name)
		v.output(m.Outputs[name], join(at+".outputs", name))
	}
	for i, name := range m.Parameters {
		v.name(fmt.Sprintf("%s.parameters[%d]", at, i), name)
		if slices.Index(m.Parameters, name) < i {
			v.fail(fmt.Sprintf("%s.parameters[%d]", at, i), "is listed twice")
		}
	}
	v.checks(m, at)
	v.drift(m, at+".drift")
	switch m.Protocol {
	case OpenAI:
		v.openAIModel(m, at)
	case Upload:
		v.uploadModel(m, at)
	}
}

// version checks a version: Triton's are folders named by a positive number.
func (v *validator) version(m *Model, i int, path, version string) {
	if n, err := parseDigits(version); err != nil || n < 1 || len(version) > 18 {
		v.fail(path, "a version is a whole number above 0, of at most 18 digits and without leading zeros, got %s", quote(version))
	} else if slices.Index(m.Versions, version) < i {
		v.fail(path, "version %s is listed twice", version)
	}
}

// name checks a name of the model server's.
func (v *validator) name(path, name string) {
	switch {
	case name == "":
		v.fail(path, "required: a name")
	case int64(len(name)) > v.c.Limits.MaxNameBytes:
		v.fail(path, "is longer than limits.max_name_bytes (%d)", v.c.Limits.MaxNameBytes)
	}
}

func (v *validator) output(out Output, path string) {
	if out.Kind == "" {
		v.fail(path+".kind", "required: one of %s", strings.Join(out.Kind.names(), ", "))
	} else if out.Labels != "" && out.Kind != Probabilities {
		v.fail(path+".labels", "applies to kind probabilities only")
	}
}

func (v *validator) checks(m *Model, at string) {
	first := map[string]int{}
	for i := range m.Checks {
		c, path := &m.Checks[i], fmt.Sprintf("%s.checks[%d]", at, i)
		if strings.Trim(c.Name, nameLetters) != "" || c.Name == "" || len(c.Name) > 63 {
			v.fail(path+".name", "required: 1 to 63 letters, digits, - and _")
		} else if j, twice := first[c.Name]; twice {
			v.fail(path+".name", "checks[%d] has the same name %s", j, quote(c.Name))
		} else {
			first[c.Name] = i
		}
		if v.c.source.given(path+".min_confidence") && !(c.MinConfidence > 0 && c.MinConfidence <= 1) {
			v.fail(path+".min_confidence", "must be above 0 and at most 1")
		}
		if !c.Finite && !v.c.source.given(path+".min_confidence") && !v.unread(path+".finite") {
			v.fail(path, "checks nothing: set min_confidence or finite: true")
		}
		v.watched(m, path+".output", c.Output, c.fits())
		v.mode(path+".mode", c.Mode, "the check")
	}
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// watched checks that a name is that of a declared output of a kind that fits.
func (v *validator) watched(m *Model, path, name string, kinds []OutputKind) {
	out, declared := m.Outputs[name]
	switch {
	case name == "" && !v.c.source.given(path):
		v.fail(path, "required: the model does not have exactly one output of kind %s", strings.Join(list(kinds...), " or "))
	case !declared:
		v.failHint(path, "no output "+quote(name)+" is declared", didYouMean(name, sorted(m.Outputs)))
	case out.Kind != "" && !slices.Contains(kinds, out.Kind):
		v.fail(path, "output %s is of kind %s; needed is %s", quote(name), out.Kind, strings.Join(list(kinds...), " or "))
	}
}

func (v *validator) drift(m *Model, path string) {
	d := &m.Drift
	if d.Baseline != "" || d.Output != "" {
		v.watched(m, path+".output", d.Output, []OutputKind{Probabilities})
	}
	switch {
	case d.Baseline != "":
	case hasProbabilities(m) && d.Output == "":
		v.warn(path+".output", "several outputs are of kind probabilities: none is watched or recorded until one is named")
	case hasProbabilities(m):
		v.warn(path, "no baseline: drift of the outputs is not detected")
	case v.c.source.given(path):
		v.warn(path, "no output of kind probabilities: drift of the outputs is not detected")
	}
	v.bounds(path, reflect.ValueOf(*d))
	if d.MeanTimeBetweenFalseAlarms/10 < d.Block {
		v.fail(path+".mean_time_between_false_alarms", "must be at least ten times block (%s)", d.Block)
	}
	if !(d.Tolerance >= 0 && d.Tolerance < 0.5) {
		v.fail(path+".tolerance", "must be from 0 to below 0.5")
	}
}

// hasProbabilities reports whether there is an output whose drift can be detected.
func hasProbabilities(m *Model) bool {
	for _, out := range m.Outputs {
		if out.Kind == Probabilities {
			return true
		}
	}
	return false
}

// sorted lists the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
