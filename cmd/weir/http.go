package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/monitor"
	"weir/monitor/telemetry"
)

// publicHandler serves what anybody in the cluster may read.
func (d *daemon) publicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.telemetry.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", d.readyz)
	return mux
}

// readyz answers 200 when every model of the policy was read from the model
// server and fits it, else 503. With ?verbose it lists the models and why not.
func (d *daemon) readyz(w http.ResponseWriter, r *http.Request) {
	registry := d.reloader.signatures()
	code, word := http.StatusOK, "ready"
	if !registry.Ready() {
		code, word = http.StatusServiceUnavailable, "not ready"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, word)
	if !r.URL.Query().Has("verbose") {
		return
	}
	for _, s := range registry.States() {
		if s.Ready {
			fmt.Fprintf(w, "model %s: ready\n", s.Pattern)
		} else {
			fmt.Fprintf(w, "model %s: %s\n", s.Pattern, s.Reason)
		}
	}
}

// controlHandler serves what changes state, on loopback only.
func (d *daemon) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := d.reloader.reload("POST /-/reload"); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		fmt.Fprintln(w, "reloaded")
	})
	mux.HandleFunc("GET /-/drift", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.monitor.Snapshot()) // the client may be gone
	})
	mux.HandleFunc("GET /-/record", d.record)
	mux.HandleFunc("GET /-/decisions", d.lastDecisions)
	mux.HandleFunc("GET /-/decisions/{id}", d.explain)
	return mux
}

// localOnly refuses requests that a browser was led to send: those with an Origin
// or with a Host that is not loopback (DNS rebinding).
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if r.Header.Get("Origin") != "" || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
			http.Error(w, "only for local tools", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// record streams the samples of a model as JSON lines until the time is up.
func (d *daemon) record(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	span, err := time.ParseDuration(q.Get("for"))
	if err != nil || span <= 0 {
		http.Error(w, "for: expected a duration such as 10m", http.StatusBadRequest)
		return
	}
	if d.filter.Runtime().Policy.Model(q.Get("model")) == nil {
		http.Error(w, "no policy covers this model", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), span)
	defer cancel()
	recording := d.monitor.Record(ctx, q.Get("model"), q.Get("version"))
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("Trailer", droppedTrailer)
	flusher := http.NewResponseController(w)
	_ = flusher.Flush() // tells the client that recording has begun
	var line []byte
	for sample := range recording.Samples() {
		line = sample.AppendJSON(line[:0])
		if _, err := w.Write(line); err != nil {
			cancel() // the client is gone; what waits is let go
		}
		if len(recording.Samples()) == 0 {
			_ = flusher.Flush()
		}
	}
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // Weir ends: no client shall take this for the whole
	}
	w.Header().Set(droppedTrailer, strconv.FormatUint(recording.Dropped(), 10))
}

// droppedTrailer carries the number of samples that a recording lost.
const droppedTrailer = "Weir-Dropped"

// driftGroup names all features that a baseline can have: they share an alarm.
const driftGroup = "outputs"

// status is what the gauges of /metrics show.
func (d *daemon) status() telemetry.Status {
	streams, bytes := d.extproc.InFlight()
	blocks := d.monitor.Blocks()
	s := telemetry.Status{Streams: int(streams), InFlightBytes: bytes, MonitorDropped: d.monitor.Dropped(),
		DriftBlocksUsed: blocks.Used, DriftBlocksSkipped: blocks.Merged}
	ready := map[string]bool{}
	for _, state := range d.reloader.signatures().States() {
		ready[state.Pattern] = state.Ready
	}
	drift := map[string]*telemetry.DriftStatus{}
	for _, m := range d.monitor.Snapshot() {
		drift[m.Model] = driftStatus(m)
	}
	for _, m := range d.filter.Runtime().Policy.Models() {
		s.Models = append(s.Models, telemetry.ModelStatus{Model: m.Pattern, UpstreamReady: ready[m.Pattern],
			Watchable: m.Watchable(), Drift: drift[m.Pattern]})
	}
	return s
}

// driftStatus is what /metrics shows of a watched model; nil without a baseline.
func driftStatus(m monitor.Status) *telemetry.DriftStatus {
	if m.WithoutBaseline {
		return nil
	}
	d := &telemetry.DriftStatus{Version: m.Version, Group: driftGroup, BaselineID: m.Baseline,
		BaselineCreated: m.BaselineCreated, Ratio: m.Drift.Statistic / m.Drift.Threshold}
	for _, f := range m.Drift.Features {
		bins := make([]int64, len(f.Bins))
		for i, bin := range f.Bins {
			bins[i] = bin.Total
		}
		d.Features = append(d.Features, telemetry.FeatureStatus{Name: f.Name, Bins: bins})
	}
	return d
}

// logDetectors tells which drift detectors have started, with what they promise.
func (d *daemon) logDetectors(started []monitor.Status) {
	for _, s := range started {
		d.log.Info("drift detector starts", "model", s.Model, "version", s.Version,
			"baseline", s.Baseline, "file", d.filter.Runtime().Policy.Model(s.Model).Drift.File,
			"baseline_samples", s.BaselineSamples, "blocks_before", s.Drift.All.Used, "promise", s.Drift.Promise)
	}
}

// onAlarm tells of a drift alarm in metrics, log and trace.
func (d *daemon) onAlarm(a monitor.Alarm) {
	told := telemetry.DriftAlarm{Model: a.Model, Version: a.Version, Group: driftGroup, Feature: a.Feature,
		BaselineID: a.Baseline, Statistic: a.Statistic, Threshold: a.Threshold, Promise: a.Promise, Recent: a.Traces}
	for _, bin := range a.Bins {
		told.Bins = append(told.Bins, bin.Label)
		told.Baseline = append(told.Baseline, bin.Baseline)
		told.Current = append(told.Current, bin.Current)
	}
	d.telemetry.DriftAlarm(told)
}
