package main

import (
	"bytes"
	"image"
	"slices"
	"testing"

	"weir/filter/codec"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// What a form writes it reads again, in every layout and datatype; Weir finds the
// values in their place.
func TestPixelForm(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 5, 4))
	for i := range img.Pix {
		img.Pix[i] = uint8(7 * i)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	for _, c := range []struct {
		layout string
		d      tensor.DataType
		shape  []int64
		mean   []float64
	}{
		{"NCHW", tensor.FP32, []int64{-1, 3, 4, 5}, []float64{0.485, 0.456, 0.406}},
		{"NHWC", tensor.FP16, []int64{-1, 4, 5, 3}, []float64{0.5, 0.5, 0.5}},
		{"HWC", tensor.Uint8, []int64{4, 5, 3}, nil},
		{"CWH", tensor.FP32, []int64{3, 5, 4}, nil},
		{"NHW", tensor.Uint8, []int64{-1, -1, -1}, nil},
	} {
		o := sanitize.PixelOptions{Layout: c.layout, Mean: c.mean}
		size := ""
		if slices.Contains(c.shape[1:], -1) {
			size = "5x4"
		}
		f, err := newPixelForm(o, codec.Spec{Name: "X", DataType: c.d, Shape: c.shape}, size)
		if err != nil {
			t.Fatal(err)
		}
		data, err := f.Encode(img, "")
		if err != nil {
			t.Fatal(err)
		}
		in := f.tensor("X", [][]byte{data})
		if err := in.Validate(); err != nil {
			t.Errorf("%s: %v", c.layout, err)
		}
		o.Profile, o.DataType = "light", c.d
		if out, _, err := sanitize.Pixels(t.Context(), in, o); err != nil || !bytes.Equal(out.Data, data) {
			t.Errorf("%s %s: Weir reads another picture, %v", c.layout, c.d, err)
		}
		back, err := f.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		same := bytes.Equal(back.(*image.NRGBA).Pix, img.Pix)
		if grey := f.channels == 1; same == grey {
			t.Errorf("%s %s: the picture comes back the same: %t", c.layout, c.d, same)
		}
		if _, err := f.Encode(image.NewNRGBA(image.Rect(0, 0, 4, 5)), ""); err == nil {
			t.Errorf("%s: a picture of another size is written", c.layout)
		}
		if _, err := f.Decode(data[1:]); err == nil {
			t.Errorf("%s: data cut short is read", c.layout)
		}
	}
}
