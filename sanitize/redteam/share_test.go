package redteam

import (
	"math"
	"testing"
)

// The intervals of statsmodels 0.14, proportion_confint(hits, of, method="wilson"),
// and of Newcombe 1998, table I, method 3 (81/263, 15/148, 0/20, 1/29).
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		hits, of  int
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
		{20, 20, 0.8389, 1},
		{0, 34, 0, 0.1015},
		{0, 35, 0, 0.0989},
		{0, 0, 0, 1},
	} {
		low, high := Wilson(c.hits, c.of)
		if math.Abs(low-c.low) > 0.00005 || math.Abs(high-c.high) > 0.00005 {
			t.Errorf("Wilson(%d, %d) = %.4f, %.4f, want %.4f, %.4f", c.hits, c.of, low, high, c.low, c.high)
		}
	}
	_, enough := Wilson(0, leastSamples)
	if _, few := Wilson(0, leastSamples-1); enough > leastBar || few <= leastBar {
		t.Errorf("%d samples have the upper bound %g, one less %g", leastSamples, enough, few)
	}
	if z := bonferroni(1); math.Abs(z-z95) > 1e-9 {
		t.Errorf("the quantile of one interval is %g, want %g", z, z95)
	}
	if z := bonferroni(10); math.Abs(z-2.807) > 0.001 { // of 99.5 %
		t.Errorf("the quantile of ten intervals is %g", z)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		base, raw, after [2]int // hits, of
		want             Verdict
	}{
		{[2]int{0, 100}, [2]int{100, 100}, [2]int{0, 100}, Neutralised},
		{[2]int{0, 100}, [2]int{100, 100}, [2]int{4, 100}, Neutralised}, // at most 9.8 %
		{[2]int{0, 100}, [2]int{100, 100}, [2]int{5, 100}, Reduced},     // at most 11.2 %
		{[2]int{0, 35}, [2]int{35, 35}, [2]int{0, 35}, Neutralised},
		{[2]int{0, 34}, [2]int{34, 34}, [2]int{0, 34}, Reduced}, // too few samples
		{[2]int{0, 100}, [2]int{100, 100}, [2]int{90, 100}, Reduced},
		{[2]int{0, 100}, [2]int{100, 100}, [2]int{97, 100}, NotNeutralised},
		{[2]int{0, 100}, [2]int{50, 100}, [2]int{60, 100}, NotNeutralised},
		{[2]int{0, 100}, [2]int{0, 100}, [2]int{0, 100}, NoEffect},
		{[2]int{0, 100}, [2]int{15, 100}, [2]int{0, 100}, NoEffect},    // at least 9.3 %
		{[2]int{0, 100}, [2]int{18, 100}, [2]int{0, 100}, Neutralised}, // at least 11.7 %
		{[2]int{30, 100}, [2]int{40, 100}, [2]int{30, 100}, NoEffect},  // the bar is at 35 %
		{[2]int{30, 100}, [2]int{90, 100}, [2]int{25, 100}, Neutralised},
		{[2]int{30, 100}, [2]int{90, 100}, [2]int{30, 100}, Reduced},
		{[2]int{0, 0}, [2]int{0, 0}, [2]int{0, 0}, NotMeasured},
	} {
		got := judge(NewShare(c.base[0], c.base[1]), NewShare(c.raw[0], c.raw[1]), NewShare(c.after[0], c.after[1]))
		if got != c.want {
			t.Errorf("base %v, raw %v, after %v: %v, want %v", c.base, c.raw, c.after, got, c.want)
		}
	}
}
