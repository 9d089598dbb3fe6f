package upstream

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/sanitize/tensor"
)

func TestDescribe(t *testing.T) {
	c, answers := server(t)
	answers["GET /v2/models/m/versions/2/config"] = `{"name":"m","backend":"python","max_batch_size":8,"input":[{"name":"A"},{"name":"B","optional":true,"format":"FORMAT_NHWC"}]}`
	want := Description{
		Metadata: kserve.Metadata{Name: "m", Versions: []string{"1", "2"}, Platform: "python",
			Inputs: []codec.Spec{{Name: "A", DataType: tensor.Bytes, Shape: []int64{-1, 1}},
				{Name: "B", DataType: tensor.FP32, Shape: []int64{-1, 2}, Optional: true}},
			Outputs: []codec.Spec{{Name: "X", DataType: tensor.FP32, Shape: []int64{-1, 3}}}},
		Config: &kserve.ModelConfig{MaxBatchSize: 8, OptionalInputs: []string{"B"}, Backend: "python",
			Formats: map[string]string{"B": "FORMAT_NHWC"}, LabelFiles: map[string]string{}},
	}
	if got, err := c.Describe(t.Context(), "m", "2"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Describe = %+v, %v, want %+v", got, err, want)
	}
	if got, err := c.Describe(t.Context(), "m", ""); err != nil || got.Config != nil || len(got.Versions) != 2 {
		t.Errorf("a model without a configuration: %+v, %v", got, err)
	}
	answers["GET /v2/models/m/versions/2/config"] = "{"
	for _, version := range []string{"1", "2"} { // one that is not there, one whose configuration is broken
		if got, err := c.Describe(t.Context(), "m", version); err == nil {
			t.Errorf("version %s is %+v", version, got)
		}
	}
}

func TestServer(t *testing.T) {
	c, answers := server(t)
	answers["GET /v2"] = `{"name":"triton","version":"2.51.0","extensions":["classification","binary_tensor_data"]}`
	want := Server{Name: "triton", Version: "2.51.0", Extensions: []string{"classification", "binary_tensor_data"}}
	if got, err := c.Server(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Server = %+v, %v", got, err)
	}
	answers["GET /v2"] = "<html>"
	if got, err := c.Server(t.Context()); err == nil {
		t.Errorf("no JSON is %+v", got)
	}
}

// The list comes sorted, from whichever of the two endpoints the server has.
func TestList(t *testing.T) {
	c, answers := server(t)
	answers["POST /v2/repository/index"] = `[{"name":"z","version":"1","state":"READY"},{"name":"a","version":"2","state":"UNAVAILABLE","reason":"no file"},{"name":"a","version":"1"}]`
	want := []Listed{{"a", "2", "UNAVAILABLE", "no file"}, {Name: "a", Version: "1"}, {Name: "z", Version: "1", State: "READY"}}
	if got, err := c.List(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List = %+v, %v, want %+v", got, err, want)
	}
	delete(answers, "POST /v2/repository/index")
	answers["GET /v2/models"] = `{"models":["m","a"]}`
	if got, err := c.List(t.Context()); err != nil || !reflect.DeepEqual(got, []Listed{{Name: "a"}, {Name: "m"}}) {
		t.Errorf("List = %+v, %v", got, err)
	}
	for _, broken := range []string{`[]`, `{`, strings.Repeat(" ", maxDescription+1)} {
		answers["GET /v2/models"] = broken
		if got, err := c.List(t.Context()); err == nil {
			t.Errorf("%.10s is %+v", broken, got)
		}
	}
	delete(answers, "GET /v2/models")
	if got, err := c.List(t.Context()); err == nil || !strings.Contains(err.Error(), "list of models: status 400") {
		t.Errorf("a server that lists nothing: %+v, %v", got, err)
	}

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c = NewClient(gone.URL, time.Second)
	defer c.Close()
	if got, err := c.List(t.Context()); err == nil || refused(err) {
		t.Errorf("no server: %+v, %v", got, err)
	}
}
