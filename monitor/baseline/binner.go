package baseline

import "slices"

// Binner finds the bin of a value. It is built once for each feature and safe
// for concurrent use.
type Binner struct {
	kind    Kind
	edges   []float64
	index   map[string]int
	others  int // how many bins other categories have; they follow those of index
	missing int
}

// NewBinner returns the Binner of a valid feature.
func NewBinner(f *Feature) *Binner {
	b := &Binner{kind: f.Kind, edges: f.Edges, others: f.OtherBuckets, missing: f.Bins() - 1}
	if f.Kind == Category {
		b.index = make(map[string]int, len(f.Categories))
		for i, c := range f.Categories {
			b.index[c] = i
		}
	}
	return b
}

// Bin returns the bin of v. A value of the wrong kind is missing.
// Bin allocates nothing.
func (b *Binner) Bin(v Value) int {
	if v.kind != b.kind {
		return b.missing
	}
	if b.kind == Numeric {
		i, _ := slices.BinarySearch(b.edges, v.number)
		return i
	}
	if i, ok := b.index[v.category]; ok {
		return i
	}
	return len(b.index) + otherBucket(v.category, b.others)
}
