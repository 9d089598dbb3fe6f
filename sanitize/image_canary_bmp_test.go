package sanitize_test

import (
	"encoding/binary"
	"strings"

	"weir/sanitize"
)

var _ = registerPlaces(sanitize.FormatBMP, bmpPlaces()...)

// bmpParts are the parts of a BMP file of 8 × 4 pixels.
type bmpParts struct {
	reserved string // 4 bytes
	bits     int
	method   uint32
	size     uint32 // of the second header
	length   uint32 // of the pixels, as the header says
	fields   string // resolution, number of colours and of important ones, 16 bytes
	extended string // the header behind its first 40 bytes
	palette  string
	gap      string
	pixels   string
	tail     string
}

// bmpFile puts the parts together.
func bmpFile(p bmpParts) string {
	long := func(v int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(v))) }
	if p.reserved == "" {
		p.reserved = strings.Repeat("\x00", 4)
	}
	if p.fields == "" {
		p.fields = strings.Repeat("\x00", 16)
	}
	if p.size == 0 {
		p.size = 40
	}
	header := long(int(p.size)) + long(8) + long(4) + string([]byte{1, 0, byte(p.bits), 0}) + long(int(p.method)) + long(int(p.length)) + p.fields
	if n := int(p.size) - len(header); n > 0 {
		header += (p.extended + strings.Repeat("\x00", n))[:n]
	}
	before := header + p.palette + p.gap
	whole := 14 + len(before) + len(p.pixels)
	return "BM" + long(whole) + p.reserved + long(14+len(before)) + before + p.pixels + p.tail
}

// bmpIndexed is a picture of the first four colours of a palette.
func bmpIndexed(palette string) bmpParts {
	colours := "\x10\x20\x30\x00\x40\x50\x60\x00\x70\x80\x90\x00\xA0\xB0\xC0\x00"
	return bmpParts{bits: 8, palette: (colours + palette + strings.Repeat("\x00", 1024))[:1024],
		pixels: strings.Repeat("\x00\x01\x02\x03\x03\x02\x01\x00", 4)}
}

// bmpDeep is a picture of 24 bits a pixel, or 32 with that fourth byte.
func bmpDeep(fourth string) bmpParts {
	return bmpParts{bits: 24 + 8*len(fourth), pixels: strings.Repeat("\x10\x20\x30"+fourth, 8*4)}
}

// spreadOut puts three zeros before each letter.
func spreadOut(text string) string {
	out := ""
	for _, c := range text {
		out += "\x00\x00\x00" + string(c)
	}
	return out
}

func bmpPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) *place {
		out = append(out, place{name: name, refuse: refuse, build: build})
		return &out[len(out)-1]
	}
	addBMPHeader(add)
	addBMPPixels(add)
	return out
}

// addBMPHeader adds places before the pixels.
func addBMPHeader(add addPlace) {
	add("reserved fields", "", func(m string) string {
		p := bmpDeep("")
		p.reserved = m[:4]
		return bmpFile(p)
	}).absent = "CANA"
	add("file size", "", func(m string) string { return "BM" + m[:4] + bmpFile(bmpDeep(""))[6:] }).absent = "CANA"
	add("length of the pixels", "", func(m string) string {
		p := bmpDeep("")
		p.length = binary.LittleEndian.Uint32([]byte(m))
		return bmpFile(p)
	}).absent = "CANA"
	add("resolution", "", func(m string) string {
		p := bmpDeep("")
		p.fields = m[:8] + strings.Repeat("\x00", 8)
		return bmpFile(p)
	})
	add("important colours", "", func(m string) string {
		p := bmpDeep("")
		p.fields = strings.Repeat("\x00", 8) + m[:8]
		return bmpFile(p)
	})
	add("colour space", "", func(m string) string {
		p := bmpDeep("")
		p.size, p.extended = 108, strings.Repeat("\x00", 16)+"\x00\x00\x00\x00"+m
		return bmpFile(p)
	})
	add("colour space with alpha", "", func(m string) string {
		p := bmpDeep("\xFF")
		p.size, p.method, p.extended = 108, 3, "\x00\x00\xFF\x00\x00\xFF\x00\x00\xFF\x00\x00\x00\x00\x00\x00\xFFBGRs"+m
		return bmpFile(p)
	})
	add("profile", "", func(m string) string {
		p := bmpDeep("")
		p.size, p.extended = 124, strings.Repeat("\x00", 16)+"DEBM"+strings.Repeat("\x00", 52)+"\xDA\x00\x00\x00\x0E\x00\x00\x00"
		p.tail = m
		return bmpFile(p)
	})
	add("masks without use", "", func(m string) string {
		p := bmpDeep("")
		p.size, p.extended = 108, m
		return bmpFile(p)
	})
	add("gap before the pixels", "", func(m string) string {
		p := bmpDeep("")
		p.gap = m
		return bmpFile(p)
	})
	add("palette unused entries", "", func(m string) string { return bmpFile(bmpIndexed(m)) })
	add("palette of true colour", "", func(m string) string {
		p := bmpDeep("")
		p.fields, p.palette = strings.Repeat("\x00", 8)+"\x04\x00\x00\x00\x00\x00\x00\x00", (m + "\x00\x00")[:16]
		return bmpFile(p)
	})
	add("palette reserved bytes", "", func(m string) string { return bmpFile(bmpIndexed(spreadOut(m[:6]))) }).absent = spreadOut("CANARY")
	add("before the signature", sanitize.ImageFormatUnknown, func(m string) string { return m + bmpFile(bmpDeep("")) })
}

// addBMPPixels adds places within and behind the pixels.
func addBMPPixels(add addPlace) {
	add("row padding", "", func(m string) string {
		p := bmpParts{bits: 24, pixels: strings.Repeat(strings.Repeat("\x10", 24), 4)}
		whole := bmpFile(p)
		narrow := []byte(whole)
		narrow[18] = 6 // 18 bytes a row, padded to 20
		return string(narrow[:54]) + strings.Repeat(strings.Repeat("\x10", 18)+m[:2], 4)
	}).absent = "CA"
	add("pad bits", "", func(m string) string {
		p := bmpParts{bits: 1, palette: "\x10\x20\x30\x00\x40\x50\x60\x00", pixels: strings.Repeat("\xA5\x00\x00\x00", 4)}
		narrow := []byte(bmpFile(p))
		narrow[18] = 4
		return string(narrow)
	}).absent = "\xA5"
	add("fourth byte", "", func(m string) string {
		p := bmpDeep("\x00")
		p.pixels = spreadOut(m[:6]) + p.pixels[24:]
		return bmpFile(p)
	}).absent = spreadOut("CANARY")
	add("fourth byte beside masks", sanitize.ImageUnsupported, func(m string) string {
		p := bmpDeep("\x00")
		p.method, p.gap, p.pixels = 3, "\x00\x00\xFF\x00\x00\xFF\x00\x00\xFF\x00\x00\x00", spreadOut(m[:6])+p.pixels[24:]
		return bmpFile(p)
	}).absent = spreadOut("CANARY")
	add("bit behind 5-5-5", "", func(m string) string {
		return bmpFile(bmpParts{bits: 16, pixels: strings.Repeat("\x11\x91", 8*4)})
	}).absent = "\x11\x91"
	add("data behind the pixels", "", func(m string) string {
		p := bmpIndexed("")
		p.tail = m
		return bmpFile(p)
	})
	add("behind the run lengths", "", func(m string) string {
		p := bmpIndexed("")
		p.method, p.pixels = 1, strings.Repeat("\x08\x01\x00\x00", 4)+"\x00\x01"+m
		return bmpFile(p)
	})
	add("padding of run lengths", "", func(m string) string {
		p := bmpIndexed("")
		p.method, p.pixels = 1, strings.Repeat("\x00\x07\x01\x01\x01\x01\x01\x01\x01C\x01\x02\x00\x00", 4)+"\x00\x01"
		return bmpFile(p)
	}).absent = "\x01C\x01"
	add("delta of run lengths", sanitize.ImageUnsupported, func(m string) string {
		p := bmpIndexed("")
		p.method, p.pixels = 1, "\x00\x02"+m[:2]+strings.Repeat("\x08\x01\x00\x00", 4)+"\x00\x01"+m
		return bmpFile(p)
	})
	add("PNG payload", sanitize.ImageUnsupported, func(m string) string {
		return bmpFile(bmpParts{method: 5, pixels: "\x89PNG\r\n\x1a\n" + m})
	})
	add("index without a colour", sanitize.ImageMalformed, func(m string) string {
		p := bmpIndexed("")
		p.fields, p.palette = strings.Repeat("\x00", 8)+"\x04\x00\x00\x00\x00\x00\x00\x00", p.palette[:16]
		p.pixels = m[:8] + p.pixels[8:]
		return bmpFile(p)
	})
	add("colour under alpha 0", "", func(m string) string {
		p := bmpDeep("\xFF")
		p.size, p.method, p.extended = 108, 3, "\x00\x00\xFF\x00\x00\xFF\x00\x00\xFF\x00\x00\x00\x00\x00\x00\xFFBGRs"
		p.pixels = m[2:3] + m[1:2] + m[:1] + "\x00" + m[5:6] + m[4:5] + m[3:4] + "\x00" + p.pixels[8:]
		return bmpFile(p)
	}).underAlpha0 = true
}
