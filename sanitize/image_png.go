package sanitize

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	stdpng "image/png"
	"slices"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/pixel"
	"weir/sanitize/internal/png"
)

// lightPNG filters and compresses the rows anew; the samples stay, and the palette.
func lightPNG(ctx context.Context, s *picture.Stripped, o ImageOptions) ([]byte, error) {
	again, err := png.Strip(ctx, s.Data, o.walk(), true)
	if err != nil {
		return nil, err
	}
	return again.Data, nil
}

func stripPNG(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	return png.Strip(ctx, data, o, false)
}

func decodePNG(ctx context.Context, s *picture.Stripped) (image.Image, error) {
	img, err := stdpng.Decode(picture.Reader(ctx, bytes.NewReader(s.Data)))
	if err != nil {
		return nil, decodeError(err)
	}
	return img, nil
}

// encodePNG writes true colour, or grey, with what decides how it looks from the source.
func encodePNG(ctx context.Context, img image.Image, s *picture.Stripped, _ ImageOptions) ([]byte, error) {
	bounds := img.Bounds().Size()
	h := png.Header{Width: bounds.X, Height: bounds.Y, Depth: 8, ColourType: trueColour(s.Info)}
	var fill func(y int, row []byte)
	switch m := img.(type) {
	case *image.Gray:
		fill = func(y int, row []byte) { copy(row, m.Pix[y*m.Stride:]) }
	case *image.Gray16:
		h.Depth = 16
		fill = func(y int, row []byte) { copy(row, m.Pix[y*m.Stride:]) }
	case *image.NRGBA64:
		h.Depth = 16
		fill = func(y int, row []byte) { copySamples(row, m.Pix[y*m.Stride:], h.ColourType, 2) }
	default:
		flat, err := pixel.NRGBA(img)
		if err != nil {
			return nil, err
		}
		fill = func(y int, row []byte) { copySamples(row, flat.Pix[y*flat.Stride:], h.ColourType, 1) }
	}
	out, err := png.Encode(ctx, h, s.Orientation, fill)
	if err != nil {
		return nil, err
	}
	return slices.Insert(out, pngColourAt, colourChunks(s.Data)...), nil
}

// pngColourAt is where the chunks that decide colour stand: behind the signature and
// IHDR.
const pngColourAt = 8 + 25

// colourChunks are those of a stripped file, but for sBIT, which goes with the depth of
// the source.
func colourChunks(file []byte) (chunks []byte) {
	for at := pngColourAt; at+12 <= len(file); {
		n := 12 + int(binary.BigEndian.Uint32(file[at:]))
		switch string(file[at+4 : at+8]) {
		case "cICP", "gAMA", "sRGB", "cHRM":
			chunks = append(chunks, file[at:at+n]...)
		case "sBIT":
		default:
			return chunks
		}
		at += n
	}
	return chunks
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

// pngBytes counts the image, again what the decoder puts together where it is
// interlaced or a palette, and the new file, three times while it grows; it is hardly
// longer than the samples.
func pngBytes(s *picture.Stripped) int64 {
	whole, planes := bitmapSamples(s.Info)
	if interlaced := s.Data[8+8+12]; interlaced != 0 || s.Info.Palette {
		whole *= 2
	}
	return (whole + 3*planes) * int64(s.Info.Width) * int64(s.Info.Height)
}
