package sanitize

import (
	"bytes"
	"context"
	"fmt"
	"image"
	stdjpeg "image/jpeg"

	"weir/sanitize/internal/jpeg"
	"weir/sanitize/internal/jpegenc"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
)

// JPEG quality of the profiles that encode anew: the estimated one of the source,
// within these.
const (
	minQuality = 92
	maxQuality = 97
)

func decodeJPEG(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	if s.Info.Channels == 4 {
		return nil, picture.Errorf(picture.Unsupported, "four components cannot be encoded anew; use the profile strip, and no orientation apply")
	}
	img, err := stdjpeg.Decode(picture.Reader(ctx, bytes.NewReader(s.Data)))
	if err != nil {
		return nil, decodeError(err)
	}
	return img, nil
}

// encodeJPEG keeps the subsampling of the planes. What the decoder gave as whole
// pixels was coded as red, green and blue, and is again.
func encodeJPEG(ctx context.Context, img image.Image, s *picture.Stripped, _ ImageOptions) ([]byte, error) {
	o := jpegenc.Options{Quality: min(max(s.Info.Quality, minQuality), maxQuality)}
	var planes []jpegenc.Plane
	size := img.Bounds().Size()
	switch m := img.(type) {
	case *image.Gray:
		planes = []jpegenc.Plane{{Pix: m.Pix, Stride: m.Stride, Width: size.X, Height: size.Y, H: 1, V: 1}}
	case *image.YCbCr:
		h, v, ok := pixel.Subsampling(m.SubsampleRatio)
		if !ok {
			return nil, fmt.Errorf("encode: %v", m.SubsampleRatio)
		}
		c := jpegenc.Plane{Stride: m.CStride, Width: (size.X + h - 1) / h, Height: (size.Y + v - 1) / v, H: 1, V: 1}
		planes = []jpegenc.Plane{{Pix: m.Y, Stride: m.YStride, Width: size.X, Height: size.Y, H: h, V: v}, c, c}
		planes[1].Pix, planes[2].Pix = m.Cb, m.Cr
	default:
		rgb, err := pixel.From8(img)
		if err != nil || rgb == nil {
			return nil, fmt.Errorf("encode: %T: %w", img, err)
		}
		o.RGB = true
		for _, p := range rgb.Planes {
			planes = append(planes, jpegenc.Plane{Pix: p.Pix, Stride: p.Stride, Width: p.Width, Height: p.Height, H: 1, V: 1})
		}
	}
	data, err := jpegenc.Encode(ctx, planes, o)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return jpeg.WithOrientation(data, s.Orientation), nil
}

// jpegBytes counts the samples of the planes as they are decoded, whole blocks, the
// coefficients of a progressive file, which are 4 bytes each, and the new file while
// it grows. Red, green and blue are copied to whole pixels and into planes.
func jpegBytes(s *picture.Stripped) int64 {
	samples, rgb := jpegSamples(s)
	need := samples + 3*samples
	if s.Info.Progressive {
		need += 4 * samples
	}
	if rgb {
		need += 3 * samples
	}
	return need
}

// jpegStepBytes counts the result of a step; the planes are the decoded ones, unless
// they come from whole pixels, to which they go back.
func jpegStepBytes(s *picture.Stripped) int64 {
	samples, rgb := jpegSamples(s)
	if rgb {
		return 4 * samples
	}
	return samples
}

// jpegSamples returns how many samples the blocks of all components hold, by the
// frame header, and whether the file may be coded as red, green and blue. A walker
// wrote the file, so its segments are whole.
func jpegSamples(s *picture.Stripped) (samples int64, rgb bool) {
	for at := 2; at+4 <= len(s.Data); {
		marker, n := s.Data[at+1], int(s.Data[at+2])<<8|int(s.Data[at+3])
		if at+2+n > len(s.Data) {
			break
		}
		p := s.Data[at+4 : at+2+n]
		if marker == 0xEE { // Adobe says how colour is coded
			rgb = len(p) == 12 && p[11] == 0
		}
		if marker >= 0xC0 && marker <= 0xC2 && len(p) > 6 {
			return frameSamples(p), rgb || len(p) == 15 && p[6] == 'R'
		}
		at += 2 + n
	}
	return int64(s.Info.Channels) * int64(s.Info.Width) * int64(s.Info.Height), rgb
}

// frameSamples reads the payload of SOF (T.81 B.2.2).
func frameSamples(p []byte) int64 {
	h, w := int64(p[1])<<8|int64(p[2]), int64(p[3])<<8|int64(p[4])
	hmax, vmax, blocks := int64(1), int64(1), int64(0)
	for c := p[6:]; len(c) >= 3; c = c[3:] {
		hmax, vmax = max(hmax, int64(c[1]>>4)), max(vmax, int64(c[1]&15))
		blocks += int64(c[1]>>4) * int64(c[1]&15)
	}
	if len(p) == 9 { // of one component the factors mean nothing
		hmax, vmax, blocks = 1, 1, 1
	}
	return (w + 8*hmax - 1) / (8 * hmax) * ((h + 8*vmax - 1) / (8 * vmax)) * 64 * blocks
}
