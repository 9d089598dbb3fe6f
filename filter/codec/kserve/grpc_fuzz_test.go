package kserve

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// FuzzGRPCRequest holds the promise of GRPC: what is accepted means the same to
// Triton in the client's bytes, in the typed message, and in the canonical form,
// which is a fixed point.
func FuzzGRPCRequest(f *testing.F) {
	for _, v := range readGRPCVectors(f) {
		if v.operation == "infer" || v.operation == "infer_stream" {
			f.Add(v.message[frame.HeaderBytes:], v.operation == "infer_stream")
		}
	}
	f.Fuzz(func(t *testing.T, source []byte, stream bool) {
		c := newGRPC(t)
		route := operationOf(t, "infer")
		if stream {
			route = operationOf(t, "infer_stream")
		}
		body := frame.AppendGRPC(nil, source)
		request, err := c.DecodeRequest(route, nil, body)
		if reasonOf(t, err) != "ok" {
			return
		}
		read, final, err := readAsTritonGRPC(source)
		if err != nil {
			t.Fatalf("accepted, but an error for Triton: %v\n%x", err, source)
		}
		if err := sameGRPC(request, read); err != nil {
			t.Fatalf("Triton reads another message: %v\n%x", err, source)
		}
		if !slices.EqualFunc(request.Outputs, read.Outputs, func(a, b codec.Output) bool { return a.Name == b.Name && a.Classes == b.Classes }) {
			t.Fatalf("Triton reads outputs %v, not %v", read.Outputs, request.Outputs)
		}
		if request.Extra != emptyFinal(final == true) || final != nil && final != true && final != false {
			t.Fatalf("the end is asked for as %v, read as %v", request.Extra, final)
		}
		checkUpstream(t, c, route, request)
	})
}

// checkUpstream holds that the canonical form of a request says what it says.
func checkUpstream(t *testing.T, c *GRPC, route codec.Route, request *codec.Request) {
	t.Helper()
	m, err := c.EncodeRequest(request, outputNames(request))
	if err != nil {
		t.Fatalf("decoded but not encoded: %v", err)
	}
	read, final, err := readAsTritonGRPC(m.Body[frame.HeaderBytes:])
	if err != nil {
		t.Fatalf("Triton does not read %x: %v", m.Body, err)
	}
	if err := sameGRPC(request, read); err != nil || (final == true) != (route.Operation == codec.InferStream) {
		t.Fatalf("Triton reads %+v, end %v: %v", read, final, err)
	}
	for i, output := range read.Outputs {
		// Without a signature, no number of classes is enough.
		if output.Name != request.Outputs[i].Name || (output.Classes > 0) != (request.Outputs[i].Classes > 0) ||
			output.Classes > 0 && output.Classes != int(c.limits.MaxBytesElements)+1 {
			t.Fatalf("asked for %+v, Triton reads %+v", request.Outputs[i], output)
		}
	}
	again, err := c.DecodeRequest(route, m.Headers, m.Body)
	if err != nil {
		t.Fatalf("own form refused: %v\n%x", err, m.Body)
	}
	if m2, err := c.EncodeRequest(again, outputNames(again)); err != nil || !bytes.Equal(m.Body, m2.Body) {
		t.Fatalf("not a fixed point: %v\n%x\n%x", err, m.Body, m2.Body)
	}
}

// FuzzGRPCResponse holds that an accepted answer means to a client's parser of
// protobuf what the typed one says, before and after, and that the form for the
// client is a fixed point.
func FuzzGRPCResponse(f *testing.F) {
	for _, v := range readGRPCVectors(f) {
		if strings.HasSuffix(v.operation, "_answer") || strings.HasSuffix(v.operation, "_error") {
			f.Add(v.message[frame.HeaderBytes:], strings.HasPrefix(v.operation, "infer_stream"))
		}
	}
	f.Fuzz(func(t *testing.T, source []byte, stream bool) {
		c := newGRPC(t)
		request := &codec.Request{Operation: codec.Infer, Extra: emptyFinal(true)}
		if stream {
			request.Operation = codec.InferStream
		}
		response, err := c.DecodeResponse(request, nil, frame.AppendGRPC(nil, source))
		if err != nil {
			if r := reasonOf(t, err); r != string(codec.ResponseMalformed) && r != string(codec.ResponseTooLarge) {
				t.Fatalf("reason %s", r)
			}
			return
		}
		checkAnswer(t, source, stream, response)
		m, err := c.EncodeResponse(request, response)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		checkAnswer(t, m.Body[frame.HeaderBytes:], stream, response)
		again, err := c.DecodeResponse(request, nil, m.Body)
		if err != nil || again.Final != response.Final || again.Error != response.Error {
			t.Fatalf("own form read as %+v, %v", again, err)
		}
		if m2, err := c.EncodeResponse(request, again); err != nil || !bytes.Equal(m.Body, m2.Body) {
			t.Fatalf("not a fixed point: %v\n%x\n%x", err, m.Body, m2.Body)
		}
	})
}

// checkAnswer holds that a client reads in an answer what the typed one says.
func checkAnswer(t *testing.T, source []byte, stream bool, typed *codec.Response) {
	t.Helper()
	name, text := "ModelInferResponse", ""
	if stream {
		name = "ModelStreamInferResponse"
	}
	m, err := protobuf(protoreflect.Name(name), source)
	if err != nil {
		t.Fatal(err)
	}
	if stream {
		text = m.value("error_message").String()
		m = protoMessage{m.value("infer_response").Message()}
	}
	var final any
	var others []codec.Parameter
	for _, p := range m.parameters() {
		if p.Name == "triton_final_response" {
			final = p.Value
		} else {
			others = append(others, p)
		}
	}
	if text != typed.Error || m.cString("model_name") != typed.Model || m.cString("model_version") != typed.Version || m.cString("id") != typed.ID ||
		!slices.Equal(others, sortedParameters(typed.Parameters)) {
		t.Fatalf("a client reads %v, not %+v", m.Interface(), typed)
	}
	if said := final != nil; said && final != typed.Final || !said && typed.Final != (text != "") {
		t.Fatalf("the end is said as %v, typed as %v", final, typed.Final)
	}
	outputs, raw := m.list("outputs"), m.value("raw_output_contents").List()
	if len(outputs) != len(typed.Outputs) || raw.Len() != len(typed.Outputs) {
		t.Fatalf("%d outputs, %d contents, not %d", len(outputs), raw.Len(), len(typed.Outputs))
	}
	for i, output := range outputs {
		want := &typed.Outputs[i]
		shape := output.value("shape").List()
		same := shape.Len() == len(want.Shape)
		for j := 0; same && j < len(want.Shape); j++ {
			same = shape.Get(j).Int() == want.Shape[j]
		}
		if !same || output.cString("name") != want.Name || output.cString("datatype") != want.DataType.String() || !bytes.Equal(raw.Get(i).Bytes(), want.Data) {
			t.Fatalf("output %d is %v, not %v", i, output.Interface(), want)
		}
	}
}

// FuzzGRPCQuery holds that the model of a query is the one that every parser reads.
func FuzzGRPCQuery(f *testing.F) {
	for _, v := range readGRPCVectors(f) {
		if route := codec.Operation(0); !strings.HasPrefix(v.operation, "infer") {
			for route.String() != v.operation {
				route++
			}
			f.Add(v.message[frame.HeaderBytes:], uint8(route))
		}
	}
	f.Fuzz(func(t *testing.T, source []byte, operation uint8) {
		c := newGRPC(t)
		route := codec.Route{Protocol: codec.KServeGRPC, Operation: codec.Operation(operation)}
		m, err := c.DecodeQuery(&route, nil, frame.AppendGRPC(nil, source))
		if reasonOf(t, err) != "ok" {
			return
		}
		name := "ModelReadyRequest"
		if route.Operation == codec.RepositoryIndex {
			name = "RepositoryIndexRequest"
		}
		theirs, err := protobuf(protoreflect.Name(name), source)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := protobuf(protoreflect.Name(name), m.Body[frame.HeaderBytes:])
		if err != nil || !proto.Equal(theirs.Interface(), ours.Interface()) {
			t.Fatalf("%v became %v, %v", theirs, ours, err)
		}
		if named := route.Operation != codec.HealthCheck && name == "ModelReadyRequest"; named &&
			(ours.cString("name") != route.Model || ours.cString("version") != route.Version) {
			t.Fatalf("%v is of %q %q", ours, route.Model, route.Version)
		}
		again := route
		if m2, err := c.DecodeQuery(&again, m.Headers, m.Body); err != nil || !bytes.Equal(m.Body, m2.Body) || again != route {
			t.Fatalf("not a fixed point: %v", err)
		}
	})
}

// The messages of grpc_reads.txt are odd or damaged: those that pass all the same
// must mean to Triton what the codec read.
func TestOddMessages(t *testing.T) {
	source, err := os.ReadFile("testdata/grpc_reads.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		odd, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		body := unhex(t, odd)
		request, err := infer(newGRPC(t), string(body))
		if reasonOf(t, err) != "ok" {
			continue
		}
		if read, _, err := readAsTritonGRPC(body); err != nil || sameGRPC(request, read) != nil {
			t.Errorf("%s is %v for Triton, error %v", odd, read, err)
		}
	}
}
