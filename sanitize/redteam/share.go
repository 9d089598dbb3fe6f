package redteam

import (
	"fmt"
	"math"
)

// Share is a share of samples with its 95 % interval.
type Share struct {
	Hits  int     `json:"hits"`
	Of    int     `json:"of"`
	Share float64 `json:"share"` // Hits / Of; 0 of none
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewShare returns the share of hits with its Wilson interval.
func NewShare(hits, of int) Share {
	low, high := Wilson(hits, of)
	return Share{hits, of, float64(hits) / float64(max(1, of)), low, high}
}

// String writes per cent with the interval: "97.5 % (94.3–98.9)"; "–" of none.
func (s Share) String() string {
	if s.Of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %% (%.1f–%.1f)", 100*s.Share, 100*s.Low, 100*s.High)
}

// z95 is the standard normal quantile of two-sided 95 %.
const z95 = 1.959963984540054

// Wilson returns the 95 % score interval of a share (Wilson 1927), which holds for
// few samples and for shares near 0 and 1, too. Of none it is 0 to 1.
func Wilson(hits, of int) (low, high float64) { return wilson(hits, of, z95) }

// wilson is the interval for a standard normal quantile.
func wilson(hits, of int, z float64) (low, high float64) {
	if of <= 0 {
		return 0, 1
	}
	n, p := float64(of), float64(hits)/float64(of)
	scale := 1 / (1 + z*z/n)
	middle := scale * (p + z*z/(2*n))
	half := scale * z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	low, high = max(0, middle-half), min(1, middle+half)
	if hits == 0 {
		low = 0 // but for rounding it is
	}
	if hits == of {
		high = 1
	}
	return low, high
}

// bonferroni is the quantile of two-sided 95 % over n intervals taken together.
func bonferroni(n int) float64 { return math.Sqrt2 * math.Erfinv(1-0.05/float64(n)) }
