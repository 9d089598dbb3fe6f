package kserve

import (
	"cmp"
	"encoding/json"
	"fmt"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// Metadata is what a model server says of a model: the answer to
// GET /v2/models/{model}. It is read from Weir's own call, not from a client.
type Metadata struct {
	Name     string
	Versions []string // those that are served
	Platform string
	Inputs   []codec.Spec
	Outputs  []codec.Spec
}

// ParseMetadata parses the metadata of a model. It fails if a tensor has no name,
// a name stands twice, or a datatype or dimension is not one of the V2 protocol.
func ParseMetadata(body []byte) (Metadata, error) {
	var wire struct {
		Name     string       `json:"name"`
		Versions []string     `json:"versions"`
		Platform string       `json:"platform"`
		Inputs   []wireTensor `json:"inputs"`
		Outputs  []wireTensor `json:"outputs"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return Metadata{}, fmt.Errorf("model metadata: %w", err)
	}
	if wire.Name == "" {
		return Metadata{}, fmt.Errorf("model metadata: no name")
	}
	m := Metadata{Name: wire.Name, Versions: wire.Versions, Platform: wire.Platform}
	var err error
	if m.Inputs, err = signature(wire.Inputs); err != nil {
		return Metadata{}, fmt.Errorf("metadata of model %q: inputs: %w", m.Name, err)
	}
	if m.Outputs, err = signature(wire.Outputs); err != nil {
		return Metadata{}, fmt.Errorf("metadata of model %q: outputs: %w", m.Name, err)
	}
	return m, nil
}

type wireTensor struct {
	Name     string  `json:"name"`
	DataType string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

func signature(list []wireTensor) ([]codec.Spec, error) {
	var names []string
	tensors := make([]codec.Spec, len(list))
	for i, t := range list {
		d, err := tensor.ParseDataType(t.DataType)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		for _, dimension := range t.Shape {
			if dimension < -1 {
				return nil, fmt.Errorf("tensor %q: dimension %d", t.Name, dimension)
			}
		}
		tensors[i] = codec.Spec{Name: t.Name, DataType: d, Shape: t.Shape}
		names = append(names, t.Name)
	}
	for i, name := range names {
		if name == "" {
			return nil, fmt.Errorf("tensor %d has no name", i)
		}
	}
	if i := duplicate(names); i >= 0 {
		return nil, fmt.Errorf("tensor %q stands twice", names[i])
	}
	return tensors, nil
}

// ModelConfig is what Weir reads of Triton's model configuration, the answer to
// GET /v2/models/{model}/config (model_config.proto).
type ModelConfig struct {
	MaxBatchSize   int      // 0: the first dimension is not a batch
	OptionalInputs []string // inputs that a request may leave out
	Decoupled      bool     // the model may answer a request not once, but any number of times
	Backend        string   // "python", "onnxruntime"; of older configurations the platform
	Sequences      bool     // the model keeps state between the requests of a sequence
	Ensemble       bool     // the model hands its inputs on to others
	// Formats are those that inputs say to have, by name: "FORMAT_NHWC".
	Formats map[string]string
	// LabelFiles name the classes of outputs, by name; they lie beside the
	// configuration.
	LabelFiles map[string]string
}

// ParseConfig parses a model configuration.
func ParseConfig(body []byte) (ModelConfig, error) {
	var wire struct {
		MaxBatchSize int    `json:"max_batch_size"`
		Backend      string `json:"backend"`
		Platform     string `json:"platform"`
		Inputs       []struct {
			Name     string `json:"name"`
			Optional bool   `json:"optional"`
			Format   string `json:"format"`
		} `json:"input"`
		Outputs []struct {
			Name   string `json:"name"`
			Labels string `json:"label_filename"`
		} `json:"output"`
		Transaction struct {
			Decoupled bool `json:"decoupled"`
		} `json:"model_transaction_policy"`
		Sequences *struct{} `json:"sequence_batching"`
		Ensemble  *struct{} `json:"ensemble_scheduling"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return ModelConfig{}, fmt.Errorf("model configuration: %w", err)
	}
	if wire.MaxBatchSize < 0 {
		return ModelConfig{}, fmt.Errorf("model configuration: max_batch_size %d", wire.MaxBatchSize)
	}
	config := ModelConfig{MaxBatchSize: wire.MaxBatchSize, Decoupled: wire.Transaction.Decoupled,
		Backend: cmp.Or(wire.Backend, wire.Platform), Sequences: wire.Sequences != nil, Ensemble: wire.Ensemble != nil,
		Formats: map[string]string{}, LabelFiles: map[string]string{}}
	for _, input := range wire.Inputs {
		if input.Optional {
			config.OptionalInputs = append(config.OptionalInputs, input.Name)
		}
		if input.Format != "" && input.Format != "FORMAT_NONE" {
			config.Formats[input.Name] = input.Format
		}
	}
	for _, output := range wire.Outputs {
		if output.Labels != "" {
			config.LabelFiles[output.Name] = output.Labels
		}
	}
	return config, nil
}
