package pixel

import (
	"errors"
	"slices"
	"testing"
)

// medianOf is the median by its definition, with edges repeated.
func medianOf[T Sample](q *Plane[T], x, y, size int) T {
	var all []T
	for dy := -size / 2; dy <= size/2; dy++ {
		for dx := -size / 2; dx <= size/2; dx++ {
			all = append(all, q.row(y + dy)[min(max(x+dx, 0), q.Width-1)])
		}
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func TestMedian(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 3}, {7, 5}, {300, 9}} {
		for _, n := range []int{3, 5} {
			src := grain(size[0], size[1])
			p8, p16 := planes8(t, src), planes16(t, src)
			want8, want16 := planes8(t, src), planes16(t, src)
			if err := errors.Join(p8.Median(t.Context(), n), p16.Median(t.Context(), n)); err != nil {
				t.Fatal(err)
			}
			for i := range p8.Planes {
				for y := range size[1] {
					for x := range size[0] {
						if got, want := p8.Planes[i].row(y)[x], medianOf(&want8.Planes[i], x, y, n); got != want {
							t.Fatalf("%v, %d × %d: %d at %d, %d; want %d", size, n, n, got, x, y, want)
						}
						if got, want := p16.Planes[i].row(y)[x], medianOf(&want16.Planes[i], x, y, n); got != want {
							t.Fatalf("%v, %d × %d, 16 bits: %d at %d, %d; want %d", size, n, n, got, x, y, want)
						}
					}
				}
			}
		}
	}
	if planes8(t, grain(5, 5)).Median(t.Context(), 4) == nil {
		t.Error("a median of 4 × 4 is taken")
	}
}

// TestMedian25 holds by the 0-1 principle (Knuth, volume 3, 5.3.4) that the network
// finds the median of any 25: it does for all 2^25 of zeros and ones, 64 at a time.
func TestMedian25(t *testing.T) {
	masks := [6]uint64{0xAAAAAAAAAAAAAAAA, 0xCCCCCCCCCCCCCCCC, 0xF0F0F0F0F0F0F0F0, 0xFF00FF00FF00FF00, 0xFFFF0000FFFF0000, 0xFFFFFFFF00000000}
	for rest := range 1 << 19 {
		var v [25]uint64
		copy(v[:], masks[:])
		ones := [5]uint64{} // how many ones there are, bit by bit, for each of the 64
		for i := range 19 {
			v[6+i] = -uint64(rest >> i & 1)
		}
		for _, x := range v {
			for i := range ones {
				ones[i], x = ones[i]^x, ones[i]&x
			}
		}
		// 13 and more: 16.., or 8 + 4 + (1 or 2).
		want := ones[4] | ones[3]&ones[2]&(ones[1]|ones[0])
		for _, pair := range median25 {
			a, b := v[pair[0]], v[pair[1]]
			v[pair[0]], v[pair[1]] = a&b, a|b
		}
		if v[12] != want {
			t.Fatalf("wrong for %x", rest)
		}
	}
}
