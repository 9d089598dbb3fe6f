package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// span is what the demonstration shows of a span.
type span struct {
	id, parent string // hexadecimal; the parent is empty at a root
	service    string
	name       string
	begin, end time.Time
	notes      []string // attributes that are worth a look
}

// receiver takes spans by OTLP over gRPC, as a collector would, and keeps those
// of one trace.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	address string // "127.0.0.1:port"
	server  *grpc.Server

	mu    sync.Mutex
	trace string // hexadecimal id of the trace that is kept
	spans []span
}

// startReceiver listens on a free port of the loopback interface.
func startReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("receiver of spans: %w", err)
	}
	r := &receiver{address: listener.Addr().String(), server: grpc.NewServer()}
	collector.RegisterTraceServiceServer(r.server, r)
	go func() { _ = r.server.Serve(listener) }() // until stop is called
	return r, nil
}

func (r *receiver) stop() { r.server.Stop() }

// keep makes the receiver keep the spans of a trace from now on.
func (r *receiver) keep(traceID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace, r.spans = traceID, nil
}

// kept returns the spans of the trace that have come so far.
func (r *receiver) kept() []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]span(nil), r.spans...)
}

// Export is the OTLP call that delivers spans.
func (r *receiver) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, from := range request.GetResourceSpans() {
		service := serviceName(from.GetResource())
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				if hex.EncodeToString(s.GetTraceId()) == r.trace {
					r.spans = append(r.spans, newSpan(service, s))
				}
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func serviceName(from *resource.Resource) string {
	for _, attribute := range from.GetAttributes() {
		if attribute.GetKey() == "service.name" {
			return attribute.GetValue().GetStringValue()
		}
	}
	return "unnamed"
}

// noted are the attributes that the tree shows.
var noted = map[string]bool{
	"weir.decision": true, "weir.model.name": true, "http.response.status_code": true, "http.status_code": true,
}

func newSpan(service string, s *trace.Span) span {
	made := span{
		id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(s.GetParentSpanId()),
		service: service, name: s.GetName(),
		begin: time.Unix(0, int64(s.GetStartTimeUnixNano())), end: time.Unix(0, int64(s.GetEndTimeUnixNano())),
	}
	for _, attribute := range s.GetAttributes() {
		if !noted[attribute.GetKey()] {
			continue
		}
		value := attribute.GetValue().GetStringValue()
		if value == "" {
			value = fmt.Sprint(attribute.GetValue().GetIntValue())
		}
		made.notes = append(made.notes, attribute.GetKey()+"="+value)
	}
	return made
}
