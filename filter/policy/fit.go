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
		if want := rule.Tensor.DataType; rule.Kind == Tensor && want != tensor.Invalid && want != spec.DataType {
			return fmt.Errorf("input %q is %s, not %s", name, spec.DataType, want)
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
