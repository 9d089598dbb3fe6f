package sanitize_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"weir/sanitize"
	"weir/sanitize/tensor"
)

// imagenet is the normalisation of many models.
var imagenet = struct{ mean, std []float64 }{[]float64{.485, .456, .406}, []float64{.229, .224, .225}}

// element encodes one number.
func element(d tensor.DataType, v float64) []byte {
	switch d {
	case tensor.Uint8:
		return []byte{byte(v)}
	case tensor.FP16:
		// By the definition: the nearest of all.
		best, at := math.Inf(1), 0
		for bits, x := range halves() {
			if diff := math.Abs(x - v); diff < best {
				best, at = diff, bits
			}
		}
		return binary.LittleEndian.AppendUint16(nil, uint16(at))
	}
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
}

// halves are the values of all FP16.
var halves = sync.OnceValue(func() (all []float64) {
	for bits := range 1 << 16 {
		all = append(all, tensor.FP16.Float64(binary.LittleEndian.AppendUint16(nil, uint16(bits))))
	}
	return all
})

// scene is a picture in colour of which all samples are known.
func scene(width, height, seed int) func(c, y, x int) uint8 {
	return func(c, y, x int) uint8 {
		if c == 3 {
			return uint8(255 - x*y%100)
		}
		return uint8(24 + 16*((x*8/width+(3+seed)*(y*8/height))%13) + (x*7+y*11+c*5)%9)
	}
}

// layOut writes pictures as a tensor in any layout; encode gives the element of a
// pixel value.
func layOut(d tensor.DataType, layout string, n, h, w, c int, value func(n, c, y, x int) uint8, encode func(c int, v uint8) []byte) tensor.Tensor {
	size := map[byte]int{'N': n, 'H': h, 'W': w, 'C': c}
	t := tensor.Tensor{Name: "IMAGE", DataType: d}
	total := 1
	for i := range len(layout) {
		t.Shape = append(t.Shape, int64(size[layout[i]]))
		total *= size[layout[i]]
	}
	at := map[byte]int{}
	for i := range total {
		rest := i
		for j := len(layout) - 1; j >= 0; j-- {
			at[layout[j]], rest = rest%size[layout[j]], rest/size[layout[j]]
		}
		t.Data = append(t.Data, encode(at['C'], value(at['N'], at['C'], at['H'], at['W']))...)
	}
	return t
}

// plain encodes a pixel value as it is.
func plain(_ int, v uint8) []byte { return []byte{v} }

// normalised returns the encoder of a normalisation, of every value once.
func normalised(d tensor.DataType, mean, std []float64) func(c int, v uint8) []byte {
	known := map[[2]int][]byte{}
	return func(c int, v uint8) []byte {
		key := [2]int{c, int(v)}
		if known[key] == nil {
			known[key] = element(d, (float64(v)/255-mean[c])/std[c])
		}
		return known[key]
	}
}

func mustPixels(t testing.TB, in tensor.Tensor, o sanitize.PixelOptions) (tensor.Tensor, sanitize.Report) {
	t.Helper()
	before := bytes.Clone(in.Data)
	out, report, err := sanitize.Pixels(context.Background(), in, o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, in.Data) {
		t.Fatal("the input changes")
	}
	if report.Kind != "pixels" || report.Format != in.DataType.String() ||
		(report.Action == sanitize.Unchanged) != bytes.Equal(in.Data, out.Data) {
		t.Errorf("report %+v", report)
	}
	return out, report
}

// TestPixelProfilesAgree holds that a picture becomes the same in every layout, batch
// and datatype, and the same as in a file: profiles and draws know nothing else.
func TestPixelProfilesAgree(t *testing.T) {
	const w, h = 70, 52
	value := func(n, c, y, x int) uint8 { return scene(w, h, n)(c, y, x) }
	for _, profile := range []string{"light", "standard", "strong"} {
		o := sanitize.PixelOptions{Layout: "HWC", Profile: profile, Key: testKey(t), Model: "m", Input: "i"}
		want, _ := mustPixels(t, layOut(tensor.Uint8, "HWC", 1, h, w, 3, value, plain), o)
		result := func(n, c, y, x int) uint8 {
			if n == 0 {
				return want.Data[(y*w+x)*3+c]
			}
			return 0
		}
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = 255
			if i%4 < 3 {
				img.Pix[i] = value(0, i%4, i/4/w, i/4%w)
			}
		}
		file, _ := mustImage(t, encodePNG(t, img), sanitize.ImageOptions{Profile: profile, Key: testKey(t), Model: "m", Input: "i"})
		for i, img := 0, decodePNG(t, file); i < w*h; i++ {
			c := color.NRGBAModel.Convert(img.At(i%w, i/w)).(color.NRGBA)
			if got := [3]uint8{c.R, c.G, c.B}; got != [3]uint8(want.Data[3*i:]) {
				t.Fatalf("%s: a file gives %v at %d, %d; a tensor %v", profile, got, i%w, i/w, want.Data[3*i:3*i+3])
			}
		}
		for _, layout := range []string{"CHW", "NHWC", "NCHW", "WHC", "CWNH"} {
			o.Layout = layout
			batch := 1
			if strings.Contains(layout, "N") {
				batch = 3
			}
			got, _ := mustPixels(t, layOut(tensor.Uint8, layout, batch, h, w, 3, value, plain), o)
			wantFirst := layOut(tensor.Uint8, layout, batch, h, w, 3, result, plain)
			n := strings.IndexByte(layout, 'N')
			for i := range got.Data {
				if n >= 0 && index(got.Shape, i)[n] != 0 {
					continue
				}
				if got.Data[i] != wantFirst.Data[i] {
					t.Fatalf("%s %s: element %d is %d, want %d", profile, layout, i, got.Data[i], wantFirst.Data[i])
				}
			}
		}
		for _, d := range []tensor.DataType{tensor.FP32, tensor.FP16} {
			o := o
			o.Layout, o.Mean, o.Std = "NCHW", imagenet.mean, imagenet.std
			encode := normalised(d, o.Mean, o.Std)
			got, _ := mustPixels(t, layOut(d, "NCHW", 1, h, w, 3, value, encode), o)
			if !bytes.Equal(got.Data, layOut(d, "NCHW", 1, h, w, 3, result, encode).Data) {
				t.Errorf("%s: %v is not what UINT8 becomes", profile, d)
			}
		}
	}
}

// index is the position of element i, by dimension.
func index(shape []int64, i int) []int64 {
	at := make([]int64, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		at[d], i = int64(i)%shape[d], i/int(shape[d])
	}
	return at
}

// TestPixelBatch holds that the pictures of a batch become what each becomes alone.
func TestPixelBatch(t *testing.T) {
	const w, h = 64, 48
	value := func(n, c, y, x int) uint8 { return scene(w, h, n)(c, y, x) }
	o := sanitize.PixelOptions{Layout: "NHWC", Profile: "strong", Key: testKey(t)}
	all, _ := mustPixels(t, layOut(tensor.Uint8, "NHWC", 4, h, w, 4, value, plain), o)
	for n := range 4 {
		one, _ := mustPixels(t, layOut(tensor.Uint8, "NHWC", 1, h, w, 4, func(_, c, y, x int) uint8 { return value(n, c, y, x) }, plain), o)
		if !bytes.Equal(one.Data, all.Data[n*len(one.Data):(n+1)*len(one.Data)]) {
			t.Errorf("picture %d depends on its batch", n)
		}
	}
	empty, report := mustPixels(t, tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{0, h, w, 3}}, o)
	if len(empty.Data) != 0 || report.Action != sanitize.Unchanged {
		t.Errorf("an empty batch: %+v", report)
	}
}

// TestPixelDraws holds what the draws depend on.
func TestPixelDraws(t *testing.T) {
	in := layOut(tensor.Uint8, "HW", 1, 60, 60, 1, func(_, c, y, x int) uint8 { return scene(60, 60, 0)(c, y, x) }, plain)
	base := sanitize.PixelOptions{Layout: "HW", Profile: "standard", Key: testKey(t), Model: "signs", Input: "IMAGE"}
	want, _ := mustPixels(t, in, base)
	if again, _ := mustPixels(t, in, base); !bytes.Equal(want.Data, again.Data) {
		t.Error("equal inputs give different outputs")
	}
	for name, change := range map[string]func(o *sanitize.PixelOptions){
		"epoch": func(o *sanitize.PixelOptions) { o.Key = o.Key.WithEpoch(1) },
		"model": func(o *sanitize.PixelOptions) { o.Model = "other" },
		"input": func(o *sanitize.PixelOptions) { o.Input = "OTHER" },
	} {
		o := base
		change(&o)
		if got, _ := mustPixels(t, in, o); bytes.Equal(want.Data, got.Data) {
			t.Errorf("another %s gives the same output", name)
		}
	}
}

// TestPixelLight holds that light leaves what came from 8 bits but for the rounding
// of the datatype, takes what hides below, and is idempotent.
func TestPixelLight(t *testing.T) {
	value := func(n, c, y, x int) uint8 { return uint8(x) }
	o := sanitize.PixelOptions{Layout: "CHW", Profile: "light", Mean: imagenet.mean, Std: imagenet.std}
	for _, d := range []tensor.DataType{tensor.FP32, tensor.FP16} {
		clean := layOut(d, "CHW", 1, 2, 256, 3, value, normalised(d, o.Mean, o.Std))
		got, report := mustPixels(t, clean, o)
		if report.Action != sanitize.Unchanged {
			t.Errorf("%v: a tensor of 8 bits is %v", d, report.Action)
		}
		hidden := clean
		hidden.Data = bytes.Clone(clean.Data)
		size := d.Size()
		for i := 0; i < len(hidden.Data); i += size {
			hidden.Data[i] ^= byte(i*31>>2) & 1 // the lowest bit of the fraction
		}
		got, report = mustPixels(t, hidden, o)
		if report.Action != sanitize.Renormalised || !bytes.Equal(got.Data, clean.Data) {
			t.Errorf("%v: the lowest bits stay (%v)", d, report.Action)
		}
	}
	over := layOut(tensor.FP32, "HW", 1, 1, 256, 1, value, func(_ int, v uint8) []byte { return element(tensor.FP32, float64(v)/255*1.09-.045) })
	got, _ := mustPixels(t, over, sanitize.PixelOptions{Layout: "HW", Profile: "light"})
	floats, _ := got.Floats()
	for i, v := range floats {
		want := math.Round(min(max(float64(float32(float64(i)/255*1.09-.045))*255, 0), 255))
		if math.Abs(v*255-want) > 1e-4 {
			t.Errorf("%d becomes %v, want %v of 255", i, v*255, want)
		}
	}
	shared := layOut(tensor.FP32, "HW", 1, 4, 4, 1, value, func(_ int, v uint8) []byte { return element(tensor.FP32, .123456*float64(v)) })
	same, report := mustPixels(t, shared, sanitize.PixelOptions{Layout: "HW", White: 2})
	if &same.Data[0] != &shared.Data[0] || report.Action != sanitize.Unchanged {
		t.Error("strip changes or copies")
	}
}

// TestPixelSteps runs every step over a tensor, and holds that alpha is left where the
// documentation says so.
func TestPixelSteps(t *testing.T) {
	in := layOut(tensor.Uint8, "CHW", 1, 40, 50, 4, func(_, c, y, x int) uint8 { return scene(50, 40, 0)(c, y, x) }, plain)
	for _, s := range []sanitize.Step{
		{Op: "crop", MinPercent: 5, MaxPercent: 5}, {Op: "shrink", Factor: .7}, {Op: "shrink_pad", Percent: 10},
		{Op: "median", Size: 3}, {Op: "median", Size: 5}, {Op: "gaussian", Sigma: 1}, {Op: "bits", Depth: 4},
		{Op: "jpeg", Quality: 50}, {Op: "border", Percent: 5}, {Op: "rotate", MaxDegrees: 10},
	} {
		o := sanitize.PixelOptions{Layout: "CHW", Profile: "custom", Steps: []sanitize.Step{s}, Key: testKey(t)}
		out, report := mustPixels(t, in, o)
		if report.Action != sanitize.Renormalised {
			t.Errorf("%s: %v", s.Op, report.Action)
		}
		values := s.Op == "median" || s.Op == "bits" || s.Op == "jpeg"
		if n := 3 * 40 * 50; bytes.Equal(in.Data[n:], out.Data[n:]) != values {
			t.Errorf("%s: alpha stays: %v", s.Op, !values)
		}
	}
}

// TestPixelMemory holds that a tensor takes about three times its size, at most: a
// little more for the weights of the filters.
func TestPixelMemory(t *testing.T) {
	for _, d := range []tensor.DataType{tensor.Uint8, tensor.FP16, tensor.FP32} {
		for _, layout := range []string{"NHWC", "HWC", "HW"} {
			n := 500 * 400 * d.Size()
			in := tensor.Tensor{DataType: d, Shape: []int64{500, 400}, Data: make([]byte, n)}
			if layout != "HW" {
				in.Shape, in.Data = append(in.Shape, 3), make([]byte, 3*n)
			}
			if layout == "NHWC" {
				in.Shape, in.Data = append([]int64{2}, in.Shape...), make([]byte, 6*n)
			}
			o := sanitize.PixelOptions{Layout: layout, Profile: "strong", Key: testKey(t)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, _, err := sanitize.Pixels(t.Context(), in, o); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(3*len(in.Data)+256<<10); got > most {
				t.Errorf("%v %s: %d bytes for %d", d, layout, got, len(in.Data))
			}
		}
	}
}

// FuzzPixels holds for any bytes, shape and options: no panic; a refusal, or a tensor
// of the same shape that light leaves as it is; and that equal inputs become equal.
func FuzzPixels(f *testing.F) {
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x00\x3f"), uint8(0), uint8(2), uint16(0), uint16(1))
	f.Add(bytes.Repeat([]byte("\x00\x3c"), 3*30*30), uint8(2), uint8(1), uint16(30), uint16(30))
	f.Add(bytes.Repeat([]byte{7, 200}, 50*60), uint8(3), uint8(0), uint16(50), uint16(60))
	key := testKey(f)
	steps := []sanitize.Step{{Op: "rotate", MaxDegrees: 5}, {Op: "jpeg", Quality: 60}, {Op: "border", Percent: 4},
		{Op: "shrink_pad", Percent: 9}, {Op: "gaussian", Sigma: .7}, {Op: "bits", Depth: 5}, {Op: "median", Size: 5}}
	f.Fuzz(func(t *testing.T, data []byte, pick, kind uint8, height, width uint16) {
		layout := []string{"HW", "HWC", "CHW", "NHW", "NCHW", "NHWC"}[pick%6]
		in := tensor.Tensor{DataType: []tensor.DataType{tensor.Uint8, tensor.FP16, tensor.FP32, tensor.Int8}[kind%4], Data: data}
		for _, r := range layout {
			in.Shape = append(in.Shape, map[rune]int64{'N': 1 + int64(pick>>6), 'H': int64(height), 'W': int64(width), 'C': 1 + int64(kind>>6)}[r])
		}
		o := sanitize.PixelOptions{Layout: layout, Key: key, MaxPixels: 1 << 16,
			Profile: []string{"strip", "light", "standard", "strong", "custom"}[pick/6%5]}
		if o.Profile == "custom" {
			o.Steps = steps
		}
		out, report, err := sanitize.Pixels(context.Background(), in, o)
		if err != nil {
			var refusal *sanitize.Refusal
			if !errors.As(err, &refusal) || refusal.Reason == sanitize.Panicked || report.Action != sanitize.Rejected {
				t.Fatalf("error %v", err)
			}
			return
		}
		if out.Validate() != nil || len(out.Data) != len(data) || out.DataType != in.DataType {
			t.Fatalf("%v %v, %d bytes become %v %v, %d bytes", in.DataType, in.Shape, len(data), out.DataType, out.Shape, len(out.Data))
		}
		if o.Profile == "strip" {
			return
		}
		again, _, err := sanitize.Pixels(context.Background(), in, o)
		if err != nil || !bytes.Equal(out.Data, again.Data) {
			t.Fatalf("equal inputs differ: %v", err)
		}
		o.Profile, o.Steps = "light", nil
		if snapped, _, err := sanitize.Pixels(context.Background(), out, o); err == nil && !bytes.Equal(out.Data, snapped.Data) {
			t.Fatal("light finds something in the output")
		}
	})
}

func BenchmarkPixels(b *testing.B) {
	for _, d := range []tensor.DataType{tensor.Uint8, tensor.FP16, tensor.FP32} {
		for _, profile := range []string{"strip", "light", "standard", "strong"} {
			b.Run(fmt.Sprintf("%v/%s", d, profile), func(b *testing.B) {
				in := tensor.Tensor{DataType: d, Shape: []int64{3, 224, 224}, Data: make([]byte, 3*224*224*d.Size())}
				o := sanitize.PixelOptions{Layout: "CHW", Profile: profile, Key: testKey(b)}
				b.SetBytes(int64(len(in.Data)))
				for b.Loop() {
					mustPixelsFast(b, in, o)
				}
			})
		}
	}
}

func mustPixelsFast(b *testing.B, in tensor.Tensor, o sanitize.PixelOptions) {
	if _, _, err := sanitize.Pixels(context.Background(), in, o); err != nil {
		b.Fatal(err)
	}
}
