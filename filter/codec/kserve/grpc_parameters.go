package kserve

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
)

// entrySchema is an entry of a map of parameters: key, value.
var entrySchema = schema{1: oneText, 2: oneMessage}

// parameterSchema is InferParameter: bool_param, int64_param, string_param,
// double_param, uint64_param, of which it holds one.
var parameterSchema = schema{1: oneVarint, 2: oneVarint, 3: oneText, 4: oneFixed64, 5: oneVarint}

// readParameter reads one entry of a map of parameters.
func readParameter(source []byte, limits *Limits) (p codec.Parameter, err error) {
	err = entrySchema.walk(source, func(f field) (err error) {
		if f.number == 1 {
			p.Name = string(f.bytes)
		} else {
			p.Value, err = parameterValue(f.bytes)
		}
		return err
	})
	if err != nil {
		return p, err
	}
	if p.Value == nil {
		return p, codec.Refuse(codec.ParameterInvalid, "a parameter has no value")
	}
	return p, checkName(p.Name, limits, "a parameter name")
}

// parameterValue reads a value: a bool, int64, string, float64 or uint64; nil if
// there is none.
func parameterValue(source []byte) (value any, err error) {
	err = parameterSchema.walk(source, func(f field) error {
		if value != nil {
			return malformed("a parameter with several values")
		}
		switch f.number {
		case 1:
			if f.scalar > 1 {
				return malformed("a truth value that is neither 0 nor 1")
			}
			value = f.scalar == 1
		case 2:
			value = int64(f.scalar)
		case 3:
			if slices.Contains(f.bytes, 0) {
				return codec.Refuse(codec.ParameterInvalid, "a parameter holds a NUL, at which Triton would cut it")
			}
			value = string(f.bytes)
		case 4:
			number := math.Float64frombits(f.scalar)
			if math.IsNaN(number) || math.IsInf(number, 0) {
				return codec.Refuse(codec.ParameterInvalid, "a parameter is not a finite number")
			}
			value = number
		case 5:
			value = f.scalar
		}
		return nil
	})
	return value, err
}

// addParameter adds an entry to a map of parameters.
func addParameter(list []codec.Parameter, p codec.Parameter, limits *Limits) ([]codec.Parameter, error) {
	if len(list) == limits.MaxParameters {
		return nil, codec.Refuse(codec.ParameterInvalid, "more than %d parameters", limits.MaxParameters)
	}
	if slices.ContainsFunc(list, func(o codec.Parameter) bool { return o.Name == p.Name }) {
		return nil, codec.Refuse(codec.ParameterInvalid, "a parameter stands twice")
	}
	return append(list, p), nil
}

// finalFlag returns the value of a parameter that must be true or false.
func finalFlag(p codec.Parameter, reason codec.Reason) (bool, error) {
	value, ok := p.Value.(bool)
	if !ok {
		return false, codec.Refuse(reason, "%s must be true or false", p.Name)
	}
	return value, nil
}

// sortedParameters are the parameters of a map in the order of their names.
func sortedParameters(list []codec.Parameter) []codec.Parameter {
	return slices.SortedFunc(slices.Values(list), func(a, b codec.Parameter) int { return strings.Compare(a.Name, b.Name) })
}

// appendEntry writes an entry of a map of parameters.
func appendEntry(w []byte, number protowire.Number, name string, value []byte) []byte {
	return appendMessage(w, number, appendMessage(appendText(nil, 1, name), 2, value))
}

// appendProtoParameters writes a map of parameters in the order of the names.
func appendProtoParameters(w []byte, number protowire.Number, list []codec.Parameter) ([]byte, error) {
	for _, p := range sortedParameters(list) {
		value, err := appendProtoValue(nil, p.Value)
		if err != nil {
			return nil, err
		}
		w = appendEntry(w, number, p.Name, value)
	}
	return w, nil
}

// appendProtoValue writes an InferParameter.
func appendProtoValue(w []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case bool:
		return appendVarint(w, 1, protowire.EncodeBool(value)), nil
	case int64:
		return appendVarint(w, 2, uint64(value)), nil
	case string:
		if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not text")
		}
		return protowire.AppendString(protowire.AppendTag(w, 3, protowire.BytesType), value), nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, codec.Refuse(codec.ParameterInvalid, "a parameter is not a finite number")
		}
		return protowire.AppendFixed64(protowire.AppendTag(w, 4, protowire.Fixed64Type), math.Float64bits(value)), nil
	case uint64:
		return appendVarint(w, 5, value), nil
	}
	return nil, codec.Refuse(codec.ParameterInvalid, "a parameter has the Go type %T", value)
}
