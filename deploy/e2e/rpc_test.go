//go:build e2e

package e2e

import (
	"encoding/binary"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"weir/deploy/local"
	"weir/filter"
)

// rpcTrick is a trick over gRPC, in the bytes of HTTP/2's DATA frames: a client
// library would not send most of them.
type rpcTrick struct {
	name    string
	method  string // POST if empty
	path    string // ModelInfer if empty
	message string // sent as one frame; or else
	frames  string
	headers []string // "Name: value", beside content-type and te; "-Name" leaves one of them out

	// Without Weir: the first element of the first input that the model gets, or else
	// the status of Triton's error.
	reads string
	fails codes.Code

	// With Weir: the reason of the refusal, or else what the model gets.
	reason string
	clean  string
}

// noStatus is the code of a call that ends without a status of gRPC's, or with one
// that says that the stream was broken, as Triton does for one error at times.
const noStatus = codes.Code(99)

// rpcReply is the end of a call.
type rpcReply struct {
	code    codes.Code
	message string
	header  http.Header
	body    string
}

const inferenceService = "/inference.GRPCInferenceService/"

// frame is a message as gRPC sends it (gRPC over HTTP/2: Length-Prefixed-Message).
func frame(flag byte, message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message)))) + message
}

// send calls a server, with nothing that a client of gRPC would check.
func (k rpcTrick) send(t *testing.T, addr string) rpcReply {
	t.Helper()
	method, path, frames := k.method, k.path, k.frames
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = inferenceService + "ModelInfer"
	}
	if frames == "" && method == http.MethodPost {
		frames = frame(0, k.message)
	}
	var body io.Reader
	if frames != "" {
		body = io.MultiReader(strings.NewReader(frames)) // of unknown length, as gRPC's
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr, body)
	if err != nil {
		t.Fatal(err)
	}
	request.URL = &url.URL{Scheme: "http", Host: addr, Opaque: path}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"e2e"}}
	for _, h := range k.headers {
		name, value, _ := strings.Cut(h, ": ")
		if left, ok := strings.CutPrefix(name, "-"); ok {
			request.Header.Del(left)
			continue
		}
		request.Header.Add(name, value)
	}
	response, err := newClient(true).Do(request)
	if err != nil {
		return rpcReply{code: noStatus, message: err.Error()}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return rpcReply{code: noStatus, message: err.Error(), header: response.Header}
	}
	end := response.Trailer
	if response.Header.Get("grpc-status") != "" { // trailers only
		end = response.Header
	}
	r := rpcReply{code: noStatus, header: response.Header, body: string(content)}
	if code, err := strconv.Atoi(end.Get("grpc-status")); err == nil && codes.Code(code) != codes.Unknown {
		r.code = codes.Code(code)
	}
	r.message, err = url.PathUnescape(end.Get("grpc-message"))
	if err != nil {
		t.Errorf("grpc-message: %v", err)
	}
	return r
}

// runRPC shows a list of tricks.
func runRPC(t *testing.T, tricks ...rpcTrick) {
	t.Helper()
	shared.ready(t)
	for _, k := range tricks {
		t.Run(k.name, func(t *testing.T) {
			k.withoutWeir(t)
			k.withWeir(t)
		})
	}
}

// toTriton sends the request to the Triton that nothing stands before, and returns
// what its models got of it.
func (k rpcTrick) toTriton(t *testing.T) (rpcReply, []local.Received) {
	t.Helper()
	triton := bareTriton(t)
	before := len(receivedBy(t, triton))
	r := k.send(t, triton.GRPC)
	return r, receivedBy(t, triton)[before:]
}

func (k rpcTrick) withoutWeir(t *testing.T) {
	t.Helper()
	r, got := k.toTriton(t)
	switch {
	case k.fails != codes.OK && (r.code != k.fails || len(got) > 0):
		t.Errorf("without Weir: want %v and nothing at the model; have %+v, %+v", k.fails, r, got)
	case k.fails == codes.OK && (r.code != codes.OK || len(got) != 1 || got[0].Inputs[0].SHA256[0] != digest(k.reads)):
		t.Errorf("without Weir: want %q at the model; have %+v, %+v", k.reads, r, got)
	}
}

func (k rpcTrick) withWeir(t *testing.T) {
	t.Helper()
	if k.reason != "" {
		shared.unmoved(t, func() { wantRPCReason(t, k.send(t, shared.addr), k.reason) })
		return
	}
	r := k.send(t, shared.addr)
	if r.code != codes.OK {
		t.Fatalf("with Weir: %+v", r)
	}
	if got := lastReceived(t); !decisionID.MatchString(got.ID) || got.Inputs[0].SHA256[0] != digest(k.clean) {
		t.Errorf("with Weir: want %q at the model; have %+v", k.clean, got)
	}
}

// wantRPCReason checks a refusal of Weir's by the one table of reasons: as a status
// of gRPC if the client says that it speaks it.
func wantRPCReason(t *testing.T, r rpcReply, reason string) {
	t.Helper()
	want := filter.Reason(reason).Status()
	if r.header.Get("x-weir-reason") != reason || r.header.Get("x-weir-action") != "block" || !decisionID.MatchString(r.header.Get("x-weir-decision-id")) {
		t.Errorf("want reason %s; have %+v", reason, r)
		return
	}
	if r.code != noStatus && (r.code != want.GRPC || !strings.HasPrefix(r.message, "weir: "+reason+": ") || r.body != "") {
		t.Errorf("want %v, have %+v", want.GRPC, r)
	}
}

// The fields of messages, by their numbers in grpc_service.proto.

func pbBytes(field protowire.Number, data string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), data))
}

func pbVarint(field protowire.Number, value uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), value))
}

// rpcInput is a field of ModelInferRequest: an InferInputTensor.
func rpcInput(name, datatype string, shape int, more ...string) string {
	return pbBytes(5, pbBytes(1, name)+pbBytes(2, datatype)+pbBytes(3, string(protowire.AppendVarint(nil, uint64(shape))))+strings.Join(more, ""))
}

// rpcText is a ModelInferRequest for one text of the echo model, with more fields.
func rpcText(text string, more ...string) string {
	return pbBytes(1, "echo") + strings.Join(more, "") + rpcInput("TEXT", "BYTES", 1) + pbBytes(7, string(elements(text)))
}

// rpcParameter is an entry of a map of parameters with this number; value is a
// field of InferParameter.
func rpcParameter(field protowire.Number, name, value string) string {
	return pbBytes(field, pbBytes(1, name)+pbBytes(2, value))
}
