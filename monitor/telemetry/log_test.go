package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
)

// lines returns "reason/model×count id" for each line of a log.
func lines(t *testing.T, log string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(log) {
		var l struct {
			Reason, Model string
			Count         int
			DecisionID    string `json:"decision_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s/%s×%d %s", l.Reason, l.Model, l.Count, l.DecisionID))
	}
	return out
}

func expect(t *testing.T, log string, want ...string) {
	t.Helper()
	if got := lines(t, log); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &syncBuffer{}
		l := NewLimiter(NewLogger(log, slog.LevelInfo), 10*time.Second)
		n := 0
		event := func(reason, model string) {
			n++
			l.Log(t.Context(), Event{Reason: reason, Model: model, DecisionID: "d" + strconv.Itoa(n)})
		}
		event("a", "m") // d1: at once
		event("a", "m") // d2: waits
		event("b", "m") // d3: another reason
		event("a", "n") // d4: another model
		event("a", "m") // d5: waits
		want := []string{"a/m×1 d1", "b/m×1 d3", "a/n×1 d4"}
		expect(t, log.String(), want...)

		time.Sleep(10*time.Second - 1)
		expect(t, log.String(), want...)
		time.Sleep(2)
		synctest.Wait()
		want = append(want, "a/m×2 d5")
		expect(t, log.String(), want...)

		event("b", "m") // d6: its window is over
		want = append(want, "b/m×1 d6")
		expect(t, log.String(), want...)
		event("a", "m") // d7: the summary began a window of its own
		expect(t, log.String(), want...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want = append(want, "a/m×1 d7")
		expect(t, log.String(), want...)

		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, log.String(), want...)
		if len(l.pending) != 0 {
			t.Errorf("%d windows without events", len(l.pending))
		}

		event("b", "m") // d8
		event("b", "m") // d9
		event("a", "m") // d10
		event("a", "m") // d11
		l.Close()
		l.Close()
		event("a", "m") // d12: nothing is lost after Close
		expect(t, log.String(), append(want, "b/m×1 d8", "a/m×1 d10", "a/m×1 d11", "b/m×1 d9", "a/m×1 d12")...)
	})
}

func TestLimiterKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &syncBuffer{}
		l := NewLimiter(NewLogger(log, slog.LevelInfo), 10*time.Second)
		for i := range maxLimiterKeys + 100 {
			l.Log(t.Context(), Event{Reason: "r" + strconv.Itoa(i), Model: "m", DecisionID: "d" + strconv.Itoa(i)})
		}
		l.Close()
		got := lines(t, log.String())
		if len(got) != maxLimiterKeys+2 {
			t.Errorf("%d lines", len(got))
		}
		if last := got[len(got)-1]; last != "_other/_other×99 d1123" {
			t.Errorf("last line %s", last)
		}
	})
}

func TestLimiterBelowLevel(t *testing.T) {
	log := &syncBuffer{}
	l := NewLimiter(NewLogger(log, slog.LevelError), time.Hour)
	l.Log(t.Context(), Event{Level: slog.LevelInfo, Reason: "r"})
	if len(l.pending) != 0 {
		t.Error("an event that is never written was kept")
	}
	l.Log(t.Context(), Event{Level: slog.LevelError, Reason: "r"})
	l.Close()
	expect(t, log.String(), "r/×1 ")
}

func TestOutcomesInTheLog(t *testing.T) {
	tel, _, log := newTest(t, Config{}, nil)
	end := func(label string, o Outcome) {
		_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: envoyTraceparent})
		if label != "" {
			e.SetModel("name", "1", label)
		}
		e.End(o)
	}
	end("m", Outcome{Decision: DecisionPass, DecisionID: "d1"})
	end("m", Outcome{Decision: DecisionSanitize, DecisionID: "d2"})
	end("m", Outcome{Decision: DecisionFlag, Reason: "low_confidence", Detail: "row 7", DecisionID: "d3"})
	end("", Outcome{Decision: DecisionBlock, Reason: "model_unknown", Detail: "first", DecisionID: "d4"})
	end("", Outcome{Decision: DecisionBlock, Reason: "model_unknown", Detail: "second", DecisionID: "d5"})
	end("m", Outcome{Reason: "internal_error", Detail: strings.Repeat("x", 2*maxValueBytes), DecisionID: "d6"})
	tel.limiter.Close()
	expect(t, log.String(),
		"low_confidence/m×1 d3", "model_unknown/_unknown×1 d4", "internal_error/m×1 d6", "model_unknown/_unknown×1 d5")
	details := []string{"row 7", "first", strings.Repeat("x", maxValueBytes), "second"}
	for i, want := range []string{"flagged", "refused", "failed", "refused"} {
		line := strings.Split(log.String(), "\n")[i]
		if !strings.Contains(line, `"msg":"`+want+`"`) || !strings.Contains(line, `"detail":"`+details[i]+`"`) || !strings.Contains(line, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) {
			t.Errorf("want %s, %s and the trace id in %s", want, details[i], line)
		}
	}
}

func TestLoggerAddsIDsOfTheSpan(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, slog.LevelInfo).With("component", "x")
	ctx := trace.ContextWithSpanContext(t.Context(), parseTraceContext(envoyTraceparent, ""))
	log.InfoContext(ctx, "with")
	log.Info("without")
	log.Debug("below the level")
	got := b.String()
	if strings.Count(got, "\n") != 2 || strings.Count(got, `"span_id":"00f067aa0ba902b7"`) != 1 || strings.Count(got, `"component":"x"`) != 2 {
		t.Error(got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("traffic-sign")
	f.Add("a\xffb")
	f.Add(strings.Repeat("é", 200))
	f.Add(strings.Repeat("a", 255) + "é")
	f.Add(strings.Repeat("\xff", 300))
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) {
			t.Errorf("clean(%q) = %q is not UTF-8", s, got)
		}
		if utf8.ValidString(s) && !strings.HasPrefix(s, got) {
			t.Errorf("clean(%q) = %q is no prefix", s, got)
		}
		if utf8.ValidString(s) && len(s) <= maxValueBytes && got != s {
			t.Errorf("clean(%q) = %q", s, got)
		}
		if len(got) > 3*maxValueBytes {
			t.Errorf("%d bytes", len(got))
		}
	})
}
