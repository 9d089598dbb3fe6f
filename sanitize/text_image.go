package sanitize

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// textImage names the format of the image that a text holds instead of text; "" if it
// holds none. It knows the bytes of a file, a data: URI (RFC 2397) that begins as one
// does, and from 32 characters on a text of which base64 decoders make a file, in either
// alphabet of RFC 4648. Many decoders, Python's among them, skip what is no letter, so
// that nothing before or between the letters hides a file. The file need not be whole or
// well-formed: who reads it may be lenient.
func textImage(text []byte) string {
	if format := SniffImage(text); format != "" {
		return format
	}
	text = bytes.Trim(text, asciiSpace)
	if payload, ok := dataURI(text); ok {
		// Readers differ on what in its head says base64, so nothing has to.
		if format := SniffImage(payload); format != "" {
			return format
		}
		return base64Image(payload)
	}
	const shortest = 32
	if len(text) < shortest {
		return ""
	}
	return base64Image(text)
}

const asciiSpace = " \t\r\n\v\f"

// dataURI returns what a data: URI holds, without percent-escapes, which may stand in
// base64, too.
func dataURI(text []byte) (payload []byte, ok bool) {
	const scheme = "data:"
	if len(text) < len(scheme) || !strings.EqualFold(string(text[:len(scheme)]), scheme) {
		return nil, false
	}
	_, payload, ok = bytes.Cut(text, []byte(","))
	return unescaped(payload), ok
}

// unescaped decodes percent-escapes (RFC 3986 §2.1) and leaves what is none alone.
func unescaped(text []byte) []byte {
	if bytes.IndexByte(text, '%') < 0 {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if _, err := hex.Decode(plain[len(plain):len(plain)+1], text[i+1:i+3]); err == nil {
				plain = plain[:len(plain)+1]
				i += 2
				continue
			}
		}
		plain = append(plain, text[i])
	}
	return plain
}

// base64Image names the format of the file that base64 begins with. Decoders of the
// standard alphabet skip - and _, which those of the other one read.
func base64Image(text []byte) string {
	for _, both := range []bool{false, true} {
		head := base64Head(text, both)
		if format := SniffImage(head); format != "" && (format != FormatJPEG || jpegMarker(head)) {
			return format
		}
	}
	return ""
}

// jpegMarker reports whether a marker follows that of the start, or what decoders skip
// in search of one. The three bytes before it are too few to tell a file by: paths that
// begin with /9j/ have them, too.
func jpegMarker(head []byte) bool {
	return len(head) < 4 || head[3] <= 1 || head[3] >= 0xC0
}

// headBytes is enough for SniffImage.
const headBytes = 64

// base64Head decodes the first letters of base64, in one alphabet or in both.
func base64Head(text []byte, both bool) []byte {
	letters := make([]byte, 0, headBytes/3*4+4)
	for _, c := range text {
		switch {
		case both && c == '-':
			c = '+'
		case both && c == '_':
			c = '/'
		case !isBase64(c):
			continue
		}
		if letters = append(letters, c); len(letters) == cap(letters) {
			break
		}
	}
	head, err := base64.RawStdEncoding.AppendDecode(nil, letters[:len(letters)/4*4])
	if err != nil { // which letters alone are never
		return nil
	}
	return head
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
