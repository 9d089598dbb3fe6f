//go:build nightly

package drift

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/delays.txt instead of comparing with it")

// TestDelayTable measures every row of the table and prints it.
func TestDelayTable(t *testing.T) {
	var table strings.Builder
	fmt.Fprintln(&table, "# Seconds from a change in one of ten features to the alarm; 30 days between false")
	fmt.Fprintln(&table, "# alarms, blocks of 10 s, baseline without sampling error. The feature was standard normal.")
	fmt.Fprintln(&table, "# mean deviation tolerance min_block requests_per_second mean_delay p95_delay")
	for _, c := range delayCases {
		for _, rate := range delayRates {
			runs := 400
			if rate > 20 {
				runs = 40
			}
			delays := c.delays(t, rate, runs)
			fmt.Fprintf(&table, "%g %g %g %d %g %.0f %.0f\n", c.mean, c.deviation, c.tolerance, c.minBlock,
				rate, mean(delays), percentile(delays, 0.95))
		}
	}
	t.Log("\n" + table.String())
	if *update {
		if err := os.WriteFile(delayFile, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(delayFile)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("%s is out of date", delayFile)
	}
}

// TestMeanTimeBetweenFalseAlarmsExactly has runs enough to know the mean run
// length to 3 %, at the end of the null where the promise is tightest.
func TestMeanTimeBetweenFalseAlarmsExactly(t *testing.T) {
	for name, fill := range map[string]block{"independent": independent, "burst": burst} {
		rng := rand.New(rand.NewPCG(17, 19))
		lengths := make([]float64, 1000)
		for i := range lengths {
			d, err := New(decileBaseline(t, features, 1e9), promiseSettings(0))
			if err != nil {
				t.Fatal(err)
			}
			lengths[i] = runLength(d, rng, fill, 20*promisedBlocks)
		}
		got, margin := mean(lengths)/promisedBlocks, 3*mean(lengths)/promisedBlocks/math.Sqrt(1000)
		t.Logf("%s: mean run length %.2f A ± %.2f", name, got, margin)
		if got-margin < 1 || got+margin > 2 {
			t.Errorf("%s: mean run length is %.2f ± %.2f of what is promised", name, got, margin)
		}
	}
}
