package sanitize

import (
	"context"
	"image"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/tiff"
)

// tiffBytes counts the samples as they are stored, the picture that is made of them,
// and what is written while it grows.
func tiffBytes(s *picture.Stripped) int64 {
	size := int64(s.Info.Depth+7) / 8
	return 4 * 4 * size * int64(s.Info.Width) * int64(s.Info.Height)
}

func decodeTIFF(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	return tiff.Decode(ctx, s.Data)
}

func encodeTIFF(ctx context.Context, img image.Image, s *picture.Stripped, _ ImageOptions) ([]byte, error) {
	return tiff.Encode(ctx, img, s.Orientation)
}
