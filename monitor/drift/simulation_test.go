package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"weir/monitor/baseline"
)

// normal is the standard normal distribution function.
func normal(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// normalQuantile is its inverse.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// decileBaseline returns a baseline of features that are standard normal, with
// the exact deciles as edges, as if it had been built from m samples without
// sampling error in the counts.
func decileBaseline(t testing.TB, features int, m int64) *baseline.Baseline {
	t.Helper()
	b := &baseline.Baseline{Format: baseline.Format, Samples: m}
	for i := range features {
		f := baseline.Feature{Name: string(rune('a' + i)), Kind: baseline.Numeric}
		for j := range 10 {
			f.Counts = append(f.Counts, m/10)
			if j > 0 {
				f.Edges = append(f.Edges, normalQuantile(float64(j)/10))
			}
		}
		b.Features = append(b.Features, f)
	}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	return b
}

// population draws the bins of a feature.
type population struct{ cumulative []float64 }

// shifted is a normal population with the given mean and deviation over the
// deciles of the standard normal.
func shifted(mean, deviation float64) population {
	var p population
	for j := 1; j < 10; j++ {
		p.cumulative = append(p.cumulative, normal((normalQuantile(float64(j)/10)-mean)/deviation))
	}
	return p
}

func (p population) draw(rng *rand.Rand) int {
	x := rng.Float64()
	for i, c := range p.cumulative {
		if x < c {
			return i
		}
	}
	return len(p.cumulative)
}

// feed puts n samples into the open block, of feature i from populations[i].
func feed(d *Detector, rng *rand.Rand, n int, populations []population) {
	for i := range d.features {
		for range n {
			bin := d.features[i].firstBin + populations[i].draw(rng)
			d.state.Block[bin]++
		}
	}
	d.state.BlockSamples += int64(n)
	d.state.Samples += int64(n)
}
