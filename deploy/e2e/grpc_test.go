//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"weir/deploy/local"
)

// grpcConfig covers the models of the gRPC tests.
const grpcConfig = `limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB, max_stream_requests: 8}
models:
  - name: echo
    versions: ["1"]
    parameters: [note]
    inputs:
      TEXT: {kind: text}
      VALUES: {kind: tensor, min: -1000, max: 1000}
      IMAGE: {kind: image}
  - name: identity
    inputs: {BOOL: {kind: opaque}, UINT8: {kind: opaque}, UINT16: {kind: opaque}, UINT32: {kind: opaque}, UINT64: {kind: opaque}, INT8: {kind: opaque}, INT16: {kind: opaque}, INT32: {kind: opaque}, INT64: {kind: opaque}, FP16: {kind: opaque}, FP32: {kind: opaque}, FP64: {kind: opaque}, BYTES: {kind: opaque}}
  - name: repeat
    inputs: {VALUES: {kind: tensor}, TEXT: {kind: text}, PAUSE_MS: {kind: tensor, max: 10000}, PAD_BYTES: {kind: tensor}}
`

// grpcRig is a Triton of its own, with and without Weir before it.
type grpcRig struct {
	*stack
	triton *local.Triton
	logs   string
}

func newGRPCRig(t *testing.T) *grpcRig {
	t.Helper()
	logs := tempDir(t)
	server, err := local.StartTriton(t.Context(), deps, local.TritonOptions{LogDir: logs, Models: []string{"echo", "identity", "repeat"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &grpcRig{private(t, stackOptions{upstream: server.HTTP, grpc: server.GRPC, config: grpcConfig}).ready(t), server, logs}
}

func TestGRPC(t *testing.T) {
	rig := newGRPCRig(t)
	t.Run("script", rig.script)
	t.Run("only what Weir wrote", rig.written)
	t.Run("refusals in a stream", rig.refusals)
	t.Run("too many wait", rig.waiting)
	t.Run("cancel", rig.cancel)
	t.Run("reload within a stream", rig.reload)
	t.Run("reader that stops", rig.stopped)
}

// script runs one scripted client with and without Weir: equal statuses, messages,
// order and trailers.
func (g *grpcRig) script(t *testing.T) {
	bare, weir := g.play(t, g.triton.GRPC), g.play(t, g.addr)
	if len(bare) < 20 || len(bare) != len(weir) {
		t.Fatalf("%d calls without Weir, %d with it", len(bare), len(weir))
	}
	for i := range bare {
		if strings.Contains(bare[i], `"call": "infer decoupled"`) {
			// Weir knows that the model streams and says so itself.
			if !strings.Contains(weir[i], "weir: ") || !strings.Contains(weir[i], "INVALID_ARGUMENT") {
				t.Errorf("a decoupled model, unary: %s", weir[i])
			}
			continue
		}
		if bare[i] != weir[i] {
			t.Errorf("without Weir: %s\nwith:         %s", bare[i], weir[i])
		}
	}
}

func (g *grpcRig) play(t *testing.T, addr string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "grpc_script.py"), addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// written holds that hidden characters and the client's ids reach the model neither
// in a call nor in a stream, and that the client's message does not, either.
func (g *grpcRig) written(t *testing.T) {
	before, err := g.triton.Received()
	if err != nil {
		t.Fatal(err)
	}
	call := g.open(t, "secret")
	call.send(t, echoMessage("secret", "a\u200bb"))
	if got := call.receive(t); !bytes.Contains(got, []byte("secret")) || !bytes.Contains(got, []byte("ab")) {
		t.Errorf("answer in a stream: %q", got)
	}
	call.close(t)
	if out, err := g.unary(t, "ModelInfer", echoMessage("secret", "a\u200bb")); err != nil || !bytes.Contains(out, []byte("secret")) {
		t.Errorf("answer to a call: %q, %v", out, err)
	}
	after, err := g.triton.Received()
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte("ab"))
	for _, r := range after[len(before):] {
		if r.Inputs[0].SHA256[0] != hex.EncodeToString(want[:]) || r.ID == "secret" {
			t.Errorf("the model got %+v", r)
		}
	}
	if len(after)-len(before) != 2 {
		t.Errorf("%d requests reached the model, want 2", len(after)-len(before))
	}
	for _, hidden := range []string{"secret", "\u200b"} {
		if bytes.Contains(g.taps[1].seen(0), []byte(hidden)) {
			t.Errorf("%q went to the model server", hidden)
		}
	}
}

// refusals holds that a refusal ends the call while there is no answer, and stands
// in the stream later, where the other requests go on.
func (g *grpcRig) refusals(t *testing.T) {
	call := g.open(t, "first")
	call.send(t, inferMessage("absent", "x", []rawInput{{"TEXT", "BYTES", 1, make([]byte, 4)}}))
	if err := call.failure(t); status.Code(err) != codes.PermissionDenied || !strings.HasPrefix(status.Convert(err).Message(), "weir: model_unknown: ") {
		t.Errorf("refused first: %v", err)
	}

	call = g.open(t, "later")
	call.send(t, echoMessage("1", "a"))
	if got := call.receive(t); !bytes.Contains(got, []byte("ECHO_TEXT")) {
		t.Errorf("answer: %q", got)
	}
	for _, bad := range [][]byte{inferMessage("absent", "2", []rawInput{{"TEXT", "BYTES", 1, make([]byte, 4)}}), []byte("\x0a"), echoMessage("3", "\xff")} {
		call.send(t, bad)
		if got := call.receive(t); !bytes.Contains(got, []byte("weir: ")) {
			t.Errorf("refused in the stream: %q", got)
		}
	}
	call.send(t, echoMessage("4", "b"))
	if got := call.receive(t); !bytes.Contains(got, []byte("ECHO_TEXT")) || !bytes.Contains(got, []byte("4")) {
		t.Errorf("answer after refusals: %q", got)
	}
	call.close(t)
}

// waiting holds that a stream has so many requests without answers and no more.
func (g *grpcRig) waiting(t *testing.T) {
	call := g.open(t, "waiting")
	for i := range 9 {
		call.send(t, repeatMessage(strconv.Itoa(i), []int32{1}, 3000, 0))
	}
	if err := call.failure(t); status.Code(err) != codes.ResourceExhausted || !strings.HasPrefix(status.Convert(err).Message(), "weir: overloaded: ") {
		t.Errorf("nine requests at once: %v", err)
	}
}

// cancel holds that a cancel and a deadline of the client's reach the model.
func (g *grpcRig) cancel(t *testing.T) {
	for name, end := range map[string]func(*call){
		"cancel":   func(c *call) { c.cancel() },
		"deadline": func(*call) {},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), map[string]time.Duration{"cancel": patience, "deadline": time.Second}[name])
		before := g.cancelled(t)
		c := g.openIn(t, ctx, name)
		c.send(t, repeatMessage(name, slices.Repeat([]int32{1}, 5000), 20, 0))
		c.receive(t)
		end(c)
		began := time.Now()
		eventually(t, name+" at the model", func() bool { return g.cancelled(t) > before })
		t.Logf("%s reached the model within %v", name, time.Since(began).Round(10*time.Millisecond))
		cancel()
	}
}

func (g *grpcRig) cancelled(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.logs, "received.jsonl.cancelled"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// reload holds that a message of a running stream is judged by the rules of now.
func (g *grpcRig) reload(t *testing.T) {
	call := g.open(t, "reload")
	call.send(t, echoMessage("1", "a"))
	call.receive(t)
	closed := strings.Replace(grpcConfig, "name: echo", "name: other", 1)
	if err := g.weir.WriteConfig(g.opts.upstream, closed); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a refusal under the new rules", func() bool {
		call.send(t, echoMessage("2", "a"))
		return bytes.Contains(call.receive(t), []byte("model_unknown"))
	})
	if err := g.weir.WriteConfig(g.opts.upstream, grpcConfig); err != nil {
		t.Fatal(err)
	}
	eventually(t, "answers under the old rules", func() bool {
		call.send(t, echoMessage("3", "a"))
		return bytes.Contains(call.receive(t), []byte("ECHO_TEXT"))
	})
	call.close(t)
}

// maxHeld is how much memory a reader that stops may cost Weir, and Envoy, beyond
// what they have: a few messages of the largest size and the windows of HTTP/2.
const maxHeld = 128 << 20

// stopped holds that a client which does not read does not make Weir or Envoy hold
// what the model goes on to send, and that all of it comes when the client reads on.
func (g *grpcRig) stopped(t *testing.T) {
	envoy, weir := memory(t, g.envoy.Pid), memory(t, g.weir.Pid)
	c := g.open(t, "stopped")
	const answers = 200 // of 1 MiB
	c.send(t, repeatMessage("s", slices.Repeat([]int32{1}, answers), 0, 1<<20))
	c.receive(t)
	worst := [2]int64{}
	for range 100 {
		time.Sleep(50 * time.Millisecond)
		worst[0] = max(worst[0], memory(t, g.envoy.Pid)-envoy)
		worst[1] = max(worst[1], memory(t, g.weir.Pid)-weir)
	}
	t.Logf("beside a reader that stops Envoy holds %d MiB more, Weir %d MiB", worst[0]>>20, worst[1]>>20)
	if worst[0] > maxHeld || worst[1] > maxHeld {
		t.Errorf("more than %d MiB", maxHeld>>20)
	}
	for range answers - 1 {
		c.receive(t)
	}
	c.close(t)
}

// memory is the resident memory of a process, in bytes.
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// call is a stream of raw messages.
type call struct {
	stream grpc.ClientStream
	cancel context.CancelFunc
	name   string
}

// rawMessages hands messages over as the bytes that they are.
type rawMessages struct{}

func (rawMessages) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawMessages) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (rawMessages) Name() string { return "proto" }

func (g *grpcRig) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(g.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawMessages{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func (g *grpcRig) unary(t *testing.T, method string, message []byte) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = g.dial(t).Invoke(ctx, "/inference.GRPCInferenceService/"+method, &message, &answer)
	return answer, err
}

func (g *grpcRig) open(t *testing.T, name string) *call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return g.openIn(t, ctx, name)
}

func (g *grpcRig) openIn(t *testing.T, ctx context.Context, name string) *call {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel)
	stream, err := g.dial(t).NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/inference.GRPCInferenceService/ModelStreamInfer")
	if err != nil {
		t.Fatal(err)
	}
	return &call{stream, cancel, name}
}

func (c *call) send(t *testing.T, message []byte) {
	t.Helper()
	if err := c.stream.SendMsg(&message); err != nil && !errors.Is(err, io.EOF) { // the status comes with RecvMsg
		t.Fatalf("%s: send: %v", c.name, err)
	}
}

func (c *call) receive(t *testing.T) (message []byte) {
	t.Helper()
	if err := c.stream.RecvMsg(&message); err != nil {
		t.Fatalf("%s: receive: %v", c.name, err)
	}
	return message
}

// failure reads until the call ends and returns how.
func (c *call) failure(t *testing.T) error {
	t.Helper()
	for {
		var message []byte
		if err := c.stream.RecvMsg(&message); err != nil {
			return err
		}
	}
}

// close says the client's end and expects the server's.
func (c *call) close(t *testing.T) {
	t.Helper()
	if err := c.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var message []byte
	if err := c.stream.RecvMsg(&message); !errors.Is(err, io.EOF) {
		t.Errorf("%s: the stream ends with %v, %q", c.name, err, message)
	}
}

// The field numbers of ModelInferRequest and InferInputTensor (grpc_service.proto).
const (
	fieldModel, fieldID, fieldInputs, fieldRaw = 1, 3, 5, 7
	fieldName, fieldDataType, fieldShape       = 1, 2, 3
)

type rawInput struct {
	name, datatype string
	elements       int
	data           []byte
}

func inferMessage(model, id string, inputs []rawInput) (m []byte) {
	text := func(m []byte, field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
	}
	m = text(text(nil, fieldModel, model), fieldID, id)
	for _, in := range inputs {
		one := text(text(nil, fieldName, in.name), fieldDataType, in.datatype)
		one = text(one, fieldShape, string(protowire.AppendVarint(nil, uint64(in.elements))))
		m = text(m, fieldInputs, string(one))
	}
	for _, in := range inputs {
		m = text(m, fieldRaw, string(in.data))
	}
	return m
}

func echoMessage(id, text string) []byte {
	data := append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	return inferMessage("echo", id, []rawInput{{"TEXT", "BYTES", 1, data}})
}

func repeatMessage(id string, values []int32, pauseMS, padBytes uint32) []byte {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return inferMessage("repeat", id, []rawInput{{"VALUES", "INT32", len(values), data},
		{"PAUSE_MS", "UINT32", 1, binary.LittleEndian.AppendUint32(nil, pauseMS)},
		{"PAD_BYTES", "UINT32", 1, binary.LittleEndian.AppendUint32(nil, padBytes)}})
}
