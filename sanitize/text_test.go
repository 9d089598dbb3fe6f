package sanitize

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"weir/sanitize/internal/unicode"
)

// golden is a line of testdata/text_golden.jsonl: a text and what must become of it.
type golden struct {
	Name    string   `json:"name"`
	Profile string   `json:"profile"`
	In      string   `json:"in"`
	Out     string   `json:"out"`
	Reason  Reason   `json:"reason"`
	Action  string   `json:"action"`
	Removed []string `json:"removed"`
}

// lines decodes each line of a file of JSON values.
func lines[T any](t testing.TB, name string) []T {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	for d := json.NewDecoder(bufio.NewReader(f)); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, v)
	}
	return all
}

func TestTextGolden(t *testing.T) {
	for _, g := range lines[golden](t, "testdata/text_golden.jsonl") {
		t.Run(g.Name, func(t *testing.T) {
			out, report, err := Text([]byte(g.In), TextOptions{Profile: g.Profile})
			if g.Reason != "" {
				checkRefusal(t, err, g.Reason)
				if out != nil || report.Action != Rejected {
					t.Errorf("a refusal came with output %q, action %v", out, report.Action)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != g.Out {
				t.Errorf("%+q\n got %+q\nwant %+q", g.In, out, g.Out)
			}
			checkTextReport(t, g, report)
		})
	}
}

func checkTextReport(t *testing.T, g golden, report Report) {
	t.Helper()
	if (report.Action == Unchanged) != (g.In == g.Out) {
		t.Errorf("action %v", report.Action)
	}
	if g.Action != "" && report.Action.String() != g.Action {
		t.Errorf("action %v, want %v", report.Action, g.Action)
	}
	var where []string
	for _, r := range report.Removed {
		where = append(where, r.Where)
		if r.Bytes <= 0 {
			t.Errorf("%q holds %d bytes", r.Where, r.Bytes)
		}
	}
	if g.Removed != nil && !slices.Equal(where, g.Removed) {
		t.Errorf("removed %q, want %q", where, g.Removed)
	}
	if report.Action == Unchanged && where != nil {
		t.Errorf("unchanged, but removed %q", where)
	}
	if report.Kind != "text" || report.Format != "utf-8" {
		t.Errorf("kind %q, format %q", report.Kind, report.Format)
	}
}

func checkRefusal(t *testing.T, err error, want Reason) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reason != want {
		t.Errorf("error %v, want a refusal %s", err, want)
	}
}

// Each emoji of Unicode, also beside its neighbours, stays as it is.
func TestTextKeepsEveryEmoji(t *testing.T) {
	file, err := os.ReadFile("testdata/text_emoji.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(string(file))
	if len(list) < 5000 {
		t.Fatalf("only %d emoji in the list", len(list))
	}
	for _, emoji := range append(list, string(file)) {
		out, report, err := Text([]byte(emoji), TextOptions{})
		if err != nil || string(out) != emoji || report.Action != Unchanged {
			t.Errorf("%+q became %+q, %v, error %v", emoji, out, report, err)
		}
	}
}

// Text that has nothing to remove becomes what Python's unicodedata makes of it.
func TestTextNormalisesLikePython(t *testing.T) {
	type sample struct{ In, NFC, NFKC string }
	for _, s := range lines[sample](t, "testdata/text_normal.jsonl") {
		for profile, want := range map[string]string{TextBalanced: s.NFC, TextStrict: s.NFKC} {
			out, report, err := Text([]byte(s.In), TextOptions{Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			if profile == TextStrict && len(report.Removed) > 0 {
				continue // repeated marks, which normalisation alone keeps
			}
			if string(out) != want {
				t.Errorf("%s: %+q became %+q, want %+q (%v)", profile, s.In, out, want, report)
			}
		}
	}
}

func TestTextReturnsTheSameSlice(t *testing.T) {
	for _, text := range []string{"", "plain\n\ttext", "Grüße, мир, 你好，世界, می\u200cخواهم ❤\ufe0f"} {
		data := []byte(text)
		out, report, err := Text(data, TextOptions{})
		if err != nil || report.Action != Unchanged {
			t.Fatalf("%q: %v, %v", text, report, err)
		}
		if len(data) > 0 && &out[0] != &data[0] {
			t.Errorf("%q was copied", text)
		}
		if n := testing.AllocsPerRun(10, func() { Text(data, TextOptions{}) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func TestTextDoesNotWriteToItsInput(t *testing.T) {
	for _, g := range lines[golden](t, "testdata/text_golden.jsonl") {
		data := []byte(g.In)
		Text(data, TextOptions{Profile: g.Profile})
		if string(data) != g.In {
			t.Errorf("%s: the input became %+q", g.Name, data)
		}
	}
}

func TestTextLimits(t *testing.T) {
	five := TextOptions{MaxBytes: 5}
	for in, want := range map[string]Reason{
		"hello!":       TextTooLong,
		"héllo":        TextTooLong,
		"a\xff":        TextInvalidUTF8,
		"\xed\xa0\x80": TextInvalidUTF8, // a surrogate
		"\xc0\x80":     TextInvalidUTF8, // overlong
		"\xe2\x80":     TextInvalidUTF8, // cut off
		"\U0001D160":   TextTooLong,     // NFC decomposes it to 12 bytes
	} {
		_, _, err := Text([]byte(in), five)
		checkRefusal(t, err, want)
	}
	if _, _, err := Text(make([]byte, DefaultMaxTextBytes+1), TextOptions{}); err == nil {
		t.Error("no default limit")
	}
	if out, _, err := Text([]byte("hello"), five); err != nil || string(out) != "hello" {
		t.Errorf("at the limit: %q, %v", out, err)
	}
}

func TestTextOptionsValidate(t *testing.T) {
	for _, o := range []TextOptions{{Profile: "Strict"}, {Profile: "none"}, {MaxBytes: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
		if out, report, err := Text([]byte("x"), o); err == nil || out != nil || report.Action != Rejected {
			t.Errorf("Text took %+v", o)
		}
	}
	for _, o := range []TextOptions{{}, {Profile: TextBalanced}, {Profile: TextStrict, MaxBytes: 1}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Long hostile texts settle, stay within the limit and make a short report.
func TestTextHostileSizes(t *testing.T) {
	const size = 1 << 16
	for _, unit := range []string{"a\b", "\x1b]", "\x1b[1", "\u200b", "\U000E0100", "e\u0301", "\u0301",
		"\U0001F3F4\U000E0067", "\u05d0\u202e", "👩\u200d", "\u115f", "\U000E0080", "\u009d", "\r",
		"\u1100\u1161", "\ufdfa", "🇩", "\u2800"} {
		data := bytes.Repeat([]byte(unit), size/len(unit))
		for _, profile := range []string{TextBalanced, TextStrict} {
			out, report, err := Text(data, TextOptions{Profile: profile, MaxBytes: size})
			var refusal *Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%+q: %v", unit, err)
			}
			if len(out) > size || len(report.Removed) > 64 {
				t.Errorf("%+q: %d bytes, %d places", unit, len(out), len(report.Removed))
			}
		}
	}
}

// neverKept reports whether r must not be in any output.
func neverKept(r rune) bool {
	switch unicode.Lookup(r).Class() {
	case unicode.Control, unicode.LineBreak, unicode.Ignorable, unicode.Noncharacter,
		unicode.BidiEmbedding, unicode.BidiOverride, unicode.Space, unicode.Annotation:
		return true
	}
	return false
}

func FuzzText(f *testing.F) {
	for _, g := range lines[golden](f, "testdata/text_golden.jsonl") {
		f.Add([]byte(g.In), false)
		f.Add([]byte(g.In), true)
	}
	f.Add([]byte("\x1b\x1b[[31mm\b\b\b"), false)
	f.Add([]byte("\U0001F3F4\u200b\U000E0067\U000E0062\U000E0065\U000E007F"), false)
	f.Fuzz(func(t *testing.T, data []byte, strict bool) {
		o := TextOptions{MaxBytes: 4096}
		form := norm.NFC
		if strict {
			o.Profile, form = TextStrict, norm.NFKC
		}
		before := bytes.Clone(data)
		out, report, err := Text(data, o)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was written to")
		}
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) || out != nil || report.Action != Rejected {
				t.Fatalf("%v with output %q, action %v", err, out, report.Action)
			}
			return
		}
		checkTextOutput(t, out, form, o.MaxBytes)
		if (report.Action == Unchanged) != bytes.Equal(out, data) {
			t.Fatalf("%+q became %+q: action %v", data, out, report.Action)
		}
		again, second, err := Text(out, o)
		if err != nil || !bytes.Equal(again, out) || second.Action != Unchanged {
			t.Fatalf("not idempotent: %+q, then %+q, then %+q (%v)", data, out, again, err)
		}
	})
}

func checkTextOutput(t *testing.T, out []byte, form norm.Form, limit int) {
	t.Helper()
	if !utf8.Valid(out) || len(out) > limit || !form.IsNormal(out) {
		t.Fatalf("output %+q: invalid, too long or not in normal form", out)
	}
	for _, r := range string(out) {
		if neverKept(r) {
			t.Fatalf("%U is in the output %+q", r, out)
		}
	}
}
