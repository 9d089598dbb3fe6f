//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// The halves of gRPC of rows 28 to 32 are in trick_grpc_test.go.

// Triton refuses these itself, after it has read them; Weir does it first.
func TestTrick28InputsTwiceOrUnknown(t *testing.T) {
	evil, harmless := textInput(`"evil"`), textInput(`"good"`)
	run(t,
		trick{name: "twice", body: `{"inputs":[` + evil + `,` + harmless + `]}`, fails: bad, reason: "input_duplicate"},
		trick{name: "twice, up to a NUL", body: `{"inputs":[` + evil + `,` + strings.Replace(harmless, "TEXT", `TEXT\u0000`, 1) + `]}`, fails: bad, reason: "name_invalid"},
		trick{name: "twice, escaped", body: `{"inputs":[` + evil + `,` + strings.Replace(harmless, "TEXT", `\u0054EXT`, 1) + `]}`, fails: bad, reason: "input_duplicate"},
		trick{name: "unknown", body: `{"inputs":[` + goodInput + `,{"name":"NO","shape":[1],"datatype":"FP32","data":[1]}]}`, fails: bad, reason: "signature_mismatch"},
		trick{name: "another case", body: `{"inputs":[` + strings.Replace(goodInput, "TEXT", "Text", 1) + `]}`, fails: bad, reason: "signature_mismatch"},
		trick{name: "another datatype", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"FP32","data":[1]}]}`, fails: bad, reason: "signature_mismatch"},
		trick{name: "another rank", body: `{"inputs":[{"name":"TEXT","shape":[1,1],"datatype":"BYTES","data":["a"]}]}`, fails: bad, reason: "signature_mismatch"},
		trick{name: "a batch that is too large", path: "/v2/models/echo_batch/infer", fails: bad, reason: "signature_mismatch",
			body: `{"inputs":[{"name":"VALUES","shape":[9,1],"datatype":"FP32","data":[1,2,3,4,5,6,7,8,9]}]}`},
		trick{name: "batches that differ", path: "/v2/models/echo_batch/infer", fails: bad, reason: "signature_mismatch",
			body: `{"inputs":[{"name":"VALUES","shape":[2,1],"datatype":"FP32","data":[1,2]},{"name":"IMAGE","shape":[1,1],"datatype":"BYTES","data":["a"]}]}`},
		// What the policy does not name the model takes, but nobody has looked at.
		trick{name: "undeclared", body: `{"inputs":[{"name":"VALUES","shape":[1],"datatype":"FP32","data":[1]}]}`, reads: "\x00\x00\x80\x3f", reason: "input_undeclared"},
	)
}

// This Triton makes an output as often as it is asked for.
func TestTrick29OutputsTwiceOrThousandsOfThem(t *testing.T) {
	asking := func(outputs string) string {
		return `{"inputs":[` + textInput(`"evil"`) + `],"outputs":[` + outputs + `]}`
	}
	run(t,
		trick{name: "twice", body: asking(repeated(2, `{"name":"ECHO_TEXT"}`)), reads: "evil", reason: "output_duplicate"},
		trick{name: "twice, escaped", body: asking(`{"name":"ECHO_TEXT"},{"name":"\u0045CHO_TEXT"}`), reads: "evil", reason: "output_duplicate"},
		trick{name: "twice, in two forms", body: asking(`{"name":"ECHO_TEXT"},{"name":"ECHO_TEXT","parameters":{"binary_data":true}}`), reads: "evil", reason: "output_duplicate"},
		trick{name: "thousands", body: asking(repeated(5000, `{"name":"ECHO_TEXT"}`)), reads: "evil", reason: "outputs_too_many"},
		trick{name: "unknown", body: asking(`{"name":"NO"}`), fails: bad, reason: "signature_mismatch"},
	)
}

// A client chooses what comes back, and so what a firewall gets to see.
func TestTrick30OutputsThatHide(t *testing.T) {
	shared.ready(t)
	const path = "/v2/models/traffic-sign/infer"
	picture := tensor{Name: "IMAGE", DataType: "BYTES", Shape: []int64{1, 1}, blob: elements(jpegOf(t))}
	asking := func(parameters, outputs string) trick {
		k := binaryRequest(picture)
		var head int
		fmt.Sscan(strings.TrimPrefix(k.headers[0], headerLength), &head)
		json := k.body[:head-1] + parameters + outputs + "}"
		k.path, k.body, k.headers = path, json+k.body[head:], []string{fmt.Sprint(headerLength, len(json))}
		return k
	}
	t.Run("the checked output is not asked for", func(t *testing.T) {
		k := asking("", `,"outputs":[{"name":"LABEL"}]`)
		if r, _ := toTriton(t, k.wire()); r.status != http.StatusOK || bytes.Contains(r.body, []byte("SCORES")) {
			t.Errorf("without Weir: %v", r)
		}
		before := shared.tap.len()
		r, _ := shared.raw(t, k.wire())
		if r.status != http.StatusOK || r.header.Get("x-weir-action") != "flag" || r.header.Get("x-weir-reason") != "low_confidence" || bytes.Contains(r.body, []byte("SCORES")) {
			t.Errorf("with Weir: %v, want a finding in an output that the client does not get", r)
		}
		if seen := shared.tap.seen(before); !bytes.Contains(seen, []byte(`{"name":"SCORES","parameters":{"binary_data":true}}`)) {
			t.Errorf("with Weir: the model server was not asked for the output: %.600q", seen)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		k := asking("", "")
		k.headers = append(k.headers, "Accept-Encoding: gzip")
		if r, _ := toTriton(t, k.wire()); r.header.Get("content-encoding") != "gzip" {
			t.Errorf("without Weir: %v", r)
		}
		before := shared.tap.len()
		r, _ := shared.raw(t, k.wire())
		if r.header.Get("x-weir-action") != "flag" || r.header.Get("content-encoding") != "gzip" {
			t.Errorf("with Weir: %v", r)
		}
		if seen := bytes.ToLower(shared.tap.seen(before)); bytes.Contains(seen, []byte("accept-encoding")) {
			t.Errorf("with Weir: the model server was asked for an answer that cannot be read: %.600q", seen)
		}
	})
	// Triton makes numbers of what it takes for floats, and does not outlive strings.
	t.Run("as classes that there are none of", func(t *testing.T) {
		trick{body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"classification":1}}]}`, reason: "signature_mismatch"}.kills(t)
	})
	t.Run("in shared memory", func(t *testing.T) {
		k := trick{body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}`,
			fails: http.StatusNotFound, reason: "shared_memory_denied"} // works where there is a region: TestSharedMemory
		k.withoutWeir(t)
		k.withWeir(t)
	})
}

// Parameters reach the model as they are, and may steer it. Those of a tensor
// Triton ignores, but other servers read.
func TestTrick31Parameters(t *testing.T) {
	shared.ready(t)
	with := func(parameters string) trick {
		return trick{body: `{"parameters":{` + parameters + `},"inputs":[` + goodInput + `]}`}
	}
	for _, test := range []struct {
		name, parameters string
		seen             map[string]any // by the model, without Weir
		reason           string         // "": Weir lets it through
	}{
		{"of its own", `"evil":"x"`, map[string]any{"evil": "x"}, "parameter_not_allowed"},
		{"beside one that is allowed", `"note":"x","evil":1`, map[string]any{"note": "x", "evil": 1.0}, "parameter_not_allowed"},
		{"in another case", `"Note":"x"`, map[string]any{"Note": "x"}, "parameter_not_allowed"},
		{"allowed", `"note":"x"`, map[string]any{"note": "x"}, ""},
		{"allowed, a number", `"note":1.5`, map[string]any{"note": 1.5}, ""},
		{"of a sequence", `"sequence_id":7,"sequence_start":true`, map[string]any{}, "parameter_not_allowed"},
		{"of the schedule", `"priority":1,"timeout":1`, map[string]any{}, "parameter_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := with(test.parameters)
			if r, got := toTriton(t, k.wire()); r.status != http.StatusOK || len(got) != 1 || !reflect.DeepEqual(got[0].Parameters, test.seen) {
				t.Errorf("without Weir: want %v; have %v, %+v", test.seen, r, got)
			}
			k.reason, k.clean = test.reason, "a"
			k.withWeir(t)
			if got := lastReceived(t); test.reason == "" && !reflect.DeepEqual(got.Parameters, test.seen) {
				t.Errorf("with Weir: want %v; have %+v", test.seen, got)
			}
		})
	}
	tricks := []trick{
		{name: "of an input", body: strings.Replace(good, `"name"`, `"parameters":{"content_type":"base64"},"name"`, 1), reads: "a", reason: "parameter_invalid"},
		{name: "of an output", body: `{"inputs":[` + goodInput + `],"outputs":[{"name":"ECHO_TEXT","parameters":{"evil":1}}]}`, reads: "a", reason: "parameter_invalid"},
	}
	for name, p := range map[string]string{"an object": `"note":{}`, "an array": `"note":[]`, "null": `"note":null`} {
		k := with(p)
		k.name, k.fails, k.reason = name, bad, "parameter_invalid"
		tricks = append(tricks, k)
	}
	reserved := with(`"triton_enable_empty_final_response":true`)
	reserved.name, reserved.fails, reserved.reason = "reserved", bad, "parameter_invalid"
	run(t, append(tricks, reserved)...)
}
