package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"weir/sanitize/redteam"
)

// summarySchema names the form of results.json.
const summarySchema = "weir.lab/v1"

// summary is what the lab has found: results.json.
type summary struct {
	Schema   string   `json:"schema"`
	Pictures int      `json:"pictures"` // held-out, of each seed
	Seeds    int      `json:"seeds"`    // of most models; a model that lacks one says so in Models
	Groups   []group  `json:"groups"`
	Missing  []string `json:"missing"` // models that were not measured
}

// group is one kind of model, over its seeds.
type group struct {
	Plan         string      `json:"plan"`
	Architecture string      `json:"architecture"`
	Adaptive     bool        `json:"adaptive"` // the attacker trained with transforms
	Models       []string    `json:"models"`
	Clean        []cleanCell `json:"clean"` // by profile, raw first
	Attacks      []attacked  `json:"attacks"`
}

// cleanCell is what a profile does to clean pictures.
type cleanCell struct {
	Profile   string        `json:"profile"`
	Accuracy  redteam.Share `json:"accuracy"`
	Agreement redteam.Share `json:"agreement"`
}

// attacked is one trigger against a group.
type attacked struct {
	Trigger string        `json:"trigger"` // as it is written in the plan
	Spec    string        `json:"spec"`    // with all its parameters
	Target  string        `json:"target"`
	Raw     redteam.Share `json:"raw"` // over the models that count, or, where none does, over all
	// Models are those that the profiles are measured with: raw success and clean
	// accuracy are at least 90 %, and the class that the trigger leads to is the
	// planted one.
	Models []string `json:"models"`
	Counts bool     `json:"counts"` // there are such models
	Cells  []cell   `json:"profiles"`
}

// cell is one trigger through one profile, over the models that count, or, where none
// does, over all.
type cell struct {
	Profile string         `json:"profile"`
	Base    redteam.Share  `json:"base"` // clean pictures that are taken for the target, raw
	Success redteam.Share  `json:"success"`
	Worst   float64        `json:"worst_seed"` // share of the model with the greatest
	Flagged redteam.Share  `json:"flagged"`
	BestOf  *redteam.Share `json:"best_of,omitempty"` // of several tries, first seed
}

// leastShare is what raw success and clean accuracy have to reach for a cell to count.
const leastShare = 0.90

// summarise reads the results of the models that have been measured.
func (l *lab) summarise() (*summary, error) {
	s := &summary{Schema: summarySchema, Pictures: heldOut, Missing: []string{}}
	for _, p := range plans {
		for _, architecture := range p.Architectures {
			var results []*measured
			for seed := range seeds {
				t := trained{p, architecture, seed}
				r, err := readResult(l.result(t))
				if errors.Is(err, fs.ErrNotExist) {
					s.Missing = append(s.Missing, t.name())
					continue
				}
				if err != nil {
					return nil, err
				}
				results = append(results, r)
			}
			if len(results) == 0 {
				continue
			}
			best, err := readResult(l.bestResult(trained{p, architecture, 0}))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			g, err := newGroup(p, architecture, results, best)
			if err != nil {
				return nil, err
			}
			s.Groups, s.Seeds = append(s.Groups, g), max(s.Seeds, len(results))
		}
	}
	if len(s.Groups) == 0 {
		return nil, errors.New("nothing has been measured yet")
	}
	return s, nil
}

// measured is what the lab reads of a redteam.Result.
type measured struct {
	Model   string          `json:"model"`
	Clean   []redteam.Clean `json:"clean"`
	Attacks []struct {
		Trigger string        `json:"trigger"`
		Target  string        `json:"target"`
		Base    redteam.Share `json:"base"`
		Raw     struct {
			Success redteam.Share `json:"success"`
		} `json:"raw"`
		Cells []struct {
			Profile string         `json:"profile"`
			Success redteam.Share  `json:"success"`
			BestOf  *redteam.Share `json:"best_of"`
			Flagged redteam.Share  `json:"flagged"`
		} `json:"profiles"`
	} `json:"attacks"`
}

func readResult(path string) (*measured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(measured)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// newGroup adds up the results of the seeds. Of several tries there is one result, or
// none (nil).
func newGroup(p plan, architecture string, results []*measured, best *measured) (group, error) {
	g := group{Plan: p.Name, Architecture: architecture, Adaptive: p.Transforms}
	for i := range results[0].Clean {
		var accuracy, agreement []redteam.Share
		for _, r := range results {
			accuracy, agreement = append(accuracy, *r.Clean[i].Accuracy), append(agreement, r.Clean[i].Agreement)
		}
		g.Clean = append(g.Clean, cleanCell{results[0].Clean[i].Profile, sum(accuracy), sum(agreement)})
	}
	for _, r := range results {
		g.Models = append(g.Models, r.Model)
	}
	for i, a := range p.measured() {
		made, err := newAttacked(a, i, results, best)
		if err != nil {
			return g, err
		}
		g.Attacks = append(g.Attacks, made)
	}
	return g, nil
}

// newAttacked adds up attack i over the seeds.
func newAttacked(a attack, i int, results []*measured, best *measured) (attacked, error) {
	trigger, err := a.trigger()
	if err != nil {
		return attacked{}, err
	}
	out := attacked{Trigger: a.Trigger, Spec: trigger.Spec, Target: classNames[a.Target], Models: []string{}}
	var counted []*measured
	for _, r := range results {
		if i >= len(r.Attacks) || r.Attacks[i].Trigger != trigger.Spec {
			return out, fmt.Errorf("the results of %s are of other attacks; measure it again", r.Model)
		}
		one := r.Attacks[i]
		if one.Raw.Success.Share >= leastShare && r.Clean[0].Accuracy.Share >= leastShare && one.Target == out.Target {
			counted, out.Models = append(counted, r), append(out.Models, r.Model)
		}
	}
	if out.Counts = len(counted) > 0; !out.Counts {
		counted = results
	}
	var raw []redteam.Share
	for _, r := range counted {
		raw = append(raw, r.Attacks[i].Raw.Success)
	}
	out.Raw = sum(raw)
	for k := range counted[0].Attacks[i].Cells {
		c := cell{Profile: counted[0].Attacks[i].Cells[k].Profile}
		var base, success, flagged []redteam.Share
		for _, r := range counted {
			one := r.Attacks[i].Cells[k]
			base, success, flagged = append(base, r.Attacks[i].Base), append(success, one.Success), append(flagged, one.Flagged)
			c.Worst = max(c.Worst, one.Success.Share)
		}
		c.Base, c.Success, c.Flagged, c.BestOf = sum(base), sum(success), sum(flagged), bestOf(best, i, c.Profile)
		out.Cells = append(out.Cells, c)
	}
	return out, nil
}

// bestOf is the success of several tries of attack i, if it was measured.
func bestOf(r *measured, i int, profile string) *redteam.Share {
	if r == nil || i >= len(r.Attacks) {
		return nil
	}
	for _, c := range r.Attacks[i].Cells {
		if c.Profile == profile {
			return c.BestOf
		}
	}
	return nil
}

// sum adds up shares of different samples.
func sum(shares []redteam.Share) redteam.Share {
	hits, of := 0, 0
	for _, s := range shares {
		hits, of = hits+s.Hits, of+s.Of
	}
	return redteam.NewShare(hits, of)
}
