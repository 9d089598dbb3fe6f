package png

import (
	"compress/zlib"
	"context"
	"errors"
	"io"

	"weir/sanitize/internal/picture"
)

// stream reads the payloads of the IDAT chunks as one. It is an io.ByteReader, so
// that the inflater takes no byte beyond the end of the zlib stream.
type stream struct {
	chunks [][]byte
	read   int
}

func (s *stream) skipEmpty() bool {
	for len(s.chunks) > 0 && len(s.chunks[0]) == 0 {
		s.chunks = s.chunks[1:]
	}
	return len(s.chunks) > 0
}

func (s *stream) Read(p []byte) (int, error) {
	if !s.skipEmpty() {
		return 0, io.EOF
	}
	n := copy(p, s.chunks[0])
	s.chunks[0] = s.chunks[0][n:]
	s.read += n
	return n, nil
}

func (s *stream) ReadByte() (byte, error) {
	if !s.skipEmpty() {
		return 0, io.EOF
	}
	c := s.chunks[0][0]
	s.chunks[0] = s.chunks[0][1:]
	s.read++
	return c, nil
}

// passes are the reduced images of Adam7 (§8.2): origin and step in pixels.
var passes = [...]struct{ x, y, dx, dy int }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// reduced returns the sizes of the images that follow each other in the stream.
func (h Header) reduced() [][2]int {
	if !h.Interlaced {
		return [][2]int{{h.Width, h.Height}}
	}
	var sizes [][2]int
	for _, p := range passes {
		w, rows := (h.Width-p.x+p.dx-1)/p.dx, (h.Height-p.y+p.dy-1)/p.dy
		if w > 0 && rows > 0 {
			sizes = append(sizes, [2]int{w, rows})
		}
	}
	return sizes
}

// eachRow inflates the rows one by one and calls visit with each, its filter type
// undone if unfilter is set, and with the row above it (zeros above the first). It
// returns the length of the zlib stream.
func (s *stripper) eachRow(ctx context.Context, unfilter bool, visit func(width int, row, above []byte) error) (int, error) {
	in := &stream{chunks: append([][]byte(nil), s.idat...)}
	z, err := zlib.NewReader(in)
	if err != nil {
		return 0, inflateError(err)
	}
	size := 1 + s.header.rowBytes(s.header.Width)
	buffers := [2][]byte{make([]byte, size), make([]byte, size)}
	for _, reduced := range s.header.reduced() {
		n := 1 + s.header.rowBytes(reduced[0])
		row, above := buffers[0][:n], buffers[1][:n]
		clear(above)
		for range reduced[1] {
			if err := picture.Checkpoint(ctx); err != nil {
				return 0, err
			}
			if _, err := io.ReadFull(z, row); err != nil {
				return 0, inflateError(err)
			}
			if row[0] > filterPaeth {
				return 0, picture.Errorf(picture.Malformed, "filter type %d", row[0])
			}
			if unfilter {
				undoFilter(row[0], row[1:], above[1:], s.header.pixelBytes())
			}
			if err := visit(reduced[0], row[1:], above[1:]); err != nil {
				return 0, err
			}
			row, above = above, row
		}
	}
	if n, err := z.Read(buffers[0][:1]); n > 0 {
		return 0, picture.Errorf(picture.Malformed, "image data beyond the last row")
	} else if err != io.EOF {
		return 0, inflateError(err)
	}
	return in.read, nil
}

func inflateError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return picture.Errorf(picture.Truncated, "image data ends before the last row")
	}
	return picture.Errorf(picture.Malformed, "image data: %v", err)
}

// rowsFound is what a walk over the rows finds.
type rowsFound struct {
	length  int       // of the zlib stream
	padBits int       // bytes at the end of rows with bits set behind the last pixel
	used    [256]bool // palette entries
}

// inspect walks over the rows: they must be there, and nothing behind them.
func (s *stripper) inspect(ctx context.Context) (rowsFound, error) {
	var f rowsFound
	h := s.header
	if h.ColourType == Palette && s.palette == nil {
		return f, picture.Errorf(picture.Malformed, "no PLTE")
	}
	visit := func(width int, row, _ []byte) error { return nil }
	if h.Depth < 8 || h.ColourType == Palette {
		visit = func(width int, row, _ []byte) error { return s.inspectRow(&f, width, row) }
	}
	length, err := s.eachRow(ctx, h.Depth < 8 || h.ColourType == Palette, visit)
	if err != nil {
		return f, err
	}
	f.length = length
	total := 0
	for _, p := range s.idat {
		total += len(p)
	}
	s.result.Remove("bytes after the zlib stream", total-length)
	return f, nil
}

func (s *stripper) inspectRow(f *rowsFound, width int, row []byte) error {
	if row[len(row)-1]&s.header.padMask(width) != 0 {
		f.padBits++
	}
	if s.header.ColourType != Palette {
		return nil
	}
	depth := s.header.Depth
	entries := len(s.palette) / 3
	for x := range width {
		bit := x * depth
		index := int(row[bit/8]>>(8-depth-bit%8)) & (1<<depth - 1)
		if index >= entries {
			return picture.Errorf(picture.Malformed, "palette index %d of %d", index, entries)
		}
		f.used[index] = true
	}
	return nil
}

// padMask is the mask of the bits behind the last pixel in the last byte of a row.
func (h Header) padMask(width int) byte {
	used := width * h.channels() * h.Depth % 8
	if used == 0 {
		return 0
	}
	return 0xFF >> used
}
