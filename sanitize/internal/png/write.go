package png

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
)

// write puts the file together. The zlib streams are copied, or made anew where
// their rows hold what has to go, or all of them with recompress.
func (s *stripper) write(ctx context.Context, recompress bool) ([]byte, error) {
	out := s.appendHead(make([]byte, 0, len(s.data)+64))
	sequence := uint32(0)
	for i, p := range s.planes {
		if recompress || p.unclean {
			compressed, err := s.recompress(ctx, p)
			if err != nil {
				return nil, err
			}
			p.chunks, p.length = [][]byte{compressed}, len(compressed)
		}
		if p.control != nil {
			out = appendChunk(out, "fcTL", p.control.payload(sequence))
			sequence++
		}
		if i == 0 {
			out = appendImageData(out, p, nil)
		} else {
			out = appendImageData(out, p, &sequence)
		}
	}
	return appendChunk(out, "IEND", nil), nil
}

// appendHead writes what stands before the image data.
func (s *stripper) appendHead(out []byte) []byte {
	out = append(out, signature...)
	out = appendChunk(out, "IHDR", s.header.payload())
	for i, p := range s.kept {
		if p != nil {
			out = appendChunk(out, ancillary[i], p)
		}
	}
	if s.palette != nil {
		out = appendChunk(out, "PLTE", s.palette)
	}
	if s.alpha != nil {
		out = appendChunk(out, "tRNS", s.alpha)
	}
	if s.result.Orientation != 0 {
		out = appendChunk(out, "eXIf", exif.Minimal(s.result.Orientation))
	}
	if s.animation.declared {
		out = appendChunk(out, "acTL", s.animation.payload())
	}
	return out
}

func appendChunk(out []byte, name string, p []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
	start := len(out)
	out = append(out, name...)
	out = append(out, p...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}

// appendImageData writes the zlib stream of a plane in IDAT chunks, or with the
// number of the next in fdAT chunks.
func appendImageData(out []byte, p *plane, sequence *uint32) []byte {
	parts, length := p.chunks, p.length
	for length > 0 {
		n := min(length, maxIDAT)
		length -= n
		var start int
		if sequence == nil {
			out = binary.BigEndian.AppendUint32(out, uint32(n))
			start = len(out)
			out = append(out, "IDAT"...)
		} else {
			out = binary.BigEndian.AppendUint32(out, uint32(n+4))
			start = len(out)
			out = append(out, "fdAT"...)
			out = binary.BigEndian.AppendUint32(out, *sequence)
			*sequence++
		}
		for n > 0 {
			k := min(n, len(parts[0]))
			out = append(out, parts[0][:k]...)
			n -= k
			if k == len(parts[0]) {
				parts = parts[1:]
				continue
			}
			parts = append([][]byte{parts[0][k:]}, parts[1:]...)
		}
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
	}
	return out
}

// recompress filters and compresses the rows of a plane anew, without pad bits and,
// if that is asked for, without colour under alpha 0.
func (s *stripper) recompress(ctx context.Context, p *plane) ([]byte, error) {
	c, err := newCompressor(p.header)
	if err != nil {
		return nil, err
	}
	// The next row is predicted from this one as it was, so copies are cleaned.
	clean := make([]byte, p.header.rowBytes(p.header.Width))
	above := make([]byte, len(clean))
	_, err = p.eachRow(ctx, true, func(r row) error {
		n := len(r.samples)
		if r.first {
			clear(above)
		}
		copy(clean, r.samples)
		clean[n-1] &^= p.header.padMask(r.width)
		if s.seeksHidden() {
			p.header.hidden(clean[:n], true)
		}
		err := c.row(clean[:n], above[:n])
		clean, above = above, clean
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.finish()
}

// compressor filters rows and deflates them.
type compressor struct {
	header    Header
	out       bytes.Buffer
	zlib      *zlib.Writer
	best, try []byte
}

func newCompressor(h Header) (*compressor, error) {
	c := &compressor{header: h}
	n := 1 + h.rowBytes(h.Width)
	c.best, c.try = make([]byte, n), make([]byte, n)
	var err error
	c.zlib, err = zlib.NewWriterLevel(&c.out, zlib.BestSpeed)
	return c, err
}

// row compresses one row. Samples below 8 bits and palettes are not filtered
// (§12.7); for others the cheapest filter is taken.
func (c *compressor) row(row, above []byte) error {
	n := 1 + len(row)
	best, try := c.best[:n], c.try[:n]
	bpp := c.header.pixelBytes()
	applyFilter(filterNone, best, row, above, bpp)
	if c.header.Depth >= 8 && c.header.ColourType != Palette {
		for filter := byte(filterSub); filter < filterCount; filter++ {
			applyFilter(filter, try, row, above, bpp)
			if cost(try) < cost(best) {
				best, try = try, best
			}
		}
	}
	_, err := c.zlib.Write(best)
	return err
}

func (c *compressor) finish() ([]byte, error) {
	if err := c.zlib.Close(); err != nil {
		return nil, fmt.Errorf("png: %w", err)
	}
	return c.out.Bytes(), nil
}

// Encode writes a picture that is not interlaced and has no palette. fill is called
// with y from 0 to Height-1 and a row to fill with samples in file order.
func Encode(ctx context.Context, h Header, orientation uint8, fill func(y int, row []byte)) ([]byte, error) {
	if !h.valid() || h.ColourType == Palette || h.Interlaced {
		return nil, fmt.Errorf("png: cannot encode depth %d, colour type %d", h.Depth, h.ColourType)
	}
	c, err := newCompressor(h)
	if err != nil {
		return nil, err
	}
	row, above := make([]byte, h.rowBytes(h.Width)), make([]byte, h.rowBytes(h.Width))
	for y := range h.Height {
		if err := picture.Checkpoint(ctx); err != nil {
			return nil, err
		}
		fill(y, row)
		if err := c.row(row, above); err != nil {
			return nil, err
		}
		row, above = above, row
	}
	compressed, err := c.finish()
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(compressed)+256)
	out = append(out, signature...)
	out = appendChunk(out, "IHDR", h.payload())
	if orientation >= 2 {
		out = appendChunk(out, "eXIf", exif.Minimal(orientation))
	}
	out = appendImageData(out, &plane{chunks: [][]byte{compressed}, length: len(compressed)}, nil)
	return appendChunk(out, "IEND", nil), nil
}
