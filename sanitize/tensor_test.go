package sanitize

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"weir/sanitize/tensor"
)

func ptr(v float64) *float64 { return &v }

// encode gives the binary form of numbers in a datatype; values are given as
// bit patterns for floating-point datatypes.
func encode(d tensor.DataType, values ...uint64) tensor.Tensor {
	t := tensor.Tensor{Name: "x", DataType: d, Shape: []int64{int64(len(values))}}
	for _, v := range values {
		t.Data = append(t.Data, binary.LittleEndian.AppendUint64(nil, v)[:d.Size()]...)
	}
	return t
}

func TestTensor(t *testing.T) {
	f32 := func(v float32) uint64 { return uint64(math.Float32bits(v)) }
	minus := func(n int64) uint64 { return uint64(-n) }
	shaped := func(x tensor.Tensor, shape ...int64) tensor.Tensor { x.Shape = shape; return x }
	four := encode(tensor.FP32, f32(1), f32(2), f32(3), f32(4))
	for _, c := range []struct {
		name string
		in   tensor.Tensor
		o    TensorOptions
		want Reason
	}{
		{"any", four, TensorOptions{}, ""},
		{"datatype", four, TensorOptions{DataType: tensor.FP32}, ""},
		{"other datatype", four, TensorOptions{DataType: tensor.FP64}, TensorDataType},
		{"no datatype", tensor.Tensor{}, TensorOptions{}, TensorDataType},
		{"unknown datatype", tensor.Tensor{DataType: 99}, TensorOptions{}, TensorDataType},
		{"bytes", tensor.Tensor{DataType: tensor.Bytes, Shape: []int64{0}}, TensorOptions{}, TensorDataType},
		{"shape", shaped(four, 2, 2), TensorOptions{Shape: []int64{-1, 2}}, ""},
		{"other dimension", shaped(four, 2, 2), TensorOptions{Shape: []int64{-1, 4}}, TensorShape},
		{"other rank", four, TensorOptions{Shape: []int64{-1, 4}}, TensorShape},
		{"not a scalar", four, TensorOptions{Shape: []int64{}}, TensorShape},
		{"scalar", shaped(encode(tensor.Int8, 1)), TensorOptions{Shape: []int64{}}, ""},
		{"data too short", shaped(four, 5), TensorOptions{}, TensorShape},
		{"data too long", shaped(four, 3), TensorOptions{}, TensorShape},
		{"dimension below zero", shaped(four, -1), TensorOptions{Shape: []int64{-1}}, TensorShape},
		{"dimensions that overflow", shaped(four, 1<<62, 4), TensorOptions{}, TensorShape},
		{"empty", encode(tensor.FP32), TensorOptions{Min: ptr(1), Max: ptr(1)}, ""},
		{"in range", four, TensorOptions{Min: ptr(1), Max: ptr(4)}, ""},
		{"below", four, TensorOptions{Min: ptr(1.5)}, TensorRange},
		{"above", four, TensorOptions{Max: ptr(3.5)}, TensorRange},

		{"FP32 NaN", encode(tensor.FP32, f32(1), 0x7FC00001), TensorOptions{}, TensorNotFinite},
		{"FP32 inf", encode(tensor.FP32, 0x7F800000), TensorOptions{}, TensorNotFinite},
		{"FP32 -inf", encode(tensor.FP32, 0xFF800000), TensorOptions{NotFinite: "reject"}, TensorNotFinite},
		{"FP32 allowed", encode(tensor.FP32, 0x7F800000, 0xFFC00000), TensorOptions{NotFinite: "allow", Max: ptr(0)}, ""},
		{"FP32 allowed, but range", encode(tensor.FP32, 0x7F800000, f32(1)), TensorOptions{NotFinite: "allow", Max: ptr(0)}, TensorRange},
		{"FP32 extremes", encode(tensor.FP32, 0x7F7FFFFF, 0xFF7FFFFF, 1), TensorOptions{}, ""},
		{"FP32 inf under a wide range", encode(tensor.FP32, 0x7F800000), TensorOptions{Max: ptr(1e300)}, TensorNotFinite},
		{"FP32 just below", encode(tensor.FP32, f32(0.1)), TensorOptions{Min: ptr(0.1000000015)}, TensorRange},
		{"FP32 just within", encode(tensor.FP32, f32(0.1)), TensorOptions{Min: ptr(0.1)}, ""},
		{"FP32 beyond all", encode(tensor.FP32, f32(1)), TensorOptions{Min: ptr(1e300)}, TensorRange},
		{"FP16", encode(tensor.FP16, 0x3C00, 0xC000), TensorOptions{Min: ptr(-2), Max: ptr(1)}, ""},
		{"FP16 below", encode(tensor.FP16, 0x3C00, 0xC001), TensorOptions{Min: ptr(-2)}, TensorRange},
		{"FP16 NaN", encode(tensor.FP16, 0xFC01), TensorOptions{}, TensorNotFinite},
		{"FP16 inf", encode(tensor.FP16, 0x7C00), TensorOptions{}, TensorNotFinite},
		{"BF16", encode(tensor.BF16, 0x3F80), TensorOptions{Min: ptr(1), Max: ptr(1)}, ""},
		{"BF16 NaN", encode(tensor.BF16, 0x7F81), TensorOptions{}, TensorNotFinite},
		{"FP64", encode(tensor.FP64, math.Float64bits(1e300)), TensorOptions{}, ""},
		{"FP64 above", encode(tensor.FP64, math.Float64bits(1e300)), TensorOptions{Max: ptr(1e299)}, TensorRange},
		{"FP64 inf", encode(tensor.FP64, math.Float64bits(math.Inf(-1))), TensorOptions{}, TensorNotFinite},

		{"BOOL", encode(tensor.Bool, 0, 1), TensorOptions{}, ""},
		{"BOOL 2", encode(tensor.Bool, 0, 2), TensorOptions{}, TensorRange},
		{"BOOL 255", encode(tensor.Bool, 255), TensorOptions{Max: ptr(300)}, TensorRange},
		{"UINT8", encode(tensor.Uint8, 0, 255), TensorOptions{Max: ptr(255)}, ""},
		{"UINT8, a JPEG", encode(tensor.Uint8, 0xff, 0xd8, 0xff, 0xe0), TensorOptions{}, TensorHoldsImage},
		{"UINT8, a JPEG, a byte a row", shaped(encode(tensor.Uint8, 0xff, 0xd8, 0xff, 0xe0), 4, 1), TensorOptions{}, TensorHoldsImage},
		{"UINT8, a GIF in the second row", shaped(encode(tensor.Uint8, 1, 2, 3, 4, 5, 6, 'G', 'I', 'F', '8', '9', 'a'), 2, 6), TensorOptions{}, TensorHoldsImage},
		{"UINT8, the bytes of a GIF in two rows", shaped(encode(tensor.Uint8, 1, 2, 3, 'G', 'I', 'F', '8', '9', 'a', 4, 5, 6), 2, 6), TensorOptions{}, ""},
		{"UINT8, pixels of that colour", shaped(encode(tensor.Uint8, 0xff, 0xd8, 0xff), 1, 1, 3), TensorOptions{}, ""},
		{"UINT8, rows of nothing", shaped(encode(tensor.Uint8), 3, 0), TensorOptions{}, ""},
		{"UINT8, a number", shaped(encode(tensor.Uint8, 0xff)), TensorOptions{}, ""},
		{"UINT8 above", encode(tensor.Uint8, 201), TensorOptions{Max: ptr(200.5)}, TensorRange},
		{"INT8", encode(tensor.Int8, minus(128), 127), TensorOptions{Min: ptr(-128), Max: ptr(127)}, ""},
		{"INT8 below", encode(tensor.Int8, minus(128)), TensorOptions{Min: ptr(-127.5)}, TensorRange},
		{"UINT16 above", encode(tensor.Uint16, 65535), TensorOptions{Max: ptr(65534)}, TensorRange},
		{"INT16 below", encode(tensor.Int16, minus(2)), TensorOptions{Min: ptr(-1)}, TensorRange},
		{"UINT32 above", encode(tensor.Uint32, 1<<31), TensorOptions{Max: ptr(1<<31 - 1)}, TensorRange},
		{"INT32 below", encode(tensor.Int32, minus(1)), TensorOptions{Min: ptr(0)}, TensorRange},
		{"INT64 unbounded", encode(tensor.Int64, minus(1)), TensorOptions{}, ""},
		{"INT64 exact", encode(tensor.Int64, 1<<53+1), TensorOptions{Max: ptr(1 << 53)}, TensorRange},
		{"INT64 largest", encode(tensor.Int64, math.MaxInt64), TensorOptions{Max: ptr(1 << 63)}, ""},
		{"INT64 no integer", encode(tensor.Int64, 0), TensorOptions{Min: ptr(0.2), Max: ptr(0.8)}, TensorRange},
		{"INT64 beyond", encode(tensor.Int64, math.MaxInt64), TensorOptions{Min: ptr(1 << 63)}, TensorRange},
		{"UINT64", encode(tensor.Uint64, math.MaxUint64), TensorOptions{Min: ptr(1)}, ""},
		{"UINT64 exact", encode(tensor.Uint64, 1<<63+1), TensorOptions{Max: ptr(1 << 63)}, TensorRange},
		{"UINT64 beyond", encode(tensor.Uint64, math.MaxUint64), TensorOptions{Min: ptr(1 << 64)}, TensorRange},
		{"UINT64 below zero", encode(tensor.Uint64, 0), TensorOptions{Max: ptr(-1)}, TensorRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, report, err := Tensor(c.in, c.o)
			if c.want != "" {
				checkRefusal(t, err, c.want)
				if out.Data != nil || report.Action != Rejected {
					t.Errorf("a refusal came with %v, %v", out, report)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Data) != len(c.in.Data) || len(out.Data) > 0 && &out.Data[0] != &c.in.Data[0] {
				t.Error("the data was copied")
			}
			if want := (Report{Kind: "tensor", Format: c.in.DataType.String(), Action: Unchanged}); fmt.Sprint(report) != fmt.Sprint(want) {
				t.Errorf("report %+v, want %+v", report, want)
			}
		})
	}
}

func TestTensorNamesTheElement(t *testing.T) {
	in := encode(tensor.Int16, 1, 2, 700, 800)
	_, _, err := Tensor(in, TensorOptions{Max: ptr(5)})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Detail != "element 2 is out of range" {
		t.Errorf("error %v", err)
	}
}

func TestTensorOptionsValidate(t *testing.T) {
	for _, o := range []TensorOptions{
		{DataType: tensor.Bytes}, {DataType: 99}, {Shape: []int64{-2}}, {NotFinite: "Reject"},
		{Min: ptr(2), Max: ptr(1)}, {Min: ptr(math.NaN())}, {Max: ptr(math.NaN())},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
		if _, report, err := Tensor(encode(tensor.FP32, 0), o); err == nil || report.Action != Rejected {
			t.Errorf("Tensor took %+v", o)
		}
	}
}

func TestTensorDoesNotAllocate(t *testing.T) {
	in := encode(tensor.FP32, make([]uint64, 1000)...)
	o := TensorOptions{DataType: tensor.FP32, Shape: []int64{-1}, Min: ptr(0), Max: ptr(1)}
	if n := testing.AllocsPerRun(10, func() { Tensor(in, o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// exact returns element i of t as an exact number, or false for NaN and infinities.
func exact(t tensor.Tensor, i int) (*big.Float, bool) {
	size := t.DataType.Size()
	raw := make([]byte, 8)
	copy(raw, t.Data[i*size:(i+1)*size])
	bits := binary.LittleEndian.Uint64(raw)
	switch d := t.DataType; {
	case d.Float():
		all := tensor.Tensor{DataType: d, Shape: []int64{1}, Data: t.Data[i*size : (i+1)*size]}
		v, _ := all.Floats()
		if math.IsNaN(v[0]) || math.IsInf(v[0], 0) {
			return nil, false
		}
		return big.NewFloat(v[0]), true
	case d >= tensor.Int8 && d <= tensor.Int64:
		shift := 64 - 8*size
		return new(big.Float).SetInt64(int64(bits<<shift) >> shift), true
	default:
		return new(big.Float).SetUint64(bits), true
	}
}

// acceptable is the contract of Tensor for one tensor of one dimension, written
// without regard to speed.
func acceptable(t tensor.Tensor, lo, hi float64, allow bool) bool {
	for i := range len(t.Data) / t.DataType.Size() {
		v, finite := exact(t, i)
		if !finite {
			if !allow {
				return false
			}
			continue
		}
		if t.DataType == tensor.Bool && t.Data[i] > 1 || v.Cmp(big.NewFloat(lo)) < 0 || v.Cmp(big.NewFloat(hi)) > 0 {
			return false
		}
	}
	return true
}

func FuzzTensor(f *testing.F) {
	for d := tensor.Bool; d <= tensor.BF16; d++ {
		f.Add(uint8(d), []byte("\x00\x01\x00\x00\x00\x00\xf0\x7f\x01\x00\x00\x00\x00\x00\x00\x00"), -1.0, 1e9, true)
		f.Add(uint8(d), []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), math.Inf(-1), 0x1p63, false)
	}
	f.Fuzz(func(t *testing.T, datatype uint8, data []byte, lo, hi float64, allow bool) {
		in := tensor.Tensor{DataType: tensor.DataType(datatype), Data: data}
		size := in.DataType.Size()
		if size > 0 {
			in.Shape = []int64{int64(len(data) / size)}
		}
		o := TensorOptions{Min: &lo, Max: &hi}
		if allow {
			o.NotFinite = NotFiniteAllow
		}
		_, report, err := Tensor(in, o)
		if (err == nil) != (report.Action == Unchanged) {
			t.Fatalf("error %v with action %v", err, report.Action)
		}
		want := lo <= hi && size > 0 && len(data)%size == 0 && acceptable(in, lo, hi, allow)
		if (err == nil) != want {
			t.Fatalf("%v in %v..%v: error %v", in, lo, hi, err)
		}
	})
}

func BenchmarkTensor(b *testing.B) {
	lo, hi := -1.0, 1.0
	for _, d := range []tensor.DataType{tensor.FP32, tensor.FP16, tensor.Uint8, tensor.Int64} {
		in := encode(d, make([]uint64, 150_000/d.Size())...)
		b.Run(d.String(), func(b *testing.B) {
			b.SetBytes(int64(len(in.Data)))
			for b.Loop() {
				if _, _, err := Tensor(in, TensorOptions{Min: &lo, Max: &hi}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
