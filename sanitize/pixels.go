package sanitize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"weir/sanitize/tensor"
)

// PixelOptions say how a tensor that holds pictures is sanitised. The zero value is
// not valid: it needs a Layout.
type PixelOptions struct {
	Layout   string          // order of the dimensions: "HWC", "CHW", "NHWC", "NCHW", "HW", "NHW" or another with H and W, at most one N and one C
	DataType tensor.DataType // UINT8, FP16 or FP32; Invalid: any of these
	Shape    []int64         // expected dimensions, -1 for any; nil: any shape of the layout

	// A sample x of channel c is the pixel value (x × Std[c] + Mean[c]) / White, where 0
	// is black and 1 is white. Std and Mean have one entry a channel, or none (1 and 0).
	White float64   // 0: 255 for UINT8, else 1
	Mean  []float64 // of the model's normalisation, in units of White
	Std   []float64 // as Mean

	Profile   string // as of ImageOptions; "strip" checks and changes nothing
	Steps     []Step // of the profile custom
	MaxPixels int64  // over all pictures; 0: as of images
	Key       *Key   // of keyed steps
	Model     string // name of the model, bound into the keyed draw
	Input     string // name of its input, bound into the keyed draw
}

// Validate reports the first option that is not valid.
func (o PixelOptions) Validate() error {
	if err := checkLayout(o.Layout); err != nil {
		return err
	}
	switch {
	case o.DataType != tensor.Invalid && !holdsPixels(o.DataType):
		return fmt.Errorf("sanitize: pixels of %s; known are UINT8, FP16, FP32", o.DataType)
	case o.Shape != nil && len(o.Shape) != len(o.Layout):
		return fmt.Errorf("sanitize: shape %v of layout %q", o.Shape, o.Layout)
	case o.White < 0 || math.IsNaN(o.White) || math.IsInf(o.White, 0):
		return fmt.Errorf("sanitize: white of %v", o.White)
	case o.MaxPixels < 0:
		return fmt.Errorf("sanitize: a limit of %d pixels", o.MaxPixels)
	}
	for i, d := range o.Shape {
		if d < -1 || d == 0 || o.Layout[i] == 'C' && d != -1 && d != 1 && d != 3 && d != 4 {
			return fmt.Errorf("sanitize: shape %v of layout %q: dimension %d", o.Shape, o.Layout, d)
		}
	}
	if err := o.checkNormalisation(); err != nil {
		return err
	}
	return checkSteps("pixel", o.Profile, o.Steps, o.Key)
}

func holdsPixels(d tensor.DataType) bool {
	return d == tensor.Uint8 || d == tensor.FP16 || d == tensor.FP32
}

// checkLayout knows H and W, and at most one N and one C, in any order.
func checkLayout(layout string) error {
	for i, r := range layout {
		if !strings.ContainsRune("NHWC", r) || strings.ContainsRune(layout[:i], r) {
			return fmt.Errorf("sanitize: pixel layout %q; its letters are H, W and at most one N and one C", layout)
		}
	}
	if !strings.Contains(layout, "H") || !strings.Contains(layout, "W") {
		return fmt.Errorf("sanitize: pixel layout %q needs H and W", layout)
	}
	return nil
}

func (o PixelOptions) checkNormalisation() error {
	channels := int64(-1) // any
	if c := strings.IndexByte(o.Layout, 'C'); c < 0 {
		channels = 1
	} else if o.Shape != nil {
		channels = o.Shape[c]
	}
	if len(o.Mean) > 0 && len(o.Std) > 0 && len(o.Mean) != len(o.Std) {
		return fmt.Errorf("sanitize: mean %v, std %v: not as many", o.Mean, o.Std)
	}
	for _, list := range [][]float64{o.Mean, o.Std} {
		if n := int64(len(list)); n > 0 && (channels >= 0 && n != channels || n != 1 && n != 3 && n != 4) {
			return fmt.Errorf("sanitize: mean %v, std %v: one a channel is needed, or none", o.Mean, o.Std)
		}
		if slices.ContainsFunc(list, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			return fmt.Errorf("sanitize: mean %v, std %v: not finite", o.Mean, o.Std)
		}
	}
	if slices.ContainsFunc(o.Std, func(v float64) bool { return v <= 0 }) {
		return fmt.Errorf("sanitize: std %v: must be above 0", o.Std)
	}
	return nil
}

// Pixels sanitises a tensor of decoded pictures: datatype, shape and size are those
// of the options and the layout, with one, three or four channels; every sample is
// finite, and its pixel value is from -0.05 to 1.05, which leaves room for the
// overshoot of a resize. Channels are taken as grey, as red, green and blue, or with
// a fourth as alpha, which median, bits and jpeg leave alone; a model that takes blue
// first has slightly other luma in its draws and in the step jpeg, and nothing else.
//
// The profile strip checks and changes nothing. Where no sample changes, the result
// shares Data. The other profiles take each picture apart from its batch and do what
// ProfileSteps says for its size, or Steps. They work on the 8 bits of a file: every
// sample is rounded to the nearest of the 256 pixel values, beyond black and white to
// these; then come the steps; and the model's normalisation is applied again. The
// profile light is that rounding alone. It takes whatever hides in the low bits of a
// fraction, changes a sample that came from 8 bits by no more than the rounding of its
// datatype, and any other by up to half of 1/255, as if the picture had been stored in
// a file. So a floating-point tensor becomes what the UINT8 tensor of the same
// pictures would, and equal pictures become equal whatever the batch, layout or
// datatype.
//
// Some models decode files that come as UINT8 [N] or [B, N]; as in Tensor, no row of
// such a tensor may begin as an image file does.
//
// Besides the result, a picture takes two bytes a sample while it is worked on, and
// more with the step jpeg. The error is a *Refusal (TensorDataType, TensorShape,
// TensorHoldsImage, TensorNotFinite, TensorRange, ImageTooManyPixels, DeadlineExceeded,
// Panicked), or says what is wrong with the options. Pixels does not panic, and ends
// soon after ctx does.
func Pixels(ctx context.Context, t tensor.Tensor, o PixelOptions) (out tensor.Tensor, report Report, err error) {
	report = Report{Kind: "pixels", Format: t.DataType.String()}
	if err := o.Validate(); err != nil {
		return tensor.Tensor{}, report, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = refuse(Panicked, "pixels: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			out, report.Action = tensor.Tensor{}, Rejected
		}
	}()
	g, refusal := o.admit(&t)
	if refusal != nil {
		return out, report, refusal
	}
	grids, err := o.grids(t.DataType, g.channels)
	if err != nil {
		return out, report, err
	}
	r := &pixelRun{options: &o, geometry: g, grids: grids, t: &t}
	if err := r.run(ctx); err != nil {
		return out, report, pixelRefusal(err)
	}
	report.Action, out = Unchanged, t
	if r.out != nil && !bytes.Equal(r.out, t.Data) {
		report.Action, out.Data = Renormalised, r.out
	}
	out.Shape = slices.Clone(t.Shape)
	return out, report, nil
}

// pixelRefusal gives an error of the steps its reason.
func pixelRefusal(err error) *Refusal {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return imageRefusal(err)
}

// admit checks what can be said without a look at the samples.
func (o *PixelOptions) admit(t *tensor.Tensor) (geometry, *Refusal) {
	var g geometry
	switch {
	case !holdsPixels(t.DataType) || o.DataType != tensor.Invalid && o.DataType != t.DataType:
		return g, refuse(TensorDataType, "%s is not allowed", t.DataType)
	case !(TensorOptions{Shape: o.Shape}).matches(t.Shape):
		return g, refuse(TensorShape, "shape %v, want %v", t.Shape, o.Shape)
	}
	if err := t.Validate(); err != nil {
		return g, refuse(TensorShape, "%v", err)
	}
	if i := firstImage(t); i >= 0 {
		return g, refuse(TensorHoldsImage, "element %d is the first of an image file", i)
	}
	if len(t.Shape) != len(o.Layout) {
		return g, refuse(TensorShape, "shape %v of layout %s", t.Shape, o.Layout)
	}
	g = geometryOf(o.Layout, t.Shape)
	if n := max(len(o.Std), len(o.Mean)); g.channels != 1 && g.channels != 3 && g.channels != 4 || g.width == 0 || g.height == 0 ||
		n > 0 && n != g.channels {
		return g, refuse(TensorShape, "shape %v of layout %s", t.Shape, o.Layout)
	}
	limit := orDefault(o.MaxPixels, DefaultImageLimits().MaxPixels)
	if n := int64(g.pictures) * int64(g.width) * int64(g.height); n > limit {
		r := refuse(ImageTooManyPixels, "%d pixels; the limit is %d", n, limit)
		r.Excess = Excess{Of: "pixels", Value: n, Limit: limit}
		return g, r
	}
	return g, nil
}
