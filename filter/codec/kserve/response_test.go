package kserve

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
)

// responseVectors are answers of a model server. The first are what tritonserver
// 24.10 sends; expect is a reason or "ok".
var responseVectors = []struct {
	about, json, blob, expect string
}{
	{"one output", `{"model_name":"m","model_version":"1","outputs":[{"name":"Y","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}`, "\x00\x00\x80\x3f\x00\x00\xc0\x7f", "ok"},
	{"id, parameters, two outputs", `{"id":"7","model_name":"m","model_version":"1","parameters":{"sequence_id":0,"sequence_start":false,"x":"y","f":0.5},"outputs":[` +
		`{"name":"Y","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":9}},{"name":"Z","datatype":"INT8","shape":[1],"parameters":{"binary_data_size":1}}]}`, "\x01\x00\x00\x00a\x00\x00\x00\x00\xff", "ok"},
	{"of an ensemble with two last steps", `{"model_name":"m","parameters":{"sequence_id":0,"sequence_start":false,"sequence_end":false,"sequence_id":0,"sequence_start":false,"sequence_end":false},"outputs":[]}`, "", "ok"},
	{"a parameter with two values", `{"model_name":"m","parameters":{"sequence_id":0,"sequence_id":1},"outputs":[]}`, "", "response_malformed"},
	{"a parameter with two types", `{"model_name":"m","parameters":{"x":"0","x":0},"outputs":[]}`, "", "response_malformed"},
	{"no outputs", `{"model_name":"m","outputs":[]}`, "", "ok"},
	{"nothing in an output", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]}`, "", "ok"},
	{"an empty output as JSON", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[0],"data":[]}]}`, "", "ok"},
	{"not binary", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1],"data":[1.0]}]}`, "", "response_malformed"},
	{"a NaN token", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1],"data":[NaN]}]}`, "", "response_malformed"},
	{"short blob", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}`, "\x00\x00\x00", "response_malformed"},
	{"surplus blob", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}`, "\x00\x00\x00\x00\x00", "response_malformed"},
	{"size against shape", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":4}}]}`, "\x00\x00\x00\x00", "response_malformed"},
	{"BYTES cut", `{"model_name":"m","outputs":[{"name":"Y","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}]}`, "\x02\x00\x00\x00a", "response_malformed"},
	{"duplicate output", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[0],"data":[]},{"name":"Y","datatype":"FP32","shape":[0],"data":[]}]}`, "", "response_malformed"},
	{"duplicate key", `{"model_name":"m","model_name":"n","outputs":[]}`, "", "response_malformed"},
	{"unknown key", `{"model_name":"m","outputs":[],"error":"x"}`, "", "response_malformed"},
	{"shared memory", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r"}}]}`, "", "response_malformed"},
	{"no outputs key", `{"model_name":"m"}`, "", "response_malformed"},
	{"no model", `{"outputs":[]}`, "", "response_malformed"},
	{"huge shape", `{"model_name":"m","outputs":[{"name":"Y","datatype":"FP32","shape":[1000000000000],"parameters":{"binary_data_size":4}}]}`, "\x00\x00\x00\x00", "response_malformed"},
	{"an error object", `{"error":"x"}`, "", "response_malformed"},
	{"no JSON", `<html>`, "", "response_malformed"},
	{"nothing", "", "", "response_malformed"},
	{"too many outputs", `{"model_name":"m","outputs":[` + strings.Repeat(`{"name":"Y","datatype":"FP32","shape":[0],"data":[]},`, 64) + `{}]}`, "", "response_too_large"},
}

func TestDecodeResponse(t *testing.T) {
	c := newCodec(t)
	for _, v := range responseVectors {
		body := []byte(v.json + v.blob)
		headers := codec.Headers{{Name: "content-length", Value: strconv.Itoa(len(body))}}
		if v.blob != "" {
			headers = append(headers, codec.Header{Name: headerLengthName, Value: strconv.Itoa(len(v.json))})
		}
		response, err := c.DecodeResponse(nil, headers, body)
		if got := reasonOf(t, err); got != v.expect || (response == nil) != (err != nil) {
			t.Errorf("%s: got %v, want %s", v.about, err, v.expect)
		}
	}
}

func TestDecodeResponseFields(t *testing.T) {
	v := responseVectors[1]
	response, err := newCodec(t).DecodeResponse(nil, codec.Headers{{Name: headerLengthName, Value: strconv.Itoa(len(v.json))}}, []byte(v.json+v.blob))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", *response)
	want := `{Model:m Version:1 ID:7 Parameters:[{Name:sequence_id Value:0} {Name:sequence_start Value:false} {Name:x Value:y} {Name:f Value:0.5}] ` +
		`Outputs:[{Name:Y DataType:BYTES Shape:[2] Data:[1 0 0 0 97 0 0 0 0]} {Name:Z DataType:INT8 Shape:[1] Data:[255]}] Classified:[] Anonymous:false Error: Final:false Extra:<nil>}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecodeResponseRepeatedParameters(t *testing.T) {
	v := responseVectors[2]
	response, err := newCodec(t).DecodeResponse(nil, nil, []byte(v.json))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(response.Parameters), "[{sequence_id 0} {sequence_start false} {sequence_end false}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeResponseHeaders(t *testing.T) {
	c := newCodec(t)
	v := responseVectors[0]
	body := []byte(v.json + v.blob)
	good := codec.Header{Name: headerLengthName, Value: strconv.Itoa(len(v.json))}
	for about, headers := range map[string]codec.Headers{
		"compressed":         {good, {Name: "content-encoding", Value: "gzip"}},
		"two codings":        {good, {Name: "content-encoding", Value: "identity"}, {Name: "content-encoding", Value: "identity"}},
		"no length":          {},
		"two lengths":        {good, good},
		"length above body":  {{Name: headerLengthName, Value: "100000"}},
		"length is hex":      {{Name: headerLengthName, Value: "0x10"}},
		"length is zero":     {{Name: headerLengthName, Value: "0"}},
		"wrong body length":  {good, {Name: "content-length", Value: "3"}},
		"length cuts a byte": {{Name: headerLengthName, Value: strconv.Itoa(len(v.json) - 1)}},
	} {
		if _, err := c.DecodeResponse(nil, headers, body); reasonOf(t, err) != "response_malformed" {
			t.Errorf("%s: %v", about, err)
		}
	}
	if _, err := c.DecodeResponse(nil, codec.Headers{good, {Name: "content-encoding", Value: "identity"}}, body); err != nil {
		t.Error(err)
	}
	limits := DefaultLimits()
	limits.MaxResponseBytes = len(body)
	for size, want := range map[int]string{len(body): "ok", len(body) - 1: "response_too_large"} {
		limits.MaxResponseBytes = size
		small, err := NewHTTP(limits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := small.DecodeResponse(nil, codec.Headers{good}, body); reasonOf(t, err) != want {
			t.Errorf("limit %d for %d bytes: %v", size, len(body), err)
		}
	}
}

func sameResponse(a, b *codec.Response) error {
	if a.Model != b.Model || a.Version != b.Version || a.ID != b.ID || len(a.Outputs) != len(b.Outputs) ||
		fmt.Sprint(a.Parameters) != fmt.Sprint(b.Parameters) {
		return fmt.Errorf("%+v and %+v", a, b)
	}
	for i := range a.Outputs {
		x, y := &a.Outputs[i], &b.Outputs[i]
		if x.Name != y.Name || x.DataType != y.DataType || fmt.Sprint(x.Shape) != fmt.Sprint(y.Shape) || !bytes.Equal(x.Data, y.Data) {
			return errors.New("another output")
		}
	}
	return nil
}
