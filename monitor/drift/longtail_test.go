package drift

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/monitor/baseline"
)

// longTail draws names whose shares fall with their rank to the power -1.5.
// Among 2,000 samples many of the 500 names are not seen at all.
type longTail struct {
	names      []baseline.Value
	cumulative []float64
}

func newLongTail() *longTail {
	var l longTail
	total := 0.0
	for rank := 1.0; rank <= 500; rank++ {
		total += math.Pow(rank, -1.5)
		l.names = append(l.names, baseline.Name(fmt.Sprintf("label %g", rank)))
		l.cumulative = append(l.cumulative, total)
	}
	for i := range l.cumulative {
		l.cumulative[i] /= total
	}
	return &l
}

func (l *longTail) draw(rng *rand.Rand) (rank int, name baseline.Value) {
	i, _ := slices.BinarySearch(l.cumulative, rng.Float64())
	i = min(i, len(l.names)-1)
	return i + 1, l.names[i]
}

func (l *longTail) baseline(t *testing.T, rng *rand.Rand) *baseline.Baseline {
	t.Helper()
	samples := make([]baseline.Sample, 2000)
	for i := range samples {
		_, name := l.draw(rng)
		samples[i].Values = map[string]baseline.Value{"class": name}
	}
	b, err := baseline.Build(samples, baseline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPromiseHoldsOnALongTail counts the alarms over several baselines, each with
// live traffic of the very distribution that it was drawn from.
func TestPromiseHoldsOnALongTail(t *testing.T) {
	const (
		baselines, blocks, perBlock = 5, 4000, 50
		promised                    = 360 // blocks
		expected                    = baselines * blocks / promised
	)
	tail := newLongTail()
	for _, tolerance := range []float64{0, 0.02} {
		t.Run(fmt.Sprint(tolerance), func(t *testing.T) {
			t.Parallel()
			settings := Settings{MeanTimeBetweenFalseAlarms: promised * time.Second, Block: time.Second,
				Tolerance: tolerance, MinBlockRequests: perBlock}
			rng := rand.New(rand.NewPCG(15, 500))
			var alarms int64
			for range baselines {
				d := newTailDetector(t, tail.baseline(t, rng), settings)
				for block := range blocks {
					for range perBlock {
						_, name := tail.draw(rng)
						d.Observe(start.Add(time.Duration(block)*time.Second), []baseline.Value{name})
					}
				}
				alarms += d.Status().Alarms
			}
			t.Logf("%d alarms, %d are promised at most", alarms, expected)
			if margin := 3 * math.Sqrt(expected); float64(alarms) > expected+margin {
				t.Errorf("%d alarms in %d blocks; %d ± %.0f are promised at most", alarms, baselines*blocks, expected, margin)
			}
		})
	}
}

func newTailDetector(t *testing.T, b *baseline.Baseline, s Settings) *Detector {
	t.Helper()
	d, err := New(b, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestShiftAmongRareNamesIsFound keeps the joint share of the rare names, but half
// of them become one name.
func TestShiftAmongRareNamesIsFound(t *testing.T) {
	tail := newLongTail()
	for name, taker := range map[string]baseline.Value{"seen": tail.names[20], "never seen": baseline.Name("new label")} {
		rng := rand.New(rand.NewPCG(15, 501))
		b := tail.baseline(t, rng)
		d := newTailDetector(t, b, DefaultSettings())
		bin := d.Bin(0, taker)
		if f := &b.Features[0]; bin < len(f.Categories) || f.OtherBuckets < 4 {
			t.Fatalf("%s: bin %d, %d categories, %d buckets", name, bin, len(f.Categories), f.OtherBuckets)
		}
		var alarm *Alarm
		change := start.Add(time.Hour)
		for now := start; alarm == nil && now.Before(change.Add(15*time.Minute)); now = now.Add(50 * time.Millisecond) {
			rank, value := tail.draw(rng)
			if !now.Before(change) && rank > 20 && rng.IntN(2) == 0 {
				value = taker
			}
			alarm = d.Observe(now, []baseline.Value{value})
		}
		if alarm == nil || alarm.Time.Before(change) {
			t.Fatalf("%s: alarm %+v, want one within 15 minutes of %s", name, alarm, change)
		}
		risen := slices.MaxFunc(alarm.Bins, func(x, y Bin) int {
			return cmp.Compare(x.Current-x.Baseline, y.Current-y.Baseline)
		})
		t.Logf("%s: %s after the change, %+v", name, alarm.Time.Sub(change), risen)
		if risen.Label != alarm.Bins[bin].Label {
			t.Errorf("%s: %+v rose most, not %+v", name, risen, alarm.Bins[bin])
		}
	}
}
