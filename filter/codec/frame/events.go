package frame

import (
	"bytes"
	"slices"

	"weir/filter/codec"
)

// Events cuts a stream of server-sent events (WHATWG HTML §9.2) after the blank
// line that ends each.
type Events struct {
	most   int
	kept   []byte
	failed error
}

// NewEvents returns a splitter for events of at most maxBytes.
func NewEvents(maxBytes int) *Events { return &Events{most: maxBytes} }

// Write returns the events that are whole.
func (e *Events) Write(chunk []byte) (events [][]byte, err error) {
	if e.failed != nil {
		return nil, e.failed
	}
	e.kept = append(e.kept, chunk...)
	at := 0
	for {
		i := bytes.Index(e.kept[at:], []byte("\n\n"))
		if i < 0 {
			break
		}
		events = append(events, slices.Clone(e.kept[at:at+i+2]))
		at += i + 2
	}
	e.kept = append([]byte(nil), e.kept[at:]...)
	if len(e.kept) > e.most {
		e.failed = codec.Refuse(codec.ResponseTooLarge, "an event has more than %d bytes", e.most)
	}
	return events, e.failed
}

// Pending is the number of bytes kept of an event that is not whole.
func (e *Events) Pending() int { return len(e.kept) }

// End reports an error if the stream ends within an event.
func (e *Events) End() error {
	if e.failed == nil && len(e.kept) > 0 {
		return codec.Refuse(codec.ResponseMalformed, "the stream ends within an event")
	}
	return e.failed
}
