package sanitize_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"weir/sanitize"
)

var _ = registerPlaces(sanitize.FormatTIFF, tiffPlaces()...)

// tiffTag is an entry with its values as they are stored, little-endian.
type tiffTag struct {
	tag, typ uint16
	values   string
}

func shorts(values ...uint16) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return string(b)
}

func longs(values ...uint32) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return string(b)
}

// tiffParts are the parts of a TIFF file of one strip or tile.
type tiffParts struct {
	tags  []tiffTag
	gap   string // between the values and the strip
	strip string
	tail  string
	next  string // a further directory, behind the tail
}

// tiffPicture has 8 × 4 pixels of that many bits and samples. More tags replace those
// of the same number.
func tiffPicture(bits, photometric uint16, samples int, strip string, more ...tiffTag) tiffParts {
	tags := []tiffTag{{256, 4, longs(8)}, {257, 4, longs(4)}, {258, 3, shorts(slices.Repeat([]uint16{bits}, samples)...)},
		{259, 3, shorts(1)}, {262, 3, shorts(photometric)}, {277, 3, shorts(uint16(samples))}, {278, 4, longs(4)}}
	for _, m := range more {
		tags = slices.DeleteFunc(tags, func(t tiffTag) bool { return t.tag == m.tag })
		tags = append(tags, m)
	}
	return tiffParts{tags: tags, strip: strip}
}

// tiffRGB is the picture of most places.
func tiffRGB(more ...tiffTag) tiffParts {
	return tiffPicture(8, 2, 3, strings.Repeat("\x10\x20\x30", 8*4), more...)
}

// file puts the parts together: header, directory, values, gap, strip, tail, next.
func (p tiffParts) file() string {
	tags := slices.Clone(p.tags)
	offsets, counts := uint16(273), uint16(279)
	if slices.ContainsFunc(tags, func(t tiffTag) bool { return t.tag == 322 }) {
		offsets, counts = 324, 325
	}
	length := longs(uint32(len(p.strip)))
	tags = append(tags, tiffTag{offsets, 4, longs(0)}, tiffTag{counts, 4, length})
	slices.SortFunc(tags, func(a, b tiffTag) int { return int(a.tag) - int(b.tag) })
	sizes := map[uint16]int{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 99: 1}
	heap, at := "", 8+2+12*len(tags)+4
	for _, t := range tags {
		if len(t.values) > 4 {
			heap += t.values + strings.Repeat("\x00", len(t.values)%2)
		}
	}
	heapAt := at
	strip := at + len(heap) + len(p.gap)
	next := uint32(0)
	if p.next != "" {
		next = uint32(strip + len(p.strip) + len(p.tail))
	}
	out := "II*\x00\x08\x00\x00\x00" + shorts(uint16(len(tags)))
	for _, t := range tags {
		if t.tag == offsets {
			t.values = longs(uint32(strip))
		}
		out += shorts(t.tag, t.typ) + longs(uint32(len(t.values)/sizes[t.typ]))
		if len(t.values) <= 4 {
			out += (t.values + "\x00\x00\x00\x00")[:4]
			continue
		}
		out += longs(uint32(heapAt))
		heapAt += len(t.values) + len(t.values)%2
	}
	return out + longs(next) + heap + p.gap + p.strip + p.tail + p.next
}

// textTags hide the mark in their value.
var textTags = []struct {
	name string
	tag  uint16
	typ  uint16
}{
	{"DocumentName", 269, 2}, {"ImageDescription", 270, 2}, {"Make", 271, 2}, {"Model", 272, 2}, {"PageName", 285, 2},
	{"Software", 305, 2}, {"DateTime", 306, 2}, {"Artist", 315, 2}, {"HostComputer", 316, 2}, {"InkNames", 333, 2},
	{"TargetPrinter", 337, 2}, {"JPEGTables", 347, 7}, {"XMP", 700, 1}, {"Copyright", 33432, 2}, {"IPTC", 33723, 7},
	{"Photoshop", 34377, 1}, {"ICC profile", 34675, 7}, {"ImageSourceData", 37724, 7}, {"GDAL metadata", 42112, 2},
	{"C2PA", 0xCD41, 7}, {"private", 65000, 7}, {"unknown", 40001, 2},
}

func tiffPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) *place {
		out = append(out, place{name: name, refuse: refuse, build: build})
		return &out[len(out)-1]
	}
	for _, t := range textTags {
		add(fmt.Sprintf("tag %d %s", t.tag, t.name), "", func(m string) string {
			return tiffRGB(tiffTag{t.tag, t.typ, m + "\x00"}).file()
		})
	}
	addTIFFDirectories(add)
	addTIFFPixels(add)
	return out
}

// addTIFFDirectories adds places in directories and around them.
func addTIFFDirectories(add addPlace) {
	nested := func(m string) string { // a directory of one text, behind the strip
		return shorts(1) + shorts(0x9286, 7) + longs(4) + m[:4] + longs(0) + m
	}
	for _, t := range []struct {
		name string
		tag  uint16
	}{{"Exif", 34665}, {"GPS", 34853}, {"SubIFDs", 330}} {
		add(t.name+" directory", "", func(m string) string {
			p := tiffRGB(tiffTag{t.tag, 4, longs(0)})
			at := len(p.file())
			p = tiffRGB(tiffTag{t.tag, 4, longs(uint32(at))})
			p.tail = nested(m)
			return p.file()
		})
	}
	add("resolution", "", func(m string) string {
		return tiffRGB(tiffTag{282, 5, m[:8]}, tiffTag{283, 5, m[:8]}).file()
	})
	add("value within an entry", "", func(m string) string { return tiffRGB(tiffTag{65001, 7, m[:4]}).file() }).absent = "CANA"
	add("value of an unknown type", "", func(m string) string { return tiffRGB(tiffTag{65001, 99, m[:4]}).file() }).absent = "CANA"
	add("padding of a short value", "", func(m string) string {
		return strings.Replace(tiffRGB().file(), shorts(277, 3)+longs(1)+"\x03\x00\x00\x00", shorts(277, 3)+longs(1)+"\x03\x00CA", 1)
	}).absent = "\x03\x00CA"
	add("gap", "", func(m string) string {
		p := tiffRGB()
		p.gap = m
		return p.file()
	})
	add("behind the strip", "", func(m string) string {
		p := tiffRGB()
		p.tail = m
		return p.file()
	})
	second := func(m string) tiffParts {
		p := tiffRGB()
		p.next = shorts(1) + shorts(270, 2) + longs(4) + m[:4] + longs(0) + m
		return p
	}
	add("second page", sanitize.ImageTooManyFrames, func(m string) string { return second(m).file() })
	add("pages behind the first", "", func(m string) string { return second(m).file() }).options.Animation = sanitize.AnimationFirst
	add("second page, kept", sanitize.ImageUnsupported, func(m string) string { return second(m).file() }).options.Animation = sanitize.AnimationKeep
	add("BigTIFF", sanitize.ImageUnsupported, func(m string) string { return "II+\x00\x08\x00\x00\x00" + m })
	add("tag twice", sanitize.ImageMalformed, func(m string) string {
		p := tiffRGB()
		p.tags = append(p.tags, tiffTag{270, 2, m}, tiffTag{270, 2, m})
		return p.file()
	})
	add("before the signature", sanitize.ImageFormatUnknown, func(m string) string { return m + tiffRGB().file() })
}

// addTIFFPixels adds places in strips, tiles and the palette.
func addTIFFPixels(add addPlace) {
	pixels := strings.Repeat("\x10\x20\x30", 8*4)
	add("longer strip", "", func(m string) string {
		p := tiffRGB()
		p.strip += m
		return p.file()
	})
	add("behind the Deflate stream", "", func(m string) string {
		p := tiffRGB(tiffTag{259, 3, shorts(8)})
		p.strip = deflate(pixels) + m
		return p.file()
	})
	add("rows behind the last", sanitize.ImageMalformed, func(m string) string {
		p := tiffRGB(tiffTag{259, 3, shorts(8)})
		p.strip = deflate(pixels + m)
		return p.file()
	})
	add("runs behind the last row", sanitize.ImageMalformed, func(m string) string {
		p := tiffRGB(tiffTag{259, 3, shorts(32773)})
		p.strip = "\x5F" + pixels + string([]byte{byte(len(m) - 1)}) + m
		return p.file()
	})
	add("padding of a tile", "", func(m string) string {
		p := tiffRGB(tiffTag{322, 4, longs(32)}, tiffTag{323, 4, longs(32)})
		p.tags = slices.DeleteFunc(p.tags, func(t tiffTag) bool { return t.tag == 278 })
		row := strings.Repeat("\x10\x20\x30", 8)
		p.strip = strings.Repeat((row + m + strings.Repeat("\x00", 96))[:96], 32)
		return p.file()
	})
	add("pad bits", "", func(m string) string {
		p := tiffPicture(1, 1, 1, strings.Repeat("\xA5", 4), tiffTag{256, 4, longs(5)})
		return p.file()
	}).absent = "\xA5"
	colours := func(text string) string { return (text + strings.Repeat("\x00", 3*512))[:3*512] }
	add("palette unused entries", "", func(m string) string {
		p := tiffPicture(8, 3, 1, strings.Repeat("\x00", 8*4), tiffTag{320, 3, colours("\x00\x10\x00\x20" + m)})
		return p.file()
	})
	add("lower bytes of the palette", "", func(m string) string {
		low := ""
		for _, c := range m[:6] {
			low += string(c) + "\x10"
		}
		return tiffPicture(8, 3, 1, strings.Repeat("\x00\x01\x02\x03\x04\x05\x00\x01", 4), tiffTag{320, 3, colours(low)}).file()
	}).absent = "C\x10A\x10N\x10A\x10R\x10Y"
	add("third channel of no kind", sanitize.ImageUnsupported, func(m string) string {
		return tiffPicture(8, 2, 4, strings.Repeat("\x10\x20\x30"+m[:1], 8*4), tiffTag{338, 3, shorts(0)}).file()
	}).absent = "\x10\x20\x30C"
	add("separate planes", sanitize.ImageUnsupported, func(m string) string {
		p := tiffRGB(tiffTag{284, 3, shorts(2)})
		p.strip = m + p.strip[len(m):]
		return p.file()
	})
	add("colour under alpha 0", "", func(m string) string {
		strip := m[:3] + "\x00" + m[3:6] + "\x00" + strings.Repeat("\x10\x20\x30\xFF", 8*4-2)
		return tiffPicture(8, 2, 4, strip, tiffTag{338, 3, shorts(2)}).file()
	}).underAlpha0 = true
}
