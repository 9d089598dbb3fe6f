package kserve

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

const ownID = "01KAV0Y8ZQ3T5V7X9B1D3F5H7K"

// jsonAnswers are answers of a server without binary tensors; expect is a reason, or
// the outputs as "name datatype shape hexadecimal". Those that say so are byte for
// byte what MLServer 1.7.1 and KServe 0.21.0 sent.
var jsonAnswers = []struct{ about, json, expect string }{
	{"MLServer", `{"model_name":"classifier","model_version":"1","id":"` + ownID + `","parameters":{},"outputs":[` +
		`{"name":"SCORES","shape":[1,3],"datatype":"FP32","parameters":{"content_type":"np"},"data":[0.09003058075904846,0.2447284609079361,0.6652409434318542]},` +
		`{"name":"LABEL","shape":[1,1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["right"]}]}`,
		"SCORES FP32 [1 3] f461b83d199a7a3e3b4d2a3f, LABEL BYTES [1 1] 050000007269676874"},
	{"KServe", `{"model_name":"classifier","model_version":null,"id":"` + ownID + `","parameters":null,"outputs":[` +
		`{"name":"SCORES","shape":[1,3],"datatype":"FP32","parameters":null,"data":[0.09003058075904846,0.2447284609079361,0.6652409434318542]},` +
		`{"name":"LABEL","shape":[1,1],"datatype":"BYTES","parameters":null,"data":["right"]}]}`,
		"SCORES FP32 [1 3] f461b83d199a7a3e3b4d2a3f, LABEL BYTES [1 1] 050000007269676874"},
	{"MLServer, NaN", `{"model_name":"classifier","model_version":"1","id":"X1","parameters":{},"outputs":[{"name":"SCORES","shape":[1,3],"datatype":"FP32","parameters":{"content_type":"np"},"data":[null,null,0.0]}]}`,
		"SCORES FP32 [1 3] 0000c07f0000c07f00000000"},
	{"MLServer, nested, every datatype", `{"model_name":"echo","id":"2416e71f-fb3b-402f-a990-5683cde05e5a","parameters":{},"outputs":[{"name":"ECHO_BOOL","shape":[1,2],"datatype":"BOOL","data":[[true,false]]},` +
		`{"name":"ECHO_TEXT","shape":[1],"datatype":"BYTES","data":["hé"]},{"name":"ECHO_FP16","shape":[1,2],"datatype":"FP16","data":[[0.5,-0.0]]},` +
		`{"name":"ECHO_UINT64","shape":[1,1],"datatype":"UINT64","data":[[18446744073709551615]]}]}`,
		"ECHO_BOOL BOOL [1 2] 0100, ECHO_TEXT BYTES [1] 0300000068c3a9, ECHO_FP16 FP16 [1 2] 00380080, ECHO_UINT64 UINT64 [1 1] ffffffffffffffff"},
	{"null in FP16 and FP64", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP16","data":[null]},{"name":"B","shape":[2],"datatype":"FP64","data":[ null , 1]}]}`,
		"A FP16 [1] 007e, B FP64 [2] 010000000000f87f000000000000f03f"},
	{"null for everything that may be absent", `{"id":null,"model_name":"m","model_version":null,"parameters":{"a":null,"b":1},"outputs":[{"name":"A","parameters":{"content_type":null},"shape":[0],"datatype":"INT8","data":[]}]}`, "A INT8 [0] "},
	{"no version, as an empty text", `{"model_name":"m","model_version":"","outputs":[]}`, ""},
	{"other parameters of an output", `{"model_name":"m","outputs":[{"name":"A","parameters":{"x":1,"content_type":"np","y":true},"shape":[1],"datatype":"INT8","data":[-1]}]}`, "A INT8 [1] ff"},
	{"data before its shape", `{"outputs":[{"data":[[1],[2]],"name":"A","shape":[2,1],"datatype":"UINT8"}],"model_name":"m"}`, "A UINT8 [2 1] 0102"},

	{"null in integers", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"INT32","data":[null]}]}`, "response_malformed"},
	{"null in BYTES", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"BYTES","data":[null]}]}`, "response_malformed"},
	{"null in BOOL", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"BOOL","data":[null]}]}`, "response_malformed"},
	{"a longer word", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32","data":[nullx]}]}`, "response_malformed"},
	{"no data", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32"}]}`, "response_malformed"},
	{"null data", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32","data":null}]}`, "response_malformed"},
	{"null name", `{"model_name":"m","outputs":[{"name":null,"shape":[0],"datatype":"FP32","data":[]}]}`, "response_malformed"},
	{"null outputs", `{"model_name":"m","outputs":null}`, "response_malformed"},
	{"null model", `{"model_name":null,"outputs":[]}`, "response_malformed"},
	{"binary data that was not asked for", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}`, "response_malformed"},
	{"a parameter that is an object", `{"model_name":"m","outputs":[{"name":"A","shape":[0],"datatype":"FP32","parameters":{"headers":{}},"data":[]}]}`, "response_malformed"},
	{"a content type with a line break", `{"model_name":"m","outputs":[{"name":"A","shape":[0],"datatype":"FP32","parameters":{"content_type":"a\nb"},"data":[]}]}`, "response_malformed"},
	{"headers in the JSON", `{"model_name":"m","parameters":{"headers":{"a":"b"}},"outputs":[]}`, "response_malformed"},
	{"NaN", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32","data":[NaN]}]}`, "response_malformed"},
	{"a count that is not that of the shape", `{"model_name":"m","outputs":[{"name":"A","shape":[3],"datatype":"FP32","data":[1,2]}]}`, "response_malformed"},
	{"nested otherwise than the shape", `{"model_name":"m","outputs":[{"name":"A","shape":[2,1],"datatype":"FP32","data":[[1,2]]}]}`, "response_malformed"},
	{"300 as UINT8", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"UINT8","data":[300]}]}`, "response_malformed"},
	{"a float as INT8", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"INT8","data":[1.0]}]}`, "response_malformed"},
	{"1e39 as FP32", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP32","data":[1e39]}]}`, "response_malformed"},
	{"65520 as FP16", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"FP16","data":[65520.0]}]}`, "response_malformed"},
	{"a number as BYTES", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"BYTES","data":[1]}]}`, "response_malformed"},
	{"BF16", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"BF16","data":[1.0]}]}`, "response_malformed"},
	{"a lower-case datatype", `{"model_name":"m","outputs":[{"name":"A","shape":[1],"datatype":"fp32","data":[1.0]}]}`, "response_malformed"},
	{"a version with a line break", `{"model_name":"m","model_version":"1\n","outputs":[]}`, "response_malformed"},
	{"a version that is a number", `{"model_name":"m","model_version":1,"outputs":[]}`, "response_malformed"},
	{"duplicate key", `{"model_name":"m","outputs":[],"outputs":[]}`, "response_malformed"},
	{"duplicate key after null", `{"model_name":"m","id":null,"id":"a","outputs":[]}`, "response_malformed"},
	{"duplicate output", `{"model_name":"m","outputs":[{"name":"A","shape":[0],"datatype":"FP32","data":[]},{"name":"A","shape":[0],"datatype":"FP32","data":[]}]}`, "response_malformed"},
	{"unknown key", `{"model_name":"m","outputs":[],"error":"x"}`, "response_malformed"},
	{"unknown key with null", `{"model_name":"m","outputs":[],"error":null}`, "response_malformed"},
	{"FastAPI's error", `{"detail":"Not Found"}`, "response_malformed"},
	{"bytes after it", `{"model_name":"m","outputs":[]}x`, "response_malformed"},
	{"nothing", ``, "response_malformed"},
	{"too many outputs", `{"model_name":"m","outputs":[` + strings.Repeat(`{"name":"Y","datatype":"FP32","shape":[0],"data":[]},`, 64) + `{}]}`, "response_too_large"},
}

func TestDecodeJSONAnswers(t *testing.T) {
	c := newJSONCodec(t)
	for _, v := range jsonAnswers {
		response, err := c.DecodeResponse(nil, nil, []byte(v.json))
		if got := reasonOf(t, err); err != nil {
			if got != v.expect || response != nil {
				t.Errorf("%s: got %v, want %s", v.about, err, v.expect)
			}
			continue
		}
		var outputs []string
		for _, out := range response.Outputs {
			outputs = append(outputs, fmt.Sprintf("%s %s %v %s", out.Name, out.DataType, out.Shape, hex.EncodeToString(out.Data)))
		}
		if got := strings.Join(outputs, ", "); got != v.expect {
			t.Errorf("%s:\n got %s\nwant %s", v.about, got, v.expect)
		}
	}
}

func TestJSONAnswerFields(t *testing.T) {
	c := newJSONCodec(t)
	for name, test := range map[string]struct {
		json, id, version, parameters string
		anonymous                     bool
	}{
		"Weir's id":          {`"id":"` + ownID + `","model_version":"1"`, ownID, "1", "[]", false},
		"no id":              {`"model_version":"v1.2"`, "", "v1.2", "[]", true},
		"null":               {`"id":null,"model_version":null,"parameters":null`, "", "", "[]", true},
		"the server's id":    {`"id":"2416e71f-fb3b-402f-a990-5683cde05e5a"`, "2416e71f-fb3b-402f-a990-5683cde05e5a", "", "[]", true},
		"a letter too many":  {`"id":"` + ownID + `0"`, ownID + "0", "", "[]", true},
		"parameters":         {`"parameters":{"content_type":"np","n":1,"x":null,"f":0.5,"b":true}`, "", "", "[{content_type np} {n 1} {f 0.5} {b true}]", true},
		"a lower-case of it": {`"id":"` + strings.ToLower(ownID) + `"`, strings.ToLower(ownID), "", "[]", true},
	} {
		r, err := c.DecodeResponse(nil, nil, []byte(`{"model_name":"m","outputs":[],`+test.json+`}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Model != "m" || r.ID != test.id || r.Version != test.version || fmt.Sprint(r.Parameters) != test.parameters || r.Anonymous != test.anonymous {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestJSONAnswerHeaders(t *testing.T) {
	c, body := newJSONCodec(t), []byte(`{"model_name":"m","outputs":[]}`)
	for name, test := range map[string]struct {
		headers codec.Headers
		want    string
	}{
		"length":         {codec.Headers{{Name: "content-length", Value: "31"}, {Name: "content-encoding", Value: "identity"}}, "ok"},
		"another length": {codec.Headers{{Name: "content-length", Value: "30"}}, "response_malformed"},
		"gzip":           {codec.Headers{{Name: "content-encoding", Value: "gzip"}}, "response_malformed"},
		"binary":         {codec.Headers{{Name: headerLengthName, Value: "31"}}, "response_malformed"},
	} {
		if _, err := c.DecodeResponse(nil, test.headers, body); reasonOf(t, err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestJSONAnswerTooLarge(t *testing.T) {
	const answer = `{"model_name":"m","outputs":[{"name":"A","shape":[8],"datatype":"FP64","data":[0,0,0,0,0,0,0,0]}]}`
	for most, want := range map[int]string{len(answer): "ok", len(answer) - 1: "response_too_large"} {
		limits := DefaultLimits()
		limits.MaxResponseBytes = most
		c, err := NewJSON(limits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.DecodeResponse(nil, nil, []byte(answer)); reasonOf(t, err) != want {
			t.Errorf("at most %d bytes: %v, want %s", most, err, want)
		}
	}
}

// The client gets what it asked for: in JSON everything as the server said it, in
// binary form what Triton would send.
func TestJSONAnswersForClients(t *testing.T) {
	c := newJSONCodec(t)
	response, err := c.DecodeResponse(nil, nil, []byte(`{"model_name":"m","id":"x","outputs":[`+
		`{"name":"P","shape":[2],"datatype":"FP32","parameters":{"content_type":"np"},"data":[0.1,null]},`+
		`{"name":"H","shape":[2],"datatype":"FP16","data":[0.1,-0.0]},{"name":"L","shape":[1],"datatype":"BYTES","data":["é"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"P": `{"id":"x","model_name":"m","outputs":[{"name":"P","datatype":"FP32","shape":[2],"parameters":{"content_type":"np"},"data":[0.10000000149011612,null]}]}`,
		"H": `{"id":"x","model_name":"m","outputs":[{"name":"H","datatype":"FP16","shape":[2],"data":[0.0999755859375,-0.0]}]}`,
		"L": `{"id":"x","model_name":"m","outputs":[{"name":"L","datatype":"BYTES","shape":[1],"data":["é"]}]}`,
	} {
		m, err := c.EncodeResponse(&codec.Request{Outputs: []codec.Output{{Name: asked}}}, response)
		if err != nil || string(m.Body) != want {
			t.Errorf("%s: %s, %v\nwant %s", asked, m.Body, err, want)
		}
	}
	m, err := c.EncodeResponse(&codec.Request{Outputs: []codec.Output{{Name: "P", Binary: true}}}, response)
	const want = `{"id":"x","model_name":"m","outputs":[{"name":"P","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}` + "\xcd\xcc\xcc\x3d\x00\x00\xc0\x7f"
	if err != nil || string(m.Body) != want {
		t.Errorf("binary: %q, %v", m.Body, err)
	}
}

// FuzzJSONResponse holds that an accepted answer reaches the client with the same
// tensors, in every form that it can be asked for, and that its JSON is JSON.
func FuzzJSONResponse(f *testing.F) {
	for _, v := range jsonAnswers {
		f.Add([]byte(v.json))
	}
	for _, v := range responseVectors {
		f.Add([]byte(v.json))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := newJSONCodec(t)
		response, err := c.DecodeResponse(nil, nil, body)
		if err != nil {
			if r := reasonOf(t, err); r != string(codec.ResponseMalformed) && r != string(codec.ResponseTooLarge) {
				t.Fatalf("reason %s", r)
			}
			return
		}
		m, err := c.EncodeResponse(&codec.Request{}, response)
		if err != nil || !json.Valid(m.Body) {
			t.Fatalf("decoded but not encoded: %q, %v", m.Body, err)
		}
		again, err := c.DecodeResponse(nil, m.Headers, m.Body)
		if err != nil {
			t.Fatalf("own form refused: %v\n%q", err, m.Body)
		}
		if err := sameResponse(response, again); err != nil || !maps.Equal(response.Extra.(contentTypes), again.Extra.(contentTypes)) {
			t.Fatalf("%v\n%q\n%q", err, body, m.Body)
		}
		if m, err = c.EncodeResponse(&codec.Request{Binary: true}, response); err != nil {
			t.Fatal(err)
		}
		if again, err = newCodec(t).DecodeResponse(nil, m.Headers, m.Body); err != nil {
			t.Fatalf("a client of Triton cannot read %q: %v", m.Body, err)
		}
		if err := sameResponse(response, again); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNaNOfEveryFloat(t *testing.T) {
	for d, e := range answerElements {
		if !d.Float() {
			continue
		}
		data, err := e.read(scanner([]byte("null")), []byte("x"))
		if err != nil || !bytes.HasPrefix(data, []byte("x")) || len(data) != 1+d.Size() {
			t.Errorf("%s: %x, %v", d, data, err)
			continue
		}
		if v := d.Float64(data[1:]); v == v {
			t.Errorf("%s: null reads as %v", d, v)
		}
	}
	if _, ok := answerElements[tensor.BF16]; ok {
		t.Error("BF16 has a JSON form")
	}
}
