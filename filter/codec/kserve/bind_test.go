package kserve

import (
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// TestOutputsWithoutJSON holds that what has no JSON form is refused before a model
// runs, if the client names it.
func TestOutputsWithoutJSON(t *testing.T) {
	signature := &codec.Signature{Outputs: []codec.Spec{{Name: "H", DataType: tensor.FP16}, {Name: "F", DataType: tensor.FP32},
		{Name: "B", DataType: tensor.BF16}, {Name: "S", DataType: tensor.Bytes}}}
	for _, v := range []struct {
		output codec.Output
		want   string
	}{
		{codec.Output{Name: "H"}, "datatype_invalid"},
		{codec.Output{Name: "H", Binary: true}, "ok"},
		{codec.Output{Name: "B"}, "datatype_invalid"},
		{codec.Output{Name: "B", Binary: true}, "ok"},
		{codec.Output{Name: "F"}, "ok"},
		{codec.Output{Name: "S"}, "ok"},
		{codec.Output{Name: "Q"}, "ok"}, // MatchRequest knows it not
	} {
		request := &codec.Request{Outputs: []codec.Output{{Name: "F"}, v.output}}
		if err := newCodec(t).BindRequest(request, signature); reasonOf(t, err) != v.want {
			t.Errorf("%+v: %v, want %s", v.output, err, v.want)
		}
	}
}
