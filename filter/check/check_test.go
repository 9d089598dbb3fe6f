package check

import (
	"encoding/binary"
	"math"
	"testing"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize/tensor"
)

func fp32(name string, shape []int64, values ...float32) tensor.Tensor {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return tensor.Tensor{Name: name, DataType: tensor.FP32, Shape: shape, Data: data}
}

func fp16(name string, shape []int64, bits ...uint16) tensor.Tensor {
	var data []byte
	for _, v := range bits {
		data = binary.LittleEndian.AppendUint16(data, v)
	}
	return tensor.Tensor{Name: name, DataType: tensor.FP16, Shape: shape, Data: data}
}

func TestRows(t *testing.T) {
	labels := policy.Output{Probabilities: true, Labels: []string{"a", "b", "c"}}
	for name, tc := range map[string]struct {
		rule policy.Output
		t    tensor.Tensor
		want []Row // Entropy is not compared
		ok   bool
	}{
		"one row":       {labels, fp32("P", []int64{3}, 0.2, 0.7, 0.1), []Row{{Confidence: 0.7, Class: "b"}}, true},
		"a batch":       {labels, fp32("P", []int64{2, 3}, 0.2, 0.7, 0.1, 1, 0, 0), []Row{{Confidence: 0.7, Class: "b"}, {Confidence: 1, Class: "a"}}, true},
		"no labels":     {policy.Output{}, fp32("P", []int64{2}, 0.25, 0.75), []Row{{Confidence: 0.75, Class: "1"}}, true},
		"half floats":   {policy.Output{}, fp16("P", []int64{2}, 0x3400, 0x3a00), []Row{{Confidence: 0.75, Class: "1"}}, true},
		"empty batch":   {labels, fp32("P", []int64{0, 3}), nil, true},
		"one class":     {labels, fp32("P", []int64{1}, 1), nil, false},
		"scalar":        {labels, fp32("P", nil, 1), nil, false},
		"logits":        {labels, fp32("P", []int64{3}, 4, 7, -1), nil, false},
		"no sum of one": {labels, fp32("P", []int64{3}, 0.2, 0.2, 0.2), nil, false},
		"not a number":  {labels, fp32("P", []int64{3}, float32(math.NaN()), 0.5, 0.5), nil, false},
		"infinite":      {labels, fp32("P", []int64{3}, float32(math.Inf(1)), 0, 0), nil, false},
		"integers":      {labels, tensor.Tensor{Name: "P", DataType: tensor.Int8, Shape: []int64{3}, Data: []byte{1, 0, 0}}, nil, false},
	} {
		rows, err := Rows(tc.rule, &tc.t)
		if (err == nil) != tc.ok || len(rows) != len(tc.want) {
			t.Errorf("%s: %+v, %v", name, rows, err)
			continue
		}
		for i, r := range rows {
			if math.Abs(r.Confidence-tc.want[i].Confidence) > 1e-6 || r.Class != tc.want[i].Class || r.Entropy < 0 || r.Entropy > 1 {
				t.Errorf("%s: row %d = %+v, want %+v", name, i, r, tc.want[i])
			}
		}
	}
}

func TestOutputsFailClosed(t *testing.T) {
	m := &policy.Model{Checks: []policy.Check{
		{Name: "floor", Output: "P", MinConfidence: 0.5, Action: policy.Flag},
		{Name: "numbers", Output: "Q", Finite: true, Action: policy.Flag},
	}}
	findings := Read(&policy.Plan{Model: m}, &codec.Response{}).Findings() // both outputs are missing
	if len(findings) != 2 {
		t.Fatalf("findings %+v, want one for each check", findings)
	}
	for _, f := range findings {
		if f.Reason != policy.OutputUnreadable || f.Action != policy.Block {
			t.Errorf("%+v, want it to block whatever the check's action", f)
		}
	}
}

func TestFiniteLooksAtEveryElement(t *testing.T) {
	m := &policy.Model{Checks: []policy.Check{{Name: "numbers", Output: "Q", Finite: true, Action: policy.Flag}}}
	for name, tc := range map[string]struct {
		t    tensor.Tensor
		want policy.Reason
	}{
		"finite":       {fp32("Q", []int64{3}, 1, -2, math.MaxFloat32), ""},
		"NaN at last":  {fp32("Q", []int64{3}, 1, 2, float32(math.NaN())), policy.OutputNotFinite},
		"infinity":     {fp32("Q", []int64{1}, float32(math.Inf(-1))), policy.OutputNotFinite},
		"half NaN":     {fp16("Q", []int64{1}, 0x7e01), policy.OutputNotFinite},
		"whole number": {tensor.Tensor{Name: "Q", DataType: tensor.Int8, Shape: []int64{1}, Data: []byte{255}}, ""},
		"text":         {tensor.Tensor{Name: "Q", DataType: tensor.Bytes, Shape: []int64{1}, Data: []byte("\x03\x00\x00\x00NaN")}, ""},
	} {
		findings := Read(&policy.Plan{Model: m}, &codec.Response{Outputs: []tensor.Tensor{tc.t}}).Findings()
		got := policy.Reason("")
		if len(findings) > 0 {
			got = findings[0].Reason
		}
		if got != tc.want {
			t.Errorf("%s: found %q, want %q", name, got, tc.want)
		}
	}
}

// A finding tells the operator what was found against what, in which row.
func TestLowConfidenceIsMeasured(t *testing.T) {
	m := &policy.Model{Checks: []policy.Check{{Name: "floor", Output: "P", MinConfidence: 0.5, Action: policy.Flag, Mode: policy.Shadow}}}
	response := &codec.Response{Outputs: []tensor.Tensor{fp32("P", []int64{3, 3}, 0.75, 0.25, 0, 0.375, 0.25, 0.375, 0.375, 0.375, 0.25)}}
	findings := Read(&policy.Plan{Model: m}, response).Findings()
	want := policy.Finding{Rule: "floor", Part: "P", Reason: policy.LowConfidence, Detail: `output "P": row 1 is below the confidence floor`,
		Action: policy.Flag, Mode: policy.Shadow, Measured: policy.Measured{Of: "confidence", Value: 0.375, Threshold: 0.5, Index: 1}}
	if len(findings) != 1 || findings[0] != want {
		t.Errorf("found %+v, want %+v", findings, want)
	}
}

func TestWatched(t *testing.T) {
	m := &policy.Model{Drift: &policy.Drift{Output: "P"}}
	response := &codec.Response{Outputs: []tensor.Tensor{fp32("P", []int64{1, 2}, 0.25, 0.75)}}
	if rows, err := Read(&policy.Plan{Model: m}, response).Watched(); err != nil || len(rows) != 1 {
		t.Errorf("Watched = %v, %v", rows, err)
	}
	if _, err := Read(&policy.Plan{Model: m}, &codec.Response{}).Watched(); err == nil {
		t.Error("a watched output that is missing gives no error")
	}
	if rows, err := Read(&policy.Plan{Model: &policy.Model{}}, response).Watched(); rows != nil || err != nil {
		t.Errorf("a model that is not watched: %v, %v", rows, err)
	}
}

// An answer to fewer rows than were asked about, or to none, passes no check.
func TestEveryRowOfTheBatchIsAnswered(t *testing.T) {
	m := &policy.Model{Drift: &policy.Drift{Output: "P"},
		Checks: []policy.Check{{Name: "floor", Output: "P", MinConfidence: 0.5, Action: policy.Flag}}}
	two := fp32("P", []int64{2, 2}, 0.25, 0.75, 0.75, 0.25)
	for name, tc := range map[string]struct {
		batch int64
		t     tensor.Tensor
		ok    bool
	}{
		"all":         {2, two, true},
		"no batches":  {0, two, true},
		"fewer":       {3, two, false},
		"more":        {1, two, false},
		"none":        {1, fp32("P", []int64{0, 2}), false},
		"transposed":  {1, fp32("P", []int64{2, 1, 2}, 0.25, 0.75, 0.75, 0.25), false},
		"not batched": {1, fp32("P", nil, 1), false},
	} {
		plan, response := &policy.Plan{Model: m, Batch: tc.batch}, &codec.Response{Outputs: []tensor.Tensor{tc.t}}
		findings := Read(plan, response).Findings()
		if tc.ok != (len(findings) == 0) || !tc.ok && (findings[0].Reason != policy.OutputUnreadable || findings[0].Action != policy.Block) {
			t.Errorf("%s: findings %+v", name, findings)
		}
		if _, err := Read(plan, response).Watched(); (err == nil) != tc.ok {
			t.Errorf("%s: Watched: %v", name, err)
		}
	}
}
