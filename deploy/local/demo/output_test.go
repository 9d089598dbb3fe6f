package main

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// The ends of the score interval are the shares from which the observed one is
// just as far away as the test allows: |p̂-p| = z·√(p(1-p)/n). That defines them
// without the formula that the code uses.
func TestWilsonEndsAreWhereTheScoreTestTurns(t *testing.T) {
	const (
		z        = 1.959964
		rounding = 1e-7 // a root is taken of differences that should be 0
	)
	for _, n := range []int{1, 7, 40, 320, 10000} {
		for _, hits := range []int{0, 1, n / 3, n / 2, n - 1, n} {
			s := share{hits, n}
			low, high := s.wilson()
			if !(0 <= low && low <= s.value()+rounding && s.value()-rounding <= high && high <= 1) {
				t.Errorf("%d of %d: %v to %v", hits, n, low, high)
			}
			for _, end := range []float64{low, high} {
				distance, allowed := math.Abs(s.value()-end), z*math.Sqrt(end*(1-end)/float64(n))
				if math.Abs(distance-allowed) > rounding {
					t.Errorf("%d of %d: %v is %v away, want %v", hits, n, end, distance, allowed)
				}
			}
		}
	}
	if low, high := (share{}).wilson(); low != 0 || high != 1 {
		t.Errorf("no cases: %v to %v", low, high)
	}
}

func TestShareInWords(t *testing.T) {
	tests := []struct {
		share          share
		text, interval string
	}{
		{share{320, 320}, "100.0 %", "98.8–100.0"},
		{share{0, 320}, "0.0 %", "0.0–1.2"},
		{share{1, 10}, "10.0 %", "1.8–40.4"},
		{share{50, 100}, "50.0 %", "40.4–59.6"},
		{share{}, "", "0.0–100.0"},
	}
	for _, test := range tests {
		if text, interval := test.share.String(), test.share.interval(); text != test.text || interval != test.interval {
			t.Errorf("%+v: %q, %q; want %q, %q", test.share, text, interval, test.text, test.interval)
		}
	}
}

func TestTable(t *testing.T) {
	rows := []row{
		{line: "b", what: "an attack", bare: "99.0 %", weir: "0.0 %", n: 300, interval: "97.1–99.7 / 0.0–1.3", held: true},
		{line: "a", what: "größer", weir: "1 of 2", held: true},
	}
	var out strings.Builder
	if held := (&printer{w: &out}).table(rows); !held {
		t.Error("not held")
	}
	want := `
line  what       bare Triton  through Weir  n    95 % interval        held
(a)   größer     –            1 of 2        –    –                    yes
(b)   an attack  99.0 %       0.0 %         300  97.1–99.7 / 0.0–1.3  yes

`
	if out.String() != want {
		t.Errorf("have\n%s\nwant\n%s", out.String(), want)
	}

	rows[0].held = false
	out.Reset()
	if held := (&printer{w: &out, colour: true}).table(rows); held {
		t.Error("held, with a row that did not")
	}
	for _, want := range []string{"\x1b[1mline", "\x1b[32myes\x1b[0m\n", "\x1b[1m\x1b[31mNO\x1b[0m\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%q", want, out.String())
		}
	}
}

func TestStepAndItsDetails(t *testing.T) {
	var out strings.Builder
	p := &printer{w: &out}
	err := p.step("Look", func() error {
		p.see("%d thing", 1)
		p.tell("%s", strings.Repeat("word ", 25))
		return nil
	})
	p.details()
	p.details()
	lines := strings.Split(out.String(), "\n")
	if err != nil || len(lines) != 5 || !strings.HasPrefix(lines[0], "Look  ") || !strings.HasSuffix(lines[0], " s") {
		t.Fatalf("%v, %q", err, lines)
	}
	want := []string{"      1 thing", "      " + strings.TrimSpace(strings.Repeat("word ", 20)), "        word word word word word", ""}
	for i, line := range want {
		if lines[i+1] != line {
			t.Errorf("line %d: %q, want %q", i+1, lines[i+1], line)
		}
	}

	out.Reset()
	broken := errors.New("broken")
	if err := p.step("Look", func() error { return broken }); !errors.Is(err, broken) || !strings.HasSuffix(out.String(), "failed\n") {
		t.Errorf("%v, %q", err, out.String())
	}
}
