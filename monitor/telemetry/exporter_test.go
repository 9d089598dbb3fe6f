package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// receiver is a trace receiver that hands its requests to the test.
type receiver struct {
	coltracepb.UnimplementedTraceServiceServer
	requests chan *coltracepb.ExportTraceServiceRequest
}

func (r *receiver) Export(_ context.Context, request *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	r.requests <- request
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestSpansArriveOverOTLP(t *testing.T) {
	listener := listen(t)
	server := grpc.NewServer()
	r := &receiver{requests: make(chan *coltracepb.ExportTraceServiceRequest, 10)}
	coltracepb.RegisterTraceServiceServer(server, r)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	config := Config{OTLPEndpoint: "http://" + listener.Addr().String(), Version: "1.2.3"}
	tel, err := New(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: envoyTraceparent, Path: "/\xff"})
	e.StartStep(StepRequestDecode).End("")
	e.End(Outcome{Decision: DecisionPass})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := (<-r.requests).ResourceSpans[0].ScopeSpans[0].Spans
	var names []string
	for _, s := range spans {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "weir.request.decode weir.process" {
		t.Errorf("spans %s", got)
	}
	if string(spans[0].ParentSpanId) != string(spans[1].SpanId) {
		t.Error("the step is no child of the exchange")
	}
}

// A receiver that refuses connections, and one that accepts and never answers.
func TestDeadReceiverBlocksNothing(t *testing.T) {
	refusing := listen(t)
	if err := refusing.Close(); err != nil {
		t.Fatal(err)
	}
	mute := listen(t)
	defer mute.Close()
	for name, address := range map[string]string{"refusing": refusing.Addr().String(), "mute": mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			tel, err := New(t.Context(), Config{OTLPEndpoint: "http://" + address, SampleRatio: 1}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			const exchanges = 3 * maxQueuedSpans
			for range exchanges {
				_, e := tel.StartExchange(t.Context(), ExchangeStart{})
				e.End(Outcome{Decision: DecisionPass})
			}
			page := scrape(t, tel, "text/plain")
			if want := `weir_requests_total{decision="pass",model="_unknown"} ` + strconv.Itoa(exchanges); !strings.Contains(page, want) {
				t.Errorf("no %s", want)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := tel.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("shutdown: %v", err)
			}
		})
	}
}

// stuckExporter holds every batch until it is released.
type stuckExporter struct{ release chan struct{} }

func (e stuckExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	<-e.release
	return nil
}
func (stuckExporter) Shutdown(context.Context) error { return nil }

func TestFullQueueDropsAndCounts(t *testing.T) {
	exporter := stuckExporter{make(chan struct{})}
	tel, clk, log := newTest(t, Config{SampleRatio: 1}, exporter)
	const beyond = 1000
	for range maxQueuedSpans + beyond {
		_, e := tel.StartExchange(t.Context(), ExchangeStart{})
		e.End(Outcome{Decision: DecisionPass})
	}
	if page, want := scrape(t, tel, "text/plain"), "weir_exporter_dropped_total 1000\n"; !strings.Contains(page, want) {
		t.Errorf("no %s in\n%s", want, own(page))
	}
	clk.Add(time.Minute)
	_, e := tel.StartExchange(t.Context(), ExchangeStart{})
	e.End(Outcome{Decision: DecisionPass})
	const message = `"msg":"spans were not exported","count":`
	if lines := log.String(); strings.Count(lines, message) != 2 || !strings.Contains(lines, message+"1,") || !strings.Contains(lines, message+"1000,") {
		t.Errorf("want one line per minute:\n%s", lines)
	}
	close(exporter.release)
}

// failingExporter loses every batch.
type failingExporter struct{ stuckExporter }

func (failingExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("receiver is away")
}

func TestFailedExportIsCountedAndLogged(t *testing.T) {
	tel, _, log := newTest(t, Config{SampleRatio: 1}, failingExporter{})
	for range 3 {
		_, e := tel.StartExchange(t.Context(), ExchangeStart{})
		e.End(Outcome{Decision: DecisionPass})
		if err := tel.traces.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if page := scrape(t, tel, "text/plain"); !strings.Contains(page, "weir_exporter_dropped_total 3\n") {
		t.Error(own(page))
	}
	if lines := log.String(); strings.Count(lines, "receiver is away") != 1 {
		t.Errorf("want one line:\n%s", lines)
	}
	if n := tel.exporter.waiting.Load(); n != 0 {
		t.Errorf("%d spans still count as waiting", n)
	}
}
