package kserve

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// scanner reads a document without nested values.
func scanner(document []byte) *strictjson.Scanner {
	s := strictjson.New(document, 0)
	return &s
}

// checkFloats compares the fast paths with strconv.
func checkFloats(t testing.TB, n *number) {
	t.Helper()
	token := n.Token
	text := string(token)
	if n.Integer && n.Mantissa == 0 {
		text = strings.TrimPrefix(text, "-")
	}
	want, parseErr := strconv.ParseFloat(text, 64)
	got, err := n.float64()
	if (err == nil) != (parseErr == nil) || err == nil && math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("%q as FP64: got %v %v, want %v %v", token, got, err, want, parseErr)
	}
	single, err := n.float32()
	if inf := math.IsInf(float64(float32(want)), 0); (err != nil) != inf {
		t.Fatalf("%q as FP32: error %v, infinite %v", token, err, inf)
	}
	if err == nil && math.Float32bits(single) != math.Float32bits(float32(want)) {
		t.Fatalf("%q as FP32: got %v, want %v", token, single, float32(want))
	}
}

// checkInteger compares an integer element with strconv.
func checkInteger(t testing.TB, token []byte, d tensor.DataType) {
	t.Helper()
	bits := d.Size() * 8
	var want uint64
	var wantErr error
	if strings.HasPrefix(d.String(), "U") {
		want, wantErr = strconv.ParseUint(strings.Replace(string(token), "-0", "0", 1), 10, bits)
	} else {
		var signed int64
		signed, wantErr = strconv.ParseInt(string(token), 10, bits)
		want = uint64(signed)
	}
	data, err := elements[d].read(scanner(token), nil)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q as %s: error %v, want %v", token, d, err, wantErr)
	}
	if err == nil && string(data) != string(appendInteger(nil, d.Size(), want)) {
		t.Fatalf("%q as %s: %x", token, d, data)
	}
}

// TestNumberNearMiddles puts decimals on, and beside, the middle between two
// float32 and two float64: there a wrong shortcut rounds the other way.
func TestNumberNearMiddles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		single := math.Float32frombits(random.Uint32() & 0x7fffffff)
		if exponent := math.Ilogb(float64(single)); exponent > 60 || exponent < -60 {
			single = random.Float32() * 1000
		}
		next := math.Nextafter32(single, math.MaxFloat32)
		middle := (float64(single) + float64(next)) / 2
		for _, value := range []float64{float64(single), middle, math.Nextafter(middle, 0), math.Nextafter(middle, math.MaxFloat64)} {
			for _, digits := range []int{-1, 6, 9, 16, 17, 18, 19, 20, 40} {
				for _, format := range []byte{'e', 'f'} {
					s := scanner(strconv.AppendFloat(nil, value, format, digits, 64))
					var n number
					if err := n.read(s); err != nil {
						t.Fatal(err)
					}
					checkFloats(t, &n)
				}
			}
		}
	}
}

func TestNumberOfAnyLength(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		digits := make([]byte, 1+random.IntN(30))
		for i := range digits {
			digits[i] = "0123456789"[random.IntN(10)]
		}
		text := strings.TrimLeft(string(digits), "0")
		if text == "" {
			text = "0"
		}
		for _, text := range []string{text, "-" + text, text + ".0", "0." + string(digits), fmt.Sprintf("%se%d", text, random.IntN(80)-40)} {
			s := scanner([]byte(text))
			var n number
			if err := n.read(s); err != nil || s.Offset() != len(text) {
				t.Fatalf("%q: %v", text, s.Offset())
			}
			checkFloats(t, &n)
			for d := range elements {
				if d != tensor.Bool && d != tensor.Bytes && !d.Float() {
					checkInteger(t, n.Token, d)
				}
			}
		}
	}
}

// TestFP32RoundsTwice pins the semantics: the decimal is nearest to one float32,
// the float64 between them to another.
func TestFP32RoundsTwice(t *testing.T) {
	const text = "1.00000017881393432617187499" // just below a middle; as a float64 it is the middle
	direct, _ := strconv.ParseFloat(text, 32)
	data, err := fp32Element(scanner([]byte(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	double, _ := strconv.ParseFloat(text, 64)
	got := math.Float32frombits(binary.LittleEndian.Uint32(data))
	if got != float32(double) || got == float32(direct) {
		t.Errorf("got %v, two roundings give %v, one gives %v", got, float32(double), float32(direct))
	}
}
