package drift

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestEffectAgainstSciPy compares with testdata/effects.json, which
// testdata/effects.py made.
func TestEffectAgainstSciPy(t *testing.T) {
	data, err := os.ReadFile("testdata/effects.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Base, Current []int64
		Ordered       bool
		Effect
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		got := EffectOf(c.Base, c.Current, c.Ordered)
		if !near(got.PSI, c.PSI) || !near(got.JensenShannon, c.JensenShannon) {
			t.Errorf("%v and %v: %+v, scipy has %+v", c.Base, c.Current, got, c.Effect)
		}
		if (got.KolmogorovSmirnov == nil) != (c.KolmogorovSmirnov == nil) {
			t.Errorf("%v and %v: KS %v, scipy has %v", c.Base, c.Current, got.KolmogorovSmirnov, c.KolmogorovSmirnov)
		} else if got.KolmogorovSmirnov != nil && !near(*got.KolmogorovSmirnov, *c.KolmogorovSmirnov) {
			t.Errorf("%v and %v: KS %v, scipy has %v", c.Base, c.Current, *got.KolmogorovSmirnov, *c.KolmogorovSmirnov)
		}
	}
}

func near(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(1, math.Abs(y)) }

func TestEffectOfEqualShares(t *testing.T) {
	got := EffectOf([]int64{10, 30, 0}, []int64{10, 30, 0}, true)
	if got.PSI != 0 || got.JensenShannon != 0 || *got.KolmogorovSmirnov != 0 {
		t.Errorf("equal counts have the effect %+v", got)
	}
}
