package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// categoricalFeature gives frequent categories their own bins, most frequent
// first, and hashes the others into as many buckets as their number fills.
func categoricalFeature(name string, counts map[string]int64, samples int64) Feature {
	f := Feature{Name: name, Kind: Category, Missing: samples}
	least := minCount(samples)
	names := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(counts[y], counts[x]) })
	var rare []string
	var held int64
	for _, c := range names {
		f.Missing -= counts[c]
		if counts[c] < least {
			rare = append(rare, c)
			held += counts[c]
			continue
		}
		f.Categories = append(f.Categories, c)
		f.Counts = append(f.Counts, counts[c])
	}
	f.OtherBuckets = int(max(held/(2*least), 1))
	others := make([]int64, f.OtherBuckets)
	for _, c := range rare {
		others[otherBucket(c, f.OtherBuckets)] += counts[c]
	}
	f.Counts = append(f.Counts, others...)
	return f
}

// otherBucket returns which of n buckets a category without a bin of its own
// falls into. It depends on nothing but the name, so that names the baseline has
// never seen are spread just as those that it has. It allocates nothing.
func otherBucket(category string, n int) int {
	h := fnv.New64a()
	h.Write([]byte(category))
	return int(h.Sum64() % uint64(n))
}

func (f *Feature) validateCategories() error {
	if len(f.Edges) > 0 {
		return errors.New("a categorical feature has no edges")
	}
	if f.OtherBuckets < 1 || f.OtherBuckets > maxBins {
		return fmt.Errorf("%d buckets of other categories, not 1 to %d", f.OtherBuckets, maxBins)
	}
	if len(f.Counts) != len(f.Categories)+f.OtherBuckets || f.Bins() > maxBins {
		return fmt.Errorf("%d counts for %d categories and %d buckets of others",
			len(f.Counts), len(f.Categories), f.OtherBuckets)
	}
	for i, c := range f.Categories {
		if err := checkName("category", c); err != nil {
			return err
		}
		if slices.Contains(f.Categories[:i], c) {
			return fmt.Errorf("category %q is twice there", c)
		}
	}
	return nil
}
