package baseline

import (
	"math"
	"slices"
)

// numericFeature cuts values, which it sorts, into frozen bins.
func numericFeature(name string, values []float64, samples int64) Feature {
	f := Feature{Name: name, Kind: Numeric, Missing: samples - int64(len(values))}
	slices.Sort(values)
	f.Edges = quantileEdges(values, minCount(samples))
	f.Counts = countSorted(values, f.Edges)
	f.Edges, f.Counts = joinRare(f.Edges, f.Counts, minCount(samples))
	if len(f.Edges) == 0 {
		f.Edges = around(commonest(values))
		f.Counts = countSorted(values, f.Edges)
	}
	return f
}

// quantileEdges returns the inner quantiles of the sorted values. A quantile that
// lies on a value with at least least samples also gets an edge at the next lower
// value, so that of the samples only this value is in the bin.
func quantileEdges(sorted []float64, least int64) []float64 {
	var edges []float64
	for i := 1; i < quantiles; i++ {
		v := sorted[(i*len(sorted)+quantiles-1)/quantiles-1]
		below := countUpTo(sorted, before(v))
		if below > 0 && countUpTo(sorted, v)-below >= least {
			edges = append(edges, sorted[below-1])
		}
		edges = append(edges, v)
	}
	slices.Sort(edges)
	return slices.Compact(edges)
}

// countUpTo returns how many of the sorted values are at most x.
func countUpTo(sorted []float64, x float64) int64 {
	i, _ := slices.BinarySearchFunc(sorted, x, func(v, x float64) int {
		if v <= x {
			return -1
		}
		return 1
	})
	return int64(i)
}

// before returns the largest number below v, so that (before(v), v] is v alone.
func before(v float64) float64 {
	return max(math.Nextafter(v, math.Inf(-1)), -math.MaxFloat64)
}

func countSorted(sorted, edges []float64) []int64 {
	counts := make([]int64, 0, len(edges)+1)
	var below int64
	for _, e := range edges {
		upTo := countUpTo(sorted, e)
		counts = append(counts, upTo-below)
		below = upTo
	}
	return append(counts, int64(len(sorted))-below)
}

// joinRare joins the smallest bin to its smaller neighbour for as long as there
// is one below least.
func joinRare(edges []float64, counts []int64, least int64) ([]float64, []int64) {
	for len(counts) > 1 {
		i := slices.Index(counts, slices.Min(counts))
		if counts[i] >= least {
			break
		}
		left := i - 1 // the bin that is joined to the one on its right
		if i == 0 || i+1 < len(counts) && counts[i+1] < counts[i-1] {
			left = i
		}
		counts[left+1] += counts[left]
		counts = slices.Delete(counts, left, left+1)
		edges = slices.Delete(edges, left, left+1)
	}
	return edges, counts
}

// around returns the edges of three bins: below v, v, above v.
func around(v float64) []float64 {
	if lower := before(v); lower < v {
		return []float64{lower, v}
	}
	return []float64{v}
}

// commonest returns the value that occurs most often, the lowest of equals.
func commonest(sorted []float64) float64 {
	best, bestCount := sorted[0], int64(0)
	for i := int64(0); i < int64(len(sorted)); {
		end := countUpTo(sorted, sorted[i])
		if end-i > bestCount {
			best, bestCount = sorted[i], end-i
		}
		i = end
	}
	return best
}
