package webp

import "weir/sanitize/internal/picture"

// Transforms (WebP lossless bitstream specification §4).
const (
	transformPredictor = iota
	transformColour
	transformSubtractGreen
	transformIndexing
)

// transforms reads the transforms and the images that belong to them. It returns
// the width of the image that they leave (§4).
func (w *vp8lWalk) transforms(width, height int) (int, error) {
	var seen [4]bool
	for w.r.take(1) != 0 {
		kind := w.r.take(2)
		if seen[kind] {
			return 0, picture.Errorf(picture.Malformed, "transform %d twice", kind)
		}
		seen[kind] = true
		w.indices = kind == transformIndexing
		var err error
		switch kind {
		case transformPredictor:
			err = w.predictors(width, height)
		case transformColour:
			err = w.colourFactors(width, height)
		case transformIndexing:
			width, err = w.readPalette(width)
		}
		if err != nil {
			return 0, err
		}
	}
	return width, nil
}

// tiles is how many tiles of a side of 2^bits there are.
func tiles(side int, bits uint) int { return (side + 1<<bits - 1) >> bits }

// constant tells whether the bits of a mask are the same in all pixels. Encoders set
// the samples that nobody looks at to one value.
func constant(pixels []uint32, mask uint32) bool {
	for _, argb := range pixels {
		if (argb^pixels[0])&mask != 0 {
			return false
		}
	}
	return true
}

// predictors reads the image of predictor modes, four bits of green. libwebp and
// x/image differ on the modes 14 and 15, which the specification does not have.
func (w *vp8lWalk) predictors(width, height int) error {
	bits := uint(w.r.take(3)) + 2
	modes, err := w.image(tiles(width, bits), tiles(height, bits), false, true)
	if err != nil {
		return err
	}
	for _, argb := range modes {
		if argb>>8&0xF > 13 {
			return picture.Errorf(picture.Malformed, "predictor mode %d", argb>>8&0xF)
		}
	}
	w.hidden = w.hidden || !constant(modes, 0xFFFFF0FF)
	return nil
}

// colourFactors reads the image of the colour transform, which needs no alpha.
func (w *vp8lWalk) colourFactors(width, height int) error {
	bits := uint(w.r.take(3)) + 2
	factors, err := w.image(tiles(width, bits), tiles(height, bits), false, true)
	if err != nil {
		return err
	}
	w.hidden = w.hidden || !constant(factors, 0xFF000000)
	return nil
}

// readPalette reads the palette, each colour as the difference to the one before it,
// and returns the width of the image of indices.
func (w *vp8lWalk) readPalette(width int) (int, error) {
	colours := int(w.r.take(8)) + 1
	palette, err := w.image(colours, 1, false, true)
	if err != nil {
		return 0, err
	}
	for i := 1; i < len(palette); i++ {
		palette[i] = addSamples(palette[i-1], palette[i])
	}
	w.mixed = w.mixed || !constant(palette, 0xFFFF00FF)
	w.palette = palette
	return tiles(width, bundling(colours)), nil
}

// addSamples adds pixels sample by sample.
func addSamples(a, b uint32) uint32 {
	return (a&0xFF00FF00+b&0xFF00FF00)&0xFF00FF00 | (a&0xFF00FF+b&0xFF00FF)&0xFF00FF
}

// bundling is the log2 of the pixels whose indices share one green sample (§4.4).
func bundling(colours int) uint {
	switch {
	case colours <= 2:
		return 3
	case colours <= 4:
		return 2
	case colours <= 16:
		return 1
	}
	return 0
}

// inspectIndices looks for colours that no pixel has, and for indices beyond the
// right edge.
func (w *vp8lWalk) inspectIndices(pixels []uint32, width int) {
	bundle := bundling(len(w.palette))
	bits := 8 >> bundle
	var used [256]bool
	for i, argb := range pixels {
		green := argb >> 8 & 0xFF
		for range min(1<<bundle, w.width-i%width<<bundle) {
			used[green&(1<<bits-1)] = true
			green >>= bits
		}
		w.hidden = w.hidden || green != 0
	}
	for i, colour := range w.palette {
		w.hidden = w.hidden || colour != 0 && !used[i]
	}
}

// coloursOccur tells whether each colour of the palette occurs in the samples, for a
// stream whose indices are not known before a transform is undone.
func (w *vp8lWalk) coloursOccur(pix []uint8) bool {
	found := map[uint32]bool{0: true}
	last := uint32(0)
	for i := 0; i < len(pix); i += 4 {
		argb := uint32(pix[i+3])<<24 | uint32(pix[i])<<16 | uint32(pix[i+1])<<8 | uint32(pix[i+2])
		if argb != last {
			found[argb], last = true, argb
		}
	}
	for _, colour := range w.palette {
		if !found[colour] {
			return false
		}
	}
	return true
}
