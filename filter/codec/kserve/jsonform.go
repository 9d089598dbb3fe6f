package kserve

import (
	"encoding/binary"
	"maps"
	"math"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// JSON implements codec.Codec in the dialect of servers that have nothing of
// Triton's extensions, such as MLServer and KServe's Python server: tensors are in
// the JSON, as the Open Inference Protocol defines them. Clients may use all forms
// that they may use with HTTP; only what goes to the server and comes back differs.
//
// # The request that the server gets
//
// One JSON document with content-type application/json, which makes KServe read it
// as such, without any parameter of a tensor. MLServer would let parameters, and
// the request's content_type and headers, change what data means, so they never
// come from a client. Data is flat. Numbers have the fewest digits that read back
// to the same value of their datatype, also by way of a double, which is how Python
// reads them. Elements of BYTES are JSON strings, so they must be UTF-8: what is
// not, such as a picture, has to travel as base64. NaN and infinities cannot be
// said, nor can BF16, which neither server knows. FP16 is written as numbers, in
// which MLServer takes it; KServe's server refuses it.
//
// # The answer
//
// A null stands for what is absent, and in floating-point data for NaN: both
// servers write NaN and infinities so, and a client that asked for JSON gets null
// again. Of the parameters of an output, content_type is handed on, which MLServer's
// clients decode by; others are dropped. An id that is not in the form of Weir's own
// was made up by the server: models of KServe may do that. It cannot belong to
// another request, for the server sees no ids but Weir's.
type JSON struct{ HTTP }

var _ codec.Codec = (*JSON)(nil)

// NewJSON returns a codec with these limits, or an error if they are not valid.
func NewJSON(limits Limits) (*JSON, error) {
	http, err := NewHTTP(limits)
	if err != nil {
		return nil, err
	}
	http.read, http.write = plainElements, plainWriters
	return &JSON{*http}, nil
}

// DecodeHead refuses the operations that are Triton's own.
func (c *JSON) DecodeHead(route codec.Route, headers codec.Headers) (codec.Headers, error) {
	if route.Operation.Infers() && route.Operation != codec.Infer {
		return nil, codec.Refuse(codec.ProtocolNotEnabled, "the model server has no such endpoint")
	}
	return c.HTTP.DecodeHead(route, headers)
}

// EncodeRequest writes the canonical form of a request: one JSON document with a
// fixed order of keys and flat data, no larger than a body may be. It asks for the
// named outputs, for all of them if outputs is empty.
func (c *JSON) EncodeRequest(request *codec.Request, outputs []string) (*codec.Message, error) {
	if err := c.limits.checkRequest(request, outputs); err != nil {
		return nil, err
	}
	if err := checkPlain(request); err != nil {
		return nil, err
	}
	w := make([]byte, 0, requestRoom(request))
	w = append(w, '{')
	if request.ID != "" {
		w = append(strictjson.AppendString(append(w, `"id":`...), request.ID), ',')
	}
	if len(request.Parameters) > 0 {
		var err error
		if w, err = appendParameters(append(w, `"parameters":{`...), request.Parameters); err != nil {
			return nil, err
		}
		w = append(w, `},`...)
	}
	w = append(w, `"inputs":[`...)
	for i := range request.Inputs {
		input := &request.Inputs[i].Tensor
		w = append(appendTensorHead(appendComma(w, i), input, true), `,"data":[`...)
		var err error
		if w, err = c.appendInput(w, input); err != nil {
			return nil, err
		}
		w = append(w, `]}`...)
	}
	w = append(w, ']')
	for i, name := range outputs {
		if i == 0 {
			w = append(w, `,"outputs":[`...)
		}
		w = append(strictjson.AppendString(append(appendComma(w, i), `{"name":`...), name), '}')
		if i == len(outputs)-1 {
			w = append(w, ']')
		}
	}
	w = append(w, '}')
	if len(w) > c.limits.MaxBodyBytes {
		return nil, c.requestTooLarge()
	}
	return codec.JSONMessage(w), nil
}

// checkPlain refuses what only Triton has, and the names of parameters by which
// MLServer and KServe read the inputs in another way.
func checkPlain(request *codec.Request) error {
	for _, output := range request.Outputs {
		if output.Classes > 0 {
			return codec.Refuse(codec.FeatureNotEnabled, "the model server has no classification")
		}
	}
	for _, parameter := range request.Parameters {
		if parameter.Name == "content_type" || parameter.Name == "headers" {
			return codec.Refuse(codec.ParameterInvalid, "a parameter has a reserved name")
		}
	}
	return nil
}

func (c *JSON) requestTooLarge() error {
	return codec.Refuse(codec.BodyTooLarge, "the request has more than %d bytes of JSON as the model server gets it", c.limits.MaxBodyBytes)
}

// requestRoom estimates the bytes of a request, so that its buffer seldom grows.
func requestRoom(request *codec.Request) int {
	n := 512
	for i := range request.Inputs {
		input := &request.Inputs[i]
		n += 128 + len(input.Data)
		if input.DataType.Size() > 0 {
			n += 2 * len(input.Data)
		}
	}
	return n
}

// appendInput writes the elements of a tensor as a flat JSON list.
func (c *JSON) appendInput(w []byte, t *tensor.Tensor) ([]byte, error) {
	if t.DataType == tensor.Bytes {
		return c.appendTexts(w, t)
	}
	write := requestWriters[t.DataType]
	if write == nil {
		return nil, codec.Refuse(codec.DataTypeInvalid, "input %q is %s, which has no JSON form, and the model server knows no other", t.Name, t.DataType)
	}
	size, floats := t.DataType.Size(), t.DataType.Float()
	for i := 0; i < len(t.Data); i += size {
		if floats && !finite(t.DataType.Float64(t.Data[i:])) {
			return nil, codec.Refuse(codec.InputDataInvalid, "input %q holds NaN or infinity, which JSON cannot say", t.Name)
		}
		w = write(appendComma(w, i), t.Data[i:])
		if len(w) > c.limits.MaxBodyBytes {
			return nil, c.requestTooLarge()
		}
	}
	return w, nil
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

// appendTexts writes the elements of a BYTES tensor as JSON strings.
func (c *JSON) appendTexts(w []byte, t *tensor.Tensor) ([]byte, error) {
	n, err := tensor.Elements(t.Shape, math.MaxInt32)
	if err != nil {
		return nil, codec.Refuse(codec.InputDataInvalid, "%v", err)
	}
	err = tensor.EachElement(t.Data, n, func(i int64, e []byte) error {
		if !utf8.Valid(e) {
			return codec.Refuse(codec.InputDataInvalid,
				"input %q is not UTF-8, which the JSON that the model server takes must be: send it as base64", t.Name)
		}
		if w = strictjson.AppendString(appendComma(w, int(i)), e); len(w) > c.limits.MaxBodyBytes {
			return c.requestTooLarge()
		}
		return nil
	})
	return w, err
}

// requestWriters print numbers for the model server, floats in the shortest digits.
var requestWriters = with(writers, map[tensor.DataType]writer{
	tensor.FP16: func(w, d []byte) []byte { return appendShortest(w, tensor.FP16.Float64(d), 32) },
	tensor.FP32: func(w, d []byte) []byte {
		bits := 32
		if binary.LittleEndian.Uint32(d)&^(1<<31) == doublyRounded {
			bits = 64
		}
		return appendShortest(w, tensor.FP32.Float64(d), bits)
	},
})

// doublyRounded is 7.038531e-26, the only float32 whose shortest digits, read as a
// float64 and rounded to float32, give another: its neighbour. All were tried.
const doublyRounded = 0x15AE43FD

// plainWriters print numbers for a client: as Triton does, but FP16 too, and null
// for what is not finite.
var plainWriters = with(writers, map[tensor.DataType]writer{
	tensor.FP16: plainFloat(tensor.FP16),
	tensor.FP32: plainFloat(tensor.FP32),
	tensor.FP64: plainFloat(tensor.FP64),
})

func plainFloat(d tensor.DataType) writer {
	return func(w, data []byte) []byte {
		if value := d.Float64(data); finite(value) {
			return appendFloat(w, value)
		}
		return append(w, "null"...)
	}
}

// plainElements read what a client sends: as Triton does, but FP16 too.
var plainElements = with(elements, map[tensor.DataType]element{tensor.FP16: {strictjson.Number, fp16Element}})

func fp16Element(s *strictjson.Scanner, dst []byte) ([]byte, error) {
	var n number
	if err := n.read(s); err != nil {
		return nil, err
	}
	value, err := n.float64()
	if err != nil {
		return nil, outOfRange("FP16")
	}
	half, ok := toHalf(value)
	if !ok {
		return nil, outOfRange("FP16")
	}
	return binary.LittleEndian.AppendUint16(dst, half), nil
}

// toHalf returns the IEEE 754 binary16 nearest to a finite value, to even if two are;
// false if that is infinite.
func toHalf(value float64) (half uint16, ok bool) {
	magnitude := math.Abs(value)
	switch {
	case magnitude >= 65520: // half way from the largest to what would come next
		return 0, false
	case magnitude < 0x1p-14: // subnormal: a multiple of 2^-24
		half = uint16(math.RoundToEven(magnitude * 0x1p24))
	default:
		fraction, exponent := math.Frexp(magnitude) // fraction from 0.5 to below 1
		// The leading bit of the 11 adds 1 to the exponent, whose bias is 15.
		half = uint16(exponent+13)<<10 + uint16(math.RoundToEven(fraction*0x1p11))
	}
	if math.Signbit(value) {
		half |= 0x8000
	}
	return half, true
}

// with returns a table with some rows of its own.
func with[V any](table, rows map[tensor.DataType]V) map[tensor.DataType]V {
	merged := maps.Clone(table)
	maps.Copy(merged, rows)
	return merged
}
