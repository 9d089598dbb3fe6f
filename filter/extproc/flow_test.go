package extproc

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// spoken is a codec of a protocol that a test can write by hand. A request is the
// text of the input T; an answer is "id text", "id error text" or "id final".
type spoken struct{ framed bool }

func (c spoken) frame(text string) []byte {
	if !c.framed {
		return []byte("data: " + text + "\n\n")
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

func (c spoken) text(message []byte) string {
	if !c.framed {
		return strings.TrimSuffix(strings.TrimPrefix(string(message), "data: "), "\n\n")
	}
	return string(message[5:])
}

func (c spoken) DecodeHead(codec.Route, codec.Headers) (codec.Headers, error) {
	if !c.framed {
		return nil, nil
	}
	return codec.Headers{{Name: "te", Value: "trailers"}}, nil
}

func (c spoken) DecodeRequest(route codec.Route, _ codec.Headers, body []byte) (*codec.Request, error) {
	text := string(body)
	if c.framed {
		text = c.text(body)
	}
	if strings.HasPrefix(text, "{") {
		return nil, codec.Refuse(codec.JSONMalformed, "not spoken")
	}
	return &codec.Request{Operation: route.Operation, Model: "m", ID: text, Stream: route.Operation == codec.GenerateStream,
		Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "T", DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, []byte(text))}}}}, nil
}

func (c spoken) BindRequest(r *codec.Request, s *codec.Signature) error {
	r.Signature = s
	return nil
}

func (c spoken) EncodeRequest(r *codec.Request, _ []string) (*codec.Message, error) {
	return &codec.Message{Body: c.frame(r.ID + " " + string(r.Inputs[0].Data[4:]))}, nil
}

func (c spoken) DecodeResponse(_ *codec.Request, _ codec.Headers, body []byte) (*codec.Response, error) {
	id, text, ok := strings.Cut(c.text(body), " ")
	if !ok {
		return nil, codec.Refuse(codec.ResponseMalformed, "not spoken")
	}
	r := &codec.Response{Model: "m", Version: "1", ID: id, Anonymous: !c.framed, Extra: text, Final: text == "final"}
	r.Error, _ = strings.CutPrefix(text, "error ")
	if r.Error == text {
		r.Error = ""
	}
	return r, nil
}

func (c spoken) EncodeResponse(request *codec.Request, r *codec.Response) (*codec.Message, error) {
	switch {
	case r.Error != "":
		return &codec.Message{Body: c.EncodeError(request, r.Error)}, nil
	case r.Final:
		return &codec.Message{}, nil
	}
	return &codec.Message{Body: c.frame(request.ID + " " + r.Extra.(string))}, nil
}

func (c spoken) EncodeError(r *codec.Request, text string) []byte {
	return c.frame(r.ID + " error " + text)
}

func (c spoken) DecodeQuery(*codec.Route, codec.Headers, []byte) (*codec.Message, error) {
	return &codec.Message{Body: c.frame("query")}, nil
}

func (spoken) MaxTensorBytes() int        { return 1 << 20 }
func (spoken) Path(*codec.Request) string { return "/upstream" }

// speaking is a server of the spoken protocols.
func speaking(t testing.TB) *Server {
	s := newServer(t)
	runtime := *s.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.KServeGRPC: spoken{framed: true}, codec.KServeHTTP: spoken{}}
	s.filter.Use(&runtime)
	return s
}

func modes(request, response modev3.ProcessingMode_BodySendMode) *extprocv3.ProtocolConfiguration {
	return &extprocv3.ProtocolConfiguration{RequestBodyMode: request, ResponseBodyMode: response}
}

const duplexMode, bufferedMode = modev3.ProcessingMode_FULL_DUPLEX_STREAMED, modev3.ProcessingMode_BUFFERED

func streamHead(modes *extprocv3.ProtocolConfiguration) message {
	return requestHeaders(modes, false, ":method", "POST", ":path", "/inference.GRPCInferenceService/ModelStreamInfer",
		"content-type", "application/grpc", "te", "trailers", "x-secret", "s")
}

func eventsHead(modes *extprocv3.ProtocolConfiguration) message {
	return requestHeaders(modes, false, ":method", "POST", ":path", "/v2/models/m/generate_stream")
}

func responseBodyOf(text string, end bool) message {
	return func(e *envoy) *extprocv3.ProcessingRequest {
		for id, name := range e.names() {
			text = strings.ReplaceAll(text, "<"+name+">", id)
		}
		return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
			ResponseBody: &extprocv3.HttpBody{Body: []byte(text), EndOfStream: end}}}
	}
}

// framed is a message of the client's, or of the model server's for the request of
// a name: "<name> text".
func framed(text string) string { return string(spoken{framed: true}.frame(text)) }

// answerTo is a piece of the model server's answer, with the id of the request that
// was sent upstream with this text.
func answerTo(name, text string) message {
	return func(e *envoy) *extprocv3.ProcessingRequest {
		for id, sent := range e.names() {
			if sent == name {
				return responseBodyOf(framed(id+" "+text), false)(e)
			}
		}
		return responseBodyOf(framed("nobody "+text), false)(e)
	}
}

// names are the texts that went upstream, by the ids that they went with.
func (e *envoy) names() map[string]string {
	names := map[string]string{}
	rest := []byte(e.upstream())
	for len(rest) >= 5 && rest[0] == 0 { // framed
		n := int(binary.BigEndian.Uint32(rest[1:]))
		id, text, _ := strings.Cut(string(rest[5:5+n]), " ")
		names[id] = text
		rest = rest[5+n:]
	}
	return names
}

// upstream is all that was sent on.
func (e *envoy) upstream() string {
	var all bytes.Buffer
	for _, r := range e.sent {
		body := r.GetRequestBody().GetResponse().GetBodyMutation()
		all.Write(append(body.GetBody(), body.GetStreamedResponse().GetBody()...))
	}
	return all.String()
}

// client is what the client got of a streamed answer: its pieces, and "end".
func (e *envoy) client() (said []string) {
	for _, r := range e.sent {
		switch body := r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse(); {
		case r.GetResponseHeaders() != nil:
			said = append(said, "headers")
		case r.GetImmediateResponse() != nil:
			said = append(said, "refused "+refusalOf(r))
		case r.GetResponseTrailers() != nil:
			said = append(said, "trailers")
		case body != nil:
			text := strings.TrimSuffix(strings.TrimPrefix(string(body.GetBody()), "data: "), "\n\n")
			if len(text) >= 5 && text[0] == 0 {
				text = text[5:]
			}
			if i := strings.Index(text, " (decision"); i > 0 {
				text = text[:i]
			}
			if body.GetEndOfStream() {
				text += " end"
			}
			said = append(said, text)
		}
	}
	return said
}

func wantClient(t *testing.T, e *envoy, want ...string) {
	t.Helper()
	if got := strings.Join(e.client(), " | "); got != strings.Join(want, " | ") {
		t.Errorf("the client got %q, want %q", got, strings.Join(want, " | "))
	}
}

var ok = responseHeaders("200", "via_upstream", false, "content-type", "application/grpc")

func grpcTrailers(*envoy) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseTrailers{
		ResponseTrailers: &extprocv3.HttpTrailers{Trailers: headerMap("grpc-status", "0", "x-other", "x")}}}
}

func TestBidirectionalStream(t *testing.T) {
	e, err := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)),
		requestBodyOf(framed("a\u200b1")+framed("a2")[:3], false), requestBodyOf(framed("a2")[3:], false),
		ok, answerTo("a2", "x"), answerTo("a1", "y"), answerTo("a2", "final"),
		requestBodyOf("", true), requestBodyOf("", true), answerTo("a1", "error \u200bno"), answerTo("a1", "final"), grpcTrailers)
	if err != nil {
		t.Fatal(err)
	}
	if names := e.names(); len(names) != 2 {
		t.Errorf("upstream got %v", names)
	}
	for id, name := range e.names() {
		if len(id) != 26 || name != "a1" && name != "a2" {
			t.Errorf("upstream got %q under the id %q", name, id)
		}
	}
	wantClient(t, e, "headers", "a2 x", "a\u200b1 y", "a\u200b1 error no", "trailers")
}

func TestRefusedMessageOfAStream(t *testing.T) {
	t.Run("before the answer begins", func(t *testing.T) {
		e, err := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false),
			requestBodyOf(framed("{")+framed("b"), false), requestBodyOf(framed("c"), false))
		if err != nil {
			t.Error(err)
		}
		wantClient(t, e, "refused json_malformed")
		if names := e.names(); len(names) != 1 {
			t.Errorf("after the refusal upstream got %v", names)
		}
	})
	t.Run("between the headers and the first piece", func(t *testing.T) {
		e, _ := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false), ok,
			requestBodyOf(framed("{"), false), answerTo("a", "x"), requestBodyOf(framed("["), true), grpcTrailers)
		wantClient(t, e, "headers", " error weir: json_malformed: not spoken", "a x", "trailers")
	})
	t.Run("and there is no piece", func(t *testing.T) {
		e, err := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)), ok, requestBodyOf(framed("{"), false), grpcTrailers)
		if err != nil {
			t.Error(err)
		}
		wantClient(t, e, "headers", "trailers")
		set := map[string]string{}
		for _, h := range last(t, e).GetResponseTrailers().GetHeaderMutation().GetSetHeaders() {
			set[h.GetHeader().GetKey()] = string(h.GetHeader().GetRawValue())
		}
		if set["grpc-status"] != "3" || !strings.HasPrefix(set["grpc-message"], "weir: json_malformed: not spoken (decision ") {
			t.Errorf("the call ends with %v", set)
		}
	})
	t.Run("after it", func(t *testing.T) {
		e, _ := run(speaking(t), io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false), ok,
			answerTo("a", "x"), requestBodyOf(framed("{"), false), requestBodyOf(framed("b"), true), grpcTrailers)
		wantClient(t, e, "headers", "a x", " error weir: json_malformed: not spoken", "trailers")
	})
}

func TestStreamsThatBreak(t *testing.T) {
	head, a := streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false)
	many := requestBodyOf(framed("1")+framed("2")+framed("3")+framed("4")+framed("5"), false)
	for name, tc := range map[string]struct {
		messages []message
		want     string
	}{
		"answer to nobody":          {[]message{head, a, ok, answerTo("b", "x")}, "headers | refused response_malformed"},
		"answer that does not read": {[]message{head, a, ok, responseBodyOf(framed("x"), false)}, "headers | refused response_malformed"},
		"answer too large":          {[]message{head, a, ok, responseBodyOf("\x00\x7f\xff\xff\xff", false)}, "headers | refused response_too_large"},
		"answer cut short":          {[]message{head, a, ok, responseBodyOf("\x00\x00", false), grpcTrailers}, "headers | refused response_malformed"},
		"no trailers":               {[]message{head, a, ok, answerTo("a", "x"), responseBodyOf("", true)}, "headers | a x | refused response_malformed"},
		"ends within a message":     {[]message{head, requestBodyOf(framed("abc")[:7], true)}, "refused message_malformed"},
		"flag":                      {[]message{head, requestBodyOf("\x02\x00\x00\x00\x00", false)}, "refused message_malformed"},
		"too large":                 {[]message{head, requestBodyOf("\x00\x7f\xff\xff\xff", false)}, "refused body_too_large"},
		"too many wait":             {[]message{head, many}, "refused overloaded"},
		"its own deadline":          {[]message{head, a, responseHeaders("200", "max_duration_timeout", true, "grpc-status", "4")}, "refused upstream_timeout"},
		"only an error": {[]message{head, a, responseHeaders("200", "via_upstream", true, "grpc-status", "13", "grpc-message", "a%E2%80%8Bb")},
			"refused upstream_error"},
		"nothing": {[]message{head, requestBodyOf("", true), responseHeaders("200", "via_upstream", true, "grpc-status", "0")}, "headers"},
	} {
		e, err := run(speaking(t), io.EOF, tc.messages...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(e.client(), " | "); got != tc.want {
			t.Errorf("%s: the client got %q, want %q", name, got, tc.want)
		}
	}
}

// Every message of a stream is judged under the configuration of its moment.
func TestReloadWithinAStream(t *testing.T) {
	s := speaking(t)
	closed := func(next message) message {
		return func(e *envoy) *extprocv3.ProcessingRequest {
			runtime := *s.filter.Runtime()
			runtime.Codecs = codec.Codecs{}
			s.filter.Use(&runtime)
			return next(e)
		}
	}
	e, _ := run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false),
		closed(requestBodyOf(framed("b"), false)))
	wantClient(t, e, "refused protocol_not_enabled")
	if len(e.names()) != 1 {
		t.Errorf("upstream got %v", e.names())
	}
}

func TestSlowMessageOfAStream(t *testing.T) {
	s := speaking(t)
	s.limits.BodyTimeout = time.Millisecond
	answered := func(e *envoy) *extprocv3.ProcessingRequest {
		<-e.told // the head
		<-e.told
		return &extprocv3.ProcessingRequest{}
	}
	e, err := run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a")[:4], false), answered)
	if err != nil {
		t.Error(err)
	}
	wantClient(t, e, "refused body_timeout")
}

func TestStreamOfEvents(t *testing.T) {
	head := eventsHead(modes(bufferedMode, duplexMode))
	events := responseHeaders("200", "via_upstream", false, "content-type", "text/event-stream", "x-model", "m")
	event := func(text string) string { return string(spoken{}.frame(text)) }
	for name, tc := range map[string]struct {
		messages []message
		want     string
	}{
		"events": {[]message{events, responseBodyOf(event("1 a")+event("1 b")[:5], false),
			responseBodyOf(event("1 b")[5:]+event("1 final"), false), responseBodyOf("", true)}, "headers | a a | a b |  end"},
		"an error in it":       {[]message{events, responseBodyOf(event("1 a")+event("1 error no"), true)}, "headers | a a | a error no |  end"},
		"first one malformed":  {[]message{events, responseBodyOf(event("x")+event("1 a"), true)}, "refused response_malformed"},
		"second one malformed": {[]message{events, responseBodyOf(event("1 a")+event("x"), false), responseBodyOf(event("1 b"), true)}, "headers | a a | a error weir: response_malformed: the model server's answer is not valid end"},
		"ends within an event": {[]message{events, responseBodyOf(event("1 a")+"data", true)}, "headers | a a | a error weir: response_malformed: the model server's answer is not valid end"},
		"no event":             {[]message{events, responseBodyOf("", true)}, "refused response_malformed"},
		"not events":           {[]message{responseHeaders("200", "via_upstream", false, "content-type", "text/plain")}, "refused response_malformed"},
		"an error instead": {[]message{responseHeaders("400", "via_upstream", false, "content-type", "application/json"),
			responseBodyOf(`{"error":`, false), responseBodyOf(`"no"}`, true)}, `headers | {"error":"no"} end`},
		"Envoy's own": {[]message{responseHeaders("503", "no_healthy_upstream", false)}, "refused upstream_unreachable"},
		"silence":     {[]message{responseHeaders("504", "stream_idle_timeout", false)}, "refused upstream_timeout"},
	} {
		e, err := run(speaking(t), io.EOF, append([]message{head, requestBodyOf("a", true)}, tc.messages...)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(e.client(), " | "); got != tc.want {
			t.Errorf("%s: the client got %q, want %q", name, got, tc.want)
		}
	}
}

// Each flow is refused at the head unless Envoy reports just its modes.
func TestModesOfFlows(t *testing.T) {
	s := speaking(t)
	for name, flow := range map[string]struct {
		head              func(*extprocv3.ProtocolConfiguration) message
		request, response modev3.ProcessingMode_BodySendMode
	}{
		"unary":         {func(m *extprocv3.ProtocolConfiguration) message { return inferHeaders(m) }, bufferedMode, bufferedMode},
		"events":        {eventsHead, bufferedMode, duplexMode},
		"bidirectional": {streamHead, duplexMode, duplexMode},
	} {
		for request := range modev3.ProcessingMode_BodySendMode_name {
			for response := range modev3.ProcessingMode_BodySendMode_name {
				m := modes(modev3.ProcessingMode_BodySendMode(request), modev3.ProcessingMode_BodySendMode(response))
				e, _ := run(s, io.EOF, flow.head(m))
				fits := m.GetRequestBodyMode() == flow.request && m.GetResponseBodyMode() == flow.response
				if got := refusalOf(last(t, e)); fits != (got == "") || !fits && got != "proxy_mode_unsafe" {
					t.Errorf("%s with %v: %q", name, m, got)
				}
			}
		}
		if e, _ := run(s, io.EOF, flow.head(nil)); refusalOf(last(t, e)) != "proxy_mode_unsafe" {
			t.Errorf("%s without modes: %v", name, last(t, e))
		}
	}
}
