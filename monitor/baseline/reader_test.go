package baseline

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func readAll(input string) ([]Sample, error) {
	var samples []Sample
	for r := NewReader(strings.NewReader(input)); ; {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return samples, err
		}
		samples = append(samples, s)
	}
}

func TestReader(t *testing.T) {
	got, err := readAll(`{"time":12.35,"confidence":0.93,"class":"stop","entropy":null}` + "\r\n\n" +
		`{"time":12.35,"confidence":-1e-3, "class":"Vorfahrt é"}`)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(12, 350_000_000).UTC()
	want := []Sample{
		{Time: at, Values: map[string]Value{"confidence": Number(0.93), "class": Name("stop"), "entropy": {}}},
		{Time: at, Values: map[string]Value{"confidence": Number(-1e-3), "class": Name("Vorfahrt é")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReaderTimes(t *testing.T) {
	for text, want := range map[string]time.Time{
		`0`:                           time.Unix(0, 0),
		`-1.5`:                        time.Unix(-2, 500_000_000),
		`1.9999999999`:                time.Unix(2, 0),
		`"2026-03-01T12:00:00.25Z"`:   time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC),
		`"2026-03-01T12:00:00+02:00"`: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
	} {
		got, err := readAll(`{"x":1,"time":` + text + `}`)
		if err != nil || !got[0].Time.Equal(want) {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
	if got, err := readAll(`{"x":1}`); err != nil || !got[0].Time.IsZero() {
		t.Errorf("without time: %v, %v", got, err)
	}
}

func TestReaderErrors(t *testing.T) {
	var many strings.Builder
	for i := range MaxFeatures + 1 {
		fmt.Fprintf(&many, `{"f%d":1}`+"\n", i)
	}
	for _, c := range []struct{ input, want string }{
		{`{"a":1,"a":2}`, `line 1: duplicate key "a"`},
		{`{"time":1,"time":2}`, `line 1: duplicate key "time"`},
		{`{"a":null,"a":2}`, `line 1: duplicate key "a"`},
		{"{\"a\":1}\n{\"a\":\"x\"}", `line 2: feature "a" is category here and was numeric before`},
		{"{\"a\":null}\n\n{\"a\":true}", `line 3: feature "a" is neither a number nor a string`},
		{`{"a":[1]}`, `neither a number nor a string`},
		{`{"a":{"b":1}}`, `neither a number nor a string`},
		{`{"a":1e999}`, `1e999 is not a finite number`},
		{`{"a":NaN}`, `line 1: broken JSON`},
		{`{"":1}`, `feature with an empty name`},
		{`{"a":""}`, `category with an empty name`},
		{`{"a":"` + strings.Repeat("x", MaxNameBytes+1) + `"}`, `longer than 256 bytes`},
		{`{"time":2,"a":1}` + "\n" + `{"time":1.5,"a":1}`, `line 2: time runs backwards`},
		{`{"time":2,"a":1}` + "\n" + `{"a":1}`, `line 2: time is absent here and was a number of seconds before`},
		{`{"a":1}` + "\n" + `{"time":2,"a":1}`, `line 2: time is a number of seconds here and was absent before`},
		{`{"time":2,"a":1}` + "\n" + `{"time":"2026-03-01T12:00:00Z"}`, `line 2: time is an RFC 3339 string here`},
		{`{"time":1e300}`, `out of range`},
		{`{"time":"yesterday"}`, `is not RFC 3339`},
		{`{"time":null}`, `time is neither`},
		{`[1]`, `not a JSON object`},
		{`7`, `not a JSON object`},
		{"\ufeff{}", `not a JSON object`},
		{`{"a":1}{"a":1}`, `data after the JSON object`},
		{`{"a":1} x`, `data after the JSON object`},
		{`{"a":1`, `line 1: broken JSON: unexpected EOF`},
		{`{"a"`, `broken JSON`},
		{`{`, `broken JSON`},
		{"{\"a\":\"\xff\"}", `not valid UTF-8`},
		{`{"a":"` + strings.Repeat("x", MaxLineBytes) + `"}`, `line 1: longer than 65536 bytes`},
		{many.String(), `line 257: more than 256 features`},
	} {
		_, err := readAll(c.input)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: error %v, want %s", c.input, err, c.want)
		}
	}
}

func TestReaderReportsReadErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	r := NewReader(io.MultiReader(strings.NewReader(`{"a":1}`), errReader{broken}))
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzReader(f *testing.F) {
	f.Add(`{"time":12.35,"confidence":0.93,"class":"stop","entropy":0.2}` + "\n" + `{"time":13,"class":null}`)
	f.Add(`{"time":"2026-03-01T12:00:00Z","a":-0.0}`)
	f.Add(`{"a":1e400}`)
	f.Add(`{"a":"\ud800"}`)
	f.Add("{\"a\":\x00}")
	f.Add(`{"a":[[[[`)
	f.Fuzz(func(t *testing.T, input string) {
		samples, err := readAll(input)
		if len(samples) > strings.Count(input, "\n")+1 {
			t.Errorf("%d samples of %q", len(samples), input)
		}
		for i, s := range samples {
			if i > 0 && s.Time.Before(samples[i-1].Time) {
				t.Errorf("time runs backwards in %q", input)
			}
			for name := range s.Values {
				if name == "" || name == timeKey {
					t.Errorf("feature %q of %q", name, input)
				}
			}
		}
		if err == nil {
			return
		}
		if !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("error without a line: %v", err)
		}
	})
}
