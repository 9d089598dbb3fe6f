//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What a model server may answer by mistake or malice never reaches the client.
func TestAnswersThatAreNotPassed(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("limits: {max_body_bytes: 1MiB, max_response_bytes: 1MiB}\n", finite)}).ready(t)
	for _, test := range answersThatAreNotPassed() {
		for _, h2c := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, h2c %t", test.name, h2c), func(t *testing.T) {
				server.reply(test.answer)
				r, err := s.send(newClient(h2c), http.MethodPost, probeInfer, strings.NewReader(good))
				if strings.Contains(fmt.Sprint(r), "canary") || bytes.Contains(r.body, []byte("SCORES")) || bytes.Contains(r.body, []byte("ccccc")) {
					t.Errorf("unchecked: %v, %v", r, err)
				}
				switch {
				case err == nil && r.status < 300:
					t.Errorf("passed: %v", r)
				case test.reason == "upstream_unreachable":
					wantLocal(t, r, test.status, test.reason)
				case test.status != 0 && (err != nil || r.status != test.status):
					t.Errorf("want status %d; have %v, %v", test.status, r, err)
				case test.reason != "" && r.header.Get("x-weir-reason") != test.reason:
					t.Errorf("want reason %s; have %v", test.reason, r)
				case test.status != 0 && !decisionID.MatchString(r.header.Get("x-weir-decision-id")):
					t.Errorf("no decision: %v", r)
				}
			})
		}
	}
}

// answerTest is an answer of the model server and what becomes of it; status 0 is
// any error, also a broken connection.
type answerTest struct {
	name   string
	answer func(http.ResponseWriter, received)
	status int
	reason string
}

// recorder keeps an answer that is edited before it goes out.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder                    { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorder) WriteHeader(int)             {}

// raw answers with these bytes and closes the connection.
func raw(text string) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, r received) {
		c, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = buffer.WriteString(strings.ReplaceAll(text, "\n", "\r\n"))
		_ = buffer.Flush()
	}
}

// edited answers with something else than answerScores would.
func edited(edit func(h http.Header, body string) string) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, r received) {
		recorder := newRecorder()
		answerScores(0.9, 0.05, 0.05)(recorder, r)
		body := edit(recorder.Header(), recorder.body.String())
		recorder.Header().Set("Content-Length", fmt.Sprint(len(body)))
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, body)
	}
}

func answersThatAreNotPassed() []answerTest {
	malformed := func(name string, edit func(http.Header, string) string) answerTest {
		return answerTest{name, edited(edit), http.StatusBadGateway, "response_malformed"}
	}
	return []answerTest{
		malformed("another id", func(_ http.Header, b string) string { return strings.Replace(b, `"id":"`, `"id":"x`, 1)[:len(b)] }),
		malformed("another model", func(_ http.Header, b string) string { return strings.Replace(b, "probe", "prove", 1) }),
		malformed("another version", func(_ http.Header, b string) string { return strings.Replace(b, `"1"`, `"2"`, 1) }),
		malformed("another output", func(_ http.Header, b string) string { return strings.Replace(b, "SCORES", "SECRET", 1) }),
		malformed("another shape", func(_ http.Header, b string) string { return strings.Replace(b, "[1,3]", "[3,1]", 1) }),
		malformed("bytes after the tensors", func(_ http.Header, b string) string { return b + "canary" }),
		malformed("a content coding", func(h http.Header, b string) string { h.Set("Content-Encoding", "gzip"); return gzipped(b) }),
		malformed("text", func(h http.Header, _ string) string { h.Del("Inference-Header-Content-Length"); return "canary" }),
		malformed("nothing", func(h http.Header, _ string) string { h.Del("Inference-Header-Content-Length"); return "" }),
		{"not finite", answerScores(0.9, 0.1, nan), http.StatusBadGateway, "output_not_finite"},
		{"204", raw("HTTP/1.1 204 No Content\nX: canary\n\n"), http.StatusBadGateway, "response_malformed"},
		{"early hints", raw("HTTP/1.1 103 Early Hints\nLink: canary\n\nHTTP/1.1 200 OK\nContent-Length: 6\n\ncanary"), http.StatusBadGateway, "response_malformed"},
		{"an upgrade", raw("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: canary\n\ncanary"), http.StatusBadGateway, "response_malformed"},
		{"no HTTP", raw("canary canary canary\n\n"), http.StatusBadGateway, "upstream_unreachable"},
		{"no answer", raw(""), http.StatusBadGateway, "upstream_unreachable"},
		{"trailers", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\nX: canary\n\n"), http.StatusBadGateway, "response_malformed"},
		{"too large, chunked", func(w http.ResponseWriter, _ received) { _, _ = io.Copy(w, io.LimitReader(repeat('c'), 3<<20)) }, 0, ""}, // an error of Envoy's own
		{"too large by its length", func(w http.ResponseWriter, r received) { // the body stays, or Envoy may find it too large first
			w.Header().Set("Content-Length", fmt.Sprint(3<<20))
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Request.Context().Done()
		}, http.StatusBadGateway, "response_too_large"},
		{"cut short", raw("HTTP/1.1 200 OK\nContent-Length: 100\n\ncanary"), 0, ""},
		{"an error", func(w http.ResponseWriter, _ received) {
			w.Header().Set("X-Header", "canary")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"the model \u200bsays no","other":"canary"}`)
		}, http.StatusBadRequest, "upstream_error"},
		{"an error without a body", func(w http.ResponseWriter, _ received) { w.WriteHeader(http.StatusInternalServerError) }, http.StatusBadGateway, "upstream_error"},
		{"a redirect", func(w http.ResponseWriter, r received) { http.Redirect(w, r.Request, "/canary", http.StatusFound) }, http.StatusBadGateway, "response_malformed"},
	}
}
