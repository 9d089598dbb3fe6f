package bmp

import (
	"context"
	"slices"

	"weir/sanitize/internal/picture"
)

// pixels are the rows as they are written: from the bottom up, without padding.
type pixels struct {
	*bitmap
	rows []byte
}

// readRows copies plain rows.
func (p *pixels) readRows(ctx context.Context, data []byte, result *picture.Stripped) error {
	stride, n := p.stride(), p.rowBytes()
	end := int64(p.offset) + int64(stride)*int64(p.height)
	if end > int64(len(data)) {
		return picture.Errorf(picture.Truncated, "ends before the last row")
	}
	p.rows = make([]byte, 0, n*p.height)
	padding := 0
	for i := range p.height {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		if p.topDown {
			i = p.height - 1 - i
		}
		row := data[p.offset+i*stride:][:stride]
		padding += nonZero(row[n:])
		p.rows = append(p.rows, row[:n]...)
		if used := p.width * p.bits % 8; used != 0 {
			last := &p.rows[len(p.rows)-1]
			padding += nonZero([]byte{*last & (0xFF >> used)})
			*last &^= 0xFF >> used
		}
	}
	result.Remove("row padding", padding)
	result.Remove("data behind the pixels", len(data)-int(end))
	return nil
}

// eachRow calls visit with the rows.
func (p *pixels) eachRow(ctx context.Context, visit func(row []byte)) error {
	for row := range slices.Chunk(p.rows, p.rowBytes()) {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		visit(row)
	}
	return nil
}

// settle clears what no decoder shows within the pixels and the palette.
func (p *pixels) settle(ctx context.Context, o picture.Options, result *picture.Stripped) error {
	switch {
	case p.bits <= 8:
		return p.settlePalette(ctx, result)
	case p.bits == 16 && !p.green6:
		cleared := 0
		err := p.eachRow(ctx, func(row []byte) {
			for i := 1; i < len(row); i += 2 {
				cleared += int(row[i] >> 7)
				row[i] &= 0x7F
			}
		})
		result.Remove("bits behind 5-5-5", cleared)
		return err
	case p.alpha && o.ZeroTransparent:
		cleared := 0
		err := p.eachRow(ctx, func(row []byte) {
			for ; len(row) > 0; row = row[4:] {
				if row[3] == 0 {
					cleared += nonZero(row[:3])
					clear(row[:3])
				}
			}
		})
		result.Remove("colour under alpha 0", cleared)
		return err
	case p.masked && !p.opaque:
		return p.checkFourth()
	case p.bits == 32 && !p.alpha:
		if p.goAlpha {
			if err := p.checkFourth(); err != nil {
				return err
			}
		}
		cleared := 0
		err := p.eachRow(ctx, func(row []byte) {
			for i := 3; i < len(row); i += 4 {
				cleared += nonZero(row[i : i+1])
				row[i] = 0
			}
		})
		result.Remove("fourth bytes", cleared)
		return err
	}
	return nil
}

// settlePalette holds that each pixel has an entry.
func (p *pixels) settlePalette(ctx context.Context, result *picture.Stripped) error {
	var used [256]bool
	err := p.eachRow(ctx, func(row []byte) {
		for x := range p.width {
			bit := x * p.bits
			used[int(row[bit/8]>>(8-p.bits-bit%8))&(1<<p.bits-1)] = true
		}
	})
	if err != nil {
		return err
	}
	for i := len(p.palette); i < len(used); i++ {
		if used[i] {
			return picture.Errorf(picture.Malformed, "colour index %d of %d", i, len(p.palette))
		}
	}
	p.blank(&used, result)
	return nil
}

// checkFourth holds that the fourth byte says nothing where OpenCV, because of the
// masks, or Go takes it for alpha.
func (p *pixels) checkFourth() error {
	fourth := p.rows[3]
	for i := 3; i < len(p.rows); i += 4 {
		if p.rows[i] != fourth || fourth != 0xFF && (fourth != 0 || p.goAlpha) {
			return picture.Errorf(picture.Unsupported, "a fourth byte that is alpha to some decoders only")
		}
	}
	return nil
}

// masks are those of the samples, with the rest of a header of 108 bytes.
func (b *bitmap) masks() []byte {
	switch {
	case b.green6:
		return appendLongs(nil, 0xF800, 0x7E0, 0x1F)
	case b.alpha:
		return append(appendLongs(nil, 0xFF0000, 0xFF00, 0xFF, 0xFF000000), colourSpace...)
	case b.opaque:
		return append(appendLongs(nil, 0xFF0000, 0xFF00, 0xFF, 0), colourSpace...)
	case b.masked:
		return appendLongs(nil, 0xFF0000, 0xFF00, 0xFF)
	}
	return nil
}

// write puts the file together.
func (p *pixels) write() []byte {
	size, method := p.headerSize(), plain
	more := p.masks() // behind the first 40 bytes of the header
	if more != nil {
		method = bitfields
	}
	entrySize := 4
	if p.core {
		entrySize = 3
	}
	offset := fileHeader + size + entrySize*len(p.palette)
	if size == infoHeader {
		offset += len(more)
	}
	stride := p.stride()
	image := stride * p.height
	out := make([]byte, 0, offset+image)
	out = append(out, "BM"...)
	out = appendLongs(out, offset+image, 0, offset, size)
	if p.core {
		out = appendShorts(out, p.width, p.height, 1, p.bits)
	} else {
		out = appendLongs(out, p.width, p.height)
		out = appendShorts(out, 1, p.bits)
		out = appendLongs(out, method, image, 0, 0, len(p.palette), 0)
		out = append(out, more...)
	}
	for _, c := range p.palette {
		out = append(out, c[:]...)
		out = append(out, make([]byte, entrySize-3)...)
	}
	for row := range slices.Chunk(p.rows, p.rowBytes()) {
		out = append(out, row...)
		out = append(out, make([]byte, stride-len(row))...)
	}
	return out
}

func appendLongs(out []byte, values ...int) []byte {
	for _, v := range values {
		out = le.AppendUint32(out, uint32(v))
	}
	return out
}

func appendShorts(out []byte, values ...int) []byte {
	for _, v := range values {
		out = le.AppendUint16(out, uint16(v))
	}
	return out
}
