package sanitize

import (
	"encoding/binary"
	"fmt"
	"math"

	"weir/sanitize/tensor"
)

// Pixel values that a sample may have, in 1/255: from 5 per cent below black to 5
// per cent above white.
const (
	darkest   = -0.05 * 255
	brightest = 1.05 * 255
)

// grid says what the 256 pixel values are in one channel of a tensor.
type grid struct {
	dataType      tensor.DataType
	scale, offset float64      // of a sample, to get its pixel value in 1/255
	element       [256][4]byte // the sample of a pixel value, as the datatype writes it
	pixel         *[256]int16  // of UINT8: the pixel value of a sample; -1 out of range
}

// grids makes those of all channels. The error is that a pixel value has no finite
// sample.
func (o *PixelOptions) grids(d tensor.DataType, channels int) ([]grid, error) {
	white := o.White
	if white == 0 {
		white = 1
		if d == tensor.Uint8 {
			white = 255
		}
	}
	grids := make([]grid, channels)
	for c := range grids {
		std, mean := 1.0, 0.0
		if o.Std != nil {
			std = o.Std[c]
		}
		if o.Mean != nil {
			mean = o.Mean[c]
		}
		g := &grids[c]
		g.dataType, g.scale, g.offset = d, std*255/white, mean*255/white
		for v := range g.element {
			sample := (float64(float64(v)/255*white) - mean) / std
			if !g.put(v, sample) {
				return nil, fmt.Errorf("sanitize: %v is no %s: mean, std or white do not fit", sample, d)
			}
		}
		if d == tensor.Uint8 {
			g.pixel = g.pixels()
		}
	}
	return grids, nil
}

// put writes the sample of a pixel value; false if the datatype has none.
func (g *grid) put(v int, sample float64) bool {
	e := g.element[v][:]
	switch g.dataType {
	case tensor.Uint8:
		e[0] = uint8(min(max(math.Round(sample), 0), 255))
		return sample > -.5 && sample < 255.5
	case tensor.FP16:
		half := tensor.Half(sample)
		binary.LittleEndian.PutUint16(e, half)
		return half&0x7C00 != 0x7C00
	default:
		binary.LittleEndian.PutUint32(e, math.Float32bits(float32(sample)))
		return math.Abs(sample) <= math.MaxFloat32
	}
}

// pixels are the pixel values of the samples of UINT8.
func (g *grid) pixels() *[256]int16 {
	table := new([256]int16)
	for x := range table {
		table[x] = -1
		if v := float64(float64(x)*g.scale) + g.offset; v >= darkest && v <= brightest {
			table[x] = int16(nearest(v))
		}
	}
	return table
}

// load reads the elements at, at + step… as pixel values into dst. It stops at the
// first that has none, and returns its index in dst with the reason.
func (g *grid) load(dst []uint8, data []byte, at, step int) (int, Reason) {
	switch g.dataType {
	case tensor.Uint8:
		for x := range dst {
			v := g.pixel[data[at+x*step]]
			if v < 0 {
				return x, TensorRange
			}
			dst[x] = uint8(v)
		}
	case tensor.FP16:
		for x := range dst {
			sample := tensor.FP16.Float64(data[2*(at+x*step):])
			v := float64(sample*g.scale) + g.offset // rounded in between, on every machine
			if !(v >= darkest && v <= brightest) {
				return x, fault(sample)
			}
			dst[x] = nearest(v)
		}
	default:
		for x := range dst {
			i := 4 * (at + x*step)
			sample := float64(math.Float32frombits(binary.LittleEndian.Uint32(data[i : i+4])))
			v := float64(sample*g.scale) + g.offset
			if !(v >= darkest && v <= brightest) {
				return x, fault(sample)
			}
			dst[x] = nearest(v)
		}
	}
	return 0, ""
}

// fault is why a sample has no pixel value.
func fault(sample float64) Reason {
	if math.IsNaN(sample) || math.IsInf(sample, 0) {
		return TensorNotFinite
	}
	return TensorRange
}

// nearest rounds what lies from darkest to brightest: the conversion cuts what is
// positive, so it is moved up by a little more than darkest, and back.
func nearest(v float64) uint8 {
	const up = 13
	return uint8(min(max(int(v+(up+.5))-up, 0), 255))
}

// store writes pixel values as the elements at, at + step…
func (g *grid) store(data []byte, src []uint8, at, step int) {
	switch g.dataType {
	case tensor.Uint8:
		for x, v := range src {
			data[at+x*step] = g.element[v][0]
		}
	case tensor.FP16:
		for x, v := range src {
			copy(data[2*(at+x*step):][:2], g.element[v][:2])
		}
	default:
		for x, v := range src {
			*(*[4]byte)(data[4*(at+x*step):]) = g.element[v]
		}
	}
}
