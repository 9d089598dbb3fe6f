package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filter/config"
	"weir/monitor"
	"weir/monitor/baseline"
)

// threeKinds has a model that is watched, one that could be, and one that cannot.
const threeKinds = `models:
  - name: signs
    versions: ["2"]
    inputs: {IMAGE: {kind: image}}
    outputs: {SCORES: {kind: probabilities}}
    drift: {baseline: signs.json, block: 1s, min_block_requests: 3}
  - {name: faces-*, inputs: {IMAGE: {kind: image}}, outputs: {SCORES: {kind: probabilities}}}
  - {name: echo, inputs: {IMAGE: {kind: image}}}
`

func TestMetricsShowDrift(t *testing.T) {
	defer goleak.VerifyNone(t)
	file := writeConfig(t, "http://127.0.0.1:1", threeKinds)
	base := saveBaseline(t, filepath.Join(filepath.Dir(file), "signs.json"))
	cfg, warnings, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := warnings.String(); strings.Count(got, "no baseline") != 1 || !strings.Contains(got, "models[1].drift: no baseline") {
		t.Errorf("warnings %q, want one, about faces-*", got)
	}
	var log bytes.Buffer
	d, err := newDaemon(t.Context(), file, cfg, &log)
	if err != nil {
		t.Fatal(err)
	}
	for i, second := range []int{0, 0, 0, 0, 1, 2, 2, 2, 3} { // four, one, three, and one in the open block
		class := []string{"stop", "yield"}[i%2]
		d.monitor.Observe(monitor.Sample{Model: "signs", Version: "2", Class: class, Time: time.Unix(int64(second), 0)})
	}
	if err := d.monitor.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := metricsPage(t, d)
	d.close()

	sample := func(bin, n int) string {
		return fmt.Sprintf(`weir_drift_observations_total{baseline=%q,bin="%d",feature="class",model="signs",version="2"} %d`, base.Digest(), bin, n)
	}
	for _, want := range []string{
		sample(0, 5), sample(1, 4), sample(2, 0),
		`weir_drift_blocks_total{state="used"} 2`,
		`weir_drift_blocks_total{state="skipped"} 1`,
		`weir_drift_baseline_missing{model="signs"} 0`,
		`weir_drift_baseline_missing{model="faces-*"} 1`,
		`weir_upstream_ready{model="echo"} 0`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, `weir_drift_baseline_missing{model="echo"}`) {
		t.Error("a model without class probabilities counts as one without a baseline")
	}
	if !strings.Contains(page, `weir_drift_statistic_ratio{group="outputs",model="signs"} `) || strings.Contains(page, `weir_drift_statistic_ratio{group="outputs",model="signs"} 0`+"\n") {
		t.Error("the statistic of two blocks is not on the page")
	}
	line := fmt.Sprintf(`"level":"INFO","msg":"drift detector starts","model":"signs","version":"2","baseline":%q,"file":"signs.json",`, base.Digest())
	if got := log.String(); strings.Count(got, "drift detector starts") != 1 || !strings.Contains(got, line) || !strings.Contains(got, "mean time between false alarms >= 30 d") {
		t.Errorf("log:\n%s", got)
	}
}

// saveBaseline writes a baseline of the classes stop and yield, half each.
func saveBaseline(t *testing.T, file string) *baseline.Baseline {
	t.Helper()
	samples := make([]baseline.Sample, 300)
	for i := range samples {
		samples[i].Values = map[string]baseline.Value{"class": baseline.Name([]string{"stop", "yield"}[i%2])}
	}
	b, err := baseline.Build(samples, baseline.Options{Model: "signs"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Save(file); err != nil {
		t.Fatal(err)
	}
	return b
}

func metricsPage(t *testing.T, d *daemon) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil)
	d.publicHandler().ServeHTTP(w, r)
	return w.Body.String()
}
