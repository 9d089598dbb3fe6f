package sanitize

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	stdpng "image/png"
	"io"

	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
	"weir/sanitize/internal/png"
)

// JPEG quality of the profiles that encode anew: the estimated one of the source,
// within these.
const (
	minQuality = 92
	maxQuality = 97
)

// cropLabel separates these draws from other uses of the key.
const cropLabel = "weir image crop 1"

// renormalise decodes a stripped file, so that the decoders of the standard library
// see only bytes that a walker wrote, and encodes it anew.
func renormalise(ctx context.Context, s *picture.Stripped, format string, o ImageOptions) ([]byte, error) {
	need, limit := decodedBytes(s.Info, o.Profile), o.Limits.orDefaults().MaxDecodedBytes
	if need > limit {
		return nil, picture.Over(picture.TooManyPixels, "decoded bytes", need, limit,
			"%d × %d pixels need %d bytes; the limit is %d", s.Info.Width, s.Info.Height, need, limit)
	}
	release, err := o.Memory.take(ctx, need)
	if err != nil {
		return nil, err
	}
	defer release()
	if format == FormatJPEG {
		return renormaliseJPEG(ctx, s, o)
	}
	return renormalisePNG(ctx, s, o)
}

// decodedBytes is the memory that the pixel steps need at their peak: the decoded
// samples, the coefficients of a progressive JPEG (4 bytes a sample), and for
// standard the NRGBA copy and the two images of a resize. With 16 bits, these are the
// source, the copy for the digest, the result, and an intermediate image of 32 bytes.
func decodedBytes(info picture.Info, profile string) int64 {
	perPixel := int64(info.Channels)
	if info.Progressive {
		perPixel += 4 * int64(info.Channels)
	}
	if profile == ProfileStandard {
		perPixel += 3 * 4
		if info.Depth == 16 {
			perPixel = 8 + 4 + 8 + 32
		}
	}
	return perPixel * int64(info.Width) * int64(info.Height)
}

func renormaliseJPEG(ctx context.Context, s *picture.Stripped, o ImageOptions) ([]byte, error) {
	if s.Info.Channels == 4 {
		return nil, picture.Errorf(picture.Unsupported, "four components cannot be encoded anew; use the profile strip")
	}
	img, err := stdjpeg.Decode(&deadlineReader{ctx, bytes.NewReader(s.Data)})
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return nil, err
	}
	if o.Profile == ProfileStandard {
		if img, err = standard(img, s.Info, o); err != nil {
			return nil, err
		}
	}
	var encoded bytes.Buffer
	quality := min(max(s.Info.Quality, minQuality), maxQuality)
	if err := stdjpeg.Encode(&deadlineWriter{ctx, &encoded}, img, &stdjpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	canonical, err := jpeg.Strip(ctx, encoded.Bytes(), o.walk())
	if err != nil {
		return nil, err
	}
	return jpeg.WithOrientation(canonical.Data, s.Orientation), nil
}

// standard crops and resizes a decoded JPEG that is large enough. The result is what
// the encoder takes fastest: grey, or RGBA.
func standard(img image.Image, info picture.Info, o ImageOptions) (image.Image, error) {
	flat, err := pixel.NRGBA(img)
	if err != nil {
		return nil, err
	}
	m, ok := drawMargins(flat, o)
	if !ok {
		return img, nil
	}
	if flat, err = pixel.CropResize(flat, m); err != nil {
		return nil, err
	}
	if info.Channels == 1 {
		grey := image.NewGray(flat.Rect)
		for i := range grey.Pix {
			grey.Pix[i] = flat.Pix[4*i]
		}
		return grey, nil
	}
	return &image.RGBA{Pix: flat.Pix, Stride: flat.Stride, Rect: flat.Rect}, nil
}

func renormalisePNG(ctx context.Context, s *picture.Stripped, o ImageOptions) ([]byte, error) {
	img, err := stdpng.Decode(&deadlineReader{ctx, bytes.NewReader(s.Data)})
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	flat, err := pixel.NRGBA(img)
	if err != nil {
		return nil, err
	}
	m, ok := drawMargins(flat, o)
	if !ok {
		again, err := png.Strip(ctx, s.Data, o.walk(), true)
		if err != nil {
			return nil, err
		}
		return again.Data, nil
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return nil, err
	}
	pix, size := []byte(nil), 1 // of all samples as R, G, B, A; bytes of one
	if s.Info.Depth == 16 {
		deep, err := pixel.CropResize16(img, m)
		if err != nil {
			return nil, err
		}
		pix, size = deep.Pix, 2
	} else {
		if flat, err = pixel.CropResize(flat, m); err != nil {
			return nil, err
		}
		pix = flat.Pix
	}
	h := png.Header{Width: s.Info.Width, Height: s.Info.Height, Depth: 8 * size, ColourType: trueColour(s.Info)}
	return png.Encode(ctx, h, s.Orientation, func(y int, row []byte) {
		copySamples(row, pix[y*4*size*h.Width:], h.ColourType, size)
	})
}

// trueColour is the colour type of a resized picture: that of the source, but with
// samples of their own in place of a palette or a transparent colour.
func trueColour(info picture.Info) uint8 {
	grey := info.Channels <= 2 && !info.Palette
	switch {
	case grey && info.Alpha:
		return png.GreyAlpha
	case grey:
		return png.Grey
	case info.Alpha:
		return png.RGBAlpha
	}
	return png.RGB
}

// copySamples writes a row of pixels of four samples as one of the colour type.
// Samples are size bytes.
func copySamples(row, pix []byte, colourType uint8, size int) {
	for len(row) > 0 {
		n := 0
		switch colourType {
		case png.Grey:
			n = copy(row[:size], pix)
		case png.GreyAlpha:
			n = copy(row[:size], pix) + copy(row[size:2*size], pix[3*size:])
		case png.RGB:
			n = copy(row[:3*size], pix)
		default:
			n = copy(row[:4*size], pix)
		}
		row, pix = row[n:], pix[4*size:]
	}
}

// drawMargins draws the four margins of the standard profile, or returns false for
// a picture that is too small. The table is in the documentation of Image.
func drawMargins(img *image.NRGBA, o ImageOptions) (pixel.Margins, bool) {
	size := img.Rect.Size()
	low, high := 30, 80 // per thousand
	switch short := min(size.X, size.Y); {
	case short < 48:
		return pixel.Margins{}, false
	case short < 96:
		low, high = 10, 25
	}
	digest := pixel.Digest(img)
	d := o.Key.draw([]byte(cropLabel), []byte(o.Model), []byte(o.Input), digest[:])
	margin := func(i, side int) int {
		least := (side*low + 999) / 1000
		span := max(side*high/1000-least, 0) + 1
		return least + int(binary.BigEndian.Uint32(d[4*i:])%uint32(span))
	}
	return pixel.Margins{Left: margin(0, size.X), Top: margin(1, size.Y),
		Right: margin(2, size.X), Bottom: margin(3, size.Y)}, true
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
