package sanitize_test

import (
	"context"
	"errors"
	"image"
	"math"
	"strings"
	"testing"

	"weir/sanitize"
	"weir/sanitize/tensor"
)

// TestPixelRanges holds which samples are pixel values.
func TestPixelRanges(t *testing.T) {
	for _, test := range []struct {
		d    tensor.DataType
		o    sanitize.PixelOptions
		v    float64
		want sanitize.Reason
	}{
		{tensor.FP32, sanitize.PixelOptions{}, 1.049, ""},
		{tensor.FP32, sanitize.PixelOptions{}, 1.051, sanitize.TensorRange},
		{tensor.FP32, sanitize.PixelOptions{}, -.051, sanitize.TensorRange},
		{tensor.FP32, sanitize.PixelOptions{}, 255, sanitize.TensorRange},
		{tensor.FP32, sanitize.PixelOptions{White: 255}, 255, ""},
		{tensor.FP32, sanitize.PixelOptions{Mean: []float64{.5}, Std: []float64{.5}}, -1, ""},
		{tensor.FP32, sanitize.PixelOptions{Mean: []float64{127.5}, Std: []float64{127.5}, White: 255}, -1, ""},
		{tensor.FP32, sanitize.PixelOptions{Mean: []float64{.5}, Std: []float64{.5}}, -1.2, sanitize.TensorRange},
		{tensor.FP32, sanitize.PixelOptions{}, math.NaN(), sanitize.TensorNotFinite},
		{tensor.FP32, sanitize.PixelOptions{}, math.Inf(-1), sanitize.TensorNotFinite},
		{tensor.FP16, sanitize.PixelOptions{}, 1, ""},
		{tensor.FP16, sanitize.PixelOptions{}, 2, sanitize.TensorRange},
		{tensor.Uint8, sanitize.PixelOptions{}, 255, ""},
		{tensor.Uint8, sanitize.PixelOptions{White: 100}, 104, ""},
		{tensor.Uint8, sanitize.PixelOptions{White: 100}, 106, sanitize.TensorRange},
	} {
		data := element(tensor.FP32, test.v)
		if test.d != tensor.FP32 {
			data = element(test.d, test.v)
		}
		in := tensor.Tensor{DataType: test.d, Shape: []int64{1, 2}, Data: append(make([]byte, len(data)), data...)}
		if len(test.o.Mean) > 0 { // black
			copy(in.Data, element(test.d, -test.o.Mean[0]/test.o.Std[0]))
		}
		for _, profile := range []string{"strip", "light"} {
			o := test.o
			o.Layout, o.Profile = "HW", profile
			_, report, err := sanitize.Pixels(t.Context(), in, o)
			var refusal *sanitize.Refusal
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%v %+v: %v", test.v, o, err)
			case test.want == "":
			case !errors.As(err, &refusal) || refusal.Reason != test.want || !strings.Contains(refusal.Detail, "element 1") || report.Action != sanitize.Rejected:
				t.Errorf("%v %+v: %v, want %s of element 1", test.v, o, err, test.want)
			}
		}
	}
}

func TestPixelRefusals(t *testing.T) {
	whole := tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{2, 4, 4, 3}, Data: make([]byte, 96)}
	file := encodeJPEG(t, image.NewGray(image.Rect(0, 0, 8, 8)), 90)
	for name, test := range map[string]struct {
		in   tensor.Tensor
		o    sanitize.PixelOptions
		want sanitize.Reason
	}{
		"datatype":   {tensor.Tensor{DataType: tensor.FP64, Shape: []int64{1, 1}, Data: make([]byte, 8)}, sanitize.PixelOptions{Layout: "HW"}, sanitize.TensorDataType},
		"another":    {whole, sanitize.PixelOptions{Layout: "NHWC", DataType: tensor.FP32}, sanitize.TensorDataType},
		"rank":       {whole, sanitize.PixelOptions{Layout: "HWC"}, sanitize.TensorShape},
		"channels":   {whole, sanitize.PixelOptions{Layout: "NCHW", Mean: []float64{0, 0, 0}}, sanitize.TensorShape},
		"5 channels": {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{5, 2, 2}, Data: make([]byte, 20)}, sanitize.PixelOptions{Layout: "CHW"}, sanitize.TensorShape},
		"shape":      {whole, sanitize.PixelOptions{Layout: "NHWC", Shape: []int64{-1, 4, 5, 3}}, sanitize.TensorShape},
		"size":       {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{2, 4, 4, 3}, Data: make([]byte, 95)}, sanitize.PixelOptions{Layout: "NHWC"}, sanitize.TensorShape},
		"no rows":    {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{0, 4}}, sanitize.PixelOptions{Layout: "HW"}, sanitize.TensorShape},
		"pixels":     {whole, sanitize.PixelOptions{Layout: "NHWC", MaxPixels: 31}, sanitize.ImageTooManyPixels},
		"file":       {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{1, int64(len(file))}, Data: file}, sanitize.PixelOptions{Layout: "HW"}, sanitize.TensorHoldsImage},
	} {
		out, report, err := sanitize.Pixels(t.Context(), test.in, test.o)
		var refusal *sanitize.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != test.want || out.Data != nil || report.Action != sanitize.Rejected {
			t.Errorf("%s: %v, %+v; want %s", name, err, report, test.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, profile := range []string{"strip", "light", "standard"} {
		_, _, err := sanitize.Pixels(ctx, whole, sanitize.PixelOptions{Layout: "NHWC", Profile: profile, Key: testKey(t)})
		var refusal *sanitize.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != sanitize.DeadlineExceeded {
			t.Errorf("%s after the deadline: %v", profile, err)
		}
	}
}

func TestPixelOptionsValidate(t *testing.T) {
	for _, test := range []struct {
		o    sanitize.PixelOptions
		want string // "" for valid
	}{
		{sanitize.PixelOptions{Layout: "HW"}, ""},
		{sanitize.PixelOptions{Layout: "WCHN", Mean: imagenet.mean, Std: imagenet.std, Shape: []int64{-1, 3, 4, -1}}, ""},
		{sanitize.PixelOptions{}, "layout"},
		{sanitize.PixelOptions{Layout: "HC"}, "layout"},
		{sanitize.PixelOptions{Layout: "HWH"}, "layout"},
		{sanitize.PixelOptions{Layout: "HWD"}, "layout"},
		{sanitize.PixelOptions{Layout: "hw"}, "layout"},
		{sanitize.PixelOptions{Layout: "HWé"}, "layout"},
		{sanitize.PixelOptions{Layout: "HW", DataType: tensor.BF16}, "BF16"},
		{sanitize.PixelOptions{Layout: "HW", Shape: []int64{1}}, "shape"},
		{sanitize.PixelOptions{Layout: "HW", Shape: []int64{1, -2}}, "dimension -2"},
		{sanitize.PixelOptions{Layout: "HWC", Shape: []int64{1, 1, 2}}, "dimension 2"},
		{sanitize.PixelOptions{Layout: "HW", White: -1}, "white"},
		{sanitize.PixelOptions{Layout: "HW", White: math.Inf(1)}, "white"},
		{sanitize.PixelOptions{Layout: "HW", Mean: imagenet.mean}, "one a channel"},
		{sanitize.PixelOptions{Layout: "HWC", Mean: imagenet.mean, Std: []float64{1}}, "not as many"},
		{sanitize.PixelOptions{Layout: "HWC", Mean: []float64{1, 2}}, "one a channel"},
		{sanitize.PixelOptions{Layout: "HWC", Mean: []float64{1, math.NaN(), 2}}, "not finite"},
		{sanitize.PixelOptions{Layout: "HWC", Std: []float64{1, 0, 2}}, "above 0"},
		{sanitize.PixelOptions{Layout: "HW", MaxPixels: -1}, "limit"},
		{sanitize.PixelOptions{Layout: "HW", Profile: "strong"}, "needs a key"},
		{sanitize.PixelOptions{Layout: "HW", Profile: "fast"}, "profile"},
		{sanitize.PixelOptions{Layout: "HW", Profile: "custom"}, "steps"},
	} {
		err := test.o.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.o, err, test.want)
		}
		if test.want == "" {
			continue
		}
		_, _, got := sanitize.Pixels(t.Context(), tensor.Tensor{}, test.o)
		if got == nil || got.Error() != err.Error() {
			t.Errorf("Pixels says %v", got)
		}
	}
	in := tensor.Tensor{DataType: tensor.FP16, Shape: []int64{1, 1}, Data: make([]byte, 2)}
	var refusal *sanitize.Refusal
	if _, _, err := sanitize.Pixels(t.Context(), in, sanitize.PixelOptions{Layout: "HW", White: 1e6}); err == nil || errors.As(err, &refusal) {
		t.Errorf("a white that FP16 cannot hold: %v", err)
	}
}
