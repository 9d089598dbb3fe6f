package doctor

import (
	"cmp"
	"fmt"
	"slices"

	"weir/deploy/envoy"
)

// Expect is what Weir's configuration says of its surroundings.
type Expect struct {
	envoy.Options
	// Models are names of models, whose paths are tried on Envoy's routes.
	Models []string
}

// Finding is something that is wrong.
type Finding struct {
	Rule
	File string `json:"file,omitempty"`
	// Path is the place in the configuration, or the option of the command line.
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"` // from 1; 0: none
	// What is wrong there; Why says what follows from it.
	What string `json:"what"`
}

// Unjudged is a part that is not there to be judged.
type Unjudged struct {
	File string `json:"file,omitempty"`
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"`
	What string `json:"what"`
}

// Report is the result of an examination.
type Report struct {
	Findings []Finding  `json:"findings"`
	Unjudged []Unjudged `json:"unjudged"`

	found map[Finding]bool
}

// Errors reports whether there is a finding of severity Error.
func (r *Report) Errors() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// Merge adds what another report holds.
func (r *Report) Merge(other *Report) {
	r.Findings = append(r.Findings, other.Findings...)
	r.Unjudged = append(r.Unjudged, other.Unjudged...)
}

var ruleByID = func() map[string]Rule {
	all := map[string]Rule{}
	for _, r := range Rules() {
		all[r.ID] = r
	}
	return all
}()

// find adds a finding, once for each place.
func (r *Report) find(rule, file string, line int, path, what string) {
	f := Finding{Rule: ruleByID[rule], File: file, Path: path, Line: line, What: what}
	if f.ID == "" {
		panic(fmt.Sprintf("doctor: there is no rule %q", rule))
	}
	if r.found == nil {
		r.found = map[Finding]bool{}
	}
	if !r.found[f] {
		r.found[f] = true
		r.Findings = append(r.Findings, f)
	}
}

// sort puts the findings into the order of the file.
func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path), cmp.Compare(a.ID, b.ID), cmp.Compare(a.What, b.What))
	})
}
