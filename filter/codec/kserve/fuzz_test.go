package kserve

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// FuzzDecodeRequest holds the promise of the package: what is accepted is
// encoded so that both Triton's rules and the package's own read the same typed
// message back, and encoding that again gives the same bytes.
func FuzzDecodeRequest(f *testing.F) {
	for _, v := range readVectors(f) {
		value, lines := v.headers.Get(headerLengthName)
		if lines == 0 {
			value = "-"
		}
		f.Add(v.body(), value)
	}
	f.Fuzz(func(t *testing.T, body []byte, headerLength string) {
		c := newCodec(t)
		headers := codec.Headers{{Name: headerLengthName, Value: headerLength}}
		if headerLength == "-" {
			headers = nil
		}
		request, err := c.DecodeRequest(inferRoute, headers, body)
		if reasonOf(t, err) != "ok" || request.Inputs[0].DataType == tensor.Invalid { // FuzzRaw has the raw ones
			return
		}
		var names []string
		for _, output := range request.Outputs {
			names = append(names, output.Name)
		}
		m, err := c.EncodeRequest(request, names)
		if err != nil && reasonOf(t, err) == "number_out_of_range" { // a parameter beyond INT64, which would be a float
			return
		}
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		upstream, outputs, err := readAsTriton(m.Headers, m.Body)
		if err != nil {
			t.Fatalf("Triton does not read %q: %v", m.Body, err)
		}
		if err := sameRequest(request, upstream); err != nil || !upstream.Binary {
			t.Fatalf("Triton reads another message: %v\n%q\n%q", err, body, m.Body)
		}
		if len(outputs) != len(names) {
			t.Fatalf("asked for %q, Triton reads %+v", names, outputs)
		}
		for i, output := range outputs {
			// Without a signature, no number of classes is enough.
			if output.Name != names[i] || !output.Binary || (output.Classes > 0) != (request.Outputs[i].Classes > 0) ||
				output.Classes > 0 && output.Classes != int(c.limits.MaxBytesElements)+1 {
				t.Fatalf("asked for %+v, Triton reads %+v", request.Outputs[i], output)
			}
		}
		again, err := c.DecodeRequest(inferRoute, m.Headers, m.Body)
		if err != nil {
			t.Fatalf("own form refused: %v\n%q", err, m.Body)
		}
		if err := sameRequest(request, again); err != nil {
			t.Fatalf("own form means something else: %v", err)
		}
		m2, err := c.EncodeRequest(again, names)
		if err != nil || !bytes.Equal(m.Body, m2.Body) {
			t.Fatalf("not a fixed point: %v\n%q\n%q", err, m.Body, m2.Body)
		}
	})
}

// FuzzDecodeResponse holds that an accepted answer reaches the client with the
// same tensors, in every form that it can be asked for.
func FuzzDecodeResponse(f *testing.F) {
	for _, v := range responseVectors {
		f.Add([]byte(v.json+v.blob), len(v.json))
	}
	f.Fuzz(func(t *testing.T, body []byte, jsonBytes int) {
		c := newCodec(t)
		headers := codec.Headers{{Name: headerLengthName, Value: strconv.Itoa(jsonBytes)}}
		response, err := c.DecodeResponse(nil, headers, body)
		if err != nil {
			if r := reasonOf(t, err); r != string(codec.ResponseMalformed) && r != string(codec.ResponseTooLarge) {
				t.Fatalf("reason %s", r)
			}
			return
		}
		m, err := c.EncodeResponse(&codec.Request{Binary: true}, response)
		if err != nil {
			t.Fatalf("decoded but not encoded: %v", err)
		}
		again, err := c.DecodeResponse(nil, m.Headers, m.Body)
		if err != nil {
			t.Fatalf("own form refused: %v\n%q", err, m.Body)
		}
		if err := sameResponse(response, again); err != nil {
			t.Fatal(err)
		}
		if m, err = c.EncodeResponse(&codec.Request{}, response); err != nil {
			reasonOf(t, err) // FP16, BF16 and BYTES that are not text have no JSON form
			return
		}
		if _, lines := m.Headers.Get(headerLengthName); lines != 0 {
			t.Fatal("a JSON answer has a binary part")
		}
		if _, err := readLenient(m.Body); err != nil {
			t.Fatalf("a client of Triton cannot read %q", m.Body)
		}
	})
}

// FuzzInflate holds that inflating is bounded and has no second reading: what is
// accepted is one stream that uses the whole body.
func FuzzInflate(f *testing.F) {
	var gz, zl bytes.Buffer
	w := gzip.NewWriter(&gz)
	io.WriteString(w, "weir")
	w.Close()
	z := zlib.NewWriter(&zl)
	io.WriteString(z, "weir")
	z.Close()
	f.Add(gz.Bytes(), true)
	f.Add(append(gz.Bytes(), gz.Bytes()...), true)
	f.Add(gz.Bytes()[:gz.Len()-1], true)
	f.Add(zl.Bytes(), false)
	f.Add(append(zl.Bytes(), 0), false)
	f.Fuzz(func(t *testing.T, body []byte, isGzip bool) {
		c := newCodec(t)
		coding := codec.Deflate
		if isGzip {
			coding = codec.Gzip
		}
		plain, err := c.limits.inflate(coding, body)
		if reasonOf(t, err) != "ok" {
			return
		}
		if len(plain) > max(len(body)*c.limits.MaxInflateRatio, freeInflatedBytes) {
			t.Fatalf("%d bytes from %d", len(plain), len(body))
		}
		for n := 1; n <= 8 && n <= len(body); n++ {
			if _, err := c.limits.inflate(coding, body[:len(body)-n]); err == nil {
				t.Fatalf("the last %d bytes do not matter", n)
			}
		}
		if _, err := c.limits.inflate(coding, append(bytes.Clone(body), 0)); err == nil {
			t.Fatal("a byte after the stream does not matter")
		}
	})
}

// FuzzNumber holds that numbers are those of RFC 8259 and their values those of
// strconv, which rounds correctly.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1.5", "16777217", "0.10000000149011612", "1e22", "123456789012345678901", "1e-46", "3.4028235677973366e38", "1.00000017881393432617187499"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n number
		err := n.read(scanner([]byte(text)))
		valid := len(text) > 0 && jsonNumber(text[btoi(text[0] == '-'):])
		if valid && err != nil && len(text) <= maxNumberBytes {
			t.Fatalf("%q refused: %v", text, err)
		}
		if err != nil {
			return
		}
		token := n.Token
		if !jsonNumber(string(token[btoi(n.Negative):])) {
			t.Fatalf("%q accepted as a number", token)
		}
		checkFloats(t, &n)
		for _, d := range []tensor.DataType{tensor.Int8, tensor.Int64, tensor.Uint16, tensor.Uint64} {
			checkInteger(t, token, d)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
