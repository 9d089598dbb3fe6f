package sanitize

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// SniffImage names the image format that data begins with: one of ImageFormats, or one
// that Weir does not read but OpenCV, Pillow and others do, "avif", "heic", "jp2" and so
// on; "" for none of these. It looks at no more than the first 64 bytes, and at what has
// to be there rather than at names or media types. A file may still be malformed.
func SniffImage(data []byte) string {
	head := data[:min(len(data), 64)]
	switch {
	case bytes.HasPrefix(head, []byte("\xFF\xD8\xFF")):
		return FormatJPEG
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return FormatPNG
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return FormatGIF
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return FormatWebP
	case isTIFF(head):
		return FormatTIFF
	case isBMP(head):
		return FormatBMP
	}
	for _, f := range unread {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.name
		}
	}
	return isoBrand(head)
}

// unread are formats that Weir does not read, with what their files begin with. Those of
// which that could well be a text or numbers (PNM, PCX, ICO, TGA) are not among them.
var unread = []struct{ magic, name string }{
	{"\x00\x00\x00\x0CjP  \r\n\x87\n", "jp2"},
	{"\xFF\x4F\xFF\x51\x00", "jp2"}, // its codestream alone
	{"\x00\x00\x00\x0CJXL \r\n\x87\n", "jxl"},
	{"#?RADIANCE\n", "hdr"},
	{"#?RGBE\n", "hdr"},
	{"\x76\x2F\x31\x01\x02\x00", "exr"},
	{"\x59\xA6\x6A\x95\x00", "ras"},
	{"8BPS\x00", "psd"},
	{"qoif\x00", "qoi"},
	{"DDS |\x00\x00\x00", "dds"},
}

// isTIFF knows TIFF 6.0 and BigTIFF.
func isTIFF(head []byte) bool {
	for _, magic := range []string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return false
}

// isBMP asks for a known header size, so that a text that begins with "BM" is none.
// OpenCV takes headers of every size from 36 bytes, of which it reads the depth and the
// compression: those have to be what it takes.
func isBMP(head []byte) bool {
	if len(head) < 18 || string(head[:2]) != "BM" {
		return false
	}
	size := binary.LittleEndian.Uint32(head[14:])
	switch size {
	case 12, 16, 40, 52, 56, 64, 108, 124:
		return true
	}
	if size < 36 || size > math.MaxInt32 || len(head) < 34 {
		return false
	}
	depth, compression := binary.LittleEndian.Uint16(head[28:]), binary.LittleEndian.Uint32(head[30:])
	return slices.Contains([]uint16{1, 4, 8, 15, 16, 24, 32}, depth) && compression <= 3
}

// isoBrand reads the brands of an ISO base media file (ISO/IEC 14496-12 §4.3). HEIF
// files share the brand mif1, so an AVIF brand anywhere in the list comes first.
func isoBrand(head []byte) string {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return ""
	}
	end := min(uint64(binary.BigEndian.Uint32(head)), uint64(len(head)))
	format := ""
	for at := uint64(8); at+4 <= end; at += 4 {
		switch string(head[at : at+4]) {
		case "avif", "avis":
			return "avif"
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			format = "heic"
		}
	}
	return format
}
