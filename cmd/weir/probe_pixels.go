package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/draw"

	"weir/filter/codec"
	"weir/sanitize"
	"weir/sanitize/redteam"
	"weir/sanitize/tensor"
)

// pixelForm carries pictures as numbers: the part of one picture of a tensor of the
// kind pixels. It implements redteam.Carrier.
type pixelForm struct {
	options                 sanitize.PixelOptions
	shape                   []int64 // of one picture in the layout, N is 1
	width, height, channels int
}

// newPixelForm takes datatype and size from the signature. size is "WxH", for a model
// that takes any.
func newPixelForm(o sanitize.PixelOptions, spec codec.Spec, size string) (*pixelForm, error) {
	f := &pixelForm{options: o, shape: slices.Clone(spec.Shape), channels: 1}
	if len(o.Layout) != len(spec.Shape) {
		return nil, fail(exitUsage, "--layout: %q has %d letters, and the input %s has %d dimensions", o.Layout, len(o.Layout), spec.Name, len(spec.Shape))
	}
	f.options.DataType = spec.DataType
	width, height, err := parseSize(size)
	if err != nil {
		return nil, err
	}
	for i, axis := range o.Layout {
		open := map[rune]int64{'N': 1, 'C': 3, 'W': width, 'H': height}[axis]
		if f.shape[i] == -1 || axis == 'N' || axis != 'C' && size != "" {
			f.shape[i] = open
		}
		switch axis {
		case 'W':
			f.width = int(f.shape[i])
		case 'H':
			f.height = int(f.shape[i])
		case 'C':
			f.channels = int(f.shape[i])
		}
	}
	if f.width < 1 || f.height < 1 {
		return nil, fail(exitUsage, "the model takes pictures of any size; say which with --size, such as 224x224")
	}
	if f.channels != 1 && f.channels != 3 {
		return nil, fail(exitUsage, "pictures of %d channels cannot be made of image files; 1 and 3 can", f.channels)
	}
	f.options.Shape = nil // it was of requests, which may have several pictures
	if err := f.options.Validate(); err != nil {
		return nil, fail(exitUsage, "input %s: %w", spec.Name, err)
	}
	return f, nil
}

const maxProbeSide = 8192

func parseSize(size string) (width, height int64, err error) {
	if size == "" {
		return -1, -1, nil
	}
	w, h, _ := strings.Cut(size, "x")
	width, errW := strconv.ParseInt(w, 10, 32)
	height, errH := strconv.ParseInt(h, 10, 32)
	if errW != nil || errH != nil || min(width, height) < 1 || max(width, height) > maxProbeSide {
		return 0, 0, fail(exitUsage, "--size: expected WIDTHxHEIGHT, such as 224x224, each at most %d", maxProbeSide)
	}
	return width, height, nil
}

// fit makes an image file one of the size that the model takes, as PNG: it is turned
// upright and scaled, without keeping its proportions, as most preprocessing does.
func (f *pixelForm) fit(ctx context.Context, file []byte) ([]byte, error) {
	o := sanitize.ImageOptions{Orientation: sanitize.OrientationApply, Formats: sanitize.ImageFormats(), Animation: sanitize.AnimationFirst}
	upright, _, err := sanitize.Image(ctx, file, o)
	if err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(upright)) // the formats are registered by redteam
	if err != nil {
		return nil, err
	}
	scaled := image.NewNRGBA(image.Rect(0, 0, f.width, f.height))
	draw.BiLinear.Scale(scaled, scaled.Rect, img, img.Bounds(), draw.Src, nil)
	return redteam.Files{}.Encode(scaled, sanitize.FormatPNG)
}

// Encode writes the samples of a picture of the right size in the model's layout.
func (f *pixelForm) Encode(img *image.NRGBA, _ string) ([]byte, error) {
	if img.Rect.Dx() != f.width || img.Rect.Dy() != f.height {
		return nil, fmt.Errorf("a picture of %v pixels, and the model takes %d × %d", img.Rect.Size(), f.width, f.height)
	}
	var tables [3][][]byte
	for c := range f.channels {
		tables[c] = f.table(c)
	}
	data := make([]byte, 0, f.width*f.height*f.channels*f.options.DataType.Size())
	f.each(func(x, y, c int) {
		at := img.PixOffset(img.Rect.Min.X+x, img.Rect.Min.Y+y)
		v := img.Pix[at+c]
		if f.channels == 1 {
			v = luma(img.Pix[at : at+3])
		}
		data = append(data, tables[c][v]...)
	})
	return data, nil
}

// Decode is the inverse of Encode, rounded to 8 bits.
func (f *pixelForm) Decode(data []byte) (image.Image, error) {
	img := image.NewNRGBA(image.Rect(0, 0, f.width, f.height))
	size := f.options.DataType.Size()
	if len(data) != f.width*f.height*f.channels*size {
		return nil, fmt.Errorf("%d bytes for %d × %d pixels", len(data), f.width, f.height)
	}
	mean, std, white := f.normalisation()
	f.each(func(x, y, c int) {
		sample := float64(data[0])
		if f.options.DataType != tensor.Uint8 {
			sample = f.options.DataType.Float64(data)
		}
		data = data[size:]
		v := uint8(min(max((sample*std[c]+mean[c])/white*255+0.5, 0), 255))
		at := img.PixOffset(x, y)
		img.Pix[at+c], img.Pix[at+3] = v, 255
		if f.channels == 1 {
			img.Pix[at+1], img.Pix[at+2] = v, v
		}
	})
	return img, nil
}

// each calls g for every sample in the order of the layout.
func (f *pixelForm) each(g func(x, y, c int)) {
	axes := strings.ReplaceAll(f.options.Layout, "N", "")
	length := map[byte]int{'W': f.width, 'H': f.height, 'C': f.channels}
	var at [3]int
	n := f.width * f.height * f.channels
	for range n {
		var x, y, c int
		for i := range axes {
			switch axes[i] {
			case 'W':
				x = at[i]
			case 'H':
				y = at[i]
			case 'C':
				c = at[i]
			}
		}
		g(x, y, c)
		for i := len(axes) - 1; i >= 0; i-- {
			if at[i]++; at[i] < length[axes[i]] {
				break
			}
			at[i] = 0
		}
	}
}

// maxHalf is the greatest FP16.
const maxHalf = 65504

// table is the binary form of each of the 256 pixel values of a channel.
func (f *pixelForm) table(c int) [][]byte {
	mean, std, white := f.normalisation()
	table := make([][]byte, 256)
	for v := range table {
		sample := (float64(v)/255*white - mean[c]) / std[c]
		switch f.options.DataType {
		case tensor.Uint8:
			table[v] = []byte{uint8(min(max(sample+0.5, 0), 255))}
		case tensor.FP16:
			table[v] = binary.LittleEndian.AppendUint16(nil, tensor.Half(min(max(sample, -maxHalf), maxHalf)))
		default:
			table[v] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(sample)))
		}
	}
	return table
}

// normalisation fills in what the options leave out, for three channels.
func (f *pixelForm) normalisation() (mean, std [3]float64, white float64) {
	std = [3]float64{1, 1, 1}
	copy(mean[:], f.options.Mean)
	copy(std[:], f.options.Std)
	if white = f.options.White; white == 0 {
		white = 1
		if f.options.DataType == tensor.Uint8 {
			white = 255
		}
	}
	return mean, std, white
}

// luma is that of Rec. 601, as JPEG has it.
func luma(rgb []byte) uint8 {
	return uint8((299*int(rgb[0]) + 587*int(rgb[1]) + 114*int(rgb[2]) + 500) / 1000)
}

// tensor is the input of a request of pictures.
func (f *pixelForm) tensor(name string, pictures [][]byte) tensor.Tensor {
	shape := slices.Clone(f.shape)
	if i := strings.IndexByte(f.options.Layout, 'N'); i >= 0 {
		shape[i] = int64(len(pictures))
	}
	return tensor.Tensor{Name: name, DataType: f.options.DataType, Shape: shape, Data: slices.Concat(pictures...)}
}

// profile sanitises one picture.
func (f *pixelForm) profile(name string, o sanitize.PixelOptions) redteam.Profile {
	return redteam.Profile{Name: name, Sanitize: func(ctx context.Context, picture []byte) ([]byte, error) {
		out, _, err := sanitize.Pixels(ctx, f.tensor(o.Input, [][]byte{picture}), o)
		return out.Data, err
	}}
}

// parseNumbers reads numbers that are separated by commas.
func parseNumbers(flag, list string) ([]float64, error) {
	var numbers []float64
	for part := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return nil, fail(exitUsage, "--%s: expected numbers that are separated by commas, such as 0.485,0.456,0.406", flag)
		}
		numbers = append(numbers, v)
	}
	return numbers, nil
}
