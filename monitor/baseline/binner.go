package baseline

import "slices"

// Binner finds the bin of a value. It is built once for each feature and safe
// for concurrent use.
type Binner struct {
	kind    Kind
	edges   []float64
	index   map[string]int
	missing int
}

// NewBinner returns the Binner of a valid feature.
func NewBinner(f *Feature) *Binner {
	b := &Binner{kind: f.Kind, edges: f.Edges, missing: f.Bins() - 1}
	if f.Kind == Category {
		b.index = make(map[string]int)
		for i, group := range f.Categories {
			for _, c := range group {
				b.index[c] = i
			}
		}
	}
	return b
}

// Bin returns the bin of v. A value of the wrong kind is missing.
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
	return b.missing - 1 // "other" stands before "missing"
}
