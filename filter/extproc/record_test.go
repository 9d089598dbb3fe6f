package extproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/filter"
	"weir/filter/codec"
	"weir/monitor/decision"
	"weir/monitor/telemetry"
)

// recording is a server of the spoken protocols; renew gives it an empty store for
// its records.
func recording(t testing.TB) (s *Server, renew func() *decision.Store) {
	t.Helper()
	s = speaking(t)
	runtime, log := s.filter.Runtime(), slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(context.Background(), telemetry.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return s, func() *decision.Store {
		store := decision.New()
		s.filter = filter.New(filter.Options{Monitor: ignore{}, Decisions: store, Telemetry: tel, Log: log, Slots: 2})
		s.filter.Use(runtime)
		return store
	}
}

// summary is a record in a few words.
func summary(r *decision.Record) string {
	text := fmt.Sprintf("%s %s %s %s", r.Operation, r.Verdict, r.Phase, r.Reason)
	if r.Stream != "" {
		text = fmt.Sprintf("%d: %s", r.Message, text)
	}
	return strings.TrimSpace(text)
}

// Each message of a stream has a record of its own, and so has the call.
func TestStreamsAreRecorded(t *testing.T) {
	s, renew := recording(t)
	store := renew()
	_, err := run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a\u200b"), false), ok, answerTo("a", "x"),
		requestBodyOf(framed("{"), false), requestBodyOf(framed("b"), false), requestBodyOf(framed("c"), false), answerTo("a", "final"),
		answerTo("b", "error no"), answerTo("b", "final"), requestBodyOf("", true), grpcTrailers)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	records := store.Last(100, "")
	for _, r := range records {
		got = append(got, summary(r))
	}
	slices.Sort(got)
	want := []string{"1: infer_stream sanitize response_body", "2: infer_stream block request_body json_malformed",
		"3: infer_stream error response_body upstream_error", "4: infer_stream pass request_body", "infer_stream pass response_head"}
	if !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	call := records[0] // it ends last
	for _, r := range records[1:] {
		if r.Stream != call.ID || r.ID == call.ID {
			t.Errorf("message %d belongs to %q, want %q", r.Message, r.Stream, call.ID)
		}
	}
}

// strict is a spoken protocol in which an answer "bad" can be told, but not read;
// "panic" is one that breaks the codec.
type strict struct{ spoken }

func (c strict) DecodeResponse(r *codec.Request, h codec.Headers, body []byte) (*codec.Response, error) {
	if r.Model != "" && strings.HasSuffix(c.text(body), " bad") {
		return nil, codec.Refuse(codec.ResponseMalformed, "bad")
	}
	if strings.HasSuffix(c.text(body), " panic") {
		panic("broken")
	}
	return c.spoken.DecodeResponse(r, h, body)
}

// What follows a refused answer changes nothing of its record.
func TestRefusedAnswerStaysRefused(t *testing.T) {
	s, renew := recording(t)
	runtime := *s.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.KServeGRPC: strict{spoken{framed: true}}}
	store := renew()
	s.filter.Use(&runtime)
	e, err := run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), true), ok,
		answerTo("a", "bad"), answerTo("a", "x"), answerTo("a", "error no"), answerTo("a", "final"), grpcTrailers)
	if err != nil {
		t.Fatal(err)
	}
	wantClient(t, e, "headers", "a error weir: response_malformed: the model server's answer is not valid", "trailers")
	for _, r := range store.Last(10, "") {
		if r.Message == 1 && summary(r) != "1: infer_stream block response_body response_malformed" {
			t.Errorf("recorded %q", summary(r))
		}
	}
}

// The record of a call tells what ended it.
func TestWhatEndsAStreamIsRecorded(t *testing.T) {
	head, a := streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false)
	for name, tc := range map[string]struct {
		messages []message
		want     string
	}{
		"a request":              {[]message{head, a, requestBodyOf(framed("{"), false)}, "infer_stream block request_body json_malformed"},
		"an answer to nobody":    {[]message{head, a, ok, answerTo("b", "x")}, "infer_stream block response_body response_malformed"},
		"an answer that panics":  {[]message{head, a, ok, answerTo("a", "panic")}, "infer_stream error response_body internal_error"},
		"nothing out of the way": {[]message{head, a, ok, answerTo("a", "final"), grpcTrailers}, "infer_stream pass response_head"},
	} {
		s, renew := recording(t)
		runtime := *s.filter.Runtime()
		runtime.Codecs = codec.Codecs{codec.KServeGRPC: strict{spoken{framed: true}}}
		store := renew()
		s.filter.Use(&runtime)
		if _, err := run(s, io.EOF, tc.messages...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, r := range store.Last(10, "") {
			if r.Stream == "" {
				got = append(got, summary(r))
			} else if want := strings.Contains(tc.want, "pass"); r.Message == 0 || r.Message == 1 && (r.Verdict == decision.Pass) != want {
				t.Errorf("%s: recorded %s beside the call", name, summary(r))
			}
		}
		if !slices.Equal(got, []string{tc.want}) {
			t.Errorf("%s: recorded %q, want %q", name, got, tc.want)
		}
	}
}

// A stream that breaks off leaves the records of what waited for an answer.
func TestABrokenStreamIsRecorded(t *testing.T) {
	s, renew := recording(t)
	store := renew()
	_, err := run(s, errors.New("gone"), streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false), requestBodyOf(framed("b"), false))
	if err == nil {
		t.Fatal("a clean end of a stream that broke off")
	}
	records := store.Last(100, "")
	for _, r := range records {
		if r.Verdict != decision.Error || r.Detail != "the exchange ended before its answer" {
			t.Errorf("recorded %+v", r)
		}
	}
	if len(records) != 3 {
		t.Errorf("%d records, want that of the call and of two messages", len(records))
	}
}

var anID = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)

// However an exchange goes, it has one record, its messages have one each in their
// order, and every decision id that was told leads to one of them.
func TestEveryOrderIsRecordedOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	all := scripts()
	names := []string{"unary", "live", "gRPC", "query", "events", "event error", "stream"}
	s, renew := recording(t)
	for range 500 {
		store, name := renew(), names[random.IntN(len(names))]
		e, _ := run(s, io.EOF, disturb(random, all[name])...)
		known := map[string]bool{}
		calls, messages := 0, []int{}
		for _, r := range store.Last(1000, "") {
			if known[r.ID] {
				t.Fatalf("%s: two records of %s", name, r.ID)
			}
			known[r.ID] = true
			if r.Stream == "" {
				calls++
			} else if r.Message > 0 {
				messages = append(messages, r.Message)
			}
		}
		slices.Sort(messages)
		for i, n := range messages {
			if n != i+1 {
				t.Fatalf("%s: the messages with records are %v", name, messages)
			}
		}
		told := anID.FindAllString(fmt.Sprint(e.sent), -1)
		if calls > 1 || calls == 0 && len(told) > 0 {
			t.Fatalf("%s: %d records of one exchange: %v", name, calls, e.sent)
		}
		for _, id := range told {
			if !known[id] {
				t.Fatalf("%s: %s was told and is not recorded: %v", name, id, e.sent)
			}
		}
	}
}
