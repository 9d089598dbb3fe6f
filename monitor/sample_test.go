package monitor

import (
	"math"
	"strings"
	"testing"
	"time"

	"weir/monitor/baseline"
)

func TestConfidence(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		p                   []float64
		confidence, entropy float64
		class               int
	}{
		{[]float64{0.1, 0.7, 0.2}, 0.7, 0.7298466991620975, 1}, // scipy.stats.entropy([.1,.7,.2])/log(3)
		{[]float64{0.5, 0.5}, 0.5, 1, 0},
		{[]float64{0, 1, 0}, 1, 0, 1},
		{[]float64{0, 0}, 0, 0, 0},
		{[]float64{1}, 1, 0, 0},
		{nil, nan, nan, -1},
		{[]float64{0.5, nan}, nan, nan, -1},
		{[]float64{0.5, -0.1}, nan, nan, -1},
		{[]float64{math.Inf(1), 0}, nan, nan, -1},
	} {
		confidence, entropy, class := Confidence(c.p)
		if !equal(confidence, c.confidence) || !equal(entropy, c.entropy) || class != c.class {
			t.Errorf("%v: %v, %v, %d; want %v, %v, %d", c.p, confidence, entropy, class, c.confidence, c.entropy, c.class)
		}
	}
	if c, h, i := Confidence([]float32{0.25, 0.75}); c != 0.75 || !equal(h, 0.8112781244591328) || i != 1 {
		t.Errorf("float32: %v, %v, %d", c, h, i)
	}
}

func equal(x, y float64) bool {
	return math.Abs(x-y) < 1e-12 || math.IsNaN(x) && math.IsNaN(y)
}

func TestAppendJSON(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 25_000_000, time.FixedZone("", 7200))
	for _, c := range []struct {
		sample Sample
		want   string
	}{
		{Sample{Time: at, Confidence: 0.93, Entropy: 0.2, Class: "stop", Model: "m", Trace: "00"},
			`{"time":"2026-03-01T10:00:00.025Z","confidence":0.93,"entropy":0.2,"class":"stop"}`},
		{Sample{Time: at, Confidence: 1e-9, Entropy: math.NaN()},
			`{"time":"2026-03-01T10:00:00.025Z","confidence":1e-09,"entropy":null,"class":null}`},
		{Sample{Time: at, Confidence: math.Inf(1), Class: `a "b" <é>` + "\n"},
			`{"time":"2026-03-01T10:00:00.025Z","confidence":null,"entropy":0,"class":"a \"b\" \u003cé\u003e\n"}`},
		{Sample{Time: at, Class: "\xff"}, `{"time":"2026-03-01T10:00:00.025Z","confidence":0,"entropy":0,"class":null}`},
		{Sample{Time: at, Class: strings.Repeat("x", 257)}, `{"time":"2026-03-01T10:00:00.025Z","confidence":0,"entropy":0,"class":null}`},
	} {
		line := string(c.sample.AppendJSON(nil))
		if line != c.want+"\n" {
			t.Errorf("%s\nwant %s", line, c.want)
		}
		read, err := baseline.NewReader(strings.NewReader(line)).Next()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !read.Time.Equal(at) {
			t.Errorf("read %s, written %s", read.Time, at)
		}
		for _, name := range []string{"confidence", "entropy", "class"} {
			want := c.sample.value(name)
			if name == "confidence" && math.IsInf(c.sample.Confidence, 0) {
				want = baseline.Value{}
			}
			if read.Values[name] != want {
				t.Errorf("%s: %s was read as %+v", line, name, read.Values[name])
			}
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add(0.93, 0.2, "stop", int64(1e18))
	f.Add(math.NaN(), math.Inf(-1), "\xff\x00\"", int64(0))
	f.Add(5e-324, math.MaxFloat64, "", int64(-1))
	f.Fuzz(func(t *testing.T, confidence, entropy float64, class string, nanoseconds int64) {
		s := Sample{Time: time.Unix(0, nanoseconds), Confidence: confidence, Entropy: entropy, Class: class}
		read, err := baseline.NewReader(strings.NewReader(string(s.AppendJSON(nil)))).Next()
		if err != nil {
			t.Fatalf("%s: %v", s.AppendJSON(nil), err)
		}
		if !read.Time.Equal(s.Time) || !math.IsInf(confidence, 0) && read.Values["confidence"] != s.value("confidence") ||
			read.Values["class"] != s.value("class") {
			t.Errorf("%s was read as %+v", s.AppendJSON(nil), read)
		}
	})
}
