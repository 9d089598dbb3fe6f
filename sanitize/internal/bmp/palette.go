package bmp

import (
	"slices"

	"weir/sanitize/internal/picture"
)

// greyScale tells whether Pillow takes the palette for none: it is black and white,
// or every entry is the grey of its index. Such a palette holds nothing.
func (b *bitmap) greyScale() bool {
	for i, c := range b.palette {
		if len(b.palette) == 2 {
			i *= 255
		}
		if c != (entry{byte(i), byte(i), byte(i)}) {
			return false
		}
	}
	return true
}

// coloured tells whether OpenCV takes the palette for one of colours.
func (b *bitmap) coloured() bool {
	return slices.ContainsFunc(b.palette, func(c entry) bool { return c[0] != c[1] || c[1] != c[2] })
}

// blank makes the entries black that no pixel uses. Where decoders would then take
// the palette for another kind, the first of them gets the darkest colour, or grey,
// that keeps them from it.
func (b *bitmap) blank(used *[256]bool, result *picture.Stripped) {
	grey, coloured := b.greyScale(), b.coloured()
	if grey {
		return
	}
	before := slices.Clone(b.palette)
	first := -1
	for i := range b.palette {
		if !used[i] {
			b.palette[i] = entry{}
			if first < 0 {
				first = i
			}
		}
	}
	switch {
	case coloured && !b.coloured():
		b.palette[first] = entry{1, 0, 0}
	case b.greyScale():
		b.palette[first] = entry{1, 1, 1}
	}
	changed := 0
	for i := range before {
		for c := range before[i] {
			if before[i][c] != b.palette[i][c] {
				changed++
			}
		}
	}
	result.Remove("palette unused entries", changed)
}
