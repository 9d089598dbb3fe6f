//go:build e2e

package e2e

import (
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// forwarded is what Weir makes of a request: the reason of a refusal, or the
// headers and the body that go to the model server.
type forwarded struct {
	reason  string
	headers map[string]string
	body    string
}

// pastEnvoy hands a request to Weir itself, on its own socket, as an Envoy would
// that let everything pass. Headers are "name: value"; method, path and
// content-length are added where they are missing, unless one of them is empty.
func (s *stack) pastEnvoy(t *testing.T, body string, headers ...string) forwarded {
	t.Helper()
	connection, err := grpc.NewClient("unix://"+filepath.Join(s.opts.dir, "extproc.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	stream, err := extprocv3.NewExternalProcessorClient(connection).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
		t.Helper()
		if err := stream.Send(r); err != nil && err != io.EOF { // Recv has the status of a stream that is over
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	head := seenByEnvoy(body, headers)
	buffered := modev3.ProcessingMode_BUFFERED
	out := forwarded{headers: map[string]string{}}
	for _, h := range head.Headers {
		out.headers[h.Key] = string(h.RawValue)
	}
	answer := ask(&extprocv3.ProcessingRequest{
		ProtocolConfig: &extprocv3.ProtocolConfiguration{RequestBodyMode: buffered, ResponseBodyMode: buffered},
		Request:        &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{Headers: head, EndOfStream: body == ""}}})
	if out.apply(answer, answer.GetRequestHeaders().GetResponse()) {
		return out
	}
	answer = ask(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: true}}})
	common := answer.GetRequestBody().GetResponse()
	if !out.apply(answer, common) {
		out.body = string(common.GetBodyMutation().GetBody())
	}
	return out
}

// seenByEnvoy are the headers of a request as Envoy hands them over.
func seenByEnvoy(body string, headers []string) *corev3.HeaderMap {
	m, seen := &corev3.HeaderMap{}, map[string]bool{}
	add := func(name, value string) {
		m.Headers = append(m.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
		seen[name] = true
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		add(name, value)
	}
	for _, h := range [][2]string{{":method", "POST"}, {":path", echoInfer}, {":scheme", "http"}, {":authority", "h"},
		{"content-length", strconv.Itoa(len(body))}} {
		if !seen[h[0]] {
			add(h[0], h[1])
		}
	}
	return m
}

// apply does to the headers what an answer says, and reports whether it is a
// refusal.
func (f *forwarded) apply(answer *extprocv3.ProcessingResponse, common *extprocv3.CommonResponse) (refused bool) {
	if i := answer.GetImmediateResponse(); i != nil {
		f.reason = strings.TrimPrefix(i.Details, "weir_")
		return true
	}
	for _, name := range common.GetHeaderMutation().GetRemoveHeaders() {
		delete(f.headers, name)
	}
	for _, h := range common.GetHeaderMutation().GetSetHeaders() {
		f.headers[h.GetHeader().GetKey()] = string(h.GetHeader().GetRawValue())
	}
	return false
}
