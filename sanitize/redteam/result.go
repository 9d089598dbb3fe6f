package redteam

import (
	"fmt"
	"strconv"
)

// Schema names the form of a Result as JSON. Fields may be added under this name, and
// none is renamed or taken away.
const Schema = "weir.redteam/v1"

// Result is what Measure has found. Its JSON holds numbers and names, no content.
type Result struct {
	Schema      string   `json:"schema"`
	Model       string   `json:"model,omitempty"` // for the caller to set
	Samples     int      `json:"samples"`         // that the model answers
	Labelled    bool     `json:"labelled"`        // it is known what they show
	Tries       int      `json:"tries"`
	Predictions int      `json:"predictions"`
	Classes     []string `json:"classes"`
	Clean       []Clean  `json:"clean"` // by profile, raw first
	Attacks     []Attack `json:"attacks"`
	Notes       []string `json:"notes"` // what was left out, and why
}

// Clean is what a profile does to pictures without a trigger.
type Clean struct {
	Profile   string `json:"profile"`
	Accuracy  *Share `json:"accuracy"`  // right answers; null if it is not known what the samples show
	Agreement Share  `json:"agreement"` // same answer as raw
	Flagged   Share  `json:"flagged"`   // another one: the false alarms of a comparison
	Refused   int    `json:"refused"`   // samples that the profile, or the model after it, refuses
}

// Attack is what a trigger does.
type Attack struct {
	Name    string  `json:"name"`
	Trigger string  `json:"trigger"` // as Parse reads it
	Target  string  `json:"target"`  // name or number of the class; "" if no sample has moved
	Base    Share   `json:"base"`    // samples without a trigger that are taken for the target
	Raw     Leg     `json:"raw"`
	Cells   []Cell  `json:"profiles"`
	Victim  *Victim `json:"victim"` // class on which the trigger acts, if it is one; null otherwise

	Figures []Figure `json:"-"`
	target  int
}

// Leg is the success of one trigger, raw or through one profile.
type Leg struct {
	Profile    string `json:"profile"`
	Success    Share  `json:"success"`      // of one try
	BestOf     *Share `json:"best_of"`      // of all tries; null: not measured
	BaseBestOf *Share `json:"base_best_of"` // the same of clean pictures
	Refused    int    `json:"refused"`      // marked samples that the profile, or the model after it, refuses
}

// Cell is one trigger through one profile.
type Cell struct {
	Leg
	Flagged Share   `json:"flagged"` // marked samples with another answer than raw
	Verdict Verdict `json:"verdict"` // by one try
	Counts  bool    `json:"counts"`  // raw success, and accuracy where it is known, are at least 90 %
}

// Victim is a class of samples on which a trigger acts.
type Victim struct {
	Class   string `json:"class"`
	Success Share  `json:"success"`
	class   int
}

// Worst is the worst verdict of a profile over the attacks that were measured;
// NoEffect if there are none.
func (r *Result) Worst(profile string) Verdict {
	worst := NoEffect
	for _, a := range r.Attacks {
		for _, c := range a.Cells {
			if c.Profile == profile {
				worst = min(worst, c.Verdict)
			}
		}
	}
	return worst
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// className is the name of a class, or its number.
func (r *Result) className(class int) string {
	switch {
	case class < 0:
		return ""
	case class < len(r.Classes):
		return r.Classes[class]
	}
	return strconv.Itoa(class)
}

// name writes names of classes where there were numbers.
func (r *Result) name(a *Attack) {
	a.Target = r.className(a.target)
	if a.Victim != nil {
		a.Victim.Class = r.className(a.Victim.class)
	}
}

// accurate reports whether the model is good enough for attacks to say something.
func (r *Result) accurate() bool {
	accuracy := r.Clean[0].Accuracy
	return accuracy == nil || accuracy.Share >= countsFrom
}

// cleanRows fills in what the legs do to clean samples.
func (r *Result) cleanRows(legs []Profile, samples []sample, answers [][]int) {
	for leg, p := range legs {
		right, agreed, turned := 0, 0, 0
		for i, s := range samples {
			answer := answers[leg][i]
			if answer == s.class {
				right++
			}
			if answer == s.raw {
				agreed++
			}
			if answer == refused {
				turned++
			}
		}
		row := Clean{Profile: p.Name, Agreement: NewShare(agreed, len(samples)),
			Flagged: NewShare(len(samples)-agreed, len(samples)), Refused: turned}
		if r.Labelled {
			accuracy := NewShare(right, len(samples))
			row.Accuracy = &accuracy
		}
		r.Clean = append(r.Clean, row)
	}
}

// worth reports whether further tries tell something.
func (a *Attack) worth() bool {
	for _, c := range a.Cells {
		if c.Verdict != NoEffect && c.Verdict != NotMeasured {
			return true
		}
	}
	return false
}

// leg is the one of this index.
func (a *Attack) leg(i int) *Leg {
	if i == 0 {
		return &a.Raw
	}
	return &a.Cells[i-1].Leg
}
