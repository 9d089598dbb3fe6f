package telemetry

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Status is what the gauges show: the state of the process at a scrape.
type Status struct {
	Streams        int    // ext_proc streams that are open
	InFlightBytes  int64  // bytes reserved for bodies
	MonitorDropped uint64 // samples that the monitor had no room for, since start
	// Time blocks of all drift detectors: those that were judged, and those that
	// were merged into the next because too few requests fell into them. They
	// never fall.
	DriftBlocksUsed, DriftBlocksSkipped int64
	Models                              []ModelStatus
}

// ModelStatus is the state of one model of the configuration, or of the models
// that a glob of it covers.
type ModelStatus struct {
	Model         string // as the configuration names it
	UpstreamReady bool   // its signature was read from the model server and matches
	// Watchable says that the model has class probabilities that a drift detector
	// could watch; without, a baseline is not missing.
	Watchable bool
	Drift     *DriftStatus // nil: no baseline
}

// DriftStatus is the state of the drift detector of a model.
type DriftStatus struct {
	Version         string // of the model, empty: all
	Group           string // of the features, which share the alarm
	BaselineID      string
	BaselineCreated time.Time // zero: not known
	Ratio           float64   // statistic over threshold; 1 is the alarm
	Features        []FeatureStatus
}

// FeatureStatus counts the values of a feature per bin of its baseline. The names
// of bins, of which some are class names, never become labels, only indices.
type FeatureStatus struct {
	Name string
	Bins []int64 // never fall as long as the baseline stays
}

// SetStatus says where gauges are read from. f is called at each scrape, from any
// goroutine, and must not wait; its result is not changed or kept.
func (t *Telemetry) SetStatus(f func() Status) { t.status.Store(&f) }

const (
	reloadSuccess = "success"
	reloadFailure = "failure"
)

type reloadState struct {
	known    bool // a load was tried
	ok       bool // the last one succeeded
	revision string
	at       time.Time // of the last success
}

// ConfigLoaded says that a configuration, told by its revision, is in force: at
// the start or after a reload.
func (t *Telemetry) ConfigLoaded(revision string) {
	t.mu.Lock()
	t.reload = reloadState{known: true, ok: true, revision: revision, at: t.now()}
	t.mu.Unlock()
	t.configReload.Add(context.Background(), 1, labels("outcome", reloadSuccess))
}

// ConfigRejected says that a reload failed; the revision of before stays.
func (t *Telemetry) ConfigRejected() {
	t.mu.Lock()
	t.reload.known, t.reload.ok = true, false
	t.mu.Unlock()
	t.configReload.Add(context.Background(), 1, labels("outcome", reloadFailure))
}

// observables are the metrics that are read at a scrape. A series whose subject
// is gone from the configuration is gone from the page.
type observables struct {
	buildInfo, revisionInfo, reloadOK, reloadAt metric.Float64ObservableGauge
	streams, inFlight                           metric.Float64ObservableGauge
	upstreamReady, baselineAge, baselineMissing metric.Float64ObservableGauge
	driftStatistic                              metric.Float64ObservableGauge
	driftObservations, driftBlocks              metric.Int64ObservableCounter
	monitorDropped                              metric.Int64ObservableCounter
}

// observe makes the observables of t and registers the function that reads them.
func (b *builder) observe(t *Telemetry) {
	o := observables{
		buildInfo:       b.observableGauge("weir.build.info", "", "Always 1; the version of Weir."),
		revisionInfo:    b.observableGauge("weir.config.revision.info", "", "Always 1; the revision of the configuration in force."),
		reloadOK:        b.observableGauge("weir.config.last_reload.successful", "", "1 when the last load of the configuration succeeded, else 0."),
		reloadAt:        b.observableGauge("weir.config.last_reload.success.timestamp", "s", "When the configuration in force was loaded, in seconds since the epoch."),
		streams:         b.observableGauge("weir.streams.active", "{stream}", "Open ext_proc streams."),
		inFlight:        b.observableGauge("weir.in_flight", "By", "Bytes reserved for the bodies of exchanges."),
		upstreamReady:   b.observableGauge("weir.upstream.ready", "", "1 when the model server has the model as the policy describes it, else 0."),
		baselineAge:     b.observableGauge("weir.drift.baseline.age", "s", "Age of the model's drift baseline."),
		baselineMissing: b.observableGauge("weir.drift.baseline.missing", "", "1 when the model has class probabilities and no drift baseline, 0 when it has both."),
		driftStatistic:  b.observableGauge("weir.drift.statistic", "1", "Drift statistic over its threshold; 1 is the alarm."),
		driftObservations: b.observableCounter("weir.drift.observations", "{observation}",
			"Values of a feature that fell into a bin of the baseline."),
		driftBlocks: b.observableCounter("weir.drift.blocks", "{block}",
			"Time blocks of the drift detectors: used, or skipped because too few requests fell into them."),
		monitorDropped: b.observableCounter("weir.monitor.dropped", "{sample}",
			"Samples that the drift monitor had no room for."),
	}
	if b.err != nil {
		return
	}
	_, err := b.meter.RegisterCallback(func(_ context.Context, obs metric.Observer) error {
		t.read(o, obs)
		return nil
	}, o.buildInfo, o.revisionInfo, o.reloadOK, o.reloadAt, o.streams, o.inFlight, o.upstreamReady,
		o.baselineAge, o.baselineMissing, o.driftStatistic, o.driftObservations, o.driftBlocks, o.monitorDropped)
	keep(b, struct{}{}, err)
}

func (t *Telemetry) read(o observables, obs metric.Observer) {
	obs.ObserveFloat64(o.buildInfo, 1, labels("version", t.config.Version))
	t.mu.Lock()
	reload := t.reload
	t.mu.Unlock()
	if reload.known {
		obs.ObserveFloat64(o.reloadOK, oneIf(reload.ok))
	}
	if !reload.at.IsZero() {
		obs.ObserveFloat64(o.revisionInfo, 1, labels("revision", reload.revision))
		obs.ObserveFloat64(o.reloadAt, seconds(reload.at))
	}
	if f := t.status.Load(); f != nil {
		t.readStatus((*f)(), o, obs)
	}
}

func (t *Telemetry) readStatus(s Status, o observables, obs metric.Observer) {
	obs.ObserveFloat64(o.streams, float64(s.Streams))
	obs.ObserveFloat64(o.inFlight, float64(s.InFlightBytes))
	obs.ObserveInt64(o.monitorDropped, int64(s.MonitorDropped))
	obs.ObserveInt64(o.driftBlocks, s.DriftBlocksUsed, labels("state", "used"))
	obs.ObserveInt64(o.driftBlocks, s.DriftBlocksSkipped, labels("state", "skipped"))
	for _, m := range s.Models {
		model := labels("model", m.Model)
		obs.ObserveFloat64(o.upstreamReady, oneIf(m.UpstreamReady), model)
		if m.Watchable {
			obs.ObserveFloat64(o.baselineMissing, oneIf(m.Drift == nil), model)
		}
		if m.Drift != nil {
			t.readDrift(m.Model, m.Drift, o, obs)
		}
	}
}

func (t *Telemetry) readDrift(model string, d *DriftStatus, o observables, obs metric.Observer) {
	if !d.BaselineCreated.IsZero() {
		obs.ObserveFloat64(o.baselineAge, t.now().Sub(d.BaselineCreated).Seconds(), labels("model", model))
	}
	obs.ObserveFloat64(o.driftStatistic, d.Ratio, labels("model", model, "group", d.Group))
	for _, f := range d.Features {
		for bin, n := range f.Bins {
			obs.ObserveInt64(o.driftObservations, n, labels("model", model, "version", d.Version,
				"feature", f.Name, "baseline", d.BaselineID, "bin", strconv.Itoa(bin)))
		}
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds returns t in seconds since the epoch.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
