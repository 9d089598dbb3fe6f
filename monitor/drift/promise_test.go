package drift

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"weir/monitor/baseline"
)

// The promise is that the mean run length without drift is at least A blocks.
// Run lengths are about exponential, so n runs know their mean to ±1/sqrt(n).
// Runs are cut off at a few A, which makes their mean smaller and the test
// stricter.
const promisedBlocks = 1000

func promiseSettings(tolerance float64) Settings {
	return Settings{
		MeanTimeBetweenFalseAlarms: promisedBlocks * time.Second, Block: time.Second,
		Tolerance: tolerance, MinBlockRequests: 1,
	}
}

var standard = shifted(0, 1)

// block fills the open block of d with samples that fit the null hypothesis.
type block func(d *Detector, rng *rand.Rand)

// features is small because the promise does not depend on it.
const features = 1

func independent(d *Detector, rng *rand.Rand) {
	feed(d, rng, 20, []population{standard})
}

// burst is clients that send the same sample five times; the mean is unchanged.
func burst(d *Detector, rng *rand.Rand) {
	feed(d, rng, 4, []population{standard})
	for i := range d.state.Block {
		d.state.Block[i] *= 5
	}
	d.state.BlockSamples *= 5
}

// edge is a population at the far end of the band of 0.02 in two bins at once.
func edge(d *Detector, rng *rand.Rand) {
	p := population{[]float64{.08, .18, .28, .38, .48, .58, .68, .78, .88}}
	feed(d, rng, 20, []population{p})
}

// wandering has an expected share that swings inside the band from block to block.
func wandering(d *Detector, rng *rand.Rand) {
	swing := 0.02 * math.Sin(float64(d.state.Blocks)/20)
	p := population{[]float64{.1 + swing, .2, .3, .4, .5, .6, .7, .8, .9}}
	feed(d, rng, 20, []population{p})
}

// runLength returns the number of blocks to the first alarm, or most.
func runLength(d *Detector, rng *rand.Rand, fill block, most float64) float64 {
	now := time.Unix(0, 0)
	d.state.SlotStart = now
	for n := 1.0; ; n++ {
		fill(d, rng)
		now = now.Add(d.settings.Block)
		if d.Tick(now) != nil || n >= most {
			return n
		}
	}
}

func TestMeanTimeBetweenFalseAlarms(t *testing.T) {
	for name, c := range map[string]struct {
		tolerance float64
		fill      block
		runs      int
		cut       float64 // in A
	}{
		"independent": {0, independent, 100, 10},
		"burst":       {0, burst, 100, 10},
		"edge":        {0.02, edge, 50, 3},
		"wandering":   {0.02, wandering, 50, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, 11))
			lengths := make([]float64, c.runs)
			for i := range lengths {
				d, err := New(decileBaseline(t, features, 1e9), promiseSettings(c.tolerance))
				if err != nil {
					t.Fatal(err)
				}
				lengths[i] = runLength(d, rng, c.fill, c.cut*promisedBlocks)
			}
			checkPromise(t, lengths)
		})
	}
}

// checkPromise allows for three standard errors.
func checkPromise(t *testing.T, lengths []float64) {
	t.Helper()
	got := mean(lengths) / promisedBlocks
	margin := 3 * got / math.Sqrt(float64(len(lengths)))
	t.Logf("mean run length %.2f A ± %.2f", got, margin)
	if got+margin < 1 {
		t.Errorf("mean run length is %.2f ± %.2f of what is promised", got, margin)
	}
}

// TestPromiseHoldsOverBaselines draws a new small baseline for every run, with
// its own sampling error, and no tolerance of the operator.
func TestPromiseHoldsOverBaselines(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	lengths := make([]float64, 40)
	for i := range lengths {
		d, err := New(drawnBaseline(t, rng, 2000), promiseSettings(0))
		if err != nil {
			t.Fatal(err)
		}
		lengths[i] = runLength(d, rng, func(d *Detector, rng *rand.Rand) { observeNormals(d, rng, 20) }, 3*promisedBlocks)
	}
	checkPromise(t, lengths)
}

func drawnBaseline(t testing.TB, rng *rand.Rand, n int) *baseline.Baseline {
	t.Helper()
	samples := make([]baseline.Sample, n)
	for i := range samples {
		samples[i].Values = map[string]baseline.Value{"x": baseline.Number(rng.NormFloat64())}
	}
	b, err := baseline.Build(samples, baseline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// observeNormals counts n standard normal samples in the open block.
func observeNormals(d *Detector, rng *rand.Rand, n int) {
	row := make([]baseline.Value, 1)
	for range n {
		row[0] = baseline.Number(rng.NormFloat64())
		d.count(row)
	}
}
