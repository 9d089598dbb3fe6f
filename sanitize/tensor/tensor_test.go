package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestDataTypeNames(t *testing.T) {
	size := map[string]int{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
		"INT32": 4, "INT64": 8, "FP16": 2, "FP32": 4, "FP64": 8, "BYTES": 0, "BF16": 2}
	for name, want := range size {
		d, err := ParseDataType(name)
		if err != nil || d.String() != name || d.Size() != want {
			t.Errorf("%s: %v, %d bytes, error %v", name, d, d.Size(), err)
		}
	}
	for _, name := range []string{"", "INVALID", "fp32", "FP8", "FP32 "} {
		if d, err := ParseDataType(name); err == nil || d != Invalid {
			t.Errorf("%q is %v", name, d)
		}
	}
	if d := DataType(200); d.String() != "INVALID" || d.Size() != 0 || d.Float() {
		t.Errorf("an unknown datatype is %v", d)
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		limit int64
		want  int64 // -1: an error
	}{
		{nil, 1, 1},
		{[]int64{2, 3, 4}, 24, 24},
		{[]int64{2, 3, 4}, 23, -1},
		{[]int64{0}, 0, 0},
		{[]int64{0, 1 << 62, 1 << 62}, 1 << 40, -1},
		{[]int64{1 << 32, 1 << 32}, math.MaxInt64, -1},
		{[]int64{math.MaxInt64, 1}, math.MaxInt64, math.MaxInt64},
		{[]int64{-1}, 10, -1},
		{[]int64{0, -1}, 10, -1},
		{[]int64{math.MinInt64}, 10, -1},
	} {
		n, err := Elements(c.shape, c.limit)
		if c.want < 0 {
			if !errors.Is(err, ErrShape) || n != 0 {
				t.Errorf("%v within %d: %d, %v", c.shape, c.limit, n, err)
			}
		} else if n != c.want || err != nil {
			t.Errorf("%v within %d: %d, %v", c.shape, c.limit, n, err)
		}
	}
}

func TestValidate(t *testing.T) {
	hello := AppendElement(AppendElement(nil, []byte("hello")), nil)
	for _, c := range []struct {
		name string
		t    Tensor
		want error
	}{
		{"numeric", Tensor{DataType: FP16, Shape: []int64{1, 2}, Data: make([]byte, 4)}, nil},
		{"empty", Tensor{DataType: FP64, Shape: []int64{0, 5}}, nil},
		{"short", Tensor{DataType: Int32, Shape: []int64{2}, Data: make([]byte, 7)}, ErrByteSize},
		{"long", Tensor{DataType: Int32, Shape: []int64{2}, Data: make([]byte, 9)}, ErrByteSize},
		{"data without elements", Tensor{DataType: Bool, Shape: []int64{0}, Data: []byte{1}}, ErrByteSize},
		{"huge", Tensor{DataType: Bool, Shape: []int64{1 << 31}}, ErrShape},
		{"negative", Tensor{DataType: Bool, Shape: []int64{-1}}, ErrShape},
		{"strings", Tensor{DataType: Bytes, Shape: []int64{2}, Data: hello}, nil},
		{"string left over", Tensor{DataType: Bytes, Shape: []int64{1}, Data: hello}, ErrByteSize},
		{"string missing", Tensor{DataType: Bytes, Shape: []int64{3}, Data: hello}, ErrElement},
		{"string cut off", Tensor{DataType: Bytes, Shape: []int64{1}, Data: hello[:8]}, ErrElement},
		{"length cut off", Tensor{DataType: Bytes, Shape: []int64{2}, Data: hello[:11]}, ErrElement},
		{"length of 4 GiB", Tensor{DataType: Bytes, Shape: []int64{1}, Data: []byte("\xff\xff\xff\xffx")}, ErrElement},
		{"no strings", Tensor{DataType: Bytes, Shape: []int64{0}}, nil},
	} {
		if err := c.t.Validate(); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for _, d := range []DataType{Invalid, 15, 255} {
		if (&Tensor{DataType: d, Shape: []int64{0}}).Validate() == nil {
			t.Errorf("datatype %d is valid", d)
		}
	}
}

func TestEachElementStops(t *testing.T) {
	data := AppendElement(AppendElement(nil, []byte("a")), []byte("b"))
	stop := errors.New("stop")
	calls := 0
	err := EachElement(data, 2, func(i int64, element []byte) error {
		calls++
		if i != 0 || string(element) != "a" || cap(element) != 1 {
			t.Errorf("element %d is %q, capacity %d", i, element, cap(element))
		}
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if err := EachElement(nil, -1, nil); !errors.Is(err, ErrShape) {
		t.Errorf("-1 elements: %v", err)
	}
}

// Each binary16, by the definition of IEEE 754-2019 §3.4.
func TestHalfPrecision(t *testing.T) {
	for bits := range 1 << 16 {
		e, f := bits>>10&31, float64(bits&1023)
		var want float64
		switch {
		case e == 31 && f != 0:
			want = math.NaN()
		case e == 31:
			want = math.Inf(1)
		case e == 0:
			want = f * math.Pow(2, -24)
		default:
			want = (1 + f/1024) * math.Pow(2, float64(e-15))
		}
		if bits>>15 == 1 {
			want = -want
		}
		data := binary.LittleEndian.AppendUint16(nil, uint16(bits))
		got := FP16.Float64(data)
		if math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%#04x is %v, want %v", bits, got, want)
		}
	}
}

func TestFloats(t *testing.T) {
	for _, c := range []struct {
		d    DataType
		data string
		want []float64 // nil: not floating-point
	}{
		{FP16, "\x00\x3c\x00\xc0", []float64{1, -2}},
		{BF16, "\x80\x3f\x00\xc0", []float64{1, -2}},
		{FP32, "\x00\x00\x80\x3f", []float64{1}},
		{FP64, "\x00\x00\x00\x00\x00\x00\xf0\xbf", []float64{-1}},
		{FP32, "", []float64{}},
		{FP32, "\x00\x00\x80", nil},
		{Int32, "\x00\x00\x80\x3f", nil},
		{Bytes, "", nil},
	} {
		got, ok := (&Tensor{DataType: c.d, Data: []byte(c.data)}).Floats()
		if ok != (c.want != nil) || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v %q: %v, %v", c.d, c.data, got, ok)
		}
	}
	if !math.IsNaN(Int32.Float64(make([]byte, 4))) {
		t.Error("INT32 read as a floating-point number")
	}
}

// What EachElement accepts is exactly what AppendElement writes, and Validate and
// EachElement agree.
func FuzzEachElement(f *testing.F) {
	f.Add([]byte(nil), int64(0))
	f.Add(AppendElement(AppendElement(nil, []byte("hello")), nil), int64(2))
	f.Add([]byte("\xff\xff\xff\xff"), int64(1))
	f.Add([]byte("\x00\x00\x00"), int64(1<<40))
	f.Fuzz(func(t *testing.T, data []byte, n int64) {
		var again []byte
		count := int64(0)
		err := EachElement(data, n, func(i int64, element []byte) error {
			if i != count {
				t.Fatalf("element %d came as number %d", i, count)
			}
			count++
			again = AppendElement(again, element)
			return nil
		})
		if err == nil && (count != n || !bytes.Equal(again, data)) {
			t.Fatalf("%x of %d elements read as %x of %d", data, n, again, count)
		}
		if err != nil && !errors.Is(err, ErrElement) && !errors.Is(err, ErrByteSize) && !errors.Is(err, ErrShape) {
			t.Fatalf("unexpected error %v", err)
		}
		x := Tensor{DataType: Bytes, Shape: []int64{n}, Data: data}
		if valid := x.Validate(); (valid == nil) != (err == nil) {
			t.Fatalf("Validate says %v, EachElement %v", valid, err)
		}
	})
}

func TestHalf(t *testing.T) {
	for bits := range uint16(0x7c00) { // every finite one that is not negative
		v := FP16.Float64([]byte{byte(bits), byte(bits >> 8)})
		if got := Half(v); got != bits {
			t.Fatalf("Half(%g) = %#04x, want %#04x", v, got, bits)
		}
		if got := Half(-v); bits > 0 && got != bits|0x8000 {
			t.Fatalf("Half(-%g) = %#04x", v, got)
		}
		next := FP16.Float64([]byte{byte(bits + 1), byte((bits + 1) >> 8)})
		middle := (v + next) / 2
		if math.IsInf(next, 0) {
			continue
		}
		if got := Half(middle); got != bits+bits%2 { // ties to even
			t.Fatalf("Half(%g) = %#04x, between %#04x and the next", middle, got, bits)
		}
	}
	for v, want := range map[float64]uint16{65519: 0x7bff, 65520: 0x7c00, -1e9: 0xfc00, math.Inf(1): 0x7c00} {
		if got := Half(v); got != want {
			t.Errorf("Half(%g) = %#04x, want %#04x", v, got, want)
		}
	}
}
