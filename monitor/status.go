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
// names and versions. The caller owns it. Samples are handled between two models,
// of which each is as it was at some moment of the call.
func (m *Monitor) Snapshot() []Status {
	m.mu.Lock()
	models := m.models
	m.mu.Unlock()
	all := make([]Status, 0, len(models))
	for _, n := range models {
		m.mu.Lock()
		s := n.status()
		m.mu.Unlock()
		all = append(all, s)
	}
	sortStatus(all)
	return all
}

func sortStatus(all []Status) {
	slices.SortFunc(all, func(x, y Status) int {
		return cmp.Or(cmp.Compare(x.Model, y.Model), cmp.Compare(x.Version, y.Version))
	})
}

// Blocks returns the sums over all detectors, those included that are no longer
// configured: they never fall while the program runs.
func (m *Monitor) Blocks() drift.Blocks {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := m.removed
	for _, n := range m.models {
		n.addBlocks(&sum)
	}
	return sum
}

func (m *model) addBlocks(sum *drift.Blocks) {
	if m.detector != nil {
		b := m.detector.Blocks()
		sum.Used += b.Used
		sum.Merged += b.Merged
	}
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
