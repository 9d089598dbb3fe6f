package kserve

import (
	"errors"
	"math"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// readGenerateAsTriton reads a generate request as Triton's HTTP front end does
// (ConvertGenerateRequest and ExactMappingInput in http_server.cc), which takes the
// low bytes of integers and rounds to FP32 without a look. Numbers are as strconv
// reads them: RapidJSON may be off by three units in the last place of an FP64, of an
// FP32 never.
func readGenerateAsTriton(signature *codec.Signature, body []byte) (*codec.Request, error) {
	document, err := readLenient(body)
	if err != nil {
		return nil, err
	}
	root, _ := document.(lenientObject)
	request := &codec.Request{}
	if id, ok := root.find("id"); ok {
		request.ID = cString(id)
	}
	return request, convertGenerate(signature, request, root, false)
}

func convertGenerate(signature *codec.Signature, request *codec.Request, object lenientObject, nested bool) error {
	for _, m := range object {
		value, _ := object.find(m.name)
		switch spec := signature.Input(m.name); {
		case m.name == "parameters" && !nested:
			inner, ok := value.(lenientObject)
			if !ok {
				return errors.New("expected a JSON object")
			}
			if err := convertGenerate(signature, request, inner, true); err != nil {
				return err
			}
		case spec != nil:
			t, err := tritonGenerated(spec, value)
			if err != nil {
				return err
			}
			request.Inputs = append(request.Inputs, codec.Input{Tensor: t})
		case m.name != "id": // which becomes a parameter too
			request.Parameters = append(request.Parameters, codec.Parameter{Name: cString(m.name), Value: value})
		}
	}
	return nil
}

func tritonGenerated(spec *codec.Spec, value any) (t tensor.Tensor, err error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	t = tensor.Tensor{Name: spec.Name, DataType: spec.DataType}
	count := int64(len(list))
	for i := len(spec.Shape) - 1; i >= 0; i-- {
		if d := spec.Shape[i]; d != -1 {
			if count%d != 0 {
				return t, errors.New("cannot convert to a tensor with proper shape")
			}
			count /= d
		}
	}
	t.Shape = append([]int64{}, spec.Shape...)
	for i := len(t.Shape) - 1; i >= 0; i-- {
		if t.Shape[i] == -1 {
			t.Shape[i], count = count, 1
		}
	}
	if count != 1 {
		return t, errors.New("cannot convert to a tensor with proper shape")
	}
	for _, v := range list {
		if t.Data, err = tritonElement(t.Data, spec.DataType, v); err != nil {
			return t, err
		}
	}
	return t, nil
}

// tritonElement is ReadDataFromJsonHelper.
func tritonElement(dst []byte, d tensor.DataType, value any) ([]byte, error) {
	bits := uint64(0)
	switch v := value.(type) {
	case string:
		if d != tensor.Bytes {
			return nil, errors.New("attempt to access JSON string as something else")
		}
		return tensor.AppendElement(dst, []byte(v)), nil
	case bool:
		if d != tensor.Bool {
			return nil, errors.New("attempt to access JSON boolean as something else")
		}
		bits = uint64(btoi(v))
	case uint64:
		bits = v
		if d.Float() {
			return tritonElement(dst, d, float64(v))
		}
	case int64:
		bits = uint64(v)
		if d.Float() {
			return tritonElement(dst, d, float64(v))
		}
	case float64:
		switch d {
		case tensor.FP32:
			bits = uint64(math.Float32bits(float32(v)))
		case tensor.FP64:
			bits = math.Float64bits(v)
		default:
			return nil, errors.New("attempt to access JSON number as integer")
		}
	}
	if d == tensor.Bytes || d == tensor.FP16 || d == tensor.BF16 {
		return nil, errors.New("no such JSON")
	}
	return appendInteger(dst, d.Size(), bits), nil
}
