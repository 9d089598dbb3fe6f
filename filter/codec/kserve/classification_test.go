package kserve

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// classSignature is that of a model with one output.
func classSignature(d tensor.DataType, batches bool, shape ...int64) *codec.Signature {
	s := &codec.Signature{Model: "m", Version: "1", Outputs: []codec.Spec{{Name: "Y", DataType: d, Shape: shape}}}
	if batches {
		s.MaxBatchSize = 8
		s.Outputs[0].Shape = append([]int64{-1}, shape...)
	}
	return s
}

// classAnswer is an answer with classes in output Y.
func classAnswer(shape []int64, entries ...string) *codec.Response {
	var data []byte
	for _, e := range entries {
		data = tensor.AppendElement(data, []byte(e))
	}
	return &codec.Response{Model: "m", Version: "1", Outputs: []tensor.Tensor{{Name: "Y", DataType: tensor.Bytes, Shape: shape, Data: data}}}
}

// TestDeclassify takes apart what Triton's code made of tensors
// (testdata/classification.cc), and compares with the tensors.
func TestDeclassify(t *testing.T) {
	file, err := os.Open("testdata/classification.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		fields := strings.Split(lines.Text(), "\t")
		d, err := tensor.ParseDataType(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := strconv.ParseInt(fields[1], 10, 64)
		n, _ := strconv.ParseInt(fields[2], 10, 64)
		data, err := hex.DecodeString(fields[3])
		if err != nil {
			t.Fatal(err)
		}
		for _, most := range []int64{1, 3, 1000} {
			request := &codec.Request{Signature: classSignature(d, true, n), Outputs: []codec.Output{{Name: "Y", Classes: int(most)}}}
			response := classAnswer([]int64{rows, n}, fields[4:]...)
			if err := declassify(request, response); err != nil {
				t.Fatalf("%v\n%s", err, lines.Text())
			}
			if err := request.Signature.MatchResponse(response, []string{"Y"}); err != nil {
				t.Errorf("%v\n%s", err, lines.Text())
			}
			sameNumbers(t, response.Outputs[0], data)
			kept := min(n, most)
			var want []string
			for r := range rows {
				want = append(want, fields[4+r*n:4+r*n+kept]...)
			}
			if got := response.Classified[0]; fmt.Sprint(got.Shape) != fmt.Sprint([]int64{rows, kept}) ||
				!bytes.Equal(got.Data, classAnswer(nil, want...).Outputs[0].Data) || got.Validate() != nil {
				t.Errorf("%d classes: %v %q\nof %s", most, got.Shape, got.Data, lines.Text())
			}
		}
	}
	if count < 70 {
		t.Errorf("only %d lines", count)
	}
}

// sameNumbers compares with the tensor of before, floating-point numbers to six
// decimals.
func sameNumbers(t *testing.T, got tensor.Tensor, want []byte) {
	t.Helper()
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	before := got
	before.Data = want
	values, isFloat := got.Floats()
	if !isFloat {
		if !bytes.Equal(got.Data, want) {
			t.Errorf("%s: %x, want %x", got.DataType, got.Data, want)
		}
		return
	}
	wanted, _ := before.Floats()
	for i, v := range values {
		if same := v == wanted[i] || math.IsNaN(v) && math.IsNaN(wanted[i]); !same && math.Abs(v-wanted[i]) > 1e-6 {
			t.Errorf("element %d: %v, want %v", i, v, wanted[i])
		}
	}
}

func TestDeclassifyShapes(t *testing.T) {
	four := []string{"0.500000:3", "0.300000:0", "0.200000:1", "0.000000:2"}
	for _, c := range []struct {
		about     string
		signature *codec.Signature
		answer    *codec.Response
		want      string // shapes of the tensor and of the classes
	}{
		{"no batch", classSignature(tensor.FP32, false, 4), classAnswer([]int64{4}, four...), "[4] [2]"},
		{"no batch, two dimensions", classSignature(tensor.FP32, false, 2, 2), classAnswer([]int64{4}, four...), "[2 2] [2]"},
		{"no batch, any size", classSignature(tensor.FP32, false, -1), classAnswer([]int64{4}, four...), "[4] [2]"},
		{"a batch", classSignature(tensor.FP32, true, 4), classAnswer([]int64{1, 4}, four...), "[1 4] [1 2]"},
		{"a batch, any size", classSignature(tensor.FP32, true, 2, -1), classAnswer([]int64{1, 4}, four...), "[1 2 2] [1 2]"},
		{"a batch, any sizes", classSignature(tensor.FP32, true, -1, -1), classAnswer([]int64{1, 4}, four...), "[1 1 4] [1 2]"},
		{"rows of one", classSignature(tensor.FP32, true), classAnswer([]int64{2, 1}, "0.500000:0", "1.000000:0"), "[2] [2 1]"},
		{"no batch, as if there were one", classSignature(tensor.FP32, false, 4), classAnswer([]int64{1, 4}, four...), ""},
		{"a batch, as if there were none", classSignature(tensor.FP32, true, 4), classAnswer([]int64{4}, four...), ""},
		{"too few classes", classSignature(tensor.FP32, true, 5), classAnswer([]int64{1, 4}, four...), ""},
		{"too many classes", classSignature(tensor.FP32, true, 2), classAnswer([]int64{2, 4}, append(four, four...)...), ""},
		{"no classes", classSignature(tensor.FP32, true, -1), classAnswer([]int64{1, 0}), ""},
		{"no rows", classSignature(tensor.FP32, true, 4), classAnswer([]int64{0, 4}), ""},
		{"more elements than the shape", classSignature(tensor.FP32, true, -1), classAnswer([]int64{1, 3}, four...), ""},
		{"fewer elements than the shape", classSignature(tensor.FP32, true, -1), classAnswer([]int64{1, 5}, four...), ""},
	} {
		request := &codec.Request{Signature: c.signature, Outputs: []codec.Output{{Name: "Y", Classes: 2}}}
		err := declassify(request, c.answer)
		if c.want == "" {
			if reasonOf(t, err) != "response_malformed" {
				t.Errorf("%s: %v", c.about, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.about, err)
		} else if got := fmt.Sprint(c.answer.Outputs[0].Shape, c.answer.Classified[0].Shape); got != c.want {
			t.Errorf("%s: %s, want %s", c.about, got, c.want)
		}
	}
}

// TestDeclassifyRefuses changes one class of an answer that is taken apart.
func TestDeclassifyRefuses(t *testing.T) {
	for _, c := range []struct {
		datatype tensor.DataType
		entry    string
	}{
		{tensor.FP32, ""}, {tensor.FP32, "0.500000"}, {tensor.FP32, "0.500000:"}, {tensor.FP32, ":0"}, {tensor.FP32, "0.500000::0"},
		{tensor.FP32, "0.500000:1"},  // stands twice
		{tensor.FP32, "0.500000:2"},  // there are two
		{tensor.FP32, "0.500000:-0"}, // spellings
		{tensor.FP32, "0.500000:+0"}, {tensor.FP32, "0.500000:00"}, {tensor.FP32, "0.500000: 0"}, {tensor.FP32, "0.500000:0x0"},
		{tensor.FP32, "0.500000:18446744073709551616"},
		{tensor.FP32, "0.5:0"}, {tensor.FP32, "0.5000000:0"}, {tensor.FP32, ".500000:0"}, {tensor.FP32, "00.500000:0"}, {tensor.FP32, "+0.500000:0"},
		{tensor.FP32, "-16777217.000000:0"}, // no FP32
		{tensor.FP32, "5e-1:0"}, {tensor.FP32, "0x1.00000p-1:0"}, {tensor.FP32, "0_0.500000:0"}, {tensor.FP32, "NaN:0"}, {tensor.FP32, "Infinity:0"}, {tensor.FP32, "+inf:0"},
		{tensor.FP32, "-1000000000000000000000000000000000000000.000000:0"}, // beyond FP32
		{tensor.FP32, "0.900000:0"},                                         // above the one before
		{tensor.FP32, "inf:0"},
		{tensor.FP64, "-1" + strings.Repeat("0", 309) + ".000000:0"},
		{tensor.Uint8, "256:0"}, {tensor.Uint8, "-1:0"}, {tensor.Uint8, "1.000000:0"}, {tensor.Uint8, "01:0"},
		{tensor.Uint64, "18446744073709551616:0"},
		{tensor.Int8, "-129:0"}, {tensor.Int8, "-0:0"}, {tensor.Int64, "-9223372036854775809:0"},
		{tensor.Bytes, "1:0"}, {tensor.FP16, "0.500000:0"}, {tensor.Bool, "0:0"},
	} {
		first := "0.750000:1"
		if !c.datatype.Float() {
			first = "100:1"
		}
		request := &codec.Request{Signature: classSignature(c.datatype, false, 2), Outputs: []codec.Output{{Name: "Y", Classes: 1}}}
		if err := declassify(request, classAnswer([]int64{2}, first, c.entry)); reasonOf(t, err) != "response_malformed" {
			t.Errorf("%s %q: %v", c.datatype, c.entry, err)
		}
	}
	request := &codec.Request{Signature: classSignature(tensor.FP32, false, 2), Outputs: []codec.Output{{Name: "Y", Classes: 1}}}
	numbers := &codec.Response{Outputs: []tensor.Tensor{{Name: "Y", DataType: tensor.FP32, Shape: []int64{2}, Data: make([]byte, 8)}}}
	if err := declassify(request, numbers); reasonOf(t, err) != "response_malformed" {
		t.Errorf("numbers instead of classes: %v", err)
	}
}

func TestAskClasses(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxBytesElements = 1000
	request := &codec.Request{Outputs: []codec.Output{{Name: "Y", Classes: 3}}}
	for _, c := range []struct {
		signature *codec.Signature
		want      int64
	}{
		{nil, 1001},
		{classSignature(tensor.FP32, true, 7), 7},
		{classSignature(tensor.FP32, false, 7), 7},
		{classSignature(tensor.FP32, true, 2, 7), 14},
		{classSignature(tensor.FP32, true, 2, -1), 1001},
		{classSignature(tensor.FP32, false, -1), 1001},
		{classSignature(tensor.FP32, false, 1001), 1001},
		{classSignature(tensor.FP32, false, math.MaxInt64, 2), 1001},
		{classSignature(tensor.FP32, true), 1},
	} {
		request.Signature = c.signature
		if got := askClasses(request, "Y", &limits); got != c.want {
			t.Errorf("%+v: %d, want %d", c.signature, got, c.want)
		}
		if got := askClasses(request, "X", &limits); got != 0 {
			t.Errorf("an output that is not asked for as classes: %d", got)
		}
	}
}

// TestClassificationEndToEnd is the way of one request through the codec.
func TestClassificationEndToEnd(t *testing.T) {
	c := newCodec(t)
	body := `{"inputs":[{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}],"outputs":[` +
		`{"name":"Y","parameters":{"classification":2,"binary_data":true}},{"name":"Z"}]}`
	request, err := c.DecodeRequest(inferRoute, nil, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	signature := classSignature(tensor.FP32, false, 3)
	signature.Outputs = append(signature.Outputs, codec.Spec{Name: "Z", DataType: tensor.Uint8, Shape: []int64{1}})
	if err := c.BindRequest(request, signature); err != nil {
		t.Fatal(err)
	}
	m, err := c.EncodeRequest(request, []string{"Y", "Z"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"outputs":[{"name":"Y","parameters":{"binary_data":true,"classification":3}},{"name":"Z","parameters":{"binary_data":true}}]`; !strings.Contains(string(m.Body), want) {
		t.Errorf("%s lacks %s", m.Body, want)
	}
	entries := classAnswer(nil, "0.500000:2:é:x", "0.250000:0", "0.250000:1").Outputs[0].Data
	head := fmt.Sprintf(`{"model_name":"m","model_version":"1","outputs":[{"name":"Y","datatype":"BYTES","shape":[3],"parameters":{"binary_data_size":%d}},`+
		`{"name":"Z","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}}]}`, len(entries))
	answer := head + string(entries) + "\x07"
	response, err := c.DecodeResponse(request, codec.Headers{{Name: headerLengthName, Value: strconv.Itoa(len(head))}}, []byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.MatchResponse(response, []string{"Y", "Z"}); err != nil {
		t.Error(err)
	}
	if got, _ := response.Outputs[0].Floats(); fmt.Sprint(got) != "[0.25 0.25 0.5]" {
		t.Errorf("the checks see %v", got)
	}
	got, err := c.EncodeResponse(request, response)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model_name":"m","model_version":"1","outputs":[{"name":"Y","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":33}},` +
		`{"name":"Z","datatype":"UINT8","shape":[1],"data":[7]}]}` + string(classAnswer(nil, "0.500000:2:é:x", "0.250000:0").Outputs[0].Data)
	if string(got.Body) != want {
		t.Errorf("the client gets\n%q\nwant\n%q", got.Body, want)
	}
}

// FuzzDeclassify holds that what is taken apart can be put together again: the
// classes, read by themselves, say what the tensor says.
func FuzzDeclassify(f *testing.F) {
	f.Add([]byte("0.500000:1:a\n0.250000:0"), uint8(tensor.FP32), false)
	f.Add([]byte("-1:0\n-128:1:x:y"), uint8(tensor.Int8), true)
	f.Add([]byte("nan:1\n-inf:0"), uint8(tensor.FP64), true)
	f.Add([]byte("18446744073709551615:0\n0:1"), uint8(tensor.Uint64), false)
	f.Fuzz(func(t *testing.T, lines []byte, datatype uint8, batches bool) {
		entries := strings.Split(string(lines), "\n")
		shape := []int64{int64(len(entries))}
		if batches {
			shape = []int64{1, int64(len(entries))}
		}
		request := &codec.Request{Signature: classSignature(tensor.DataType(datatype), batches, -1), Outputs: []codec.Output{{Name: "Y", Classes: len(entries)}}}
		response := classAnswer(shape, entries...)
		before := response.Outputs[0]
		if reasonOf(t, declassify(request, response)) != "ok" {
			return
		}
		numbers, classes := response.Outputs[0], response.Classified[0]
		if err := numbers.Validate(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(classes.Data, before.Data) {
			t.Fatalf("all classes are %q of %q", classes.Data, before.Data)
		}
		places := map[int]bool{}
		for _, e := range entries {
			text, rest, _ := strings.Cut(e, ":")
			digits, _, _ := strings.Cut(rest, ":")
			i, err := strconv.Atoi(digits)
			if err != nil || places[i] || i >= len(entries) {
				t.Fatalf("class %q of %d", e, len(entries))
			}
			places[i] = true
			element := tensor.Tensor{DataType: numbers.DataType, Data: numbers.Data[i*numbers.DataType.Size():][:numbers.DataType.Size()]}
			if got := printed(element); got != text && (got != "nan" || text != "-nan") {
				t.Fatalf("%q became %s", e, got)
			}
		}
	})
}

// printed is an element as printf prints it.
func printed(e tensor.Tensor) string {
	v, ok := e.Floats()
	if !ok {
		return string(writers[e.DataType](nil, e.Data))
	}
	text := strconv.FormatFloat(v[0], 'f', 6, 64)
	return strings.ToLower(strings.TrimPrefix(text, "+"))
}
