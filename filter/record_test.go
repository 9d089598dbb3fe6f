package filter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/filter"
	"weir/filter/policy"
	"weir/monitor/decision"
	"weir/sanitize"
)

// recording gives the rig's filter a store for the records of its decisions.
func (r *rig) recording() *decision.Store {
	store, runtime := decision.New(), r.filter.Runtime()
	r.filter = filter.New(filter.Options{Monitor: &r.samples, Decisions: store, Telemetry: r.telemetry(),
		Log: slog.New(slog.DiscardHandler), Slots: 2})
	if runtime != nil {
		r.filter.Use(runtime)
	}
	return store
}

// only returns the one record of a store, without what differs from run to run.
func only(t *testing.T, store *decision.Store) decision.Record {
	t.Helper()
	all := store.Last(10, "")
	if len(all) != 1 {
		t.Fatalf("%d records of one exchange", len(all))
	}
	r := *all[0]
	if !decision.ValidID(r.ID) || r.Time.IsZero() || r.TotalSeconds <= 0 || r.TotalSeconds < r.RequestSeconds+r.ResponseSeconds {
		t.Errorf("id %q, time %v, %v s in all, %v s and %v s of work", r.ID, r.Time, r.TotalSeconds, r.RequestSeconds, r.ResponseSeconds)
	}
	r.ID, r.Time, r.TotalSeconds, r.RequestSeconds, r.ResponseSeconds, r.TraceID = "", time.Time{}, 0, 0, 0, ""
	if r.BodyHash != "" {
		r.BodyHash = "hash"
	}
	return r
}

func wantRecord(t *testing.T, got, want decision.Record) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if w, _ := json.Marshal(want); string(g) != string(w) {
		t.Errorf("recorded %s\n    want %s", g, w)
	}
}

// infer is what all records of the rig's exchanges have in common.
func infer(change func(*decision.Record)) decision.Record {
	r := decision.Record{Protocol: "kserve_v2_http", Operation: "infer", Method: "POST", Path: "/v2/models/m/infer",
		Model: "m", Version: "3", Mode: "enforce", Config: "d", BodyHash: "hash", UpstreamStatus: 200, Phase: decision.ResponseBody}
	change(&r)
	return r
}

func TestEveryVerdictIsRecorded(t *testing.T) {
	floor := decision.Finding{Rule: "floor", Part: "output P", Action: "flag", Mode: "enforce", Reason: "low_confidence",
		Detail:   `output "P": row 1 is below the confidence floor`,
		Measured: &decision.Measured{Of: "confidence", Value: 0.375, Threshold: 0.5, Index: 1}}
	blocked, shadowed := floor, floor
	blocked.Action, shadowed.Action, shadowed.Mode = "block", "block", "shadow"
	two := strings.NewReplacer(`"shape":[1]`, `"shape":[2]`, `"ab"`, `"ab","cd"`).Replace(clean)
	long := strings.Replace(two, `"cd"`, `"cde"`, 1)
	most := func(m *policy.Model) {
		m.Inputs["TEXT"] = policy.Input{Kind: policy.Text, Text: sanitize.TextOptions{MaxBytes: 2}}
	}
	for name, tc := range map[string]struct {
		change func(*policy.Model)
		body   string
		values []float32
		want   decision.Record
	}{
		"pass": {body: clean, values: []float32{0.75, 0.25, 0}, want: infer(func(r *decision.Record) { r.Verdict = decision.Pass })},
		"sanitize": {body: ask, values: []float32{0.75, 0.25, 0}, want: infer(func(r *decision.Record) {
			r.Verdict = decision.Sanitize
			r.Findings = []decision.Finding{{Rule: "text", Part: "input TEXT", Action: "sanitize", Mode: "enforce", Removed: 3}}
		})},
		"flag": {body: two, values: []float32{0.75, 0.25, 0, 0.375, 0.375, 0.25}, want: infer(func(r *decision.Record) {
			r.Verdict, r.Reason, r.Detail, r.Findings = decision.Flag, "low_confidence", floor.Detail, []decision.Finding{floor}
		})},
		"block": {change: func(m *policy.Model) { m.Checks[0].Action = policy.Block }, body: two,
			values: []float32{0.75, 0.25, 0, 0.375, 0.375, 0.25}, want: infer(func(r *decision.Record) {
				r.Verdict, r.Reason, r.Detail, r.Findings = decision.Block, "low_confidence", floor.Detail, []decision.Finding{blocked}
			})},
		"shadow": {change: func(m *policy.Model) { m.Checks[0].Action, m.Checks[0].Mode = policy.Block, policy.Shadow }, body: two,
			values: []float32{0.75, 0.25, 0, 0.375, 0.375, 0.25}, want: infer(func(r *decision.Record) {
				r.Verdict, r.Reason, r.Detail, r.Shadow, r.Findings = decision.Pass, "low_confidence", floor.Detail, "block", []decision.Finding{shadowed}
			})},
		"a limit": {change: most, body: long, want: infer(func(r *decision.Record) {
			r.Verdict, r.Phase, r.Reason, r.BodyHash, r.UpstreamStatus = decision.Block, decision.RequestBody, "text_too_long", "", 0
			r.Detail = `input "TEXT": 3 bytes, limit 2`
			r.Findings = []decision.Finding{{Rule: "text", Part: "input TEXT", Action: "block", Mode: "enforce", Reason: r.Reason, Detail: r.Detail,
				Measured: &decision.Measured{Of: "bytes", Value: 3, Threshold: 2, Index: 1}}}
		})},
		"a parameter": {body: strings.Replace(clean, `"inputs"`, `"parameters":{"steer":1},"inputs"`, 1), want: infer(func(r *decision.Record) {
			r.Verdict, r.Phase, r.Reason, r.BodyHash, r.UpstreamStatus = decision.Block, decision.RequestBody, "parameter_not_allowed", "", 0
			r.Detail = `parameter "steer" is not allowed`
			r.Findings = []decision.Finding{{Rule: "parameter_not_allowed", Part: "parameter steer", Action: "block", Mode: "enforce",
				Reason: r.Reason, Detail: r.Detail}}
		})},
		"malformed": {body: `{"inputs":[`, want: infer(func(r *decision.Record) {
			r.Verdict, r.Phase, r.Reason, r.BodyHash, r.UpstreamStatus, r.Version = decision.Block, decision.RequestBody, "json_malformed", "", 0, ""
			r.Detail = "expected a tensor at byte 11"
		})},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.model.Drift = nil
			if tc.change != nil {
				tc.change(r.model)
			}
			store := r.recording()
			r.exchange(tc.body, len(tc.values)/3, tc.values...)
			got := only(t, store)
			wantRecord(t, got, tc.want)
		})
	}
}

func TestExchangesWithoutABodyAreRecorded(t *testing.T) {
	r := newRig(t)
	const id = "6b8c0b4e-7f0a-4c8e-9a55-0d2f8a3a1c11"
	for name, tc := range map[string]struct {
		method, path, request string
		end                   error
		want                  decision.Record
	}{
		"health": {"GET", "/v2/health/live", id, nil, decision.Record{Protocol: "kserve_v2_http", Operation: "server_live", Method: "GET",
			Path: "/v2/health/live", Verdict: decision.Pass, Phase: decision.RequestHead, Config: "d", RequestID: id}},
		"at the head": {"POST", "/v2/models/other/infer", "the client's own", nil, decision.Record{Protocol: "kserve_v2_http", Operation: "infer",
			Method: "POST", Path: "/v2/models/other/infer", Verdict: decision.Block, Phase: decision.RequestHead, Reason: "model_unknown",
			Detail: "no policy covers this model", Config: "d"}},
		"a path of the client's own": {"POST\x1b[2J", "/secret%20text", "", nil, decision.Record{Protocol: "kserve_v2_http", Operation: "deny",
			Verdict: decision.Block, Phase: decision.RequestHead, Reason: "path_invalid", Detail: "the path is not in canonical form", Config: "d"}},
		"aborted": {"POST", "/v2/models/m/infer", "", context.Canceled, decision.Record{Protocol: "kserve_v2_http", Operation: "infer", Method: "POST",
			Path: "/v2/models/m/infer", Model: "m", Mode: "enforce", Verdict: decision.Error, Phase: decision.RequestHead,
			Detail: "the exchange ended before its answer", Config: "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := r.recording()
			head := filter.Head{Method: tc.method, Path: tc.path}
			head.Trace.RequestID = tc.request
			x := r.filter.Begin(context.Background(), head)
			x.RequestHead(tc.method == "GET")
			x.End(tc.end)
			x.End(errors.New("a second time"))
			wantRecord(t, only(t, store), tc.want)
		})
	}
}

// What decided is in the record however many others found something before.
func TestManyFindingsKeepTheOneThatDecided(t *testing.T) {
	r := newRig(t)
	r.model.Checks = nil
	for i := range 3 * decision.MaxFindings {
		mode := policy.Enforce
		if i%3 == 0 {
			mode = policy.Shadow
		}
		r.model.Checks = append(r.model.Checks, policy.Check{Name: fmt.Sprintf("c%d", i), Output: "P", MinConfidence: 0.5, Action: policy.Flag, Mode: mode})
	}
	r.model.Checks = append(r.model.Checks, policy.Check{Name: "last", Output: "P", MinConfidence: 0.5, Action: policy.Block})
	store := r.recording()
	r.exchange(clean, 1, 0.375, 0.375, 0.25)
	got := only(t, store)
	if len(got.Findings) != decision.MaxFindings || got.MoreFindings != 2*decision.MaxFindings+1 {
		t.Errorf("%d findings are kept and %d left out", len(got.Findings), got.MoreFindings)
	}
	if f := got.Findings[len(got.Findings)-1]; f.Rule != "last" || f.Action != "block" {
		t.Errorf("the finding that decided is not kept: %+v", got.Findings)
	}
	for _, f := range got.Findings {
		if f.Mode != "enforce" {
			t.Errorf("%s is kept, which does not act", f.Rule)
		}
	}
}

// No text of a request gets into a record, whatever refuses it.
func TestRecordsHoldNoContents(t *testing.T) {
	const secret = "s3cr3t"
	for _, body := range []string{
		strings.Replace(clean, "ab", secret, 1),
		strings.Replace(clean, "ab", secret+`\u202e`+secret, 1),
		strings.Replace(clean, `"ab"`, `"ab","`+secret+`"`, 1),
		strings.Replace(clean, `{`, `{"id":"`+secret+`",`, 1),
		strings.Replace(clean, `{`, `{"parameters":{"steer":"`+secret+`"},`, 1),
		`{"` + secret, `"` + secret + `"`, secret,
	} {
		r := newRig(t)
		store := r.recording()
		r.exchange(body, 1, 0.75, 0.25, 0)
		if got := fmt.Sprintf("%+v", only(t, store)); regexp.MustCompile(secret).MatchString(got) {
			t.Errorf("%s is recorded as %s", body, got)
		}
	}
}

func TestNoStoreNoRecords(t *testing.T) {
	r := newRig(t)
	if request, _ := r.exchange(clean, 1, 0.75, 0.25, 0); request.Message == nil {
		t.Errorf("without a store: %+v", request)
	}
}
