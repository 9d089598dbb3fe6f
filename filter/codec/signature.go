package codec

import (
	"fmt"
	"slices"

	"weir/sanitize/tensor"
)

// Spec is what a model server says of one input or output. Shape holds -1 for a
// dimension of any size and, if the model batches, the batch dimension first.
type Spec struct {
	Name     string
	DataType tensor.DataType
	Shape    []int64
	Optional bool
}

// Signature is what a model server says of one version of a model.
type Signature struct {
	Model        string
	Version      string
	MaxBatchSize int  // 0: the model does not batch
	Decoupled    bool // a request may have any number of answers, which needs a stream
	// Lenient is a server whose answers may leave out the version, and may hold
	// outputs beyond those that were asked for. Its Version is "" if it has none that
	// a request can name.
	Lenient bool
	Inputs  []Spec
	Outputs []Spec
}

// Equal reports whether both describe the same model with the same tensors.
func (s *Signature) Equal(o *Signature) bool {
	same := func(a, b Spec) bool {
		return a.Name == b.Name && a.DataType == b.DataType && a.Optional == b.Optional && slices.Equal(a.Shape, b.Shape)
	}
	return s.Model == o.Model && s.Version == o.Version && s.MaxBatchSize == o.MaxBatchSize && s.Decoupled == o.Decoupled && s.Lenient == o.Lenient &&
		slices.EqualFunc(s.Inputs, o.Inputs, same) && slices.EqualFunc(s.Outputs, o.Outputs, same)
}

// Input returns the spec of the named input, or nil.
func (s *Signature) Input(name string) *Spec { return find(s.Inputs, name) }

// Output returns the spec of the named output, or nil.
func (s *Signature) Output(name string) *Spec { return find(s.Outputs, name) }

func find(specs []Spec, name string) *Spec {
	i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &specs[i]
}

// OutputNames lists the outputs in the server's order.
func (s *Signature) OutputNames() []string {
	names := make([]string, len(s.Outputs))
	for i := range s.Outputs {
		names[i] = s.Outputs[i].Name
	}
	return names
}

// MatchRequest checks a request against the signature as Triton's core would
// (its batch rules are "Normalize" in infer_request.cc): every input known, with
// the right datatype and shape, none missing, one batch size for all, and only
// known outputs, as classes only those that can be. The error is a *Refusal.
func (s *Signature) MatchRequest(r *Request) error {
	if s.Decoupled && r.Operation == Infer {
		return Refuse(SignatureMismatch, "the model is decoupled: ask for a stream of answers")
	}
	for i := range s.Inputs {
		spec := &s.Inputs[i]
		if !spec.Optional && !slices.ContainsFunc(r.Inputs, func(in Input) bool { return in.Name == spec.Name }) {
			return Refuse(SignatureMismatch, "input %q is missing", spec.Name)
		}
	}
	batch := int64(-1)
	for i := range r.Inputs {
		in := &r.Inputs[i]
		spec := s.Input(in.Name)
		if spec == nil {
			return Refuse(SignatureMismatch, "the model has no input %q", in.Name)
		}
		if err := spec.match(&in.Tensor); err != nil {
			return Refuse(SignatureMismatch, "input %q: %v", in.Name, err)
		}
		if s.MaxBatchSize == 0 {
			continue
		}
		if batch >= 0 && in.Shape[0] != batch {
			return Refuse(SignatureMismatch, "inputs differ in their batch size")
		}
		if batch = in.Shape[0]; batch < 1 || batch > int64(s.MaxBatchSize) {
			return Refuse(SignatureMismatch, "batch size %d is not within 1 and %d", batch, s.MaxBatchSize)
		}
	}
	return s.matchOutputs(r)
}

// matchOutputs checks what the client asks for. Triton 2.51 ends in a signal when it
// is to make classes of strings, or of an output without elements, which an input
// without elements may lead to.
func (s *Signature) matchOutputs(r *Request) error {
	empty := slices.ContainsFunc(r.Inputs, func(in Input) bool { return slices.Contains(in.Shape, 0) })
	for _, out := range r.Outputs {
		spec := s.Output(out.Name)
		switch {
		case spec == nil:
			return Refuse(SignatureMismatch, "the model has no output %q", out.Name)
		case out.Classes > 0 && !classifies(spec.DataType):
			return Refuse(SignatureMismatch, "output %q is %s, which has no classes", out.Name, spec.DataType)
		case out.Classes > 0 && empty:
			return Refuse(SignatureMismatch, "an input has no elements, so that output %q may have no classes", out.Name)
		}
	}
	return nil
}

// classifies reports whether Triton makes classes of a datatype (classification.cc).
func classifies(d tensor.DataType) bool {
	switch d {
	case tensor.Bool, tensor.Bytes, tensor.FP16, tensor.BF16, tensor.Invalid:
		return false
	}
	return true
}

// Batch is the batch size of a request that matches the signature; 0 if the model
// does not batch.
func (s *Signature) Batch(r *Request) int64 {
	if s.MaxBatchSize == 0 || len(r.Inputs) == 0 || len(r.Inputs[0].Shape) == 0 {
		return 0
	}
	return r.Inputs[0].Shape[0]
}

// MatchResponse checks that a response holds exactly the named outputs, those and
// other known ones of a lenient server, or only known ones if all were asked for,
// each as the signature says. The error is a *Refusal with ResponseMalformed.
func (s *Signature) MatchResponse(r *Response, asked []string) error {
	if r.Model != s.Model || !s.isVersion(r.Version) {
		return Refuse(ResponseMalformed, "the answer is of another model or version")
	}
	for _, name := range asked {
		if !slices.ContainsFunc(r.Outputs, func(t tensor.Tensor) bool { return t.Name == name }) {
			return Refuse(ResponseMalformed, "output %q is missing", name)
		}
	}
	for i := range r.Outputs {
		out := &r.Outputs[i]
		spec := s.Output(out.Name)
		if spec == nil || !s.Lenient && len(asked) > 0 && !slices.Contains(asked, out.Name) {
			return Refuse(ResponseMalformed, "output %q was not asked for", out.Name)
		}
		if slices.ContainsFunc(r.Outputs[:i], func(t tensor.Tensor) bool { return t.Name == out.Name }) {
			return Refuse(ResponseMalformed, "output %q came twice", out.Name)
		}
		if err := spec.match(out); err != nil {
			return Refuse(ResponseMalformed, "output %q: %v", out.Name, err)
		}
	}
	return nil
}

// isVersion reports whether an answer of this version may be one of the model's.
func (s *Signature) isVersion(version string) bool {
	return version == s.Version || s.Lenient && (version == "" || s.Version == "")
}

func (s *Spec) match(t *tensor.Tensor) error {
	if t.DataType != s.DataType {
		return fmt.Errorf("datatype %s instead of %s", t.DataType, s.DataType)
	}
	fits := len(t.Shape) == len(s.Shape)
	for i := 0; fits && i < len(s.Shape); i++ {
		fits = s.Shape[i] == -1 || s.Shape[i] == t.Shape[i]
	}
	if !fits {
		return fmt.Errorf("shape %v does not fit %v", t.Shape, s.Shape)
	}
	return nil
}
