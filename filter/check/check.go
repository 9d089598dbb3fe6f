// Package check looks at the outputs of a response and says what it finds:
// confidence below a floor, NaN and infinities, probabilities that are none. It
// decides nothing; what it cannot read is a finding that blocks.
package check

import (
	"fmt"
	"math"
	"strconv"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/monitor"
	"weir/sanitize/tensor"
)

// Row is what one batch row of class probabilities says.
type Row struct {
	Confidence float64 // top-1 probability
	Entropy    float64 // normalised by ln C, in [0, 1]
	Class      string  // label of the top-1 class, or its index
}

// Outputs runs every check of the plan's model that is not off on a response, and
// returns its findings in the order of the checks.
func Outputs(plan *policy.Plan, response *codec.Response) []policy.Finding {
	var findings []policy.Finding
	for _, c := range plan.Model.Checks {
		if c.Mode == policy.Off {
			continue
		}
		reason, detail := run(plan, c, response)
		if reason == "" {
			continue
		}
		f := policy.Finding{Rule: c.Name, Part: c.Output, Reason: reason, Detail: detail, Action: c.Action, Mode: c.Mode}
		if reason == policy.OutputUnreadable {
			f.Action = policy.Block
		}
		findings = append(findings, f)
	}
	return findings
}

func run(plan *policy.Plan, c policy.Check, response *codec.Response) (policy.Reason, string) {
	out, err := output(plan, response, c.Output)
	if err != nil {
		return policy.OutputUnreadable, err.Error()
	}
	values, ok := out.Floats()
	if c.Finite && ok {
		for i, v := range values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return policy.OutputNotFinite, fmt.Sprintf("output %q: element %d is not finite", c.Output, i)
			}
		}
	}
	if c.MinConfidence <= 0 {
		return "", ""
	}
	rows, err := Rows(plan.Model.Outputs[c.Output], out)
	if err != nil {
		return policy.OutputUnreadable, err.Error()
	}
	for i, r := range rows {
		if r.Confidence < c.MinConfidence {
			return policy.LowConfidence, fmt.Sprintf("output %q: row %d is below the confidence floor", c.Output, i)
		}
	}
	return "", ""
}

// Watched returns the rows that the drift detector of the plan's model observes;
// nil if it has none.
func Watched(plan *policy.Plan, response *codec.Response) ([]Row, error) {
	m := plan.Model
	if m.Drift == nil {
		return nil, nil
	}
	out, err := output(plan, response, m.Drift.Output)
	if err != nil {
		return nil, err
	}
	return Rows(m.Outputs[m.Drift.Output], out)
}

// output finds an output that holds an answer to every row of the request: one of
// fewer rows, or of none, would pass every check.
func output(plan *policy.Plan, response *codec.Response, name string) (*tensor.Tensor, error) {
	for i := range response.Outputs {
		out := &response.Outputs[i]
		switch {
		case out.Name != name:
		case plan.Batch > 0 && (len(out.Shape) == 0 || out.Shape[0] != plan.Batch):
			return nil, fmt.Errorf("output %q of shape %v answers a batch of %d", name, out.Shape, plan.Batch)
		default:
			return out, nil
		}
	}
	return nil, fmt.Errorf("output %q is missing", name)
}

// probabilitySlack is how far the sum of a row may be from 1: FP16 softmax over
// a thousand classes is off by about this much.
const probabilitySlack = 0.02

// Rows reads a tensor of class probabilities: the last dimension are the
// classes, every other one makes rows. A row that is not a distribution is an error.
func Rows(rule policy.Output, t *tensor.Tensor) ([]Row, error) {
	values, ok := t.Floats()
	if !ok || len(t.Shape) == 0 {
		return nil, fmt.Errorf("output %q holds no probabilities", t.Name)
	}
	classes := int(t.Shape[len(t.Shape)-1])
	if classes < 2 || len(values)%classes != 0 {
		return nil, fmt.Errorf("output %q holds no probabilities of two or more classes", t.Name)
	}
	rows := make([]Row, 0, len(values)/classes)
	for ; len(values) > 0; values = values[classes:] {
		p := values[:classes]
		if !distribution(p) {
			return nil, fmt.Errorf("output %q: row %d is not a probability distribution", t.Name, len(rows))
		}
		confidence, entropy, class := monitor.Confidence(p)
		rows = append(rows, Row{Confidence: confidence, Entropy: entropy, Class: label(rule.Labels, class)})
	}
	return rows, nil
}

func distribution(p []float64) bool {
	sum := 0.0
	for _, v := range p {
		if !(v >= -probabilitySlack && v <= 1+probabilitySlack) { // false for NaN
			return false
		}
		sum += v
	}
	return math.Abs(sum-1) <= probabilitySlack
}

func label(labels []string, class int) string {
	if class < len(labels) {
		return labels[class]
	}
	return strconv.Itoa(class)
}
