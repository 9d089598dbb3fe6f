package codec

import (
	"errors"
	"testing"

	"weir/sanitize/tensor"
)

func spec() *Signature {
	return &Signature{Model: "m", Version: "1", MaxBatchSize: 4,
		Inputs:  []Spec{{Name: "A", DataType: tensor.FP32, Shape: []int64{-1, 2}}, {Name: "B", DataType: tensor.Bytes, Shape: []int64{-1, 1}, Optional: true}},
		Outputs: []Spec{{Name: "X", DataType: tensor.FP32, Shape: []int64{-1, 3}}, {Name: "T", DataType: tensor.Bytes, Shape: []int64{-1, 1}}}}
}

func input(name string, d tensor.DataType, shape ...int64) Input {
	return Input{Tensor: tensor.Tensor{Name: name, DataType: d, Shape: shape}}
}

func TestMatchRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		inputs  []Input
		outputs []Output
		ok      bool
	}{
		"fits":                 {inputs: []Input{input("A", tensor.FP32, 1, 2)}, ok: true},
		"with the optional":    {inputs: []Input{input("A", tensor.FP32, 3, 2), input("B", tensor.Bytes, 3, 1)}, ok: true},
		"missing":              {inputs: []Input{input("B", tensor.Bytes, 1, 1)}},
		"unknown":              {inputs: []Input{input("A", tensor.FP32, 1, 2), input("C", tensor.FP32, 1, 2)}},
		"datatype":             {inputs: []Input{input("A", tensor.FP64, 1, 2)}},
		"rank":                 {inputs: []Input{input("A", tensor.FP32, 2)}},
		"dimension":            {inputs: []Input{input("A", tensor.FP32, 1, 3)}},
		"batch too large":      {inputs: []Input{input("A", tensor.FP32, 5, 2)}},
		"empty batch":          {inputs: []Input{input("A", tensor.FP32, 0, 2)}},
		"batches differ":       {inputs: []Input{input("A", tensor.FP32, 1, 2), input("B", tensor.Bytes, 2, 1)}},
		"output of its own":    {inputs: []Input{input("A", tensor.FP32, 1, 2)}, outputs: []Output{{Name: "X"}}, ok: true},
		"output of no model's": {inputs: []Input{input("A", tensor.FP32, 1, 2)}, outputs: []Output{{Name: "Y"}}},
		"classes of numbers":   {inputs: []Input{input("A", tensor.FP32, 1, 2)}, outputs: []Output{{Name: "X", Classes: 2}}, ok: true},
		"classes of strings":   {inputs: []Input{input("A", tensor.FP32, 1, 2)}, outputs: []Output{{Name: "X"}, {Name: "T", Classes: 2}}},
	} {
		err := spec().MatchRequest(&Request{Inputs: tc.inputs, Outputs: tc.outputs})
		var r *Refusal
		if tc.ok && err != nil || !tc.ok && (!errors.As(err, &r) || r.Reason != SignatureMismatch) {
			t.Errorf("%s: %v, want ok = %v", name, err, tc.ok)
		}
	}
}

func TestClasses(t *testing.T) {
	for _, d := range []tensor.DataType{tensor.Bool, tensor.FP16, tensor.BF16, tensor.Bytes} {
		s := spec()
		s.Outputs[0].DataType = d
		if err := s.matchOutputs(&Request{Outputs: []Output{{Name: "X", Classes: 1}}}); err == nil {
			t.Errorf("classes of %s", d)
		}
		if err := s.matchOutputs(&Request{Outputs: []Output{{Name: "X"}}}); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	nothing := &Request{Inputs: []Input{input("A", tensor.FP32, 1, 0)}, Outputs: []Output{{Name: "X", Classes: 1}}}
	if err := spec().matchOutputs(nothing); err == nil {
		t.Error("classes of what may have no elements")
	}
}

// Only a stream can hold any number of answers; generate takes a model at its word
// that it gives one.
func TestMatchRequestDecoupled(t *testing.T) {
	s := spec()
	s.Decoupled = true
	for operation, ok := range map[Operation]bool{Infer: false, InferStream: true, Generate: true, GenerateStream: true} {
		err := s.MatchRequest(&Request{Operation: operation, Inputs: []Input{input("A", tensor.FP32, 1, 2)}})
		if (err == nil) != ok {
			t.Errorf("%s: %v, want ok = %v", operation, err, ok)
		}
	}
	if s.Equal(spec()) || !s.Equal(s) {
		t.Error("decoupled or not is the same signature")
	}
}

func TestMatchResponse(t *testing.T) {
	x := tensor.Tensor{Name: "X", DataType: tensor.FP32, Shape: []int64{1, 3}}
	bad := x
	bad.Shape = []int64{1, 4}
	for name, tc := range map[string]struct {
		r  Response
		ok bool
	}{
		"fits":          {Response{Model: "m", Version: "1", Outputs: []tensor.Tensor{x}}, true},
		"other model":   {Response{Model: "n", Version: "1", Outputs: []tensor.Tensor{x}}, false},
		"other version": {Response{Model: "m", Version: "2", Outputs: []tensor.Tensor{x}}, false},
		"none":          {Response{Model: "m", Version: "1"}, false},
		"twice":         {Response{Model: "m", Version: "1", Outputs: []tensor.Tensor{x, x}}, false},
		"shape":         {Response{Model: "m", Version: "1", Outputs: []tensor.Tensor{bad}}, false},
	} {
		if err := spec().MatchResponse(&tc.r, []string{"X"}); (err == nil) != tc.ok {
			t.Errorf("%s: %v, want ok = %v", name, err, tc.ok)
		}
	}
	twice := Response{Model: "m", Version: "1", Outputs: []tensor.Tensor{x, x}}
	if err := spec().MatchResponse(&twice, []string{"X", "X"}); err == nil {
		t.Error("the same output twice was let through")
	}
}

// A lenient server may leave out the version and say more than it was asked for, but
// nothing that its signature does not know.
func TestMatchResponseOfALenientServer(t *testing.T) {
	x := tensor.Tensor{Name: "X", DataType: tensor.FP32, Shape: []int64{1, 3}}
	text := tensor.Tensor{Name: "T", DataType: tensor.Bytes, Shape: []int64{1, 1}}
	unknown := tensor.Tensor{Name: "U", DataType: tensor.Bytes, Shape: []int64{1, 1}}
	for name, tc := range map[string]struct {
		has, says string // versions
		outputs   []tensor.Tensor
		ok        bool
	}{
		"what was asked for":      {"1", "1", []tensor.Tensor{x}, true},
		"more":                    {"1", "1", []tensor.Tensor{text, x}, true},
		"something else":          {"1", "1", []tensor.Tensor{text}, false},
		"an unknown output":       {"1", "1", []tensor.Tensor{x, unknown}, false},
		"no version":              {"1", "", []tensor.Tensor{x}, true},
		"another version":         {"1", "2", []tensor.Tensor{x}, false},
		"a version without names": {"", "v1.2", []tensor.Tensor{x}, true},
		"none of none":            {"", "", []tensor.Tensor{x}, true},
	} {
		s := spec()
		s.Version, s.Lenient = tc.has, true
		if err := s.MatchResponse(&Response{Model: "m", Version: tc.says, Outputs: tc.outputs}, []string{"X"}); (err == nil) != tc.ok {
			t.Errorf("%s: %v, want ok = %v", name, err, tc.ok)
		}
	}
	lenient := spec()
	if lenient.Lenient = true; lenient.Equal(spec()) {
		t.Error("lenient or not is the same signature")
	}
	for _, r := range []Response{{Model: "m", Outputs: []tensor.Tensor{x}}, {Model: "m", Version: "1", Outputs: []tensor.Tensor{x, text}}} {
		if err := spec().MatchResponse(&r, []string{"X"}); err == nil {
			t.Errorf("a strict server answered %+v", r)
		}
	}
}

func TestBatch(t *testing.T) {
	r := &Request{Inputs: []Input{input("A", tensor.FP32, 3, 2)}}
	if got := spec().Batch(r); got != 3 {
		t.Errorf("batch of %d, want 3", got)
	}
	unbatched := spec()
	unbatched.MaxBatchSize = 0
	if got := unbatched.Batch(r); got != 0 {
		t.Errorf("batch of %d without batches", got)
	}
}
