package frame

import (
	"encoding/binary"
	"slices"

	"weir/filter/codec"
)

// HeaderBytes is the framing of a gRPC message: a flag and a length (the gRPC
// protocol over HTTP/2: Length-Prefixed-Message).
const HeaderBytes = 5

// GRPC cuts a stream into length-prefixed messages.
type GRPC struct {
	most   int
	kept   []byte
	failed error
}

// NewGRPC returns a splitter for messages of at most maxBytes.
func NewGRPC(maxBytes int) *GRPC { return &GRPC{most: maxBytes} }

// Write refuses a message as soon as its framing says that it is too large.
func (g *GRPC) Write(chunk []byte) (messages [][]byte, err error) {
	if g.failed != nil {
		return nil, g.failed
	}
	g.kept = append(g.kept, chunk...)
	at := 0
	for len(g.kept)-at >= HeaderBytes {
		flag, size := g.kept[at], int64(binary.BigEndian.Uint32(g.kept[at+1:]))
		switch {
		case flag > 1:
			g.failed = codec.Refuse(codec.HeaderInvalid, "the flag of a message is neither 0 nor 1")
		case size > int64(g.most):
			g.failed = codec.Refuse(codec.BodyTooLarge, "a message has more than %d bytes", g.most)
		}
		end := at + HeaderBytes + int(size)
		if g.failed != nil || len(g.kept) < end {
			break
		}
		messages = append(messages, slices.Clone(g.kept[at:end]))
		at = end
	}
	g.kept = append([]byte(nil), g.kept[at:]...)
	return messages, g.failed
}

// Pending is the number of bytes kept of a message that is not whole.
func (g *GRPC) Pending() int { return len(g.kept) }

// End reports an error if the stream ends within a message.
func (g *GRPC) End() error {
	if g.failed == nil && len(g.kept) > 0 {
		return codec.Refuse(codec.BodyMissing, "the stream ends within a message")
	}
	return g.failed
}
