package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"weir/filter"
	"weir/monitor/decision"
)

// explanation is a decision with what an operator needs beside its record.
type explanation struct {
	decision.Record
	Sentence    string `json:"sentence,omitempty"` // what the reason means
	Hint        string `json:"hint,omitempty"`     // what to do about it
	ConfigInUse string `json:"config_in_use"`      // digest of the configuration that is in use now
}

// explain answers with one decision.
func (d *daemon) explain(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !decision.ValidID(id) {
		http.Error(w, notAnID(id), http.StatusBadRequest)
		return
	}
	record, ok := d.decisions.Get(id)
	if !ok {
		http.Error(w, fmt.Sprintf("decision %s is not known here: the last %d that were refused or flagged and the last %d that passed are kept, in memory",
			id, decision.KeptMarked, decision.KeptAllowed), http.StatusNotFound)
		return
	}
	e := explanation{Record: *record, ConfigInUse: d.reloader.config().Digest()}
	if record.Reason != "" {
		status := filter.Reason(record.Reason).Status()
		e.Sentence, e.Hint = status.Sentence, status.Hint
	}
	w.Header().Set("Content-Type", "application/json")
	_ = jsonLines(w).Encode(e) // the client may be gone
}

// notAnID says what a decision id looks like.
func notAnID(text string) string {
	return fmt.Sprintf("%.64q is not a decision id: 26 digits and capital letters, as in the header x-weir-decision-id", text)
}

const (
	defaultLast = 20
	mostLast    = decision.KeptMarked + decision.KeptAllowed
)

// lastDecisions answers with the last decisions as JSON lines, the newest first.
func (d *daemon) lastDecisions(w http.ResponseWriter, r *http.Request) {
	q, n := r.URL.Query(), defaultLast
	if text := q.Get("last"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > mostLast {
			http.Error(w, fmt.Sprintf("last: expected a number from 1 to %d", mostLast), http.StatusBadRequest)
			return
		}
	}
	verdict := decision.Verdict(q.Get("verdict"))
	if verdict != "" && !slices.Contains(decision.Verdicts(), verdict) {
		http.Error(w, fmt.Sprintf("verdict: expected one of %v", decision.Verdicts()), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	lines := jsonLines(w)
	for _, record := range d.decisions.Last(n, verdict) {
		if lines.Encode(record) != nil {
			return // the client is gone
		}
	}
}
