package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// environment is what the files of testdata find set.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"WORD": "word", "EMPTY": "", "RATIO": "0.25", "PORT": "9999", "DOLLAR": "$${env:WORD}"}[name]
	return value, ok
}

var wantComment = regexp.MustCompile(`#\s+want (.*)$`)

// wanted reads the comments "# want COLUMN: message | COLUMN: message", each of
// which stands on the line of the error that it expects.
func wanted(t *testing.T, file, text string) []string {
	t.Helper()
	var all []Issue
	for i, line := range strings.Split(text, "\n") {
		comment := wantComment.FindStringSubmatch(line)
		if comment == nil {
			continue
		}
		for want := range strings.SplitSeq(comment[1], " | ") {
			column, message, ok := strings.Cut(want, ": ")
			n, err := strconv.Atoi(column)
			if !ok || err != nil {
				t.Fatalf("%s:%d: bad comment %q", file, i+1, want)
			}
			all = append(all, Issue{File: file, Line: i + 1, Column: n, Message: message})
		}
	}
	slices.SortStableFunc(all, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = all[i].String()
	}
	return texts
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := wanted(t, "weir.yaml", string(data))
			if len(want) == 0 {
				t.Fatal("no errors are expected")
			}
			c, _, err := Parse("weir.yaml", data, environment)
			var issues Errors
			if c != nil || !errors.As(err, &issues) {
				t.Fatalf("got %v, %v; want no Config and Errors", c, err)
			}
			got := strings.Split(err.Error(), "\n")
			for _, message := range got {
				if !slices.Contains(want, message) {
					t.Errorf("unexpected: %s", message)
				}
			}
			for _, message := range want {
				if !slices.Contains(got, message) {
					t.Errorf("missing:    %s", message)
				}
			}
			if !t.Failed() && !slices.Equal(got, want) {
				t.Errorf("not in order:\n%s", err)
			}
		})
	}
}

// TestNotADocument has the faults that leave no room for a comment.
func TestNotADocument(t *testing.T) {
	long := "listen: unix:///" + strings.Repeat("x", 1<<20)
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "1:1: the file is empty"},
		{"comment only", "# nothing\n", "1:1: the file is empty"},
		{"null", "~\n", "1:1: empty section (give it a key or leave it out)"},
		{"a text", "weir\n", `1:1: expected a section, got the text "weir"`},
		{"a list", "- a\n", "1:1: expected a section, got a list"},
		{"too large", long, "1:1: the file is larger than 1 MiB"},
		{"not UTF-8", "listen: \xff\n", "1:1: the file is not UTF-8"},
		{"UTF-16", "\xff\xfel\x00", "1:1: the file is not UTF-8"},
		{"carriage return", "# log:\rlog: {level: debug}\n", "1:7: a line break that editors do not show (end lines with LF or CR LF)"},
		{"line separator", "a: b\n# log:\u2028log: {level: debug}\n", "2:7: a line break that editors do not show (end lines with LF or CR LF)"},
		{"second document", "log: {level: info}\n---\nlog: {level: debug}\n", "2:1: a second document (the file holds one document; remove --- and what follows)"},
		{"second document is bad", "log: {level: info}\n---\nlog: {level: [\n", "3:6: not YAML: did not find expected node content"},
		{"tab", "log:\n\tlevel: info\n", "2:1: not YAML: found character that cannot start any token (indent with spaces)"},
		{"indentation", "models:\n  - name: x\n   versions: y\n", "3:4: not YAML: did not find expected '-' indicator"},
		{"two colons", "listen: a: b\n", "1:10: not YAML: mapping values are not allowed in this context"},
		{"no colon", "listen\nlog: {level: info}\n", "2:4: not YAML: mapping values are not allowed in this context"},
		{"at sign", "listen: @a\n", "1:9: not YAML: found character that cannot start any token"},
		{"control character", "listen: \x01\n", "1:9: not YAML: control characters are not allowed"},
		{"unknown alias", "listen: *a\n", "1:10: not YAML: unknown anchor 'a' referenced"},
		{"deep", strings.Repeat("[", 20000), "1:10001: not YAML: exceeded max depth of 10000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Parse("weir.yaml", []byte(test.text), environment)
			if want := "weir.yaml:" + test.want; fmt.Sprint(err) != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestManyErrors(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "k%d: 1\n", i)
	}
	_, _, err := Parse("weir.yaml", []byte(text.String()), environment)
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != maxIssues+1 || lines[maxIssues] != "weir.yaml:201:1: more than 200 errors; the rest is left out" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestEnvironment(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"},
		{"${env:WORD}", "word"},
		{"a${env:WORD}b${env:PORT}c", "awordb9999c"},
		{"${env:UNSET:-}", ""},
		{"${env:UNSET:-http://127.0.0.1:4317}", "http://127.0.0.1:4317"},
		{"${env:EMPTY:-fallback}", "fallback"},
		{"${env:EMPTY}", ""},
		{"${env:WORD:-fallback}", "word"},
		{"$${env:WORD}", "${env:WORD}"},
		{"$$$$", "$$"},
		{"$WORD and $", "$WORD and $"},
		{"${env:DOLLAR}", "$${env:WORD}"}, // what a variable holds is not expanded
	} {
		got, err := expand(test.text, environment)
		if err != nil || got != test.want {
			t.Errorf("expand(%q) = %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

func TestEnvironmentInNumbers(t *testing.T) {
	c, _, err := Parse("weir.yaml", []byte(`telemetry: {sample_ratio: "${env:RATIO}"}`+"\npublic: ':${env:PORT}'"), environment)
	if err != nil {
		t.Fatal(err)
	}
	if c.Telemetry.SampleRatio != 0.25 || c.Public != ":9999" {
		t.Errorf("got %v and %q", c.Telemetry.SampleRatio, c.Public)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		"250ms": "250ms", "10s": "10s", "90s": "1m30s", "60m": "1h", "1h0m5s": "1h0m5s",
		"30d": "30d", "1d12h": "1d12h", "48h": "2d", "0s": "0s", "0d": "0s", "1.5h": "1h30m", "106751d": "106751d",
	} {
		var d Duration
		if err := d.set(text); err != nil || d.String() != want {
			t.Errorf("%q: got %s, %v; want %s", text, d, err, want)
		}
		var again Duration
		if err := again.set(d.String()); err != nil || again != d {
			t.Errorf("%q reads back as %s, %v", d, again, err)
		}
	}
	for _, text := range []string{"", "d", "10", "-1s", "1d-1h", "1d+1h", "1d1", "1.5d", "01d", "1d1d", "106752d", "106751d24h", "1w", "9999999999d", "1e3s", " 1s", "0"} {
		var d Duration
		if err := d.set(text); err == nil {
			t.Errorf("%q reads as %s", text, d)
		}
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "1": 1, "512B": 512, "1KiB": 1024, "1kB": 1000, "64MiB": 64 << 20, "25MB": 25e6,
		"2 GiB": 2 << 30, "1TiB": 1 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		var b, again Bytes
		if err := b.set(text); err != nil || b != want {
			t.Errorf("%q: got %d, %v; want %d", text, b, err, want)
		}
		if err := again.set(b.String()); err != nil || again != b {
			t.Errorf("%q reads back as %d, %v", b, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "0x10", "1_000", "010", "1mib", "1M", "1 ", "1  MiB", "9223372036854775808", "8388608TiB"} {
		var b Bytes
		if err := b.set(text); err == nil {
			t.Errorf("%q reads as %d", text, b)
		}
	}
}
