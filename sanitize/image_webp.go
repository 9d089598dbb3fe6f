package sanitize

import (
	"context"
	"image"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
	"weir/sanitize/internal/webp"
)

// webpBytes counts the decoded samples, the picture that is made of them, and what
// the encoder needs.
func webpBytes(s *picture.Stripped) int64 {
	return (4 + 4 + webp.EncodeBytesPerPixel) * int64(s.Info.Width) * int64(s.Info.Height)
}

func decodeWebP(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	return webp.Decode(ctx, s.Data)
}

// encodeWebP writes the lossless form: there is no encoder of the lossy one in Go.
func encodeWebP(ctx context.Context, img image.Image, s *picture.Stripped, o ImageOptions) ([]byte, error) {
	flat, err := pixel.NRGBA(img)
	if err != nil {
		return nil, err
	}
	return webp.Encode(ctx, flat, s.Orientation, o.walk())
}
