package kserve

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// lenField writes a field of bytes, a string or a message.
func lenField(number protowire.Number, parts ...string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), strings.Join(parts, "")))
}

func varintField(number protowire.Number, value uint64) string {
	return string(appendVarint(nil, number, value))
}

// packed writes varints one after the other.
func packed(values ...uint64) (s string) {
	for _, v := range values {
		s += string(protowire.AppendVarint(nil, v))
	}
	return s
}

// infer decodes a request of which the protobuf is given.
func infer(c *GRPC, protobuf ...string) (*codec.Request, error) {
	body := frame.AppendGRPC(nil, []byte(strings.Join(protobuf, "")))
	return c.DecodeRequest(codec.Route{Protocol: codec.KServeGRPC, Operation: codec.Infer}, nil, body)
}

// entry is an entry of a map of parameters.
func entry(name string, value ...string) string {
	return lenField(1, name) + lenField(2, value...)
}

// Each is protobuf that parsers forgive, or read in more than one way.
func TestProtobufRefused(t *testing.T) {
	const int8, raw = "\x12\x04INT8", "\x3a\x02\x01\x02"
	named := func(more ...string) string {
		return lenField(5, append([]string{lenField(1, "X"), int8, lenField(3, "\x02")}, more...)...)
	}
	model := lenField(1, "m")
	typed := func(contents ...string) string { return model + named(lenField(5, contents...)) }
	valued := func(value ...string) string { return model + named() + raw + lenField(4, entry("p", value...)) }
	good := model + named() + raw
	malformed := codec.MessageMalformed
	for name, tc := range map[string]struct {
		source string
		reason codec.Reason
	}{
		"nothing odd":                 {good, ""},
		"fields in another order":     {raw + named() + model, ""},
		"model twice":                 {model + good, malformed},
		"version twice":               {lenField(2, "1") + lenField(2, "1") + good, malformed},
		"id twice":                    {lenField(3, "a") + good + lenField(3, "b"), malformed},
		"unknown field":               {good + varintField(8, 1), malformed},
		"unknown large field":         {good + lenField(536870911, ""), malformed},
		"field 0":                     {good + "\x02\x00", malformed},
		"group":                       {good + "\x43\x44", malformed},
		"group of a known number":     {good + "\x0b\x0c", malformed},
		"end of a group":              {good + "\x0c", malformed},
		"wire type 6":                 {good + "\x0e\x00", malformed},
		"wire type 7":                 {good + "\x0f", malformed},
		"number for a string":         {"\x08\x6d" + good, malformed},
		"number for a message":        {good + varintField(6, 1), malformed},
		"fixed number for a string":   {good + "\x1d\x00\x00\x00\x00", malformed},
		"long tag":                    {"\x8a\x00\x01n" + named() + raw, malformed},
		"long length":                 {"\x0a\x81\x00n" + named() + raw, malformed},
		"tag that is cut short":       {good + "\x80", malformed},
		"length that is cut short":    {good + "\x1a\x80", malformed},
		"length without an end":       {good + "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", malformed},
		"length beyond the end":       {good + "\x1a\x02a", malformed},
		"length of 2^63":              {good + "\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01a", malformed},
		"inner length beyond the end": {model + "\x2a\x04\x0a\x03XY", malformed},
		"model that is not UTF-8":     {lenField(1, "m\xff") + named() + raw, malformed},
		"surrogates as UTF-8":         {lenField(3, "\xed\xa0\x80") + good, malformed},
		"overlong UTF-8":              {lenField(3, "\xc0\x80") + good, malformed},

		"name of an input twice":          {model + named(lenField(1, "X")) + raw, malformed},
		"datatype twice":                  {model + named(int8) + raw, malformed},
		"unknown field of an input":       {model + named(varintField(6, 1)) + raw, malformed},
		"shape in pieces":                 {model + lenField(5, lenField(1, "X"), int8, varintField(3, 1), lenField(3, "\x02")) + raw, ""},
		"shape as a fixed number":         {model + lenField(5, lenField(1, "X"), int8, "\x1d\x02\x00\x00\x00") + raw, malformed},
		"long dimension":                  {model + lenField(5, lenField(1, "X"), int8, lenField(3, "\x82\x00")) + raw, malformed},
		"dimension cut short":             {model + lenField(5, lenField(1, "X"), int8, lenField(3, "\x82")) + raw, malformed},
		"dimension of more than 63 bits":  {model + lenField(5, lenField(1, "X"), int8, lenField(3, packed(1<<63))) + raw, codec.ShapeInvalid},
		"datatype that is not UTF-8":      {model + lenField(5, lenField(1, "X"), lenField(2, "INT8\xff")) + raw, malformed},
		"contents twice":                  {model + named(lenField(5, lenField(2, "\x01")), lenField(5, lenField(2, "\x02"))), malformed},
		"name of an output twice":         {good + lenField(6, lenField(1, "Y"), lenField(1, "Y")), malformed},
		"unknown field of an output":      {good + lenField(6, lenField(1, "Y"), lenField(3, "")), malformed},
		"classification twice":            {good + lenField(6, lenField(1, "Y"), lenField(2, entry("classification", "\x10\x01")), lenField(2, entry("classification", "\x10\x02"))), codec.ParameterInvalid},
		"shared memory under a long name": {model + named(lenField(4, entry("shared_memory_region\x00x", "\x10\x01"))) + raw, codec.NameInvalid},

		"parameter":                   {valued("\x10\x01"), ""},
		"parameter twice":             {valued("\x10\x01") + lenField(4, entry("p", "\x10\x02")), codec.ParameterInvalid},
		"key twice":                   {good + lenField(4, lenField(1, "p"), entry("q", "\x10\x01")), malformed},
		"value twice":                 {good + lenField(4, entry("p", "\x10\x01"), lenField(2, "\x10\x01")), malformed},
		"two values":                  {valued("\x10\x01\x08\x01"), malformed},
		"one value twice":             {valued("\x10\x01\x10\x01"), malformed},
		"value without a key":         {good + lenField(4, lenField(2, "\x10\x01")), codec.NameInvalid},
		"key without a value":         {good + lenField(4, lenField(1, "p")), codec.ParameterInvalid},
		"empty value":                 {valued(""), codec.ParameterInvalid},
		"empty entry":                 {good + "\x22\x00", codec.ParameterInvalid},
		"truth of 2":                  {valued("\x08\x02"), malformed},
		"truth of many bits":          {valued("\x08\x80\x80\x80\x80\x10"), malformed},
		"unknown value":               {valued("\x30\x01"), malformed},
		"unknown field of an entry":   {good + lenField(4, entry("p", "\x10\x01"), "\x18\x01"), malformed},
		"value of another type":       {valued("\x12\x01a"), malformed},
		"double cut short":            {valued("\x21\x00\x00\x00\x00\x00\x00\x00"), malformed},
		"text that is not UTF-8":      {valued("\x1a\x01\xff"), malformed},
		"end of the stream, twice":    {good + strings.Repeat(lenField(4, entry(askFinal, "\x08\x01")), 2), codec.ParameterInvalid},
		"negative sequence":           {good + lenField(4, entry("sequence_id", varintField(2, 1<<63))), codec.ParameterInvalid},
		"number that is a truth":      {good + lenField(4, entry("sequence_start", "\x10\x01")), codec.ParameterInvalid},
		"reserved name after a NUL":   {good + lenField(4, entry("triton_\x00", "\x10\x01")), codec.NameInvalid},
		"name that is not one in UTF": {good + lenField(4, entry("\xff", "\x10\x01")), malformed},

		"typed":                    {typed(lenField(2, "\x01\x02")), ""},
		"typed, not packed":        {typed("\x10\x01\x10\x02"), ""},
		"typed, both":              {typed("\x10\x01", lenField(2, "\x02")), ""},
		"typed, with empty lists":  {typed(lenField(6), lenField(2, "\x01"), lenField(3), lenField(2, "\x02"), lenField(2)), ""},
		"typed, too few":           {typed("\x10\x01"), codec.InputDataInvalid},
		"typed, too many":          {typed(lenField(2, "\x01\x02\x03")), codec.InputDataInvalid},
		"typed, two lists":         {typed(lenField(2, "\x01\x02"), lenField(3, "\x01")), codec.InputDataInvalid},
		"typed, an empty string":   {typed(lenField(2, "\x01\x02"), lenField(8)), codec.InputDataInvalid},
		"typed, unknown list":      {typed(lenField(2, "\x01\x02"), lenField(9)), malformed},
		"typed, long number":       {typed(lenField(2, "\x01\x82\x00")), malformed},
		"typed, cut short":         {typed(lenField(2, "\x01\x82")), malformed},
		"typed, of 32 bits":        {typed(lenField(2, packed(1, 0xffffffff))), codec.NumberOutOfRange},
		"typed, beyond 32 bits":    {typed(lenField(2, packed(1, 1<<32))), codec.NumberOutOfRange},
		"typed, beside raw":        {typed(lenField(2, "\x01\x02")) + raw, codec.InputDataInvalid},
		"typed, beside empty raw":  {typed(lenField(2, "\x01\x02")) + lenField(7), codec.InputDataInvalid},
		"raw, of nobody":           {model + raw, codec.InputDataInvalid},
		"raw, as a number":         {model + named() + "\x38\x01", malformed},
		"truths of 2":              {model + lenField(5, lenField(1, "X"), lenField(2, "BOOL"), lenField(3, "\x01"), lenField(5, lenField(1, "\x02"))), codec.NumberOutOfRange},
		"UINT32 of 33 bits":        {model + lenField(5, lenField(1, "X"), lenField(2, "UINT32"), lenField(3, "\x01"), lenField(5, lenField(4, packed(1<<32)))), codec.NumberOutOfRange},
		"FP32 cut short":           {model + lenField(5, lenField(1, "X"), lenField(2, "FP32"), lenField(3, "\x01"), lenField(5, lenField(6, "\x00\x00\x80"))), malformed},
		"FP32, packed and not":     {model + lenField(5, lenField(1, "X"), lenField(2, "FP32"), lenField(3, "\x02"), lenField(5, lenField(6, "\x00\x00\x80\x3f"), "\x35\x00\x00\x80\x3f")), ""},
		"FP64 as FP32":             {model + lenField(5, lenField(1, "X"), lenField(2, "FP64"), lenField(3, "\x01"), lenField(5, "\x3d\x00\x00\x80\x3f")), malformed},
		"BYTES, one more":          {model + lenField(5, lenField(1, "X"), lenField(2, "BYTES"), lenField(3, "\x01"), lenField(5, lenField(8), lenField(8))), codec.InputDataInvalid},
		"elements beyond the body": {model + lenField(5, lenField(1, "X"), lenField(2, "INT64"), lenField(3, packed(9<<20)), lenField(5)), codec.BodyTooLarge},
	} {
		c := newGRPC(t)
		want := string(tc.reason)
		if want == "" {
			want = "ok"
		}
		if _, err := infer(c, tc.source); reasonOf(t, err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// A message that is cut short anywhere, or goes on after its end, is no message.
func TestProtobufPrefixes(t *testing.T) {
	c := newGRPC(t)
	for _, v := range readGRPCVectors(t) {
		if v.expect != "ok" || v.operation != "infer" {
			continue
		}
		whole := string(v.message[frame.HeaderBytes:])
		for n := range len(whole) {
			if _, err := infer(c, whole[:n]); err == nil {
				t.Errorf("%s: accepted as its first %d of %d bytes", v.about, n, len(whole))
			}
		}
		if _, err := infer(c, whole, "\x0a"); reasonOf(t, err) != string(codec.MessageMalformed) {
			t.Errorf("%s: with a byte more: %v", v.about, err)
		}
	}
}
