package kserve

import (
	"reflect"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// The documents are of the form that tritonserver 24.10 answers with.
const (
	metadataDocument = `{"name":"sign","versions":["1","2"],"platform":"python","inputs":[{"name":"IMAGE","datatype":"BYTES","shape":[-1,1]}],` +
		`"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,5]}]}`
	configDocument = `{"name":"sign","platform":"","backend":"python","max_batch_size":8,` +
		`"input":[{"name":"IMAGE","data_type":"TYPE_STRING","format":"FORMAT_NONE","dims":[1],"is_shape_tensor":false,"optional":false},` +
		`{"name":"HINT","data_type":"TYPE_FP32","format":"FORMAT_NCHW","dims":[3,8,8],"optional":true}],` +
		`"output":[{"name":"SCORES","data_type":"TYPE_FP32","dims":[5],"label_filename":"labels.txt","is_shape_tensor":false},` +
		`{"name":"BEST","data_type":"TYPE_STRING","dims":[1],"label_filename":"","is_shape_tensor":false}],` +
		`"model_transaction_policy":{"decoupled":true},"sequence_batching":{"max_sequence_idle_microseconds":1}}`
)

func TestParseMetadata(t *testing.T) {
	got, err := ParseMetadata([]byte(metadataDocument))
	want := Metadata{Name: "sign", Versions: []string{"1", "2"}, Platform: "python",
		Inputs:  []codec.Spec{{Name: "IMAGE", DataType: tensor.Bytes, Shape: []int64{-1, 1}}},
		Outputs: []codec.Spec{{Name: "SCORES", DataType: tensor.FP32, Shape: []int64{-1, 5}}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		``, `{}`, `[]`, `{"name":"m","inputs":[{"name":"","datatype":"FP32","shape":[1]}]}`,
		`{"name":"m","inputs":[{"name":"X","datatype":"TYPE_FP32","shape":[1]}]}`,
		`{"name":"m","inputs":[{"name":"X","datatype":"FP32","shape":[-2]}]}`,
		`{"name":"m","outputs":[{"name":"X","datatype":"FP32","shape":[1]},{"name":"X","datatype":"FP32","shape":[1]}]}`,
		`{"name":"m","inputs":[{"name":"X","datatype":"FP32","shape":["1"]}]}`, `{"error":"x"}`,
	} {
		if m, err := ParseMetadata([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, m)
		}
	}
}

func TestParseConfig(t *testing.T) {
	got, err := ParseConfig([]byte(configDocument))
	want := ModelConfig{MaxBatchSize: 8, OptionalInputs: []string{"HINT"}, Decoupled: true, Backend: "python", Sequences: true,
		Formats: map[string]string{"HINT": "FORMAT_NCHW"}, LabelFiles: map[string]string{"SCORES": "labels.txt"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	ensemble, err := ParseConfig([]byte(`{"platform":"ensemble","backend":"","ensemble_scheduling":{"step":[]}}`))
	if err != nil || !ensemble.Ensemble || ensemble.Sequences || ensemble.Backend != "ensemble" {
		t.Errorf("an ensemble: %+v, %v", ensemble, err)
	}
	for _, bad := range []string{``, `[]`, `{"max_batch_size":-1}`, `{"max_batch_size":"8"}`} {
		if c, err := ParseConfig([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, c)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(metadataDocument))
	f.Add([]byte(configDocument))
	f.Fuzz(func(t *testing.T, body []byte) {
		if m, err := ParseMetadata(body); err == nil && m.Name == "" {
			t.Error("a model without a name")
		}
		if c, err := ParseConfig(body); err == nil && c.MaxBatchSize < 0 {
			t.Error("a negative batch")
		}
	})
}
