package kserve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/sanitize/tensor"
)

// This file reads messages as Triton does: with a parser of protobuf that forgives
// what all such parsers forgive, and then by the rules of its front end
// (infer_handler.cc: InferGRPCToInput, SetInferenceRequestMetadata).

// service holds the messages of grpc_service.proto.
var service = sync.OnceValue(func() protoreflect.FileDescriptor {
	source, err := os.ReadFile("testdata/grpc_service.txtpb")
	if err != nil {
		panic(err)
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal(source, file); err != nil {
		panic(err)
	}
	keepNaNs(file)
	descriptor, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(err)
	}
	return descriptor
})

// keepNaNs makes integers of floating-point contents, which have the same form on
// the wire: this library widens a float and so loses which NaN it was.
func keepNaNs(file *descriptorpb.FileDescriptorProto) {
	for _, message := range file.MessageType {
		for _, field := range message.Field {
			if field.GetName() == "fp32_contents" {
				field.Type = descriptorpb.FieldDescriptorProto_TYPE_FIXED32.Enum()
			}
		}
	}
}

// protobuf reads a message of the service.
func protobuf(name protoreflect.Name, source []byte) (protoMessage, error) {
	m := dynamicpb.NewMessage(service().Messages().ByName(name))
	return protoMessage{m}, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(source, m)
}

// protoMessage is a message whose fields are known by their names.
type protoMessage struct{ protoreflect.Message }

func (m protoMessage) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func (m protoMessage) value(name protoreflect.Name) protoreflect.Value { return m.Get(m.field(name)) }
func (m protoMessage) cString(name protoreflect.Name) string           { return cString(m.value(name).String()) }
func (m protoMessage) has(name protoreflect.Name) bool                 { return m.Has(m.field(name)) }

func (m protoMessage) list(name protoreflect.Name) (items []protoMessage) {
	list := m.value(name).List()
	for i := range list.Len() {
		items = append(items, protoMessage{list.Get(i).Message()})
	}
	return items
}

// parameters are those of a map in the order of their names, cut at a NUL.
func (m protoMessage) parameters() (list []codec.Parameter) {
	m.value("parameters").Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		choice := protoMessage{value.Message()}
		p := codec.Parameter{Name: cString(key.String())}
		if set := choice.WhichOneof(choice.Descriptor().Oneofs().Get(0)); set != nil {
			p.Value = choice.Get(set).Interface()
		}
		if text, ok := p.Value.(string); ok {
			p.Value = cString(text)
		}
		list = append(list, p)
		return true
	})
	return sortedParameters(list)
}

// readAsTritonGRPC reads a request; final is what it says of the end of a stream of
// answers, nil if nothing.
func readAsTritonGRPC(source []byte) (r *codec.Request, final any, err error) {
	m, err := protobuf("ModelInferRequest", source)
	if err != nil {
		return nil, nil, err
	}
	r = &codec.Request{Model: m.cString("model_name"), Version: m.cString("model_version"), ID: m.cString("id")}
	for _, p := range m.parameters() {
		if p.Name == "triton_enable_empty_final_response" {
			final = p.Value
		} else {
			r.Parameters = append(r.Parameters, p)
		}
	}
	raw := m.value("raw_input_contents").List()
	for i, input := range m.list("inputs") {
		t := tensor.Tensor{Name: input.cString("name"), Shape: []int64{}}
		if t.DataType, err = tensor.ParseDataType(input.cString("datatype")); err != nil {
			return nil, nil, err
		}
		shape := input.value("shape").List()
		for j := range shape.Len() {
			t.Shape = append(t.Shape, shape.Get(j).Int())
		}
		switch contents := (protoMessage{input.value("contents").Message()}); {
		case input.has("contents") && raw.Len() > 0:
			return nil, nil, errors.New("contents field must not be specified when using raw_input_contents")
		case input.has("contents"):
			if t.Data, err = tritonContents(contents, t.DataType); err != nil {
				return nil, nil, err
			}
		case i < raw.Len(): // what is left over is ignored
			t.Data = raw.Get(i).Bytes()
		default:
			return nil, nil, errors.New("unable to find data for input")
		}
		r.Inputs = append(r.Inputs, codec.Input{Tensor: t, Parameters: input.parameters()})
	}
	for _, output := range m.list("outputs") {
		o := codec.Output{Name: output.cString("name")}
		for _, p := range output.parameters() {
			if n, ok := p.Value.(int64); ok && p.Name == "classification" {
				o.Classes = int(uint32(n)) // a uint32_t in Triton
			}
		}
		r.Outputs = append(r.Outputs, o)
	}
	return r, final, nil
}

// tritonLists says which datatypes Triton reads from a list of typed contents.
var tritonLists = map[protoreflect.Name][]tensor.DataType{
	"bool_contents":   {tensor.Bool},
	"int_contents":    {tensor.Int8, tensor.Int16, tensor.Int32},
	"int64_contents":  {tensor.Int64},
	"uint_contents":   {tensor.Uint8, tensor.Uint16, tensor.Uint32},
	"uint64_contents": {tensor.Uint64},
	"fp32_contents":   {tensor.FP32},
	"fp64_contents":   {tensor.FP64},
	"bytes_contents":  {tensor.Bytes},
}

func tritonContents(m protoMessage, d tensor.DataType) (data []byte, err error) {
	filled := 0
	for name, datatypes := range tritonLists {
		list := m.value(name).List()
		if list.Len() == 0 {
			continue
		}
		if filled++; filled > 1 || !slices.Contains(datatypes, d) {
			return nil, errors.New("unexpected explicit tensor data")
		}
		for i := range list.Len() {
			data = appendAsTriton(data, d, list.Get(i).Interface())
		}
	}
	return data, nil
}

// appendAsTriton appends an element; of integers the low bytes.
func appendAsTriton(data []byte, d tensor.DataType, value any) []byte {
	var bits uint64
	switch value := value.(type) {
	case []byte:
		return append(binary.LittleEndian.AppendUint32(data, uint32(len(value))), value...)
	case bool:
		bits = uint64(btoi(value))
	case int32:
		bits = uint64(value)
	case int64:
		bits = uint64(value)
	case uint32:
		bits = uint64(value)
	case uint64:
		bits = value
	case float64:
		bits = math.Float64bits(value)
	}
	return append(data, binary.LittleEndian.AppendUint64(nil, bits)[:d.Size()]...)
}

// sameGRPC compares what Triton reads with a typed request.
func sameGRPC(typed, read *codec.Request) error {
	if typed.Model != read.Model || typed.Version != read.Version {
		return fmt.Errorf("model %q %q and %q %q", typed.Model, typed.Version, read.Model, read.Version)
	}
	sorted := *typed
	sorted.Parameters = sortedParameters(typed.Parameters)
	for i := range read.Inputs {
		if len(read.Inputs[i].Parameters) > 0 {
			return fmt.Errorf("input %d has parameters", i)
		}
	}
	for i, p := range sorted.Parameters {
		if i < len(read.Parameters) && fmt.Sprintf("%T", p.Value) != fmt.Sprintf("%T", read.Parameters[i].Value) {
			return fmt.Errorf("parameter %d is a %T and a %T", i, p.Value, read.Parameters[i].Value)
		}
	}
	return sameRequest(&sorted, read)
}

// The parser of the oracle reads odd and damaged messages as that of the client
// library does (testdata/grpcmessages.py), which is the one that Triton has.
func TestOracleIsProtobuf(t *testing.T) {
	source, err := os.ReadFile("testdata/grpc_reads.txt")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for line := range strings.Lines(string(source)) {
		odd, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		m, err := protobuf("ModelInferRequest", unhex(t, odd))
		if want == "error" {
			if err == nil {
				t.Errorf("%s is %v, want an error", odd, m.Interface())
			}
			continue
		}
		if err != nil {
			// A varint of more than 64 bits, of which others drop those above, is an
			// error for this one. The codec must refuse such a message, too.
			if _, ours := newGRPC(t).DecodeRequest(operationOf(t, "infer"), nil, frame.AppendGRPC(nil, unhex(t, odd))); ours == nil {
				t.Errorf("%s: %v", odd, err)
			}
			continue
		}
		read++
		same, err := protobuf("ModelInferRequest", unhex(t, want))
		if err != nil || !proto.Equal(m.Interface(), same.Interface()) {
			t.Errorf("%s\nis %v\nnot %v", odd, m.Interface(), same.Interface())
		}
	}
	if read < 150 {
		t.Fatalf("only %d messages were read", read)
	}
}
