package bmp

import (
	"encoding/binary"
	"slices"

	"weir/sanitize/internal/picture"
)

// Sizes of the headers (Microsoft, "Bitmap Header Types").
const (
	fileHeader = 14
	coreHeader = 12
	infoHeader = 40
	v4Header   = 108
	v5Header   = 124
)

// Compression methods.
const (
	plain     = 0
	runs8     = 1
	runs4     = 2
	bitfields = 3
)

var le = binary.LittleEndian

// readHeader reads all that stands before the pixels, and holds the size against the
// limits.
func readHeader(data []byte, o picture.Options, result *picture.Stripped) (*bitmap, error) {
	if len(data) < 2 || string(data[:2]) != "BM" {
		return nil, picture.Errorf(picture.Malformed, "no BMP signature")
	}
	if len(data) < fileHeader+coreHeader {
		return nil, picture.Errorf(picture.Truncated, "ends in the header")
	}
	size := int64(le.Uint32(data[14:]))
	if !slices.Contains([]int64{coreHeader, infoHeader, 52, 56, 64, v4Header, v5Header}, size) {
		return nil, picture.Errorf(picture.Unsupported, "a header of %d bytes", size)
	}
	if fileHeader+size > int64(len(data)) {
		return nil, picture.Errorf(picture.Truncated, "ends in the header")
	}
	b := &bitmap{headers: fileHeader + int(size), core: size == coreHeader}
	if err := b.readInfo(data, o, result); err != nil {
		return nil, err
	}
	// Go's decoder takes no file whose reserved fields are set, others ignore them.
	result.Remove("reserved fields", nonZero(data[6:10]))
	offset := int64(le.Uint32(data[10:]))
	if offset < int64(b.headers) {
		return nil, picture.Errorf(picture.Malformed, "pixels at %d, within the headers", offset)
	}
	if offset > int64(len(data)) {
		return nil, picture.Errorf(picture.Truncated, "ends before the pixels")
	}
	b.offset = int(offset)
	return b, nil
}

func nonZero(p []byte) int {
	n := 0
	for _, v := range p {
		if v != 0 {
			n++
		}
	}
	return n
}

// readInfo reads the second header, the masks and the palette.
func (b *bitmap) readInfo(data []byte, o picture.Options, result *picture.Stripped) error {
	h := data[fileHeader:b.headers]
	var width, height, planes, method, colours int64
	if b.core {
		width, height, planes = int64(le.Uint16(h[4:])), int64(le.Uint16(h[6:])), int64(le.Uint16(h[8:]))
		b.bits = int(le.Uint16(h[10:]))
	} else {
		width, height = int64(int32(le.Uint32(h[4:]))), int64(int32(le.Uint32(h[8:])))
		planes, b.bits = int64(le.Uint16(h[12:])), int(le.Uint16(h[14:]))
		method, colours = int64(le.Uint32(h[16:])), int64(le.Uint32(h[32:]))
	}
	if b.topDown = height < 0; b.topDown {
		height = -height
	}
	if width < 0 || planes != 1 {
		return picture.Errorf(picture.Malformed, "%d pixels wide, %d planes", width, planes)
	}
	if err := o.Limits.CheckSize(width, height); err != nil {
		return err
	}
	b.width, b.height = int(width), int(height)
	if err := o.Limits.CheckExpansion(width*height*max(1, int64(b.bits)/8), int64(len(data))); err != nil {
		return err
	}
	if err := b.readMethod(data, method); err != nil {
		return err
	}
	b.noteHeader(h, result)
	if b.bits <= 8 {
		return b.readPalette(data, colours, result)
	}
	return nil
}

// readMethod reads how a pixel is stored.
func (b *bitmap) readMethod(data []byte, method int64) error {
	size := b.headers - fileHeader
	switch {
	case method == plain && slices.Contains([]int{1, 4, 8, 24, 32}, b.bits):
		b.goAlpha = size >= v4Header && b.bits == 32
		return nil
	case method == plain && b.bits == 16 && !b.core: // OpenCV reads no 16 bits of the oldest header
		return nil
	case (method == runs8 && b.bits == 8 || method == runs4 && b.bits == 4) && size != 64 && !b.topDown:
		b.runs = true
		return nil
	case method == bitfields && b.bits == 16 && size == infoHeader:
		return b.readMasks16(data)
	case method == bitfields && b.bits == 32 && size != 64:
		return b.readMasks32(data)
	}
	return picture.Errorf(picture.Unsupported, "%d bits a pixel, compression %d, header of %d bytes", b.bits, method, size)
}

// masks reads n masks at an offset.
func masks(data []byte, at, n int) ([]uint32, error) {
	if at+4*n > len(data) {
		return nil, picture.Errorf(picture.Truncated, "ends in the header")
	}
	m := make([]uint32, n)
	for i := range m {
		m[i] = le.Uint32(data[at+4*i:])
	}
	return m, nil
}

func (b *bitmap) readMasks16(data []byte) error {
	m, err := masks(data, b.headers, 3)
	if err != nil {
		return err
	}
	b.headers += 12
	switch {
	case slices.Equal(m, []uint32{0xF800, 0x7E0, 0x1F}):
		b.green6 = true
	case !slices.Equal(m, []uint32{0x7C00, 0x3E0, 0x1F}):
		return picture.Errorf(picture.Unsupported, "masks that decoders do not share")
	}
	return nil
}

// readMasks32 takes the order blue, green, red, which is the one that OpenCV knows.
func (b *bitmap) readMasks32(data []byte) error {
	size := b.headers - fileHeader
	n := 3
	if size >= 56 {
		n = 4
	}
	m, err := masks(data, fileHeader+infoHeader, n)
	if err != nil {
		return err
	}
	if size == infoHeader {
		b.headers += 12
	}
	if n == 3 {
		m = append(m, 0)
	}
	switch {
	case slices.Equal(m, []uint32{0xFF0000, 0xFF00, 0xFF, 0xFF000000}):
		b.alpha = true
	case slices.Equal(m, []uint32{0xFF0000, 0xFF00, 0xFF, 0}):
		b.masked, b.opaque = true, n == 4
	default:
		return picture.Errorf(picture.Unsupported, "masks that decoders do not share")
	}
	return nil
}

// noteHeader reports what a header says beside the picture.
func (b *bitmap) noteHeader(h []byte, result *picture.Stripped) {
	if b.core {
		return
	}
	result.Remove("resolution", nonZero(h[24:32]))
	result.Remove("important colours", nonZero(h[36:40]))
	if b.bits > 8 {
		result.Remove("number of colours", nonZero(h[32:36]))
	}
	own := b.headerSize()
	if len(h) > own {
		result.Remove("header of a later version", len(h)-own)
	}
	if len(h) >= v4Header && own == v4Header {
		n := 0
		for i, v := range colourSpace {
			if h[56+i] != v {
				n++
			}
		}
		result.Remove("colour space", n)
	}
}

// colourSpace is the rest of a header of 108 bytes behind its masks: sRGB.
var colourSpace = append([]byte("BGRs"), make([]byte, 48)...)

// readPalette reads the palette behind the headers. No number stands for all colours
// that an index can name.
func (b *bitmap) readPalette(data []byte, colours int64, result *picture.Stripped) error {
	if colours == 0 {
		colours = 1 << b.bits
	}
	if colours > 1<<b.bits {
		return picture.Errorf(picture.Malformed, "%d colours of %d bits", colours, b.bits)
	}
	size := 4
	if b.core {
		size = 3
	}
	at := b.headers
	b.headers += size * int(colours)
	if b.headers > len(data) {
		return picture.Errorf(picture.Truncated, "ends in the palette")
	}
	for ; at < b.headers; at += size {
		b.palette = append(b.palette, entry(data[at:at+3]))
		result.Remove("palette reserved bytes", nonZero(data[at+3:at+size]))
	}
	if wide := b.greyScale(); wide && b.bits == 4 || b.bits == 8 && wide && colours == 2 || wide && colours == 1 {
		return picture.Errorf(picture.Unsupported, "a palette that Pillow takes for pixels of another size")
	}
	return nil
}
