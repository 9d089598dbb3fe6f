//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for an answer that must come sooner.
const patience = 30 * time.Second

// client keeps no connections and follows nothing.
var client = newClient(false)

// newClient returns a client of HTTP/1, or of HTTP/2 without TLS.
func newClient(h2c bool) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!h2c)
	transport.Protocols.SetUnencryptedHTTP2(h2c)
	return &http.Client{Transport: transport, Timeout: patience}
}

// reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string {
	return fmt.Sprintf("status %d, %v, body %.300q", r.status, r.header, r.body)
}

// send sends a request; headers are "name: value". body may be nil.
func (s *stack) send(c *http.Client, method, path string, body io.Reader, headers ...string) (reply, error) {
	return s.sendTo(s.addr, c, method, path, body, headers...)
}

// sendTo is send with a host of the client's own.
func (s *stack) sendTo(host string, c *http.Client, method, path string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequest(method, "http://"+s.addr+path, body)
	if err != nil {
		return reply{}, err
	}
	request.Host = host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Add(name, value)
	}
	response, err := c.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, content}, err
}

func (s *stack) get(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	r, err := s.send(client, http.MethodGet, path, nil, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *stack) post(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	r, err := s.send(client, http.MethodPost, path, strings.NewReader(body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// raw writes bytes to Envoy and reads the answer; answered is false if Envoy
// closed the connection without one.
func (s *stack) raw(t *testing.T, text string) (r reply, answered bool) {
	t.Helper()
	r = converse(t, s.addr, text)[0]
	return r, r.status != noAnswer
}

var decisionID = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}$`)

// wantRefused checks a refusal of Weir's: the status, the reason, the decision id
// in the header and in the body, in the form that clients of the protocol parse.
func wantRefused(t *testing.T, r reply, status int, reason string) {
	t.Helper()
	id := r.header.Get("x-weir-decision-id")
	if r.status != status || r.header.Get("x-weir-reason") != reason {
		t.Errorf("want status %d, reason %s; have %v", status, reason, r)
		return
	}
	if !decisionID.MatchString(id) || r.header.Get("x-weir-action") != "block" || r.header.Get("content-type") != "application/json" {
		t.Errorf("headers of a refusal: %v", r)
	}
	var body map[string]string
	err := json.Unmarshal(r.body, &body)
	if err != nil || len(body) != 1 || !strings.HasPrefix(body["error"], "weir: "+reason+": ") ||
		!strings.HasSuffix(body["error"], "(decision "+id+")") {
		t.Errorf("body of a refusal: %v (%v)", r, err)
	}
}

// wantError checks an error of Envoy's own: its status, in the form that clients of
// the protocol parse.
func wantError(t *testing.T, r reply, statuses ...int) {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal(r.body, &body); err != nil || len(body) != 1 || body["error"] == "" || !slices.Contains(statuses, r.status) {
		t.Errorf("want an error with status %v; have %v (%v)", statuses, r, err)
	}
}

// tensor is an input or output of a V2 message.
type tensor struct {
	Name       string         `json:"name"`
	DataType   string         `json:"datatype"`
	Shape      []int64        `json:"shape"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       []any          `json:"data,omitempty"`
	blob       []byte
}

// message is a V2 request or response.
type message struct {
	ID           string         `json:"id,omitempty"`
	ModelName    string         `json:"model_name,omitempty"`
	ModelVersion string         `json:"model_version,omitempty"`
	Parameters   map[string]any `json:"parameters,omitempty"`
	Inputs       []tensor       `json:"inputs,omitempty"`
	Outputs      []tensor       `json:"outputs,omitempty"`
}

// encode writes a message, with every tensor that has a blob in binary form, and
// returns how many bytes of it are JSON.
func (m message) encode() (body []byte, jsonBytes int) {
	var blobs []byte
	for _, list := range [][]tensor{m.Inputs, m.Outputs} {
		for i := range list {
			if list[i].blob != nil {
				list[i].Parameters = map[string]any{"binary_data_size": len(list[i].blob)}
				blobs = append(blobs, list[i].blob...)
			}
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(body, blobs...), len(body)
}

// decode reads a response, whose JSON must be followed by exactly its blobs.
func decode(r reply) (message, error) {
	var m message
	header := r.body
	if text := r.header.Get("inference-header-content-length"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n > len(r.body) {
			return m, fmt.Errorf("inference-header-content-length %q of %d bytes", text, len(r.body))
		}
		header = r.body[:n]
	}
	if err := json.Unmarshal(header, &m); err != nil {
		return m, err
	}
	rest := r.body[len(header):]
	for i := range m.Outputs {
		if size, ok := m.Outputs[i].Parameters["binary_data_size"].(float64); ok {
			m.Outputs[i].blob, rest = rest[:int(size)], rest[int(size):]
		}
	}
	if len(rest) > 0 {
		return m, fmt.Errorf("%d bytes follow the tensors", len(rest))
	}
	return m, nil
}

// elements writes a BYTES tensor in binary form.
func elements(all ...string) []byte {
	blob := []byte{}
	for _, e := range all {
		blob = append(binary.LittleEndian.AppendUint32(blob, uint32(len(e))), e...)
	}
	return blob
}

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func deflated(text string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

// textRequest is a JSON request for one text of the echo model.
func textRequest(id, text string) string {
	body, _ := message{ID: id, Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, Data: []any{text}}}}.encode()
	return string(body)
}

const echoInfer = "/v2/models/echo/infer"
