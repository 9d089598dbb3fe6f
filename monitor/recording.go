package monitor

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// recordingBuffer is how many samples a Recording holds for a slow reader.
const recordingBuffer = 4096

// Recording is a live copy of the samples of one model.
type Recording struct {
	model   string
	version string // empty: all
	samples chan Sample
	dropped atomic.Uint64
	last    time.Time
	detach  func() bool // from the context
}

// Record begins to copy the samples of a model, whether it is configured or not;
// an empty version stands for all. It ends when ctx is done or the Monitor is
// closed.
func (m *Monitor) Record(ctx context.Context, model, version string) *Recording {
	r := &Recording{model: model, version: version, samples: make(chan Sample, recordingBuffer)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed.Load() {
		close(r.samples)
		return r
	}
	m.recordings = append(m.recordings, r)
	r.detach = context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.remove(r)
	})
	return r
}

// Samples returns the channel of the samples, whose times never run backwards.
// It is closed at the end of the recording; samples that wait in it can still be
// received.
func (r *Recording) Samples() <-chan Sample { return r.samples }

// Dropped returns how many samples were left out because nobody received them in
// time. It is final when the channel of Samples is closed.
func (r *Recording) Dropped() uint64 { return r.dropped.Load() }

// offer is called with the Monitor locked.
func (r *Recording) offer(s Sample) {
	if s.Model != r.model || r.version != "" && s.Version != r.version {
		return
	}
	// Requests end in another order than they are stamped in, by microseconds.
	// Round drops the monotonic clock: what is written down is the wall clock.
	s.Time = s.Time.Round(0)
	if s.Time.Before(r.last) {
		s.Time = r.last
	}
	select {
	case r.samples <- s:
		r.last = s.Time
	default:
		r.dropped.Add(1)
	}
}

// remove ends r unless that has been done. It is called with the Monitor locked.
func (m *Monitor) remove(r *Recording) {
	i := slices.Index(m.recordings, r)
	if i < 0 {
		return
	}
	m.recordings = slices.Delete(m.recordings, i, i+1)
	r.detach()
	close(r.samples)
}
