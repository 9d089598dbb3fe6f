package extproc

import (
	"regexp"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"weir/filter"
	"weir/filter/codec"
)

// slot is the message that an answer answers; Envoy takes an answer of the same
// type only.
type slot uint8

const (
	onRequestHeaders slot = iota
	onRequestBodies
	onResponseHeaders
	onResponseBodies
)

// metadataNamespace is where the facts of a verdict go in dynamic metadata.
const metadataNamespace = "weir"

// build makes the answer to a message, in a body mode that admit has checked: the
// replacement of a BUFFERED body is the `body` of a body mutation. Pieces of a
// duplex stream are made by streamed.
func (x *exchange) build(s slot, a filter.Answer) answers {
	if a.Refusal != nil {
		x.phase, x.refused = final, true
		return withFacts(answers{{Response: &extprocv3.ProcessingResponse_ImmediateResponse{
			ImmediateResponse: immediate(x.tx.Protocol(), a.Refusal)}}}, a.Facts)
	}
	common := &extprocv3.CommonResponse{HeaderMutation: x.mutation(s, a)}
	if a.Message != nil && (s == onRequestBodies || s == onResponseBodies) {
		common.BodyMutation = &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: a.Message.Body}}
	}
	return withFacts(answers{respond(s, common)}, a.Facts)
}

// respond wraps what is said in the message that answers a slot.
func respond(s slot, common *extprocv3.CommonResponse) *extprocv3.ProcessingResponse {
	response := &extprocv3.ProcessingResponse{}
	switch s {
	case onRequestHeaders:
		response.Response = &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{Response: common}}
	case onRequestBodies:
		response.Response = &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{Response: common}}
	case onResponseHeaders:
		response.Response = &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{Response: common}}
	case onResponseBodies:
		response.Response = &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{Response: common}}
	}
	return response
}

// immediate is a refusal as Envoy sends it to the client. For a gRPC client Envoy
// makes a trailers-only response of it, with the body as the status message.
func immediate(p codec.Protocol, r *filter.Refusal) *extprocv3.ImmediateResponse {
	headers, body := &extprocv3.HeaderMutation{}, r.ErrorBody()
	set(headers, r.Headers)
	if p == codec.KServeGRPC {
		body = []byte(r.Message)
	} else {
		set(headers, codec.Headers{{Name: "content-type", Value: "application/json"}})
	}
	return &extprocv3.ImmediateResponse{
		Status:     &typev3.HttpStatus{Code: typev3.StatusCode(r.Status.HTTP)},
		Headers:    headers,
		Body:       body,
		GrpcStatus: &extprocv3.GrpcStatus{Status: uint32(r.Status.GRPC)},
		Details:    "weir_" + string(r.Reason),
	}
}

// upstreamHeaders are the request headers of a client that the model server gets,
// and content-length, which Envoy holds against the body until Weir sets it anew.
// Pseudo-headers and what Envoy owns are not Weir's to remove.
var upstreamHeaders = map[string]bool{
	"host": true, "traceparent": true, "x-request-id": true, "content-length": true,
}

// identifiers are the forms of those headers that hold an identifier: a W3C trace
// context of version 00, and a request id as Envoy makes it, which takes over the
// client's where it trusts it. Of such values there is nothing to judge; whatever
// else stands there is the client's own text, which the model server does not get.
var identifiers = map[string]*regexp.Regexp{
	"traceparent":  regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`),
	"x-request-id": regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`),
}

// keeps reports whether a header of a request goes on to the model server.
func keeps(h codec.Header) bool {
	form := identifiers[h.Name]
	return upstreamHeaders[h.Name] && (form == nil || form.MatchString(h.Value))
}

// returns reports whether a response header of the model server goes on to the
// client with an answer that Weir wrote.
func returns(h codec.Header) bool { return h.Name == "date" }

// mutation sets the headers of the message that Weir wrote and removes all those
// of the other side that are not on the list of the direction. Those of a request
// go with the answer to its head, so that they are gone whatever follows it.
func (x *exchange) mutation(s slot, a filter.Answer) *extprocv3.HeaderMutation {
	m := &extprocv3.HeaderMutation{}
	switch {
	case s == onRequestHeaders:
		remove(m, x.request, keeps, a.Headers)
	case (s == onResponseBodies || s == onResponseHeaders) && a.Message != nil:
		remove(m, x.response, returns, a.Message.Headers)
	}
	if a.Path != "" {
		set(m, codec.Headers{{Name: ":path", Value: a.Path}})
	}
	set(m, a.Headers)
	if a.Message != nil {
		set(m, a.Message.Headers)
	}
	set(m, a.Mark)
	return m
}

func set(m *extprocv3.HeaderMutation, headers codec.Headers) {
	for _, h := range headers {
		m.SetHeaders = append(m.SetHeaders, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.Name, RawValue: []byte(h.Value)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
}

// remove takes out the headers that do not stay, but for those that are set anew,
// which overwrites every line of them.
func remove(m *extprocv3.HeaderMutation, from codec.Headers, keep func(codec.Header) bool, anew codec.Headers) {
	seen := map[string]bool{}
	for _, h := range from {
		if h.Name == "" || h.Name[0] == ':' || keep(h) || seen[h.Name] {
			continue
		}
		seen[h.Name] = true
		if _, lines := anew.Get(h.Name); lines == 0 {
			m.RemoveHeaders = append(m.RemoveHeaders, h.Name)
		}
	}
}

func nothing(codec.Header) bool { return false }

// requestTrailersAnswer removes all trailers: none is of a protocol that Weir speaks.
func requestTrailersAnswer(r *extprocv3.HttpTrailers) *extprocv3.ProcessingResponse {
	m := &extprocv3.HeaderMutation{}
	remove(m, headersOf(r.GetTrailers()), nothing, nil)
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{
		RequestTrailers: &extprocv3.TrailersResponse{HeaderMutation: m}}}
}

// responseTrailersAnswer replaces the trailers by those that a client gets.
func responseTrailersAnswer(r *extprocv3.HttpTrailers, kept codec.Headers) *extprocv3.ProcessingResponse {
	m := &extprocv3.HeaderMutation{}
	remove(m, headersOf(r.GetTrailers()), nothing, kept)
	set(m, kept)
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{
		ResponseTrailers: &extprocv3.TrailersResponse{HeaderMutation: m}}}
}

// facts are the verdict as dynamic metadata, for Envoy's access log and filters.
func facts(values map[string]string) *structpb.Struct {
	if len(values) == 0 {
		return nil
	}
	fields := make(map[string]*structpb.Value, len(values))
	for k, v := range values {
		fields[k] = structpb.NewStringValue(v)
	}
	return &structpb.Struct{Fields: map[string]*structpb.Value{
		metadataNamespace: structpb.NewStructValue(&structpb.Struct{Fields: fields})}}
}
