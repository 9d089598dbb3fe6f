package policy

import (
	"fmt"
	"maps"
	"slices"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// Fits reports whether the rules can be applied to a model with this signature:
// every declared input and output exists and its datatype can carry its kind,
// every input that a request must have is declared. The error says what differs.
func (m *Model) Fits(s *codec.Signature) error {
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		spec, rule := s.Input(name), m.Inputs[name]
		if spec == nil {
			return fmt.Errorf("the model has no input %q", name)
		}
		if !rule.Carries(spec.DataType) {
			return fmt.Errorf("input %q is %s, which does not carry kind %s", name, spec.DataType, rule.Kind)
		}
		if err := rule.fits(spec, s.MaxBatchSize > 0); err != nil {
			return fmt.Errorf("input %q %w", name, err)
		}
	}
	for i := range s.Inputs {
		if in := &s.Inputs[i]; !in.Optional && m.Inputs[in.Name].Kind == Undeclared {
			return fmt.Errorf("input %q of the model is not declared", in.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Outputs)) {
		if err := m.fitsOutput(name, s.Output(name)); err != nil {
			return err
		}
	}
	return nil
}

// fits holds what a rule says of its input against what the model server says of it.
// batches says that the first dimension is that of a batch. The error goes on after
// the name of the input.
func (in Input) fits(spec *codec.Spec, batches bool) error {
	want := tensor.Invalid
	switch in.Kind {
	case Image:
		if rank := len(spec.Shape); spec.DataType == tensor.Uint8 && rank != 2 && (rank != 1 || batches) {
			return fmt.Errorf("has %d dimensions: files of images are UINT8 [bytes] or [pictures, bytes]", rank)
		}
	case Pixels:
		if err := in.fitsLayout(spec, batches); err != nil {
			return err
		}
		want = in.Pixels.DataType
	case Tensor:
		want = in.Tensor.DataType
	}
	if want != tensor.Invalid && want != spec.DataType {
		return fmt.Errorf("is %s, not %s", spec.DataType, want)
	}
	return nil
}

// fitsLayout holds the layout of pixels, and their shape and channels, against the
// model's shape. A dimension that both leave open, or one of them, is checked in each
// request.
func (in Input) fitsLayout(spec *codec.Spec, batches bool) error {
	o := in.Pixels
	if len(o.Layout) != len(spec.Shape) {
		return fmt.Errorf("has %d dimensions, layout %s has %d", len(spec.Shape), o.Layout, len(o.Layout))
	}
	if batches && o.Layout[0] != 'N' {
		return fmt.Errorf("has a batch dimension in front, layout %s does not begin with N", o.Layout)
	}
	for i, have := range spec.Shape {
		if o.Shape != nil && have != -1 && o.Shape[i] != -1 && o.Shape[i] != have {
			return fmt.Errorf("has shape %v, not %v", spec.Shape, o.Shape)
		}
		if n := int64(max(len(o.Mean), len(o.Std))); o.Layout[i] == 'C' && have != -1 && n > 0 && n != have {
			return fmt.Errorf("has %d channels, mean and std are of %d", have, n)
		}
	}
	return nil
}

func (m *Model) fitsOutput(name string, spec *codec.Spec) error {
	if spec == nil {
		return fmt.Errorf("the model has no output %q", name)
	}
	rule := m.Outputs[name]
	if !rule.Probabilities {
		return nil
	}
	if !spec.DataType.Float() {
		return fmt.Errorf("output %q is %s, which holds no probabilities", name, spec.DataType)
	}
	if n := len(spec.Shape); n == 0 {
		return fmt.Errorf("output %q has no dimension of classes", name)
	} else if classes := spec.Shape[n-1]; len(rule.Labels) > 0 && classes >= 0 && int64(len(rule.Labels)) != classes {
		return fmt.Errorf("output %q has %d classes, its labels are %d", name, classes, len(rule.Labels))
	}
	return nil
}
