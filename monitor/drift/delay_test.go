package drift

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// delayFile has the measured delays; `go test -tags nightly -run TestDelayTable
// ./monitor/drift -update` measures and writes them again.
const delayFile = "testdata/delays.txt"

// delayCase is one row of the table: ten features, of which one changes from the
// standard normal to a normal with the given mean and deviation.
type delayCase struct {
	mean, deviation float64
	tolerance       float64
	minBlock        int
}

var delayCases = []delayCase{
	{0.25, 1, 0, 1}, {0.5, 1, 0, 1}, {1, 1, 0, 1}, {0, 1.5, 0, 1}, {0.5, 1, 0.02, 1}, {1, 1, 0.02, 1},
	{0.5, 1, 0, 100}, {0.25, 1, 0.02, 100}, {0.5, 1, 0.02, 100}, {1, 1, 0.02, 100},
	{0.5, 1, 0.02, 25}, {1, 1, 0.02, 25},
}

// delayRates are requests per second.
var delayRates = []float64{1, 5, 20, 200}

func (c delayCase) settings() Settings {
	s := DefaultSettings()
	s.Tolerance, s.MinBlockRequests = c.tolerance, c.minBlock
	return s
}

// delays returns the sorted seconds from the change to the alarm in each run.
func (c delayCase) delays(t testing.TB, rate float64, runs int) []float64 {
	rng := rand.New(rand.NewPCG(uint64(rate), uint64(runs)))
	delays := make([]float64, runs)
	for i := range delays {
		delays[i] = c.delay(t, rng, rate)
	}
	slices.Sort(delays)
	return delays
}

func (c delayCase) delay(t testing.TB, rng *rand.Rand, rate float64) float64 {
	const features, changing, warmUp = 10, 3, 100
	s := c.settings()
	d, err := New(decileBaseline(t, features, 1e9), s)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	d.state.SlotStart = now
	populations := slices.Repeat([]population{shifted(0, 1)}, features)
	for block := 1; ; block++ {
		if block == warmUp+1 {
			populations[changing] = shifted(c.mean, c.deviation)
		}
		feed(d, rng, int(rate*s.Block.Seconds()), populations)
		now = now.Add(s.Block)
		alarm := d.Tick(now)
		if alarm == nil || block <= warmUp {
			continue
		}
		if want := d.features[changing].Name; alarm.Feature != want {
			t.Errorf("alarm blames %s, not %s", alarm.Feature, want)
		}
		return float64(block-warmUp) * s.Block.Seconds()
	}
}

func mean(x []float64) float64 {
	var total float64
	for _, v := range x {
		total += v
	}
	return total / float64(len(x))
}

func percentile(sorted []float64, p float64) float64 {
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

type delayRow struct {
	delayCase
	rate, mean, p95 float64
}

// readDelays returns the rows of the committed table.
func readDelays(t testing.TB) []delayRow {
	t.Helper()
	data, err := os.ReadFile(delayFile)
	if err != nil {
		t.Fatal(err)
	}
	var rows []delayRow
	for line := range bytes.Lines(data) {
		if line[0] == '#' {
			continue
		}
		var r delayRow
		if _, err := fmt.Sscan(string(line), &r.delayCase.mean, &r.deviation, &r.tolerance, &r.minBlock,
			&r.rate, &r.mean, &r.p95); err != nil {
			t.Fatalf("%s: %q: %v", delayFile, line, err)
		}
		rows = append(rows, r)
	}
	if want := len(delayCases) * len(delayRates); len(rows) != want {
		t.Fatalf("%s has %d rows, not %d", delayFile, len(rows), want)
	}
	return rows
}

// TestDelayRegression measures the rows at 20 requests a second again.
func TestDelayRegression(t *testing.T) {
	for _, r := range readDelays(t) {
		if r.rate != 20 {
			continue
		}
		got := mean(r.delays(t, r.rate, 6))
		if got > 1.1*r.mean || got < r.mean/1.1 {
			t.Errorf("%+v: mean delay %.0f s, the table has %.0f s", r.delayCase, got, r.mean)
		}
	}
}

// TestDelaysAreAsPromised holds the table to the delays that the detector was
// chosen for: seconds at 20 requests a second, A = 30 days / 10 s, ten features.
func TestDelaysAreAsPromised(t *testing.T) {
	promised := map[delayCase]float64{
		{0.25, 1, 0, 1}:   403,
		{0.5, 1, 0, 1}:    213,
		{1, 1, 0, 1}:      120,
		{0, 1.5, 0, 1}:    225,
		{0.5, 1, 0.02, 1}: 327,
	}
	rows := readDelays(t)
	for c, most := range promised {
		i := slices.IndexFunc(rows, func(r delayRow) bool { return r.delayCase == c && cmp.Compare(r.rate, 20) == 0 })
		if i < 0 || rows[i].mean > most {
			t.Errorf("%+v: the table does not have a delay of %g s or less", c, most)
		}
	}
}
