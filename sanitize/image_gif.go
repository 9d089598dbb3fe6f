package sanitize

import (
	"bytes"
	"context"
	"image"
	stdgif "image/gif"

	"weir/sanitize/internal/gif"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
)

// gifBytes counts the indices of the frame, the canvas, the indices that are written,
// twice where the colours are too many, and the new file, which may be half longer
// than the indices, while it grows and again as blocks; and the colours of the palette
// that are counted.
func gifBytes(s *picture.Stripped) int64 {
	return 2<<20 + (1+4+2+9)*int64(s.Info.Width)*int64(s.Info.Height)
}

// decodeGIF returns the one frame, which the walker has made as large as the canvas.
func decodeGIF(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	frame, err := stdgif.Decode(picture.Reader(ctx, bytes.NewReader(s.Data)))
	if err != nil {
		return nil, decodeError(err)
	}
	return pixel.NRGBA(frame)
}

func encodeGIF(ctx context.Context, img image.Image, _ *picture.Stripped, _ ImageOptions) ([]byte, error) {
	flat, err := pixel.NRGBA(img)
	if err != nil {
		return nil, err
	}
	return gif.Encode(ctx, flat)
}
