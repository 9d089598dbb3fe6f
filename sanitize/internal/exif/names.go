package exif

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/rwcarlsen/goexif/exif"
	"github.com/rwcarlsen/goexif/tiff"
)

// Found is what a block says, without any value but the orientation.
type Found struct {
	Orientation uint8 // 2 to 8; 0 when there is none, it is the default 1, or it is in doubt
	Names       []string
	Malformed   bool
}

// maxNames is how many names Describe lists.
const maxNames = 24

// Inspect reads a block as it stands in a file. The orientation counts only if
// the walker and goexif agree on it.
func Inspect(tiff []byte) Found {
	b, err := Parse(tiff)
	if err != nil {
		return Found{Malformed: true}
	}
	names, orientation, err := b.Names()
	if err != nil {
		return Found{Malformed: true}
	}
	f := Found{Names: names}
	if b.Orientation == orientation && orientation >= 2 {
		f.Orientation = orientation
	}
	return f
}

// Describe returns ": " and the names of the tags for a report.
func (f Found) Describe() string {
	switch n := len(f.Names); {
	case f.Malformed:
		return ": malformed"
	case n == 0:
		return ""
	case n > maxNames:
		return fmt.Sprintf(": %s and %d more", strings.Join(f.Names[:maxNames], ", "), n-maxNames)
	}
	return ": " + strings.Join(f.Names, ", ")
}

// Names returns the names of the tags in the block, sorted, and the orientation
// as goexif reads it (0 for none).
//
// goexif multiplies counts in 32 bits, so 26 hostile bytes make it allocate
// 12 GiB. It therefore reads only a copy written by rewrite, in which every value
// is a single element.
func (b *Block) Names() (names []string, orientation uint8, err error) {
	defer func() {
		if p := recover(); p != nil {
			names, orientation, err = nil, 0, fmt.Errorf("goexif panicked: %v", p)
		}
	}()
	x, err := exif.Decode(bytes.NewReader(b.rewrite()))
	if err != nil {
		return nil, 0, fmt.Errorf("goexif: %w", err)
	}
	var c collector
	if err := x.Walk(&c); err != nil {
		return nil, 0, fmt.Errorf("goexif: %w", err)
	}
	slices.Sort(c.names)
	if tag, err := x.Get(exif.Orientation); err == nil {
		if v, err := tag.Int(0); err == nil && v >= 1 && v <= 8 {
			orientation = uint8(v)
		}
	}
	return c.names, orientation, nil
}

type collector struct{ names []string }

func (c *collector) Walk(name exif.FieldName, _ *tiff.Tag) error {
	c.names = append(c.names, string(name))
	return nil
}

// rewrite lays the directories out anew, big-endian. Values are cut to their
// first element and, but for the orientation, zeroed: only which tags there are
// is of interest.
func (b *Block) rewrite() []byte {
	out := []byte{'M', 'M', 0, 42, 0, 0, 0, 8}
	for i, d := range b.directories {
		var next int
		out, next = b.appendDirectory(out, d)
		if i < len(b.directories)-1 {
			binary.BigEndian.PutUint32(out[next:], uint32(len(out)))
		}
	}
	return out
}

// appendDirectory writes d and what it points at. It returns the place of the
// offset of the next directory.
func (b *Block) appendDirectory(out []byte, d *directory) ([]byte, int) {
	var kept []entry
	for _, e := range d.entries {
		if len(e.value) > 0 && (e.sub != nil || !isDirectory(e.tag)) {
			kept = append(kept, e)
		}
	}
	start := len(out)
	next := start + 2 + 12*len(kept)
	out = append(out, make([]byte, 2+12*len(kept)+4)...)
	binary.BigEndian.PutUint16(out[start:], uint16(len(kept)))
	for i, e := range kept {
		at := start + 2 + 12*i
		binary.BigEndian.PutUint16(out[at:], e.tag)
		binary.BigEndian.PutUint16(out[at+2:], e.typ)
		binary.BigEndian.PutUint32(out[at+4:], 1)
		switch {
		case e.sub != nil:
			binary.BigEndian.PutUint32(out[at+8:], uint32(len(out)))
			out, _ = b.appendDirectory(out, e.sub)
		case typeSize[e.typ] > 4:
			binary.BigEndian.PutUint32(out[at+8:], uint32(len(out)))
			out = append(out, make([]byte, typeSize[e.typ])...)
		case e.tag == tagOrientation && e.typ == typeShort:
			binary.BigEndian.PutUint16(out[at+8:], b.order.Uint16(e.value))
		}
	}
	return out, next
}
