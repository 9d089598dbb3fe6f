//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/monitor/decision"
)

// explained is the record behind the decision id of an answer.
func (s *stack) explained(t *testing.T, r reply) decision.Record {
	t.Helper()
	out, messages, code := weir(t, "explain", r.header.Get("x-weir-decision-id"), "--control", s.weir.Control, "--output", "json")
	var record decision.Record
	if err := json.Unmarshal([]byte(out), &record); code != 0 || err != nil {
		t.Fatalf("weir explain ends with %d, %v: %s%s", code, err, out, messages)
	}
	return record
}

// The id in an answer's header leads to what decided, whoever made the answer.
func TestExplainThroughEnvoy(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("limits: {max_body_bytes: 64KiB, max_response_bytes: 64KiB}",
		"{name: unsure, min_confidence: 0.75, action: flag}", "{name: floor, min_confidence: 0.5}")}).ready(t)
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, received)
		body   string
		status int
		want   decision.Record
		rule   string
		of     *decision.Measured
	}{
		"pass": {answerScores(0.875, 0.125, 0), textRequest("", "a"), 200, decision.Record{Verdict: decision.Pass, Phase: decision.ResponseBody, UpstreamStatus: 200}, "", nil},
		"sanitize": {answerScores(0.875, 0.125, 0), textRequest("", "a\u200bb"), 200,
			decision.Record{Verdict: decision.Sanitize, Phase: decision.ResponseBody, UpstreamStatus: 200}, "text", nil},
		"flag": {answerScores(0.625, 0.25, 0.125), textRequest("", "a"), 200,
			decision.Record{Verdict: decision.Flag, Phase: decision.ResponseBody, Reason: "low_confidence", UpstreamStatus: 200},
			"unsure", &decision.Measured{Of: "confidence", Value: 0.625, Threshold: 0.75}},
		"block": {answerScores(0.375, 0.375, 0.25), textRequest("", "a"), 502,
			decision.Record{Verdict: decision.Block, Phase: decision.ResponseBody, Reason: "low_confidence", UpstreamStatus: 200},
			"floor", &decision.Measured{Of: "confidence", Value: 0.375, Threshold: 0.5}},
		"malformed": {nil, "{", 400, decision.Record{Verdict: decision.Block, Phase: decision.RequestBody, Reason: "json_malformed"}, "", nil},
		"too large for Envoy": {nil, textRequest("", strings.Repeat("a", 256<<10)), 413,
			decision.Record{Verdict: decision.Block, Reason: "body_too_large"}, "", nil},
		"the server's error": {func(w http.ResponseWriter, _ received) {
			http.Error(w, `{"error":"no"}`, http.StatusInternalServerError)
		}, textRequest("", "a"), 500,
			decision.Record{Verdict: decision.Error, Phase: decision.ResponseBody, Reason: "upstream_error", UpstreamStatus: 500}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.answer != nil {
				server.reply(tc.answer)
			}
			r := s.post(t, probeInfer, tc.body)
			if r.status != tc.status {
				t.Fatal(r)
			}
			if tc.status == http.StatusRequestEntityTooLarge {
				if wantLocal(t, r, tc.status, "body_too_large"); !since("1.37") {
					return // Envoy has not told Weir, whose id it lacks
				}
			}
			got := s.explained(t, r)
			if got.Verdict != tc.want.Verdict || got.Reason != tc.want.Reason || got.UpstreamStatus != tc.want.UpstreamStatus ||
				tc.want.Phase != "" && got.Phase != tc.want.Phase || got.Path != probeInfer || got.RequestID == "" {
				t.Errorf("explained as %+v", got)
			}
			var last decision.Finding
			if n := len(got.Findings); n > 0 {
				last = got.Findings[n-1]
			}
			if last.Rule != tc.rule || (last.Measured == nil) != (tc.of == nil) || tc.of != nil && *last.Measured != *tc.of {
				t.Errorf("decided by %+v (%+v)", last, last.Measured)
			}
		})
	}
}

// An exchange that its client gives up has a record, too.
func TestExplainAnAbortedExchange(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	arrived := make(chan struct{})
	server.reply(func(_ http.ResponseWriter, r received) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+probeInfer, strings.NewReader(textRequest("", "a")))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-arrived
		cancel()
	}()
	if r, err := client.Do(request); err == nil {
		t.Fatalf("an answer to an exchange that was given up: %v", r)
	}
	eventually(t, "the record of an exchange that was given up", func() bool {
		out, _, code := weir(t, "explain", "--last", "1", "--verdict", "error", "--control", s.weir.Control, "--output", "json")
		var r decision.Record
		return code == 0 && json.Unmarshal([]byte(out), &r) == nil && r.Model == "probe" && r.BodyHash != "" &&
			r.Detail == "the exchange ended before its answer"
	})
}
