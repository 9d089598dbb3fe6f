package kserve

import (
	"bytes"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

func newGRPC(t testing.TB) *GRPC {
	t.Helper()
	c, err := NewGRPC(DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// grpcVector is one block of testdata/grpc_messages.txt.
type grpcVector struct {
	about, operation, expect string
	message, want            []byte // with their framing; want is nil for what is refused
}

func readGRPCVectors(t testing.TB) (vectors []grpcVector) {
	t.Helper()
	source, err := os.ReadFile("testdata/grpc_messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(source), "\n\n") {
		var v grpcVector
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			switch value = strings.TrimSpace(value); key {
			case "about":
				v.about = value
			case "operation":
				v.operation = value
			case "message":
				v.message = frame.AppendGRPC(nil, unhex(t, value))
			case "expect":
				v.expect = value
			case "want":
				v.want = frame.AppendGRPC(nil, unhex(t, value))
			}
		}
		if v.about != "" {
			vectors = append(vectors, v)
		}
	}
	if len(vectors) < 250 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	return vectors
}

// operationOf returns the route of an operation over gRPC.
func operationOf(t testing.TB, name string) codec.Route {
	t.Helper()
	for o := codec.Deny; o <= codec.RepositoryIndex; o++ {
		if o.String() == name {
			return codec.Route{Protocol: codec.KServeGRPC, Operation: o}
		}
	}
	t.Fatalf("no operation %q", name)
	return codec.Route{}
}

func outputNames(r *codec.Request) (names []string) {
	for _, o := range r.Outputs {
		names = append(names, o.Name)
	}
	return names
}

// The messages are those of NVIDIA's client; the canonical forms are its, too.
func TestGRPCVectors(t *testing.T) {
	c := newGRPC(t)
	for _, v := range readGRPCVectors(t) {
		t.Run(v.operation+"/"+v.about, func(t *testing.T) {
			got, m, err := v.run(t, c)
			if got != v.expect {
				t.Fatalf("got %v, want %s", err, v.expect)
			}
			if err != nil {
				return
			}
			if !bytes.Equal(m.Body, v.want) {
				t.Errorf("canonical form\n got %x\nwant %x", m.Body, v.want)
			}
			want := codec.Headers{{Name: "content-type", Value: "application/grpc"}}
			if !strings.HasSuffix(v.operation, "_answer") && !strings.HasSuffix(v.operation, "_error") {
				want = append(want, codec.Header{Name: "content-length", Value: strconv.Itoa(len(v.want))})
			}
			if !slices.Equal(m.Headers, want) {
				t.Errorf("headers %v, want %v", m.Headers, want)
			}
		})
	}
}

// run decodes the message and encodes what came out.
func (v *grpcVector) run(t *testing.T, c *GRPC) (reason string, m *codec.Message, err error) {
	name, isAnswer := strings.CutSuffix(v.operation, "_answer")
	name, isError := strings.CutSuffix(name, "_error")
	route := operationOf(t, name)
	switch {
	case isAnswer || isError:
		request := &codec.Request{Operation: route.Operation, Extra: emptyFinal(true)}
		var response *codec.Response
		if response, err = c.DecodeResponse(request, nil, v.message); err == nil {
			if (response.Error != "") != isError {
				t.Errorf("error %q", response.Error)
			}
			m, err = c.EncodeResponse(request, response)
		}
	case !route.Operation.Infers():
		m, err = c.DecodeQuery(&route, nil, v.message)
	default:
		var request *codec.Request
		if request, err = c.DecodeRequest(route, nil, v.message); err == nil {
			m, err = c.EncodeRequest(request, outputNames(request))
		} else if request != nil {
			t.Error("a refused request was returned")
		}
	}
	return reasonOf(t, err), m, err
}
