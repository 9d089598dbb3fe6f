// Package frame cuts the bytes of a stream into its messages: the length-prefixed
// messages of gRPC, and server-sent events. What is not whole yet is kept, up to a
// limit.
package frame

// Splitter cuts one direction of a stream. It is not safe for concurrent use.
type Splitter interface {
	// Write takes the next bytes and returns the messages that they complete, each
	// with its framing, in memory that belongs to the caller. With an error, a
	// *codec.Refusal, come the messages before it; the splitter is of no more use.
	Write(chunk []byte) (messages [][]byte, err error)
	// Pending is the number of bytes kept of a message that is not whole.
	Pending() int
	// End reports an error if the stream ends within a message.
	End() error
}
