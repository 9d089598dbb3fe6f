package frame

import (
	"encoding/binary"
	"slices"

	"weir/filter/codec"
)

// HeaderBytes is the size of the framing of a gRPC message: a flag that says
// whether the message is compressed, and its length as a big-endian uint32 (the
// gRPC protocol over HTTP/2: Length-Prefixed-Message).
const HeaderBytes = 5

// AppendGRPC appends an uncompressed message with its framing to w. The message
// must be shorter than 4 GiB, which the framing can say.
func AppendGRPC(w, message []byte) []byte {
	w = binary.BigEndian.AppendUint32(append(w, 0), uint32(len(message)))
	return append(w, message...)
}

// GRPC cuts a stream into length-prefixed messages.
type GRPC struct {
	most   int
	kept   []byte // of the message that has begun
	size   int    // of that message with its framing; of the framing until that is there
	failed error
}

var _ Splitter = (*GRPC)(nil)

// NewGRPC returns a splitter for messages of at most maxBytes without the framing.
func NewGRPC(maxBytes int) *GRPC { return &GRPC{most: maxBytes, size: HeaderBytes} }

// Write refuses a message as soon as its framing says that it is too large, or
// that its flag is neither 0 nor 1: for such a flag the server of Triton would read
// an empty message.
func (g *GRPC) Write(chunk []byte) (messages [][]byte, err error) {
	for g.failed == nil && len(chunk) > 0 {
		take := min(g.size-len(g.kept), len(chunk))
		g.kept, chunk = append(g.kept, chunk[:take]...), chunk[take:]
		if len(g.kept) == HeaderBytes {
			g.begin(len(chunk))
		}
		if g.failed == nil && len(g.kept) == g.size {
			messages = append(messages, g.kept)
			g.kept, g.size = nil, HeaderBytes
		}
	}
	return messages, g.failed
}

// begin reads the framing of a message. What it announces is not allocated before
// it is there: only room for the bytes that follow at once.
func (g *GRPC) begin(following int) {
	flag, size := g.kept[0], int64(binary.BigEndian.Uint32(g.kept[1:]))
	switch {
	case flag > 1:
		g.failed = codec.Refuse(codec.MessageMalformed, "the flag of a message is neither 0 nor 1")
	case size > int64(g.most):
		g.failed = codec.Refuse(codec.BodyTooLarge, "a message has more than %d bytes", g.most)
	default:
		g.size = HeaderBytes + int(size)
		g.kept = slices.Grow(g.kept, min(int(size), following))
	}
}

// Pending is the number of bytes kept of a message that is not whole.
func (g *GRPC) Pending() int { return len(g.kept) }

// End reports an error if the stream ends within a message.
func (g *GRPC) End() error {
	if g.failed == nil && len(g.kept) > 0 {
		return codec.Refuse(codec.MessageMalformed, "the stream ends within a message")
	}
	return g.failed
}
