package sanitize

import (
	"bytes"
	"context"
	"fmt"
	"image"
	stdjpeg "image/jpeg"

	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/picture"
)

// JPEG quality of the profiles that encode anew: the estimated one of the source,
// within these.
const (
	minQuality = 92
	maxQuality = 97
)

// jpegBytes counts the samples, and of a progressive file the coefficients, which
// are 4 bytes a sample.
func jpegBytes(s *picture.Stripped) int64 {
	perPixel := int64(s.Info.Channels)
	if s.Info.Progressive {
		perPixel += 4 * int64(s.Info.Channels)
	}
	return perPixel * int64(s.Info.Width) * int64(s.Info.Height)
}

func decodeJPEG(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	if s.Info.Channels == 4 {
		return nil, picture.Errorf(picture.Unsupported, "four components cannot be encoded anew; use the profile strip")
	}
	img, err := stdjpeg.Decode(&deadlineReader{ctx, bytes.NewReader(s.Data)})
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return img, nil
}

func encodeJPEG(ctx context.Context, img image.Image, s *picture.Stripped, o ImageOptions) ([]byte, error) {
	var encoded bytes.Buffer
	quality := min(max(s.Info.Quality, minQuality), maxQuality)
	if flat, ok := img.(*image.NRGBA); ok && s.Info.Channels == 1 {
		grey := image.NewGray(flat.Rect)
		for i := range grey.Pix {
			grey.Pix[i] = flat.Pix[4*i]
		}
		img = grey
	} else if ok {
		img = &image.RGBA{Pix: flat.Pix, Stride: flat.Stride, Rect: flat.Rect}
	}
	if err := stdjpeg.Encode(&deadlineWriter{ctx, &encoded}, img, &stdjpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	canonical, err := jpeg.Strip(ctx, encoded.Bytes(), o.walk())
	if err != nil {
		return nil, err
	}
	return jpeg.WithOrientation(canonical.Data, s.Orientation), nil
}
