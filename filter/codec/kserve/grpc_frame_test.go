package kserve

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// header builds header lines of names and values in turn.
func header(pairs ...string) (h codec.Headers) {
	for i := 0; i < len(pairs); i += 2 {
		h = append(h, codec.Header{Name: pairs[i], Value: pairs[i+1]})
	}
	return h
}

func TestGRPCHead(t *testing.T) {
	c := newGRPC(t)
	for name, tc := range map[string]struct {
		add    codec.Headers // beside a plain head
		reason codec.Reason
		more   codec.Headers // that the server gets beside those of a plain head
	}{
		"plain":               {},
		"not ours":            {add: header("user-agent", "x", "x-id", "1", "x-id", "2", "triton_grpc_error", "true", "grpc-accept-encoding", "gzip")},
		"timeout":             {add: header("grpc-timeout", "10S"), more: header("grpc-timeout", "10S")},
		"longest timeout":     {add: header("grpc-timeout", "99999999n"), more: header("grpc-timeout", "99999999n")},
		"compressed messages": {add: header("grpc-encoding", "gzip")},
		"deflated messages":   {add: header("grpc-encoding", "deflate")},
		"identities":          {add: header("grpc-encoding", "identity", "content-encoding", "identity")},

		"content-type twice":     {add: header("content-type", "application/grpc"), reason: codec.HeaderDuplicate},
		"te twice":               {add: header("te", "trailers"), reason: codec.HeaderDuplicate},
		"encoding twice":         {add: header("grpc-encoding", "gzip", "grpc-encoding", "gzip"), reason: codec.HeaderDuplicate},
		"content-encoding twice": {add: header("content-encoding", "identity", "content-encoding", "identity"), reason: codec.HeaderDuplicate},
		"timeout twice":          {add: header("grpc-timeout", "1S", "grpc-timeout", "1S"), reason: codec.HeaderDuplicate},
		"unknown encoding":       {add: header("grpc-encoding", "snappy"), reason: codec.EncodingUnsupported},
		"encoding in capitals":   {add: header("grpc-encoding", "GZIP"), reason: codec.EncodingUnsupported},
		"list of encodings":      {add: header("grpc-encoding", "gzip, gzip"), reason: codec.EncodingUnsupported},
		"empty encoding":         {add: header("grpc-encoding", ""), reason: codec.EncodingUnsupported},
		"compressed body":        {add: header("content-encoding", "gzip"), reason: codec.EncodingUnsupported},
		"body of unknown coding": {add: header("content-encoding", "br"), reason: codec.EncodingUnsupported},
		"transfer-encoding":      {add: header("transfer-encoding", "chunked"), reason: codec.HeaderInvalid},
		"timeout of no unit":     {add: header("grpc-timeout", "10"), reason: codec.HeaderInvalid},
		"timeout of a bad unit":  {add: header("grpc-timeout", "10s"), reason: codec.HeaderInvalid},
		"timeout of no digits":   {add: header("grpc-timeout", "S"), reason: codec.HeaderInvalid},
		"timeout of nine digits": {add: header("grpc-timeout", "100000000n"), reason: codec.HeaderInvalid},
		"negative timeout":       {add: header("grpc-timeout", "-1S"), reason: codec.HeaderInvalid},
		"empty timeout":          {add: header("grpc-timeout", ""), reason: codec.HeaderInvalid},
	} {
		got, err := c.DecodeHead(codec.Route{}, append(header("content-type", "application/grpc", "te", "trailers"), tc.add...))
		if tc.reason != "" {
			if reasonOf(t, err) != string(tc.reason) || got != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		want := append(header("content-type", "application/grpc", "te", "trailers", "grpc-accept-encoding", "identity"), tc.more...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: the server gets %v, %v", name, got, err)
		}
	}
}

func TestGRPCHeadOfAnotherProtocol(t *testing.T) {
	c := newGRPC(t)
	for contentType, ok := range map[string]bool{"application/grpc": true, "application/grpc+proto": true, "application/grpc+json": false,
		"application/grpc-web": false, "application/grpc-web+proto": false, "Application/grpc": false, "application/grpc; charset=utf-8": false,
		" application/grpc": false, "application/json": false, "": false} {
		_, err := c.DecodeHead(codec.Route{}, header("content-type", contentType, "te", "trailers"))
		if reason := reasonOf(t, err); (reason == "ok") != ok || !ok && reason != string(codec.HeaderInvalid) {
			t.Errorf("content-type %q: %v", contentType, err)
		}
	}
	for name, headers := range map[string]codec.Headers{"no te": header("content-type", "application/grpc"),
		"no content-type": header("te", "trailers"), "te of more": header("content-type", "application/grpc", "te", "trailers, deflate")} {
		if _, err := c.DecodeHead(codec.Route{}, headers); reasonOf(t, err) != string(codec.HeaderInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// compressed returns a message in a coding.
func compressed(t testing.TB, coding codec.Coding, message []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if coding == codec.Deflate {
		w = zlib.NewWriter(&out)
	}
	if _, err := w.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// flagged frames a message as compressed.
func flagged(message []byte) []byte {
	body := frame.AppendGRPC(nil, message)
	body[0] = 1
	return body
}

func TestGRPCFraming(t *testing.T) {
	protobuf := []byte(lenField(1, "m") + lenField(5, lenField(1, "X"), lenField(2, "UINT8"), lenField(3, "\x01")) + lenField(7, "\x07"))
	good := frame.AppendGRPC(nil, protobuf)
	gz, zl := compressed(t, codec.Gzip, protobuf), compressed(t, codec.Deflate, protobuf)
	bomb := compressed(t, codec.Gzip, append(slices.Clone(protobuf), make([]byte, 30<<20)...))
	damaged := slices.Clone(gz)
	damaged[len(damaged)-5] ^= 1
	isGzip, isDeflate := header("grpc-encoding", "gzip"), header("grpc-encoding", "deflate")
	for name, tc := range map[string]struct {
		headers codec.Headers
		body    []byte
		reason  codec.Reason
	}{
		"one":                          {nil, good, ""},
		"of its length":                {header("content-length", strconv.Itoa(len(good))), good, ""},
		"of another length":            {header("content-length", "7"), good, codec.HeaderInvalid},
		"gzip":                         {isGzip, flagged(gz), ""},
		"deflate":                      {isDeflate, flagged(zl), ""},
		"not compressed":               {isGzip, good, ""},
		"none":                         {nil, nil, codec.BodyMissing},
		"empty":                        {nil, frame.AppendGRPC(nil, nil), codec.NameInvalid},
		"half of the framing":          {nil, good[:4], codec.MessageMalformed},
		"cut short":                    {nil, good[:len(good)-1], codec.MessageMalformed},
		"a byte more":                  {nil, append(slices.Clone(good), 0), codec.MessageMalformed},
		"two":                          {nil, append(slices.Clone(good), good...), codec.MessageMalformed},
		"one and an empty one":         {nil, append(slices.Clone(good), 0, 0, 0, 0, 0), codec.MessageMalformed},
		"flag of 2":                    {nil, append([]byte{2}, good[1:]...), codec.MessageMalformed},
		"flag of 129":                  {nil, append([]byte{0x81}, good[1:]...), codec.MessageMalformed},
		"compressed without a coding":  {nil, flagged(gz), codec.EncodingInvalid},
		"compressed as identity":       {header("grpc-encoding", "identity"), flagged(gz), codec.EncodingInvalid},
		"compressed in another coding": {isDeflate, flagged(gz), codec.EncodingInvalid},
		"zlib as gzip":                 {isGzip, flagged(zl), codec.EncodingInvalid},
		"plain as gzip":                {isGzip, flagged(protobuf), codec.EncodingInvalid},
		"nothing as gzip":              {isGzip, flagged(nil), codec.EncodingInvalid},
		"two gzip members":             {isGzip, flagged(append(slices.Clone(gz), gz...)), codec.EncodingInvalid},
		"a byte after gzip":            {isGzip, flagged(append(slices.Clone(gz), 0)), codec.EncodingInvalid},
		"gzip cut short":               {isGzip, flagged(gz[:len(gz)-1]), codec.EncodingInvalid},
		"gzip with a bad checksum":     {isGzip, flagged(damaged), codec.EncodingInvalid},
		"bomb":                         {isGzip, flagged(bomb), codec.BodyTooLarge},
		"unknown coding":               {header("grpc-encoding", "br"), flagged(gz), codec.EncodingUnsupported},
		"two codings":                  {append(isGzip, isGzip...), flagged(gz), codec.HeaderDuplicate},
	} {
		want := string(tc.reason)
		if want == "" {
			want = "ok"
		}
		r, err := newGRPC(t).DecodeRequest(codec.Route{Protocol: codec.KServeGRPC, Operation: codec.Infer}, tc.headers, tc.body)
		if reasonOf(t, err) != want || err == nil && string(r.Inputs[0].Data) != "\x07" {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		route := codec.Route{Protocol: codec.KServeGRPC, Operation: codec.ServerLive}
		if _, err := newGRPC(t).DecodeQuery(&route, tc.headers, tc.body); (err == nil) != (name == "empty") {
			t.Errorf("%s: as a query: %v", name, err)
		}
	}
}

func TestGRPCRoutes(t *testing.T) {
	c := newGRPC(t)
	good := frame.AppendGRPC(nil, []byte(lenField(1, "m")))
	for o := codec.Deny; o <= codec.RepositoryIndex; o++ {
		if o != codec.Infer && o != codec.InferStream {
			if _, err := c.DecodeRequest(codec.Route{Protocol: codec.KServeGRPC, Operation: o}, nil, good); reasonOf(t, err) != string(codec.RouteDenied) {
				t.Errorf("%s as an inference: %v", o, err)
			}
		}
		route := codec.Route{Protocol: codec.KServeGRPC, Operation: o}
		if _, err := c.DecodeQuery(&route, nil, good); o.Infers() && reasonOf(t, err) != string(codec.RouteDenied) {
			t.Errorf("%s as a query: %v", o, err)
		}
	}
	for _, p := range []codec.Protocol{codec.Unknown, codec.KServeHTTP, codec.OpenAI} {
		if _, err := c.DecodeRequest(codec.Route{Protocol: p, Operation: codec.Infer}, nil, good); reasonOf(t, err) != string(codec.RouteDenied) {
			t.Errorf("of %s: %v", p, err)
		}
	}
	for operation, method := range map[codec.Operation]string{codec.Infer: "ModelInfer", codec.InferStream: "ModelStreamInfer"} {
		path := c.Path(&codec.Request{Operation: operation, Model: "m", Version: "1"})
		if path != "/inference.GRPCInferenceService/"+method || codec.Select("POST", path).Operation != operation {
			t.Errorf("%s goes to %s", operation, path)
		}
	}
}

func TestGRPCQueryRoute(t *testing.T) {
	c := newGRPC(t)
	for _, o := range []codec.Operation{codec.ModelReady, codec.ModelMetadata, codec.ModelConfig, codec.ModelStatistics} {
		route := codec.Route{Protocol: codec.KServeGRPC, Operation: o, Path: "/p"}
		m, err := c.DecodeQuery(&route, nil, frame.AppendGRPC(nil, []byte(lenField(2, "12")+lenField(1, "m"))))
		if err != nil {
			t.Fatal(err)
		}
		want := codec.Route{Protocol: codec.KServeGRPC, Operation: o, Model: "m", Version: "12", Path: "/p"}
		if route != want || string(m.Body) != "\x00\x00\x00\x00\x07\x0a\x01m\x12\x0212" {
			t.Errorf("%s: route %+v, message %q", o, route, m.Body)
		}
	}
	for source, o := range map[string]codec.Operation{varintField(1, 1): codec.ServerLive, varintField(2, 2): codec.RepositoryIndex,
		lenField(3, ""): codec.ModelReady, lenField(1, "m") + lenField(1, "n"): codec.ModelMetadata, lenField(2, ""): codec.HealthCheck,
		lenField(1, "\xff"): codec.HealthCheck, lenField(2, "\x01"): codec.RepositoryIndex} {
		route := codec.Route{Protocol: codec.KServeGRPC, Operation: o}
		if _, err := c.DecodeQuery(&route, nil, frame.AppendGRPC(nil, []byte(source))); reasonOf(t, err) != string(codec.MessageMalformed) || route.Model != "" {
			t.Errorf("%s of %q: %v", o, source, err)
		}
	}
	if _, err := c.DecodeQuery(&codec.Route{Operation: codec.ServerLive}, header("content-length", "4"), []byte("\x00\x00\x00\x00\x00")); reasonOf(t, err) != string(codec.HeaderInvalid) {
		t.Errorf("another length: %v", err)
	}
}

// TestGRPCLimits sends each limit and one more than it.
func TestGRPCLimits(t *testing.T) {
	limits := Limits{MaxBodyBytes: 400, MaxResponseBytes: 300, MaxInflateRatio: 10, MaxJSONHeaderBytes: 1, MaxJSONDepth: 6,
		MaxInputs: 3, MaxOutputs: 3, MaxParameters: 3, MaxRank: 3, MaxElements: 5, MaxBytesElements: 4, MaxNameBytes: 14}
	c, err := NewGRPC(limits)
	if err != nil {
		t.Fatal(err)
	}
	repeat := func(n int, f func(i int) string) (s string) {
		for i := range n {
			s += f(i)
		}
		return s
	}
	input := func(name, datatype, shape string, more ...string) string {
		return lenField(5, append([]string{lenField(1, name), lenField(2, datatype), lenField(3, shape)}, more...)...)
	}
	digit := func(i int) string { return string(rune('0' + i)) }
	one := lenField(1, "m") + input("X", "UINT8", "\x01", lenField(5, lenField(4, "\x01")))
	for name, l := range map[string]struct {
		limit  int
		reason codec.Reason
		source func(n int) string
	}{
		"body bytes": {400, codec.BodyTooLarge, func(n int) string {
			text := func(size int) string { return one + lenField(4, entry("p", lenField(3, strings.Repeat("x", size)))) }
			return text(300 + n - len(text(300)))
		}},
		"inputs": {3, codec.InputsTooMany, func(n int) string {
			return lenField(1, "m") + repeat(n, func(i int) string { return input(digit(i), "UINT8", "\x01", lenField(5, lenField(4, "\x01"))) })
		}},
		"raw contents": {3, codec.InputsTooMany, func(n int) string {
			return lenField(1, "m") + repeat(n, func(int) string { return lenField(7, "\x01") }) +
				repeat(3, func(i int) string { return input(digit(i), "UINT8", "\x01") })
		}},
		"outputs": {3, codec.OutputsTooMany, func(n int) string {
			return one + repeat(n, func(i int) string { return lenField(6, lenField(1, digit(i))) })
		}},
		"parameters": {3, codec.ParameterInvalid, func(n int) string {
			return one + repeat(n, func(i int) string { return lenField(4, entry(digit(i), "\x10\x01")) })
		}},
		"classes": {5, codec.ParameterInvalid, func(n int) string {
			return one + lenField(6, lenField(1, "Y"), lenField(2, entry("classification", varintField(2, uint64(n)))))
		}},
		"rank": {3, codec.ShapeInvalid, func(n int) string {
			return lenField(1, "m") + input("X", "UINT8", strings.Repeat("\x01", n), lenField(5, lenField(4, "\x01")))
		}},
		"elements": {5, codec.ShapeInvalid, func(n int) string {
			return lenField(1, "m") + input("X", "UINT8", packed(uint64(n)), lenField(5, lenField(4, strings.Repeat("\x01", n))))
		}},
		"BYTES elements": {4, codec.ShapeInvalid, func(n int) string {
			return lenField(1, "m") + input("X", "BYTES", packed(uint64(n)), lenField(5, strings.Repeat(lenField(8, "a"), n)))
		}},
		"name bytes": {14, codec.NameInvalid, func(n int) string {
			return lenField(1, "m") + input(strings.Repeat("n", n), "UINT8", "\x01", lenField(5, lenField(4, "\x01")))
		}},
		"id bytes": {14, codec.NameInvalid, func(n int) string { return one + lenField(3, strings.Repeat("n", n)) }},
	} {
		for over, want := range map[int]string{0: "ok", 1: string(l.reason)} {
			if _, err := infer(c, l.source(l.limit+over)); reasonOf(t, err) != want {
				t.Errorf("%s, %d over the limit: %v, want %s", name, over, err, want)
			}
		}
	}
}
