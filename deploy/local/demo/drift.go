package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"time"

	"weir/deploy/local"
)

const (
	cleanRows = 2000 // without an alarm
	fogRows   = 2000 // within which the alarm must come
	// fogStrength leaves most signs readable: the model still names most of them.
	fogStrength = 0.5
)

// watched is the state of a model's drift detector, as Weir's control port has it.
type watched struct {
	Model    string
	Observed int64
	Drift    struct {
		Alarms, Blocks int64
	}
}

// detector returns the state of the detector of the traffic-sign model.
func (d *demo) detector(ctx context.Context) (watched, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.weir.Control+"/-/drift", nil)
	if err != nil {
		return watched{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return watched{}, err
	}
	defer response.Body.Close()
	var all []watched
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return watched{}, fmt.Errorf("drift state: %w", err)
	}
	for _, w := range all {
		if w.Model == signs {
			return w, nil
		}
	}
	return watched{}, errors.New("Weir does not watch the traffic-sign model")
}

// drift sends clean traffic and then the same signs behind fog, until the alarm.
// Both come at whatever rate this machine holds.
func drift(ctx context.Context, d *demo, r *row) error {
	var sent struct {
		Rows    int64
		Seconds float64
	}
	if err := d.client(ctx, &sent, "traffic", d.through(), "--seed=traffic", fmt.Sprintf("--count=%d", cleanRows)); err != nil {
		return err
	}
	before, err := d.observed(ctx, cleanRows)
	if err != nil {
		return err
	}
	after, err := d.fog(ctx, before)
	if err != nil {
		return err
	}
	rows := after.Observed - before.Observed
	d.out.see("%d clean rows at %.0f rows/s, judged in %d blocks: %d alarms", before.Observed,
		float64(sent.Rows)/sent.Seconds, before.Drift.Blocks, before.Drift.Alarms)
	r.bare, r.n = "nobody looks", int(after.Observed)
	r.weir = fmt.Sprintf("%d alarms in %d clean rows", before.Drift.Alarms, before.Observed)
	if after.Drift.Alarms == before.Drift.Alarms {
		r.weir += fmt.Sprintf(", none in %d foggy", rows)
		return nil
	}
	r.weir += fmt.Sprintf(", one after %d foggy", rows)
	r.held = before.Drift.Alarms == 0 && before.Drift.Blocks > 0 && rows <= fogRows
	return d.tellAlarm(rows)
}

// observed waits until the detector has counted the rows: it does so off the
// way of the answers.
func (d *demo) observed(ctx context.Context, rows int64) (w watched, err error) {
	err = d.weir.WaitReady(ctx, func(ctx context.Context) error {
		if w, err = d.detector(ctx); err != nil {
			return err
		}
		if w.Observed < rows {
			return fmt.Errorf("%d of %d rows observed", w.Observed, rows)
		}
		return nil
	})
	return w, err
}

// fog sends foggy pictures until there is one more alarm than before, or until
// enough were sent, and returns the state of the detector then.
func (d *demo) fog(ctx context.Context, before watched) (watched, error) {
	p, _, err := d.startClient(ctx, "traffic", d.through(), "--seed=traffic", "--pictures=foggy",
		fmt.Sprintf("--fog=%g", fogStrength), fmt.Sprintf("--count=%d", fogRows))
	if err != nil {
		return before, err
	}
	defer p.Stop(context.Background())
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return before, ctx.Err()
		case <-p.Done():
			if err := p.Wait(); err != nil {
				return before, err
			}
			return d.observed(ctx, before.Observed+fogRows)
		case <-tick.C:
		}
		now, err := d.detector(ctx)
		if err != nil || now.Drift.Alarms > before.Drift.Alarms {
			return now, err
		}
	}
}

// alarm is Weir's log line of a drift alarm.
type alarm struct {
	Message  string    `json:"msg"`
	Feature  string    `json:"feature"`
	Bins     []string  `json:"bins"`
	Baseline []float64 `json:"baseline_shares"`
	Current  []float64 `json:"current_shares"`
	Promise  string    `json:"promise"`
	Traces   []string  `json:"recent_trace_ids"`
	Runbook  string    `json:"runbook"`
}

// tellAlarm says in words what the alarm was about.
func (d *demo) tellAlarm(rows int64) error {
	a, err := lastAlarm(d.weir.Process)
	if err != nil {
		return err
	}
	most := 0
	for i := range a.Bins {
		if math.Abs(a.Current[i]-a.Baseline[i]) > math.Abs(a.Current[most]-a.Baseline[most]) {
			most = i
		}
	}
	d.out.tell("alarm after %d foggy rows: %s %s had %.1f %% of the rows in the baseline, and has %.1f %% now", rows,
		a.Feature, a.Bins[most], 100*a.Baseline[most], 100*a.Current[most])
	d.out.tell("promise: %s", a.Promise)
	d.out.tell("The log line also names %d recent traces and the runbook, %s.", len(a.Traces), a.Runbook)
	return nil
}

// lastAlarm finds the last drift alarm in Weir's log.
func lastAlarm(weir *local.Process) (last alarm, err error) {
	text, err := os.ReadFile(weir.LogPath)
	if err != nil {
		return alarm{}, err
	}
	for line := range bytes.Lines(text) {
		var a alarm
		if json.Unmarshal(line, &a) == nil && a.Message == "drift alarm" {
			last = a
		}
	}
	n := len(last.Bins)
	if n == 0 || len(last.Baseline) != n || len(last.Current) != n {
		return alarm{}, fmt.Errorf("%s: no drift alarm with its shares", weir.LogPath)
	}
	return last, nil
}
