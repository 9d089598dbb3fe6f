package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"weir/sanitize/internal/picture"
)

// TestBools writes booleans and reads them back. The reader uses as many bytes as
// the writer says, and finds them in their canonical form; so it does when the sender
// sets what is free.
func TestBools(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := r.IntN(300)
		if r.IntN(8) == 0 {
			n = r.IntN(3)
		}
		bits, probs := make([]uint32, n), make([]uint8, n)
		skew := uint32(1 + r.IntN(254))
		w := newBoolWriter(0)
		for i := range bits {
			probs[i] = uint8(1 + r.IntN(255))
			if r.Uint32()%256 > skew {
				bits[i] = 1
			}
			w.put(bits[i], probs[i])
		}
		data := w.finish(n + 8)
		read := func(data []byte) *boolReader {
			b := newBoolReader(data)
			for i := range bits {
				if got := b.bit(probs[i]); got != bits[i] {
					t.Fatalf("boolean %d of %d is %d", i, n, got)
				}
			}
			return &b
		}
		b := read(data)
		used := b.used()
		if used > len(data) {
			t.Fatalf("%d booleans use %d bytes of %d", n, used, len(data))
		}
		if got, changed := b.canonical(nil); changed || !bytes.Equal(got, data) {
			t.Fatalf("%x is not canonical but %x", data, got)
		}
		read(data[:used]) // zeros behind the end
		if n == 0 {
			continue
		}
		// Any value in the interval makes the same booleans.
		free := append([]byte(nil), data[:used]...)
		free[used-1] |= byte(r.IntN(2))
		free = append(free, "free"...)
		loose := newBoolReader(free)
		same := true
		for i := range bits {
			same = same && loose.bit(probs[i]) == bits[i]
		}
		if !same {
			continue // the last bit was not free
		}
		got, _ := loose.canonical(nil)
		if !bytes.HasPrefix(data, got[:used]) || len(bytes.Trim(got[used:], "\x00")) > 0 {
			t.Fatalf("%x becomes %x, want %x", free, got, data)
		}
	}
}

// vp8Builder writes the first partition of a picture of one macroblock. The fields
// are what no sample depends on.
type vp8Builder struct {
	colourSpace, clamping, keepProbs  uint32
	sharpness, deltas                 uint32 // of a filter that is off
	segmentQuantiser, segmentStrength uint32 // of segments that are not used; 0 for none
	segmentProb                       uint32
	prob                              uint32 // of tokens that do not occur; 0 for none
	repeatDefaults                    bool   // update probabilities to what they are
	partitions                        uint32 // log2
	wild                              bool   // the one coefficient is as large as can be
}

func (v vp8Builder) build() string {
	w := newBoolWriter(0)
	number := func(x uint32, bits int) {
		for i := bits - 1; i >= 0; i-- {
			w.put(x>>i&1, 128)
		}
	}
	optional := func(x uint32, bits int) {
		if x == 0 {
			number(0, 1)
			return
		}
		number(1, 1)
		number(x, bits)
	}
	number(v.colourSpace, 1)
	number(v.clamping, 1)
	number(7, 3) // segments, with a map and values
	number(1, 1) // absolute ones
	for i := range uint32(4) {
		if i == 1 {
			optional(40<<1, 8) // the quantiser of the segment that is used
		} else {
			optional(v.segmentQuantiser<<1, 8)
		}
	}
	for range 4 {
		optional(v.segmentStrength<<1, 7)
	}
	number(0, 1)
	number(0, 1)
	optional(v.segmentProb, 8)
	number(0, 1) // not the simple filter
	number(0, 6) // level
	number(v.sharpness, 3)
	number(v.deltas, 1)
	if v.deltas != 0 {
		number(1, 1)
		for i := range uint32(8) {
			optional(i, 7)
		}
	}
	number(v.partitions, 2)
	number(40, 7)
	number(0, 5)
	number(v.keepProbs, 1)
	v.putProbs(w, number)
	number(0, 1) // no macroblock is skipped
	w.put(0, 255)
	w.put(1, 255) // segment 1, by the probabilities of the map
	w.put(1, 145) // predicted as a whole
	w.put(0, 156)
	w.put(0, 163)
	w.put(0, 142)
	first := w.finish(1 << 20)

	tokens := newBoolWriter(0)
	probs := defaultProbs
	tokens.put(1, probs[planeDC][0][0][0]) // one coefficient of 1
	tokens.put(1, probs[planeDC][0][0][1])
	context := 1
	if v.wild {
		context = 2
		for _, i := range []int{2, 3, 6, 8, 10} {
			tokens.put(1, probs[planeDC][0][0][i])
		}
		for _, extra := range categoryProbs[3] {
			tokens.put(1, extra)
		}
	} else {
		tokens.put(0, probs[planeDC][0][0][2])
	}
	tokens.put(0, 128)
	tokens.put(0, probs[planeDC][1][context][0])
	for range 16 {
		tokens.put(0, probs[planeLumaWithoutDC][1][0][0])
	}
	for range 8 {
		tokens.put(0, probs[planeChroma][0][0][0])
	}
	tag := uint32(1<<4) | uint32(len(first))<<5
	out := append(binary.LittleEndian.AppendUint32(nil, tag)[:3], 0x9D, 0x01, 0x2A, 16, 0, 16, 0)
	out = append(out, first...)
	last := tokens.finish(1 << 20)
	for i := range 1<<v.partitions - 1 {
		size := byte(2)
		if i == 0 {
			size = byte(len(last))
		}
		out = append(out, size, 0, 0)
	}
	out = append(out, last...)
	for range 1<<v.partitions - 1 {
		out = append(out, "xx"...)
	}
	return string(out)
}

func (v vp8Builder) putProbs(w *boolWriter, number func(uint32, int)) {
	for p := range updateProbs {
		for b := range updateProbs[p] {
			for c := range updateProbs[p][b] {
				for i, update := range updateProbs[p][b][c] {
					unused := v.prob != 0 && (p == planeLuma || i > 2)
					if !unused && !v.repeatDefaults {
						w.put(0, update)
						continue
					}
					w.put(1, update)
					if unused {
						number(v.prob, 8)
					} else {
						number(uint32(defaultProbs[p][b][c][i]), 8)
					}
				}
			}
		}
	}
}

// TestUnusedParameters: what no sample of VP8 depends on becomes the default.
func TestUnusedParameters(t *testing.T) {
	plain := riff(fourCC("VP8 ", vp8Builder{}.build()))
	want := strip(t, plain, options()).Data
	picture := samples(t, plain)
	for name, v := range map[string]vp8Builder{
		"colour space":        {colourSpace: 1},
		"clamping":            {clamping: 1},
		"refresh":             {keepProbs: 1},
		"sharpness":           {sharpness: 5},
		"deltas":              {deltas: 1},
		"segment quantiser":   {segmentQuantiser: 77},
		"segment strength":    {segmentStrength: 33},
		"segment probability": {segmentProb: 99},
		"probabilities":       {prob: 'C'},
		"defaults repeated":   {repeatDefaults: true},
	} {
		t.Run(name, func(t *testing.T) {
			data := riff(fourCC("VP8 ", v.build()))
			if !reflect.DeepEqual(samples(t, data), picture) {
				t.Fatal("the parameter decides a sample")
			}
			s := strip(t, data, options())
			if !bytes.Equal(s.Data, want) {
				t.Errorf("%d bytes, want %d; removed %v", len(s.Data), len(want), s.Removed)
			}
			if len(s.Removed) == 0 || s.Removed[0].Where != "VP8 unused parameters" {
				t.Errorf("removed %v", s.Removed)
			}
		})
	}
}

// TestMagnitude: coefficients with which vector instructions overflow are refused.
func TestMagnitude(t *testing.T) {
	data := riff(fourCC("VP8 ", vp8Builder{wild: true}.build()))
	samples(t, data)
	_, err := Strip(context.Background(), data, options())
	wantFault(t, err, picture.Malformed)
}

// TestQuantisers: the factors of segments are those of x/image, which decodes the
// seeds to the same samples as libwebp; here, what the indices are clamped to.
func TestQuantisers(t *testing.T) {
	for name, c := range map[string]struct {
		frame vp8Frame
		bits  []uint32 // numbers and their widths
		want  quantFactors
	}{
		"lowest":   {vp8Frame{}, []uint32{0, 7, 0, 5}, quantFactors{[2]int32{4, 4}, [2]int32{8, 8}, [2]int32{4, 4}}},
		"highest":  {vp8Frame{}, []uint32{127, 7, 0, 5}, quantFactors{[2]int32{157, 284}, [2]int32{314, 440}, [2]int32{132, 284}}},
		"clamped":  {vp8Frame{}, []uint32{0, 7, 1, 1, 5, 4, 1, 1, 0, 4}, quantFactors{[2]int32{4, 4}, [2]int32{8, 8}, [2]int32{4, 4}}},
		"absolute": {vp8Frame{segmented: true, absolute: true, segmentQuant: [4]int32{127}}, []uint32{3, 7, 0, 5}, quantFactors{[2]int32{157, 284}, [2]int32{314, 440}, [2]int32{132, 284}}},
		"relative": {vp8Frame{segmented: true, segmentQuant: [4]int32{-3}}, []uint32{3, 7, 0, 5}, quantFactors{[2]int32{4, 4}, [2]int32{8, 8}, [2]int32{4, 4}}},
	} {
		w := newBoolWriter(0)
		for i := 0; i < len(c.bits); i += 2 {
			for b := int(c.bits[i+1]) - 1; b >= 0; b-- {
				w.put(c.bits[i]>>b&1, 128)
			}
		}
		c.frame.readQuantisers(&boolCopier{r: newBoolReader(w.finish(64))})
		if got := c.frame.quant[0]; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestPartitions: partitions that have no row of macroblocks hold nothing.
func TestPartitions(t *testing.T) {
	data := riff(fourCC("VP8 ", vp8Builder{partitions: 2}.build()))
	s := strip(t, data, options())
	if bytes.Contains(s.Data, []byte("x")) {
		t.Errorf("%q", s.Data)
	}
	if !reflect.DeepEqual(samples(t, s.Data), samples(t, data)) {
		t.Error("other samples")
	}
	if again := strip(t, s.Data, options()); !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
		t.Errorf("a second walk removes %v", again.Removed)
	}
	whole := vp8Builder{partitions: 2}.build()
	_, err := Strip(context.Background(), riff(fourCC("VP8 ", whole[:len(whole)-2])), options()) // the last is empty
	wantFault(t, err, picture.Truncated)
}
