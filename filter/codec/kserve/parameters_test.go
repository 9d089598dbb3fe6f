package kserve

import (
	"fmt"
	"testing"
)

// TestParameters holds that a parameter reaches Triton with one type: those that it
// acts on have one each, every other keeps that of the JSON.
func TestParameters(t *testing.T) {
	for _, v := range []struct{ parameter, want string }{ // a Go type, or a reason
		{`"sequence_id":0`, "int64"},
		{`"sequence_id":18446744073709551615`, "uint64"},
		{`"sequence_id":"a-1"`, "string"},
		{`"sequence_id":-1`, "parameter_invalid"},
		{`"sequence_id":1.0`, "parameter_invalid"},
		{`"sequence_id":true`, "parameter_invalid"},
		{`"sequence_id":"a\u0000b"`, "parameter_invalid"},
		{`"sequence_start":true`, "bool"},
		{`"sequence_start":1`, "parameter_invalid"},
		{`"sequence_end":false`, "bool"},
		{`"sequence_end":"false"`, "parameter_invalid"},
		{`"priority":7`, "int64"},
		{`"priority":18446744073709551615`, "uint64"},
		{`"priority":-1`, "parameter_invalid"},
		{`"priority":1e2`, "parameter_invalid"},
		{`"priority":"7"`, "parameter_invalid"},
		{`"timeout":1000000`, "int64"},
		{`"timeout":0.5`, "parameter_invalid"},
		{`"timeout":18446744073709551616`, "number_out_of_range"},
		{`"custom":-9223372036854775808`, "int64"},
		{`"custom":9223372036854775807`, "int64"},
		{`"custom":9223372036854775808`, "number_out_of_range"},
		{`"custom":-9223372036854775809`, "number_out_of_range"},
		{`"custom":1.0`, "float64"},
		{`"custom":1e400`, "number_out_of_range"},
		{`"custom":NaN`, "json_malformed"},
		{`"custom":"text"`, "string"},
		{`"custom":false`, "bool"},
		{`"custom":null`, "parameter_invalid"},
		{`"custom":[1]`, "parameter_invalid"},
		{`"custom":{}`, "parameter_invalid"},
		{`"triton_enable_empty_final_response":true`, "parameter_invalid"},
		{`"binary_data":true`, "parameter_invalid"},
		{`"shared_memory_region":"r"`, "shared_memory_denied"},
		{`"sequence\u005fstart":1`, "parameter_invalid"},
	} {
		c := newCodec(t)
		body := `{"parameters":{` + v.parameter + `},"inputs":[{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}]}`
		request, err := c.DecodeRequest(inferRoute, nil, []byte(body))
		if err == nil {
			_, err = c.EncodeRequest(request, nil)
		}
		got := reasonOf(t, err)
		if err == nil {
			got = fmt.Sprintf("%T", request.Parameters[0].Value)
		}
		if got != v.want {
			t.Errorf("%s: %s, want %s", v.parameter, got, v.want)
		}
	}
}
