package sanitize_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"weir/sanitize"
)

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

var _ = registerPlaces(sanitize.FormatPNG, pngPlaces()...)

func pngPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) {
		out = append(out, place{name: name, build: build, refuse: refuse})
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
	add("eXIf block", "", func(m string) string { return pngFile(8, 0, chunk("eXIf", tiffBlock(m)), greyRows()) })
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
	add("PLTE beyond the depth", sanitize.ImageMalformed, func(m string) string {
		return pngFile(1, 3, chunk("PLTE", "ABCDEF"+m+"X"), strings.Repeat("\x00\x00\x00\x00\x00", 4))
	})
	add("tRNS unused entries", "", func(m string) string {
		return pngFile(8, 3, chunk("PLTE", strings.Repeat("ABC", 20))+chunk("tRNS", "\xFF\xFF"+m), indices)
	})
	add("tRNS of an alpha type", sanitize.ImageMalformed, func(m string) string {
		return pngFile(8, 4, chunk("tRNS", m), strings.Repeat("\x00"+strings.Repeat("\x55", 64), 4))
	})
	add("CRC", sanitize.ImageMalformed, func(m string) string {
		whole := pngFile(8, 0, chunk("tEXt", "a\x00"+m), greyRows())
		at := strings.Index(whole, m) + len(m)
		return whole[:at] + m[:4] + whole[at+4:]
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
	for _, hidden := range []struct {
		name          string
		depth, colour byte
		pixel         int // bytes of colour
	}{{"grey 8", 8, 4, 1}, {"grey 16", 16, 4, 2}, {"RGB 8", 8, 6, 3}, {"RGB 16", 16, 6, 6}} {
		add("colour under alpha 0, "+hidden.name, "", func(m string) string {
			row := "\x00"
			for i := range 32 {
				for j := range hidden.pixel {
					row += string(m[(i*hidden.pixel+j)%len(m)])
				}
				row += strings.Repeat("\x00", int(hidden.depth)/8)
			}
			return pngFile(hidden.depth, hidden.colour, "", strings.Repeat(row, 4))
		})
		out[len(out)-1].underAlpha0 = true
	}
	add("palette colour under alpha 0", "", func(m string) string {
		row := "\x00\x00\x01\x02\x03" + strings.Repeat("\x04", 28)
		return pngFile(8, 3, chunk("PLTE", m+"X")+chunk("tRNS", strings.Repeat("\x00", 5)), strings.Repeat(row, 4))
	})
	out[len(out)-1].underAlpha0 = true
	return out
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
