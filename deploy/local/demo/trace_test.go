package main

import (
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestTree(t *testing.T) {
	at := func(milliseconds int) time.Time { return time.UnixMilli(int64(1000 + milliseconds)) }
	spans := []span{
		{id: "1", service: "client", name: "ask", begin: at(0), end: at(30)},
		{id: "5", parent: "3", service: "weir", name: "check", begin: at(20), end: at(21)},
		{id: "4", parent: "3", service: "weir", name: "decode", begin: at(4), end: at(5)},
		{id: "2", parent: "1", service: "envoy", name: "ingress", begin: at(1), end: at(29), notes: []string{"a=1", "b=2"}},
		{id: "3", parent: "2", service: "weir", name: "process", begin: at(3), end: at(28)},
		{id: "6", parent: "2", service: "envoy", name: "egress", begin: at(29), end: at(29)},
	}
	want := `span                   begin    took
client: ask            0.0 ms   30.0 ms
└─ envoy: ingress      1.0 ms   28.0 ms  a=1 b=2
   ├─ weir: process    3.0 ms   25.0 ms
   │  ├─ weir: decode  4.0 ms   1.0 ms
   │  └─ weir: check   20.0 ms  1.0 ms
   └─ envoy: egress    29.0 ms  0.0 ms`
	if have := strings.Join(tree(spans), "\n"); have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
	if err := connected(spans); err != nil {
		t.Error(err)
	}

	lost := append(spans, span{id: "8", parent: "7", service: "weir", name: "lost", begin: at(2), end: at(3)})
	if err := connected(lost); err == nil {
		t.Error("a span without its parent counts as connected")
	}
	if have := tree(lost); !strings.HasPrefix(have[len(have)-1], "weir: lost") {
		t.Errorf("a span without its parent is not at the left: %q", have)
	}
}

func TestReceiverKeepsOneTrace(t *testing.T) {
	r, err := startReceiver()
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	connection, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()

	text := func(key, value string) *common.KeyValue {
		return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
	}
	status := &common.KeyValue{Key: "http.response.status_code", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: 200}}}
	request := &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{text("host.name", "h"), text("service.name", "weir")}},
		ScopeSpans: []*trace.ScopeSpans{{Spans: []*trace.Span{
			{TraceId: []byte{0xab}, SpanId: []byte{2}, ParentSpanId: []byte{1}, Name: "kept", StartTimeUnixNano: 5, EndTimeUnixNano: 9,
				Attributes: []*common.KeyValue{text("url.path", "/"), text("weir.decision", "pass"), status}},
			{TraceId: []byte{0xcd}, SpanId: []byte{3}, Name: "another trace"},
		}}},
	}}}
	r.keep("ab")
	if _, err := collector.NewTraceServiceClient(connection).Export(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	spans := r.kept()
	if len(spans) != 1 {
		t.Fatalf("kept %+v", spans)
	}
	s := spans[0]
	if s.service != "weir" || s.name != "kept" || s.id != "02" || s.parent != "01" || s.end.Sub(s.begin) != 4 ||
		strings.Join(s.notes, " ") != "weir.decision=pass http.response.status_code=200" {
		t.Errorf("kept %+v", s)
	}
	if r.keep("cd"); len(r.kept()) != 0 {
		t.Error("spans of the trace before are still kept")
	}
}
