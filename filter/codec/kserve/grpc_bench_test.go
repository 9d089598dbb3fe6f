package kserve

import (
	"bytes"
	"math"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/sanitize/tensor"
)

// BenchmarkGRPC decodes and encodes 150 KB of FP32, raw and typed, and copies as
// much; and 40,000 class numbers as typed INT64.
func BenchmarkGRPC(b *testing.B) {
	c := newGRPC(b)
	data := bytes.Repeat([]byte("\x00\x00\x80\x3f"), 150<<10/4)
	route := operationOf(b, "infer")
	head := lenField(1, "m") + lenField(3, "id")
	floats := []string{lenField(1, "X"), lenField(2, "FP32"), lenField(3, packed(1, 3, 160, 80))}
	numbers := make([]uint64, 40000)
	for i := range numbers {
		numbers[i] = uint64(i) * 7919
	}
	integers := []string{lenField(1, "X"), lenField(2, "INT64"), lenField(3, packed(40000))}
	for name, source := range map[string]string{
		"raw":      head + lenField(5, floats...) + lenField(7, string(data)),
		"typed":    head + lenField(5, append(floats, lenField(5, lenField(6, string(data))))...),
		"integers": head + lenField(5, append(integers, lenField(5, lenField(3, packed(numbers...))))...),
	} {
		body := frame.AppendGRPC(nil, []byte(source))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				request, err := c.DecodeRequest(route, nil, body)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.EncodeRequest(request, []string{"Y"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			sink = append(make([]byte, 0, len(data)), data...)
		}
	})
	b.Run("answer", func(b *testing.B) {
		scores := make([]byte, 4000)
		for i := range 1000 {
			appendInteger(scores[4*i:4*i], 4, uint64(math.Float32bits(0.001)))
		}
		request := &codec.Request{Operation: codec.InferStream}
		m, err := c.EncodeResponse(request, &codec.Response{Model: "m", Version: "1", ID: "id",
			Outputs: []tensor.Tensor{{Name: "Y", DataType: tensor.FP32, Shape: []int64{1, 1000}, Data: scores}}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			response, err := c.DecodeResponse(request, nil, m.Body)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.EncodeResponse(request, response); err != nil {
				b.Fatal(err)
			}
		}
	})
}
