package main

import (
	"fmt"
	"slices"
	"strings"
)

// profile is a way to reach the models.
type profile int

const (
	bare   profile = iota // Triton alone
	closed                // through Weir, which opens nothing beside inference
	open                  // through Weir, which opens what NVIDIA's clients ask for
)

var profiles = []profile{bare, closed, open}

func (p profile) String() string { return [...]string{"Triton alone", "default", "open"}[p] }

// rules are the inputs of each model, as in weir.yaml.
var rules = map[string]string{
	"simple":                        "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}}",
	"simple_int8":                   "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}}",
	"simple_string":                 "{INPUT0: {kind: text}, INPUT1: {kind: text}}",
	"simple_identity":               "{INPUT0: {kind: opaque}}", // gets bytes that are no text
	"simple_identity_int64":         "{INPUT0: {kind: tensor}}",
	"simple_sequence":               "{INPUT: {kind: tensor}}",
	"simple_dyna_sequence":          "{INPUT: {kind: tensor}}",
	"simple_string_dyna_sequence":   "{INPUT: {kind: tensor}}",
	"repeat_int32":                  "{IN: {kind: tensor}, DELAY: {kind: tensor}, WAIT: {kind: tensor}}",
	"custom_identity_int32":         "{INPUT0: {kind: tensor}}",
	"densenet_onnx":                 "{data_0: {kind: tensor}}",
	"preprocess_inception_ensemble": "{INPUT: {kind: image}}",
	"onnx_zero_1_float32":           "{INPUT0: {kind: tensor}}",
	"onnx_zero_1_float32_queue":     "{INPUT0: {kind: tensor}}",
	"onnx_zero_1_float16":           "{INPUT0: {kind: tensor}}",
	"onnx_zero_1_object":            "{INPUT0: {kind: text}}",
	"onnx_zero_1_object_1_element":  "{INPUT0: {kind: text}}",
	"onnx_zero_3_float32":           "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}, INPUT2: {kind: tensor}}",
	"mock_llm":                      "{PROMPT: {kind: text}, STREAM: {kind: tensor}, input_ids: {kind: tensor}}",
	"string_identity":               "{INPUT0: {kind: opaque}}",
	"identity_fp32":                 "{INPUT0: {kind: tensor}}",
	"identity_bytes":                "{INPUT0: {kind: text}}",
	"nan_inf_output":                "{INPUT0: {kind: tensor}}",
	"parameter":                     "{INPUT0: {kind: tensor}}",
	"ensemble":                      "{INPUT0: {kind: tensor}}",
	"identity":                      "{INPUT0: {kind: tensor}}",
	"pt_identity":                   "{INPUT0: {kind: tensor}}",
	"onnx_object_int32_int32":       "{INPUT0: {kind: text}, INPUT1: {kind: text}}",
	"input_all_required":            "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}, INPUT2: {kind: tensor}}",
	"input_optional":                "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}, INPUT2: {kind: tensor}, INPUT3: {kind: tensor}}",
	"input_all_optional":            "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}, INPUT2: {kind: tensor}}",
}

// steers are parameters that a model of the suites is made to obey.
var steers = map[string][]string{
	"mock_llm":  {"REPETITION", "FAIL_LAST", "DELAY", "OUTPUT_0_DIM", "param", "abc", "other"},
	"parameter": {"key1", "key2"},
	"ensemble":  {"key1", "key2"},
}

// config is the part of weir.yaml that depends on the profile and the models.
func config(p profile, models []string) string {
	var b strings.Builder
	if p == open {
		b.WriteString("endpoints: [config, statistics, repository_index]\n")
	}
	b.WriteString("models:\n")
	for _, name := range models {
		parameters := slices.Clone(steers[name])
		if p == open && strings.HasSuffix(name, "_sequence") {
			parameters = append(parameters, "sequence_id", "sequence_start", "sequence_end")
		}
		fmt.Fprintf(&b, "  - name: %s\n    inputs: %s\n", name, rules[name])
		if len(parameters) > 0 {
			fmt.Fprintf(&b, "    parameters: [%s]\n", strings.Join(parameters, ", "))
		}
	}
	return b.String()
}
