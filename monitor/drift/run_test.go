package drift

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// stream writes n samples, of which those from change on have another class mix.
func stream(n, change int, timed bool) string {
	rng := rand.New(rand.NewPCG(20, 20))
	var b strings.Builder
	for i := range n {
		stop := 0.5
		if i >= change {
			stop = 0.95
		}
		if timed {
			fmt.Fprintf(&b, `{"time":%g,`, float64(i)/20)
		} else {
			b.WriteByte('{')
		}
		fmt.Fprintf(&b, `"class":%q,"x":%g}`+"\n", class(rng, stop), rng.NormFloat64())
	}
	return b.String()
}

func collect(t *testing.T, input string) ([]AlarmLine, Summary) {
	t.Helper()
	var lines []AlarmLine
	summary, err := Run(strings.NewReader(input), pairBaseline(t), DefaultSettings(), func(l AlarmLine) error {
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, summary
}

func TestRunFindsTheChange(t *testing.T) {
	for _, timed := range []bool{true, false} {
		lines, summary := collect(t, stream(12_010, 6000, timed))
		if len(lines) == 0 || summary.Alarms != int64(len(lines)) || summary.Samples != 12_010 {
			t.Fatalf("timed %t: %d alarms, %+v", timed, len(lines), summary)
		}
		first := lines[0]
		if first.Index < 6000 || first.Index > 11_000 || first.Feature != "class" {
			t.Errorf("timed %t: %+v", timed, first)
		}
		// The block is ended by the first sample after it, or by its last.
		if timed && first.Index%200 != 0 || !timed && first.Index%25 != 24 {
			t.Errorf("timed %t: index %d is not at the end of a block", timed, first.Index)
		}
		if (first.Effect.Began != nil) != timed {
			t.Errorf("timed %t: began %v", timed, first.Effect.Began)
		}
		blocks, left := int64(60), int64(10)
		if !timed {
			blocks = 480
		}
		if summary.Blocks != blocks || summary.Unfinished != left {
			t.Errorf("timed %t: %d blocks and %d left; want %d and %d", timed, summary.Blocks, summary.Unfinished, blocks, left)
		}
		if timed == strings.Contains(summary.Promise, "number of samples") {
			t.Errorf("timed %t: %s", timed, summary.Promise)
		}
	}
}

func TestRunOnCleanStream(t *testing.T) {
	if lines, summary := collect(t, stream(50_000, 50_000, false)); len(lines) != 0 || summary.Alarms != 0 {
		t.Errorf("%d alarms, %+v", len(lines), summary)
	}
}

func TestRunKeysAreFixed(t *testing.T) {
	lines, _ := collect(t, stream(9000, 3000, true))
	data, err := json.Marshal(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"index", "feature", "statistic", "threshold", "effect"} {
		if keys[k] == nil {
			t.Errorf("%s has no key %q", data, k)
		}
	}
	var effect map[string]json.RawMessage
	if err := json.Unmarshal(keys["effect"], &effect); err != nil || effect["psi"] == nil || effect["bins"] == nil ||
		effect["jensen_shannon_distance"] == nil || len(keys) != 5 {
		t.Errorf("%s, %v", data, err)
	}
}

func TestRunCountsWhatDoesNotFit(t *testing.T) {
	_, summary := collect(t, `{"class":"stop","x":1,"other":2}`+"\n"+`{"class":null,"zoo":"a"}`+"\n")
	if !slices.Equal(summary.Unknown, []string{"other", "zoo"}) {
		t.Errorf("unknown features %v", summary.Unknown)
	}
	if summary.Missing["class"] != 1 || summary.Missing["x"] != 1 || summary.Unfinished != 2 {
		t.Errorf("%+v", summary)
	}
}

func TestRunErrors(t *testing.T) {
	stop := errors.New("stop")
	for _, c := range []struct{ input, want string }{
		{`{"class":"stop","x":"far"}`, `line 1: feature "x" is category here and numeric in the baseline`},
		{"{\"x\":1}\n{\"x\":1", "line 2: broken JSON"},
		{stream(9000, 0, false), "stop"},
	} {
		_, err := Run(strings.NewReader(c.input), pairBaseline(t), DefaultSettings(), func(AlarmLine) error { return stop })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: error %v, want %s", c.input, err, c.want)
		}
	}
}
