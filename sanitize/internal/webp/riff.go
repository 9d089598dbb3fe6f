package webp

import (
	"encoding/binary"
	"slices"

	"weir/sanitize/internal/picture"
)

const (
	riffHeaderSize  = 12
	chunkHeaderSize = 8
	maxRIFF         = 1<<32 - 10 // bytes behind the size field (RFC 9649 §2.4)
)

// chunkReader reads the chunks of a RIFF chunk, or of a frame.
type chunkReader struct {
	data   []byte
	pos    int
	result *picture.Stripped
}

// more tells whether there is another chunk.
func (c *chunkReader) more() bool { return c.pos < len(c.data) }

// next reads a chunk. Its padding must be there: readers differ on files where the
// last byte is missing.
func (c *chunkReader) next() (name string, payload []byte, err error) {
	rest := c.data[c.pos:]
	if len(rest) < chunkHeaderSize {
		return "", nil, picture.Errorf(picture.Malformed, "%d bytes behind the last chunk", len(rest))
	}
	n := uint64(binary.LittleEndian.Uint32(rest[4:]))
	padded := chunkHeaderSize + n + n&1
	if padded > uint64(len(rest)) {
		return "", nil, picture.Errorf(picture.Truncated, "ends inside a chunk of %d bytes", n)
	}
	if n&1 != 0 && rest[padded-1] != 0 {
		c.result.Remove("pad byte", 1)
	}
	c.pos += int(padded)
	return string(rest[:4]), rest[chunkHeaderSize : chunkHeaderSize+n], nil
}

// readRIFF checks the file header (RFC 9649 §2.4) and returns a reader of its chunks.
func readRIFF(data []byte, result *picture.Stripped) (*chunkReader, error) {
	if len(data) < riffHeaderSize || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return nil, picture.Errorf(picture.Malformed, "no RIFF header of WebP")
	}
	size := uint64(binary.LittleEndian.Uint32(data[4:]))
	switch {
	case size > maxRIFF || size < 4+chunkHeaderSize:
		return nil, picture.Errorf(picture.Malformed, "RIFF size %d", size)
	case size > uint64(len(data)-chunkHeaderSize):
		return nil, picture.Errorf(picture.Truncated, "RIFF size %d of %d bytes", size, len(data)-chunkHeaderSize)
	}
	end := chunkHeaderSize + int(size)
	result.Remove("data after RIFF", len(data)-end)
	return &chunkReader{data: data[:end], pos: riffHeaderSize, result: result}, nil
}

// appendChunk writes one chunk and its padding.
func appendChunk(out []byte, name string, payload ...[]byte) []byte {
	n := 0
	for _, p := range payload {
		n += len(p)
	}
	out = append(out, name...)
	out = binary.LittleEndian.AppendUint32(out, uint32(n))
	for _, p := range payload {
		out = append(out, p...)
	}
	if n&1 != 0 {
		out = append(out, 0)
	}
	return out
}

// knownNames are the chunks that a report calls by name. Any other type is four
// bytes of the sender's choice, and reports hold no content.
var knownNames = []string{"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP", "EXIF", "XMP ", "C2PA", "JUNK"}

func display(name string) string {
	if !slices.Contains(knownNames, name) {
		return "private chunk"
	}
	if name[3] == ' ' {
		return name[:3]
	}
	return name
}
