package main

import (
	"fmt"
	"path"
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

const (
	oneTensor  = "{INPUT0: {kind: tensor}}"
	twoTensors = "{INPUT0: {kind: tensor}, INPUT1: {kind: tensor}}"
	placed     = "{INPUT0: {kind: tensor}, GPU_OUTPUT: {kind: tensor}}"
	summed     = "{INPUT: {kind: tensor}, MAX_SUM: {kind: tensor}, IGNORE_CANCEL: {kind: tensor}}"
	sent       = "{NUMBER_OF_RESPONSE_BEFORE_RETURN: {kind: tensor}, SEND_COMPLETE_FINAL_FLAG_BEFORE_RETURN: {kind: tensor}, " +
		"RETURN_A_RESPONSE: {kind: tensor}, NUMBER_OF_RESPONSE_AFTER_RETURN: {kind: tensor}, " +
		"SEND_COMPLETE_FINAL_FLAG_AFTER_RETURN: {kind: tensor}}"
)

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

	"identity_uint8":                      oneTensor,
	"identity_bool":                       oneTensor,
	"identity_bf16":                       oneTensor,
	"optional":                            twoTensors,
	"string":                              "{INPUT0: {kind: text}}",
	"string_fixed":                        "{INPUT0: {kind: text}}",
	"non_contiguous":                      oneTensor,
	"init_args":                           "{IN: {kind: tensor}}",
	"add_sub":                             twoTensors,
	"add_sub_1":                           twoTensors,
	"add_sub_2":                           twoTensors,
	"backend/ensemble":                    twoTensors,
	"llm":                                 "{text_input: {kind: text}}",
	"ensemble_io":                         placed,
	"dlpack_io_identity_decoupled":        placed,
	"io/dlpack_io_identity_1":             placed,
	"io/dlpack_io_identity_2":             placed,
	"io/dlpack_io_identity_3":             placed,
	"io_decoupled/dlpack_io_identity_1":   placed,
	"io_decoupled/dlpack_io_identity_2":   placed,
	"io_decoupled/dlpack_io_identity_3":   placed,
	"decoupled_bls_stream":                "{IN: {kind: tensor}}",
	"decoupled_bls_cancel":                summed,
	"decoupled_bls_async_cancel":          summed,
	"decoupled_bls_cancel_after_complete": summed,
	"decoupled_execute_error":             "{IN: {kind: tensor}}",
	"decoupled_raise_exception":           "{IN: {kind: tensor}}",
	"decoupled_return_response_error":     twoTensors,
	"decoupled_send_after_close_error":    twoTensors,
	"execute_cancel":                      "{EXECUTE_DELAY: {kind: tensor}}",
	"response_sender_until_cancelled": "{MAX_RESPONSE_COUNT: {kind: tensor}, DELAY: {kind: tensor}, INPUT: {kind: tensor}, " +
		"IGNORE_CANCEL: {kind: tensor}}",
	"square_int32":                             "{IN: {kind: tensor}}",
	"response_parameters":                      "{RESPONSE_PARAMETERS: {kind: text}}",
	"response_parameters_decoupled":            "{RESPONSE_PARAMETERS: {kind: text}}",
	"response_parameters_bls":                  "{RESPONSE_PARAMETERS: {kind: text}, RESPONSE_PARAMETERS_DECOUPLED: {kind: text}}",
	"bls_parameters":                           "{NUMBER_PARAMETERS: {kind: tensor}}",
	"iterative_sequence":                       "{IN: {kind: tensor}}",
	"request_rescheduling_addsub":              twoTensors,
	"response_sender":                          sent,
	"response_sender_decoupled":                sent,
	"response_sender_async":                    sent,
	"response_sender_decoupled_async":          sent,
	"response_sender_batching":                 sent,
	"response_sender_decoupled_batching":       sent,
	"response_sender_async_batching":           sent,
	"response_sender_decoupled_async_batching": sent,
	"response_sender_complete_final":           oneTensor,
	"identity_2_float32":                       twoTensors,
	"ensemble_identity_2_float32":              twoTensors,
	"pipeline_identity_2_float32":              twoTensors,
	"optional_connecting_tensor":               twoTensors,
	"optional_identity":                        twoTensors,
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
		fmt.Fprintf(&b, "  - name: %s\n    inputs: %s\n", path.Base(name), rules[name])
		if len(parameters) > 0 {
			fmt.Fprintf(&b, "    parameters: [%s]\n", strings.Join(parameters, ", "))
		}
	}
	return b.String()
}
