package monitor

import (
	"cmp"
	"slices"
	"time"

	"weir/monitor/drift"
)

// Status is what is known of one configured model.
type Status struct {
	Model    string
	Version  string // as configured; empty for all versions
	Observed int64  // samples since the model was configured
	// WithoutBaseline is true when nothing is compared; then the rest is zero.
	WithoutBaseline bool
	Baseline        string    // digest
	BaselineCreated time.Time // as the file says
	BaselineSamples int64
	LastAlarm       time.Time // since the program was started
	Drift           drift.Status
}

// Snapshot returns the status of all configured models, in the order of their
// names and versions. The caller owns it.
func (m *Monitor) Snapshot() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Status, 0, len(m.models))
	for _, n := range m.models {
		all = append(all, n.status())
	}
	slices.SortFunc(all, func(x, y Status) int {
		return cmp.Or(cmp.Compare(x.Model, y.Model), cmp.Compare(x.Version, y.Version))
	})
	return all
}

func (m *model) status() Status {
	s := Status{Model: m.key.model, Version: m.key.version, Observed: m.observed, WithoutBaseline: m.detector == nil}
	if m.detector == nil {
		return s
	}
	s.Baseline, s.BaselineCreated, s.BaselineSamples = m.digest, m.base.Created, m.base.Samples
	s.LastAlarm, s.Drift = m.lastAlarm, m.detector.Status()
	return s
}
