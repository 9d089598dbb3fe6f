package extproc

import (
	"context"
	"strconv"
	"strings"
	"time"

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

// phase is what an exchange waits for. In a bidirectional stream both directions
// go on at the same time, and the phase is that of the answer.
type phase uint8

const (
	requestHead phase = iota
	requestBody
	responseHead
	responseBody
	responseTrailers // of gRPC, which ends with them
	final
)

// exchange is one HTTP exchange on one ext_proc stream. One goroutine owns it.
type exchange struct {
	server   *Server
	stream   extprocv3.ExternalProcessor_ProcessServer
	ctx      context.Context
	tx       *filter.Transaction
	phase    phase
	modes    *extprocv3.ProtocolConfiguration
	reserved int64
	awaited  int64     // of reserved, while a large body has not come
	due      time.Time // when a body must have come; zero: none is awaited
	request  codec.Headers
	response codec.Headers
	status   int
	refused  bool    // Weir has ended the exchange
	duplex   *duplex // of a bidirectional stream
	reply    *reply  // of an answer that comes in pieces
}

// answers are what Weir says to one message: any number in a stream, else one.
// None answers nothing: messages that ask for no answer, and those after the end.
type answers []*extprocv3.ProcessingResponse

// step takes one message of Envoy's and returns the answers to it, or the last of
// them: those to the messages of a stream are said as soon as each is judged, so that
// no more than one waits in memory, however many come in a piece.
func (x *exchange) step(m *extprocv3.ProcessingRequest) (answers, error) {
	if c := m.GetProtocolConfig(); c != nil {
		x.modes = c
	}
	if x.refused {
		return nil, nil // what was under way when Weir ended the exchange
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

func (x *exchange) onRequestHead(h *extprocv3.HttpHeaders, m *extprocv3.ProcessingRequest) (answers, error) {
	if x.phase != requestHead {
		return nil, x.unexpected("request headers")
	}
	headers := headersOf(h.GetHeaders())
	x.request = headers
	x.tx = x.server.filter.Begin(x.ctx, x.head(headers, m))
	answer := x.tx.RequestHead(h.GetEndOfStream())
	if answer.Refusal == nil && x.tx.TakesBody() {
		answer = x.admit(answer)
	}
	switch {
	case answer.Refusal != nil:
	case answer.Pass:
		x.phase = responseHead
	case x.tx.Flow() == codec.Bidirectional:
		x.phase, x.duplex = responseHead, newDuplex(x)
	default:
		x.phase, x.due = requestBody, time.Now().Add(x.server.limits.BodyTimeout)
	}
	return x.build(onRequestHeaders, answer), nil
}

// bodyModes are the modes that an exchange with a body needs, by its flow.
var bodyModes = map[codec.Flow]struct {
	request, response modev3.ProcessingMode_BodySendMode
}{
	codec.Unary:         {modev3.ProcessingMode_BUFFERED, modev3.ProcessingMode_BUFFERED},
	codec.ServerStream:  {modev3.ProcessingMode_BUFFERED, modev3.ProcessingMode_FULL_DUPLEX_STREAMED},
	codec.Bidirectional: {modev3.ProcessingMode_FULL_DUPLEX_STREAMED, modev3.ProcessingMode_FULL_DUPLEX_STREAMED},
}

// admit refuses a request whose body, or whose answer's, would not reach Weir as
// its flow asks for, or for which there is no memory, before Envoy is told to go on.
func (x *exchange) admit(answer filter.Answer) filter.Answer {
	want := bodyModes[x.tx.Flow()]
	if x.modes == nil || x.modes.GetRequestBodyMode() != want.request || x.modes.GetResponseBodyMode() != want.response {
		return x.tx.Refuse(filter.Fault(filter.ProxyModeUnsafe, "body modes are not "+want.request.String()+" and "+want.response.String()))
	}
	if x.tx.Flow() == codec.Bidirectional {
		if !x.reserve(2 * minBodyBytes) {
			return x.tx.Refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
		}
		return answer
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

func (x *exchange) onRequestBody(b *extprocv3.HttpBody) (answers, error) {
	if x.duplex != nil {
		return x.duplex.request(b.GetBody(), b.GetEndOfStream())
	}
	// A BUFFERED body comes once; it has end_of_stream unless trailers follow.
	if x.phase != requestBody {
		return nil, x.unexpected("request body")
	}
	x.phase, x.due = responseHead, time.Time{}
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

// onRequestTrailers drops the trailers. Those that come while a body is still
// awaited mean that there is none: Envoy sends no body message for a request of
// headers and trailers alone, and would let the headers through.
func (x *exchange) onRequestTrailers(r *extprocv3.HttpTrailers) (answers, error) {
	switch {
	case x.duplex != nil:
		return x.duplex.requestTrailers(r)
	case x.phase == requestBody:
		return x.build(onRequestBodies, x.tx.Refuse(codec.Refuse(codec.BodyMissing, "an inference needs a body"))), nil
	case x.phase == requestHead:
		return nil, x.unexpected("request trailers")
	}
	return answers{requestTrailersAnswer(r)}, nil
}

// expired refuses an exchange whose body did not come in time. Envoy has a timer
// of its own for a whole request, but none for a message of a stream.
func (x *exchange) expired() answers {
	x.due = time.Time{}
	return x.build(onRequestBodies, x.tx.Refuse(filter.Fault(filter.BodyTimeout, "a body did not come in time")))
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
