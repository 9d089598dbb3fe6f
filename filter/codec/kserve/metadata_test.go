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
		`{"name":"HINT","data_type":"TYPE_FP32","dims":[1],"optional":true}],"model_transaction_policy":{"decoupled":true}}`
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
	want := ModelConfig{MaxBatchSize: 8, OptionalInputs: []string{"HINT"}, Decoupled: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
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
