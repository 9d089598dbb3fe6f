package frame

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
)

// outcome is all that a splitter tells of a stream.
type outcome struct {
	messages []string
	pending  int
	reason   codec.Reason // of the first error, that of End included
}

// split cuts a stream that comes in pieces of the given sizes, then whole.
func split(t testing.TB, s Splitter, stream []byte, sizes ...byte) (o outcome) {
	t.Helper()
	var err error
	for len(stream) > 0 && err == nil {
		n := len(stream)
		if len(sizes) > 0 {
			n, sizes = min(n, int(sizes[0])), sizes[1:]
		}
		chunk := bytes.Clone(stream[:n])
		stream = stream[n:]
		var messages [][]byte
		messages, err = s.Write(chunk)
		clear(chunk) // it is the caller's again
		for _, m := range messages {
			o.messages = append(o.messages, string(m))
		}
	}
	if err != nil {
		if again, same := s.Write([]byte("more")); len(again) > 0 || same != err || s.End() != err {
			t.Fatalf("after %v: %q, %v, %v", err, again, same, s.End())
		}
	}
	o.pending = s.Pending()
	err = s.End()
	var refusal *codec.Refusal
	if err != nil && !errors.As(err, &refusal) {
		t.Fatalf("%v is no refusal", err)
	}
	if err != nil {
		o.reason = refusal.Reason
	}
	return o
}

const most = 12

func TestGRPC(t *testing.T) {
	const a, empty = "\x00\x00\x00\x00\x01a", "\x00\x00\x00\x00\x00"
	const full = "\x01\x00\x00\x00\x0chello, world"
	for name, tc := range map[string]struct {
		stream string
		want   outcome
	}{
		"nothing":             {"", outcome{}},
		"one":                 {a, outcome{messages: []string{a}}},
		"several":             {a + empty + full + empty, outcome{messages: []string{a, empty, full, empty}}},
		"as large as allowed": {full, outcome{messages: []string{full}}},
		"too large":           {a + "\x00\x00\x00\x00\x0d", outcome{messages: []string{a}, pending: 5, reason: codec.BodyTooLarge}},
		"of 4 GiB":            {"\x00\xff\xff\xff\xff", outcome{pending: 5, reason: codec.BodyTooLarge}},
		"flag of 2":           {a + "\x02\x00\x00\x00\x00" + a, outcome{messages: []string{a}, pending: 5, reason: codec.MessageMalformed}},
		"flag of 129":         {"\x81\x00\x00\x00\x00", outcome{pending: 5, reason: codec.MessageMalformed}},
		"ends in the framing": {a + "\x00\x00\x00\x00", outcome{messages: []string{a}, pending: 4, reason: codec.MessageMalformed}},
		"ends in a message":   {full[:16], outcome{pending: 16, reason: codec.MessageMalformed}},
	} {
		if got := split(t, NewGRPC(most), []byte(tc.stream)); !same(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if got := string(AppendGRPC([]byte("x"), []byte("a"))); got != "x"+a {
		t.Errorf("framed as %q", got)
	}
}

func same(a, b outcome) bool {
	return slices.Equal(a.messages, b.messages) && a.pending == b.pending && a.reason == b.reason
}

func TestEvents(t *testing.T) {
	malformed, large := codec.ResponseMalformed, codec.ResponseTooLarge
	for name, tc := range map[string]struct {
		stream string
		want   outcome
	}{
		"nothing":             {"", outcome{}},
		"LF":                  {"data: a\n\ndata: b\n\n", outcome{messages: []string{"data: a\n\n", "data: b\n\n"}}},
		"CR LF":               {"data: a\r\n\r\ndata: b\r\n\r\n", outcome{messages: []string{"data: a\r\n\r", "data: b\r\n\r"}}},
		"CR":                  {"data: a\r\rdata: b\r\r", outcome{messages: []string{"data: a\r\r", "data: b\r\r"}}},
		"mixed":               {"a\r\nb\rc\n\r\n\n\r", outcome{messages: []string{"a\r\nb\rc\n\r", "\n", "\r"}}},
		"blank lines":         {"\n\r\n\r", outcome{messages: []string{"\n", "\r", "\r"}}},
		"comment":             {": ping\n\n", outcome{messages: []string{": ping\n\n"}}},
		"as large as allowed": {"data: 67890\n\n", outcome{messages: []string{"data: 67890\n\n"}}},
		"too large":           {"a\n\ndata: 678901\n\n", outcome{messages: []string{"a\n\n"}, pending: 13, reason: large}},
		"without an end":      {"data: 6789012", outcome{pending: 13, reason: large}},
		"ends in a line":      {"data: a", outcome{pending: 7, reason: malformed}},
		"ends before a blank": {"a\n\ndata: a\n", outcome{messages: []string{"a\n\n"}, pending: 8, reason: malformed}},
		"byte order mark":     {"\xef\xbb\xbfdata", outcome{pending: 7, reason: malformed}},
		"only such a mark":    {"\xef\xbb\xbf\n\n", outcome{pending: 4, reason: malformed}},
		"a mark later":        {"a\n\n\xef\xbb\xbf\n\n", outcome{messages: []string{"a\n\n", "\xef\xbb\xbf\n\n"}}},
	} {
		if got := split(t, NewEvents(most), []byte(tc.stream)); !same(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestData(t *testing.T) {
	for event, want := range map[string]string{
		"data: {}\n\n":                    "{}",
		"data:{}\r\n\r\n":                 "{}",
		"data:  x \n\n":                   " x ",
		"data: a\ndata:\ndata: b\n\n":     "a\n\nb",
		": ping\ndata: a\r:\r\r":          "a",
		"data: x: y\n\n":                  "x: y",
		"data:\n\n":                       "",
		"data: [DONE]\n\n":                "[DONE]",
		"data: the last has no end\n":     "the last has no end",
		"data: \xef\xbb\xbfin the data\n": "\xef\xbb\xbfin the data",
	} {
		whole := []byte(event)
		data, err := Data(whole)
		if err != nil || string(data) != want || data == nil {
			t.Errorf("%q says %q, %v; want %q", event, data, err, want)
		}
		if string(append(data, "overwrites?"...)) != want+"overwrites?" || string(whole) != event {
			t.Errorf("%q became %q", event, whole)
		}
	}
	for _, event := range []string{"", "\n", "\r", ": ping\n\n", ":\r\n\r"} {
		if data, err := Data([]byte(event)); data != nil || err != nil {
			t.Errorf("%q says %q, %v", event, data, err)
		}
	}
	for _, event := range []string{"data\n\n", "data : a\n\n", " data: a\n\n", "Data: a\n\n", "event: a\ndata: a\n\n", "id: 1\n\n",
		"retry: 1\n\n", "\xef\xbb\xbfdata: a\n\n", "data: a\n\ndata: b\n\n", "\ndata: a\n\n"} {
		var refusal *codec.Refusal
		if data, err := Data([]byte(event)); !errors.As(err, &refusal) || refusal.Reason != codec.ResponseMalformed || data != nil {
			t.Errorf("%q says %q, %v", event, data, err)
		}
	}
}

func TestAppendEvent(t *testing.T) {
	for data, want := range map[string]string{
		"":           "data: \n\n",
		"a":          "data: a\n\n",
		" a":         "data:  a\n\n",
		"a\nb":       "data: a\ndata: b\n\n",
		"a\r\n\rb\n": "data: a\ndata: \ndata: b\ndata: \n\n",
	} {
		if got := string(AppendEvent([]byte("x"), []byte(data))); got != "x"+want {
			t.Errorf("%q is written %q, want %q", data, got, want)
		}
	}
}

// FuzzSplit holds that the messages are the same however the stream comes in
// pieces, and that they are the stream.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02ab\x01\x00\x00\x00\x00\x00\x00\x00\x00\x0ddata"), []byte{1, 3, 0, 9})
	f.Add([]byte("data: a\r\n\r\ndata: b\n\n:c\r\rdata: too long it is"), []byte{8, 1, 1, 1, 12})
	f.Add([]byte("\xef\xbb\xbfdata: a\n\n"), []byte{2, 2})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		for name, fresh := range map[string]func() Splitter{
			"grpc":   func() Splitter { return NewGRPC(most) },
			"events": func() Splitter { return NewEvents(most) },
		} {
			whole, pieces := split(t, fresh(), stream), split(t, fresh(), stream, sizes...)
			if !slices.Equal(whole.messages, pieces.messages) || whole.reason != pieces.reason {
				t.Fatalf("%s: %+v whole, %+v in pieces", name, whole, pieces)
			}
			if whole.reason != "" {
				continue
			}
			joined, want := "", string(stream)
			for _, m := range whole.messages {
				if name == "events" {
					m = unify(m)
				}
				joined += m
			}
			if name == "events" {
				want = unify(want)
			}
			if joined != want {
				t.Fatalf("%s: %q became %q", name, stream, joined)
			}
		}
	})
}

// unify ends all lines in LF.
func unify(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// FuzzEvent holds that data which is written as an event comes back, and that the
// splitter sees one event in it.
func FuzzEvent(f *testing.F) {
	f.Add([]byte("{\"a\": \"b\"}"))
	f.Add([]byte("a\r\n\nb\r"))
	f.Add([]byte(" :x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		event := AppendEvent(nil, data)
		if o := split(t, NewEvents(len(event)), event); len(o.messages) != 1 || o.messages[0] != string(event) || o.reason != "" {
			t.Fatalf("%q is %+v", event, o)
		}
		back, err := Data(event)
		if err != nil || string(back) != unify(string(data)) {
			t.Fatalf("%q came back as %q, %v", data, back, err)
		}
	})
}

// One byte at a time must not cost the whole message each time: the work is that
// of the bytes, measured in what is allocated.
func TestSmallPieces(t *testing.T) {
	const size = 1 << 20
	for name, tc := range map[string]struct {
		splitter Splitter
		stream   []byte
	}{
		"grpc":   {NewGRPC(size), AppendGRPC(nil, make([]byte, size))},
		"events": {NewEvents(size + 16), AppendEvent(nil, bytes.Repeat([]byte("a"), size))},
	} {
		count := 0
		allocations := testing.AllocsPerRun(1, func() {
			for i := range tc.stream {
				messages, err := tc.splitter.Write(tc.stream[i : i+1])
				if err != nil {
					t.Fatal(err)
				}
				count += len(messages)
			}
		})
		if count != 2 || allocations > 200 {
			t.Errorf("%s: %d messages, %v allocations for %d bytes", name, count, allocations, len(tc.stream))
		}
	}
}
