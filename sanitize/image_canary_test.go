package sanitize_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"weir/sanitize"
)

// canary is a file that hides a unique text in one place.
type canary struct {
	place  string
	format string
	mark   string
	data   []byte
	refuse sanitize.Reason // "" when the file must pass without the mark
	keeps  bool            // the one place that a lossless strip cannot clean
	absent string          // a chunk type that must be gone, for places too small for the mark
}

func (c canary) file() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, c.place)
	return name + "." + c.format
}

func canaries(t testing.TB) []canary {
	return append(jpegCanaries(t), pngCanaries(t)...)
}

func mark(place string) string { return fmt.Sprintf("CANARY%08X", crc32.ChecksumIEEE([]byte(place))) }

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

// jpegPlaces are the segments that may stand before SOF, with the mark at %s.
var jpegPlaces = []struct {
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

func jpegCanaries(t testing.TB) []canary {
	base := string(source(t, "baseline420.jpg"))
	restart := string(source(t, "restart.jpg"))
	var out []canary
	add := func(place string, refuse sanitize.Reason, build func(m string) string) {
		m := mark(place)
		data := build(m)
		if !strings.Contains(data, m[:6]) {
			t.Fatalf("%s: no mark in the file", place)
		}
		out = append(out, canary{place: place, format: "jpg", mark: m, data: []byte(data), refuse: refuse})
	}
	before := func(marker, insert string) string { return strings.Replace(base, marker, insert+marker, 1) }
	for _, p := range jpegPlaces {
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
	add("DHT unused", "", func(m string) string { return before("\xFF\xDA", unused("\x13", m)) })
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
	add("before SOI", sanitize.ImageFormatUnknown, func(m string) string { return m + base })
	for _, marker := range []byte{0x01, 0x02, 0xBF, 0xF0, 0xF7, 0xFD} {
		add(fmt.Sprintf("marker %02X", marker), sanitize.ImageMalformed, func(m string) string {
			return before("\xFF\xDB", segment(marker, m))
		})
	}
	for _, marker := range []byte{0xCC, 0xDE, 0xDF} {
		add(fmt.Sprintf("marker %02X", marker), sanitize.ImageUnsupported, func(m string) string {
			return before("\xFF\xDB", segment(marker, m))
		})
	}
	add("DNL", sanitize.ImageMalformed, func(m string) string {
		return strings.TrimSuffix(base, "\xFF\xD9") + segment(0xDC, m) + "\xFF\xD9"
	})
	return out
}

func chunk(name, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	b = append(b, name+payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

func deflate(raw string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	io.WriteString(w, raw)
	w.Close()
	return b.String()
}

// pngFile is 32 × 4 pixels. rows are the filtered rows; extra goes before IDAT.
func pngFile(depth, colour byte, extra, rows string) string {
	return pngHead(depth, colour) + extra + chunk("IDAT", deflate(rows)) + chunk("IEND", "")
}

func pngHead(depth, colour byte) string {
	return "\x89PNG\r\n\x1a\n" + chunk("IHDR", string([]byte{0, 0, 0, 32, 0, 0, 0, 4, depth, colour, 0, 0, 0}))
}

func greyRows() string { return strings.Repeat("\x00"+strings.Repeat("\x55", 32), 4) }

// droppedChunks hide the mark at %s in an ancillary chunk.
var droppedChunks = []struct{ name, format string }{
	{"tEXt", "Comment\x00%s"}, {"tEXt", "Raw profile type exif\x00\nexif\n      12\n%s"},
	{"iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00%s"}, {"tIME", "%.7s"}, {"sPLT", "%s\x00\x08"},
	{"hIST", "%s"}, {"bKGD", "%.2s"}, {"pHYs", "%.9s"}, {"oFFs", "%.9s"}, {"pCAL", "%s"}, {"sCAL", "%s"},
	{"sTER", "%s"}, {"gIFg", "%s"}, {"gIFx", "%s"}, {"gIFt", "%s"}, {"fRAc", "%s"}, {"dSIG", "%s"}, {"caBX", "%s"},
	{"tXMP", "%s"}, {"iDOT", "%s"}, {"vpAg", "%s"}, {"orNT", "%s"}, {"mkBF", "%s"}, {"mkTS", "%s"},
	{"mkBS", "%s"}, {"prVW", "%s"}, {"cpIp", "%s"}, {"meTa", "%s"}, {"gdAT", "%s"}, {"seAl", "%s"}, {"zxIf", "%s"},
	{"prIv", "%s"}, {"abCd", "%s"}, {"gAMA", "%.4s"}, {"cHRM", "%[1]s%[1]s%.4[1]s"}, {"sRGB", "%s"}, {"sBIT", "%.1s"},
	{"cICP", "%.4s"}, {"mDCV", "%[1]s%.10[1]s"}, {"cLLI", "%.8s"}, {"iCCP", "%s\x00\x00"}, {"eXIf", "%s"},
}

func pngCanaries(t testing.TB) []canary {
	var out []canary
	add := func(place string, refuse sanitize.Reason, build func(m string) string) {
		m := mark(place)
		out = append(out, canary{place: place, format: "png", mark: m, data: []byte(build(m)), refuse: refuse})
	}
	for i, c := range droppedChunks {
		place := fmt.Sprintf("%s %d", c.name, i)
		add(place, "", func(m string) string { return pngFile(8, 0, chunk(c.name, fmt.Sprintf(c.format, m)), greyRows()) })
		add(place+" after IDAT", "", func(m string) string {
			whole := pngFile(8, 0, "", greyRows())
			return strings.TrimSuffix(whole, chunk("IEND", "")) + chunk(c.name, fmt.Sprintf(c.format, m)) + chunk("IEND", "")
		})
		out[len(out)-1].absent, out[len(out)-2].absent = c.name, c.name
	}
	add("eXIf", "", func(m string) string { return pngFile(8, 0, chunk("eXIf", tiffBlock(m)), greyRows()) })
	add("zTXt", "", func(m string) string { return pngFile(8, 0, chunk("zTXt", "Comment\x00\x00"+deflate(m)), greyRows()) })
	add("iTXt compressed", "", func(m string) string {
		return pngFile(8, 0, chunk("iTXt", "Comment\x00\x01\x00\x00\x00"+deflate(m)), greyRows())
	})
	add("iCCP profile", "", func(m string) string { return pngFile(8, 0, chunk("iCCP", "icc\x00\x00"+deflate(m)), greyRows()) })
	add("PLTE suggested", "", func(m string) string {
		return pngFile(8, 2, chunk("PLTE", m+"X"), strings.Repeat("\x00"+strings.Repeat("\x55", 96), 4))
	})
	indices := strings.Repeat("\x00"+strings.Repeat("\x01", 32), 4)
	add("PLTE unused entries", "", func(m string) string { return pngFile(8, 3, chunk("PLTE", "ABCDEF"+m+"X"), indices) })
	add("PLTE beyond the depth", "", func(m string) string {
		return pngFile(1, 3, chunk("PLTE", "ABCDEF"+m+"X"), strings.Repeat("\x00\x00\x00\x00\x00", 4))
	})
	add("tRNS unused entries", "", func(m string) string {
		return pngFile(8, 3, chunk("PLTE", strings.Repeat("ABC", 20))+chunk("tRNS", "\xFF\xFF"+m), indices)
	})
	add("tRNS of an alpha type", "", func(m string) string {
		return pngFile(8, 4, chunk("tRNS", m), strings.Repeat("\x00"+strings.Repeat("\x55", 64), 4))
	})
	add("after IEND", "", func(m string) string { return pngFile(8, 0, "", greyRows()) + m })
	add("after the zlib stream", "", func(m string) string {
		return pngHead(8, 0) + chunk("IDAT", deflate(greyRows())+m) + chunk("IEND", "")
	})
	add("IDAT after the zlib stream", "", func(m string) string {
		return pngHead(8, 0) + chunk("IDAT", deflate(greyRows())) + chunk("IDAT", m) + chunk("IEND", "")
	})
	add("rows beyond the last", sanitize.ImageMalformed, func(m string) string { return pngFile(8, 0, "", greyRows()+m) })
	add("IEND payload", sanitize.ImageMalformed, func(m string) string {
		return pngHead(8, 0) + chunk("IDAT", deflate(greyRows())) + chunk("IEND", m)
	})
	add("critical chunk", sanitize.ImageMalformed, func(m string) string { return pngFile(8, 0, chunk("QQQQ", m), greyRows()) })
	add("CgBI", sanitize.ImageMalformed, func(m string) string { return pngFile(8, 0, chunk("CgBI", m), greyRows()) })
	add("second IHDR", sanitize.ImageMalformed, func(m string) string { return pngFile(8, 0, chunk("IHDR", m[:13]), greyRows()) })
	add("second PLTE", sanitize.ImageMalformed, func(m string) string {
		return pngFile(8, 3, chunk("PLTE", "ABCDEF")+chunk("PLTE", m+"X"), indices)
	})
	for _, name := range []string{"acTL", "fcTL", "fdAT"} {
		add(name, sanitize.ImageTooManyFrames, func(m string) string { return pngFile(8, 0, chunk(name, m), greyRows()) })
	}
	add("before the signature", sanitize.ImageFormatUnknown, func(m string) string { return m + pngFile(8, 0, "", greyRows()) })
	add("colour under alpha 0", "", func(m string) string {
		row := "\x00"
		for i := range 32 {
			row += string(m[i%len(m)]) + "\x00"
		}
		return pngFile(8, 4, "", strings.Repeat(row, 4))
	})
	out[len(out)-1].keeps = true
	return out
}

func stripOrRefuse(t testing.TB, data []byte) ([]byte, error) {
	t.Helper()
	out, _, err := sanitize.Image(context.Background(), data, sanitize.ImageOptions{})
	return out, err
}

// TestCanaries: no place hides its mark from strip, but colour under alpha 0, which
// is a sample like any other to who reads RGBA.
func TestCanaries(t *testing.T) {
	all := canaries(t)
	if len(all) < 150 {
		t.Fatalf("only %d places", len(all))
	}
	for _, c := range all {
		t.Run(c.format+" "+c.place, func(t *testing.T) {
			out, err := stripOrRefuse(t, c.data)
			if c.refuse != "" {
				wantRefusal(t, err, c.refuse)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if where := find(out, c.mark); (where != "") != c.keeps {
				t.Errorf("mark found: %q", where)
			}
			if c.absent != "" && bytes.Contains(out, []byte(c.absent)) {
				t.Errorf("%s is still there", c.absent)
			}
			again, err := stripOrRefuse(t, out)
			if err != nil || !bytes.Equal(out, again) {
				t.Errorf("strip is not idempotent: %v", err)
			}
		})
	}
}

// find looks for the first six letters of a mark, which is as much as fits in the
// smallest places, or in their absence for the letters with a byte between each: in
// the file, in every zlib stream in it, and in its hexadecimal digits.
func find(data []byte, m string) string {
	spread := []byte{}
	for _, c := range []byte(m[:6]) {
		spread = append(spread, c, 0)
	}
	texts := map[string][]byte{"raw": data}
	for i := range data {
		if data[i] == 0x78 {
			r := flate.NewReader(bytes.NewReader(data[min(i+2, len(data)):]))
			inflated, _ := io.ReadAll(io.LimitReader(r, 1<<20)) // damaged tails end the text
			texts[fmt.Sprintf("inflated at %d", i)] = inflated
		}
	}
	for where, text := range texts {
		for _, needle := range [][]byte{[]byte(m[:6]), spread, []byte(hex.EncodeToString([]byte(m[:6])))} {
			if bytes.Contains(bytes.ToLower(text), bytes.ToLower(needle)) {
				return where
			}
		}
	}
	return ""
}

// TestFind holds that the search sees what it should, so that its silence counts.
func TestFind(t *testing.T) {
	m := mark("find")
	for _, text := range []string{m, "x" + deflate("abc"+m), hex.EncodeToString([]byte(m)), "C\x00A\x00N\x00A\x00R\x00Y\x00"} {
		if find([]byte(text), m) == "" {
			t.Errorf("mark not found in %q", text)
		}
	}
	if where := find([]byte(deflate("nothing")), m); where != "" {
		t.Errorf("found in nothing: %s", where)
	}
}

// TestCanaryPictureDecodes holds that the base of the PNG places is a valid file.
func TestCanaryPictureDecodes(t *testing.T) {
	in := []byte(pngFile(8, 0, "", greyRows()))
	want := slices.Repeat([]byte{0x55}, 32*4)
	out, _ := strip(t, in)
	if got := samples(t, out, "L"); !bytes.Equal(got, want) {
		t.Errorf("samples %x", got)
	}
	if !bytes.Contains(out, binary.BigEndian.AppendUint32(nil, adler32.Checksum([]byte(greyRows())))) {
		t.Error("the zlib stream was not copied")
	}
}
