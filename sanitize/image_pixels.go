package sanitize

import (
	"context"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	stdpng "image/png"
	"io"
	"slices"

	"weir/sanitize/internal/bmp"
	"weir/sanitize/internal/gif"
	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
	"weir/sanitize/internal/tiff"
	"weir/sanitize/internal/webp"
)

// codec reads the files of one format, decodes their pictures, and encodes them in
// it again.
type codec struct {
	// strip is the walker.
	strip func(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error)

	// decode reads a file that a walker wrote, so that decoders which are not Weir's
	// see nothing else. An orientation is left to the caller.
	decode func(ctx context.Context, s *picture.Stripped) (image.Image, error)

	// encode writes the file of a picture with the orientation of s, which is the
	// stripped source. The picture is what decode returned, or what the steps made of
	// it: an *image.YCbCr, *image.Gray or *image.Gray16 of the same kind, else an
	// *image.NRGBA, or with 16 bits an *image.NRGBA64, of origin 0. The file is one that
	// the walker leaves as it is.
	encode func(ctx context.Context, img image.Image, s *picture.Stripped, o ImageOptions) ([]byte, error)

	// light encodes the file anew where the samples stay; nil: by decode and encode.
	light func(ctx context.Context, s *picture.Stripped, o ImageOptions) ([]byte, error)

	// decodedBytes is what decode and encode allocate at most, in bytes.
	decodedBytes func(s *picture.Stripped) int64

	// stepBytes is what steps and turns allocate besides; nil: as bitmapStepBytes says.
	stepBytes func(s *picture.Stripped) int64
}

// codecs are those of the formats that Image reads.
var codecs = map[string]codec{
	FormatJPEG: {strip: jpeg.Strip, decode: decodeJPEG, encode: encodeJPEG, decodedBytes: jpegBytes, stepBytes: jpegStepBytes},
	FormatPNG:  {strip: stripPNG, decode: decodePNG, encode: encodePNG, light: lightPNG, decodedBytes: pngBytes},
	FormatWebP: {strip: webp.Strip, decode: decodeWebP, encode: encodeWebP, decodedBytes: webpBytes},
	FormatGIF:  {strip: gif.Strip, decode: decodeGIF, encode: encodeGIF, decodedBytes: gifBytes},
	FormatTIFF: {strip: tiff.Strip, decode: decodeTIFF, encode: encodeTIFF, decodedBytes: tiffBytes},
	FormatBMP:  {strip: bmp.Strip, decode: decodeBMP, encode: encodeBMP, decodedBytes: bmpBytes},
}

// changesPixels reports whether the profile encodes the picture anew.
func (o ImageOptions) changesPixels() bool { return o.Profile != "" && o.Profile != ProfileStrip }

// turns reports whether the picture has to be turned.
func (o ImageOptions) turns(s *picture.Stripped) bool {
	return o.Orientation == OrientationApply && s.Orientation >= 2
}

// renormalise decodes a stripped file, turns it if that is asked for, changes its
// pixels as the profile says and encodes it anew.
func renormalise(ctx context.Context, s *picture.Stripped, format string, o ImageOptions) ([]byte, error) {
	c := codecs[format]
	steps := profileSteps(o.Profile, o.Steps, s.Info.Width, s.Info.Height)
	change := len(steps) > 0 || o.turns(s)
	if !change && c.light != nil {
		return c.light(ctx, s, o)
	}
	release, err := o.reserve(ctx, s, c.need(s, steps, change))
	if err != nil {
		return nil, err
	}
	defer release()
	img, err := c.decode(ctx, s)
	if err != nil {
		return nil, err
	}
	if change {
		if img, err = changeImage(ctx, img, s, steps, o); err != nil {
			return nil, err
		}
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return nil, err
	}
	if o.turns(s) {
		turned := *s
		turned.Orientation = 0
		s = &turned
	}
	return c.encode(ctx, img, s, o)
}

// changeImage turns the picture and runs the steps.
func changeImage(ctx context.Context, img image.Image, s *picture.Stripped, steps []Step, o ImageOptions) (image.Image, error) {
	orientation := uint8(0)
	if o.turns(s) {
		orientation = s.Orientation
	}
	if palette, ok := img.(*image.Paletted); ok {
		flat, err := pixel.NRGBA(palette)
		if err != nil {
			return nil, err
		}
		img = flat
	}
	shallow, err := pixel.From8(img)
	if err != nil {
		return nil, err
	}
	if shallow != nil {
		if err := changePicture(ctx, shallow, orientation, steps, o); err != nil {
			return nil, err
		}
		return pixel.Image8(shallow)
	}
	narrow := s.Info.Depth < 16
	deep, err := pixel.From16(img)
	if err != nil {
		return nil, err
	}
	if err := changePicture(ctx, deep, orientation, steps, o); err != nil {
		return nil, err
	}
	return pixel.Image16(deep, narrow), nil
}

func changePicture[T pixel.Sample](ctx context.Context, p *pixel.Picture[T], orientation uint8, steps []Step, o ImageOptions) error {
	if err := p.Turn(ctx, orientation); err != nil {
		return err
	}
	return runSteps(ctx, p, steps, o.Key, o.Model, o.Input)
}

// reserve holds the memory that is needed against the limit, and takes it until
// release is called.
func (o ImageOptions) reserve(ctx context.Context, s *picture.Stripped, need int64) (release func(), err error) {
	if limit := o.Limits.orDefaults().MaxDecodedBytes; need > limit {
		return nil, picture.Over(picture.TooManyPixels, "decoded bytes", need, limit,
			"%d × %d pixels need %d bytes; the limit is %d", s.Info.Width, s.Info.Height, need, limit)
	}
	return o.Memory.take(ctx, need)
}

// need is the memory of the decoder, the encoder and the steps, in bytes.
func (c codec) need(s *picture.Stripped, steps []Step, change bool) int64 {
	need := c.decodedBytes(s)
	switch {
	case change && c.stepBytes != nil:
		need += c.stepBytes(s)
	case change:
		need += bitmapStepBytes(s.Info)
	}
	if slices.ContainsFunc(steps, func(s Step) bool { return s.Op == StepJPEG }) {
		need += recodeBytes * int64(s.Info.Width) * int64(s.Info.Height)
	}
	return need
}

// recodeBytes is what the step jpeg allocates for a pixel: three planes, their file
// while it grows, the decoded planes, and full ones of the differences.
const recodeBytes = 12

// bitmapStepBytes is what the steps of a picture of whole pixels need at their peak:
// its planes, the result of a step, and the new image. Those of translucent pictures
// have 16 bits.
func bitmapStepBytes(info picture.Info) int64 {
	whole, planes := bitmapSamples(info)
	if info.Alpha && info.Depth < 16 {
		planes *= 2
	}
	return (2*planes + whole) * int64(info.Width) * int64(info.Height)
}

// bitmapSamples is how many bytes a pixel takes in an image that is decoded to whole
// pixels, and in planes.
func bitmapSamples(info picture.Info) (whole, planes int64) {
	switch {
	case info.Channels == 1 && !info.Palette && !info.Alpha:
		whole, planes = 1, 1
	case info.Alpha:
		whole, planes = 4, 4
	default:
		whole, planes = 4, 3
	}
	if info.Depth == 16 {
		return 2 * whole, 2 * planes
	}
	return whole, planes
}

// decodeError gives an error of the standard library's decoders its fault. After a
// whole walk there is none but what a decoder does not read; where the walker left out
// the image data, it may be damaged.
func decodeError(err error) error {
	var badJPEG stdjpeg.FormatError
	var badPNG stdpng.FormatError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return picture.Errorf(picture.Truncated, "decode: %v", err)
	case errors.As(err, &badJPEG), errors.As(err, &badPNG):
		return picture.Errorf(picture.Malformed, "decode: %v", err)
	}
	return fmt.Errorf("decode: %w", err)
}
