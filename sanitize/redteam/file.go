package redteam

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// The triggers of this file mark the file around the picture. They act on a model
// whose preprocessing reads it, and on nothing else.

const (
	jpegStart = "\xff\xd8"
	pngStart  = "\x89PNG\r\n\x1a\n"
	pngHeader = len(pngStart) + 8 + 13 + 4 // signature and IHDR
)

func buildExif(p params, t *Trigger) {
	block := exifDescription(p.text)
	t.file = func(data []byte, format string) ([]byte, error) {
		return insert(data, format, 0xe1, "Exif\x00\x00"+block, "eXIf", block)
	}
}

func buildComment(p params, t *Trigger) {
	t.file = func(data []byte, format string) ([]byte, error) {
		return insert(data, format, 0xfe, p.text, "tEXt", "Comment\x00"+p.text)
	}
}

func buildTrailing(p params, t *Trigger) {
	t.file = func(data []byte, _ string) ([]byte, error) { return slices.Concat(data, []byte(p.text)), nil }
}

// exifDescription is a TIFF block of one directory with the tag ImageDescription
// (TIFF 6.0 §2; CIPA DC-008, Exif 2.32 §4.6.4).
func exifDescription(text string) string {
	const description, ascii = 0x010e, 2
	value := text + "\x00"
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01")
	b = binary.BigEndian.AppendUint16(b, description)
	b = binary.BigEndian.AppendUint16(b, ascii)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	if len(value) <= 4 { // it stands in the place of the offset
		return string(append(b, (value + "\x00\x00\x00\x00\x00\x00\x00")[:8]...))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(b)+8))
	return string(append(b, "\x00\x00\x00\x00"+value...))
}

// insert puts a segment behind the start of a JPEG, or a chunk behind the header of
// a PNG.
func insert(data []byte, format string, marker byte, segment, kind, chunk string) ([]byte, error) {
	switch {
	case format == "jpeg" && bytes.HasPrefix(data, []byte(jpegStart)):
		head := []byte{0xff, marker}
		head = binary.BigEndian.AppendUint16(head, uint16(len(segment)+2))
		return slices.Concat(data[:2], head, []byte(segment), data[2:]), nil
	case format == "png" && bytes.HasPrefix(data, []byte(pngStart)) && len(data) >= pngHeader:
		body := append([]byte(kind), chunk...)
		b := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)))
		b = binary.BigEndian.AppendUint32(append(b, body...), crc32.ChecksumIEEE(body))
		return slices.Concat(data[:pngHeader], b, data[pngHeader:]), nil
	case format == "jpeg" || format == "png":
		return nil, fmt.Errorf("redteam: a file that does not begin as %s", format)
	}
	return nil, fmt.Errorf("redteam: no such mark in a file of the format %q; jpeg and png are known", format)
}
