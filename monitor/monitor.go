// Package monitor watches what models answer. Observe takes a sample of each row
// of each response, never blocks and never decides; one goroutine hands the
// samples to the drift detector of their model, which compares them with the
// model's baseline and raises an alarm at a promised rate (package drift), and to
// whoever records a new baseline.
//
// Samples of Weir's own probes and canaries must not be observed, and rows of
// responses that Weir blocks must be.
package monitor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/monitor/drift"
)

// defaultQueueSize is about a second of a busy sidecar.
const defaultQueueSize = 8192

// tickInterval is how late the block of a silent model may end.
const tickInterval = time.Second

// Alarm is drift of one model.
type Alarm struct {
	Model    string
	Version  string // as configured; empty for all versions
	Baseline string // digest
	// Traces are the last values of Sample.Trace, at most 16 and the oldest first,
	// in the bin of the feature whose share rose most.
	Traces []string
	drift.Alarm
}

// Options of a Monitor. All may be left out.
type Options struct {
	// OnAlarm is called for each alarm, one at a time, by the goroutine that
	// handles the samples: while it runs, samples wait and may be dropped. It may
	// call the Monitor, but not Close.
	OnAlarm func(Alarm)
	// QueueSize is how many samples may wait; 8192 when it is zero.
	QueueSize int
	// Now is the clock; time.Now when it is nil.
	Now func() time.Time
}

// Monitor is safe for concurrent use. Its memory is bounded by its
// configuration.
type Monitor struct {
	onAlarm func(Alarm)
	now     func() time.Time
	queue   chan Sample
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when the goroutine has ended

	closed       atomic.Bool
	dropped      atomic.Uint64
	unconfigured atomic.Uint64

	mu         sync.Mutex
	models     map[modelKey]*model // replaced as a whole, not changed
	removed    drift.Blocks        // of detectors that are no longer configured
	recordings []*Recording
	restored   map[modelKey]drift.State // read by LoadState, not yet used
}

// New starts a Monitor that knows no models. Close it to end its goroutine.
func New(o Options) *Monitor {
	if o.OnAlarm == nil {
		o.OnAlarm = func(Alarm) {}
	}
	if o.QueueSize <= 0 {
		o.QueueSize = defaultQueueSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Monitor{
		onAlarm: o.OnAlarm, now: o.Now, queue: make(chan Sample, o.QueueSize),
		stop: make(chan struct{}), stopped: make(chan struct{}),
		models: make(map[modelKey]*model),
	}
	go m.run()
	return m
}

// Configure replaces the models that are watched. A model whose name, version,
// baseline and settings are as before keeps its statistic and its counts. It
// returns the status of the models whose detectors start, from a loaded state or
// from nothing. On error nothing has changed.
func (m *Monitor) Configure(configs []ModelConfig) (started []Status, err error) {
	models, err := newModels(configs)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, old := range m.models {
		if n := models[key]; n != nil && old.sameAs(n) {
			models[key] = old
		} else {
			old.addBlocks(&m.removed)
		}
	}
	for key, n := range models {
		if n == m.models[key] || n.detector == nil {
			continue
		}
		m.restore(n)
		started = append(started, n.status())
	}
	m.models = models
	sortStatus(started)
	return started, nil
}

func newModels(configs []ModelConfig) (map[modelKey]*model, error) {
	models := make(map[modelKey]*model, len(configs))
	for _, c := range configs {
		n, err := newModel(c)
		if err != nil {
			return nil, fmt.Errorf("monitoring model %q version %q: %w", c.Model, c.Version, err)
		}
		if models[n.key] != nil {
			return nil, fmt.Errorf("monitoring model %q version %q: configured twice", c.Model, c.Version)
		}
		models[n.key] = n
	}
	return models, nil
}

// Observe hands over a sample. It never blocks and allocates nothing: when the
// queue is full, and after Close, the sample is dropped and counted.
func (m *Monitor) Observe(s Sample) {
	if m.closed.Load() {
		m.dropped.Add(1)
		return
	}
	if s.Time.IsZero() {
		s.Time = m.now()
	}
	select {
	case m.queue <- s:
	default:
		m.dropped.Add(1)
	}
}

// Dropped returns how many samples found the queue full.
func (m *Monitor) Dropped() uint64 { return m.dropped.Load() }

// Unconfigured returns how many samples were of a model that is not configured.
func (m *Monitor) Unconfigured() uint64 { return m.unconfigured.Load() }

// Close handles the samples that wait, closes all recordings and ends the
// goroutine. It returns early, with the context's error, when ctx is done. After
// Close, SaveState has everything that was observed.
func (m *Monitor) Close(ctx context.Context) error {
	if !m.closed.Swap(true) {
		close(m.stop)
	}
	select {
	case <-m.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing monitor: %w", ctx.Err())
	}
}

func (m *Monitor) run() {
	defer close(m.stopped)
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case s := <-m.queue:
			m.handle(&s)
		case <-ticker.C:
			m.tick()
		case <-m.stop:
			m.drain()
			return
		}
	}
}

func (m *Monitor) handle(s *Sample) {
	m.mu.Lock()
	for _, r := range m.recordings {
		r.offer(*s)
	}
	var alarm *Alarm
	n := m.models[modelKey{s.Model, s.Version}]
	if n == nil {
		n = m.models[modelKey{s.Model, ""}]
	}
	if n == nil {
		m.unconfigured.Add(1)
	} else {
		alarm = n.observe(s)
	}
	m.mu.Unlock()
	if alarm != nil {
		m.onAlarm(*alarm)
	}
}

// tick ends the blocks of models that have become silent.
func (m *Monitor) tick() {
	now := m.now()
	var alarms []*Alarm
	m.mu.Lock()
	for _, n := range m.models {
		if a := n.tick(now); a != nil {
			alarms = append(alarms, a)
		}
	}
	m.mu.Unlock()
	for _, a := range alarms {
		m.onAlarm(*a)
	}
}

func (m *Monitor) drain() {
	for {
		select {
		case s := <-m.queue:
			m.handle(&s)
		default:
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, r := range slices.Clone(m.recordings) {
				m.remove(r)
			}
			return
		}
	}
}
