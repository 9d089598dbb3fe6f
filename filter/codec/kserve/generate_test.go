package kserve

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

var (
	generateRoute = codec.Select("POST", "/v2/models/m/generate")
	streamRoute   = codec.Select("POST", "/v2/models/m/versions/2/generate_stream")
)

// llmSignature is that of a model with an input and an output of most kinds.
func llmSignature() *codec.Signature {
	return &codec.Signature{Model: "m", Version: "2",
		Inputs: []codec.Spec{
			{Name: "text", DataType: tensor.Bytes, Shape: []int64{-1}, Optional: true},
			{Name: "stream", DataType: tensor.Bool, Shape: []int64{1}, Optional: true},
			{Name: "seed", DataType: tensor.Uint64, Shape: []int64{1, 1}, Optional: true},
			{Name: "top", DataType: tensor.Int8, Shape: []int64{-1, 2}, Optional: true},
			{Name: "bias", DataType: tensor.FP32, Shape: []int64{-1, -1}, Optional: true},
			{Name: "wide", DataType: tensor.FP64, Shape: []int64{2, -1, 2}, Optional: true},
			{Name: "half", DataType: tensor.FP16, Shape: []int64{1}, Optional: true},
		},
		Outputs: []codec.Spec{
			{Name: "text_output", DataType: tensor.Bytes, Shape: []int64{-1}},
			{Name: "scores", DataType: tensor.FP32, Shape: []int64{-1, 2}},
			{Name: "done", DataType: tensor.Bool, Shape: []int64{1}},
			{Name: "count", DataType: tensor.Uint8, Shape: []int64{1}},
			{Name: "wide", DataType: tensor.FP64, Shape: []int64{-1}},
			{Name: "half", DataType: tensor.FP16, Shape: []int64{-1}},
		}}
}

// batched is a model that batches.
func batched() *codec.Signature {
	return &codec.Signature{Model: "m", Version: "2", MaxBatchSize: 8,
		Inputs:  []codec.Spec{{Name: "text", DataType: tensor.Bytes, Shape: []int64{-1, 1}}},
		Outputs: []codec.Spec{{Name: "scores", DataType: tensor.FP32, Shape: []int64{-1, 2}}, {Name: "any", DataType: tensor.Uint8, Shape: []int64{-1, -1}}}}
}

// bind decodes and binds a generate request.
func bind(c *HTTP, route codec.Route, signature *codec.Signature, body string) (*codec.Request, error) {
	request, err := c.DecodeRequest(route, nil, []byte(body))
	if err != nil {
		return nil, err
	}
	return request, c.BindRequest(request, signature)
}

var generateVectors = []struct {
	about, body, want string // the canonical form, or a reason
}{
	{"text", `{"text":"a"}`, `{"text":"a","parameters":{}}`},
	{"every kind", ` { "stream" : true,"id":"7","seed":18446744073709551615,"top":[-128,127],"bias":[0.1,-0,1e-45],"wide":[1,2,0.5,-1.5],"text":["\u0061","é\n"] } `,
		`{"id":"7","stream":true,"seed":18446744073709551615,"top":[-128,127],"bias":[0.10000000149011612,0.0,1.401298464324817e-45],"wide":[1.0,2.0,0.5,-1.5],"text":["a","é\n"],"parameters":{}}`},
	{"lists of one", `{"text":["a"],"stream":[false],"seed":[1],"bias":[2]}`, `{"text":"a","stream":false,"seed":1,"bias":2.0,"parameters":{}}`},
	{"parameters, at both places", `{"n":-3,"text":"a","parameters":{"t":0.5,"stream":true,"s":"x"},"b":false}`, `{"text":"a","stream":true,"parameters":{"n":-3,"t":0.5,"s":"x","b":false}}`},
	{"NUL in a text", `{"text":"a\u0000b"}`, `{"text":"a\u0000b","parameters":{}}`},
	{"nothing", `{}`, `{"parameters":{}}`},
	{"an id twice", `{"id":"1","id":"2","text":"a"}`, "json_duplicate_key"},
	{"an input twice", `{"text":"a","text":"b"}`, "json_duplicate_key"},
	{"an input twice, escaped", `{"text":"a","t\u0065xt":"b"}`, "json_duplicate_key"},
	{"an input twice, nested", `{"text":"a","parameters":{"text":"b"}}`, "json_duplicate_key"},
	{"a parameter twice, nested", `{"text":"a","n":1,"parameters":{"n":1}}`, "json_duplicate_key"},
	{"parameters twice", `{"text":"a","parameters":{},"parameters":{}}`, "json_duplicate_key"},
	{"an id in the parameters", `{"text":"a","parameters":{"id":"x"}}`, "parameter_invalid"},
	{"parameters in the parameters", `{"text":"a","parameters":{"parameters":1}}`, "parameter_invalid"},
	{"parameters that are a number", `{"text":"a","parameters":1}`, "json_malformed"},
	{"an id that is a number", `{"text":"a","id":1}`, "json_malformed"},
	{"a NUL in the id", `{"text":"a","id":"a\u0000"}`, "name_invalid"},
	{"a NUL in a key", `{"text\u0000":"a"}`, "name_invalid"},
	{"a NUL in a parameter", `{"n":"a\u0000"}`, "parameter_invalid"},
	{"a list as a parameter", `{"text":"a","n":[1]}`, "parameter_invalid"},
	{"null", `{"text":null}`, "input_data_invalid"},
	{"an object", `{"text":{}}`, "input_data_invalid"},
	{"nested lists", `{"text":[["a"]]}`, "input_data_invalid"},
	{"an empty list", `{"text":[]}`, "shape_invalid"},
	{"a list of the wrong length", `{"top":[1,2,3]}`, "shape_invalid"},
	{"two for one", `{"stream":[true,true]}`, "shape_invalid"},
	{"a number as text", `{"text":1}`, "input_data_invalid"},
	{"text as a number", `{"seed":"1"}`, "input_data_invalid"},
	{"a number as BOOL", `{"stream":1}`, "input_data_invalid"},
	{"mixed", `{"text":["a",1]}`, "input_data_invalid"},
	{"a fraction as an integer", `{"seed":1.0}`, "input_data_invalid"},
	{"128 as INT8", `{"top":[1,128]}`, "number_out_of_range"},
	{"-1 as UINT64", `{"seed":-1}`, "number_out_of_range"},
	{"NaN", `{"bias":NaN}`, "json_malformed"},
	{"infinity", `{"bias":[-Infinity]}`, "json_malformed"},
	{"FP32 out of range", `{"bias":1e39}`, "number_out_of_range"},
	{"FP16", `{"half":1}`, "input_data_invalid"},
	{"a parameter beyond INT64", `{"n":9223372036854775808}`, "number_out_of_range"},
	{"a sequence", `{"text":"a","sequence_id":9223372036854775808,"sequence_start":true,"sequence_end":false}`,
		`{"text":"a","parameters":{"sequence_id":9223372036854775808,"sequence_start":true,"sequence_end":false}}`},
	{"a sequence that starts with 1", `{"text":"a","sequence_start":1}`, "parameter_invalid"},
	{"a reserved parameter", `{"text":"a","triton_x":1}`, "parameter_invalid"},
	{"binary data", `{"text":"a","binary_data_output":true}`, "parameter_invalid"},
	{"shared memory", `{"text":"a","shared_memory_region":"r"}`, "shared_memory_denied"},
	{"a second document", `{"text":"a"}{}`, "json_malformed"},
	{"a byte order mark", "\ufeff" + `{"text":"a"}`, "json_malformed"},
	{"invalid UTF-8", "{\"text\":\"\xff\"}", "json_malformed"},
	{"a lone surrogate", `{"text":"\ud800"}`, "json_malformed"},
	{"an unknown escape in a parameter", `{"n":"\x"}`, "json_malformed"},
	{"a trailing comma", `{"text":["a",]}`, "json_malformed"},
	{"a list that does not end", `{"text":["a"`, "json_malformed"},
	{"an array", `[]`, "json_malformed"},
}

func TestGenerateRequests(t *testing.T) {
	c := newCodec(t)
	for _, v := range generateVectors {
		signature := llmSignature()
		request, err := bind(c, generateRoute, signature, v.body)
		var m *codec.Message
		if err == nil {
			m, err = c.EncodeRequest(request, nil)
		}
		if err != nil {
			if got := reasonOf(t, err); got != v.want {
				t.Errorf("%s: %v, want %s", v.about, err, v.want)
			}
			continue
		}
		if string(m.Body) != v.want {
			t.Errorf("%s\n got %s\nwant %s", v.about, m.Body, v.want)
		}
		if err := signature.MatchRequest(request); err != nil {
			t.Errorf("%s: %v", v.about, err)
		}
		expectHeader(t, m, "content-type", "application/json")
		expectHeader(t, m, "content-length", fmt.Sprint(len(v.want)))
		upstream, err := readGenerateAsTriton(signature, m.Body)
		if err != nil {
			t.Errorf("%s: Triton does not read it: %v", v.about, err)
		} else if err := sameRequest(request, upstream); err != nil {
			t.Errorf("%s: Triton reads another message: %v", v.about, err)
		}
	}
}

func TestGenerateRoutes(t *testing.T) {
	c := newCodec(t)
	request, err := bind(c, streamRoute, llmSignature(), `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	if !request.Stream || request.Model != "m" || c.Path(request) != "/v2/models/m/versions/2/generate_stream" {
		t.Errorf("%+v at %s", request, c.Path(request))
	}
	if request, err = bind(c, generateRoute, llmSignature(), `{"text":"a"}`); err != nil || request.Stream || c.Path(request) != "/v2/models/m/generate" {
		t.Errorf("%+v, %v", request, err)
	}
	for value, want := range map[string]string{"0": "header_invalid", "12": "header_invalid"} {
		_, err := c.DecodeRequest(generateRoute, codec.Headers{{Name: headerLengthName, Value: value}}, []byte(`{"text":"a"}`))
		if got := reasonOf(t, err); got != want {
			t.Errorf("header length %s: %v", value, err)
		}
	}
	for _, name := range []string{"id", "parameters"} {
		signature := llmSignature()
		signature.Inputs[1].Name = name
		if _, err := bind(c, generateRoute, signature, `{"text":"a"}`); reasonOf(t, err) != "signature_mismatch" {
			t.Errorf("an input %q: %v", name, err)
		}
	}
}

// TestGenerateShapes holds that values take the shapes that Triton would give them.
func TestGenerateShapes(t *testing.T) {
	for _, v := range []struct {
		signature  *codec.Signature
		body, want string
	}{
		{llmSignature(), `{"text":"a"}`, "[1]"},
		{llmSignature(), `{"text":["a","b"]}`, "[2]"},
		{llmSignature(), `{"seed":1}`, "[1 1]"},
		{llmSignature(), `{"top":[1,2,3,4]}`, "[2 2]"},
		{llmSignature(), `{"bias":[1,2,3]}`, "[1 3]"},
		{llmSignature(), `{"wide":[1,2,3,4,5,6,7,8]}`, "[2 2 2]"},
		{batched(), `{"text":"a"}`, "[1 1]"},
		{batched(), `{"text":["a","b","c"]}`, "[3 1]"},
	} {
		request, err := bind(newCodec(t), generateRoute, v.signature, v.body)
		if err != nil {
			t.Errorf("%s: %v", v.body, err)
		} else if got := fmt.Sprint(request.Inputs[0].Shape); got != v.want {
			t.Errorf("%s: %s, want %s", v.body, got, v.want)
		}
	}
}

// TestEncodeGenerateRefuses is about what a sanitiser may have made of an input.
func TestEncodeGenerateRefuses(t *testing.T) {
	for about, change := range map[string]func(*codec.Input){
		"bytes that are no text": func(in *codec.Input) { in.Data = []byte("\x01\x00\x00\x00\xff") },
		"another shape":          func(in *codec.Input) { in.Shape = []int64{1, 1} },
		"no elements":            func(in *codec.Input) { in.Shape, in.Data = []int64{0}, nil },
		"an unknown input":       func(in *codec.Input) { in.Name = "other" },
		"NaN": func(in *codec.Input) {
			in.Tensor = tensor.Tensor{Name: "bias", DataType: tensor.FP32, Shape: []int64{1, 1}, Data: []byte("\x00\x00\xc0\x7f")}
		},
		"infinity": func(in *codec.Input) {
			in.Tensor = tensor.Tensor{Name: "bias", DataType: tensor.FP32, Shape: []int64{1, 1}, Data: []byte("\x00\x00\x80\xff")}
		},
		"FP16": func(in *codec.Input) {
			in.Tensor = tensor.Tensor{Name: "half", DataType: tensor.FP16, Shape: []int64{1}, Data: []byte("\x00\x3c")}
		},
	} {
		c := newCodec(t)
		request, err := bind(c, generateRoute, llmSignature(), `{"text":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		change(&request.Inputs[0])
		if m, err := c.EncodeRequest(request, nil); reasonOf(t, err) == "ok" {
			t.Errorf("%s: sent as %s", about, m.Body)
		}
	}
}

func TestGenerateLimits(t *testing.T) {
	for about, v := range map[string]struct {
		limit func(*Limits)
		body  string
		want  string
	}{
		"keys":               {func(l *Limits) { l.MaxInputs, l.MaxParameters = 1, 1 }, `{"text":"a","n":1}`, "ok"},
		"too many keys":      {func(l *Limits) { l.MaxInputs, l.MaxParameters = 1, 1 }, `{"text":"a","n":1,"o":1}`, "parameter_invalid"},
		"too many inputs":    {func(l *Limits) { l.MaxInputs = 1 }, `{"text":"a","stream":true}`, "inputs_too_many"},
		"too many values":    {func(l *Limits) { l.MaxParameters = 1 }, `{"n":1,"o":1}`, "parameter_invalid"},
		"elements":           {func(l *Limits) { l.MaxElements = 2 }, `{"bias":[1,2]}`, "ok"},
		"too many elements":  {func(l *Limits) { l.MaxElements = 2 }, `{"bias":[1,2,3]}`, "shape_invalid"},
		"too many strings":   {func(l *Limits) { l.MaxBytesElements = 2 }, `{"text":["a","b","c"]}`, "shape_invalid"},
		"a long key":         {func(l *Limits) { l.MaxNameBytes = 4 }, `{"text2":"a"}`, "name_invalid"},
		"as large as a body": {func(l *Limits) { l.MaxBodyBytes = 28 }, `{"text":"a"}`, "ok"},
		"larger upstream":    {func(l *Limits) { l.MaxBodyBytes = 27 }, `{"text":"a"}`, "body_too_large"},
		"larger in binary":   {func(l *Limits) { l.MaxBodyBytes = 30 }, `{"wide":[1,2,3,4]}`, "body_too_large"},
	} {
		limits := DefaultLimits()
		v.limit(&limits)
		c, err := NewHTTP(limits)
		if err != nil {
			t.Fatal(err)
		}
		request, err := bind(c, generateRoute, llmSignature(), v.body)
		if err == nil {
			_, err = c.EncodeRequest(request, nil)
		}
		if got := reasonOf(t, err); got != v.want {
			t.Errorf("%s: %v, want %s", about, err, v.want)
		}
	}
}

// FuzzGenerate holds that what is accepted reaches Triton as the same typed message,
// and that its own form is a fixed point.
func FuzzGenerate(f *testing.F) {
	for _, v := range generateVectors {
		f.Add([]byte(v.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, signature := newCodec(t), llmSignature()
		request, err := bind(c, generateRoute, signature, string(body))
		if reasonOf(t, err) != "ok" {
			return
		}
		m, err := c.EncodeRequest(request, nil)
		if err != nil {
			if reasonOf(t, err) != "number_out_of_range" { // a parameter beyond INT64
				t.Fatalf("bound but not encoded: %v", err)
			}
			return
		}
		upstream, err := readGenerateAsTriton(signature, m.Body)
		if err != nil {
			t.Fatalf("Triton does not read %q: %v", m.Body, err)
		}
		if err := sameRequest(request, upstream); err != nil {
			t.Fatalf("Triton reads another message: %v\n%q\n%q", err, body, m.Body)
		}
		again, err := bind(c, generateRoute, signature, string(m.Body))
		if err != nil {
			t.Fatalf("own form refused: %v\n%q", err, m.Body)
		}
		if m2, err := c.EncodeRequest(again, nil); err != nil || !bytes.Equal(m.Body, m2.Body) {
			t.Fatalf("not a fixed point: %v\n%q", err, m.Body)
		}
		if strings.Contains(string(m.Body), "\x00") {
			t.Fatal("a NUL ends the document for Triton")
		}
	})
}
