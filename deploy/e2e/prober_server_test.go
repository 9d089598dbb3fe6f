//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/deploy/local"
)

// hurried are limits that make everything end soon that does not go on.
const hurried = "request_timeout: 700ms, body_timeout: 1s, stream_idle_timeout: 3s"

// proberConfig covers the models of the probe server. Every answer of "probe" is
// flagged, since the model is not sure.
const proberConfig = `limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB, %s}
models:
  - name: probe
    inputs: {TEXT: {kind: text}, VALUES: {kind: tensor}}
    outputs: {SCORES: {kind: probabilities}}
    checks: [{name: floor, output: SCORES, min_confidence: 0.6, action: flag}]
  - name: chat
    protocol: openai
    inputs: {text: {kind: text}}
`

// probeServer is a model server that speaks every protocol. It puts "canary" into the
// headers and trailers of its answers, and names requests by Weir's ids, which no
// client may see.
type probeServer struct {
	*modelServer
	pause func()           // after the first piece of an answer
	rpc   http.HandlerFunc // of calls over gRPC
	busy  atomic.Int64     // requests that are not over
}

// newProbeServer returns it with the options of a stack in front of it.
func newProbeServer(t *testing.T, limits string) (*probeServer, stackOptions) {
	t.Helper()
	server := &probeServer{modelServer: newModelServer(t), pause: func() {}}
	server.reply(server.answer)
	server.Config.Handler = server.counted(server.serve)
	server.rpc = server.serveRPC
	rpc := httptest.NewUnstartedServer(server.counted(func(w http.ResponseWriter, r *http.Request) { server.rpc(w, r) }))
	rpc.Config.Protocols = new(http.Protocols)
	rpc.Config.Protocols.SetUnencryptedHTTP2(true)
	rpc.Start()
	t.Cleanup(rpc.Close)
	chat := httptest.NewServer(server.counted(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openai/v1/models" {
			_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"chat","object":"model","created":1,"owned_by":"test"}]}`)
			return
		}
		server.serve(w, r)
	}))
	t.Cleanup(chat.Close)
	return server, stackOptions{upstream: server.addr(), grpc: rpc.Listener.Addr().String(), config: fmt.Sprintf(proberConfig, limits),
		openAI: &local.OpenAI{Addr: chat.Listener.Addr().String(), URL: chat.URL + "/openai"}}
}

func (s *probeServer) counted(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.busy.Add(1)
		defer s.busy.Add(-1)
		serve(w, r)
	})
}

func (s *probeServer) answer(w http.ResponseWriter, r received) {
	switch {
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, "ok")
	case strings.HasSuffix(r.URL.Path, "/generate_stream"):
		event := fmt.Sprintf(`{"id":%q,"model_name":"probe","model_version":"1","SCORES":[0.5,0.25,0.25]}`, firstID(r.body))
		s.writeEvents(w, event, event)
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		s.writeEvents(w, chatChunk(`{"role":"assistant","content":"a"}`, `null`), chatChunk(`{"content":"b"}`, `null`), chatChunk(`{}`, `"stop"`), "[DONE]")
	default:
		writeScores(w, r.id, 0.5, 0.25, 0.25)
	}
}

func chatChunk(delta, finish string) string {
	return `{"id":"c","object":"chat.completion.chunk","created":1,"model":"chat","secret":"canary","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
}

// writeEvents writes server-sent events, one at a time.
func (s *probeServer) writeEvents(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Upstream-Secret", "canary-header")
	for i, e := range events {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", e)
		_ = http.NewResponseController(w).Flush()
		if i == 0 {
			s.pause()
		}
	}
}

// serveRPC answers every message of a call, as soon as it has come.
func (s *probeServer) serveRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("X-Upstream-Secret", "canary-header")
	w.Header().Set("Trailer", "Grpc-Status, X-Secret-Trailer")
	var body []byte
	for {
		message, err := readFrame(r.Body)
		if err != nil {
			break
		}
		body = append(body, framed(message)...)
		streams := strings.HasSuffix(r.URL.Path, "/ModelStreamInfer")
		_, _ = w.Write(framed(inferAnswer(string(field(message, fieldID)), streams)))
		_ = http.NewResponseController(w).Flush()
		if len(body) == len(framed(message)) {
			s.pause()
		}
	}
	s.mu.Lock()
	s.received = append(s.received, received{Request: r, body: body})
	s.mu.Unlock()
	w.Header().Set("Grpc-Status", "0")
	w.Header().Set("X-Secret-Trailer", "canary")
}

// framed is a message with the five bytes before it.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

// field is the first value of a field of bytes; nil if there is none.
func field(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		n, kind, tag := protowire.ConsumeTag(message)
		size := protowire.ConsumeFieldValue(n, kind, message[max(tag, 0):])
		if tag < 0 || size < 0 {
			return nil
		}
		if n == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[tag:])
			return value
		}
		message = message[tag+size:]
	}
	return nil
}

// inferAnswer is a ModelInferResponse under an id, with scores that are not sure; in
// a stream, the last one to its request in a ModelStreamInferResponse.
func inferAnswer(id string, streams bool) []byte {
	add := func(m []byte, number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(m, number, protowire.BytesType), value)
	}
	var scores []byte
	for _, s := range []float32{0.5, 0.25, 0.25} {
		scores = binary.LittleEndian.AppendUint32(scores, math.Float32bits(s))
	}
	answer := add(add(add(nil, 1, "probe"), 2, "1"), 3, id)
	if streams {
		final := add(add(nil, 1, "triton_final_response"), 2, "\x08\x01")
		answer = add(answer, 4, string(final))
	}
	output := add(add(add(nil, fieldName, "SCORES"), fieldDataType, "FP32"), fieldShape, "\x01\x03")
	answer = add(add(answer, 5, string(output)), 6, string(scores))
	if streams {
		return add(nil, 2, string(answer))
	}
	return answer
}

// firstID is the id in the JSON that a body begins with.
func firstID(body []byte) string {
	var head message
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(&head)
	return head.ID
}
