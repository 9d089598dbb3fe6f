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
	"strconv"
	"strings"
	"sync"
	"testing"
)

// modelServer is a model server of our own, for what Triton does not show or do:
// it keeps every request and answers as it is told. It serves the model "probe":
// TEXT BYTES [-1] and VALUES FP32 [-1], both optional, to SCORES FP32 [1, 3].
type modelServer struct {
	*httptest.Server
	mu       sync.Mutex
	received []received
	answer   func(w http.ResponseWriter, r received)
}

// received is a request other than those for metadata.
type received struct {
	*http.Request
	body []byte
	id   string
}

const (
	probeMetadata = `{"name":"probe","versions":["1"],"platform":"test",
"inputs":[{"name":"TEXT","datatype":"BYTES","shape":[-1]},{"name":"VALUES","datatype":"FP32","shape":[-1]}],
"outputs":[{"name":"SCORES","datatype":"FP32","shape":[1,3]}]}`
	probeSettings = `{"name":"probe","max_batch_size":0,"input":[{"name":"TEXT","optional":true},{"name":"VALUES","optional":true}]}`
	probeInfer    = "/v2/models/probe/infer"
)

// finite is a check of the model.
const finite = `{name: finite, output: SCORES, finite: true}`

// probeConfig is the policy for the model with its checks.
func probeConfig(before string, checks ...string) string {
	return before + `
models:
  - name: probe
    inputs:
      TEXT: {kind: text}
      VALUES: {kind: tensor}
    outputs:
      SCORES: {kind: probabilities}
    checks: [` + strings.Join(checks, ", ") + "]\n"
}

func newModelServer(t *testing.T) *modelServer {
	t.Helper()
	m := &modelServer{answer: answerScores(0.9, 0.05, 0.05)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *modelServer) addr() string { return m.Listener.Addr().String() }

func (m *modelServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		switch r.URL.Path {
		case "/v2/models/probe", "/v2/models/probe/versions/1":
			_, _ = io.WriteString(w, probeMetadata)
			return
		case "/v2/models/probe/versions/1/config":
			_, _ = io.WriteString(w, probeSettings)
			return
		case "/v2/models/probe/versions/1/ready":
			return
		}
	}
	if r.URL.Path == "/v2/repository/index" { // which only Weir asks for
		_, _ = io.WriteString(w, `[{"name":"probe","version":"1","state":"READY"}]`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	one := received{Request: r, body: body, id: idOf(r, body)}
	m.mu.Lock()
	m.received = append(m.received, one)
	answer := m.answer
	m.mu.Unlock()
	answer(w, one)
}

func idOf(r *http.Request, body []byte) string {
	n, _ := strconv.Atoi(r.Header.Get("Inference-Header-Content-Length"))
	var head message
	_ = json.Unmarshal(body[:min(n, len(body))], &head)
	return head.ID
}

// reply makes the next answers.
func (m *modelServer) reply(answer func(http.ResponseWriter, received)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// requests returns what came so far.
func (m *modelServer) requests() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]received(nil), m.received...)
}

// last returns the newest request.
func (m *modelServer) last(t *testing.T) received {
	t.Helper()
	all := m.requests()
	if len(all) == 0 {
		t.Fatal("the model server got no request")
	}
	return all[len(all)-1]
}

// answerScores answers as Triton does, under the id that came.
func answerScores(scores ...float32) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, r received) { writeScores(w, r.id, scores...) }
}

func writeScores(w http.ResponseWriter, id string, scores ...float32) {
	var blob []byte
	for _, s := range scores {
		blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(s))
	}
	body, header := message{ID: id, ModelName: "probe", ModelVersion: "1",
		Outputs: []tensor{{Name: "SCORES", DataType: "FP32", Shape: []int64{1, int64(len(scores))}, blob: blob}}}.encode()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(header))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Upstream-Secret", "canary-header")
	_, _ = w.Write(body)
}

// canonical is the only form of a request for one text that may reach the server.
func canonical(id, text string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"parameters":{"binary_data_output":true},"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}]}%s`,
		id, len(text)+4, elements(text))
}

// unreached fails the test if anything of what do does reaches the server.
func (m *modelServer) unreached(t *testing.T, s *stack, do func()) {
	t.Helper()
	before := s.tap.len()
	do()
	if after := s.tap.seen(before); len(after) > 0 {
		t.Errorf("bytes went to the model server: %q", bytes.TrimSpace(after))
	}
}

var nan = float32(math.NaN())
