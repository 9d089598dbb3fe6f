package filter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"weir/filter"
	"weir/filter/policy"
	"weir/monitor/telemetry"
)

// What a rule knows of its reason is in the log, also where the client is not
// told; a metric counts a model under the glob that covers it.
func TestOutcomeTellsTheDetail(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*policy.Model)
		body   string
		want   map[string]any
	}{
		"refused": {body: `{"inputs":[`,
			want: map[string]any{"msg": "refused", "reason": "json_malformed", "model": "m*", "detail": "expected a tensor at byte 11"}},
		"refused, the client reads a fixed sentence": {change: func(m *policy.Model) { delete(m.Inputs, "TEXT") }, body: clean,
			want: map[string]any{"msg": "refused", "reason": "input_undeclared", "model": "m*", "detail": `input "TEXT" is not declared`}},
		"refused by a sanitiser": {body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a\u202eb"]}]}`,
			want: map[string]any{"msg": "refused", "reason": "text_bidi_override", "model": "m*",
				"detail": `input "TEXT": the character at byte 4 is turned round by a directional override`}},
		"flagged": {body: clean,
			want: map[string]any{"msg": "flagged", "reason": "low_confidence", "model": "m*", "detail": `output "P": row 0 is below the confidence floor`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.model.Pattern = "m*"
			if tc.change != nil {
				tc.change(r.model)
			}
			var log bytes.Buffer
			tel, err := telemetry.New(context.Background(), telemetry.Config{}, telemetry.NewLogger(&log, slog.LevelInfo))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tel.Shutdown(context.Background()) }()
			runtime := r.filter.Runtime()
			r.filter = filter.New(filter.Options{Monitor: &r.samples, Telemetry: tel, Log: slog.New(slog.DiscardHandler), Slots: 2})
			r.filter.Use(runtime)
			r.exchange(tc.body, 1, 0.4, 0.3, 0.3)
			got := map[string]any{}
			if err := json.Unmarshal(log.Bytes(), &got); err != nil {
				t.Fatalf("not one line: %v\n%s", err, log.Bytes())
			}
			for key, want := range tc.want {
				if got[key] != want {
					t.Errorf("%s is %q, want %q", key, got[key], want)
				}
			}
		})
	}
}
