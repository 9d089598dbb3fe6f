package kserve

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/sanitize/tensor"
)

// tritonAnswer is one line of testdata/grpctriton.txt.
type tritonAnswer struct {
	about, method, mark string
	body                []byte
}

// readTritonAnswers reads what a real Triton answered.
func readTritonAnswers(t *testing.T) (answers []tritonAnswer) {
	t.Helper()
	source, err := os.ReadFile("testdata/grpctriton.txt")
	if err != nil {
		t.Fatal(err)
	}
	about := ""
	for line := range strings.Lines(string(source)) {
		if text, ok := strings.CutPrefix(line, "# "); ok {
			about = strings.TrimSpace(text)
			continue
		}
		words := strings.Fields(line)
		answers = append(answers, tritonAnswer{about, words[0], words[1], frame.AppendGRPC(nil, unhex(t, words[2]))})
	}
	if len(answers) < 20 {
		t.Fatalf("only %d answers", len(answers))
	}
	return answers
}

// A client that asks for all there is gets Triton's own bytes.
func TestGRPCAnswersOfTriton(t *testing.T) {
	c := newGRPC(t)
	for _, a := range readTritonAnswers(t) {
		request := &codec.Request{Operation: codec.Infer, Extra: emptyFinal(true)}
		if a.method == "ModelStreamInfer" {
			request.Operation = codec.InferStream
		}
		response, err := c.DecodeResponse(request, nil, a.body)
		if err != nil {
			t.Errorf("%s: %v", a.about, err)
			continue
		}
		isError := strings.Contains(string(a.body), "no word for it") || strings.Contains(string(a.body), "unexpected inference input") ||
			strings.Contains(string(a.body), "unknown model")
		wantFinal := a.mark == "true" || a.mark == "-" && a.method == "ModelStreamInfer"
		if (response.Error != "") != isError || response.Final != wantFinal {
			t.Errorf("%s: error %q, final %v", a.about, response.Error, response.Final)
		}
		m, err := c.EncodeResponse(request, response)
		if err != nil || !bytes.Equal(m.Body, a.body) {
			t.Errorf("%s: %v\n got %x\nwant %x", a.about, err, m.Body, a.body)
		}
	}
}

// Of what Triton answers to a request that asks for the end, a client that did not
// ask gets what Triton answers to one that did not.
func TestGRPCStreamWithoutTheEnd(t *testing.T) {
	c := newGRPC(t)
	streams := map[string][]byte{}
	request := &codec.Request{Operation: codec.InferStream, Extra: emptyFinal(false)}
	for _, a := range readTritonAnswers(t) {
		about, without := strings.CutSuffix(a.about, ", its end not asked for")
		if without {
			streams[about+" without"] = append(streams[about+" without"], a.body...)
			continue
		}
		if a.method != "ModelStreamInfer" {
			continue
		}
		response, err := c.DecodeResponse(request, nil, a.body)
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.EncodeResponse(request, response)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Body) == 0 && (a.mark != "true" || len(response.Outputs) > 0) {
			t.Errorf("%s: a message was lost", about)
		}
		streams[about] = append(streams[about], m.Body...)
	}
	for _, about := range []string{"a model that is not decoupled", "a decoupled model", "a decoupled model that says nothing"} {
		if !bytes.Equal(streams[about], streams[about+" without"]) {
			t.Errorf("%s: %x, without the end %x", about, streams[about], streams[about+" without"])
		}
	}
	if len(streams["a decoupled model"]) == 0 || len(streams["a decoupled model that says nothing"]) != 0 {
		t.Error("nothing was compared")
	}
}

// All classes of Triton's become the number that the client asked for, as Triton
// itself answers.
func TestGRPCClassesOfTriton(t *testing.T) {
	answers := map[string][]byte{}
	for _, a := range readTritonAnswers(t) {
		answers[a.about] = a.body
	}
	c := newGRPC(t)
	request := &codec.Request{Outputs: []codec.Output{{Name: "ECHO_FP32", Classes: 3}},
		Signature: &codec.Signature{MaxBatchSize: 8, Outputs: []codec.Spec{{Name: "ECHO_FP32", DataType: tensor.FP32, Shape: []int64{-1, 5}}}}}
	response, err := c.DecodeResponse(request, nil, answers["all classes"])
	if err != nil {
		t.Fatal(err)
	}
	scores, ok := response.Outputs[0].Floats()
	if want := []float64{0.1, 0.4, 0.2, 0.3, 0, 1, 2, 3, 4, 5}; !ok || !slices.EqualFunc(scores, want, func(a, b float64) bool { return float32(a) == float32(b) }) {
		t.Errorf("scores %v", scores)
	}
	m, err := c.EncodeResponse(request, response)
	if err != nil || !bytes.Equal(m.Body, answers["the 3 likeliest classes"]) {
		t.Errorf("%v: %x", err, m.Body)
	}
}

func TestGRPCEncodeResponse(t *testing.T) {
	c := newGRPC(t)
	byteOf := func(name string) tensor.Tensor {
		return tensor.Tensor{Name: name, DataType: tensor.Uint8, Shape: []int64{1}, Data: []byte(name)}
	}
	answer := &codec.Response{Model: "m", Outputs: []tensor.Tensor{byteOf("A"), byteOf("B"), byteOf("C")}}
	for name, want := range map[string][]string{"": {"A", "B", "C"}, "C A": {"A", "C"}, "B": {"B"}} {
		request := &codec.Request{}
		for _, output := range strings.Fields(name) {
			request.Outputs = append(request.Outputs, codec.Output{Name: output})
		}
		m, err := c.EncodeResponse(request, answer)
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.DecodeResponse(&codec.Request{}, nil, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, output := range back.Outputs {
			got = append(got, output.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("asked for %q, got %q", name, got)
		}
	}
	missing := &codec.Request{Outputs: []codec.Output{{Name: "D"}}}
	damaged := &codec.Response{Model: "m", Outputs: []tensor.Tensor{{Name: "A", DataType: tensor.FP32, Shape: []int64{1}, Data: []byte("abc")}}}
	odd := &codec.Response{Model: "m", Parameters: []codec.Parameter{{Name: "p", Value: 1}}}
	large := &codec.Response{Model: "m", Outputs: []tensor.Tensor{{Name: "A", DataType: tensor.Uint8, Shape: []int64{65 << 20}, Data: make([]byte, 65<<20)}}}
	for _, tc := range []struct {
		request  *codec.Request
		response *codec.Response
		want     codec.Reason
	}{
		{missing, answer, codec.ResponseMalformed}, {&codec.Request{}, damaged, codec.ResponseMalformed},
		{&codec.Request{}, odd, codec.ResponseMalformed}, {&codec.Request{}, large, codec.ResponseTooLarge},
	} {
		if m, err := c.EncodeResponse(tc.request, tc.response); reasonOf(t, err) != string(tc.want) || m != nil {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
}

func TestGRPCDecodeResponseRefuses(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxResponseBytes = 100
	c, err := NewGRPC(limits)
	if err != nil {
		t.Fatal(err)
	}
	good := frame.AppendGRPC(nil, []byte(lenField(1, "m")))
	for name, tc := range map[string]struct {
		body []byte
		want codec.Reason
	}{
		"nothing":    {nil, codec.ResponseMalformed},
		"cut short":  {good[:len(good)-1], codec.ResponseMalformed},
		"two":        {append(slices.Clone(good), good...), codec.ResponseMalformed},
		"compressed": {flagged(compressed(t, codec.Gzip, good[frame.HeaderBytes:])), codec.ResponseMalformed},
		"too large":  {frame.AppendGRPC(nil, []byte(lenField(1, "m")+lenField(2, strings.Repeat("1", 96)))), codec.ResponseTooLarge},
		"no message": {frame.AppendGRPC(nil, nil), codec.ResponseMalformed},
	} {
		if r, err := c.DecodeResponse(&codec.Request{}, nil, tc.body); reasonOf(t, err) != string(tc.want) || r != nil {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if _, err := c.DecodeResponse(&codec.Request{}, nil, good); err != nil {
		t.Error(err)
	}
}

// A refusal of Weir's own is an error as Triton writes one for a request that no
// model saw.
func TestGRPCEncodeError(t *testing.T) {
	c := newGRPC(t)
	for _, a := range readTritonAnswers(t) {
		if a.mark == "-" && strings.HasPrefix(a.about, "an input that the model does not have") {
			got := c.EncodeError(&codec.Request{ID: "q"}, "unexpected inference input 'NONE' for model 'identity'")
			if !bytes.Equal(got, a.body) {
				t.Errorf("%x, Triton's is %x", got, a.body)
			}
		}
	}
	stream := &codec.Request{Operation: codec.InferStream}
	r, err := c.DecodeResponse(stream, nil, c.EncodeError(&codec.Request{}, "not \xff UTF-8"))
	if err != nil || r.Error != "not  UTF-8" || !r.Final || r.ID != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// What a sanitiser or a caller made of a request must still be one that is accepted.
func TestGRPCEncodeRequestRefuses(t *testing.T) {
	c := newGRPC(t)
	plain := func() *codec.Request {
		return &codec.Request{Model: "m", Version: "1", Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "X", DataType: tensor.Uint8, Shape: []int64{1}, Data: []byte("x")}}}}
	}
	for name, tc := range map[string]struct {
		change  func(r *codec.Request)
		outputs []string
		want    codec.Reason
	}{
		"model":          {func(r *codec.Request) { r.Model = "a/b" }, nil, codec.NameInvalid},
		"version":        {func(r *codec.Request) { r.Version = "01" }, nil, codec.NameInvalid},
		"id":             {func(r *codec.Request) { r.ID = "a\x00" }, nil, codec.NameInvalid},
		"input":          {func(r *codec.Request) { r.Inputs[0].Name = "" }, nil, codec.NameInvalid},
		"data":           {func(r *codec.Request) { r.Inputs[0].Data = nil }, nil, codec.InputDataInvalid},
		"input twice":    {func(r *codec.Request) { r.Inputs = append(r.Inputs, r.Inputs[0]) }, nil, codec.InputDuplicate},
		"output twice":   {func(*codec.Request) {}, []string{"Y", "Y"}, codec.OutputDuplicate},
		"output":         {func(*codec.Request) {}, []string{"\n"}, codec.NameInvalid},
		"reserved":       {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: askFinal, Value: true}} }, nil, codec.ParameterInvalid},
		"text with NUL":  {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "p", Value: "\x00"}} }, nil, codec.ParameterInvalid},
		"type of Go":     {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "p", Value: 1}} }, nil, codec.ParameterInvalid},
		"grown too much": {func(r *codec.Request) { grow(&r.Inputs[0].Tensor, 65<<20) }, nil, codec.BodyTooLarge},
	} {
		for _, o := range []codec.Operation{codec.Infer, codec.InferStream} {
			r := plain()
			r.Operation = o
			if _, err := c.EncodeRequest(r, nil); err != nil {
				t.Fatal(err)
			}
			tc.change(r)
			if m, err := c.EncodeRequest(r, tc.outputs); reasonOf(t, err) != string(tc.want) || m != nil {
				t.Errorf("%s: %v, want %s", name, err, tc.want)
			}
		}
	}
}

func grow(t *tensor.Tensor, size int) {
	t.Shape, t.Data = []int64{int64(size)}, make([]byte, size)
}

// Raw tensors, and packed floating-point ones, are not copied.
func TestGRPCViews(t *testing.T) {
	data := "\x00\x00\x80\x3f\x00\x00\x00\x40"
	for name, source := range map[string]string{
		"raw":   lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "FP32"), lenField(3, "\x02")) + lenField(7, data),
		"typed": lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "FP32"), lenField(3, "\x02"), lenField(5, lenField(6, data))),
	} {
		body := frame.AppendGRPC(nil, []byte(source))
		r, err := newGRPC(t).DecodeRequest(operationOf(t, "infer"), nil, body)
		if err != nil {
			t.Fatal(err)
		}
		got := r.Inputs[0].Data
		if string(got) != data || &got[0] != &body[bytes.Index(body, []byte(data))] || cap(got) != len(got) {
			t.Errorf("%s: %q is no view into the body", name, got)
		}
	}
}

// What a message announces costs nothing before it is there.
func TestGRPCMemory(t *testing.T) {
	c := newGRPC(t)
	for name, source := range map[string]string{
		"elements": lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "INT64"), lenField(3, packed(8<<20)), lenField(5, lenField(3, "\x01"))),
		"strings":  lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "BYTES"), lenField(3, packed(1<<16)), lenField(5, lenField(8, ""))),
		"lists":    lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "INT64"), lenField(3, packed(1<<20)), lenField(5, strings.Repeat("\x1a\x01\x01", 1<<10))),
	} {
		body := frame.AppendGRPC(nil, []byte(source))
		used := allocated(func() {
			if _, err := c.DecodeRequest(operationOf(t, "infer"), nil, body); reasonOf(t, err) != string(codec.InputDataInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		})
		if most := uint64(8*len(body) + 64<<10); used > most {
			t.Errorf("%s: %d bytes for a body of %d", name, used, len(body))
		}
	}
}
