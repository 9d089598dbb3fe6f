package kserve

import (
	"math"

	"weir/filter/codec"
)

// checkParameter refuses a request parameter that has a reserved name, or not the
// type that Triton needs: those which it acts on itself have one each
// (ParseJsonTritonParams in http_server.cc).
func checkParameter(p codec.Parameter) error {
	if err := checkRequestParameter(p.Name); err != nil {
		return err
	}
	switch p.Name {
	case "sequence_id":
		if _, isText := p.Value.(string); !isText && !unsignedValue(p.Value) {
			return codec.Refuse(codec.ParameterInvalid, "sequence_id must be text or an integer that is not negative")
		}
	case "sequence_start", "sequence_end":
		if _, ok := p.Value.(bool); !ok {
			return codec.Refuse(codec.ParameterInvalid, "%s must be true or false", p.Name)
		}
	case "priority", "timeout":
		if !unsignedValue(p.Value) {
			return codec.Refuse(codec.ParameterInvalid, "%s must be an integer that is not negative", p.Name)
		}
	}
	return nil
}

// checkCustom refuses a parameter that Triton would hand to a model as something
// else: an integer above every int64 becomes a floating-point number
// (SetTritonParameterFromJsonParameter).
func checkCustom(p codec.Parameter) error {
	switch p.Name {
	case "sequence_id", "priority", "timeout":
		return nil
	}
	if n, ok := p.Value.(uint64); ok && n > math.MaxInt64 {
		return codec.Refuse(codec.NumberOutOfRange, "a parameter is not within the range of INT64")
	}
	return nil
}

// unsignedValue reports whether the value of a parameter is an integer that is not
// negative.
func unsignedValue(value any) bool {
	switch n := value.(type) {
	case uint64:
		return true
	case int64:
		return n >= 0
	}
	return false
}
