package kserve

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// generatedVectors are answers to a generate request for llmSignature, without the
// framing of an event. want is what the client gets, or a reason. The first are what
// tritonserver 24.10 writes.
var generatedVectors = []struct{ about, body, want string }{
	{"an answer", `{"model_name":"m","model_version":"2","scores":[0.8999999761581421,0.10000000149011612],"text_output":"a"}`, "="},
	{"with an id", `{"id":"7","model_name":"m","model_version":"2","text_output":"a"}`, "="},
	{"numbers that are none", `{"model_name":"m","model_version":"2","scores":[NaN,-Infinity],"wide":Infinity}`, "="},
	{"lists and elements", `{"count":255,"done":true,"model_name":"m","model_version":"2","scores":[1.0,0.0,0.5,0.25],"text_output":["a","é\n"],"wide":-0.0}`, "="},
	{"an empty list", `{"model_name":"m","model_version":"2","text_output":[]}`, "="},
	{"no outputs", `{"model_name":"m","model_version":"2"}`, "="},
	{"an ensemble", `{"model_name":"m","model_version":"2","sequence_end":false,"sequence_id":0,"sequence_start":false,"text_output":"a"}`, "="},
	{"another order of keys", `{ "text_output" : [ "\u0061" ] , "model_version":"2","model_name":"m"}`, `{"model_name":"m","model_version":"2","text_output":"a"}`},
	{"no model", `{"text_output":"a"}`, "response_malformed"},
	{"a key twice", `{"model_name":"m","model_version":"2","text_output":"a","text_output":"b"}`, "response_malformed"},
	{"an unknown key", `{"model_name":"m","model_version":"2","text_output":"a","secret":"b"}`, "response_malformed"},
	{"a nested list", `{"model_name":"m","model_version":"2","text_output":[["a"]]}`, "response_malformed"},
	{"null", `{"model_name":"m","model_version":"2","text_output":null}`, "response_malformed"},
	{"another datatype", `{"model_name":"m","model_version":"2","text_output":1}`, "response_malformed"},
	{"beyond the datatype", `{"count":256,"model_name":"m","model_version":"2"}`, "response_malformed"},
	{"beyond FP32", `{"model_name":"m","model_version":"2","scores":[1e39,0.0]}`, "response_malformed"},
	{"NaN as an integer", `{"count":NaN,"model_name":"m","model_version":"2"}`, "response_malformed"},
	{"NaN in another spelling", `{"model_name":"m","model_version":"2","wide":nan}`, "response_malformed"},
	{"another shape", `{"model_name":"m","model_version":"2","scores":[1.0,2.0,3.0]}`, "response_malformed"},
	{"two for one", `{"done":[true,false],"model_name":"m","model_version":"2"}`, "response_malformed"},
	{"FP16", `{"half":1.0,"model_name":"m","model_version":"2"}`, "response_malformed"},
	{"bytes that are no text", `{"model_name":"m","model_version":"2","text_output":"` + "\xff" + `"}`, "response_malformed"},
	{"an error beside an answer", `{"error":"x","model_name":"m","model_version":"2"}`, "response_malformed"},
	{"an error beside an id", `{"error":"x","id":"7"}`, "response_malformed"},
	{"an error twice", `{"error":"x","error":"y"}`, "response_malformed"},
	{"an error that is no text", `{"error":1}`, "response_malformed"},
	{"a sequence parameter of another type", `{"model_name":"m","model_version":"2","sequence_start":1}`, "response_malformed"},
	{"bytes after it", `{"model_name":"m","model_version":"2"}x`, "response_malformed"},
	{"no object", `"a"`, "response_malformed"},
	{"nothing", ``, "response_malformed"},
}

func TestGeneratedAnswers(t *testing.T) {
	c := newCodec(t)
	for _, route := range []codec.Route{generateRoute, streamRoute} {
		request, err := bind(c, route, llmSignature(), `{"text":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		event := func(text string) []byte {
			if request.Stream {
				return []byte("data: " + text + "\n\n")
			}
			return []byte(text)
		}
		for _, v := range generatedVectors {
			response, err := c.DecodeResponse(request, nil, event(v.body))
			var m *codec.Message
			if err == nil {
				if err = request.Signature.MatchResponse(response, nil); err != nil {
					t.Errorf("%s: %v", v.about, err)
				}
				m, err = c.EncodeResponse(request, response)
			}
			if err != nil {
				if got := reasonOf(t, err); got != v.want {
					t.Errorf("%s: %v, want %s", v.about, err, v.want)
				}
				continue
			}
			want := event(strings.Replace(v.want, "=", v.body, 1))
			if !bytes.Equal(m.Body, want) {
				t.Errorf("%s\n got %s\nwant %s", v.about, m.Body, want)
			}
			if !request.Stream {
				expectHeader(t, m, "content-type", "application/json")
				expectHeader(t, m, "content-length", fmt.Sprint(len(want)))
			}
		}
	}
}

// TestGeneratedTypes holds that the checks see the tensors of the signature.
func TestGeneratedTypes(t *testing.T) {
	c := newCodec(t)
	request, err := bind(c, generateRoute, llmSignature(), `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.DecodeResponse(request, nil, []byte(`{"count":7,"id":"x","model_name":"m","model_version":"2","scores":[0.5,NaN,0.25,0.75],"sequence_id":3,"text_output":"ab"}`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s %v %v", response.Model, response.Version, response.ID, response.Parameters, response.Outputs)
	want := fmt.Sprintf("m 2 x %v %v", []codec.Parameter{{Name: "sequence_id", Value: int64(3)}}, []tensor.Tensor{
		{Name: "count", DataType: tensor.Uint8, Shape: []int64{1}, Data: []byte{7}},
		{Name: "scores", DataType: tensor.FP32, Shape: []int64{2, 2}, Data: []byte("\x00\x00\x00\x3f\x00\x00\xc0\x7f\x00\x00\x80\x3e\x00\x00\x40\x3f")},
		{Name: "text_output", DataType: tensor.Bytes, Shape: []int64{1}, Data: []byte("\x02\x00\x00\x00ab")}})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestGeneratedBatches holds that outputs have the rows of the request.
func TestGeneratedBatches(t *testing.T) {
	c := newCodec(t)
	request, err := bind(c, generateRoute, batched(), `{"text":["a","b"]}`)
	if err != nil {
		t.Fatal(err)
	}
	request.Inputs = nil // as the filter does once the request has gone
	for body, want := range map[string]string{
		`"scores":[1.0,2.0,3.0,4.0]`: "[2 2]",
		`"any":[1,2,3,4,5,6]`:        "[2 3]",
		`"any":[]`:                   "[2 0]",
		`"scores":[1.0,2.0]`:         "response_malformed",
		`"any":[1,2,3]`:              "response_malformed",
		`"any":1`:                    "response_malformed",
	} {
		response, err := c.DecodeResponse(request, nil, []byte(`{"model_name":"m","model_version":"2",`+body+`}`))
		if err == nil {
			if got := fmt.Sprint(response.Outputs[0].Shape); got != want {
				t.Errorf("%s: %s, want %s", body, got, want)
			}
		} else if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// TestGeneratedErrors is about errors under status 200.
func TestGeneratedErrors(t *testing.T) {
	c := newCodec(t)
	stream, err := bind(c, streamRoute, llmSignature(), `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{`{"error":"no \"word\""}`: `no "word"`, `{"error":""}`: "no reason given"} {
		response, err := c.DecodeResponse(stream, nil, []byte("data: "+body+"\n\n"))
		if err != nil || response.Error != want || !response.Anonymous {
			t.Errorf("%s: %+v, %v", body, response, err)
		}
		m, err := c.EncodeResponse(stream, response)
		if again, err2 := c.DecodeResponse(stream, nil, m.Body); err != nil || err2 != nil || again.Error != want {
			t.Errorf("%s comes back as %q, %v, %v", body, m.Body, err, err2)
		}
	}
	if got := string(c.EncodeError(stream, `no "word"`)); got != "data: {\"error\":\"no \\\"word\\\"\"}\n\n" {
		t.Errorf("an error becomes %q", got)
	}
	unary, err := bind(c, generateRoute, llmSignature(), `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DecodeResponse(unary, nil, []byte(`{"error":"generate expects model to produce exactly 1 response"}`)); reasonOf(t, err) != "response_malformed" {
		t.Errorf("an error instead of the answer: %v", err)
	}
}

// TestEventFraming holds that an event has one spelling, the one that Triton uses.
func TestEventFraming(t *testing.T) {
	c := newCodec(t)
	request, err := bind(c, streamRoute, llmSignature(), `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	const data = `{"model_name":"m","model_version":"2"}`
	for _, event := range []string{data, data + "\n\n", "data: " + data, "data: " + data + "\n", "data:" + data + "\n\n", " data: " + data + "\n\n",
		"data: " + data + "\r\n\r\n", "event: x\ndata: " + data + "\n\n", ": x\ndata: " + data + "\n\n", "data: " + data + "\ndata: {}\n\n",
		"data: " + data + "\nid: 1\n\n", "data: " + data + "\n\ndata: " + data + "\n\n", "\n\n", ""} {
		if _, err := c.DecodeResponse(request, nil, []byte(event)); reasonOf(t, err) != "response_malformed" {
			t.Errorf("%q: %v", event, err)
		}
	}
	if _, err := c.DecodeResponse(request, codec.Headers{{Name: "content-encoding", Value: "gzip"}}, []byte("data: "+data+"\n\n")); reasonOf(t, err) != "response_malformed" {
		t.Errorf("gzip: %v", err)
	}
	unbound, err := c.DecodeRequest(streamRoute, nil, []byte(`{"text":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DecodeResponse(unbound, nil, []byte("data: "+data+"\n\n")); reasonOf(t, err) != "response_malformed" {
		t.Errorf("an answer to a request without a model: %v", err)
	}
}

// TestGeneratedTooLarge holds that the limit is on both forms of an answer: 1e-7 is
// 1.0000000116860974e-7 as Triton prints an FP32.
func TestGeneratedTooLarge(t *testing.T) {
	const body = `{"model_name":"m","model_version":"2","scores":[1e-7,1e-7]}`
	const longer = 2 * (len("1.0000000116860974e-7") - len("1e-7"))
	for most, want := range map[int]string{len(body) + longer: "ok", len(body) + longer - 1: "response_too_large", len(body) - 1: "response_too_large"} {
		limits := DefaultLimits()
		limits.MaxResponseBytes = most
		c, err := NewHTTP(limits)
		if err != nil {
			t.Fatal(err)
		}
		request, err := bind(c, generateRoute, llmSignature(), `{"text":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.DecodeResponse(request, nil, []byte(body))
		if err == nil {
			_, err = c.EncodeResponse(request, response)
		}
		if got := reasonOf(t, err); got != want {
			t.Errorf("%d bytes: %v, want %s", most, err, want)
		}
	}
}

// FuzzGenerated holds that an accepted answer or event reaches the client as one that
// means the same, in one spelling.
func FuzzGenerated(f *testing.F) {
	for _, v := range generatedVectors {
		f.Add([]byte(v.body), false)
		f.Add([]byte("data: "+v.body+"\n\n"), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, stream bool) {
		c, route := newCodec(t), generateRoute
		if stream {
			route = streamRoute
		}
		request, err := bind(c, route, llmSignature(), `{"text":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.DecodeResponse(request, nil, body)
		if err != nil {
			if r := reasonOf(t, err); r != string(codec.ResponseMalformed) && r != string(codec.ResponseTooLarge) {
				t.Fatalf("reason %s", r)
			}
			return
		}
		if response.Error != "" {
			if again, err := c.DecodeResponse(request, nil, c.EncodeError(request, response.Error)); err != nil || again.Error != response.Error {
				t.Fatalf("error %q became %+v, %v", response.Error, again, err)
			}
			return
		}
		m, err := c.EncodeResponse(request, response)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, err := c.DecodeResponse(request, m.Headers, m.Body)
		if err != nil {
			t.Fatalf("own form refused: %v\n%q", err, m.Body)
		}
		m2, err := c.EncodeResponse(request, again)
		if err != nil || !bytes.Equal(m.Body, m2.Body) {
			t.Fatalf("not a fixed point: %v\n%q\n%q", err, m.Body, m2.Body)
		}
		if len(again.Outputs) != len(response.Outputs) || again.Model != response.Model || again.ID != response.ID {
			t.Fatalf("%+v became %+v", response, again)
		}
		for i := range response.Outputs {
			x := &response.Outputs[i]
			if y := find(again.Outputs, x.Name); y == nil || fmt.Sprint(x.Shape) != fmt.Sprint(y.Shape) || !bytes.Equal(x.Data, y.Data) {
				t.Fatalf("%v became %v", x, y)
			}
		}
		text := bytes.TrimSuffix(bytes.TrimPrefix(m.Body, eventStart), eventEnd)
		if _, err := readLenient(text); err != nil || bytes.ContainsAny(text, "\n\r") {
			t.Fatalf("a client of Triton cannot read %q", m.Body)
		}
	})
}
