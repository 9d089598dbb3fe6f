package sanitize

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// SniffImage names the image format that data begins with: "jpeg", "png", "gif",
// "webp", "bmp", "tiff", "avif", "heic", or "" for none of these. It looks at no
// more than the first 64 bytes, and at what has to be there rather than at names or
// media types. A file may still be malformed.
func SniffImage(data []byte) string {
	head := data[:min(len(data), 64)]
	switch {
	case bytes.HasPrefix(head, []byte("\xFF\xD8\xFF")):
		return FormatJPEG
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return FormatPNG
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "gif"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "webp"
	case isTIFF(head):
		return "tiff"
	case isBMP(head):
		return "bmp"
	}
	return isoBrand(head)
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
func isBMP(head []byte) bool {
	if len(head) < 18 || string(head[:2]) != "BM" {
		return false
	}
	sizes := []uint32{12, 16, 40, 52, 56, 64, 108, 124}
	return slices.Contains(sizes, binary.LittleEndian.Uint32(head[14:]))
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
