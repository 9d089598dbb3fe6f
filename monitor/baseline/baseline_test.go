package baseline

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// numbers makes n samples of the one feature "x".
func numbers(n int, x func(i int) float64) []Sample {
	samples := make([]Sample, n)
	for i := range samples {
		samples[i].Values = map[string]Value{"x": Number(x(i))}
	}
	return samples
}

func names(counts map[string]int) []Sample {
	var samples []Sample
	for name, n := range counts {
		for range n {
			samples = append(samples, Sample{Values: map[string]Value{"x": Name(name)}})
		}
	}
	return samples
}

func build(t testing.TB, samples []Sample) *Baseline {
	t.Helper()
	b, err := Build(samples, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecilesOfContinuousValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := build(t, numbers(5000, func(int) float64 { return rng.NormFloat64() })).Features[0]
	if len(f.Edges) != 9 || slices.ContainsFunc(f.Counts, func(n int64) bool { return n != 500 }) {
		t.Errorf("edges %v, counts %v", f.Edges, f.Counts)
	}
}

func TestBinsOfNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		n      int
		x      func(i int) float64
		labels []string
		counts []int64
	}{
		"constant": {200, func(int) float64 { return 1 },
			[]string{"< 1", "= 1", "> 1", "missing"}, []int64{0, 200, 0, 0}},
		"nearly constant": {1000, func(i int) float64 { return float64(min(i/990, 1)) },
			[]string{"< 0", "= 0", "> 0", "missing"}, []int64{0, 990, 10, 0}},
		"two values": {1000, func(i int) float64 { return float64(i % 2) },
			[]string{"<= 0", "> 0", "missing"}, []int64{500, 500, 0}},
		"saturated": {1000, func(i int) float64 { return min(float64(i)/500, 1) },
			[]string{"<= 0.198", "(0.198, 0.398]", "(0.398, 0.598]", "(0.598, 0.798]", "(0.798, 0.998]", "> 0.998", "missing"},
			[]int64{100, 100, 100, 100, 100, 500, 0}},
		"missing": {1000, func(i int) float64 {
			if i%4 == 0 {
				return math.NaN()
			}
			return 2
		}, []string{"< 2", "= 2", "> 2", "missing"}, []int64{0, 750, 0, 250}},
		"largest numbers": {200, func(i int) float64 { return math.MaxFloat64 * float64(1-2*(i%2)) },
			[]string{"<= -1.79769e+308", "> -1.79769e+308", "missing"}, []int64{100, 100, 0}},
	} {
		f := build(t, numbers(c.n, c.x)).Features[0]
		var labels []string
		var counts []int64
		for i := range f.Bins() {
			labels, counts = append(labels, f.Label(i)), append(counts, f.Count(i))
		}
		if !slices.Equal(labels, c.labels) || !slices.Equal(counts, c.counts) {
			t.Errorf("%s: %q %v\nwant %q %v", name, labels, counts, c.labels, c.counts)
		}
	}
}

// TestRegularBinsAreLargeEnough tries many mixtures of atoms and noise.
func TestRegularBinsAreLargeEnough(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		atoms, noise := rng.IntN(6), rng.Float64()
		n := 200 + rng.IntN(2000)
		b := build(t, numbers(n, func(int) float64 {
			if atoms == 0 || rng.Float64() < noise {
				return rng.NormFloat64()
			}
			return float64(rng.IntN(atoms))
		}))
		f := b.Features[0]
		special := len(f.Edges) == 2 && adjacent(f.Edges[0], f.Edges[1])
		for i, c := range f.Counts {
			if !special && float64(c) < MinShare*float64(n) {
				t.Errorf("seed %d: bin %s has %d of %d", seed, f.Label(i), c, n)
			}
		}
		binner, counts := NewBinner(&f), make([]int64, f.Bins())
		rng = rand.New(rand.NewPCG(seed, 3))
		_, _, _ = rng.IntN(6), rng.Float64(), rng.IntN(2000)
		for range n {
			v := 0.0
			if atoms == 0 || rng.Float64() < noise {
				v = rng.NormFloat64()
			} else {
				v = float64(rng.IntN(atoms))
			}
			counts[binner.Bin(Number(v))]++
		}
		if !slices.Equal(counts[:len(f.Counts)], f.Counts) {
			t.Errorf("seed %d: binned again %v, the baseline has %v", seed, counts, f.Counts)
		}
	}
}

func TestBinsOfCategories(t *testing.T) {
	many := map[string]int{"stop": 800}
	for i := range 40 {
		many[fmt.Sprintf("sign %02d", i)] = 5
	}
	f := build(t, names(many)).Features[0]
	// 2 % of 1000 is 20: the 200 rare samples fill five buckets of 40 on average.
	want := []int64{800, 0, 0, 0, 0, 0}
	for i := range 40 {
		h := fnv.New64a()
		fmt.Fprintf(h, "sign %02d", i)
		want[1+h.Sum64()%5] += 5
	}
	if f.OtherBuckets != 5 || !slices.Equal(f.Categories, []string{"stop"}) || !slices.Equal(f.Counts, want) {
		t.Errorf("%d buckets, categories %v, counts %v; want %v", f.OtherBuckets, f.Categories, f.Counts, want)
	}
	if f.Label(0) != "stop" || f.Label(1) != "other 1/5" || f.Label(5) != "other 5/5" || f.Label(6) != "missing" {
		t.Errorf("labels %q, %q, %q, %q", f.Label(0), f.Label(1), f.Label(5), f.Label(6))
	}
	f = build(t, names(map[string]int{"b": 300, "a": 300, "c": 3, "d": 2})).Features[0]
	if !slices.Equal(f.Categories, []string{"a", "b"}) || !slices.Equal(f.Counts, []int64{300, 300, 5}) || f.Label(2) != "other" {
		t.Errorf("categories %v, counts %v", f.Categories, f.Counts)
	}
	binner := NewBinner(&f)
	for name, want := range map[string]int{"a": 0, "b": 1, "c": 2, "never seen": 2} {
		if got := binner.Bin(Name(name)); got != want {
			t.Errorf("%s is in bin %d, not %d", name, got, want)
		}
	}
	if got := binner.Bin(Number(1)); f.Label(got) != "missing" {
		t.Errorf("a number is in bin %s", f.Label(got))
	}
}

// TestBucketOfACategory pins the hash, which baseline files depend on, to the
// vectors of draft-eastlake-fnv.
func TestBucketOfACategory(t *testing.T) {
	for name, sum := range map[string]uint64{"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8} {
		for n := 1; n < maxBins; n++ {
			if got := otherBucket(name, n); got != int(sum%uint64(n)) {
				t.Errorf("%q is in bucket %d of %d", name, got, n)
			}
		}
	}
	many := map[string]int{"stop": 800}
	for i := range 100 {
		many[fmt.Sprint(i)] = 2
	}
	f := build(t, names(many)).Features[0]
	binner, unseen := NewBinner(&f), Name(strings.Repeat("é", MaxNameBytes/2))
	if bin := binner.Bin(unseen); f.OtherBuckets < 2 || bin <= 0 || bin > f.OtherBuckets {
		t.Errorf("a name never seen is in bin %d, after 1 category and before %d buckets", bin, f.OtherBuckets)
	}
	if n := testing.AllocsPerRun(1000, func() { binner.Bin(unseen) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestCategoriesFillTheBinsAtMost has as many bins as there can be.
func TestCategoriesFillTheBinsAtMost(t *testing.T) {
	many := make(map[string]int)
	for i := range 50 {
		many[fmt.Sprint(i)] = 4
	}
	if f := build(t, names(many)).Features[0]; f.Bins() != maxBins {
		t.Errorf("%d bins, not %d", f.Bins(), maxBins)
	}
}

func TestExpectedShareOfUnseenBin(t *testing.T) {
	b := build(t, numbers(300, func(int) float64 { return 1 }))
	for i, want := range []float64{0.01, 1, 0.01, 0.01} {
		if got := b.Expected(&b.Features[0], i); got != want {
			t.Errorf("bin %d: expected share %g, not %g", i, got, want)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	one := func(i int) float64 { return float64(i) }
	mixed := append(numbers(200, one), names(map[string]int{"a": 1})...)
	sparse := append(numbers(200, one), slices.Repeat([]Sample{{Values: map[string]Value{"y": Number(1)}}}, 2000)...)
	for _, c := range []struct {
		samples []Sample
		want    string
	}{
		{numbers(199, one), "199 samples are too few for a baseline, which needs 200"},
		{nil, "0 samples are too few"},
		{numbers(300, func(int) float64 { return math.NaN() }), "0 features"},
		{numbers(300, func(int) float64 { return math.Inf(1) }), `sample 0: feature "x" is infinite`},
		{mixed, `sample 200: feature "x" is a category here and was a number before`},
		{sparse, `feature "x" has a value in 200 of 2200 samples; 20 % are needed`},
		{slices.Repeat([]Sample{{Values: map[string]Value{"time": Number(1)}}}, 200), "the name is reserved"},
	} {
		if _, err := Build(c.samples, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestBuildFrom(t *testing.T) {
	var input strings.Builder
	for i := range 400 {
		fmt.Fprintf(&input, `{"time":%d,"confidence":%g,"class":"c%d"}`+"\n", i, float64(i%40)/40, i%3)
	}
	opts := Options{Model: "m", Version: "1", Source: "samples.jsonl", Tool: "test", Created: time.Unix(1, 0).UTC()}
	b, err := BuildFrom(strings.NewReader(input.String()), opts)
	if err != nil {
		t.Fatal(err)
	}
	if b.Samples != 400 || len(b.Features) != 2 || b.Features[0].Name != "class" || b.Model != "m" {
		t.Errorf("%+v", b)
	}
	if _, err := BuildFrom(strings.NewReader(input.String()+`{"class":1}`), opts); err == nil || !strings.Contains(err.Error(), "line 401") {
		t.Errorf("error %v", err)
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := build(t, append(numbers(500, func(i int) float64 { return math.Sqrt(float64(i)) }),
		slices.Repeat([]Sample{{Values: map[string]Value{"x": Number(0.1), "class": Name("<a & b>")}}}, 500)...))
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(b, got) {
		t.Fatalf("loaded %+v, %v; saved %+v", got, err, b)
	}
	if b.Digest() != got.Digest() || !strings.HasPrefix(b.Digest(), "sha256:") {
		t.Errorf("digests %s and %s", b.Digest(), got.Digest())
	}
	got.Features[0].Counts[0]--
	got.Features[0].Counts[1]++
	if b.Digest() == got.Digest() {
		t.Error("other counts have the same digest")
	}
	if err := (&Baseline{}).Save(path); err == nil {
		t.Error("an empty baseline was saved")
	}
}

func TestLoadErrors(t *testing.T) {
	valid, err := build(t, names(map[string]int{"a": 150, "b": 150})).encode()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for old, c := range map[string]struct{ replacement, want string }{
		`"format": "weir-baseline/1"`: {`"format": "weir-baseline/2"`, `format is "weir-baseline/2"`},
		`"missing"`:                   {`"absent"`, "unknown field"},
		`"missing": 0`:                {`"missing": 1`, "do not add up"},
		`"samples": 300`:              {`"samples": 301`, "do not add up"},
		`"kind": "category"`:          {`"kind": "numeric"`, "has no categories"},
		`"a"`:                         {`"b"`, "twice"},
		`"other_buckets": 1`:          {`"other_buckets": 0`, "0 buckets of other categories, not 1 to 52"},
		`"other_buckets": 1,`:         {`"other_buckets": 9223372036854775807,`, "buckets of other categories"},
		`"other_buckets"`:             {`"edges": [1], "other_buckets"`, "has no edges"},
		`"counts": [`:                 {`"counts": [0,`, "4 counts for 2 categories and 1 buckets"},
		"\n}\n":                       {"\n}{}", "data after"},
		`"name": "x"`:                 {`"name": ""`, "empty name"},
	} {
		text := strings.Replace(string(valid), old, c.replacement, 1)
		path := filepath.Join(folder, "b.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %s", c.replacement, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(folder, "absent")); !os.IsNotExist(unwrap(err)) {
		t.Errorf("error %v", err)
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}

func FuzzParse(f *testing.F) {
	for _, samples := range [][]Sample{
		numbers(200, func(i int) float64 { return float64(i) }),
		numbers(200, func(int) float64 { return 1 }),
		names(map[string]int{"a": 150, "b": 150}),
		names(map[string]int{"a": 182, "b": 3, "c": 3, "d": 3, "e": 3, "f": 3, "g": 3}), // two buckets of others
	} {
		data, err := build(f, samples).encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"format":"weir-baseline/1","samples":200,"features":[{"name":"x","kind":"numeric","counts":[200],"missing":0}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Parse(data)
		if err != nil {
			return
		}
		for i := range b.Features {
			f := &b.Features[i]
			binner := NewBinner(f)
			for _, v := range []Value{Number(0), Number(math.Inf(1)), Name("a"), Name("never seen"), {}} {
				if bin := binner.Bin(v); bin < 0 || bin >= f.Bins() || f.Label(bin) == "" {
					t.Errorf("bin %d of %d", bin, f.Bins())
				}
			}
		}
		data, err = b.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(data)
		if err != nil || again.Digest() != b.Digest() {
			t.Errorf("written and read again: %v", err)
		}
	})
}
