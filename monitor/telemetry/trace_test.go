package telemetry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// spansOf records what f does and returns its spans in the order of their start.
func spansOf(t *testing.T, config Config, f func(*Telemetry, *clock)) tracetest.SpanStubs {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	tel, clk, _ := newTest(t, config, exporter)
	f(tel, clk)
	if err := tel.traces.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := exporter.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return spans
}

// tree renders spans as an indented tree. Ids of parents and links are shown only
// where they came from outside, since Weir's own are random.
func tree(spans tracetest.SpanStubs) string {
	own := map[trace.SpanID]bool{}
	for _, s := range spans {
		own[s.SpanContext.SpanID()] = true
	}
	var b strings.Builder
	var write func(parent trace.SpanID, depth int)
	write = func(parent trace.SpanID, depth int) {
		for _, s := range spans {
			if s.Parent.SpanID() != parent {
				continue
			}
			writeSpan(&b, s, strings.Repeat("  ", depth))
			write(s.SpanContext.SpanID(), depth+1)
		}
	}
	roots := map[trace.SpanID]bool{}
	for _, s := range spans {
		if id := s.Parent.SpanID(); !own[id] && !roots[id] {
			roots[id] = true
			if s.Parent.IsRemote() {
				fmt.Fprintf(&b, "remote parent %s:%s\n", s.Parent.TraceID(), id)
			}
			write(id, 0)
		}
	}
	return b.String()
}

func writeSpan(b *strings.Builder, s tracetest.SpanStub, indent string) {
	fmt.Fprintf(b, "%s%s (%s)", indent, s.Name, s.SpanKind)
	if s.Status.Code != codes.Unset {
		fmt.Fprintf(b, " status=%s", s.Status.Code)
	}
	b.WriteByte('\n')
	writeAttributes(b, s.Attributes, indent+"    ")
	for _, l := range s.Links {
		fmt.Fprintf(b, "%s    link %s:%s\n", indent, l.SpanContext.TraceID(), l.SpanContext.SpanID())
	}
	for _, e := range s.Events {
		fmt.Fprintf(b, "%s    event %s\n", indent, e.Name)
		writeAttributes(b, e.Attributes, indent+"      ")
	}
}

func writeAttributes(b *strings.Builder, set []attribute.KeyValue, indent string) {
	sorted := attribute.NewSet(set...)
	for _, kv := range sorted.ToSlice() {
		fmt.Fprintf(b, "%s%s = %s\n", indent, kv.Key, kv.Value.String())
	}
}

func TestSpanTree(t *testing.T) {
	spans := spansOf(t, Config{}, func(tel *Telemetry, clk *clock) {
		exchange(t, tel, clk)
		tel.DriftAlarm(alarm())
	})
	golden(t, "spans.golden", tree(spans))
	resource := spans[0].Resource.String()
	if want := "service.name=weir,service.version=1.2.3"; resource != want {
		t.Errorf("resource %q, want %q", resource, want)
	}
}

func TestFailureIsAnErrorAndRefusalIsNot(t *testing.T) {
	for _, c := range []struct {
		outcome   Outcome
		code      codes.Code
		errorType string
	}{
		{Outcome{Decision: DecisionBlock, Reason: "r"}, codes.Unset, ""},
		{Outcome{Decision: DecisionPass}, codes.Unset, ""},
		{Outcome{ErrorType: "policy_panic"}, codes.Error, "policy_panic"},
		{Outcome{}, codes.Error, "_OTHER"},
		{Outcome{Decision: 200}, codes.Error, "_OTHER"},
	} {
		spans := spansOf(t, Config{SampleRatio: 1}, func(tel *Telemetry, _ *clock) {
			_, e := tel.StartExchange(t.Context(), ExchangeStart{Method: "BREW"})
			e.End(c.outcome)
		})
		set := attribute.NewSet(spans[0].Attributes...)
		errorType, _ := set.Value("error.type")
		if spans[0].Status.Code != c.code || errorType.AsString() != c.errorType {
			t.Errorf("%+v: status %v, error.type %q", c.outcome, spans[0].Status.Code, errorType.AsString())
		}
		if m, _ := set.Value("http.request.method"); m.AsString() != "_OTHER" {
			t.Errorf("method %q", m.AsString())
		}
	}
}

func TestParent(t *testing.T) {
	const (
		sameTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
		zeroTrace = "00-00000000000000000000000000000000-b7ad6b7169203331-01"
		envoyID   = "4bf92f3577b34da6a3ce929d0e0e4736"
		clientID  = "0af7651916cd43dd8448eb211c80319c"
	)
	for _, c := range []struct {
		name                 string
		envoy, client        string
		trust                bool
		parentTrace, linksTo string // "" for none
	}{
		{name: "none"},
		{name: "Envoy only", envoy: envoyTraceparent, parentTrace: envoyID},
		{name: "both, one trace", envoy: envoyTraceparent, client: sameTrace, parentTrace: envoyID},
		{name: "both, two traces", envoy: envoyTraceparent, client: clientTraceparent, parentTrace: envoyID, linksTo: clientID},
		{name: "both, two traces, trusted", envoy: envoyTraceparent, client: clientTraceparent, trust: true, parentTrace: envoyID, linksTo: clientID},
		{name: "client only", client: clientTraceparent, linksTo: clientID},
		{name: "client only, trusted", client: clientTraceparent, trust: true, parentTrace: clientID},
		{name: "Envoy invalid, client trusted", envoy: zeroTrace, client: clientTraceparent, trust: true, parentTrace: clientID},
		{name: "client invalid", client: "00-xyz", trust: true},
		{name: "upper case is invalid", client: strings.ToUpper(clientTraceparent), trust: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			spans := spansOf(t, Config{SampleRatio: 1, TrustClient: c.trust}, func(tel *Telemetry, _ *clock) {
				_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: c.envoy, HTTPTraceparent: c.client})
				if sc := parseTraceContext(e.Traceparent(), ""); !sc.IsSampled() {
					t.Errorf("traceparent %q", e.Traceparent())
				}
				e.End(Outcome{})
			})
			s := spans[0]
			parent, link := "", ""
			if s.Parent.IsValid() {
				parent = s.Parent.TraceID().String()
			}
			for _, l := range s.Links {
				link += l.SpanContext.TraceID().String()
			}
			if parent != c.parentTrace || link != c.linksTo {
				t.Errorf("parent %q, links to %q", parent, link)
			}
			if parent != "" && s.SpanContext.TraceID().String() != parent {
				t.Errorf("trace %s", s.SpanContext.TraceID())
			}
		})
	}
}

func TestSampling(t *testing.T) {
	const unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	for _, c := range []struct {
		ratio       float64
		traceparent string
		want        int
	}{
		{0, "", 0}, {1, "", 1}, {0, envoyTraceparent, 1}, {1, unsampled, 0},
	} {
		spans := spansOf(t, Config{SampleRatio: c.ratio}, func(tel *Telemetry, _ *clock) {
			_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: c.traceparent})
			e.End(Outcome{})
		})
		if len(spans) != c.want {
			t.Errorf("ratio %v, parent %q: %d spans, want %d", c.ratio, c.traceparent, len(spans), c.want)
		}
	}
	spans := spansOf(t, Config{}, func(tel *Telemetry, _ *clock) { tel.DriftAlarm(DriftAlarm{}) })
	if len(spans) != 1 {
		t.Error("a drift alarm was not sampled")
	}
}

func TestSetTracing(t *testing.T) {
	spans := spansOf(t, Config{SampleRatio: 1, TrustClient: true}, func(tel *Telemetry, _ *clock) {
		end := func(start ExchangeStart) {
			_, e := tel.StartExchange(t.Context(), start)
			e.End(Outcome{})
		}
		tel.SetTracing(0, false)
		end(ExchangeStart{})
		end(ExchangeStart{HTTPTraceparent: clientTraceparent})
		tel.SetTracing(0, true)
		end(ExchangeStart{})
		end(ExchangeStart{HTTPTraceparent: clientTraceparent})
		tel.SetTracing(1, false)
		end(ExchangeStart{})
	})
	if len(spans) != 2 || spans[0].Parent.TraceID().String() != clientTraceparent[3:35] || spans[1].Parent.IsValid() {
		t.Errorf("%d spans, want the one of the trusted client and the last: %s", len(spans), tree(spans))
	}
}

func TestAlarmLinksTheLastTraces(t *testing.T) {
	a := alarm()
	a.Recent = nil
	for i := range 40 {
		a.Recent = append(a.Recent, fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e47%02x-00f067aa0ba902b7-01", i))
	}
	spans := spansOf(t, Config{}, func(tel *Telemetry, _ *clock) { tel.DriftAlarm(a) })
	links := spans[0].Links
	if len(links) != 16 || !strings.HasSuffix(links[15].SpanContext.TraceID().String(), "27") {
		t.Errorf("%d links", len(links))
	}
}

func TestStepsAreBounded(t *testing.T) {
	spans := spansOf(t, Config{SampleRatio: 1}, func(tel *Telemetry, _ *clock) {
		_, e := tel.StartExchange(t.Context(), ExchangeStart{})
		for range maxSteps + 7 {
			s := e.StartStep(StepRequestSanitize)
			s.Finding(Finding{Rule: "r"})
			s.End("decode_error")
		}
		e.End(Outcome{})
		want := `weir_findings_total{action="",model="_unknown",rule="r"} ` + strconv.Itoa(maxSteps+7)
		if page := scrape(t, tel, "text/plain"); !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	})
	if len(spans) != maxSteps+1 {
		t.Errorf("%d spans", len(spans))
	}
	set := attribute.NewSet(spans[0].Attributes...)
	if n, _ := set.Value(attrStepsDropped); n.AsInt64() != 7 {
		t.Errorf("%s = %d", attrStepsDropped, n.AsInt64())
	}
}

// Without an endpoint there is no SDK behind the spans, only Envoy's context.
func TestTracingOff(t *testing.T) {
	tel, _, _ := newTest(t, Config{SampleRatio: 1}, nil)
	_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: envoyTraceparent})
	if e.span.IsRecording() || e.Traceparent() != envoyTraceparent {
		t.Errorf("recording %v, traceparent %q", e.span.IsRecording(), e.Traceparent())
	}
	_, e = tel.StartExchange(t.Context(), ExchangeStart{})
	if e.span.IsRecording() || e.Traceparent() != "" {
		t.Errorf("recording %v, traceparent %q", e.span.IsRecording(), e.Traceparent())
	}
	if _, ok := e.span.(sdktrace.ReadOnlySpan); ok {
		t.Error("a span of the SDK")
	}
}

func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{"", envoyTraceparent, clientTraceparent, "00-", "ff-" + envoyTraceparent[3:], envoyTraceparent + "-extra", "cc-" + envoyTraceparent[3:] + "-x"} {
		f.Add(seed, "a=b,c=d")
	}
	f.Fuzz(func(t *testing.T, traceparent, tracestate string) {
		sc := parseTraceContext(traceparent, tracestate)
		if !sc.IsValid() {
			return
		}
		written := formatTraceparent(sc)
		if again := parseTraceContext(written, ""); again.TraceID() != sc.TraceID() || again.SpanID() != sc.SpanID() || again.IsSampled() != sc.IsSampled() {
			t.Errorf("%q was read as %v, written as %q", traceparent, sc, written)
		}
	})
}
