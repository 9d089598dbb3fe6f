package extproc

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
	"weir/filter/codec"
	"weir/monitor/telemetry"
)

// phase is what an exchange waits for.
type phase uint8

const (
	requestHead phase = iota
	requestBody
	responseHead
	responseBody
	final
)

// exchange is one HTTP exchange on one ext_proc stream. One goroutine owns it.
type exchange struct {
	server   *Server
	ctx      context.Context
	tx       *filter.Transaction
	phase    phase
	modes    *extprocv3.ProtocolConfiguration
	reserved int64
	awaited  int64 // of reserved, while a large body has not come
	request  codec.Headers
	response codec.Headers
	status   int
}

// step takes one message of Envoy's and returns the answer to it. nil answers
// nothing: messages that ask for no answer, and those after the end.
func (x *exchange) step(m *extprocv3.ProcessingRequest) (*extprocv3.ProcessingResponse, error) {
	if c := m.GetProtocolConfig(); c != nil {
		x.modes = c
	}
	switch r := m.GetRequest().(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return x.onRequestHead(r.RequestHeaders, m)
	case *extprocv3.ProcessingRequest_RequestBody:
		return x.onRequestBody(r.RequestBody)
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return x.onResponseHead(r.ResponseHeaders, m)
	case *extprocv3.ProcessingRequest_ResponseBody:
		return x.onResponseBody(r.ResponseBody)
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return x.onRequestTrailers(r.RequestTrailers)
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return x.onResponseTrailers(r.ResponseTrailers)
	case nil: // side messages of newer Envoys carry no request
		return nil, nil
	default:
		return nil, status.Errorf(codes.Unimplemented, "weir: message %T is not known", r)
	}
}

func (x *exchange) onRequestHead(h *extprocv3.HttpHeaders, m *extprocv3.ProcessingRequest) (*extprocv3.ProcessingResponse, error) {
	if x.phase != requestHead {
		return nil, x.unexpected("request headers")
	}
	headers := headersOf(h.GetHeaders())
	x.request = headers
	x.tx = x.server.filter.Begin(x.ctx, x.head(headers, m))
	answer := x.tx.RequestHead(h.GetEndOfStream())
	if answer.Refusal == nil && x.tx.Infers() {
		answer = x.admit(answer)
	}
	x.phase = requestBody
	if answer.Pass {
		x.phase = responseHead
	}
	return x.build(onRequestHeaders, answer), nil
}

// admit refuses an inference whose body would not reach Weir whole, or for which
// there is no memory, before Envoy is told to go on.
func (x *exchange) admit(answer filter.Answer) filter.Answer {
	buffered := modev3.ProcessingMode_BUFFERED
	if x.modes == nil || x.modes.GetRequestBodyMode() != buffered || x.modes.GetResponseBodyMode() != buffered {
		return x.tx.Refuse(filter.Fault(filter.ProxyModeUnsafe, "body modes are not BUFFERED both ways"))
	}
	size := x.server.limits.MaxBodyBytes
	if value, lines := x.request.Get("content-length"); lines == 1 {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return x.tx.Refuse(codec.Refuse(codec.HeaderInvalid, "content-length is not a number"))
		}
		if n > size {
			return x.tx.Refuse(codec.Refuse(codec.BodyTooLarge, "the body is larger than the limit"))
		}
		size = n
	} else if lines > 1 {
		return x.tx.Refuse(codec.Refuse(codec.HeaderDuplicate, "content-length came twice"))
	}
	if !x.await(size) || !x.reserve(size) {
		return x.tx.Refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
	}
	return answer
}

func (x *exchange) onRequestBody(b *extprocv3.HttpBody) (*extprocv3.ProcessingResponse, error) {
	// A BUFFERED body comes once; it has end_of_stream unless trailers follow.
	if x.phase != requestBody {
		return nil, x.unexpected("request body")
	}
	x.phase = responseHead
	x.arrived()
	answer := x.tx.RequestBody(b.GetBody())
	// Inflated, in binary form or sanitised, a request may be larger than it came.
	// What is too much is given back last, or those who wait would take it.
	size := int64(max(len(b.GetBody()), minBodyBytes))
	if m := answer.Message; m != nil {
		size = max(size, int64(len(m.Body)))
		if !x.grow(size) {
			answer = x.tx.Refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
		}
	}
	x.shrink(size)
	return x.build(onRequestBodies, answer), nil
}

func (x *exchange) onResponseHead(h *extprocv3.HttpHeaders, m *extprocv3.ProcessingRequest) (*extprocv3.ProcessingResponse, error) {
	local := isLocalReply(m)
	if x.phase == requestHead { // the stream begins here: nothing of it was seen
		x.phase = final
		if local {
			return x.build(onResponseHeaders, filter.Answer{Pass: true}), nil
		}
		x.tx = x.server.filter.Begin(x.ctx, x.head(nil, m))
		return x.build(onResponseHeaders, x.tx.Refuse(filter.Fault(filter.ResponseUnexpected, "the stream began with the answer"))), nil
	}
	if x.phase == responseBody || x.phase == final {
		return nil, x.unexpected("response headers")
	}
	x.response = headersOf(h.GetHeaders())
	value, _ := x.response.Get(":status")
	x.status, _ = strconv.Atoi(value)
	answer := x.tx.ResponseHead(x.status, local, h.GetEndOfStream())
	if answer.Refusal == nil && x.tx.Infers() {
		answer = x.admitResponse(answer)
	}
	x.phase = responseBody
	if answer.Pass && h.GetEndOfStream() {
		x.phase = final
	}
	return x.build(onResponseHeaders, answer), nil
}

// admitResponse refuses an answer that says itself to be too large, or for which
// there is no memory, before Envoy is told to send it. The request is gone by
// now, and so is what was reserved for it: an exchange that waited for more while
// it held some could wait for others that do the same.
func (x *exchange) admitResponse(answer filter.Answer) filter.Answer {
	x.release()
	size := x.server.limits.MaxBodyBytes
	value, lines := x.response.Get("content-length")
	if n, err := strconv.ParseInt(value, 10, 64); lines == 1 && err == nil && n >= 0 {
		if n > size {
			return x.tx.Refuse(codec.Refuse(codec.ResponseTooLarge, "the answer is larger than the limit"))
		}
		size = n
	}
	if !x.reserve(size) {
		return x.tx.Refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
	}
	return answer
}

func (x *exchange) onResponseBody(b *extprocv3.HttpBody) (*extprocv3.ProcessingResponse, error) {
	if x.phase == final && (x.tx == nil || !x.tx.Infers()) { // the body of a local reply that passed
		return x.build(onResponseBodies, filter.Answer{Pass: true}), nil
	}
	if x.phase != responseBody {
		return nil, x.unexpected("response body")
	}
	x.phase = final
	if !x.tx.Infers() {
		return x.build(onResponseBodies, filter.Answer{Pass: true}), nil
	}
	return x.build(onResponseBodies, x.tx.ResponseBody(x.status, x.response, b.GetBody())), nil
}

// onRequestTrailers drops the trailers. Those that come while a body is still
// awaited mean that there is none: Envoy sends no body message for a request of
// headers and trailers alone, and would let the headers through.
func (x *exchange) onRequestTrailers(r *extprocv3.HttpTrailers) (*extprocv3.ProcessingResponse, error) {
	switch x.phase {
	case requestBody:
		return x.build(onRequestBodies, x.tx.Refuse(codec.Refuse(codec.BodyMissing, "an inference needs a body"))), nil
	case requestHead:
		return nil, x.unexpected("request trailers")
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{
		RequestTrailers: &extprocv3.TrailersResponse{HeaderMutation: dropped(r)}}}, nil
}

// onResponseTrailers drops the trailers of an answer, and refuses an answer to
// an inference that has trailers but no body.
func (x *exchange) onResponseTrailers(r *extprocv3.HttpTrailers) (*extprocv3.ProcessingResponse, error) {
	switch {
	case x.phase == responseBody && x.tx.Infers():
		return x.build(onResponseBodies, x.tx.Refuse(codec.Refuse(codec.ResponseMalformed, "the answer has no body"))), nil
	case x.phase == responseBody:
		x.phase = final
	case x.phase != final:
		return nil, x.unexpected("response trailers")
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{
		ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: dropped(r)}}}, nil
}

// unexpected ends the stream with an error, which Envoy turns into a 500: a
// message out of order means that Weir's view of the exchange is not Envoy's.
func (x *exchange) unexpected(what string) error {
	return status.Errorf(codes.FailedPrecondition, "weir: %s out of order", what)
}

func (x *exchange) head(headers codec.Headers, m *extprocv3.ProcessingRequest) filter.Head {
	method, _ := headers.Get(":method")
	path, _ := headers.Get(":path")
	trace := telemetry.ExchangeStart{}
	trace.RequestID, _ = headers.Get("x-request-id")
	if id := attribute(m, "request.id"); id != "" {
		trace.RequestID = id
	}
	trace.HTTPTraceparent, _ = headers.Get("traceparent")
	trace.HTTPTracestate, _ = headers.Get("tracestate")
	if md, ok := metadata.FromIncomingContext(x.ctx); ok {
		trace.GRPCTraceparent = first(md.Get("traceparent"))
		trace.GRPCTracestate = first(md.Get("tracestate"))
	}
	return filter.Head{Method: method, Path: path, Headers: headers, Trace: trace}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// attributesKey is where Envoy puts the attributes that the filter asked for.
const attributesKey = "envoy.filters.http.ext_proc"

func attribute(m *extprocv3.ProcessingRequest, name string) string {
	return m.GetAttributes()[attributesKey].GetFields()[name].GetStringValue()
}

// isLocalReply reports whether the attributes prove that Envoy made the response
// itself: its code details are there and are not those of an upstream's answer.
func isLocalReply(m *extprocv3.ProcessingRequest) bool {
	details := attribute(m, "response.code_details")
	return details != "" && !strings.HasPrefix(details, "via_upstream")
}

// headersOf copies the headers of a message, names in lower case as HTTP/2 has
// them; Envoy puts values into raw_value.
func headersOf(m *corev3.HeaderMap) codec.Headers {
	headers := make(codec.Headers, 0, len(m.GetHeaders()))
	for _, h := range m.GetHeaders() {
		value := string(h.GetRawValue())
		if value == "" {
			value = h.GetValue()
		}
		headers = append(headers, codec.Header{Name: strings.ToLower(h.GetKey()), Value: value})
	}
	return headers
}
