package kserve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// fp32JSON is about one MB of a JSON request, every number printed by format.
func fp32JSON(format func(w []byte, f float32) []byte) (body []byte, count int) {
	random := rand.New(rand.NewPCG(1, 1))
	var data []byte
	for len(data) < 1<<20 {
		data = format(appendComma(data, count), random.Float32()*2-1)
		count++
	}
	return fmt.Appendf(nil, `{"inputs":[{"name":"X","shape":[%d],"datatype":"FP32","data":[%s]}]}`, count, data), count
}

// BenchmarkFP32JSON decodes a body of 1 MB into binary elements, and the same
// with encoding/json into []float32. The forms are those that clients write:
// pixels with few digits, the shortest float32, and a float32 printed as a double.
func BenchmarkFP32JSON(b *testing.B) {
	for name, format := range map[string]func(w []byte, f float32) []byte{
		"pixels":   func(w []byte, f float32) []byte { return strconv.AppendFloat(w, float64(f), 'f', 4, 64) },
		"shortest": func(w []byte, f float32) []byte { return strconv.AppendFloat(w, float64(f), 'g', -1, 32) },
		"doubles":  func(w []byte, f float32) []byte { return strconv.AppendFloat(w, float64(f), 'g', -1, 64) },
	} {
		body, count := fp32JSON(format)
		b.Run(name+"/kserve", func(b *testing.B) {
			c := newCodec(b)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				request, err := c.DecodeRequest(inferRoute, nil, body)
				if err != nil || len(request.Inputs[0].Data) != 4*count {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var request struct{ Inputs []struct{ Data []float32 } }
				if err := json.Unmarshal(body, &request); err != nil || len(request.Inputs[0].Data) != count {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBinary decodes and encodes 150 KB of FP32, and copies as much.
func BenchmarkBinary(b *testing.B) {
	data := bytes.Repeat([]byte("\x00\x00\x80\x3f"), 150<<10/4)
	request := &codec.Request{Inputs: []codec.Input{{Tensor: tensor.Tensor{
		Name: "X", DataType: tensor.FP32, Shape: []int64{1, 3, 160, 80}, Data: data}}}}
	c := newCodec(b)
	m, err := c.EncodeRequest(request, []string{"Y"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("request", func(b *testing.B) {
		b.SetBytes(int64(len(m.Body)))
		b.ReportAllocs()
		for b.Loop() {
			request, err := c.DecodeRequest(inferRoute, m.Headers, m.Body)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.EncodeRequest(request, []string{"Y"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(len(m.Body)))
		b.ReportAllocs()
		for b.Loop() {
			sink = append(make([]byte, 0, len(m.Body)), m.Body...)
		}
	})
}

var sink []byte

// BenchmarkFP32Answer prints 10,000 scores as JSON.
func BenchmarkFP32Answer(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var data []byte
	for range 10000 {
		data = appendInteger(data, 4, uint64(0x3f000000|random.Uint32()&0x7fffff))
	}
	response := &codec.Response{Model: "m", Outputs: []tensor.Tensor{{Name: "Y", DataType: tensor.FP32, Shape: []int64{10000}, Data: data}}}
	c := newCodec(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.EncodeResponse(&codec.Request{}, response); err != nil {
			b.Fatal(err)
		}
	}
}
