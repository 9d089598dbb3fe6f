package sanitize

import (
	"context"
	"encoding/binary"
	"image"
	"io"

	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
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
	// it: an *image.YCbCr, *image.Gray or *image.Gray16 of the same kind and
	// subsampling, else an *image.NRGBA, or with 16 bits an *image.NRGBA64, of origin 0.
	// The file is one that the walker leaves as it is.
	encode func(ctx context.Context, img image.Image, s *picture.Stripped, o ImageOptions) ([]byte, error)

	// light encodes the file anew where the samples stay; nil: by decode and encode.
	light func(ctx context.Context, s *picture.Stripped, o ImageOptions) ([]byte, error)

	// decodedBytes is what decode and encode allocate at most, in bytes.
	decodedBytes func(s *picture.Stripped) int64
}

// codecs are those of the formats that Image reads.
var codecs = map[string]codec{
	FormatJPEG: {strip: jpeg.Strip, decode: decodeJPEG, encode: encodeJPEG, decodedBytes: jpegBytes},
	FormatPNG:  {strip: stripPNG, decode: decodePNG, encode: encodePNG, light: lightPNG, decodedBytes: pngBytes},
}

// renormalise decodes a stripped file, changes its pixels as the profile says and
// encodes it anew.
func renormalise(ctx context.Context, s *picture.Stripped, format string, o ImageOptions) ([]byte, error) {
	c := codecs[format]
	steps := o.steps(s.Info)
	if len(steps) == 0 && c.light != nil {
		return c.light(ctx, s, o)
	}
	release, err := o.reserve(ctx, s, c.decodedBytes(s), len(steps) > 0)
	if err != nil {
		return nil, err
	}
	defer release()
	img, err := c.decode(ctx, s)
	if err != nil {
		return nil, err
	}
	if img, err = applySteps(ctx, img, steps, o); err != nil {
		return nil, err
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return nil, err
	}
	return c.encode(ctx, img, s, o)
}

// changesPixels reports whether the profile encodes the picture anew.
func (o ImageOptions) changesPixels() bool { return o.Profile != "" && o.Profile != ProfileStrip }

// steps are those of the profile for a picture of that size.
func (o ImageOptions) steps(info picture.Info) []Step {
	if o.Profile == ProfileCustom {
		return o.Steps
	}
	return ProfileSteps(o.Profile, min(info.Width, info.Height))
}

// reserve holds the memory that the decoder, the encoder and the steps need against
// the limit, and takes it until release is called.
func (o ImageOptions) reserve(ctx context.Context, s *picture.Stripped, need int64, steps bool) (release func(), err error) {
	if steps {
		need += stepBytes(s.Info)
	}
	if limit := o.Limits.orDefaults().MaxDecodedBytes; need > limit {
		return nil, picture.Over(picture.TooManyPixels, "decoded bytes", need, limit,
			"%d × %d pixels need %d bytes; the limit is %d", s.Info.Width, s.Info.Height, need, limit)
	}
	return o.Memory.take(ctx, need)
}

// stepBytes is the memory of the steps: the NRGBA copy and the two images of a
// resize; with 16 bits, the copy for the digest, the result, and an intermediate
// image of 32 bytes a pixel.
func stepBytes(info picture.Info) int64 {
	perPixel := int64(3 * 4)
	if info.Depth == 16 {
		perPixel = 4 + 8 + 32
	}
	return perPixel * int64(info.Width) * int64(info.Height)
}

// cropLabel separates these draws from other uses of the key.
const cropLabel = "weir image crop 1"

// applySteps changes the pixels of a decoded picture.
func applySteps(ctx context.Context, img image.Image, steps []Step, o ImageOptions) (image.Image, error) {
	for _, s := range steps {
		flat, err := pixel.NRGBA(img)
		if err != nil {
			return nil, err
		}
		if img, err = crop(img, flat, drawMargins(flat, s, o)); err != nil {
			return nil, err
		}
	}
	return img, nil
}

func crop(img image.Image, flat *image.NRGBA, m pixel.Margins) (image.Image, error) {
	switch img.(type) {
	case *image.NRGBA64, *image.RGBA64, *image.Gray16:
		return pixel.CropResize16(img, m)
	}
	return pixel.CropResize(flat, m)
}

// drawMargins draws the four margins of a crop.
func drawMargins(img *image.NRGBA, s Step, o ImageOptions) pixel.Margins {
	size := img.Rect.Size()
	digest := pixel.Digest(img)
	d := o.Key.draw([]byte(cropLabel), []byte(o.Model), []byte(o.Input), digest[:])
	margin := func(i, side int) int {
		low, high := int(10*s.MinPercent), int(10*s.MaxPercent)
		least := (side*low + 999) / 1000
		span := max(side*high/1000-least, 0) + 1
		return least + int(binary.BigEndian.Uint32(d[4*i:])%uint32(span))
	}
	return pixel.Margins{Left: margin(0, size.X), Top: margin(1, size.Y),
		Right: margin(2, size.X), Bottom: margin(3, size.Y)}
}

// deadlineReader fails once its context has ended, and with it the decoder.
type deadlineReader struct {
	ctx context.Context
	r   io.Reader
}

func (d *deadlineReader) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.r.Read(p)
}

// deadlineWriter fails once its context has ended, and with it the encoder.
type deadlineWriter struct {
	ctx context.Context
	w   io.Writer
}

func (d *deadlineWriter) Write(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.w.Write(p)
}
