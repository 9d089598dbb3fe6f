package monitor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"weir/monitor/baseline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// source makes samples of the model "signs" version "1", twenty a second.
type source struct {
	rng  *rand.Rand
	time time.Time
	n    int
}

func newSource(seed uint64) *source {
	return &source{rng: rand.New(rand.NewPCG(seed, seed)), time: start}
}

func (s *source) next(foggy bool) Sample {
	s.n++
	s.time = s.time.Add(50 * time.Millisecond)
	sample := Sample{
		Model: "signs", Version: "1", Time: s.time, Entropy: 0.3 * s.rng.Float64(),
		Class: []string{"stop", "yield", "limit"}[s.rng.IntN(3)], Trace: fmt.Sprintf("00-%032x-%016x-01", s.n, s.n),
	}
	sample.Confidence = 1 - sample.Entropy/2
	if foggy {
		sample.Confidence /= 2
	}
	return sample
}

var signsBaselines = make(map[uint64]*baseline.Baseline)

// signsBaseline builds the baseline of 10,000 samples of a source once.
func signsBaseline(t testing.TB, seed uint64) *baseline.Baseline {
	t.Helper()
	if b := signsBaselines[seed]; b != nil {
		return b
	}
	var lines []byte
	src := newSource(seed)
	for range 10_000 {
		s := src.next(false)
		lines = s.AppendJSON(lines)
	}
	b, err := baseline.BuildFrom(bytes.NewReader(lines), baseline.Options{Model: "signs"})
	if err != nil {
		t.Fatal(err)
	}
	signsBaselines[seed] = b
	return b
}

func configure(t testing.TB, m *Monitor, b *baseline.Baseline) {
	t.Helper()
	if _, err := m.Configure([]ModelConfig{
		{Model: "signs", Version: "1", Baseline: b, Settings: DefaultSettings()},
		{Model: "echo"},
	}); err != nil {
		t.Fatal(err)
	}
}

// lastSeen is the clock of the monitors here: the time of the last sample, in
// nanoseconds, so that their tickers do not interfere.
var lastSeen atomic.Int64

func newMonitor(o Options) *Monitor {
	o.Now = func() time.Time { return time.Unix(0, lastSeen.Load()) }
	return New(o)
}

// observe waits for the monitor to take the sample, which Observe does not.
func observe(m *Monitor, s Sample) {
	lastSeen.Store(s.Time.UnixNano())
	m.handle(&s)
}

func closeNow(t testing.TB, m *Monitor) {
	t.Helper()
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAlarm(t *testing.T) {
	var alarms []Alarm
	m := newMonitor(Options{OnAlarm: func(a Alarm) { alarms = append(alarms, a) }})
	b := signsBaseline(t, 1)
	configure(t, m, b)
	src := newSource(2)
	for range 10_000 {
		observe(m, src.next(false))
	}
	if len(alarms) != 0 {
		t.Fatalf("alarm without cause: %+v", alarms[0])
	}
	first := src.n + 1
	for range 2000 {
		observe(m, src.next(true))
	}
	closeNow(t, m)
	if len(alarms) == 0 {
		t.Fatal("no alarm")
	}
	a := alarms[0]
	if a.Model != "signs" || a.Version != "1" || a.Baseline != b.Digest() || a.Feature != "confidence" ||
		a.Statistic < a.Threshold || !strings.Contains(a.Promise, "30 d") || a.Effect.PSI < 1 {
		t.Errorf("%+v", a)
	}
	if len(a.Traces) != tracesKept || !slices.IsSorted(a.Traces) || a.Traces[0] < fmt.Sprintf("00-%032x", first) {
		t.Errorf("traces %v, the change began at %032x", a.Traces, first)
	}
	s := m.Snapshot()[1]
	if s.Drift.Alarms != int64(len(alarms)) || !s.LastAlarm.Equal(alarms[len(alarms)-1].Time) || s.Observed != 12_000 {
		t.Errorf("%+v", s)
	}
}

func TestConfigureKeepsWhatDidNotChange(t *testing.T) {
	m := newMonitor(Options{})
	defer closeNow(t, m)
	b := signsBaseline(t, 1)
	configure(t, m, b)
	src := newSource(4)
	for range 500 {
		observe(m, src.next(false))
	}
	before := m.Snapshot()
	equal := *b
	configure(t, m, &equal)
	if !reflect.DeepEqual(before, m.Snapshot()) {
		t.Error("an equal configuration changed the state")
	}
	s := DefaultSettings()
	s.Tolerance = 0.03
	if _, err := m.Configure([]ModelConfig{{Model: "signs", Version: "1", Baseline: b, Settings: s}}); err != nil {
		t.Fatal(err)
	}
	if got := m.Snapshot(); len(got) != 1 || got[0].Drift.Blocks != 0 {
		t.Errorf("other settings kept the state: %+v", got)
	}
}

func TestConfigureTellsWhatStarts(t *testing.T) {
	m := newMonitor(Options{})
	defer closeNow(t, m)
	b, settings := signsBaseline(t, 1), DefaultSettings()
	for _, step := range []struct {
		configs []ModelConfig
		want    []string
	}{
		{[]ModelConfig{{Model: "signs", Baseline: b, Settings: settings}, {Model: "echo"}}, []string{"signs/"}},
		{[]ModelConfig{{Model: "signs", Baseline: b, Settings: settings}, {Model: "echo", Baseline: b, Settings: settings}}, []string{"echo/"}},
		{[]ModelConfig{{Model: "signs"}, {Model: "echo", Baseline: b, Settings: settings}}, nil},
		{[]ModelConfig{{Model: "signs", Version: "2", Baseline: b, Settings: settings}, {Model: "signs", Version: "1", Baseline: b, Settings: settings}},
			[]string{"signs/1", "signs/2"}},
	} {
		started, err := m.Configure(step.configs)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range started {
			got = append(got, s.Model+"/"+s.Version)
			if s.Baseline != b.Digest() || s.Drift.Promise == "" {
				t.Errorf("%+v", s)
			}
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("started %q, want %q", got, step.want)
		}
	}
}

func TestConfigureErrors(t *testing.T) {
	m := newMonitor(Options{})
	defer closeNow(t, m)
	b := signsBaseline(t, 1)
	configure(t, m, b)
	before := m.Snapshot()
	other, err := baseline.Build(slices.Repeat([]baseline.Sample{{Values: map[string]baseline.Value{"margin": baseline.Number(1)}}}, 200), baseline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, configs := range map[string][]ModelConfig{
		"configured twice":   {{Model: "a"}, {Model: "a"}},
		`feature "margin"`:   {{Model: "a", Baseline: other, Settings: DefaultSettings()}},
		"block of 0s is not": {{Model: "a", Baseline: b}},
		"drift baseline":     {{Model: "a", Baseline: &baseline.Baseline{}, Settings: DefaultSettings()}},
	} {
		if _, err := m.Configure(configs); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `model "a"`) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if !reflect.DeepEqual(before, m.Snapshot()) {
		t.Error("a configuration that failed changed something")
	}
}

func TestSilentModelEndsItsBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		configure(t, m, signsBaseline(t, 1))
		for range 150 {
			m.Observe(Sample{Model: "signs", Version: "1"})
		}
		time.Sleep(9 * time.Second)
		if got := m.Snapshot()[1].Drift; got.Blocks != 0 || got.Samples != 150 {
			t.Errorf("after 9 s: %d blocks, %d samples", got.Blocks, got.Samples)
		}
		time.Sleep(2 * time.Second)
		if got := m.Snapshot()[1].Drift; got.Blocks != 1 {
			t.Errorf("after 11 s: %d blocks", got.Blocks)
		}
		closeNow(t, m)
	})
}

func TestObserveDropsAndNeverBlocks(t *testing.T) {
	m := newMonitor(Options{QueueSize: 4})
	m.mu.Lock() // the goroutine waits with one sample in its hand
	for range 100 {
		m.Observe(Sample{Model: "x"})
	}
	m.mu.Unlock()
	closeNow(t, m)
	if n := m.Dropped(); n < 95 || m.Dropped()+m.Unconfigured() != 100 {
		t.Errorf("%d dropped, %d handled", n, m.Unconfigured())
	}
	m.Observe(Sample{Model: "x"})
	if m.Dropped()+m.Unconfigured() != 101 {
		t.Error("a sample after Close was not counted")
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	block := make(chan struct{})
	m := newMonitor(Options{OnAlarm: func(Alarm) { <-block }})
	configure(t, m, signsBaseline(t, 1))
	src := newSource(7)
	lastSeen.Store(start.UnixNano())
	for range 4000 {
		m.Observe(src.next(true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	close(block)
	closeNow(t, m) // a second Close waits as well
	if m.Dropped() != 0 || m.Snapshot()[1].Observed != 4000 {
		t.Error("samples that waited were not handled")
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	m := newMonitor(Options{})
	b := signsBaseline(t, 1)
	path := filepath.Join(t.TempDir(), "drift.json")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			src := newSource(uint64(i))
			for range 2000 {
				m.Observe(src.next(false))
			}
		})
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		r := m.Record(ctx, "signs", "")
		configure(t, m, b)
		m.Snapshot()
		if err := m.SaveState(path); err != nil {
			t.Error(err)
		}
		cancel()
		for range r.Samples() {
		}
	}
	wg.Wait()
	closeNow(t, m)
}

func TestObserveAllocatesNothing(t *testing.T) {
	m := newMonitor(Options{QueueSize: 10})
	defer closeNow(t, m)
	s := newSource(1).next(false)
	if n := testing.AllocsPerRun(1000, func() { m.Observe(s) }); n != 0 {
		t.Errorf("Observe: %g allocations", n)
	}
	configure(t, m, signsBaseline(t, 1))
	if n := testing.AllocsPerRun(1000, func() { m.handle(&s) }); n != 0 {
		t.Errorf("handling a sample: %g allocations", n)
	}
}

// BenchmarkHandle is the whole cost of a sample with its three features, after
// the queue.
func BenchmarkHandle(b *testing.B) {
	m := newMonitor(Options{})
	defer closeNow(b, m)
	configure(b, m, signsBaseline(b, 1))
	src := newSource(8)
	samples := make([]Sample, 1024)
	for i := range samples {
		samples[i] = src.next(false)
	}
	b.ReportAllocs()
	now := start
	for i := 0; b.Loop(); i++ {
		s := &samples[i%len(samples)]
		now = now.Add(50 * time.Millisecond)
		s.Time = now
		m.handle(s)
	}
}
