package tiff

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"weir/sanitize/internal/picture"
)

// stripBytes is the size of a strip before compression.
const stripBytes = 1 << 18

// writer puts a directory together.
type writer struct {
	order   binary.ByteOrder
	entries []entry
}

type entry struct {
	tag, typ uint16
	values   []uint32
}

func (w *writer) add(tag, typ uint16, values ...uint32) {
	w.entries = append(w.entries, entry{tag, typ, values})
}

func (w *writer) append(out []byte, typ uint16, v uint32) []byte {
	size := int(typeSize[typ])
	out = append(out, make([]byte, size)...)
	if typ == typeShort {
		w.order.PutUint16(out[len(out)-2:], uint16(v))
	} else {
		w.order.PutUint32(out[len(out)-4:], v)
	}
	return out
}

// write puts the file together: header, directory, values, strips.
func (f *form) write(ctx context.Context) ([]byte, error) {
	rows := max(1, stripBytes/f.rowBytes())
	strips, err := f.strips(ctx, rows)
	if err != nil {
		return nil, err
	}
	w := f.directory(rows, len(strips))
	at, total := w.size(), 0
	offsets, counts := make([]uint32, len(strips)), make([]uint32, len(strips))
	for i, s := range strips {
		offsets[i], counts[i] = uint32(at+total), uint32(len(s))
		total += len(s)
	}
	if int64(at)+int64(total) >= 1<<32 {
		return nil, picture.Errorf(picture.Unsupported, "more than 4 GiB when written anew")
	}
	w.set(tagStripOffsets, offsets)
	w.set(tagStripByteCounts, counts)
	out := w.header(make([]byte, 0, at+total))
	for _, s := range strips {
		out = append(out, s...)
	}
	return out, nil
}

// directory lists the tags, with no offsets and lengths of strips yet.
func (f *form) directory(rows, strips int) *writer {
	w := &writer{order: f.order}
	same := func(v int) []uint32 { return slices.Repeat([]uint32{uint32(v)}, f.samples) }
	compression := plain
	if f.compressed {
		compression = deflate
	}
	w.add(tagWidth, typeLong, uint32(f.width))
	w.add(tagLength, typeLong, uint32(f.height))
	w.add(tagBits, typeShort, same(f.bits)...)
	w.add(tagCompression, typeShort, uint32(compression))
	w.add(tagPhotometric, typeShort, uint32(f.photometric))
	w.add(tagStripOffsets, typeLong, make([]uint32, strips)...)
	if f.orientation != 0 {
		w.add(tagOrientation, typeShort, uint32(f.orientation))
	}
	w.add(tagSamples, typeShort, uint32(f.samples))
	w.add(tagRowsPerStrip, typeLong, uint32(min(rows, f.height)))
	w.add(tagStripByteCounts, typeLong, make([]uint32, strips)...)
	if f.colours != nil {
		w.add(tagColourMap, typeShort, f.colours...)
	}
	if f.extra != 0 {
		w.add(tagExtraSamples, typeShort, uint32(f.extra))
	}
	return w
}

func (w *writer) set(tag uint16, values []uint32) {
	for i, e := range w.entries {
		if e.tag == tag {
			w.entries[i].values = values
		}
	}
}

func (e entry) size() int { return int(typeSize[e.typ]) * len(e.values) }

// size is the length of all that stands before the strips.
func (w *writer) size() int {
	n := 8 + 2 + 12*len(w.entries) + 4
	for _, e := range w.entries {
		if e.size() > 4 {
			n += e.size()
		}
	}
	return n
}

// header writes all that stands before the strips.
func (w *writer) header(out []byte) []byte {
	signature := "II*\x00"
	if w.order == binary.ByteOrder(binary.BigEndian) {
		signature = "MM\x00*"
	}
	out = append(out, signature...)
	out = w.append(out, typeLong, 8)
	out = w.append(out, typeShort, uint32(len(w.entries)))
	heap := 8 + 2 + 12*len(w.entries) + 4
	for _, e := range w.entries {
		out = w.append(out, typeShort, uint32(e.tag))
		out = w.append(out, typeShort, uint32(e.typ))
		out = w.append(out, typeLong, uint32(len(e.values)))
		if e.size() > 4 {
			out = w.append(out, typeLong, uint32(heap))
			heap += e.size()
			continue
		}
		end := len(out) + 4
		for _, v := range e.values {
			out = w.append(out, e.typ, v)
		}
		out = append(out, make([]byte, end-len(out))...)
	}
	out = w.append(out, typeLong, 0) // no next directory
	for _, e := range w.entries {
		if e.size() > 4 {
			for _, v := range e.values {
				out = w.append(out, e.typ, v)
			}
		}
	}
	return out
}

// strips returns strips of so many rows, compressed if the form says so.
func (f *form) strips(ctx context.Context, rows int) ([][]byte, error) {
	var out [][]byte
	for strip := range slices.Chunk(f.rows, rows*f.rowBytes()) {
		if err := picture.Checkpoint(ctx); err != nil {
			return nil, err
		}
		if !f.compressed {
			out = append(out, strip)
			continue
		}
		var b bytes.Buffer
		z, err := zlib.NewWriterLevel(&b, zlib.BestSpeed)
		if err != nil {
			return nil, fmt.Errorf("tiff: %w", err)
		}
		if _, err := z.Write(strip); err != nil {
			return nil, fmt.Errorf("tiff: %w", err)
		}
		if err := z.Close(); err != nil {
			return nil, fmt.Errorf("tiff: %w", err)
		}
		out = append(out, b.Bytes())
	}
	return out, nil
}
