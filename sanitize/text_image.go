package sanitize

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
)

// textImage names the format of the image that a text holds instead of text; "" if it
// holds none. It knows the bytes of a file, a data: URI (RFC 2397) that begins as one
// does, and base64 of at least 32 characters that is the whole text, white space
// aside, in either alphabet of RFC 4648. The file need not be whole or well-formed:
// who reads it may be lenient.
func textImage(text []byte) string {
	if format := SniffImage(text); format != "" {
		return format
	}
	text = bytes.Trim(text, asciiSpace)
	if payload, ok := dataURI(text); ok {
		return SniffImage(payload)
	}
	const shortest = 32
	if len(text) < shortest {
		return ""
	}
	format := SniffImage(base64Head(text))
	if format == "" || len(bytes.Trim(text, base64Letters+"="+asciiSpace)) > 0 {
		return ""
	}
	return format
}

const (
	asciiSpace    = " \t\r\n\v\f"
	base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
)

// headBytes is enough for SniffImage.
const headBytes = 64

// dataURI returns the first bytes of what a data: URI holds.
func dataURI(text []byte) (head []byte, ok bool) {
	const scheme, longestHead = "data:", 256
	if len(text) < len(scheme) || !strings.EqualFold(string(text[:len(scheme)]), scheme) {
		return nil, false
	}
	text = text[len(scheme):]
	comma := bytes.IndexByte(text[:min(len(text), longestHead)], ',')
	if comma < 0 {
		return nil, false
	}
	media, payload := strings.ToLower(string(text[:comma])), text[comma+1:]
	if strings.HasSuffix(media, ";base64") {
		return base64Head(payload), true
	}
	escaped := payload[:min(len(payload), 3*headBytes)] // at most %XX for each byte
	if i := bytes.LastIndexByte(escaped, '%'); i > len(escaped)-3 {
		escaped = escaped[:max(i, 0)]
	}
	plain, err := url.PathUnescape(string(escaped))
	return []byte(plain), err == nil
}

// base64Head decodes the first bytes of base64 in either alphabet, without its white
// space, up to the first other character.
func base64Head(text []byte) []byte {
	letters := make([]byte, 0, headBytes/3*4+4)
	for _, c := range text {
		switch {
		case strings.IndexByte(asciiSpace, c) >= 0:
			continue
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case strings.IndexByte(base64Letters, c) < 0:
			return decodeHead(letters)
		}
		if letters = append(letters, c); len(letters) == cap(letters) {
			break
		}
	}
	return decodeHead(letters)
}

func decodeHead(letters []byte) []byte {
	head, err := base64.RawStdEncoding.AppendDecode(nil, letters[:len(letters)/4*4])
	if err != nil {
		return nil
	}
	return head
}
