package sanitize_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/sanitize"
)

// fixture is a source file, for places that are built before any test runs.
func fixture(name string) string {
	data, err := os.ReadFile(filepath.Join(imageDir, name))
	if err != nil {
		panic(err)
	}
	return string(data)
}

// segment is one JPEG segment.
func segment(marker byte, payload string) string {
	return string([]byte{0xFF, marker, byte((len(payload) + 2) >> 8), byte(len(payload) + 2)}) + payload
}

// tiffBlock is an Exif block with the mark in IFD0, in the Exif and GPS directories,
// in a thumbnail of IFD1 and in a gap between them.
func tiffBlock(m string) string {
	text := m + "\x00"
	for len(text)%2 != 0 {
		text += "\x00"
	}
	be := binary.BigEndian
	entry := func(tag, typ uint16, count, value uint32) []byte {
		b := be.AppendUint16(be.AppendUint16(nil, tag), typ)
		return be.AppendUint32(be.AppendUint32(b, count), value)
	}
	n := uint32(len(text))
	const ifd0, exifIFD, gps, ifd1, heap = 8, 8 + 2 + 5*12 + 4, 74 + 2 + 2*12 + 4, 104 + 2 + 12 + 4, 122 + 2 + 2*12 + 4
	out := []byte("MM\x00*\x00\x00\x00\x08")
	add := func(entries [][]byte, next uint32) {
		out = be.AppendUint16(out, uint16(len(entries)))
		out = append(out, bytes.Join(entries, nil)...)
		out = be.AppendUint32(out, next)
	}
	add([][]byte{entry(0x010E, 2, n, heap), entry(0x010F, 2, n, heap), entry(0x0112, 3, 1, 6<<16),
		entry(0x8769, 4, 1, exifIFD), entry(0x8825, 4, 1, gps)}, ifd1)
	add([][]byte{entry(0x9286, 7, n, heap), entry(0x927C, 7, n, heap)}, 0)
	add([][]byte{entry(0x001B, 7, n, heap)}, 0)
	add([][]byte{entry(0x0201, 4, 1, heap+n), entry(0x0202, 4, 1, n)}, 0)
	if len(out) != heap {
		panic("the directories are laid out wrongly")
	}
	return string(out) + text + text + m
}

// jpegSegments are the segments that may stand before SOF, with the mark at %s.
var jpegSegments = []struct {
	place  string
	marker byte
	format string
}{
	{"APP0 JFXX JPEG thumbnail", 0xE0, "JFXX\x00\x10%s"}, {"APP0 JFXX palette", 0xE0, "JFXX\x00\x11%s"},
	{"APP0 JFXX RGB", 0xE0, "JFXX\x00\x13\x01\x01%s"}, {"APP0 CIFF", 0xE0, "II\x1a\x00\x00\x00HEAPJPGM%s"},
	{"APP0 AVI1", 0xE0, "AVI1%s"}, {"APP0 Ocad", 0xE0, "Ocad%s"}, {"APP0 short JFIF", 0xE0, "JFIF\x00%.6s"},
	{"APP1 XMP", 0xE1, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>%s</x:xmpmeta>"},
	{"APP1 extended XMP", 0xE1, "http://ns.adobe.com/xmp/extension/\x00%s"}, {"APP1 QVCI", 0xE1, "QVCI\x00%s"},
	{"APP1 FLIR", 0xE1, "FLIR\x00%s"}, {"APP1 PARROT", 0xE1, "PARROT\x00%s"},
	{"APP1 malformed Exif", 0xE1, "Exif\x00\x00%s"}, {"APP1 unknown", 0xE1, "%s"},
	{"APP2 ICC", 0xE2, "ICC_PROFILE\x00\x01\x01%s"}, {"APP2 FPXR", 0xE2, "FPXR\x00%s"}, {"APP2 MPF", 0xE2, "MPF\x00%s"},
	{"APP2 urn", 0xE2, "urn:iso:std:iso:ts:21496:-1\x00%s"}, {"APP3 Meta", 0xE3, "Meta\x00\x00%s"},
	{"APP3 Stim", 0xE3, "Stim\x00%s"}, {"APP3 JPS", 0xE3, "_JPSJPS_%s"}, {"APP4 Scalado", 0xE4, "SCALADO\x00%s"},
	{"APP5 RMETA", 0xE5, "RMETA\x00%s"}, {"APP6 GoPro", 0xE6, "GoPro\x00%s"}, {"APP7 Pentax", 0xE7, "PENTAX \x00%s"},
	{"APP8 SPIFF", 0xE8, "SPIFF\x00%s"}, {"APP9 MediaJukebox", 0xE9, "Media Jukebox\x00%s"},
	{"APP10 comment", 0xEA, "UNICODE\x00%s"}, {"APP11 JUMBF C2PA", 0xEB, "JP\x00\x01\x00\x00\x00\x01jumbc2pa%s"},
	{"APP12 Ducky", 0xEC, "Ducky%s"}, {"APP13 Photoshop IRB", 0xED, "Photoshop 3.0\x008BIM\x04\x04%s"},
	{"APP13 Adobe_CM", 0xED, "Adobe_CM\x00%s"}, {"APP14 other", 0xEE, "%s"}, {"APP15", 0xEF, "%s"}, {"COM", 0xFE, "%s"},
}

var _ = registerPlaces(sanitize.FormatJPEG, jpegPlaces()...)

func jpegPlaces() []place {
	base := fixture("baseline420.jpg")
	restart := fixture("restart.jpg")
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) {
		out = append(out, place{name: name, build: build, refuse: refuse})
	}
	before := func(marker, insert string) string { return strings.Replace(base, marker, insert+marker, 1) }
	for _, p := range jpegSegments {
		add(p.place, "", func(m string) string { return before("\xFF\xDB", segment(p.marker, fmt.Sprintf(p.format, m))) })
		add(p.place+" after the scan", "", func(m string) string {
			return strings.TrimSuffix(base, "\xFF\xD9") + segment(p.marker, fmt.Sprintf(p.format, m)) + "\xFF\xD9"
		})
	}
	add("APP0 JFIF thumbnail", "", func(m string) string {
		return before("\xFF\xDB", segment(0xE0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x05"+m+"X"))
	})
	add("APP1 Exif", "", func(m string) string { return before("\xFF\xDB", segment(0xE1, "Exif\x00\x00"+tiffBlock(m))) })
	add("APP1 second Exif", "", func(m string) string {
		return before("\xFF\xDB", segment(0xE1, "Exif\x00\x00"+tiffBlock("nothing"))+segment(0xE1, "Exif\x00\x00"+tiffBlock(m)))
	})
	add("APP14 Adobe tail", "", func(m string) string {
		return before("\xFF\xDB", segment(0xEE, "Adobe\x00\x64\x00\x00\x00\x00\x01"+m))
	})
	add("APP14 Adobe flags", "", func(m string) string { return before("\xFF\xDB", segment(0xEE, "Adobe"+m[:6]+"\x01")) })
	add("DQT unused", "", func(m string) string {
		return before("\xFF\xC0", segment(0xDB, "\x03"+m+strings.Repeat("\x01", 64-len(m))))
	})
	add("DQT redefined", "", func(m string) string {
		return before("\xFF\xDB", segment(0xDB, "\x00"+m+strings.Repeat("\x01", 64-len(m))))
	})
	unused := func(id, m string) string {
		return segment(0xC4, id+"\x00\x00\x00\x00\x0E"+strings.Repeat("\x00", 11)+m)
	}
	add("DHT unused", "", func(m string) string {
		return strings.Replace(before("\xFF\xDA", unused("\x13", m)), "\xFF\xC0", "\xFF\xC1", 1)
	})
	add("DHT that baseline has not", sanitize.ImageMalformed, func(m string) string { return before("\xFF\xDA", unused("\x13", m)) })
	add("SOF component identifiers", "", func(m string) string {
		named := strings.Replace(base, "\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01", "\x03C\x22\x00A\x11\x01N\x11\x01", 1)
		return strings.Replace(named, "\x03\x01\x00\x02\x11\x03\x11", "\x03C\x00A\x11N\x11", 1)
	})
	out[len(out)-1].absent = "C\x22\x00A\x11\x01N"
	add("DHT redefined", "", func(m string) string { return before("\xFF\xC4", unused("\x10", m)) })
	add("DHT after the scan", "", func(m string) string {
		return strings.TrimSuffix(base, "\xFF\xD9") + unused("\x10", m) + "\xFF\xD9"
	})
	add("junk between segments", "", func(m string) string { return before("\xFF\xDB", m) })
	add("fill bytes and junk", "", func(m string) string { return before("\xFF\xC0", "\xFF\x00"+m+"\xFF\xFF\xFF") })
	add("after the last MCU", "", func(m string) string { return strings.TrimSuffix(base, "\xFF\xD9") + m + "\xFF\xD9" })
	add("before RST", "", func(m string) string { return strings.Replace(restart, "\xFF\xD0", m+"\xFF\xD0", 1) })
	add("after EOI", "", func(m string) string { return base + m })
	add("second image after EOI", "", func(m string) string { return base + before("\xFF\xDB", segment(0xFE, m)) })
	add("ZIP after EOI", "", func(m string) string { return base + "PK\x03\x04" + m })
	add("motion photo after EOI", "", func(m string) string { return base + "\x00\x00\x00\x18ftypmp42" + m })
	add("HTML after EOI", "", func(m string) string { return base + "<html><script>" + m + "</script>" })
	add("MPF and what it points at", "", func(m string) string {
		return before("\xFF\xDB", segment(0xE2, "MPF\x00"+tiffBlock(m))) + base + before("\xFF\xDB", segment(0xE1, m))
	})
	add("before SOI", sanitize.ImageFormatUnknown, func(m string) string { return m + base })
	for _, marker := range []byte{0x01, 0x02, 0xBF, 0xF0, 0xF7, 0xFD} {
		add(fmt.Sprintf("marker %02X", marker), sanitize.ImageMalformed, func(m string) string {
			return before("\xFF\xDB", segment(marker, m))
		})
	}
	for _, marker := range []byte{0xCC, 0xDC, 0xDE, 0xDF} {
		add(fmt.Sprintf("marker %02X", marker), sanitize.ImageUnsupported, func(m string) string {
			return before("\xFF\xDB", segment(marker, m))
		})
	}
	return out
}
