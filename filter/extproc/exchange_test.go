package extproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/filter/policy"
	"weir/monitor"
	"weir/monitor/telemetry"
	"weir/sanitize/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type ignore struct{}

func (ignore) Observe(monitor.Sample) {}

type fixed struct{}

func (fixed) Lookup(model, version string) (*codec.Signature, error) {
	return &codec.Signature{Model: "m", Version: "1",
		Inputs:  []codec.Spec{{Name: "T", DataType: tensor.Bytes, Shape: []int64{-1}}},
		Outputs: []codec.Spec{{Name: "O", DataType: tensor.Bytes, Shape: []int64{-1}}}}, nil
}

func (fixed) Ready() bool { return true }

func newServer(t testing.TB) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	tel, err := telemetry.New(context.Background(), telemetry.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	c, err := kserve.NewHTTP(kserve.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	f := filter.New(filter.Options{Monitor: ignore{}, Telemetry: tel, Log: log, Slots: 2})
	f.Use(&filter.Runtime{Codecs: codec.Codecs{codec.KServeHTTP: c}, Signatures: fixed{}, Timeout: time.Minute, BodyKey: []byte("k"),
		Policy: policy.New([]*policy.Model{{Pattern: "m", Inputs: map[string]policy.Input{"T": {Kind: policy.Text}}}})})
	return New(f, Limits{MaxBodyBytes: 1 << 20, MaxBytesInFlight: 16 << 20, MaxStreams: 10, AdmissionTimeout: 10 * time.Millisecond,
		BodyTimeout: time.Minute, MaxStreamRequests: 4}, log)
}

// envoy plays Envoy's side of one stream: it hands over the messages in order,
// builds the answer of the model server from what it was sent, and keeps answers.
type envoy struct {
	grpc.ServerStream
	messages []message
	sent     []*extprocv3.ProcessingResponse
	end      error
	lastBody []byte
	told     chan struct{} // a value for every answer, if there is room
	check    *model        // judges every answer, if it is there
	fault    string        // the first that check did not take
}

type message func(*envoy) *extprocv3.ProcessingRequest

func (e *envoy) Context() context.Context { return context.Background() }

func (e *envoy) Send(r *extprocv3.ProcessingResponse) error {
	e.sent = append(e.sent, r)
	select {
	case e.told <- struct{}{}:
	default:
	}
	if e.check != nil && e.fault == "" {
		e.fault = e.check.take(r)
	}
	if body := r.GetRequestBody().GetResponse().GetBodyMutation().GetBody(); body != nil {
		e.lastBody = body
	}
	return nil
}

func (e *envoy) Recv() (*extprocv3.ProcessingRequest, error) {
	if len(e.messages) == 0 {
		return nil, e.end
	}
	m := e.messages[0]
	e.messages = e.messages[1:]
	return m(e), nil
}

func run(s *Server, end error, messages ...message) (*envoy, error) {
	e := &envoy{messages: messages, end: end, told: make(chan struct{}, 1000)}
	return e, s.Process(e)
}

func headerMap(pairs ...string) *corev3.HeaderMap {
	m := &corev3.HeaderMap{}
	for i := 0; i < len(pairs); i += 2 {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
	}
	return m
}

var buffered = &extprocv3.ProtocolConfiguration{
	RequestBodyMode: modev3.ProcessingMode_BUFFERED, ResponseBodyMode: modev3.ProcessingMode_BUFFERED}

func requestHeaders(modes *extprocv3.ProtocolConfiguration, end bool, pairs ...string) message {
	return func(*envoy) *extprocv3.ProcessingRequest {
		return &extprocv3.ProcessingRequest{ProtocolConfig: modes, Request: &extprocv3.ProcessingRequest_RequestHeaders{
			RequestHeaders: &extprocv3.HttpHeaders{Headers: headerMap(pairs...), EndOfStream: end}}}
	}
}

const ask = `{"inputs":[{"name":"T","shape":[1],"datatype":"BYTES","data":["a\u200bb"]}]}`

func inferHeaders(modes *extprocv3.ProtocolConfiguration, pairs ...string) message {
	return requestHeaders(modes, false, append([]string{":method", "POST", ":path", "/v2/models/m/infer?x=1",
		":authority", "a", "content-type", "application/json", "x-secret", "s", "x-secret", "t", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, pairs...)...)
}

var liveHeaders = requestHeaders(buffered, true, ":method", "GET", ":path", "/v2/health/live")

func trailersOfRequest(*envoy) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{
		RequestTrailers: &extprocv3.HttpTrailers{Trailers: headerMap("x-trailer", "t")}}}
}

func trailersOfResponse(*envoy) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{
		ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headerMap("x-trailer", "t")}}}
}

func requestBodyOf(text string, end bool) message {
	return func(*envoy) *extprocv3.ProcessingRequest {
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
			RequestBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end}}}
	}
}

func responseHeaders(status, details string, end bool, pairs ...string) message {
	return func(*envoy) *extprocv3.ProcessingRequest {
		r := &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
			ResponseHeaders: &extprocv3.HttpHeaders{Headers: headerMap(append(pairs, ":status", status, "server", "x")...), EndOfStream: end}}}
		if details != "" {
			r.Attributes = map[string]*structpb.Struct{attributesKey: {Fields: map[string]*structpb.Value{
				"response.code_details": structpb.NewStringValue(details)}}}
		}
		return r
	}
}

// serverAnswer echoes T as O under the id that the model server was sent, in
// the form of a response without binary outputs when raw is set.
func serverAnswer(raw string) message {
	return func(e *envoy) *extprocv3.ProcessingRequest {
		body := []byte(raw)
		if raw == "" {
			var h struct {
				ID string `json:"id"`
			}
			_ = json.NewDecoder(strings.NewReader(string(e.lastBody))).Decode(&h)
			body = fmt.Appendf(nil, `{"id":%q,"model_name":"m","model_version":"1","outputs":[]}`, h.ID)
		}
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
			ResponseBody: &extprocv3.HttpBody{Body: body, EndOfStream: true}}}
	}
}

func refusalOf(r *extprocv3.ProcessingResponse) string {
	for _, h := range r.GetImmediateResponse().GetHeaders().GetSetHeaders() {
		if h.GetHeader().GetKey() == filter.HeaderReason {
			return string(h.GetHeader().GetRawValue())
		}
	}
	return ""
}

func last(t *testing.T, e *envoy) *extprocv3.ProcessingResponse {
	t.Helper()
	if len(e.sent) == 0 {
		t.Fatal("nothing was answered")
	}
	return e.sent[len(e.sent)-1]
}

func TestRequestIsReplacedWhole(t *testing.T) {
	e, err := run(newServer(t), io.EOF, inferHeaders(buffered, "content-length", strconv.Itoa(len(ask))), requestBodyOf(ask, true))
	if err == nil {
		t.Error("a stream that ends before the exchange ended cleanly; Envoy would let the rest through")
	}
	common := last(t, e).GetRequestBody().GetResponse()
	if got := common.GetBodyMutation().GetBody(); !strings.HasSuffix(string(got), "ab") {
		t.Fatalf("body %q", got)
	}
	set := map[string]string{}
	for _, h := range common.GetHeaderMutation().GetSetHeaders() {
		if h.GetHeader().GetValue() != "" || h.GetAppend() != nil {
			t.Errorf("%s: only raw_value counts, and append must stay unset", h.GetHeader().GetKey())
		}
		set[h.GetHeader().GetKey()] = string(h.GetHeader().GetRawValue())
	}
	if set[":path"] != "/v2/models/m/versions/1/infer" || set["content-length"] != strconv.Itoa(len(common.GetBodyMutation().GetBody())) ||
		set["inference-header-content-length"] == "" {
		t.Errorf("headers set: %v", set)
	}
	head := e.sent[0].GetRequestHeaders().GetResponse().GetHeaderMutation()
	if removed := strings.Join(head.GetRemoveHeaders(), " "); removed != "content-type x-secret" {
		t.Errorf("headers removed: %q, want content-type and x-secret", removed)
	}
	if path := head.GetSetHeaders()[0].GetHeader(); len(head.GetSetHeaders()) != 1 || path.GetKey() != ":path" || string(path.GetRawValue()) != "/v2/models/m/infer" {
		t.Errorf("headers set at the head: %v, want the path without its query", head.GetSetHeaders())
	}
}

func TestTraceContextOfTheClient(t *testing.T) {
	const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for value, kept := range map[string]bool{
		valid: true, valid + "-free text": false, "free text": false, strings.ToUpper(valid): false, "01" + valid[2:]: false,
	} {
		e, _ := run(newServer(t), io.EOF, requestHeaders(buffered, false, ":method", "POST", ":path", "/v2/models/m/infer",
			"traceparent", value, "tracestate", "vendor=free text"))
		removed := last(t, e).GetRequestHeaders().GetResponse().GetHeaderMutation().GetRemoveHeaders()
		want := []string{"traceparent", "tracestate"}
		if kept {
			want = want[1:]
		}
		if !slices.Equal(removed, want) {
			t.Errorf("traceparent %q: removed %q, want %q", value, removed, want)
		}
	}
}

func TestRequestIDOfTheClient(t *testing.T) {
	const valid = "6c1f4d5e-7a0b-9c3d-8e2f-0123456789ab"
	for value, kept := range map[string]bool{valid: true, "": false, "free text": false, valid + " free text": false, valid + "\n": false} {
		e, _ := run(newServer(t), io.EOF, requestHeaders(buffered, false, ":method", "POST", ":path", "/v2/models/m/infer", "x-request-id", value))
		removed := last(t, e).GetRequestHeaders().GetResponse().GetHeaderMutation().GetRemoveHeaders()
		if slices.Contains(removed, "x-request-id") == kept {
			t.Errorf("x-request-id %q: removed %q", value, removed)
		}
	}
}

func TestTrailers(t *testing.T) {
	for name, tc := range map[string]struct {
		messages []message
		refusal  string
	}{
		"of a request":                {[]message{inferHeaders(buffered), requestBodyOf(ask, false), trailersOfRequest}, ""},
		"of a request without a body": {[]message{inferHeaders(buffered), trailersOfRequest}, "body_missing"},
		"of an answer":                {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false), serverAnswer(""), trailersOfResponse}, ""},
		"of an answer without a body": {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false), trailersOfResponse}, "response_malformed"},
		"of metadata":                 {[]message{liveHeaders, responseHeaders("200", "via_upstream", false), serverAnswer("{}"), trailersOfResponse}, ""},
		"of metadata without a body":  {[]message{liveHeaders, responseHeaders("200", "via_upstream", false), trailersOfResponse}, ""},
		"of a reply of Envoy's own":   {[]message{responseHeaders("400", "http1.codec_error", false), trailersOfResponse}, ""},
	} {
		e, _ := run(newServer(t), io.EOF, tc.messages...)
		answer := last(t, e)
		if got := refusalOf(answer); got != tc.refusal {
			t.Errorf("%s: refused with %q, want %q", name, got, tc.refusal)
		}
		trailers := answer.GetRequestTrailers()
		if trailers == nil {
			trailers = answer.GetResponseTrailers()
		}
		if removed := trailers.GetHeaderMutation().GetRemoveHeaders(); tc.refusal == "" && (len(removed) != 1 || removed[0] != "x-trailer") {
			t.Errorf("%s: answered %v, want the trailer removed", name, answer)
		}
	}
	for name, m := range map[string]message{"request": trailersOfRequest, "response": trailersOfResponse} {
		if e, err := run(newServer(t), io.EOF, m); err == nil || len(e.sent) > 0 {
			t.Errorf("%s trailers first: answered %v, ended with %v", name, e.sent, err)
		}
	}
}

func TestWholeExchange(t *testing.T) {
	s := newServer(t)
	e, err := run(s, io.EOF, inferHeaders(buffered), requestBodyOf(ask, false), responseHeaders("200", "via_upstream", false), serverAnswer(""))
	if err != nil {
		t.Fatalf("Process = %v after a whole exchange", err)
	}
	common := last(t, e).GetResponseBody().GetResponse()
	if !strings.Contains(string(common.GetBodyMutation().GetBody()), `"model_name":"m"`) {
		t.Errorf("answer %v", last(t, e))
	}
	if streams, bytes := s.InFlight(); streams != 0 || bytes != 0 {
		t.Errorf("%d streams and %d bytes are still in flight", streams, bytes)
	}
}

func TestModesThatAreNotSafeAreRefusedAtTheHead(t *testing.T) {
	for request := range modev3.ProcessingMode_BodySendMode_name {
		for response := range modev3.ProcessingMode_BodySendMode_name {
			modes := &extprocv3.ProtocolConfiguration{RequestBodyMode: modev3.ProcessingMode_BodySendMode(request),
				ResponseBodyMode: modev3.ProcessingMode_BodySendMode(response)}
			safe := modes.RequestBodyMode == modev3.ProcessingMode_BUFFERED && modes.ResponseBodyMode == modev3.ProcessingMode_BUFFERED
			e, _ := run(newServer(t), io.EOF, inferHeaders(modes))
			if refused := refusalOf(last(t, e)) == "proxy_mode_unsafe"; refused == safe {
				t.Errorf("modes %v: refused = %v", modes, refused)
			}
		}
	}
	if e, _ := run(newServer(t), io.EOF, inferHeaders(nil)); refusalOf(last(t, e)) != "proxy_mode_unsafe" {
		t.Error("modes that Envoy does not tell are taken for safe")
	}
}

func TestRefusalsOfTheStream(t *testing.T) {
	for name, tc := range map[string]struct {
		messages []message
		want     string
	}{
		"too large by its own word": {[]message{inferHeaders(buffered, "content-length", "2000000")}, "body_too_large"},
		"two lengths":               {[]message{inferHeaders(buffered, "content-length", "3", "content-length", "4")}, "header_duplicate"},
		"no length":                 {[]message{inferHeaders(buffered, "content-length", "x")}, "header_invalid"},
		"Envoy's own 413":           {[]message{inferHeaders(buffered), responseHeaders("413", "request_payload_too_large", false)}, "body_too_large"},
		"Envoy's own 503":           {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("503", "no_healthy_upstream", false)}, "upstream_unreachable"},
		"answer before the body":    {[]message{inferHeaders(buffered), responseHeaders("200", "via_upstream", false)}, "response_unexpected"},
		"answer first":              {[]message{responseHeaders("200", "via_upstream", false)}, "response_unexpected"},
		"answer first, no proof":    {[]message{responseHeaders("200", "", false)}, "response_unexpected"},
		"a tunnel":                  {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("101", "via_upstream", false)}, "response_malformed"},
		"a redirect":                {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("302", "via_upstream", true)}, "response_malformed"},
		"a tunnel for metadata":     {[]message{liveHeaders, responseHeaders("101", "via_upstream", false)}, "response_malformed"},
		"an error without a body":   {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("500", "via_upstream", true)}, "upstream_error"},
		"answer too large":          {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false, "content-length", "2000000")}, "response_too_large"},
		"malformed answer":          {[]message{inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false), serverAnswer("{}")}, "response_malformed"},
	} {
		e, err := run(newServer(t), io.EOF, tc.messages...)
		if got := refusalOf(last(t, e)); got != tc.want {
			t.Errorf("%s: refused with %q, want %q", name, got, tc.want)
		}
		if i := last(t, e).GetImmediateResponse(); i.GetStatus().GetCode() < 400 || i.GetGrpcStatus().GetStatus() == 0 {
			t.Errorf("%s: status %v %v", name, i.GetStatus(), i.GetGrpcStatus())
		}
		if err != nil {
			t.Errorf("%s: Process = %v after a refusal", name, err)
		}
	}
}

// A gRPC client shows the body of the refusal as its status message.
func TestRefusalTakesTheFormOfTheProtocol(t *testing.T) {
	for path, form := range map[string]string{
		"/v2/repository/index":                       `{"error":"weir: route_denied: `,
		"/inference.GRPCInferenceService/ModelInfer": "weir: protocol_not_enabled: ",
	} {
		e, _ := run(newServer(t), io.EOF, requestHeaders(buffered, false, ":method", "POST", ":path", path))
		if body := string(last(t, e).GetImmediateResponse().GetBody()); !strings.HasPrefix(body, form) {
			t.Errorf("%s: body %q, want %q", path, body, form)
		}
	}
}

func TestLocalReplyOfAnUnseenRequestPasses(t *testing.T) {
	e, err := run(newServer(t), io.EOF, responseHeaders("400", "http1.codec_error", true))
	if err != nil || last(t, e).GetResponseHeaders() == nil {
		t.Errorf("%v %v, want it passed", last(t, e), err)
	}
}

func TestProcessEndsWithTheStream(t *testing.T) {
	gone := errors.New("gone")
	if _, err := run(newServer(t), gone, inferHeaders(buffered)); !errors.Is(err, gone) {
		t.Errorf("Process = %v, want the stream's error", err)
	}
}
