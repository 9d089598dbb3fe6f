package sanitize

import (
	"context"
	"image"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/tiff"
)

// tiffBytes counts the picture, again where it is converted, and its samples: as they
// are inflated, which takes five times their size while it grows by a quarter, as rows,
// and as the new file, three times while it grows.
func tiffBytes(s *picture.Stripped) int64 {
	whole, planes := bitmapSamples(s.Info)
	return (2*whole + (5+1+3)*planes) * int64(s.Info.Width) * int64(s.Info.Height)
}

func decodeTIFF(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	return tiff.Decode(ctx, s.Data)
}

func encodeTIFF(ctx context.Context, img image.Image, s *picture.Stripped, _ ImageOptions) ([]byte, error) {
	return tiff.Encode(ctx, img, s.Orientation)
}
