package sanitize

import (
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
