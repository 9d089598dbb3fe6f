package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"weir/deploy/local"
)

// repository makes a model repository of the models of a group: those of this folder,
// and those that come with the tests. A model is called by the last part of its name;
// the parts before tell models of one name in two groups apart.
func repository(deps local.Deps, server, dir string, models []string) error {
	for _, name := range models {
		to := filepath.Join(dir, path.Base(name))
		if err := copyModel(filepath.Join(deps.Root, "deploy", "local", "conformance", "models", name), to); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		source, ok := fetched[name]
		if !ok {
			return fmt.Errorf("there is no model %q", name)
		}
		if err := source.copyTo(filepath.Join(server, "qa"), to); err != nil {
			return fmt.Errorf("model %q: %w", name, err)
		}
	}
	return nil
}

// copyModel copies config.pbtxt, labels and the program of a model.
func copyModel(from, to string) error {
	for _, name := range []string{"config.pbtxt", "labels.txt", filepath.Join("1", "model.py")} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) && name == "labels.txt" {
			continue
		}
		if err != nil {
			return err
		}
		if err := write(filepath.Join(to, name), text); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// fetchedModel is a model among the tests, with the edits that their scripts make.
type fetchedModel struct {
	config  string // path below qa; "": only a backend, which the program completes
	program string // path below qa; "": none, it is an ensemble
	beside  string // path below qa of what the program imports
	edits   [][2]string
	more    string // added to the configuration
}

// python is a model of qa/python_models.
func python(name string, edits ...[2]string) fetchedModel {
	return fetchedModel{config: path.Join("python_models", name, "config.pbtxt"), program: path.Join("python_models", name, "model.py"), edits: edits}
}

// inPlace is a model that is in a folder of a suite, complete.
func inPlace(folder string) fetchedModel {
	return fetchedModel{config: path.Join(folder, "config.pbtxt"), program: path.Join(folder, "1", "model.py")}
}

// ensemble is a configuration that needs no program.
func ensemble(folder string) fetchedModel {
	return fetchedModel{config: path.Join(folder, "config.pbtxt")}
}

// sender is one of the variants of python_models/response_sender.
func sender(program, more string) fetchedModel {
	const folder = "python_models/response_sender/"
	return fetchedModel{config: folder + "config.pbtxt", program: folder + program, beside: folder + "model_common.py", more: more}
}

const (
	decoupled = "model_transaction_policy { decoupled: True }\n"
	batching  = "dynamic_batching { max_queue_delay_microseconds: 500000 }\n"

	decoupledModels = "L0_backend_python/decoupled/models/"
	optionalModels  = "L0_optional_input/models/"
)

var fetched = map[string]fetchedModel{
	"mock_llm":           inPlace("python_models/generate_models/mock_llm"),
	"string_identity":    python("string_identity", [2]string{"[ 1 ]", "[ -1 ]"}),
	"identity_fp32":      python("identity_fp32"),
	"identity_bytes":     python("identity_fp32", [2]string{"TYPE_FP32", "TYPE_STRING"}),
	"nan_inf_output":     inPlace("L0_nan_inf/models/nan_inf_output"),
	"ensemble":           ensemble("L0_parameters/model_repository/ensemble"),
	"parameter":          {program: "L0_parameters/model_repository/parameter/1/model.py"},
	"input_all_required": inPlace("L0_input_validation/models/input_all_required"),
	"input_optional":     inPlace("L0_input_validation/models/input_optional"),
	"input_all_optional": inPlace("L0_input_validation/models/input_all_optional"),

	"identity_uint8": {config: "python_models/identity_fp32/config.pbtxt", program: "python_models/identity_fp32/model.py",
		edits: [][2]string{{"TYPE_FP32", "TYPE_UINT8"}, {"max_batch_size: 64", "max_batch_size: 8"}},
		more:  "dynamic_batching { preferred_batch_size: [8], max_queue_delay_microseconds: 12000000 }\n"},
	"identity_bool":    python("identity_fp32", [2]string{"TYPE_FP32", "TYPE_BOOL"}),
	"optional":         python("optional"),
	"string":           python("string"),
	"string_fixed":     python("string_fixed"),
	"non_contiguous":   python("non_contiguous"),
	"add_sub":          python("add_sub"),
	"llm":              {config: "L0_backend_python/io/requested_output_model/config.pbtxt", program: "L0_backend_python/io/requested_output_model/model.py"},
	"ensemble_io":      ensemble("python_models/ensemble_io"),
	"backend/ensemble": ensemble("python_models/ensemble"),
	"add_sub_1":        python("add_sub"),
	"add_sub_2":        python("add_sub"),

	"decoupled_bls_stream":                inPlace(decoupledModels + "decoupled_bls_stream"),
	"decoupled_bls_cancel":                inPlace(decoupledModels + "decoupled_bls_cancel"),
	"decoupled_bls_async_cancel":          inPlace(decoupledModels + "decoupled_bls_async_cancel"),
	"decoupled_bls_cancel_after_complete": inPlace(decoupledModels + "decoupled_bls_cancel_after_complete"),
	"decoupled_execute_error":             inPlace(decoupledModels + "decoupled_execute_error"),
	"decoupled_raise_exception":           inPlace(decoupledModels + "decoupled_raise_exception"),
	"decoupled_return_response_error":     inPlace(decoupledModels + "decoupled_return_response_error"),
	"decoupled_send_after_close_error":    inPlace(decoupledModels + "decoupled_send_after_close_error"),
	"execute_cancel":                      {config: "python_models/execute_cancel/config.pbtxt", program: "python_models/execute_cancel/model.py", more: decoupled},
	"response_sender_until_cancelled":     python("response_sender_until_cancelled"),

	"response_parameters":           python("response_parameters"),
	"response_parameters_bls":       python("response_parameters_bls"),
	"response_parameters_decoupled": python("response_parameters_decoupled"),
	"bls_parameters":                python("bls_parameters"),
	"iterative_sequence":            python("iterative_sequence"),
	"request_rescheduling_addsub":   python("request_rescheduling_addsub"),

	"response_sender":                          sender("model.py", ""),
	"response_sender_decoupled":                sender("model.py", decoupled),
	"response_sender_async":                    sender("model_async.py", ""),
	"response_sender_decoupled_async":          sender("model_async.py", decoupled),
	"response_sender_batching":                 sender("model.py", batching),
	"response_sender_decoupled_batching":       sender("model.py", decoupled+batching),
	"response_sender_async_batching":           sender("model_async.py", batching),
	"response_sender_decoupled_async_batching": sender("model_async.py", decoupled+batching),
	"response_sender_complete_final":           python("response_sender_complete_final"),

	"ensemble_identity_2_float32": ensemble(optionalModels + "ensemble_identity_2_float32"),
	"pipeline_identity_2_float32": ensemble(optionalModels + "pipeline_identity_2_float32"),
	"optional_connecting_tensor":  ensemble(optionalModels + "optional_connecting_tensor"),
	"optional_identity":           inPlace(optionalModels + "optional_identity"),
}

// ownName is the name in a configuration, which is that of the folder without it.
var ownName = regexp.MustCompile(`(?m)^name:.*$`)

func (m fetchedModel) copyTo(qa, dir string) error {
	var err error
	settings := []byte("backend: \"python\"\n")
	if m.config != "" {
		if settings, err = os.ReadFile(filepath.Join(qa, m.config)); err != nil {
			return err
		}
	}
	settings = ownName.ReplaceAll(settings, nil)
	for _, edit := range m.edits {
		settings = bytes.ReplaceAll(settings, []byte(edit[0]), []byte(edit[1]))
	}
	if err := write(filepath.Join(dir, "config.pbtxt"), append(settings, "\n"+m.more...)); err != nil {
		return err
	}
	if m.program == "" {
		return os.MkdirAll(filepath.Join(dir, "1"), 0o755)
	}
	if m.beside != "" {
		if err := copyFile(filepath.Join(qa, m.beside), filepath.Join(dir, "1", path.Base(m.beside))); err != nil {
			return err
		}
	}
	return copyFile(filepath.Join(qa, m.program), filepath.Join(dir, "1", "model.py"))
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return write(to, text)
}
