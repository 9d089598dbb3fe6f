package config

import (
	"fmt"
	"slices"
	"strings"
)

// pixelTypes are the datatypes of decoded pictures.
var pixelTypes = []Datatype{"UINT8", "FP16", "FP32"}

// layouts are those that a hint can name.
var layouts = []string{"NCHW", "NHWC", "CHW", "HWC", "NHW", "HW"}

// pixels checks an input of decoded pictures.
func (v *validator) pixels(in Input, path string) {
	v.picture(in, path)
	v.shape(in, path)
	if in.Datatype != "" && !slices.Contains(pixelTypes, in.Datatype) {
		v.fail(path+".datatype", "pixels are %s", strings.Join(list(pixelTypes...), ", "))
	}
	switch {
	case in.Layout == "":
		v.fail(path+".layout", "required: the order of the dimensions, such as %s", strings.Join(layouts, ", "))
	case !validLayout(in.Layout):
		v.failHint(path+".layout", "has H and W once, N and C at most once, and nothing else", didYouMean(in.Layout, layouts))
	case in.Shape != nil && len(in.Shape) != len(in.Layout):
		v.fail(path+".shape", "has %d dimensions, layout %s has %d", len(in.Shape), in.Layout, len(in.Layout))
	default:
		v.channels(in, path)
	}
	if v.c.source.given(path+".white") && in.White <= 0 {
		v.fail(path+".white", "must be above 0")
	}
	for i, x := range in.Std {
		if x <= 0 {
			v.fail(fmt.Sprintf("%s.std[%d]", path, i), "must be above 0")
		}
	}
}

func validLayout(layout string) bool {
	return strings.Count(layout, "H") == 1 && strings.Count(layout, "W") == 1 &&
		strings.Count(layout, "N") <= 1 && strings.Count(layout, "C") <= 1 && strings.Trim(layout, "NCHW") == ""
}

// channels checks that there is a mean and a standard deviation for each channel.
func (v *validator) channels(in Input, path string) {
	count, of := int64(1), "a layout without C has one channel"
	if at := strings.IndexByte(in.Layout, 'C'); at >= 0 {
		if in.Shape == nil || in.Shape[at] == -1 {
			if len(in.Mean) > 0 && len(in.Std) > 0 && len(in.Mean) != len(in.Std) {
				v.fail(path+".std", "has %d entries, mean has %d", len(in.Std), len(in.Mean))
			}
			return
		}
		count, of = in.Shape[at], fmt.Sprintf("shape has %d channels", in.Shape[at])
		if count != 1 && count != 3 && count != 4 {
			v.fail(fmt.Sprintf("%s.shape[%d]", path, at), "pictures have 1, 3 or 4 channels")
			return
		}
	}
	for key, list := range map[string][]float64{"mean": in.Mean, "std": in.Std} {
		if n := len(list); n > 0 && int64(n) != count {
			v.fail(path+"."+key, "has %d entries, %s", n, of)
		}
	}
}
