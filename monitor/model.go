package monitor

import (
	"fmt"
	"slices"
	"time"

	"weir/monitor/baseline"
	"weir/monitor/drift"
)

// Settings is what an operator decides about the alarms of a model.
type Settings = drift.Settings

// DefaultSettings returns those of package drift.
func DefaultSettings() Settings { return drift.DefaultSettings() }

// ModelConfig says what is watched of a model.
type ModelConfig struct {
	Model string // exact name
	// Version is exact as well; the empty version stands for all versions of the
	// model that have no configuration of their own, taken together.
	Version string
	// Baseline may be nil: then samples are counted and nothing else. Its
	// features must be among confidence, entropy and class.
	Baseline *baseline.Baseline
	Settings Settings // not used without a Baseline
}

// Validate reports what keeps the model from being watched.
func (c ModelConfig) Validate() error {
	if c.Baseline == nil {
		return nil
	}
	for _, f := range c.Baseline.Features {
		if kind, ok := featureKinds[f.Name]; !ok || kind != f.Kind {
			return fmt.Errorf("baseline has the %s feature %q, which responses do not have", f.Kind, f.Name)
		}
	}
	return c.Settings.Validate()
}

type modelKey struct{ model, version string }

// model is one configured model and what was seen of it.
type model struct {
	key       modelKey
	base      *baseline.Baseline // nil without a baseline, as the fields below
	digest    string
	settings  Settings
	detector  *drift.Detector
	features  []string
	row       []baseline.Value
	traces    [][]traceRing // by feature and bin
	observed  int64
	lastAlarm time.Time
}

func newModel(c ModelConfig) (*model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &model{key: modelKey{c.Model, c.Version}}
	if c.Baseline == nil {
		return m, nil
	}
	detector, err := drift.New(c.Baseline, c.Settings)
	if err != nil {
		return nil, err
	}
	m.base, m.digest, m.settings = c.Baseline, c.Baseline.Digest(), c.Settings
	m.detector, m.features = detector, detector.Features()
	m.row = make([]baseline.Value, len(m.features))
	for i := range c.Baseline.Features {
		m.traces = append(m.traces, make([]traceRing, c.Baseline.Features[i].Bins()))
	}
	return m, nil
}

// sameAs reports whether n was made from the same configuration.
func (m *model) sameAs(n *model) bool {
	return m.key == n.key && m.digest == n.digest && m.settings == n.settings
}

func (m *model) observe(s *Sample) *Alarm {
	m.observed++
	if m.detector == nil {
		return nil
	}
	for i, name := range m.features {
		m.row[i] = s.value(name)
		if s.Trace != "" {
			m.traces[i][m.detector.Bin(i, m.row[i])].add(s.Trace)
		}
	}
	return m.alarm(m.detector.Observe(s.Time, m.row))
}

func (m *model) tick(now time.Time) *Alarm {
	if m.detector == nil {
		return nil
	}
	return m.alarm(m.detector.Tick(now))
}

// alarm adds to a, which may be nil, what the detector does not know.
func (m *model) alarm(a *drift.Alarm) *Alarm {
	if a == nil {
		return nil
	}
	m.lastAlarm = a.Time
	risen := 0
	for i, b := range a.Bins {
		if b.Current-b.Baseline > a.Bins[risen].Current-a.Bins[risen].Baseline {
			risen = i
		}
	}
	feature := slices.Index(m.features, a.Feature)
	return &Alarm{
		Model: m.key.model, Version: m.key.version, Baseline: m.digest,
		Traces: m.traces[feature][risen].all(), Alarm: *a,
	}
}

// tracesKept is how many traces an Alarm has at most.
const tracesKept = 16

// traceRing has the last traces of one bin.
type traceRing struct {
	kept [tracesKept]string
	next int
}

func (r *traceRing) add(trace string) {
	r.kept[r.next] = trace
	r.next = (r.next + 1) % tracesKept
}

// all returns the traces, the oldest first.
func (r *traceRing) all() []string {
	traces := slices.Concat(r.kept[r.next:], r.kept[:r.next])
	return slices.DeleteFunc(traces, func(trace string) bool { return trace == "" })
}
