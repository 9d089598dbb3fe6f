package tiff

import (
	"context"
	"encoding/binary"
	"slices"

	"weir/sanitize/internal/picture"
)

// Photometric interpretations.
const (
	whiteIsZero = 0
	blackIsZero = 1
	rgb         = 2
	palette     = 3
)

// form is a picture: how its samples are stored, and its rows.
type form struct {
	order         binary.ByteOrder
	width, height int
	bits, samples int
	photometric   int
	extra         int // alpha: 1 associated, 2 not; 0 for none
	compressed    bool
	orientation   uint8
	colours       []uint32 // of a palette: 256 reds, greens, blues
	rows          []byte   // without gaps, a row padded to a byte
}

func (f *form) rowBytes() int { return (f.width*f.samples*f.bits + 7) / 8 }

func (f *form) info() picture.Info {
	return picture.Info{Width: f.width, Height: f.height, Frames: 1, Channels: f.samples, Depth: f.bits,
		Palette: f.photometric == palette, Alpha: f.extra != 0}
}

// form reads what the samples are, and holds the size against the limits.
func (d *directory) form(o picture.Options) (*form, error) {
	var err error
	number := func(tag uint16, fallback int64) int64 {
		v, e := d.number(tag, fallback)
		if err == nil {
			err = e
		}
		return v
	}
	width, height, samples := number(tagWidth, 0), number(tagLength, 0), number(tagSamples, 1)
	photometric, planar, fill := number(tagPhotometric, -1), number(tagPlanar, 1), number(tagFillOrder, 1)
	depth, tileDepth := number(tagImageDepth, 1), number(tagTileDepth, 1)
	// Decoders read these even where they mean nothing.
	rows := number(tagRowsPerStrip, 1)
	number(tagT4Options, 0)
	number(tagT6Options, 0)
	if err != nil {
		return nil, err
	}
	if err := o.Limits.CheckSize(width, height); err != nil {
		return nil, err
	}
	if rows == 0 {
		return nil, picture.Errorf(picture.Malformed, "no rows per strip")
	}
	if samples < 1 || samples > 4 || planar != 1 || fill != 1 || depth != 1 || tileDepth != 1 {
		return nil, picture.Errorf(picture.Unsupported, "%d samples a pixel, planes, bit order or depth that are not read", samples)
	}
	bits, err := d.same(tagBits, uint64(samples), 1)
	if err != nil {
		return nil, err
	}
	format, err := d.same(tagSampleFormat, uint64(samples), 1)
	if err != nil {
		return nil, err
	}
	if format != 1 {
		return nil, picture.Errorf(picture.Unsupported, "samples that are not unsigned integers")
	}
	if err := d.checkRanges(uint64(samples)); err != nil {
		return nil, err
	}
	f := &form{order: d.order, width: int(width), height: int(height), bits: int(bits), samples: int(samples), photometric: int(photometric)}
	if err := d.readColours(f); err != nil {
		return nil, err
	}
	if f.orientation, err = d.orientation(); o.DropOrientation {
		f.orientation = 0
	}
	if err != nil {
		return nil, err
	}
	return f, o.Limits.CheckExpansion(int64(f.rowBytes())*height, int64(len(d.data)))
}

// readColours reads what decides the colour of a pixel.
func (d *directory) readColours(f *form) error {
	base := 1
	switch {
	case f.photometric == rgb && (f.bits == 8 || f.bits == 16):
		base = 3
	case f.photometric == palette && f.bits == 8:
	case f.photometric == blackIsZero && slices.Contains([]int{1, 8, 16}, f.bits):
	case f.photometric == whiteIsZero && slices.Contains([]int{1, 8}, f.bits):
	default:
		return picture.Errorf(picture.Unsupported, "photometric interpretation %d with %d bits", f.photometric, f.bits)
	}
	extra, err := d.numbers(tagExtraSamples, uint64(max(0, f.samples-base)))
	if err != nil {
		return err
	}
	switch {
	case f.samples == base && extra == nil:
	case base == 3 && len(extra) == 1 && (extra[0] == 1 || extra[0] == 2):
		f.extra = int(extra[0])
	default:
		return picture.Errorf(picture.Unsupported, "%d samples a pixel that decoders do not share", f.samples)
	}
	if f.photometric == palette {
		return d.readColourMap(f)
	}
	if d.find(tagColourMap) != nil {
		return picture.Errorf(picture.Malformed, "a colour map of a picture without a palette")
	}
	return nil
}

// readColourMap reads the palette. When no colour needs more than eight bits, libtiff
// takes the values for such, and others for almost black.
func (d *directory) readColourMap(f *form) error {
	colours, err := d.numbers(tagColourMap, 3*256)
	if err != nil {
		return err
	}
	if colours == nil {
		return picture.Errorf(picture.Malformed, "no colour map")
	}
	if d.find(tagColourMap).typ != typeShort {
		return picture.Errorf(picture.Malformed, "a colour map of a wrong type")
	}
	if most := slices.Max(colours); most > 0 && most < 256 {
		return picture.Errorf(picture.Unsupported, "a colour map of eight bits")
	}
	f.colours = colours
	return nil
}

// eachRow calls visit with the rows.
func (f *form) eachRow(ctx context.Context, visit func(row []byte)) error {
	for row := range slices.Chunk(f.rows, f.rowBytes()) {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		visit(row)
	}
	return nil
}

// settle clears what no decoder shows within the rows and the palette.
func (f *form) settle(ctx context.Context, o picture.Options, result *picture.Stripped) error {
	switch {
	case f.photometric == palette:
		return f.settleColours(ctx, result)
	case f.bits == 1 && f.width%8 != 0:
		mask := byte(0xFF >> (f.width % 8))
		set := 0
		err := f.eachRow(ctx, func(row []byte) {
			if row[len(row)-1]&mask != 0 {
				set++
			}
			row[len(row)-1] &^= mask
		})
		result.Remove("pad bits", set)
		return err
	case f.extra != 0 && o.ZeroTransparent:
		return f.zeroTransparent(ctx, result)
	}
	return nil
}

// settleColours keeps eight bits of each colour, which is what decoders show, and
// blanks those of no pixel.
func (f *form) settleColours(ctx context.Context, result *picture.Stripped) error {
	var used [256]bool
	err := f.eachRow(ctx, func(row []byte) {
		for _, v := range row {
			used[v] = true
		}
	})
	changed := 0
	for i, v := range f.colours {
		c := v >> 8 * 257
		if !used[i%256] {
			c = 0
		}
		if c != v {
			changed++
			f.colours[i] = c
		}
	}
	result.Remove("colour map", 2*changed)
	return err
}

func (f *form) zeroTransparent(ctx context.Context, result *picture.Stripped) error {
	size := f.bits / 8
	cleared := 0
	err := f.eachRow(ctx, func(row []byte) {
		for ; len(row) > 0; row = row[4*size:] {
			if !slices.ContainsFunc(row[3*size:4*size], isSet) && slices.ContainsFunc(row[:3*size], isSet) {
				cleared += 3 * size
				clear(row[:3*size])
			}
		}
	})
	result.Remove("colour under alpha 0", cleared)
	return err
}

func isSet(b byte) bool { return b != 0 }
