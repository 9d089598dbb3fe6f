package drift

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/monitor/baseline"
)

// pairBaseline has a category with two names and a normal number.
func pairBaseline(t testing.TB) *baseline.Baseline {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	samples := make([]baseline.Sample, 20_000)
	for i := range samples {
		samples[i].Values = map[string]baseline.Value{"class": baseline.Name(class(rng, 0.5)), "x": baseline.Number(rng.NormFloat64())}
	}
	b, err := baseline.Build(samples, baseline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func class(rng *rand.Rand, stop float64) string {
	if rng.Float64() < stop {
		return "stop"
	}
	return "yield"
}

func newDetector(t testing.TB, s Settings) *Detector {
	t.Helper()
	d, err := New(pairBaseline(t), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func pair(rng *rand.Rand, stop, mean float64) []baseline.Value {
	return []baseline.Value{baseline.Name(class(rng, stop)), baseline.Number(mean + rng.NormFloat64())}
}

func TestBlocksByTime(t *testing.T) {
	s := DefaultSettings()
	s.MinBlockRequests = 3
	d := newDetector(t, s)
	rng := rand.New(rand.NewPCG(1, 2))
	at := func(seconds float64) {
		t.Helper()
		d.Observe(start.Add(time.Duration(seconds*1e9)), pair(rng, 0.5, 0))
	}
	want := func(blocks, open, slots, merged int64) {
		t.Helper()
		if g := d.State(); g.Blocks != blocks || d.Blocks() != (Blocks{blocks, merged}) || g.BlockSamples != open || g.Slots != slots {
			t.Errorf("%d blocks, %d in all, %d open samples, %d spans, %d merged; want %d, %d, %d, %d", g.Blocks, g.TotalBlocks,
				g.BlockSamples, g.Slots, g.MergedSpans, blocks, open, slots, merged)
		}
	}
	at(0)
	at(1)
	at(9.999)
	want(0, 3, 0, 0)
	at(10) // the first sample at the end of a block belongs to the next
	want(1, 1, 0, 0)
	at(20) // too few: continued
	want(1, 2, 1, 1)
	at(9) // late samples count in the open block
	want(1, 3, 1, 1)
	d.Tick(start.Add(45 * time.Second)) // silence ends a block as well
	want(2, 0, 0, 1)
	d.Tick(start.Add(95 * time.Second)) // and is no block, nor is it merged into one
	want(2, 0, 0, 1)
	at(-3600) // the clock was set back
	want(2, 1, 0, 1)
	at(-3600 + 9)
	at(-3600 + 9.5)
	at(-3600 + 10)
	want(3, 1, 0, 1)
}

func TestTickBeforeFirstSample(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	if d.Tick(start) != nil || d.State().Blocks != 0 {
		t.Error("a block ended before there was a sample")
	}
}

func TestAlarmNamesWhatChanged(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(5, 6))
	change := start.Add(10 * time.Minute)
	var alarm *Alarm
	now := start
	for ; alarm == nil && now.Before(start.Add(time.Hour)); now = now.Add(50 * time.Millisecond) {
		stop := 0.5
		if !now.Before(change) {
			stop = 0.9
		}
		alarm = d.Observe(now, pair(rng, stop, 0))
	}
	if alarm == nil {
		t.Fatal("no alarm within an hour")
	}
	if alarm.Feature != "class" || alarm.Statistic < alarm.Threshold || alarm.Threshold != 259200 {
		t.Errorf("alarm %+v", alarm)
	}
	if off := alarm.Began.Sub(change).Abs(); off > 30*time.Second {
		t.Errorf("change began at %s, the alarm says %s", change, alarm.Began)
	}
	if late := alarm.Time.Sub(change); late > 5*time.Minute || late < 0 {
		t.Errorf("alarm %s after the change", late)
	}
	for _, b := range alarm.Bins {
		if b.Label == "stop" && math.Abs(b.Current-0.9) > 0.05 || b.Label == "missing" && b.Current != 0 {
			t.Errorf("bin %+v", b)
		}
	}
	if got := d.State(); got.Statistic != 0 || got.Blocks != 0 || got.Alarms != 1 || got.Samples != 1 || got.TotalBlocks != alarm.Blocks {
		t.Errorf("statistic did not restart: %+v", got)
	}
}

func TestMissingValuesRaiseAnAlarm(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(8, 8))
	var alarm *Alarm
	for i := 0; alarm == nil && i < 2000; i++ {
		row := pair(rng, 0.5, 0)
		if i >= 500 && i%3 == 0 {
			row[1] = baseline.Number(math.NaN())
		}
		alarm = d.Observe(time.Time{}, row)
	}
	if alarm == nil || alarm.Feature != "x" {
		t.Errorf("alarm %+v", alarm)
	}
}

func TestShiftInsideToleranceStaysSilent(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 200_000 {
		if a := d.Observe(time.Time{}, pair(rng, 0.515, 0)); a != nil {
			t.Fatalf("alarm after %d samples: %+v", i, a)
		}
	}
}

// TestRestoreContinuesToTheBit saves one of two equal detectors in the middle of
// a block and compares what they say afterwards.
func TestRestoreContinuesToTheBit(t *testing.T) {
	one := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(10, 10))
	now := start
	step := func(ds ...*Detector) {
		now = now.Add(70 * time.Millisecond)
		row := pair(rng, 0.53, 0.1)
		for _, d := range ds {
			d.Observe(now, row)
		}
	}
	for range 5000 {
		step(one)
	}
	data, err := json.Marshal(one.State())
	if err != nil {
		t.Fatal(err)
	}
	var state State
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	two := newDetector(t, DefaultSettings())
	if err := two.Restore(state); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		step(one, two)
	}
	if one.State().Statistic == 0 || !reflect.DeepEqual(one.State(), two.State()) {
		t.Errorf("states differ:\n%+v\n%+v", one.State(), two.State())
	}
}

func TestRestoreRefuses(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(11, 11))
	for range 60 {
		d.Observe(time.Time{}, pair(rng, 0.5, 0))
	}
	before := d.State()
	for name, spoil := range map[string]func(*State){
		"another baseline": func(s *State) { s.Baseline = "sha256:00" },
		"other settings":   func(s *State) { s.Settings.Tolerance = 0.03 },
		"elements":         func(s *State) { s.Bets = s.Bets[1:] },
		"negative bet":     func(s *State) { s.Bets[0] = -1 },
		"not a number":     func(s *State) { s.Bets[0] = math.NaN() },
		"negative count":   func(s *State) { s.Total[0] = -1 },
		"add up":           func(s *State) { s.Block[0]++ },
		"beyond threshold": func(s *State) { s.Statistic = 1e9 },
		"spans":            func(s *State) { s.Slots = 1 },
		"blocks":           func(s *State) { s.TotalBlocks-- },
		"merged":           func(s *State) { s.MergedSpans = -1 },
		"cusum":            func(s *State) { s.Features[0].Cusum = math.Inf(1) },
	} {
		s := d.State()
		spoil(&s)
		if err := d.Restore(s); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	if !reflect.DeepEqual(before, d.State()) {
		t.Error("a refused state changed the detector")
	}
}

func TestStatisticIsClamped(t *testing.T) {
	s := DefaultSettings()
	s.MeanTimeBetweenFalseAlarms = 1<<63 - 1
	d := newDetector(t, s)
	for i := range d.state.Bets {
		d.state.Bets[i] = ceiling
	}
	feed := []baseline.Value{baseline.Name("never seen"), {}}
	for range SamplesPerBlock {
		d.Observe(time.Time{}, feed)
	}
	for _, m := range d.state.Bets {
		if math.IsInf(m, 0) || math.IsNaN(m) {
			t.Fatalf("component %g", m)
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	if err := DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Settings){
		"zero block":     func(s *Settings) { s.Block = 0 },
		"long block":     func(s *Settings) { s.Block = 25 * time.Hour },
		"short promise":  func(s *Settings) { s.MeanTimeBetweenFalseAlarms = 99 * time.Second },
		"tolerance":      func(s *Settings) { s.Tolerance = 0.5 },
		"negative":       func(s *Settings) { s.Tolerance = -0.01 },
		"NaN":            func(s *Settings) { s.Tolerance = math.NaN() },
		"no samples":     func(s *Settings) { s.MinBlockRequests = 0 },
		"nothing at all": func(s *Settings) { *s = Settings{} },
	} {
		s := DefaultSettings()
		spoil(&s)
		if s.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
		if _, err := New(pairBaseline(t), s); err == nil {
			t.Errorf("%s: a detector was made", name)
		}
	}
}

func TestPromise(t *testing.T) {
	timed, untimed := DefaultSettings().Promise(true), DefaultSettings().Promise(false)
	if !strings.HasPrefix(timed, "mean time between false alarms >= 30 d while in every block of 10s ") {
		t.Error(timed)
	}
	if !strings.HasPrefix(untimed, "mean number of samples between false alarms >= 6480000 while in every block of 25 samples ") {
		t.Error(untimed)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	d := newDetector(t, DefaultSettings())
	rng := rand.New(rand.NewPCG(12, 12))
	row := pair(rng, 0.5, 0)
	now := start
	if n := testing.AllocsPerRun(5000, func() {
		now = now.Add(50 * time.Millisecond)
		d.Observe(now, row)
		d.state.Statistic = 0
	}); n != 0 || d.State().Blocks == 0 {
		t.Errorf("%g allocations in %d blocks", n, d.State().Blocks)
	}
}

// BenchmarkObserve has the three features of a classifier; every 200th sample
// ends a block.
func BenchmarkObserve(b *testing.B) {
	d, err := New(decileBaseline(b, 3, 1e9), DefaultSettings())
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(13, 13))
	rows := make([][]baseline.Value, 1024)
	for i := range rows {
		rows[i] = []baseline.Value{baseline.Number(rng.NormFloat64()), baseline.Number(rng.NormFloat64()), baseline.Number(rng.NormFloat64())}
	}
	now := start
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(50 * time.Millisecond)
		d.Observe(now, rows[i%len(rows)])
	}
}
