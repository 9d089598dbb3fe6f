package png

import (
	"encoding/binary"
	"slices"

	"weir/sanitize/internal/picture"
)

// readHeader reads IHDR and holds the size against the limits.
func (s *stripper) readHeader(p []byte) error {
	if len(p) != 13 {
		return picture.Errorf(picture.Malformed, "IHDR of %d bytes", len(p))
	}
	w, h := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if err := s.opts.Limits.CheckSize(int64(w), int64(h)); err != nil {
		return err
	}
	s.header = Header{Width: int(w), Height: int(h), Depth: int(p[8]), ColourType: p[9], Interlaced: p[12] == 1}
	if !s.header.valid() || p[10] != 0 || p[11] != 0 || p[12] > 1 {
		return picture.Errorf(picture.Malformed, "bad IHDR: depth %d, colour type %d", p[8], p[9])
	}
	return nil
}

// valid tells whether the colour type allows the depth (table 11.1).
func (h Header) valid() bool {
	switch h.ColourType {
	case Grey:
		return slices.Contains([]int{1, 2, 4, 8, 16}, h.Depth)
	case Palette:
		return slices.Contains([]int{1, 2, 4, 8}, h.Depth)
	case RGB, GreyAlpha, RGBAlpha:
		return h.Depth == 8 || h.Depth == 16
	}
	return false
}

// channels is the number of samples of a pixel.
func (h Header) channels() int {
	return [...]int{Grey: 1, RGB: 3, Palette: 1, GreyAlpha: 2, RGBAlpha: 4}[h.ColourType]
}

// rowBytes is the length of a row of so many pixels.
func (h Header) rowBytes(width int) int { return (width*h.channels()*h.Depth + 7) / 8 }

// hasAlpha tells whether alpha is a channel.
func (h Header) hasAlpha() bool { return h.ColourType == GreyAlpha || h.ColourType == RGBAlpha }

// pixelBytes is the distance that filters look back (§9.2).
func (h Header) pixelBytes() int { return max(1, h.channels()*h.Depth/8) }

func (s *stripper) info() picture.Info {
	h := s.header
	frames := 0
	if s.animation.declared {
		frames = len(s.planes)
	}
	return picture.Info{Width: h.Width, Height: h.Height, Frames: frames, Channels: h.channels(), Depth: h.Depth,
		Palette: h.ColourType == Palette, Alpha: s.alpha != nil || h.ColourType&GreyAlpha != 0}
}

func (h Header) payload() []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(h.Width))
	p = binary.BigEndian.AppendUint32(p, uint32(h.Height))
	interlace := byte(0)
	if h.Interlaced {
		interlace = 1
	}
	return append(p, byte(h.Depth), h.ColourType, 0, 0, interlace)
}

// readPalette keeps the palette of colour type 3. The suggested palette of true
// colour decides no sample. Entries beyond the depth are refused as Go does.
func (s *stripper) readPalette(p []byte) error {
	grey := s.header.ColourType == Grey || s.header.ColourType == GreyAlpha
	if len(p) == 0 || len(p)%3 != 0 || len(p) > 3*256 || grey || s.hasPLTE || s.hasIDAT || s.alpha != nil {
		return picture.Errorf(picture.Malformed, "bad, misplaced or second PLTE")
	}
	s.hasPLTE = true
	if s.header.ColourType != Palette {
		return s.drop("PLTE suggested", len(p)+12)
	}
	if len(p) > 3<<s.header.Depth {
		return picture.Errorf(picture.Malformed, "PLTE of %d entries with %d bits", len(p)/3, s.header.Depth)
	}
	s.palette = p
	return nil
}

// readAlpha keeps tRNS, which the colour type must have (§11.3.1.1).
func (s *stripper) readAlpha(p []byte) error {
	if s.alpha != nil || s.hasIDAT {
		return picture.Errorf(picture.Malformed, "misplaced or second tRNS")
	}
	ok := false
	switch s.header.ColourType {
	case Grey:
		ok = len(p) == 2 && fits(p, s.header.Depth)
	case RGB:
		ok = len(p) == 6 && fits(p, s.header.Depth)
	case Palette:
		ok = len(p) > 0 && len(p) <= len(s.palette)/3
	}
	if !ok { // Go refuses it beside an alpha channel, too
		return picture.Errorf(picture.Malformed, "bad tRNS")
	}
	s.alpha = p
	return nil
}

// fits tells whether 16-bit samples use no more bits than the depth; decoders
// differ on what the upper bits mean.
func fits(p []byte, depth int) bool {
	for ; len(p) > 0; p = p[2:] {
		if int(binary.BigEndian.Uint16(p))>>depth != 0 {
			return false
		}
	}
	return true
}

// valid tells whether an ancillary chunk has its length and a plausible value. The
// bounds leave no room for text: four ASCII letters are beyond each of them.
func (s *stripper) valid(name string, p []byte) bool {
	switch name {
	case "cICP": // primaries, transfer, matrix 0, full range (ITU-T H.273)
		return len(p) == 4 && p[0] <= 22 && p[1] <= 18 && p[2] == 0 && p[3] <= 1
	case "gAMA": // times 100,000; up to a gamma of 100
		return len(p) == 4 && within(p, 1, 10_000_000)
	case "sRGB":
		return len(p) == 1 && p[0] <= 3
	case "sBIT":
		return s.validSignificantBits(p)
	case "cHRM": // eight chromaticities times 100,000; x and y are at most 1
		return len(p) == 32 && within(p, 0, 100_000)
	}
	return false
}

func within(p []byte, low, high uint32) bool {
	for ; len(p) > 0; p = p[4:] {
		if v := binary.BigEndian.Uint32(p); v < low || v > high {
			return false
		}
	}
	return true
}

func (s *stripper) validSignificantBits(p []byte) bool {
	want, depth := s.header.channels(), s.header.Depth
	if s.header.ColourType == Palette {
		want, depth = 3, 8
	}
	for _, bits := range p {
		if bits == 0 || int(bits) > depth {
			return false
		}
	}
	return len(p) == want
}

// blankUnused blanks the palette entries that no pixel names, in copies.
func (s *stripper) blankUnused(used *[256]bool) {
	palette, alpha := slices.Clone(s.palette), slices.Clone(s.alpha)
	for i := range len(palette) / 3 {
		if used[i] {
			continue
		}
		clear(palette[3*i : 3*i+3])
		if i < len(alpha) {
			alpha[i] = 0xFF
		}
	}
	s.result.Remove("PLTE unused entries", differing(s.palette, palette))
	s.result.Remove("tRNS unused entries", differing(s.alpha, alpha))
	s.palette, s.alpha = palette, alpha
}

// blankHidden blanks the palette entries of alpha 0, in a copy, if that is asked for.
func (s *stripper) blankHidden() {
	if s.header.ColourType != Palette || !s.opts.ZeroTransparent {
		return
	}
	palette := slices.Clone(s.palette)
	for i, a := range s.alpha {
		if a == 0 {
			clear(palette[3*i : 3*i+3])
		}
	}
	s.result.Remove(hiddenColour, differing(s.palette, palette))
	s.palette = palette
}

func differing(a, b []byte) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
