// Package tiff writes a TIFF file anew, so that it holds the picture and nothing else.
//
// It reads the forms of TIFF 6.0 that Go, Pillow and OpenCV read alike: grey of 1, 8
// or 16 bits, palettes of 8 bits, and RGB of 8 or 16 bits a sample, with or without
// alpha; in strips or tiles; plain or compressed by LZW, Deflate or PackBits, with or
// without the horizontal predictor. Big TIFF, other compressions (CCITT, JPEG), other
// colour spaces, separate planes, reversed bits, and alpha of an unspecified kind are
// refused, and so is what decoders read differently: tags that are out of order or
// twice, strips that are too short or decode to too much, an orientation that only
// the XMP tells.
//
// The byte order, the bits and the samples stay, and the orientation, if it is 2 to 8.
// The output has one directory with the tags that a decoder needs, the values behind
// it, and strips that are plain if the source was, else compressed by Deflate. All
// other tags, nested and further directories, gaps, trailing bytes, and what a strip
// holds behind its rows are gone; the palette keeps eight bits a colour, and entries
// that no pixel uses are blanked.
package tiff

import (
	"context"

	"weir/sanitize/internal/picture"
)

// Strip reads data and returns the rewritten file, whatever o.ContainerOnly says. The
// error is a *picture.Error, or that of the context.
func Strip(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	result := &picture.Stripped{}
	d, err := readDirectory(data, o)
	if err != nil {
		return nil, err
	}
	f, err := d.form(o)
	if err != nil {
		return nil, err
	}
	blocks, err := d.blocks(f, o)
	if err != nil {
		return nil, err
	}
	if err := d.report(o, result); err != nil {
		return nil, err
	}
	if f.rows, err = blocks.decode(ctx, d, result); err != nil {
		return nil, err
	}
	result.Remove("unreferenced bytes", d.unreferenced())
	if err := f.settle(ctx, o, result); err != nil {
		return nil, err
	}
	result.Orientation = f.orientation
	result.Info = f.info()
	result.Data, err = f.write(ctx)
	return result, err
}
