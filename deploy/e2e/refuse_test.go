//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// No refused request reaches the model server, by its own counters, by the record
// of the echo models, and by the bytes on the wire.
func TestRefusals(t *testing.T) {
	shared.ready(t)
	for _, r := range append(differentials(), controlPlane()...) {
		t.Run(r.name, func(t *testing.T) {
			if r.method == "" {
				r.method = http.MethodPost
			}
			if r.path == "" {
				r.path = echoInfer
			}
			var body io.Reader
			if r.body != "" {
				body = strings.NewReader(r.body)
			}
			shared.unmoved(t, func() {
				answer, err := shared.send(client, r.method, r.path, body, r.headers...)
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, answer, r.status, r.reason)
			})
		})
	}
}

// What only a raw socket can say. Some of it Envoy refuses by itself, before Weir
// sees anything; such an answer carries no decision, and Envoy may close the
// connection before it is out.
func TestRawRefusals(t *testing.T) {
	shared.ready(t)
	head := func(lines ...string) string {
		return "POST " + echoInfer + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	length := fmt.Sprintf("Content-Length: %d", len(good))
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	for _, test := range []struct {
		name, text string
		status     int
		reason     string // "" for an answer of Envoy's own
	}{
		{"transfer-encoding xchunked", head("Transfer-Encoding: xchunked") + chunked(good), 501, ""},
		{"transfer-encoding gzip, chunked", head("Transfer-Encoding: gzip, chunked") + chunked(good), 501, ""},
		{"both lengths", head(length, "Transfer-Encoding: chunked") + chunked(good), 400, ""},
		{"two lengths", head(length, "Content-Length: 0") + good, 400, ""},
		{"a space before the colon", head("Content-Length : 3") + good, 400, ""},
		{"a chunk size that wraps", head("Transfer-Encoding: chunked") + "10000000000000003\r\nabc\r\n0\r\n\r\n", 400, ""},
		{"no host", "POST " + echoInfer + " HTTP/1.1\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"HTTP/1.0", "POST " + echoInfer + " HTTP/1.0\r\n" + length + "\r\n\r\n" + good, 426, ""},
		{"an underscore", head("inference_header_content_length: 3", length) + good, 400, ""},
		{"CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 400, "path_invalid"},
		{"an upgrade", head("Connection: Upgrade", "Upgrade: websocket", length) + good, 403, ""},
		{"no length", head("X: x"), 400, "body_missing"},
		{"a fragment", "POST " + echoInfer + "#x HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"a path with a backslash", "POST /v2\\models/echo/infer HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, "path_invalid"},
		{"a path that is not ASCII", "POST /v2/models/\xc3\xa9cho/infer HTTP/1.1\r\nHost: h\r\n" + length + "\r\n\r\n" + good, 400, ""},
		{"content-encoding twice", head("Content-Encoding: gzip", "Content-Encoding: identity", length) + good, 415, "encoding_unsupported"},
		{"header length with a space", head("Inference-Header-Content-Length: 1 2", length) + good, 400, "header_invalid"},
		{"header length that is empty", head("Inference-Header-Content-Length:", length) + good, 400, "header_invalid"},
		{"header length in two lines", head("Inference-Header-Content-Length: 1", "inference-header-content-length: 2", length) + good, 400, "header_duplicate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared.unmoved(t, func() {
				r, answered := shared.raw(t, test.text)
				if test.reason != "" {
					wantRefused(t, r, test.status, test.reason)
				} else if answered && r.status != test.status {
					t.Errorf("want Envoy's own %d, have %v", test.status, r)
				}
			})
		})
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	shared.ready(t)
	const limit = 4 << 20
	big := strings.Repeat(" ", limit) + good
	shared.unmoved(t, func() {
		r, err := shared.send(newClient(true), http.MethodPost, echoInfer, strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		wantRefused(t, r, tooLarge, "body_too_large")
	})
	t.Run("chunked", func(t *testing.T) {
		// Within Envoy's slack, beyond it, beyond what the ext_proc server receives.
		for _, size := range []int{limit + 1, limit + 1<<17, limit + 1<<20, limit + 8<<20} {
			shared.unmoved(t, func() {
				r, err := shared.send(newClient(true), http.MethodPost, echoInfer, io.LimitReader(repeat(' '), int64(size)))
				if err != nil {
					t.Fatal(err)
				}
				wantLocal(t, r, tooLarge, "body_too_large")
			})
		}
	})
	t.Run("HTTP/1, by its length", func(t *testing.T) {
		shared.unmoved(t, func() {
			r, _ := shared.raw(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", echoInfer, limit+1))
			wantRefused(t, r, tooLarge, "body_too_large")
		})
	})
	t.Run("just below the limit", func(t *testing.T) {
		for _, h2c := range []bool{false, true} {
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(strings.Repeat(" ", limit-len(good)) + good)
				if chunked {
					body = io.MultiReader(body)
				}
				if r, err := shared.send(newClient(h2c), http.MethodPost, echoInfer, body); err != nil || r.status != http.StatusOK {
					t.Errorf("h2c %t, chunked %t: %v, %v", h2c, chunked, r, err)
				}
			}
		}
	})
}

// A body that is larger than the windows which Envoy has by default.
func TestLargestBody(t *testing.T) {
	server := newModelServer(t)
	s := private(t, stackOptions{upstream: server.addr(), config: probeConfig("", finite)}).ready(t)
	const elements = 33 << 20 / 4
	body, header := message{Inputs: []tensor{{Name: "VALUES", DataType: "FP32", Shape: []int64{elements}, blob: make([]byte, 4*elements)}}}.encode()
	r, err := s.send(newClient(true), http.MethodPost, probeInfer, bytes.NewReader(body), fmt.Sprint("Inference-Header-Content-Length: ", header))
	if err != nil || r.status != http.StatusOK {
		t.Fatalf("%v, %v", r, err)
	}
	if got := server.last(t); len(got.body) < 4*elements {
		t.Errorf("the model server got %d bytes", len(got.body))
	}
}

// repeat is an endless reader of one byte.
type repeat byte

func (b repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// So it is to grpc-go, whatever is called.
func TestGRPCIsRefusedToGo(t *testing.T) {
	shared.ready(t)
	connection, err := grpc.NewClient(shared.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for _, method := range []string{"/inference.GRPCInferenceService/ModelInfer", "/grpc.health.v1.Health/Check", "/any.Service/Call", echoInfer} {
		shared.unmoved(t, func() {
			err := connection.Invoke(t.Context(), method, &emptypb.Empty{}, &emptypb.Empty{})
			if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.HasPrefix(s.Message(), "weir: protocol_not_enabled: ") {
				t.Errorf("%s: %v", method, err)
			}
		})
	}
}

// gRPC is refused in the form of gRPC, to NVIDIA's client and to grpc-go.
func TestGRPCIsRefusedInItsOwnForm(t *testing.T) {
	shared.ready(t)
	shared.unmoved(t, func() {
		out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "grpc_refused.py"), shared.addr).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var calls map[string]struct{ Code, Message string }
		if err := json.Unmarshal(bytes.TrimSpace(out), &calls); err != nil || len(calls) < 8 {
			t.Fatalf("%s: %v", out, err)
		}
		for name, got := range calls {
			if got.Code != "StatusCode.PERMISSION_DENIED" || !strings.HasPrefix(got.Message, "weir: protocol_not_enabled: ") || !strings.Contains(got.Message, "(decision ") {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}
