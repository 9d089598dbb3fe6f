// Package check looks at the outputs of a response and says what it finds:
// confidence below a floor, NaN and infinities, probabilities that are none. It
// decides nothing; what it cannot read is a finding that blocks.
package check

import (
	"fmt"
	"math"
	"slices"
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

// Reading is one response as the checks and the drift detector of a plan read it:
// the rows of an output are made once, whoever asks for them. It is not safe for
// concurrent use.
type Reading struct {
	plan     *policy.Plan
	response *codec.Response
	read     map[string]reading // by output
}

type reading struct {
	rows []Row
	err  error
}

// Read returns a Reading of the answer to a plan's request.
func Read(plan *policy.Plan, response *codec.Response) *Reading {
	return &Reading{plan: plan, response: response, read: map[string]reading{}}
}

// Findings runs every check of the plan's model that is not off, and returns its
// findings in the order of the checks.
func (r *Reading) Findings() []policy.Finding {
	var findings []policy.Finding
	for _, c := range r.plan.Model.Checks {
		if c.Mode == policy.Off {
			continue
		}
		f := r.run(c)
		if f.Reason == "" {
			continue
		}
		f.Rule, f.Part, f.Action, f.Mode = c.Name, c.Output, c.Action, c.Mode
		if f.Reason == policy.OutputUnreadable {
			f.Action = policy.Block
		}
		findings = append(findings, f)
	}
	return findings
}

// run returns what a check finds: a reason, "" for nothing, and what goes with it.
func (r *Reading) run(c policy.Check) policy.Finding {
	out, err := r.output(c.Output)
	if err != nil {
		return policy.Finding{Reason: policy.OutputUnreadable, Detail: err.Error()}
	}
	if c.Finite {
		if i := notFinite(out); i >= 0 {
			return policy.Finding{Reason: policy.OutputNotFinite, Detail: fmt.Sprintf("output %q: element %d is not finite", c.Output, i)}
		}
	}
	if c.MinConfidence <= 0 {
		return policy.Finding{}
	}
	rows, err := r.rows(c.Output)
	if err != nil {
		return policy.Finding{Reason: policy.OutputUnreadable, Detail: err.Error()}
	}
	for i, row := range rows {
		if row.Confidence < c.MinConfidence {
			return policy.Finding{Reason: policy.LowConfidence, Detail: fmt.Sprintf("output %q: row %d is below the confidence floor", c.Output, i),
				Measured: policy.Measured{Of: "confidence", Value: row.Confidence, Threshold: c.MinConfidence, Index: i}}
		}
	}
	return policy.Finding{}
}

// notFinite returns the index of the first NaN or infinity; -1 if there is none.
func notFinite(t *tensor.Tensor) int {
	values, _ := t.Floats()
	return slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// Watched returns the rows that the drift detector of the plan's model observes;
// nil if it has none.
func (r *Reading) Watched() ([]Row, error) {
	if r.plan.Model.Drift == nil {
		return nil, nil
	}
	return r.rows(r.plan.Model.Drift.Output)
}

// rows returns the rows of an output of class probabilities.
func (r *Reading) rows(name string) ([]Row, error) {
	if done, ok := r.read[name]; ok {
		return done.rows, done.err
	}
	out, err := r.output(name)
	var rows []Row
	if err == nil {
		rows, err = Rows(r.plan.Model.Outputs[name], out)
	}
	r.read[name] = reading{rows, err}
	return rows, err
}

// output finds an output that holds an answer to every row of the request: one of
// fewer rows, or of none, would pass every check.
func (r *Reading) output(name string) (*tensor.Tensor, error) {
	for i := range r.response.Outputs {
		out := &r.response.Outputs[i]
		switch {
		case out.Name != name:
		case r.plan.Batch > 0 && (len(out.Shape) == 0 || out.Shape[0] != r.plan.Batch):
			return nil, fmt.Errorf("output %q of shape %v answers a batch of %d", name, out.Shape, r.plan.Batch)
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
