package tiff

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"

	"golang.org/x/image/tiff/lzw"

	"weir/sanitize/internal/picture"
)

// Compressions.
const (
	plain      = 1
	lzwCoded   = 5
	deflate    = 8
	packBits   = 32773
	oldDeflate = 32946
)

// blocks are the strips or tiles of a file.
type blocks struct {
	*form
	compression     int64
	predictor       bool
	width, height   int // of a block; a strip at the end may be lower
	across, down    int
	tiles           bool
	offsets, counts []uint32
}

// blocks reads where the strips or tiles are.
func (d *directory) blocks(f *form, o picture.Options) (*blocks, error) {
	b := &blocks{form: f, across: 1}
	var err error
	if b.compression, err = d.number(tagCompression, plain); err != nil {
		return nil, err
	}
	switch b.compression {
	case plain, lzwCoded, deflate, packBits, oldDeflate:
		f.compressed = b.compression != plain
	default:
		return nil, picture.Errorf(picture.Unsupported, "compression %d", b.compression)
	}
	predictor, err := d.number(tagPredictor, 1)
	if err != nil {
		return nil, err
	}
	b.predictor = predictor == 2
	coded := b.compression != plain && b.compression != packBits
	if predictor != 1 && (!b.predictor || !coded || f.bits == 1) {
		return nil, picture.Errorf(picture.Unsupported, "predictor %d of compression %d, %d bits", predictor, b.compression, f.bits)
	}
	has := func(tag uint16) bool { return d.find(tag) != nil }
	strips := has(tagStripOffsets) || has(tagStripByteCounts)
	tiles := has(tagTileWidth) || has(tagTileLength) || has(tagTileOffsets) || has(tagTileByteCounts)
	if strips == tiles {
		return nil, picture.Errorf(picture.Malformed, "neither strips nor tiles, or both")
	}
	if tiles {
		return b, b.readTiles(d, o)
	}
	return b, b.readStrips(d)
}

func (b *blocks) readStrips(d *directory) error {
	rows, err := d.number(tagRowsPerStrip, 1<<32-1)
	if err != nil {
		return err
	}
	// OpenCV allocates as many rows.
	if rows != 1<<32-1 && (rows > 1<<24 || rows*int64(b.form.width)*8 >= 1<<30) {
		return picture.Errorf(picture.Malformed, "%d rows per strip", rows)
	}
	b.width, b.height = b.form.width, int(min(rows, int64(b.form.height)))
	b.down = (b.form.height + b.height - 1) / b.height
	return b.places(d, tagStripOffsets, tagStripByteCounts)
}

// readTiles holds the tiles to the sizes that Go takes, and their padding to as many
// pixels as a file may have.
func (b *blocks) readTiles(d *directory, o picture.Options) error {
	width, err := d.number(tagTileWidth, 0)
	if err != nil {
		return err
	}
	height, err := d.number(tagTileLength, 0)
	if err != nil {
		return err
	}
	if width == 0 || height == 0 || width%16 != 0 || height%16 != 0 {
		return picture.Errorf(picture.Malformed, "tiles of %d × %d pixels", width, height)
	}
	over := width-int64(b.form.width) > 16 || height-int64(b.form.height) > 16
	if over && (width > 1024 || height > 1024) {
		return picture.Errorf(picture.Malformed, "tiles of %d × %d pixels", width, height)
	}
	across, down := (int64(b.form.width)+width-1)/width, (int64(b.form.height)+height-1)/height
	if area := across * width * down * height; area > o.Limits.MaxPixels && area > 4*int64(b.form.width)*int64(b.form.height) {
		return picture.Over(picture.TooManyPixels, "pixels", area, o.Limits.MaxPixels, "%d pixels with the padding of tiles", area)
	}
	if size := width * height * int64(b.samples*b.bits) / 8; b.compression == plain && size%1024 != 0 {
		return picture.Errorf(picture.Unsupported, "plain tiles of %d bytes, which OpenCV does not read", size)
	}
	b.tiles, b.width, b.height, b.across, b.down = true, int(width), int(height), int(across), int(down)
	return b.places(d, tagTileOffsets, tagTileByteCounts)
}

// places reads the offsets and lengths of the blocks.
func (b *blocks) places(d *directory, offsets, counts uint16) error {
	var err error
	n := uint64(b.across) * uint64(b.down)
	if b.offsets, err = d.numbers(offsets, n); err != nil {
		return err
	}
	if b.counts, err = d.numbers(counts, n); err != nil {
		return err
	}
	if b.offsets == nil || b.counts == nil {
		return picture.Errorf(picture.Malformed, "no offsets or lengths of %d blocks", n)
	}
	for i, from := range b.offsets {
		if uint64(from)+uint64(b.counts[i]) > uint64(len(d.data)) {
			return picture.Errorf(picture.Truncated, "ends before the last block")
		}
		if b.counts[i] == 0 || b.compression == plain && int64(b.counts[i]) > 8*int64(b.width)*int64(b.height) {
			return picture.Errorf(picture.Malformed, "a block of %d bytes", b.counts[i]) // Go takes no longer ones
		}
		if err := b.checkLength(i); err != nil {
			return err
		}
		d.refer(uint64(from), uint64(b.counts[i]))
	}
	return nil
}

// checkLength holds that a plain block has the length that it needs. libtiff reads no
// longer tile, and of three strips and more it makes up the lengths if they are not
// all the same; a single strip may be longer.
func (b *blocks) checkLength(i int) error {
	if b.compression != plain || !b.tiles && len(b.offsets) == 1 {
		return nil
	}
	rows := b.height
	if !b.tiles {
		rows = min(rows, b.form.height-i*b.height)
	}
	size := int64((b.width*b.samples*b.bits+7)/8) * int64(rows)
	if int64(b.counts[i]) != size {
		return picture.Errorf(picture.Malformed, "a plain block of %d bytes, not %d", b.counts[i], size)
	}
	return nil
}

// decode returns the rows of the picture.
func (b *blocks) decode(ctx context.Context, d *directory, result *picture.Stripped) ([]byte, error) {
	f := b.form
	if need := int64(f.rowBytes()) * int64(f.height); b.compression == plain && need > int64(len(d.data)) {
		return nil, picture.Errorf(picture.Truncated, "ends before the last row")
	}
	stride := f.rowBytes()
	out := make([]byte, stride*f.height)
	row := make([]byte, (b.width*f.samples*f.bits+7)/8)
	for i := range b.offsets {
		y0, x0 := i/b.across*b.height, i%b.across*b.width
		rows := b.height
		if !b.tiles {
			rows = min(rows, f.height-y0)
		}
		r, err := b.open(d.data[b.offsets[i]:][:b.counts[i]])
		if err != nil {
			return nil, err
		}
		for y := y0; y < y0+rows; y++ {
			if err := picture.Checkpoint(ctx); err != nil {
				return nil, err
			}
			if err := r.row(row); err != nil {
				return nil, err
			}
			if b.predictor {
				b.undoPredictor(row)
			}
			if y < f.height { // tiles are padded on the right and below
				at := y*stride + x0*f.samples*f.bits/8
				copy(out[at:(y+1)*stride], row)
			}
		}
		extra, err := r.end()
		if err != nil {
			return nil, err
		}
		result.Remove("bytes behind the rows of a block", extra)
	}
	return out, nil
}

// undoPredictor adds up the differences of a row (§14).
func (b *blocks) undoPredictor(row []byte) {
	if b.bits == 8 {
		for i := b.samples; i < len(row); i++ {
			row[i] += row[i-b.samples]
		}
		return
	}
	for i := 2 * b.samples; i < len(row); i += 2 {
		b.order.PutUint16(row[i:], b.order.Uint16(row[i:])+b.order.Uint16(row[i-2*b.samples:]))
	}
}

// blockReader decodes a strip or tile.
type blockReader struct {
	in  *bytes.Reader
	out io.Reader
}

// open begins a block. A decoder reads from in byte by byte, so that what is left
// there is what stands behind its end.
func (b *blocks) open(p []byte) (*blockReader, error) {
	r := &blockReader{in: bytes.NewReader(p)}
	r.out = r.in
	switch b.compression {
	case lzwCoded:
		// The first of its nine-bit codes clears the table. Without it, libtiff stops, or
		// takes the codes for ones of an older order of bits.
		if len(p) < 2 || p[0] != 0x80 || p[1]&0x80 != 0 {
			return nil, picture.Errorf(picture.Malformed, "LZW data that begins with no clear code")
		}
		r.out = lzw.NewReader(r.in, lzw.MSB, 8)
	case deflate, oldDeflate:
		z, err := zlib.NewReader(r.in)
		if err != nil {
			return nil, blockError(err)
		}
		r.out = z
	case packBits:
		r.out = &packReader{in: r.in}
	}
	return r, nil
}

func blockError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return picture.Errorf(picture.Truncated, "a block ends before its last row")
	}
	return picture.Errorf(picture.Malformed, "a block: %v", err)
}

func (r *blockReader) row(p []byte) error {
	if _, err := io.ReadFull(r.out, p); err != nil {
		return blockError(err)
	}
	return nil
}

// end holds that a compressed block ends with its rows, and returns the number of
// bytes behind it.
func (r *blockReader) end() (extra int, err error) {
	if r.out == io.Reader(r.in) {
		return r.in.Len(), nil
	}
	var one [1]byte
	if n, err := r.out.Read(one[:]); n > 0 {
		return 0, picture.Errorf(picture.Malformed, "a block decodes to more than its rows")
	} else if err != io.EOF {
		return 0, blockError(err)
	}
	return r.in.Len(), nil
}

// packReader undoes PackBits (§9). A run must not go beyond the end.
type packReader struct {
	in     *bytes.Reader
	count  int // bytes left of the run
	repeat bool
	value  byte
}

func (r *packReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if r.count == 0 {
			if err := r.next(); err != nil {
				if n > 0 && err == io.EOF {
					err = nil
				}
				return n, err
			}
			continue
		}
		c := r.value
		if !r.repeat {
			var err error
			if c, err = r.in.ReadByte(); err != nil {
				return n, io.ErrUnexpectedEOF
			}
		}
		p[n] = c
		n++
		r.count--
	}
	return n, nil
}

// next begins a run.
func (r *packReader) next() error {
	c, err := r.in.ReadByte()
	if err != nil {
		return io.EOF
	}
	switch n := int(int8(c)); {
	case n >= 0:
		r.count, r.repeat = n+1, false
	case n > -128:
		r.count, r.repeat = 1-n, true
		if r.value, err = r.in.ReadByte(); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}
