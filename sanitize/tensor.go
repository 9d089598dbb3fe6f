package sanitize

import (
	"fmt"
	"math"
	"slices"

	"weir/sanitize/tensor"
)

// The values of TensorOptions.NotFinite.
const (
	NotFiniteReject = "reject"
	NotFiniteAllow  = "allow"
)

// TensorOptions say which numeric tensors Tensor lets through. The zero value is
// valid: any numeric datatype, any shape, all elements finite.
type TensorOptions struct {
	DataType  tensor.DataType // Invalid: any numeric
	Shape     []int64         // expected dimensions, -1 for any; nil: any shape
	Min, Max  *float64        // inclusive range of every element; nil: unbounded
	NotFinite string          // NotFiniteReject (also when empty) or NotFiniteAllow
}

// Validate reports a datatype that is not numeric, a dimension below -1, a range
// that holds nothing, or an unknown NotFinite.
func (o TensorOptions) Validate() error {
	switch {
	case o.DataType != tensor.Invalid && !numeric(o.DataType):
		return fmt.Errorf("tensor datatype %s: must be numeric", o.DataType)
	case o.NotFinite != "" && o.NotFinite != NotFiniteReject && o.NotFinite != NotFiniteAllow:
		return fmt.Errorf("not_finite %q: must be %q or %q", o.NotFinite, NotFiniteReject, NotFiniteAllow)
	}
	for _, d := range o.Shape {
		if d < -1 {
			return fmt.Errorf("tensor shape %v: dimension %d", o.Shape, d)
		}
	}
	if lo, hi := o.bounds(); !(lo <= hi) {
		return fmt.Errorf("tensor range %v to %v: holds no number", lo, hi)
	}
	return nil
}

func (o TensorOptions) bounds() (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if o.Min != nil {
		lo = *o.Min
	}
	if o.Max != nil {
		hi = *o.Max
	}
	return lo, hi
}

// Tensor checks a numeric tensor and returns it as it is, sharing its Data:
// datatype, shape, that Data has exactly the size which both say, that BOOL
// elements are 0 or 1 and floating-point elements finite, and the range. Integers
// are compared exactly, also above 2^53. With NotFiniteAllow, NaN and infinities
// pass whatever the range is.
//
// Some models decode image files that come as UINT8 [N], or [B, N] with a file in
// each row (NVIDIA DALI's fn.decoders.image). Declared as numbers they would get by
// Image, so such a tensor, or a row of it, may not begin as an image file does.
//
// Refusals are TensorDataType, TensorShape, TensorHoldsImage, TensorNotFinite and
// TensorRange; they name the index of the first offending element, not its value.
func Tensor(t tensor.Tensor, o TensorOptions) (tensor.Tensor, Report, error) {
	report := Report{Kind: "tensor", Format: t.DataType.String()}
	if err := o.Validate(); err != nil {
		return tensor.Tensor{}, report, err
	}
	if refusal := o.check(&t); refusal != nil {
		return tensor.Tensor{}, report, refusal
	}
	report.Action = Unchanged
	return t, report, nil
}

func (o TensorOptions) check(t *tensor.Tensor) *Refusal {
	if !numeric(t.DataType) || o.DataType != tensor.Invalid && o.DataType != t.DataType {
		return refuse(TensorDataType, "%s is not allowed", t.DataType)
	}
	if !o.matches(t.Shape) {
		return refuse(TensorShape, "shape %v, want %v", t.Shape, o.Shape)
	}
	if err := t.Validate(); err != nil {
		return refuse(TensorShape, "%v", err)
	}
	if i := firstImage(t); i >= 0 {
		return refuse(TensorHoldsImage, "element %d is the first of an image file", i)
	}
	lo, hi := o.bounds()
	if t.DataType.Float() {
		return checkFloats(t, lo, hi, o.NotFinite == NotFiniteAllow)
	}
	if i := firstIntegerOutside(t, lo, hi); i >= 0 {
		return refuse(TensorRange, "element %d is out of range", i)
	}
	return nil
}

// firstImage returns the index of the element of a valid tensor with which the
// first image file begins; -1 if there is none.
func firstImage(t *tensor.Tensor) int {
	if t.DataType != tensor.Uint8 || len(t.Shape) < 1 || len(t.Shape) > 2 || len(t.Data) == 0 {
		return -1
	}
	if SniffImage(t.Data) != "" { // in rows that are too short to tell
		return 0
	}
	row := int(t.Shape[len(t.Shape)-1])
	for i := 0; i < len(t.Data); i += row {
		if SniffImage(t.Data[i:i+row]) != "" {
			return i
		}
	}
	return -1
}

func (o TensorOptions) matches(shape []int64) bool {
	if o.Shape == nil {
		return true
	}
	return slices.EqualFunc(o.Shape, shape, func(want, got int64) bool { return want == -1 || want == got })
}

func numeric(d tensor.DataType) bool { return d.Size() > 0 }
