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

// row is one row of a plane.
type row struct {
	width   int  // pixels
	first   bool // of a reduced image
	samples []byte
	above   []byte // zeros above the first
}

// eachRow inflates the rows one by one and calls visit with each, its filter type
// undone if unfilter is set. It returns the length of the zlib stream.
func (p *plane) eachRow(ctx context.Context, unfilter bool, visit func(row) error) (int, error) {
	in := &stream{chunks: append([][]byte(nil), p.chunks...)}
	z, err := zlib.NewReader(in)
	if err != nil {
		return 0, inflateError(err)
	}
	size := 1 + p.header.rowBytes(p.header.Width)
	buffers := [2][]byte{make([]byte, size), make([]byte, size)}
	for _, reduced := range p.header.reduced() {
		n := 1 + p.header.rowBytes(reduced[0])
		samples, above := buffers[0][:n], buffers[1][:n]
		clear(above)
		for y := range reduced[1] {
			if err := picture.Checkpoint(ctx); err != nil {
				return 0, err
			}
			if _, err := io.ReadFull(z, samples); err != nil {
				return 0, inflateError(err)
			}
			if samples[0] > filterPaeth {
				return 0, picture.Errorf(picture.Malformed, "filter type %d", samples[0])
			}
			if unfilter {
				undoFilter(samples[0], samples[1:], above[1:], p.header.pixelBytes())
			}
			if err := visit(row{reduced[0], y == 0, samples[1:], above[1:]}); err != nil {
				return 0, err
			}
			samples, above = above, samples
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

// What inspect and Remove call the two things that rows hide.
const (
	padBits      = "pad bits"
	hiddenColour = "colour under alpha 0"
)

// seeksHidden tells whether the rows have to be searched for colour under alpha 0.
func (s *stripper) seeksHidden() bool { return s.opts.ZeroTransparent && s.header.hasAlpha() }

// inspect walks over the rows of all planes: they must be there, and nothing behind
// them. It blanks what they do not need of the palette.
func (s *stripper) inspect(ctx context.Context) error {
	var seen indices
	h := s.header
	unfilter := h.Depth < 8 || h.ColourType == Palette || s.seeksHidden()
	for _, p := range s.planes {
		length, err := p.eachRow(ctx, unfilter, func(r row) error {
			if unfilter {
				s.inspectRow(p, r, &seen)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.checkWindow(ctx); err != nil {
			return err
		}
		s.result.Remove("bytes after the zlib stream", p.length-length)
		p.length = length
	}
	if h.ColourType != Palette {
		return nil
	}
	used, entries := seen.used(h.Depth), len(s.palette)/3
	for i := entries; i < len(used); i++ {
		if used[i] {
			return picture.Errorf(picture.Malformed, "palette index %d of %d", i, entries)
		}
	}
	s.blankUnused(used)
	s.blankHidden()
	return nil
}

func (s *stripper) inspectRow(p *plane, r row, seen *indices) {
	h := s.header
	if r.samples[len(r.samples)-1]&h.padMask(r.width) != 0 {
		s.result.Remove(padBits, 1)
		p.unclean = true
	}
	if s.seeksHidden() {
		if n := h.hidden(r.samples, false); n > 0 {
			s.result.Remove(hiddenColour, n)
			p.unclean = true
		}
	}
	if h.ColourType == Palette {
		seen.row(r.samples, r.width, h.Depth)
	}
}

// indices are the bytes of rows that were seen, each of one to eight palette indices.
type indices struct {
	bytes [256]bool
	tail  [256]bool // indices in bytes that pad bits follow
}

// row notes a row of so many pixels.
func (s *indices) row(samples []byte, width, depth int) {
	whole := width * depth / 8
	for _, v := range samples[:whole] {
		s.bytes[v] = true
	}
	for x := whole * 8 / depth; x < width; x++ {
		s.tail[indexAt(samples[whole], x%(8/depth), depth)] = true
	}
}

// used are the palette entries that were named.
func (s *indices) used(depth int) *[256]bool {
	out := s.tail
	for v, seen := range s.bytes {
		for x := range 8 / depth {
			if seen {
				out[indexAt(byte(v), x, depth)] = true
			}
		}
	}
	return &out
}

// indexAt is index x in a byte.
func indexAt(v byte, x, depth int) byte { return v >> (8 - depth*(x+1)) & (1<<depth - 1) }

// hidden counts the bytes of colour under alpha 0 that are not 0, and clears them if
// blank is set. Alpha is the last channel.
func (h Header) hidden(samples []byte, blank bool) int {
	pixel, alpha := h.pixelBytes(), h.Depth/8
	n := 0
	for ; len(samples) >= pixel; samples = samples[pixel:] {
		colour := samples[:pixel-alpha]
		if samples[pixel-1]|samples[pixel-alpha] != 0 {
			continue
		}
		for i, v := range colour {
			if v != 0 {
				n++
				if blank {
					colour[i] = 0
				}
			}
		}
	}
	return n
}

// padMask is the mask of the bits behind the last pixel in the last byte of a row.
func (h Header) padMask(width int) byte {
	used := width * h.channels() * h.Depth % 8
	if used == 0 {
		return 0
	}
	return 0xFF >> used
}
