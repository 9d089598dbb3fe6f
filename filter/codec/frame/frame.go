// Package frame cuts the bytes of a stream into its messages: the length-prefixed
// messages of gRPC, and server-sent events. What is not whole yet is kept, up to a
// limit. How the bytes come in pieces has no influence on the messages.
package frame

// Splitter cuts one direction of a stream. It is not safe for concurrent use.
type Splitter interface {
	// Write takes the next bytes and returns the messages that they complete, each
	// with its framing, in memory that belongs to the caller; chunk is not kept. With
	// an error, a *codec.Refusal, come the messages before it; every later Write
	// returns the same error and nothing else.
	Write(chunk []byte) (messages [][]byte, err error)
	// Pending is the number of bytes kept of a message that is not whole.
	Pending() int
	// End reports an error if the stream ends within a message, or failed before.
	End() error
}
