package policy

import (
	"fmt"
	"slices"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// Part is one input of a request with the rule that it falls under.
type Part struct {
	Index int // of the input in the request
	Rule  Input
}

// Plan is what is to be done with one request: its parts in order, the outputs
// to ask the model server for, and the findings that the request itself gave.
type Plan struct {
	Model     *Model
	Signature *codec.Signature
	Parts     []Part
	Batch     int64    // size of the request's batch; 0 if the model does not batch
	Outputs   []string // empty: all that the model gives
	Findings  []Finding
}

// Plan says what is to be done with a request that matches the signature. Inputs
// and parameters that the policy does not declare are findings that block.
//
// The outputs asked for are the union of what the client wants and what the
// policy checks or watches, in the server's order, so that a client cannot hide
// an output from the checks by not asking for it.
func (m *Model) Plan(request *codec.Request, signature *codec.Signature) *Plan {
	plan := &Plan{Model: m, Signature: signature, Batch: signature.Batch(request)}
	for i := range request.Inputs {
		in := &request.Inputs[i]
		rule := m.Inputs[in.Name]
		if rule.Kind == Undeclared {
			plan.block(InputUndeclared, in.Name, fmt.Sprintf("input %q is not declared", in.Name))
			continue
		}
		plan.Parts = append(plan.Parts, Part{Index: i, Rule: rule})
	}
	for _, p := range request.Parameters {
		if !slices.Contains(m.Parameters, p.Name) {
			plan.block(ParameterNotAllowed, p.Name, fmt.Sprintf("parameter %q is not allowed", p.Name))
		}
	}
	if len(request.Outputs) == 0 {
		return plan // all that the model gives
	}
	for _, name := range signature.OutputNames() {
		if wants(request, name) || m.Monitors(name) {
			plan.Outputs = append(plan.Outputs, name)
		}
	}
	return plan
}

func (p *Plan) block(reason Reason, part, detail string) {
	p.Findings = append(p.Findings, Finding{Rule: string(reason), Part: part, Reason: reason, Detail: detail,
		Action: Block, Mode: p.Model.Mode})
}

func wants(request *codec.Request, output string) bool {
	return slices.ContainsFunc(request.Outputs, func(o codec.Output) bool { return o.Name == output })
}

// Monitors reports whether a check or the drift detector reads the named output.
func (m *Model) Monitors(output string) bool {
	if m.Drift != nil && m.Drift.Output == output {
		return true
	}
	return slices.ContainsFunc(m.Checks, func(c Check) bool { return c.Output == output && c.Mode != Off })
}

// Carries reports whether the rule can sanitise a tensor of this datatype. Images
// and texts travel in BYTES elements, the files of images in the rows of UINT8 tensors,
// too; pixels in three datatypes, and numbers in all that are not BYTES.
func (in Input) Carries(d tensor.DataType) bool {
	switch in.Kind {
	case Image:
		return d == tensor.Bytes || d == tensor.Uint8 && in.Encoding == Raw
	case Pixels:
		return d == tensor.Uint8 || d == tensor.FP16 || d == tensor.FP32
	case Text:
		return d == tensor.Bytes
	case Tensor:
		return d != tensor.Bytes && d != tensor.Invalid
	case Opaque:
		return d != tensor.Invalid
	default:
		return false
	}
}
