package monitor

import (
	"testing"
	"time"

	"weir/monitor/drift"
)

func TestSnapshot(t *testing.T) {
	m := newMonitor(Options{})
	defer closeNow(t, m)
	b := signsBaseline(t, 1)
	configure(t, m, b)
	src := newSource(3)
	for range 401 {
		observe(m, src.next(false))
	}
	observe(m, Sample{Model: "echo", Version: "7", Time: src.time})
	observe(m, Sample{Model: "signs", Version: "2", Time: src.time})
	all := m.Snapshot()
	if len(all) != 2 || all[0].Model != "echo" || !all[0].WithoutBaseline || all[0].Observed != 1 || m.Unconfigured() != 1 {
		t.Fatalf("%+v, %d not configured", all, m.Unconfigured())
	}
	signs := all[1]
	if signs.WithoutBaseline || signs.Baseline != b.Digest() || signs.BaselineSamples != 10_000 ||
		signs.Drift.Blocks != 2 || signs.Drift.Samples != 401 || signs.Drift.Threshold != 259200 {
		t.Errorf("%+v", signs)
	}
	for _, f := range signs.Drift.Features {
		var share, base float64
		var total int64
		for _, bin := range f.Bins {
			share, base, total = share+bin.Current, base+bin.Baseline, total+bin.Total
		}
		if !equal(share, 1) || !equal(base, 1) || total != 401 {
			t.Errorf("%s: current shares %g, baseline %g, %d samples", f.Name, share, base, total)
		}
	}
}

// The counts of blocks make a counter, so they stay when their detector goes.
func TestBlocksNeverFall(t *testing.T) {
	m := newMonitor(Options{})
	defer closeNow(t, m)
	configure(t, m, signsBaseline(t, 1))
	src := newSource(5)
	for i := range 4000 {
		observe(m, src.next(i > 1000))
		if i == 3000 { // a minute with too few samples
			for range 6 {
				src.time = src.time.Add(10 * time.Second)
				observe(m, src.next(true))
			}
		}
	}
	status := m.Snapshot()[1].Drift
	// 15 blocks of 10 s, six spans with one sample each, then 5 blocks, of which
	// the first has the seven samples of the spans as well.
	want := drift.Blocks{Used: 20, Merged: 6}
	if got := m.Blocks(); got != want || status.All != want || status.Alarms == 0 {
		t.Errorf("%+v, of the detector %+v after %d alarms, want %+v", got, status.All, status.Alarms, want)
	}
	configure(t, m, signsBaseline(t, 2)) // another detector
	if got := m.Blocks(); got != want || m.Snapshot()[1].Drift.All != (drift.Blocks{}) {
		t.Errorf("%+v after the detector was replaced, want %+v", got, want)
	}
	configure(t, m, signsBaseline(t, 2)) // the same
	if _, err := m.Configure(nil); err != nil {
		t.Fatal(err)
	}
	if got := m.Blocks(); got != want {
		t.Errorf("%+v after the detector was removed, want %+v", got, want)
	}
}

// BenchmarkSnapshot is the cost of a scrape for each model with its three features.
func BenchmarkSnapshot(b *testing.B) {
	m := newMonitor(Options{})
	defer closeNow(b, m)
	configure(b, m, signsBaseline(b, 1))
	src := newSource(8)
	for range 1000 {
		observe(m, src.next(false))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Snapshot()
	}
}
