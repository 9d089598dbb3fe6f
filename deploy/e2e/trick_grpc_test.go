//go:build e2e

package e2e

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"weir/deploy/local"
)

// Names are C strings for Triton over gRPC, too.
func TestTrick08NULInNamesOverGRPC(t *testing.T) {
	raw := pbBytes(7, string(elements("evil")))
	runRPC(t,
		rpcTrick{name: "model", message: pbBytes(1, "echo\x00x") + rpcInput("TEXT", "BYTES", 1) + raw, reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "version", message: rpcText("evil", pbBytes(2, "1\x002")), reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "id", message: rpcText("evil", pbBytes(3, "a\x00b")), reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "input", message: pbBytes(1, "echo") + rpcInput("TEXT\x00x", "BYTES", 1) + raw, reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "datatype", message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES\x00x", 1) + raw, reads: "evil", reason: "datatype_invalid"},
		rpcTrick{name: "output", message: rpcText("evil", pbBytes(6, pbBytes(1, "ECHO_TEXT\x00x"))), reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "parameter", message: rpcText("evil", rpcParameter(4, "note\x00x", pbBytes(3, "a"))), reads: "evil", reason: "name_invalid"},
		rpcTrick{name: "value of a parameter", message: rpcText("evil", rpcParameter(4, "note", pbBytes(3, "a\x00b"))), reads: "evil", reason: "parameter_invalid"},
	)
}

// Triton multiplies 2^62 by 4 to 0 bytes, which are there; the model does not
// outlive it.
func TestTrick13ShapeThatOverflowsOverGRPC(t *testing.T) {
	shared.ready(t)
	k := rpcTrick{message: pbBytes(1, "echo") + pbBytes(5, pbBytes(1, "VALUES")+pbBytes(2, "FP32")+pbBytes(3, string(protowire.AppendVarint(nil, 1<<62)))) + pbBytes(7, ""),
		reason: "shape_invalid"}
	victim := newTriton(t, local.TritonOptions{Models: []string{"echo"}})
	k.send(t, victim.GRPC)
	if r := (rpcTrick{message: rpcText("good")}).send(t, victim.GRPC); r.code != codes.Internal || !strings.Contains(r.message, "not healthy") {
		t.Errorf("without Weir the model lives: %+v", r)
	}
	k.withWeir(t)
}

func TestTrick17ElementsThatLieOverGRPC(t *testing.T) {
	lying := func(name, raw string) rpcTrick {
		return rpcTrick{name: name, message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", 1) + pbBytes(7, raw), fails: codes.InvalidArgument, reason: "input_data_invalid"}
	}
	runRPC(t,
		lying("longer than what is left", "\x05\x00\x00\x00evil"),
		lying("shorter", "\x03\x00\x00\x00evil"),
		lying("two", string(elements("good", "evil"))),
		lying("a length cut short", "\x04\x00"),
		lying("nothing", ""),
	)
}

// Triton reads a version as far as it is a number.
func TestTrick23VersionsOverGRPC(t *testing.T) {
	for _, version := range []string{"01", "+1", " 1", "\t1", "1 ", "1abc", "1.9", "0000000000000000001"} {
		runRPC(t, rpcTrick{name: version, message: rpcText("evil", pbBytes(2, version)), reads: "evil", reason: "name_invalid"})
	}
	for version, reason := range map[string]string{"2": "model_version_unknown", "99999999999999999999": "name_invalid", "x": "name_invalid", "0x1": "name_invalid"} {
		fails := codes.InvalidArgument
		if version == "2" || version == "0x1" {
			fails = codes.NotFound
		}
		runRPC(t, rpcTrick{name: version, message: rpcText("evil", pbBytes(2, version)), fails: fails, reason: reason})
	}
	runRPC(t, rpcTrick{name: "1", message: rpcText("evil", pbBytes(2, "1")), reads: "evil", clean: "evil"},
		rpcTrick{name: "none", message: rpcText("evil", pbBytes(2, "")), reads: "evil", clean: "evil"},
		rpcTrick{name: "another model", message: strings.Replace(rpcText("evil"), "echo", "ecco", 1), fails: codes.NotFound, reason: "model_unknown"})
}

// Newer Tritons serve gRPC whatever a request calls itself, this one some of it; a
// rule by content-type does not see that.
func TestTrick25HeadsOfCalls(t *testing.T) {
	evil := rpcText("evil")
	for contentType, fails := range map[string]codes.Code{"application/grpc+json": codes.OK, "application/grpc;charset=x": codes.OK,
		"application/grpc-web": noStatus, "application/grpc-web-text": noStatus, "APPLICATION/GRPC": noStatus,
		"application/json": noStatus, "text/plain": noStatus, "application/x-protobuf": noStatus} {
		k := rpcTrick{name: contentType, message: evil, headers: []string{"-Content-Type", "Content-Type: " + contentType}, fails: fails, reason: "header_invalid"}
		if fails == codes.OK {
			k.reads = "evil"
		}
		runRPC(t, k)
	}
	runRPC(t,
		rpcTrick{name: "application/grpc+proto", message: evil, headers: []string{"-Content-Type", "Content-Type: application/grpc+proto"}, reads: "evil", clean: "evil"},
		rpcTrick{name: "no content-type", message: evil, headers: []string{"-Content-Type"}, reads: "evil", reason: "header_invalid"},
		rpcTrick{name: "no te", message: evil, headers: []string{"-Te"}, fails: noStatus, reason: "header_invalid"},
		rpcTrick{name: "content-encoding", message: evil, headers: []string{"Content-Encoding: gzip"}, reads: "evil", reason: "encoding_unsupported"},
		rpcTrick{name: "a query", path: inferenceService + "ModelInfer?x", message: evil, fails: codes.Unimplemented, clean: "evil"},
		rpcTrick{name: "an escape", path: inferenceService + "Model%49nfer", message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
		rpcTrick{name: "a slash at the end", path: inferenceService + "ModelInfer/", message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
		rpcTrick{name: "two slashes", path: "/inference.GRPCInferenceService//ModelInfer", message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
		rpcTrick{name: "another case", path: inferenceService + "modelInfer", message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
		rpcTrick{name: "another service", path: "/other.GRPCInferenceService/ModelInfer", message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
		rpcTrick{name: "GET", method: http.MethodGet, fails: noStatus, reason: "method_not_allowed"},
		rpcTrick{name: "PUT", method: http.MethodPut, frames: frame(0, evil), fails: noStatus, reason: "method_not_allowed"},
		// Envoy keeps these to itself.
		rpcTrick{name: "a timeout that is none", message: evil, headers: []string{"Grpc-Timeout: 1x"}, fails: noStatus, clean: "evil"},
		rpcTrick{name: "two timeouts", message: evil, headers: []string{"Grpc-Timeout: 9S", "Grpc-Timeout: 8S"}, reads: "evil", clean: "evil"},
		rpcTrick{name: "an inference over HTTP", path: echoInfer, message: evil, fails: codes.Unimplemented, reason: "route_unknown"},
	)
	for reason, lines := range map[string][]string{"header_invalid": {"grpc-timeout: 1x"}, "header_duplicate": {"grpc-timeout: 9S", "grpc-timeout: 8S"}} {
		lines = append(lines, ":path: "+inferenceService+"ModelInfer", "content-type: application/grpc", "te: trailers")
		if got := shared.pastEnvoy(t, frame(0, evil), lines...); got.reason != reason {
			t.Errorf("past Envoy, %q: %+v", lines, got)
		}
	}
}

// Of several messages Triton takes the first, and an empty one where it does not
// know the flag. What is compressed has to be so as it says, other than over HTTP.
func TestTrick26Frames(t *testing.T) {
	shared.ready(t)
	evil, harmless := rpcText("evil"), rpcText("good")
	gzipCoding := []string{"Grpc-Encoding: gzip"}
	packed := gzipped(evil)
	for _, flag := range []byte{2, 0x81} {
		k := rpcTrick{frames: frame(flag, evil), reason: "message_malformed"}
		if r, got := k.toTriton(t); len(got) > 0 || r.code != codes.NotFound && r.code != codes.Internal { // no model, or no message
			t.Errorf("without Weir, flag %d: %+v, %+v", flag, r, got)
		}
		k.withWeir(t)
	}
	runRPC(t,
		rpcTrick{name: "two messages", frames: frame(0, evil) + frame(0, harmless), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a message and a part", frames: frame(0, evil) + "\x00\x00\x00", reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a message and an empty one", frames: frame(0, evil) + frame(0, ""), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a part", frames: frame(0, evil)[:20], fails: codes.Internal, reason: "message_malformed"},
		rpcTrick{name: "an empty message", frames: frame(0, ""), fails: codes.NotFound, reason: "name_invalid"},
		rpcTrick{name: "compressed, as nothing", frames: frame(1, packed), fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "compressed, as identity", frames: frame(1, packed), headers: []string{"Grpc-Encoding: identity"}, fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "plain, in a coding that nobody knows", frames: frame(0, evil), headers: []string{"Grpc-Encoding: snappy"}, fails: noStatus, reason: "encoding_unsupported"},
		rpcTrick{name: "compressed", frames: frame(1, packed), headers: gzipCoding, reads: "evil", clean: "evil"},
		rpcTrick{name: "deflate", frames: frame(1, deflated(evil)), headers: []string{"Grpc-Encoding: deflate"}, reads: "evil", clean: "evil"},
		rpcTrick{name: "plain, as gzip", frames: frame(0, evil), headers: gzipCoding, reads: "evil", clean: "evil"},
		rpcTrick{name: "two codings", frames: frame(1, packed), headers: []string{"Grpc-Encoding: identity", "Grpc-Encoding: gzip"}, reads: "evil", reason: "header_duplicate"},
		rpcTrick{name: "two members", frames: frame(1, packed+gzipped("")), headers: gzipCoding, fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "bytes after it", frames: frame(1, packed+"x"), headers: gzipCoding, fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "cut short", frames: frame(1, packed[:len(packed)-4]), headers: gzipCoding, fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "raw deflate", frames: frame(1, rawDeflated(evil)), headers: []string{"Grpc-Encoding: deflate"}, fails: codes.Internal, reason: "encoding_invalid"},
		rpcTrick{name: "a bomb", frames: frame(1, gzipped(rpcText(strings.Repeat(" ", 3<<20)))), headers: gzipCoding, reads: strings.Repeat(" ", 3<<20), reason: "body_too_large"},
	)
}

// Parsers of protobuf agree on the simplest form of a message only.
func TestTrick27Messages(t *testing.T) {
	evil, harmless := string(elements("evil")), string(elements("good"))
	model, input := pbBytes(1, "echo"), rpcInput("TEXT", "BYTES", 1)
	contents := func(text string) string { return pbBytes(5, pbBytes(8, text)) }
	typed := func(more ...string) string { return model + rpcInput("TEXT", "BYTES", 1, more...) }
	number := func(contents string) string {
		return pbBytes(1, "identity") + pbBytes(5, pbBytes(1, "UINT8")+pbBytes(2, "UINT8")+pbBytes(3, "\x01\x01")+pbBytes(5, contents))
	}
	unpacked := pbBytes(5, pbBytes(1, "TEXT")+pbBytes(2, "BYTES")+pbVarint(3, 1))
	longer := pbBytes(5, pbBytes(1, "TEXT")+pbBytes(2, "BYTES")+pbBytes(3, "\x81\x00"))
	runRPC(t,
		rpcTrick{name: "contents", message: typed(contents("evil")), reads: "evil", clean: "evil"},
		rpcTrick{name: "contents beside raw ones", message: typed(contents("good")) + pbBytes(7, evil), fails: codes.InvalidArgument, reason: "input_data_invalid"},
		rpcTrick{name: "one raw content too many", message: model + input + pbBytes(7, evil) + pbBytes(7, harmless), reads: "evil", reason: "binary_size_invalid"},
		rpcTrick{name: "one raw content too few", message: model + input + rpcInput("IMAGE", "BYTES", 1) + pbBytes(7, evil), fails: codes.InvalidArgument, reason: "binary_size_invalid"},
		rpcTrick{name: "no data", message: model + input, fails: codes.InvalidArgument, reason: "input_data_invalid"},
		rpcTrick{name: "contents twice, merged", message: model + rpcInput("TEXT", "BYTES", 2, contents("evil"), contents("good")), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "contents of another datatype", message: typed(pbBytes(5, pbBytes(4, "\x01"))), fails: codes.InvalidArgument, reason: "input_data_invalid"},
		rpcTrick{name: "the name of the model twice", message: pbBytes(1, "identity") + model + input + pbBytes(7, evil), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "the name of an input twice", message: model + rpcInput("IMAGE", "BYTES", 1, pbBytes(1, "TEXT")) + pbBytes(7, evil), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "an unknown field", message: rpcText("evil", pbBytes(99, "x")), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "an unknown field of an input", message: typed(pbVarint(15, 1)) + pbBytes(7, evil), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a group", message: rpcText("evil", string(protowire.AppendTag(nil, 20, protowire.StartGroupType))+string(protowire.AppendTag(nil, 20, protowire.EndGroupType))), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a field of another type", message: rpcText("evil", pbVarint(3, 1)), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "field 0", message: rpcText("evil", "\x02\x01x"), fails: codes.Internal, reason: "message_malformed"},
		rpcTrick{name: "past the end", message: rpcText("evil") + "\x3a\x7f", fails: codes.Internal, reason: "message_malformed"},
		rpcTrick{name: "a name that is not UTF-8", message: rpcText("evil", pbBytes(3, "\xff")), fails: codes.Internal, reason: "message_malformed"},
		rpcTrick{name: "a shape that is not packed", message: model + unpacked + pbBytes(7, evil), reads: "evil", clean: "evil"},
		rpcTrick{name: "a varint that is longer than it need be", message: model + longer + pbBytes(7, evil), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "a parameter twice", message: rpcText("evil", rpcParameter(4, "note", pbBytes(3, "a")), rpcParameter(4, "note", pbBytes(3, "b"))), reads: "evil", reason: "parameter_invalid"},
		rpcTrick{name: "a parameter of two types", message: rpcText("evil", rpcParameter(4, "note", pbBytes(3, "a")+pbVarint(1, 1))), reads: "evil", reason: "message_malformed"},
		rpcTrick{name: "300 as UINT8", message: number(pbVarint(4, 300)), reads: "\x2c", reason: "number_out_of_range"},
		rpcTrick{name: "a dimension that is negative", message: model + pbBytes(5, pbBytes(1, "TEXT")+pbBytes(2, "BYTES")+pbBytes(3, string(protowire.AppendVarint(nil, 1<<64-1)))) + pbBytes(7, evil),
			fails: codes.InvalidArgument, reason: "shape_invalid"},
	)
}

func TestTrick28InputsTwiceOrUnknownOverGRPC(t *testing.T) {
	evil, harmless := pbBytes(7, string(elements("evil"))), pbBytes(7, string(elements("good")))
	model, input := pbBytes(1, "echo"), rpcInput("TEXT", "BYTES", 1)
	runRPC(t,
		rpcTrick{name: "twice", message: model + input + input + evil + harmless, fails: codes.InvalidArgument, reason: "input_duplicate"},
		rpcTrick{name: "unknown", message: model + input + rpcInput("NO", "BYTES", 1) + evil + harmless, fails: codes.InvalidArgument, reason: "signature_mismatch"},
		rpcTrick{name: "another datatype", message: model + rpcInput("TEXT", "UINT8", 4) + pbBytes(7, "evil"), fails: codes.InvalidArgument, reason: "signature_mismatch"},
		rpcTrick{name: "undeclared", message: model + rpcInput("VALUES", "FP32", 1) + pbBytes(7, "\x00\x00\x80\x3f"), reads: "\x00\x00\x80\x3f", reason: "input_undeclared"},
	)
}

func TestTrick29OutputsTwiceOrThousandsOfThemOverGRPC(t *testing.T) {
	output := pbBytes(6, pbBytes(1, "ECHO_TEXT"))
	runRPC(t,
		rpcTrick{name: "twice", message: rpcText("evil", output, output), reads: "evil", reason: "output_duplicate"},
		rpcTrick{name: "unknown", message: rpcText("evil", pbBytes(6, pbBytes(1, "NO"))), fails: codes.InvalidArgument, reason: "signature_mismatch"},
	)
	var many []string
	for range 100 {
		many = append(many, pbBytes(6, pbBytes(1, strings.Repeat("x", len(many)+1))))
	}
	runRPC(t, rpcTrick{name: "more than the limit", message: rpcText("evil", many...), fails: codes.InvalidArgument, reason: "outputs_too_many"})
}

func TestTrick30OutputsThatHideOverGRPC(t *testing.T) {
	shared.ready(t)
	picture := jpegOf(t)
	k := rpcTrick{message: pbBytes(1, "traffic-sign") + pbBytes(5, pbBytes(1, "IMAGE")+pbBytes(2, "BYTES")+pbBytes(3, "\x01\x01")) +
		pbBytes(6, pbBytes(1, "LABEL")) + pbBytes(7, string(elements(picture)))}
	if r, _ := k.toTriton(t); r.code != codes.OK || strings.Contains(r.body, "SCORES") {
		t.Errorf("without Weir: %+v", r)
	}
	before := shared.taps[1].len()
	if r := k.send(t, shared.addr); r.code != codes.OK || r.header.Get("x-weir-reason") != "low_confidence" || strings.Contains(r.body, "SCORES") {
		t.Errorf("with Weir: %+v, want a finding in an output that the client does not get", r)
	}
	if seen := string(shared.taps[1].seen(before)); !strings.Contains(seen, pbBytes(6, pbBytes(1, "SCORES"))) {
		t.Errorf("with Weir: the model server was not asked for the output: %q", seen)
	}
}

func TestTrick31ParametersOverGRPC(t *testing.T) {
	shared.ready(t)
	for _, test := range []struct {
		name, parameter string
		seen            map[string]any
		reason          string
	}{
		{"of its own", rpcParameter(4, "evil", pbBytes(3, "x")), map[string]any{"evil": "x"}, "parameter_not_allowed"},
		{"allowed", rpcParameter(4, "note", pbBytes(3, "x")), map[string]any{"note": "x"}, ""},
		{"allowed, a number", rpcParameter(4, "note", pbVarint(2, 7)), map[string]any{"note": 7.0}, ""},
		{"of a sequence", rpcParameter(4, "sequence_id", pbVarint(2, 7)), map[string]any{}, "parameter_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := rpcTrick{message: rpcText("a", test.parameter), reason: test.reason, clean: "a"}
			if r, got := k.toTriton(t); r.code != codes.OK || len(got) != 1 || !reflect.DeepEqual(got[0].Parameters, test.seen) {
				t.Errorf("without Weir: want %v; have %+v, %+v", test.seen, r, got)
			}
			k.withWeir(t)
			if got := lastReceived(t); test.reason == "" && !reflect.DeepEqual(got.Parameters, test.seen) {
				t.Errorf("with Weir: want %v; have %+v", test.seen, got)
			}
		})
	}
	runRPC(t,
		rpcTrick{name: "of an input", message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", 1, rpcParameter(4, "content_type", pbBytes(3, "base64"))) + pbBytes(7, string(elements("evil"))), reads: "evil", reason: "parameter_invalid"},
		rpcTrick{name: "without a value", message: rpcText("evil", pbBytes(4, pbBytes(1, "note"))), fails: codes.InvalidArgument, reason: "parameter_invalid"},
	)
}

func TestTrick32PicturesInOtherFormsOverGRPC(t *testing.T) {
	for name, file := range map[string]string{"base64": "/9j/4AAQSkZJRg==", "a data URI": "data:image/jpeg;base64,/9j/4AAQSkZJRg==", "a GIF": "GIF89a"} {
		reason := "image_format_unknown"
		if name == "a GIF" {
			reason = "image_format_not_allowed"
		}
		runRPC(t, rpcTrick{name: name, message: pbBytes(1, "echo") + rpcInput("IMAGE", "BYTES", 1) + pbBytes(7, string(elements(file))), reads: file, reason: reason})
	}
}
