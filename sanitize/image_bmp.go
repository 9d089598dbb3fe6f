package sanitize

import (
	"context"
	"image"
	"math"

	"weir/sanitize/internal/bmp"
	"weir/sanitize/internal/picture"
)

// bmpBytes counts the rows, the picture that is made of them, and what is written
// while it grows.
func bmpBytes(s *picture.Stripped) int64 {
	return (4 + 4 + 2*4) * int64(s.Info.Width) * int64(s.Info.Height)
}

// decodeBMP reads a file that the walker has held to the limits.
func decodeBMP(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	return bmp.Decode(ctx, s.Data, picture.Options{Limits: picture.Limits{MaxPixels: math.MaxInt64, MaxSide: math.MaxInt32}})
}

func encodeBMP(ctx context.Context, img image.Image, _ *picture.Stripped, _ ImageOptions) ([]byte, error) {
	return bmp.Encode(ctx, img)
}
