package kserve

import (
	"fmt"
	"math"
)

// Limits bound one message. Over a limit is a refusal, never a truncation.
type Limits struct {
	MaxBodyBytes       int   // request body, before and after inflating
	MaxResponseBytes   int   // body of the model server's answer, and of the client's
	MaxInflateRatio    int   // inflated bytes per compressed byte, above the first 64 KiB
	MaxJSONHeaderBytes int   // JSON in front of binary tensors
	MaxJSONDepth       int   // nested objects and arrays
	MaxInputs          int   // input tensors of a request
	MaxOutputs         int   // outputs that a request names or a response holds
	MaxParameters      int   // entries of one parameters object
	MaxRank            int   // dimensions of a tensor
	MaxElements        int64 // elements of a tensor of a fixed-size datatype
	MaxBytesElements   int64 // elements of a BYTES tensor
	MaxNameBytes       int   // a tensor's or parameter's name, an id
}

// DefaultLimits suit one replica with bodies up to 64 MiB.
func DefaultLimits() Limits {
	return Limits{
		MaxBodyBytes:       64 << 20,
		MaxResponseBytes:   64 << 20,
		MaxInflateRatio:    200,
		MaxJSONHeaderBytes: 1 << 20,
		MaxJSONDepth:       32,
		MaxInputs:          64,
		MaxOutputs:         64,
		MaxParameters:      64,
		MaxRank:            16,
		MaxElements:        64 << 20,
		MaxBytesElements:   64 << 10,
		MaxNameBytes:       256,
	}
}

// tensorDepth is the nesting that a V2 message has outside of its tensor data:
// the message, its list of tensors, a tensor.
const tensorDepth = 3

// Validate reports the first limit that is not positive or contradicts another.
func (l Limits) Validate() error {
	for _, limit := range []struct {
		name  string
		value int64
		most  int64
	}{
		{"max_body_bytes", int64(l.MaxBodyBytes), math.MaxInt32},
		{"max_response_bytes", int64(l.MaxResponseBytes), math.MaxInt32},
		{"max_inflate_ratio", int64(l.MaxInflateRatio), math.MaxInt16},
		{"max_json_header_bytes", int64(l.MaxJSONHeaderBytes), math.MaxInt32},
		{"max_json_depth", int64(l.MaxJSONDepth), 1000},
		{"max_inputs", int64(l.MaxInputs), 1 << 16},
		{"max_outputs", int64(l.MaxOutputs), 1 << 16},
		{"max_parameters", int64(l.MaxParameters), 1 << 10},
		{"max_rank", int64(l.MaxRank), 1000},
		{"max_elements", l.MaxElements, math.MaxInt32},
		{"max_bytes_elements", l.MaxBytesElements, math.MaxInt32},
		{"max_name_bytes", int64(l.MaxNameBytes), 1 << 16},
	} {
		if limit.value < 1 || limit.value > limit.most {
			return fmt.Errorf("%s must be between 1 and %d, is %d", limit.name, limit.most, limit.value)
		}
	}
	if l.MaxJSONDepth < tensorDepth+l.MaxRank {
		return fmt.Errorf("max_json_depth must be at least max_rank + %d", tensorDepth)
	}
	return nil
}
