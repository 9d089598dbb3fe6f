package kserve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// readAsTriton reads a request with explicit header length as Triton's HTTP
// front end does (http_server.cc: atoi of the first length header, ParseJsonTritonIO).
func readAsTriton(headers codec.Headers, body []byte) (*codec.Request, []codec.Output, error) {
	value, _ := headers.Get("inference-header-content-length")
	jsonBytes, err := strconv.Atoi(value)
	if err != nil || jsonBytes == 0 {
		return nil, nil, errors.New("Triton would take this as a raw binary request")
	}
	document, err := readLenient(body[:jsonBytes])
	if err != nil {
		return nil, nil, err
	}
	root, _ := document.(lenientObject)
	request, blob := &codec.Request{}, body[jsonBytes:]
	if id, ok := root.find("id"); ok {
		request.ID = cString(id)
	}
	parameters, _ := root.find("parameters")
	object, _ := parameters.(lenientObject)
	for _, m := range object {
		if m.name == "binary_data_output" {
			request.Binary = m.value.(bool)
			continue
		}
		request.Parameters = append(request.Parameters, codec.Parameter{Name: cString(m.name), Value: m.value})
	}
	inputs, _ := root.find("inputs")
	list, _ := inputs.([]any)
	for _, item := range list {
		input, rest, err := tritonInput(item.(lenientObject), blob)
		if err != nil {
			return nil, nil, err
		}
		blob = rest
		request.Inputs = append(request.Inputs, codec.Input{Tensor: input})
	}
	if len(blob) > 0 {
		return nil, nil, errors.New("unexpected additional input data")
	}
	return request, tritonOutputs(root), nil
}

// tritonOutputs reads the outputs that are asked for; the number of classes is cut
// to 32 bits, as that of a C++ constructor.
func tritonOutputs(root lenientObject) (outputs []codec.Output) {
	list, _ := root.find("outputs")
	items, _ := list.([]any)
	for _, item := range items {
		object := item.(lenientObject)
		name, _ := object.find("name")
		parameters, _ := object.find("parameters")
		members, _ := parameters.(lenientObject)
		binary, _ := members.find("binary_data")
		output := codec.Output{Name: cString(name), Binary: binary == true}
		if classes, ok := members.find("classification"); ok {
			output.Classes = int(uint32(classes.(uint64)))
		}
		outputs = append(outputs, output)
	}
	return outputs
}

func tritonInput(object lenientObject, blob []byte) (t tensor.Tensor, rest []byte, err error) {
	name, _ := object.find("name")
	datatype, _ := object.find("datatype")
	shape, _ := object.find("shape")
	parameters, _ := object.find("parameters")
	t.Name = cString(name)
	if t.DataType, err = tensor.ParseDataType(cString(datatype)); err != nil {
		return t, nil, err
	}
	for _, d := range shape.([]any) {
		t.Shape = append(t.Shape, int64(d.(uint64)))
	}
	if _, ok := object.find("data"); ok {
		return t, nil, errors.New("the canonical form has JSON data")
	}
	size, _ := parameters.(lenientObject).find("binary_data_size")
	n, ok := size.(uint64)
	if !ok || n > uint64(len(blob)) {
		return t, nil, errors.New("binary_data_size")
	}
	t.Data = blob[:n]
	return t, blob[n:], nil
}

// cString ends a string at a NUL, as the const char* of Triton's API does.
func cString(value any) string {
	s, _ := value.(string)
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// sameRequest compares what an upstream request says: names, shapes, bytes,
// parameters. The version of a number does not matter: 1 is 1.
func sameRequest(a, b *codec.Request) error {
	if a.ID != b.ID {
		return fmt.Errorf("ids %q and %q", a.ID, b.ID)
	}
	if len(a.Parameters) != len(b.Parameters) || len(a.Inputs) != len(b.Inputs) {
		return errors.New("another number of parameters or inputs")
	}
	for i := range a.Parameters {
		x, y := a.Parameters[i], b.Parameters[i]
		if x.Name != y.Name || parameterText(x.Value) != parameterText(y.Value) {
			return fmt.Errorf("parameter %d: %v and %v", i, x, y)
		}
	}
	for i := range a.Inputs {
		x, y := &a.Inputs[i].Tensor, &b.Inputs[i].Tensor
		if x.Name != y.Name || x.DataType != y.DataType || fmt.Sprint(x.Shape) != fmt.Sprint(y.Shape) || !bytes.Equal(x.Data, y.Data) {
			return fmt.Errorf("input %d: %v and %v", i, x, y)
		}
	}
	return nil
}

func parameterText(value any) string {
	if f, ok := value.(float64); ok {
		return string(binary.LittleEndian.AppendUint64([]byte("float "), math.Float64bits(f)))
	}
	return fmt.Sprintf("%v", value)
}
