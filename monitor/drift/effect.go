package drift

import "math"

// Effect is how far current shares q are from baseline shares p. It describes an
// alarm and never raises one.
//
// PSI and the Jensen–Shannon distance are taken over all k bins, with half a
// sample added to each so that no share is zero: p = (c+½)/(m+k/2).
type Effect struct {
	// PSI is the population stability index Σ(q-p)·ln(q/p), in nats (Siddiqi,
	// "Credit Risk Scorecards", 2006).
	PSI float64 `json:"psi"`
	// JensenShannon is the distance sqrt(½KL(p‖r)+½KL(q‖r)), r = (p+q)/2, with
	// logarithms to base 2: 0 is equal, 1 disjoint (Endres and Schindelin 2003).
	JensenShannon float64 `json:"jensen_shannon_distance"`
	// KolmogorovSmirnov is the largest difference of the cumulative shares at the
	// edges of the bins, without smoothing and without the missing values. It is
	// nil for categories, which have no order, and when there are no values.
	KolmogorovSmirnov *float64 `json:"kolmogorov_smirnov,omitempty"`
}

// EffectOf compares the counts of a baseline with current counts over the same
// bins. ordered counts are in the order of the values, with the missing ones as
// the last.
func EffectOf(base, current []int64, ordered bool) Effect {
	p, q := smoothed(base), smoothed(current)
	var e Effect
	var divergence float64
	for i := range p {
		e.PSI += (q[i] - p[i]) * math.Log(q[i]/p[i])
		r := (p[i] + q[i]) / 2
		divergence += (p[i]*math.Log2(p[i]/r) + q[i]*math.Log2(q[i]/r)) / 2
	}
	e.JensenShannon = math.Sqrt(max(divergence, 0))
	if ordered {
		e.KolmogorovSmirnov = kolmogorovSmirnov(base[:len(base)-1], current[:len(current)-1])
	}
	return e
}

func smoothed(counts []int64) []float64 {
	shares := make([]float64, len(counts))
	total := float64(sum(counts)) + float64(len(counts))/2
	for i, c := range counts {
		shares[i] = (float64(c) + 0.5) / total
	}
	return shares
}

func kolmogorovSmirnov(base, current []int64) *float64 {
	m, n := float64(sum(base)), float64(sum(current))
	if m == 0 || n == 0 {
		return nil
	}
	var f, g int64
	var largest float64
	for i := range base {
		f += base[i]
		g += current[i]
		largest = max(largest, math.Abs(float64(f)/m-float64(g)/n))
	}
	return &largest
}
