package drift

import (
	"math"

	"weir/monitor/baseline"
)

// fractions are the bets on one bin in one direction, as parts of the largest
// bet that cannot lose more than everything; weights are their shares of the
// average. Small bets pay when a block has few samples, large ones when it has
// many. A bet that a share falls counts downWeight times as much as one that it
// rises: it can win little on a bin that is small already, and what left the
// bin shows in another. The figures are those with the shortest delays in
// testdata/delays.txt among about twenty that were tried; the promise does not
// depend on them.
var (
	fractions = [...]float64{0.1, 0.2, 0.4, 0.7, 0.99}
	weights   = [...]float64{0.05, 0.15, 0.2, 0.2, 0.4}
)

const downWeight = 0.3

// bet is one component of the statistic. Its factor 1 + slope·(share-null) is
// never negative for a share in [0, 1], and its expectation is at most one
// whenever the expected share is on the null's side of null (Waudby-Smith and
// Ramdas, "Estimating means of bounded random variables by betting", 2024).
type bet struct {
	bin    int     // index over the bins of all features
	null   float64 // end of the tolerated band
	slope  float64 // above zero: pays when the share exceeds null
	weight float64 // share of the average over all bets
}

func (b *bet) factor(share float64) float64 { return 1 + b.slope*(share-b.null) }

// upBets pay when the share of bin exceeds high. There are none when no share
// can exceed it.
func upBets(bin int, high float64) []bet {
	if high >= 1 {
		return nil
	}
	return ladder(bin, high, 1/high)
}

// downBets pay when the share of bin falls below low. There are none when no
// share can be below it.
func downBets(bin int, low float64) []bet {
	if low <= 0 {
		return nil
	}
	return ladder(bin, low, -1/(1-low))
}

func ladder(bin int, null, steepest float64) []bet {
	bets := make([]bet, 0, len(fractions))
	scale := 1.0
	if steepest < 0 {
		scale = downWeight
	}
	for i, f := range fractions {
		bets = append(bets, bet{bin: bin, null: null, slope: f * steepest, weight: scale * weights[i]})
	}
	return bets
}

// slack returns the half-width of the band around the share p that was estimated
// from m samples: the operator's tolerance or the sampling error, whichever is
// larger. z makes the band hold for all bins of the baseline at once.
func slack(p, tolerance, z float64, m int64) float64 {
	return max(tolerance, z*math.Sqrt(max(p*(1-p), 0)/float64(m)))
}

// SamplingError returns the half-width of the widest band that a bin of b has at
// tolerance zero. It comes from the number of samples alone: a change of that bin
// within the band raises no alarm, however small the operator's tolerance is.
func SamplingError(b *baseline.Baseline) float64 {
	z := simultaneousZ(binsOf(b))
	var widest float64
	for i := range b.Features {
		f := &b.Features[i]
		for bin := range f.Bins() {
			widest = max(widest, slack(b.Expected(f, bin), 0, z, b.Samples))
		}
	}
	return widest
}

func binsOf(b *baseline.Baseline) int {
	bins := 0
	for i := range b.Features {
		bins += b.Features[i].Bins()
	}
	return bins
}

// simultaneousZ is the normal quantile at which bins two-sided intervals hold
// together with 95 % confidence (Bonferroni).
func simultaneousZ(bins int) float64 {
	const alpha = 0.05
	return math.Sqrt2 * math.Erfinv(1-alpha/float64(bins))
}

// featureBets returns the bets on all bins of f, whose first bin has the index
// first; their weights add up to total.
func featureBets(b *baseline.Baseline, f *baseline.Feature, first int, tolerance, z, total float64) []bet {
	var bets []bet
	for i := range f.Bins() {
		p := b.Expected(f, i)
		d := slack(p, tolerance, z, b.Samples)
		bets = append(bets, upBets(first+i, p+d)...)
		bets = append(bets, downBets(first+i, p-d)...)
	}
	var sum float64
	for i := range bets {
		sum += bets[i].weight
	}
	for i := range bets {
		bets[i].weight *= total / sum
	}
	return bets
}
