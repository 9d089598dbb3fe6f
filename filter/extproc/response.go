package extproc

import (
	"net/http"
	"strconv"
	"strings"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
	"weir/filter/codec"
)

func (x *exchange) onResponseHead(h *extprocv3.HttpHeaders, m *extprocv3.ProcessingRequest) (answers, error) {
	x.response = headersOf(h.GetHeaders())
	value, _ := x.response.Get(":status")
	x.status, _ = strconv.Atoi(value)
	details, local := localReply(m)
	if x.phase == requestHead { // the stream begins here: nothing of it was seen
		x.phase = final
		if local {
			return x.build(onResponseHeaders, filter.Answer{Pass: true}), nil
		}
		x.tx = x.server.filter.Begin(x.ctx, x.head(nil, m))
		return x.build(onResponseHeaders, x.tx.Refuse(filter.Fault(filter.ResponseUnexpected, "the stream began with the answer"))), nil
	}
	if x.phase != requestBody && x.phase != responseHead {
		return nil, x.unexpected("response headers")
	}
	if local {
		x.status = localStatus(x.status, details)
	}
	end := h.GetEndOfStream()
	answer := x.tx.ResponseHead(x.status, x.response, local, end)
	if answer.Refusal == nil && x.tx.Infers() && x.duplex == nil {
		answer = x.admitResponse(answer)
	}
	x.phase = responseBody
	if end && answer.Refusal == nil && (answer.Pass || answer.Message != nil) {
		x.phase = final
	}
	if answer.Refusal == nil && x.tx.Infers() && x.tx.Flow() == codec.ServerStream {
		return x.hold() // the headers wait for what they are the headers of
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
	} else if x.tx.Flow() == codec.ServerStream {
		size = minBodyBytes // a stream takes what it needs, message by message
	}
	if !x.reserve(size) {
		return x.tx.Refuse(filter.Fault(filter.Overloaded, "too many bytes are in flight"))
	}
	return answer
}

func (x *exchange) onResponseBody(b *extprocv3.HttpBody) (answers, error) {
	switch {
	case x.reply != nil && x.reply.ended:
		return nil, nil
	case x.phase == final && (x.tx == nil || !x.tx.Infers()), // the body of a local reply that passed
		x.phase == responseBody && !x.tx.Infers():
		if b.GetEndOfStream() {
			x.phase = final
		}
		return answers{x.pass(b)}, nil
	case x.phase != responseBody:
		return nil, x.unexpected("response body")
	case x.duplex != nil:
		return x.duplex.response(b.GetBody(), b.GetEndOfStream())
	case x.reply != nil:
		return x.reply.body(b.GetBody(), b.GetEndOfStream())
	}
	x.phase = final
	if x.tx.Protocol() == codec.KServeGRPC {
		x.phase = responseTrailers
		if b.GetEndOfStream() {
			return x.build(onResponseBodies, x.tx.Refuse(noStatus())), nil
		}
	}
	return x.build(onResponseBodies, x.tx.ResponseBody(x.status, x.response, b.GetBody())), nil
}

// noStatus is the fault of an answer over gRPC that ends without trailers.
func noStatus() error {
	return codec.Refuse(codec.ResponseMalformed, "the answer ends without a status")
}

// pass lets a part of a body through that Weir does not judge. In a duplex stream
// nothing goes on that the filter does not say itself.
func (x *exchange) pass(b *extprocv3.HttpBody) *extprocv3.ProcessingResponse {
	if x.modes.GetResponseBodyMode() == modev3.ProcessingMode_FULL_DUPLEX_STREAMED {
		return streamed(onResponseBodies, b.GetBody(), b.GetEndOfStream())
	}
	return x.build(onResponseBodies, filter.Answer{Pass: true})[0]
}

// onResponseTrailers drops the trailers of an answer but for the status of gRPC,
// and refuses an answer to an inference that has trailers but no body.
func (x *exchange) onResponseTrailers(r *extprocv3.HttpTrailers) (answers, error) {
	var before answers
	switch {
	case x.reply != nil && x.reply.ended:
		return nil, nil
	case x.phase == responseBody && x.duplex != nil:
		return x.duplex.responseTrailers(r), nil
	case x.phase == responseBody && x.reply != nil:
		before = x.reply.end(false)
	case x.phase == responseBody && x.tx.Infers():
		return x.refuseTrailers(r)
	case x.phase == requestHead || x.phase == requestBody || x.phase == responseHead:
		return nil, x.unexpected("response trailers")
	}
	if x.refused {
		return before, nil
	}
	x.phase = final
	return append(before, responseTrailersAnswer(r, x.kept(r))), nil
}

// refuseTrailers ends an answer that has trailers but no body: over gRPC this is
// how an error may come, which goes on.
func (x *exchange) refuseTrailers(r *extprocv3.HttpTrailers) (answers, error) {
	answer := x.tx.ResponseHead(http.StatusOK, headersOf(r.GetTrailers()), false, true)
	return x.build(onResponseBodies, answer), nil
}

// kept are the trailers that a client gets.
func (x *exchange) kept(r *extprocv3.HttpTrailers) codec.Headers {
	if x.tx == nil {
		return nil
	}
	return x.tx.Trailers(headersOf(r.GetTrailers()))
}

// localReply returns the proof that Envoy made the response itself: its code
// details are there and are not those of an upstream's answer.
func localReply(m *extprocv3.ProcessingRequest) (details string, local bool) {
	details = attribute(m, "response.code_details")
	return details, details != "" && !strings.HasPrefix(details, "via_upstream")
}

// localStatus is the status that a local reply has over HTTP: to a gRPC client it
// comes with status 200, and only the details tell.
func localStatus(status int, details string) int {
	switch {
	case status != http.StatusOK:
		return status
	case details == "request_payload_too_large":
		return http.StatusRequestEntityTooLarge
	case details == "request_overall_timeout":
		return http.StatusRequestTimeout
	case strings.HasSuffix(details, "_timeout"): // of silence, of an exchange, of the client's own deadline
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable
}
