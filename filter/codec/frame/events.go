package frame

import (
	"bytes"

	"weir/filter/codec"
)

// Events cuts a stream of server-sent events (WHATWG HTML §9.2.5 and §9.2.6) after
// the blank line that ends each. A line ends with LF, CR LF or CR. An event may hold
// nothing but that blank line, or comments. As these streams come from servers, the
// reasons are those of answers.
type Events struct {
	most   int
	kept   []byte
	began  bool // an event has come, so that no byte order mark can
	text   bool // the line has begun
	cr     bool // the last byte was CR, so that LF belongs to it
	failed error
}

var _ Splitter = (*Events)(nil)

// NewEvents returns a splitter for events of at most maxBytes, the blank line not
// counted.
func NewEvents(maxBytes int) *Events { return &Events{most: maxBytes} }

// bom is the byte order mark, which some readers skip at the start of a stream and
// others take for the name of a field.
var bom = []byte("\xef\xbb\xbf")

// Write returns the events that are whole. An event whose blank line is CR is
// returned at once; an LF after that CR is dropped.
func (e *Events) Write(chunk []byte) (events [][]byte, err error) {
	start := 0 // of what is not kept yet
	for i := 0; i < len(chunk) && e.failed == nil; i++ {
		switch c := chunk[i]; {
		case c == '\n' && e.cr:
			e.cr = false
			if len(e.kept) == 0 && start == i {
				start++ // the event has gone
			}
		case c != '\n' && c != '\r':
			e.text, e.cr = true, false
		case e.text:
			e.text, e.cr = false, c == '\r'
		default:
			e.cr = c == '\r'
			if e.keep(chunk[start:i]); e.failed == nil {
				events = append(events, append(e.kept, c))
				e.kept, e.began = nil, true
			}
			start = i + 1
		}
	}
	if e.failed == nil {
		e.keep(chunk[start:])
	}
	return events, e.failed
}

// keep adds bytes to the event that has begun.
func (e *Events) keep(piece []byte) {
	e.kept = append(e.kept, piece...)
	switch {
	case !e.began && bytes.HasPrefix(e.kept, bom):
		e.failed = codec.Refuse(codec.ResponseMalformed, "a stream of events begins with a byte order mark")
	case len(e.kept) > e.most:
		e.failed = codec.Refuse(codec.ResponseTooLarge, "an event has more than %d bytes", e.most)
	}
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

// Data returns what an event says: the values of its "data" fields, joined by LF.
// It is nil if there are none. Comments are dropped. Every other field is refused
// with ResponseMalformed: the servers that Weir knows write none, and readers give
// them meanings that nothing inspects. The data may be a view into event.
func Data(event []byte) ([]byte, error) {
	var data []byte
	for len(event) > 0 {
		line, rest := cutLine(event)
		event = rest
		if len(line) == 0 && len(rest) > 0 {
			return nil, codec.Refuse(codec.ResponseMalformed, "an event goes on after its end")
		}
		if len(line) == 0 || line[0] == ':' {
			continue
		}
		value, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			return nil, codec.Refuse(codec.ResponseMalformed, "an event has a field other than data")
		}
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		if data == nil {
			data = value[:len(value):len(value)]
		} else {
			data = append(append(data, '\n'), value...)
		}
	}
	return data, nil
}

// AppendEvent appends an event with this data to w. A reader joins the lines of the
// data by LF, however they ended.
func AppendEvent(w, data []byte) []byte {
	for more := true; more; {
		line := data
		if i := bytes.IndexAny(data, "\r\n"); i < 0 {
			more = false
		} else {
			line, data = cutLine(data)
		}
		w = append(append(append(w, "data: "...), line...), '\n')
	}
	return append(w, '\n')
}

// cutLine returns the first line without its end, and what follows it.
func cutLine(text []byte) (line, rest []byte) {
	i := bytes.IndexAny(text, "\r\n")
	switch {
	case i < 0:
		return text, nil
	case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
		return text[:i], text[i+2:]
	}
	return text[:i], text[i+1:]
}
