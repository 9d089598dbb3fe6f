package drift

import (
	"math"
	"testing"
)

// TestBetsAreFair is the condition of the theorem: no bet can become negative,
// and none has an expectation above one while the mean is in the band. The
// expectation is summed exactly over the binomial distribution of a block's
// share, and at the ends of the band it is also taken for the extreme case that
// all samples of a block are equal.
func TestBetsAreFair(t *testing.T) {
	for _, p := range []float64{1e-6, 0.001, 0.02, 0.1, 0.5, 0.9, 0.98, 0.999, 1} {
		for _, tau := range []float64{0, 1e-6, 0.02, 0.1, 0.49} {
			low, high := p-tau, p+tau
			bets := append(upBets(0, high), downBets(0, low)...)
			if want := betCount(low, high); len(bets) != want {
				t.Fatalf("p %g τ %g: %d bets, not %d", p, tau, len(bets), want)
			}
			for _, b := range bets {
				if b.factor(0) < 0 || b.factor(1) < 0 {
					t.Errorf("p %g τ %g: %+v can become negative", p, tau, b)
				}
				for _, mu := range []float64{max(low, 0), p, (p + min(high, 1)) / 2, min(high, 1)} {
					for _, n := range []int{1, 2, 7, 100} {
						if e := expectation(b, mu, n); e > 1+1e-12 {
							t.Errorf("p %g τ %g: E[L] = %g at mean %g of %d samples for %+v", p, tau, e, mu, n, b)
						}
					}
				}
			}
		}
	}
}

func betCount(low, high float64) int {
	n := 0
	if low > 0 {
		n += len(fractions)
	}
	if high < 1 {
		n += len(fractions)
	}
	return n
}

// expectation sums the factor over the binomial distribution of n samples; with
// n = 1 the share is 0 or 1.
func expectation(b bet, mu float64, n int) float64 {
	var e float64
	for k := range n + 1 {
		e += binomial(n, k, mu) * b.factor(float64(k)/float64(n))
	}
	return e
}

func binomial(n, k int, p float64) float64 {
	if p <= 0 || p >= 1 {
		if (p <= 0 && k == 0) || (p >= 1 && k == n) {
			return 1
		}
		return 0
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func TestBetsWinOutsideTheBand(t *testing.T) {
	for _, b := range upBets(0, 0.12) {
		if b.factor(0.13) <= 1 || b.factor(0.11) >= 1 {
			t.Errorf("%+v does not pay above the band", b)
		}
	}
	for _, b := range downBets(0, 0.08) {
		if b.factor(0.07) <= 1 || b.factor(0.09) >= 1 {
			t.Errorf("%+v does not pay below the band", b)
		}
	}
}

func TestWeightsAddUp(t *testing.T) {
	var total float64
	for _, w := range weights {
		total += w
	}
	if !near(total, 1) {
		t.Errorf("weights add up to %g", total)
	}
	d, err := New(decileBaseline(t, 3, 1e9), DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	total = 0
	for _, b := range d.bets {
		total += b.weight
	}
	if !near(total, 1) {
		t.Errorf("weights of a detector add up to %g", total)
	}
}

func TestSimultaneousZ(t *testing.T) {
	// scipy.stats.norm.ppf(1 - .05/20), ppf(1 - .05/2)
	for bins, want := range map[int]float64{10: 2.807033768343811, 1: 1.959963984540054} {
		if got := simultaneousZ(bins); !near(got, want) {
			t.Errorf("%d bins: z = %v, not %v", bins, got, want)
		}
	}
}

// TestSamplingErrorIsTheWidestBand compares with the bands of a detector without
// a tolerance, and with the formula for its largest bin.
func TestSamplingErrorIsTheWidestBand(t *testing.T) {
	b := pairBaseline(t)
	s := DefaultSettings()
	s.Tolerance = 0
	d, err := New(b, s)
	if err != nil {
		t.Fatal(err)
	}
	var widest float64
	for _, f := range d.Status().Features {
		for _, bin := range f.Bins {
			widest = max(widest, bin.Tolerance)
		}
	}
	// Two names of about 1/2, "other", ten deciles and twice "missing": 15 bins.
	want := normalQuantile(1-0.05/30) * 0.5 / math.Sqrt(20_000)
	if got := SamplingError(b); got != widest || math.Abs(got-want) > 1e-3*want {
		t.Errorf("sampling error %g; the widest band is %g, by the formula %g", got, widest, want)
	}
}
