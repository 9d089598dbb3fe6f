package kserve

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// answerOf is the answer that the tests below choose from.
func answerOf() *codec.Response {
	return &codec.Response{
		Model: "m", Version: "3", ID: "a\"b",
		Parameters: []codec.Parameter{{Name: "k", Value: "v"}, {Name: "n", Value: int64(-2)}, {Name: "f", Value: 2.0}},
		Outputs: []tensor.Tensor{
			{Name: "F", DataType: tensor.FP32, Shape: []int64{1, 4}, Data: []byte("\xcd\xcc\xcc\x3d\x00\x00\x80\x3f\x00\x00\xc0\x7f\x00\x00\x80\xff")},
			{Name: "S", DataType: tensor.Bytes, Shape: []int64{2}, Data: []byte("\x06\x00\x00\x00é\"\n\x01\x7f\x00\x00\x00\x00")},
			{Name: "H", DataType: tensor.FP16, Shape: []int64{1}, Data: []byte("\x00\x3c")},
			{Name: "B", DataType: tensor.Bool, Shape: []int64{2}, Data: []byte("\x00\x02")},
			{Name: "X", DataType: tensor.Bytes, Shape: []int64{1}, Data: []byte("\x01\x00\x00\x00\xff")},
			{Name: "E", DataType: tensor.FP32, Shape: []int64{0}},
		},
	}
}

func TestEncodeResponseForms(t *testing.T) {
	const head = `{"id":"a\"b","model_name":"m","model_version":"3","parameters":{"k":"v","n":-2,"f":2.0},"outputs":[`
	const jsonF = `{"name":"F","datatype":"FP32","shape":[1,4],"data":[0.10000000149011612,1.0,NaN,-Infinity]}`
	const jsonS = `{"name":"S","datatype":"BYTES","shape":[2],"data":["é\"\n\u0001` + "\x7f" + `",""]}`
	const binaryF = `{"name":"F","datatype":"FP32","shape":[1,4],"parameters":{"binary_data_size":16}}`
	const blobF = "\xcd\xcc\xcc\x3d\x00\x00\x80\x3f\x00\x00\xc0\x7f\x00\x00\x80\xff"
	for _, c := range []struct {
		about      string
		outputs    []codec.Output
		json, blob string
	}{
		{"JSON", []codec.Output{{Name: "F"}}, head + jsonF + `]}`, ""},
		{"the client's order", []codec.Output{{Name: "S"}, {Name: "F"}}, head + jsonS + "," + jsonF + `]}`, ""},
		{"binary", []codec.Output{{Name: "F", Binary: true}}, head + binaryF + `]}`, blobF},
		{"mixed", []codec.Output{{Name: "X", Binary: true}, {Name: "S"}, {Name: "F", Binary: true}},
			head + `{"name":"X","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}},` + jsonS + "," + binaryF + `]}`,
			"\x01\x00\x00\x00\xff" + blobF},
		{"BOOL", []codec.Output{{Name: "B"}}, head + `{"name":"B","datatype":"BOOL","shape":[2],"data":[false,true]}]}`, ""},
		{"nothing, binary", []codec.Output{{Name: "E", Binary: true}},
			head + `{"name":"E","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":0}}]}`, ""},
		{"nothing, JSON", []codec.Output{{Name: "E"}}, head + `{"name":"E","datatype":"FP32","shape":[0],"data":[]}]}`, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			m, err := newCodec(t).EncodeResponse(&codec.Request{Outputs: c.outputs, Binary: true}, answerOf())
			if err != nil {
				t.Fatal(err)
			}
			if got := string(m.Body); got != c.json+c.blob {
				t.Errorf("body\n got %q\nwant %q", got, c.json+c.blob)
			}
			contentType, headerLength := "application/json", ""
			if c.blob != "" {
				contentType, headerLength = "application/octet-stream", strconv.Itoa(len(c.json))
			}
			expectHeader(t, m, "content-type", contentType)
			expectHeader(t, m, "content-length", strconv.Itoa(len(m.Body)))
			expectHeader(t, m, headerLengthName, headerLength)
			expectHeader(t, m, "content-encoding", "")
		})
	}
}

// expectHeader wants one line, none if want is empty.
func expectHeader(t *testing.T, m *codec.Message, name, want string) {
	t.Helper()
	if value, lines := m.Headers.Get(name); value != want || lines != min(len(want), 1) {
		t.Errorf("%s: %q in %d lines, want %q", name, value, lines, want)
	}
}

// TestEncodeResponseIntegers prints the bounds of every integer datatype.
func TestEncodeResponseIntegers(t *testing.T) {
	for _, c := range []struct {
		datatype tensor.DataType
		shape    int64
		data     string
		want     string
	}{
		{tensor.Uint8, 2, "\x00\xff", "0,255"},
		{tensor.Uint16, 1, "\xff\xff", "65535"},
		{tensor.Uint32, 1, "\xff\xff\xff\xff", "4294967295"},
		{tensor.Uint64, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"},
		{tensor.Int8, 2, "\x80\x7f", "-128,127"},
		{tensor.Int16, 1, "\x00\x80", "-32768"},
		{tensor.Int32, 1, "\x00\x00\x00\x80", "-2147483648"},
		{tensor.Int64, 1, "\x00\x00\x00\x00\x00\x00\x00\x80", "-9223372036854775808"},
		{tensor.FP64, 1, "\x9a\x99\x99\x99\x99\x99\xb9\x3f", "0.1"},
	} {
		response := &codec.Response{Model: "m", Outputs: []tensor.Tensor{{Name: "Y", DataType: c.datatype, Shape: []int64{c.shape}, Data: []byte(c.data)}}}
		m, err := newCodec(t).EncodeResponse(&codec.Request{}, response)
		if err != nil {
			t.Fatal(err)
		}
		if want := `"data":[` + c.want + `]`; !strings.Contains(string(m.Body), want) {
			t.Errorf("%s: %s, want %s", c.datatype, m.Body, want)
		}
	}
}

func TestEncodeResponseRefuses(t *testing.T) {
	c := newCodec(t)
	bad := answerOf()
	bad.Outputs[0].Data = bad.Outputs[0].Data[:15]
	nan := answerOf()
	nan.Parameters[2].Value = math.NaN()
	for _, v := range []struct {
		about    string
		response *codec.Response
		outputs  []codec.Output
		expect   string
	}{
		{"missing output", answerOf(), []codec.Output{{Name: "Q"}}, "response_malformed"},
		{"FP16 as JSON", answerOf(), []codec.Output{{Name: "H"}}, "datatype_invalid"},
		{"FP16 as binary", answerOf(), []codec.Output{{Name: "H", Binary: true}}, "ok"},
		{"BYTES that are not text", answerOf(), []codec.Output{{Name: "X"}}, "response_malformed"},
		{"data against shape", bad, []codec.Output{{Name: "F", Binary: true}}, "response_malformed"},
		{"parameter", nan, []codec.Output{{Name: "F"}}, "response_malformed"},
	} {
		m, err := c.EncodeResponse(&codec.Request{Outputs: v.outputs}, v.response)
		if got := reasonOf(t, err); got != v.expect || (m == nil) != (err != nil) {
			t.Errorf("%s: %v, want %s", v.about, err, v.expect)
		}
	}
}

// TestEncodeResponseTooLarge holds that the limit is on what the client gets: 4
// bytes of FP32 can be 25 bytes of JSON.
func TestEncodeResponseTooLarge(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxResponseBytes = 2000
	c, err := NewHTTP(limits)
	if err != nil {
		t.Fatal(err)
	}
	response := &codec.Response{Model: "m", Outputs: []tensor.Tensor{
		{Name: "Y", DataType: tensor.FP32, Shape: []int64{100}, Data: bytes.Repeat([]byte("\xcd\xcc\xcc\x3d"), 100)}}}
	for outputs, want := range map[codec.Output]string{{Name: "Y"}: "response_too_large", {Name: "Y", Binary: true}: "ok"} {
		_, err := c.EncodeResponse(&codec.Request{Outputs: []codec.Output{outputs}}, response)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%+v: %v, want %s", outputs, err, want)
		}
	}
}

func TestEncodeResponseCompresses(t *testing.T) {
	plain, err := newCodec(t).EncodeResponse(&codec.Request{Outputs: []codec.Output{{Name: "F", Binary: true}}}, answerOf())
	if err != nil {
		t.Fatal(err)
	}
	for coding, open := range map[codec.Coding]func(io.Reader) (io.Reader, error){
		codec.Gzip:    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		codec.Deflate: func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	} {
		for range 2 { // the second uses a pooled writer
			m, err := newCodec(t).EncodeResponse(&codec.Request{Outputs: []codec.Output{{Name: "F", Binary: true}}, Accept: coding}, answerOf())
			if err != nil {
				t.Fatal(err)
			}
			expectHeader(t, m, "content-encoding", string(coding))
			expectHeader(t, m, "content-length", strconv.Itoa(len(m.Body)))
			want, _ := plain.Headers.Get(headerLengthName)
			expectHeader(t, m, headerLengthName, want)
			r, err := open(bytes.NewReader(m.Body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain.Body) {
				t.Errorf("%s: %q, %v", coding, got, err)
			}
		}
	}
}

// TestFloatsAreRapidJSONs compares with what RapidJSON's Writer printed
// (testdata/rapidjson.cc). Where a value lies in the middle between two shortest
// decimals, Grisu2 rounds the last digit up and strconv to even: then the length
// must be the same, and the value that is read back.
func TestFloatsAreRapidJSONs(t *testing.T) {
	file, err := os.Open("testdata/rapidjson_floats.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count, ties := 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		hex, want, _ := strings.Cut(lines.Text(), " ")
		bits, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		value := math.Float64frombits(bits)
		got := string(appendFloat(nil, value))
		if got == want {
			continue
		}
		back, err := strconv.ParseFloat(got, 64)
		if err != nil || math.Float64bits(back) != bits || len(got) != len(want) {
			t.Errorf("%s: got %s, want %s", hex, got, want)
		}
		ties++
	}
	if count < 400 || ties > count/10 {
		t.Errorf("%d values, %d of them printed otherwise than by RapidJSON", count, ties)
	}
}
