// Package bmp writes a BMP file anew, so that it holds the picture and nothing else.
//
// It reads what Pillow and OpenCV read alike: palettes of 1, 4 and 8 bits a pixel,
// plain or with run lengths; 16 bits as 5-5-5 or 5-6-5; 24 bits; 32 bits with or
// without alpha; rows from the bottom or from the top. What they read differently is
// refused: other masks, delta codes and rows of run lengths that are too long or empty,
// a fourth byte that is alpha to some of them, palettes that Pillow takes for other
// pixels, indices without an entry. So are JPEG and PNG payloads.
//
// The depth and the samples stay. Rows go from the bottom up, without run lengths,
// below a header of 40 bytes, or of 108 when there is a mask of alpha, or of 12 when the source
// has that one (OpenCV shows such a picture in grey when asked for it unchanged). Bytes
// between the headers and the pixels or behind them, row padding, reserved fields,
// resolution, colour space and profile are gone, and the palette entries that no
// pixel uses are blanked.
package bmp

import (
	"context"

	"weir/sanitize/internal/picture"
)

// bitmap is what a file declares.
type bitmap struct {
	width, height int
	bits          int // a pixel: 1, 4, 8, 16, 24 or 32
	topDown       bool
	core          bool // the header of 12 bytes
	runs          bool // run lengths
	green6        bool // 16 bits: 5-6-5
	alpha         bool // 32 bits: the fourth byte is alpha
	masked        bool // 32 bits: masks without one of alpha
	opaque        bool // 32 bits: a mask of alpha that is 0
	goAlpha       bool // 32 bits without masks below a header that makes Go look for alpha
	palette       []entry
	offset        int // of the pixels
	headers       int // length of the headers and the palette
}

// entry is a colour of the palette: blue, green, red.
type entry [3]byte

// Strip reads data and returns the rewritten file, whatever o.ContainerOnly says. The
// error is a *picture.Error, or that of the context.
func Strip(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	result := &picture.Stripped{}
	b, err := readHeader(data, o, result)
	if err != nil {
		return nil, err
	}
	if err := picture.NewBudget(o.Limits).Metadata(b.offset - b.headers); err != nil {
		return nil, err
	}
	result.Remove("gap before the pixels", b.offset-b.headers)
	p := &pixels{bitmap: b}
	if b.runs {
		err = p.readRuns(ctx, data, result)
	} else {
		err = p.readRows(ctx, data, result)
	}
	if err != nil {
		return nil, err
	}
	if err := p.settle(ctx, o, result); err != nil {
		return nil, err
	}
	result.Info = b.info()
	result.Data = p.write()
	return result, nil
}

func (b *bitmap) info() picture.Info {
	i := picture.Info{Width: b.width, Height: b.height, Frames: 1, Alpha: b.alpha}
	switch {
	case b.bits <= 8:
		i.Channels, i.Depth, i.Palette = 1, b.bits, true
	case b.bits == 16:
		i.Channels, i.Depth = 3, 5
	case b.alpha:
		i.Channels, i.Depth = 4, 8
	default:
		i.Channels, i.Depth = 3, 8
	}
	return i
}

// headerSize is that of the header which is written.
func (b *bitmap) headerSize() int {
	switch {
	case b.core:
		return coreHeader
	case b.alpha || b.opaque:
		return v4Header
	}
	return infoHeader
}

// rowBytes is the length of a row without its padding.
func (b *bitmap) rowBytes() int { return (b.width*b.bits + 7) / 8 }

// stride is the length of a row with its padding to four bytes.
func (b *bitmap) stride() int { return (b.rowBytes() + 3) &^ 3 }
