package filter

import (
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"

	"weir/filter/codec"
	"weir/monitor/telemetry"
)

// The fields that end a gRPC call (the gRPC protocol over HTTP/2: Trailers).
const (
	grpcStatus  = "grpc-status"
	grpcMessage = "grpc-message"
)

// grpcHead judges the head of an answer over gRPC. One that has an end is the
// whole answer, an error; every other has its status in the trailers.
func (t *Transaction) grpcHead(status int, headers codec.Headers, end bool) Answer {
	value, lines := headers.Get(grpcStatus)
	switch {
	case status != http.StatusOK:
		return t.Refuse(codec.Refuse(codec.ResponseMalformed, "no answer over gRPC has status %d", status))
	case end == (lines == 0):
		return t.Refuse(codec.Refuse(codec.ResponseMalformed, "an answer without a body has a grpc-status, every other has none"))
	case !end && t.Flow() == codec.Bidirectional:
		return Answer{Message: grpcHeaders(), Mark: t.headers("", "")}
	case !end && t.Infers():
		return Answer{}
	case !end:
		return Answer{Pass: true}
	}
	code, ok := grpcCode(value)
	if ok && code == codes.OK && t.Flow() == codec.Bidirectional { // a stream without a message
		return Answer{Message: grpcHeaders(codec.Header{Name: grpcStatus, Value: "0"}), Mark: t.headers("", "")}
	}
	if !ok || code == codes.OK {
		return t.Refuse(codec.Refuse(codec.ResponseMalformed, "the answer has no message and no error"))
	}
	message, _ := headers.Get(grpcMessage)
	return t.grpcError(code, message)
}

// grpcHeaders are the headers of an answer over gRPC, for the client.
func grpcHeaders(more ...codec.Header) *codec.Message {
	return &codec.Message{Headers: append(codec.Headers{{Name: "content-type", Value: "application/grpc"}}, more...)}
}

// grpcError hands on an error of the model server: its code stays, of its message
// only what reads as text.
func (t *Transaction) grpcError(code codes.Code, message string) Answer {
	t.failed(http.StatusOK)
	status := UpstreamError.Status()
	status.GRPC = code
	return Answer{Refusal: &Refusal{Reason: UpstreamError, Status: status, Message: readable(decodePercent(message)),
		Headers: t.headers("", string(UpstreamError))}, Facts: t.factsOf("error", string(UpstreamError))}
}

// failed records that the model server answered with an error.
func (t *Transaction) failed(status int) {
	t.outcome.Decision, t.outcome.Reason = telemetry.DecisionError, string(UpstreamError)
	t.outcome.Status, t.outcome.ErrorType = status, string(UpstreamError)
}

// Trailers returns what a client gets of the trailers of an answer: over gRPC its
// status, and of its message what reads as text; else nothing.
func (t *Transaction) Trailers(trailers codec.Headers) codec.Headers {
	if t.route.Protocol != codec.KServeGRPC {
		return nil
	}
	value, lines := trailers.Get(grpcStatus)
	code, ok := grpcCode(value)
	if lines != 1 || !ok {
		code = codes.Internal
	}
	if code == codes.OK {
		return codec.Headers{{Name: grpcStatus, Value: "0"}}
	}
	t.failed(http.StatusOK)
	message, _ := trailers.Get(grpcMessage)
	return grpcTrailers(code, readable(decodePercent(message)))
}

// Trailers say a refusal at the end of a gRPC call whose answer has begun.
func (r *Refusal) Trailers() codec.Headers { return grpcTrailers(r.Status.GRPC, r.Message) }

// grpcTrailers end a gRPC call by an error.
func grpcTrailers(code codes.Code, message string) codec.Headers {
	return codec.Headers{{Name: grpcStatus, Value: strconv.Itoa(int(code))}, {Name: grpcMessage, Value: encodePercent(message)}}
}

// grpcCode reads a grpc-status: a number of the closed list.
func grpcCode(value string) (codes.Code, bool) {
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil || n > uint64(codes.Unauthenticated) || strconv.FormatUint(n, 10) != value {
		return codes.Internal, false
	}
	return codes.Code(n), true
}

// decodePercent decodes a grpc-message; what is not an escape stays as it is, as
// the protocol asks for.
func decodePercent(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// encodePercent encodes a grpc-message: all but printable ASCII, and "%".
func encodePercent(s string) string {
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}
