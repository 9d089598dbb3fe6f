package png

import (
	"bytes"
	"compress/zlib"
	"io"

	"weir/sanitize/internal/picture"
)

// Bounds of chunks that are dropped. Beyond them decoders give up on the whole file,
// so that it would pass here and fail, or be read otherwise, elsewhere.
const (
	maxChunk    = 8_000_000 // libpng, by default
	maxInflated = 1 << 20   // Pillow, for one text or profile
	maxAllTexts = 64 << 20  // Pillow, for all of a file
)

// leastLength is what chunks must hold for Pillow not to fail.
var leastLength = map[string]int{"gAMA": 4, "cHRM": 32, "sRGB": 1, "pHYs": 9}

// checkDropped refuses a chunk over which other decoders refuse the file, although
// nothing of it is needed.
func (s *stripper) checkDropped(name string, p []byte) error {
	if len(p) > maxChunk {
		return picture.Over(picture.TooManySegments, "bytes of a chunk", int64(len(p)), maxChunk, "a chunk of %d bytes", len(p))
	}
	if len(p) < leastLength[name] {
		return picture.Errorf(picture.Malformed, "%s of %d bytes", name, len(p))
	}
	switch name {
	case "iCCP": // name, compression method, zlib stream (§11.3.2.3)
		_, rest, found := bytes.Cut(p, []byte{0})
		if !found || len(rest) == 0 || rest[0] != 0 {
			return picture.Errorf(picture.Malformed, "bad iCCP")
		}
		return s.checkCompressed(name, rest[1:])
	case "zTXt": // keyword, compression method, zlib stream (§11.3.3.3)
		_, rest, _ := bytes.Cut(p, []byte{0})
		if len(rest) == 0 {
			return nil
		}
		if rest[0] != 0 {
			return picture.Errorf(picture.Malformed, "bad zTXt")
		}
		return s.checkCompressed(name, rest[1:])
	case "iTXt":
		return s.checkCompressed(name, compressedText(p))
	}
	return nil
}

// compressedText returns the zlib stream of iTXt (§11.3.3.4): keyword, compression
// flag and method, language, translated keyword, text. It is nil when there is none.
func compressedText(p []byte) []byte {
	_, rest, found := bytes.Cut(p, []byte{0})
	if !found || len(rest) < 2 || rest[0] == 0 || rest[1] != 0 {
		return nil
	}
	_, rest, found = bytes.Cut(rest[2:], []byte{0})
	if !found {
		return nil
	}
	_, text, _ := bytes.Cut(rest, []byte{0})
	return text
}

// checkCompressed inflates a text or profile up to the bounds. Damage ends it, as it
// does for Pillow.
func (s *stripper) checkCompressed(name string, compressed []byte) error {
	z, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil // nothing in there that anybody would inflate
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(z, maxInflated+1))
	if n > maxInflated {
		return picture.Over(picture.Expands, "decoded bytes", n, maxInflated, "%s inflates to more than %d bytes", name, maxInflated)
	}
	if s.inflated += n; s.inflated > maxAllTexts {
		return picture.Over(picture.Expands, "decoded bytes", s.inflated, maxAllTexts, "texts inflate to more than %d bytes", maxAllTexts)
	}
	return nil
}
