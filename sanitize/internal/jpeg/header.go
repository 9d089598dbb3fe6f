package jpeg

import (
	"bytes"
	"fmt"
	"strings"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
)

// header is what the application segments before the first scan decide.
type header struct {
	jfif      bool
	adobe     bool
	transform byte // of APP14: 0 none, 1 YCbCr, 2 YCCK
	exif      bool // the first APP1 Exif was seen

	last colourMarkers // as Go takes them: from anywhere, the last one counts
}

// colourMarkers are what APP0 and APP14 say of the colour space.
type colourMarkers struct {
	jfif, adobe bool
	transform   byte
}

// space is how three or four components become colours.
type space uint8

const (
	spaceYCC  space = iota // YCbCr, or YCCK
	spaceRGB               // RGB, or CMYK
	spaceNone              // four components of which nothing is known
)

// space is the colour space of a frame.
func (m colourMarkers) space(f *frame) space {
	switch {
	case len(f.components) == 1:
		return spaceYCC
	case len(f.components) == 4 && !m.adobe:
		return spaceNone
	case m.jfif && len(f.components) == 3:
		return spaceYCC
	case m.adobe && m.transform == 0, !m.adobe && f.spellsRGB():
		return spaceRGB
	}
	return spaceYCC
}

// Signatures of the segments that are read, and their lengths without marker.
const (
	sigJFIF  = "JFIF\x00"
	sigAdobe = "Adobe"
	sigExif  = "Exif\x00\x00"

	jfifLength  = 14
	adobeLength = 12
)

// segmentNames are the well-known payloads of application segments by their
// first bytes. Reports name them; the payload itself is never quoted.
var segmentNames = []struct {
	marker       byte
	prefix, name string
}{
	{0xE0, "JFXX\x00", "JFXX"}, {0xE0, "AVI1", "AVI1"},
	{0xE1, "http://ns.adobe.com/xap/", "XMP"}, {0xE1, "http://ns.adobe.com/xmp/ext", "extended XMP"},
	{0xE1, "FLIR", "FLIR"}, {0xE1, "Exif", "Exif"},
	{0xE2, "ICC_PROFILE\x00", "ICC profile"}, {0xE2, "MPF\x00", "MPF"}, {0xE2, "FPXR", "FPXR"},
	{0xE3, "Meta", "Meta"}, {0xE3, "_JPSJPS_", "JPS"}, {0xE6, "GoPro", "GoPro"},
	{0xE8, "SPIFF", "SPIFF"}, {0xEB, "JP", "JUMBF"}, {0xEC, "Ducky", "Ducky"},
	{0xED, "Photoshop 3.0", "Photoshop"}, {0xED, "Adobe_CM", "Adobe_CM"},
}

// application reads what APP0, APP1 and APP14 decide and drops the rest, COM too.
// After the first SOS these segments decide nothing (libjpeg has chosen the colour
// space by then).
func (s *stripper) application(marker byte, p []byte) error {
	size := len(p) + 4
	if err := s.budget.Metadata(size); err != nil {
		return err
	}
	early := s.scans == 0
	if early && len(p) < 7 && (marker == mAPP0 && bytes.HasPrefix(p, []byte("JFIF")) ||
		marker == mAPP14 && bytes.HasPrefix(p, []byte(sigAdobe))) { // Pillow fails
		return picture.Errorf(picture.Malformed, "APP%d of %d bytes", marker-mAPP0, len(p))
	}
	s.header.last.note(marker, p)
	switch {
	case marker == mAPP0 && early && len(p) >= jfifLength && string(p[:5]) == sigJFIF:
		if s.header.jfif {
			s.result.Remove("APP0 JFIF repeated", size)
		}
		s.header.jfif = true
		if string(p[:jfifLength-2]) != canonicalJFIF[:jfifLength-2] {
			s.result.Remove("APP0 JFIF version and density", jfifLength-2-len(sigJFIF))
		}
		s.result.Remove("APP0 JFIF thumbnail", len(p)-jfifLength)
	case marker == mAPP14 && early && len(p) >= adobeLength && string(p[:5]) == sigAdobe:
		if s.header.adobe {
			s.result.Remove("APP14 Adobe repeated", size)
		}
		s.header.adobe, s.header.transform = true, p[11]
		s.result.Remove("APP14 Adobe trailing bytes", len(p)-adobeLength)
	case marker == mAPP1 && early && !s.header.exif && bytes.HasPrefix(p, []byte(sigExif)):
		s.header.exif = true
		s.readExif(p)
	default:
		s.result.Remove(segmentName(marker, p), size)
	}
	return nil
}

// note takes what Go takes from a segment.
func (m *colourMarkers) note(marker byte, p []byte) {
	switch {
	case marker == mAPP0 && len(p) >= len(sigJFIF):
		m.jfif = bytes.HasPrefix(p, []byte(sigJFIF))
	case marker == mAPP14 && len(p) >= adobeLength && bytes.HasPrefix(p, []byte(sigAdobe)):
		m.adobe, m.transform = true, p[11]
	}
}

// seen are the markers as libjpeg takes them: from before the first scan.
func (h *header) seen() colourMarkers {
	return colourMarkers{jfif: h.jfif, adobe: h.adobe, transform: h.transform}
}

// checkColours refuses what libjpeg and Go show in different colours: markers that
// contradict each other or come too late; identifiers that spell RGB beside an APP14
// that says YCbCr; colours other than YCbCr and YCCK with subsampled components,
// which here are not chroma, and are scaled up in different ways.
func (s *stripper) checkColours() error {
	if len(s.frame.components) == 1 {
		return nil
	}
	seen, last := s.header.seen(), s.header.last
	is := seen.space(s.frame)
	switch {
	case is == spaceNone:
		return picture.Errorf(picture.Unsupported, "four components without APP14 Adobe")
	case is != last.space(s.frame), is == spaceYCC && !last.jfif && s.frame.spellsRGB():
		return picture.Errorf(picture.Malformed, "markers that contradict each other on the colour space")
	case is == spaceRGB && s.frame.subsampled():
		return picture.Errorf(picture.Unsupported, "subsampled components of RGB or CMYK")
	}
	return nil
}

// canonicalJFIF is an APP0 (ITU-T T.871 §10.1) of which only the presence counts:
// version 1.1, no units, square pixels, no thumbnail. The density changes no sample,
// and could hold four bytes of anything.
const canonicalJFIF = sigJFIF + "\x01\x01\x00\x00\x01\x00\x01\x00\x00"

func (s *stripper) readExif(p []byte) {
	found := exif.Inspect(p[len(sigExif):])
	if s.opts.DropOrientation {
		found.Orientation = 0
	}
	s.result.Orientation = found.Orientation
	kept := 0
	if found.Orientation != 0 {
		kept = len(sigExif) + exif.MinimalSize + 4
	}
	s.result.Remove("APP1 Exif"+found.Describe(), len(p)+4-kept)
}

func segmentName(marker byte, p []byte) string {
	if marker == mCOM {
		return "COM"
	}
	name := fmt.Sprintf("APP%d", marker-mAPP0)
	for _, n := range segmentNames {
		if n.marker == marker && strings.HasPrefix(string(p[:min(len(p), 32)]), n.prefix) {
			return name + " " + n.name
		}
	}
	return name
}

// writeHeader writes everything up to and including SOF.
func (s *stripper) writeHeader() error {
	s.out = append(s.out, 0xFF, mSOI)
	if s.header.jfif {
		s.write(mAPP0, []byte(canonicalJFIF)...)
	}
	if s.result.Orientation != 0 {
		s.write(mAPP1, append([]byte(sigExif), exif.Minimal(s.result.Orientation)...)...)
	}
	s.writeAdobe()
	for _, c := range s.frame.components {
		if err := s.sendQuant(c.quant, false); err != nil {
			return err
		}
	}
	is := s.header.seen().space(s.frame)
	s.write(s.frame.marker, s.frame.payload(is)...)
	changed := 0
	for i, c := range s.frame.components {
		if c.id != s.frame.identifier(i, is) {
			changed++
		}
	}
	s.result.Remove("SOF component identifiers", changed)
	return nil
}

// writeAdobe writes APP14 in its canonical 12 bytes. Grey files have no colour
// transform. Other values than 0 mean YCbCr or YCCK to libjpeg and to Go alike.
func (s *stripper) writeAdobe() {
	n := len(s.frame.components)
	switch {
	case !s.header.adobe:
		return
	case n == 1:
		s.result.Remove("APP14 Adobe", adobeLength+4)
		return
	}
	transform := s.header.transform
	if transform != 0 {
		transform = byte(n - 2) // 1 for three components, 2 for four
	}
	s.write(mAPP14, append([]byte(sigAdobe), 0, 100, 0, 0, 0, 0, transform)...)
}

// WithOrientation returns the file, one that Strip wrote and that carries no
// orientation, with the orientation as Strip would have kept it.
func WithOrientation(data []byte, orientation uint8) []byte {
	if orientation < 2 {
		return data
	}
	at := 2
	if len(data) > 6 && data[3] == mAPP0 {
		at += 2 + int(data[4])<<8 + int(data[5])
	}
	s := stripper{out: make([]byte, 0, len(data)+64)}
	s.out = append(s.out, data[:at]...)
	s.write(mAPP1, append([]byte(sigExif), exif.Minimal(orientation)...)...)
	return append(s.out, data[at:]...)
}
