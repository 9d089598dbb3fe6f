package monitor

import (
	"bytes"
	"context"
	"testing"
	"time"

	"weir/monitor/baseline"
)

func TestRecordAndBuild(t *testing.T) {
	m := newMonitor(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	one := m.Record(ctx, "signs", "1")
	all := m.Record(t.Context(), "signs", "")
	src := newSource(5)
	for i := range 300 {
		s := src.next(false)
		if i%10 == 9 {
			s.Time = s.Time.Add(-time.Second) // as from a request that took longer
		}
		observe(m, s)
		observe(m, Sample{Model: "echo", Version: "1", Time: s.Time})
		observe(m, Sample{Model: "signs", Version: "2", Time: s.Time})
	}
	cancel()
	var lines []byte
	for s := range one.Samples() {
		lines = s.AppendJSON(lines)
	}
	if b, err := baseline.BuildFrom(bytes.NewReader(lines), baseline.Options{}); err != nil || b.Samples != 300 || one.Dropped() != 0 {
		t.Errorf("%+v, %v, %d dropped", b, err, one.Dropped())
	}
	closeNow(t, m)
	n := 0
	for range all.Samples() {
		n++
	}
	if n != 600 {
		t.Errorf("%d samples of all versions", n)
	}
	if _, open := <-m.Record(t.Context(), "signs", "").Samples(); open {
		t.Error("a closed monitor records")
	}
}

func TestSlowRecordingDrops(t *testing.T) {
	m := newMonitor(Options{})
	r := m.Record(t.Context(), "x", "")
	for range recordingBuffer + 7 {
		observe(m, Sample{Model: "x", Time: start})
	}
	closeNow(t, m)
	n := 0
	for range r.Samples() {
		n++
	}
	if n != recordingBuffer || r.Dropped() != 7 {
		t.Errorf("%d received, %d dropped", n, r.Dropped())
	}
}
