// Package exif reads the directories of an Exif block within bounds, and writes
// the one block that Weir lets through: a single directory with nothing but the
// orientation.
//
// An Exif block is a TIFF file without a picture (CIPA DC-008, Exif 2.32 §4.5;
// TIFF 6.0 §2). The walker takes every offset and count as hostile: arithmetic is
// in 64 bits, a value lies inside the block, and directories, entries and visits
// are counted, so that the walk is linear in the block and allocates a small
// multiple of the entries.
package exif

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds of one block. Camera files have four directories and about 60 entries.
const (
	maxDirectories = 8
	maxEntries     = 512 // over all directories
)

// Tags that the walker itself understands.
const (
	tagOrientation = 0x0112
	tagExif        = 0x8769
	tagGPS         = 0x8825
	tagInterop     = 0xA005
)

const (
	typeShort = 3
	typeLong  = 4
)

// typeSize is the number of bytes of one value, by TIFF type; 0 is no type.
var typeSize = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8}

var (
	errHeader  = errors.New("no TIFF header")
	errBounds  = errors.New("directories loop, or hold too much")
	errOutside = errors.New("outside the block")
)

// entry is one field of a directory, with the bytes of its values in place.
type entry struct {
	tag, typ uint16
	value    []byte     // aliases the block; empty when it cannot be read
	sub      *directory // of a pointer tag
}

// directory is one IFD.
type directory struct {
	entries []entry
}

// Block is a parsed Exif block. It aliases the bytes it was parsed from.
type Block struct {
	order       binary.ByteOrder
	directories []*directory // the chain: IFD0, IFD1 (thumbnail)
	Orientation uint8        // of IFD0: 1 to 8, or 0 when absent or out of range
}

type walker struct {
	data    []byte
	order   binary.ByteOrder
	visited map[uint64]bool
	entries int
}

// Parse walks tiff, a block that begins with its byte order. It is an error when
// the first directory cannot be read or the bounds are exceeded. A value, a nested
// or a later directory that lies outside the block is left out, as readers of
// damaged camera files do, so that the orientation is found where they find it.
func Parse(tiff []byte) (*Block, error) {
	order, err := byteOrder(tiff)
	if err != nil {
		return nil, err
	}
	w := &walker{data: tiff, order: order, visited: make(map[uint64]bool, maxDirectories)}
	b := &Block{order: order}
	for at := uint64(order.Uint32(tiff[4:])); ; {
		d, next, err := w.directory(at, true)
		if errors.Is(err, errOutside) && len(b.directories) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		b.directories = append(b.directories, d)
		if at = next; at == 0 {
			break
		}
	}
	b.Orientation = b.directories[0].orientation(order)
	return b, nil
}

func byteOrder(tiff []byte) (binary.ByteOrder, error) {
	if len(tiff) < 8 {
		return nil, fmt.Errorf("exif: %w: %d bytes", errHeader, len(tiff))
	}
	switch string(tiff[:4]) {
	case "II*\x00":
		return binary.LittleEndian, nil
	case "MM\x00*":
		return binary.BigEndian, nil
	}
	return nil, fmt.Errorf("exif: %w", errHeader)
}

// directory reads the IFD at an offset, and those it points at when nested
// pointers are followed. It returns the offset of the next one in the chain.
func (w *walker) directory(at uint64, follow bool) (*directory, uint64, error) {
	size := uint64(len(w.data))
	if w.visited[at] || len(w.visited) >= maxDirectories {
		return nil, 0, fmt.Errorf("exif: %w: directory %d", errBounds, len(w.visited)+1)
	}
	w.visited[at] = true
	if at+2 > size {
		return nil, 0, fmt.Errorf("exif: directory at %d: %w", at, errOutside)
	}
	n := uint64(w.order.Uint16(w.data[at:]))
	w.entries += int(n)
	if w.entries > maxEntries {
		return nil, 0, fmt.Errorf("exif: %w: %d entries", errBounds, w.entries)
	}
	end := at + 2 + 12*n
	if end > size {
		return nil, 0, fmt.Errorf("exif: directory at %d: %w", at, errOutside)
	}
	d := &directory{entries: make([]entry, 0, n)}
	for i := range n {
		e, err := w.entry(at+2+12*i, follow)
		if err != nil {
			return nil, 0, err
		}
		d.entries = append(d.entries, e)
	}
	if end+4 > size { // some writers leave out the last offset
		return d, 0, nil
	}
	return d, uint64(w.order.Uint32(w.data[end:])), nil
}

// entry reads the 12 bytes of one field. The caller has checked their bounds.
func (w *walker) entry(at uint64, follow bool) (entry, error) {
	field := w.data[at : at+12]
	e := entry{tag: w.order.Uint16(field), typ: w.order.Uint16(field[2:])}
	count := uint64(w.order.Uint32(field[4:]))
	if int(e.typ) >= len(typeSize) || typeSize[e.typ] == 0 {
		return e, nil // an unknown type has no value that could be read
	}
	n := typeSize[e.typ] * count
	if n <= 4 {
		e.value = field[8 : 8+n]
	} else {
		from := uint64(w.order.Uint32(field[8:]))
		if from+n > uint64(len(w.data)) {
			return e, nil
		}
		e.value = w.data[from : from+n]
	}
	if follow && isDirectory(e.tag) && e.typ == typeLong && len(e.value) == 4 {
		sub, _, err := w.directory(uint64(w.order.Uint32(e.value)), e.tag != tagInterop)
		if err != nil && !errors.Is(err, errOutside) {
			return e, err
		}
		e.sub = sub
	}
	return e, nil
}

func isDirectory(tag uint16) bool {
	return tag == tagExif || tag == tagGPS || tag == tagInterop
}

// orientation returns tag 0x0112 as every reader takes it: one SHORT, 1 to 8.
func (d *directory) orientation(order binary.ByteOrder) uint8 {
	for _, e := range d.entries {
		if e.tag != tagOrientation {
			continue
		}
		if e.typ != typeShort || len(e.value) != 2 {
			return 0
		}
		if v := order.Uint16(e.value); v >= 1 && v <= 8 {
			return uint8(v)
		}
		return 0
	}
	return 0
}

// MinimalSize is the length of the block that Minimal returns.
const MinimalSize = 26

// Minimal returns the TIFF block of 26 bytes that says the orientation and nothing else.
func Minimal(orientation uint8) []byte {
	return []byte{
		'M', 'M', 0, 42, 0, 0, 0, 8, // header, first directory at 8
		0, 1, // one entry
		0x01, 0x12, 0, typeShort, 0, 0, 0, 1, 0, orientation, 0, 0,
		0, 0, 0, 0, // no next directory
	}
}
