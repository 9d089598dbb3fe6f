package gif

import (
	"context"
	"encoding/binary"
	"strings"

	"weir/sanitize/internal/picture"
)

// control is a graphic control extension (§23).
type control struct {
	disposal    byte // 0 to 3
	delay       uint16
	transparent int // index; -1 for none
}

// eachBlock reads sub-blocks up to their terminator (§15, §16) and calls visit with
// each. It returns their length with that of the framing.
func (s *stripper) eachBlock(ctx context.Context, visit func(block []byte) error) (int, error) {
	start := s.pos
	for {
		if err := picture.Checkpoint(ctx); err != nil {
			return 0, err
		}
		n, err := s.take(1)
		if err != nil {
			return 0, err
		}
		if n[0] == 0 {
			return s.pos - start, nil
		}
		p, err := s.take(int(n[0]))
		if err != nil {
			return 0, err
		}
		if err := visit(p); err != nil {
			return 0, err
		}
	}
}

func (s *stripper) readExtension(ctx context.Context) error {
	label, err := s.take(1)
	if err != nil {
		return err
	}
	if label[0] == labelControl {
		return s.readControl() // as many as frames
	}
	if err := s.budget.Segment(); err != nil {
		return err
	}
	switch label[0] {
	case labelComment:
		return s.drop(ctx, "comment", func([]byte) error { return nil })
	case labelText:
		return s.readText(ctx)
	case labelApp:
		return s.readApplication(ctx)
	}
	// Go reads no further than here, Pillow and OpenCV skip it.
	return picture.Errorf(picture.Malformed, "unknown extension")
}

// drop reads sub-blocks that do not stay.
func (s *stripper) drop(ctx context.Context, where string, visit func([]byte) error) error {
	n, err := s.eachBlock(ctx, visit)
	if err != nil {
		return err
	}
	s.result.Remove(where, n+2)
	return s.budget.Metadata(n + 2)
}

func (s *stripper) readControl() error {
	p, err := s.take(6)
	if err != nil {
		return err
	}
	if p[0] != 4 || p[5] != 0 {
		return picture.Errorf(picture.Malformed, "graphic control of a wrong length")
	}
	if s.control != nil {
		return picture.Errorf(picture.Malformed, "two graphic controls for one frame")
	}
	c := &control{disposal: p[1] >> 2 & 7, delay: binary.LittleEndian.Uint16(p[2:]), transparent: -1}
	if c.disposal > 3 {
		return picture.Errorf(picture.Malformed, "disposal method %d", c.disposal)
	}
	if p[1]&1 != 0 {
		c.transparent = int(p[4])
	}
	s.control = c
	return nil
}

// readText drops a plain text extension (§25). Its first sub-block has 12 bytes; Go
// takes them for granted.
func (s *stripper) readText(ctx context.Context) error {
	first := true
	err := s.drop(ctx, "plain text", func(p []byte) error {
		if first && len(p) != 12 {
			return picture.Errorf(picture.Malformed, "plain text of a wrong length")
		}
		first = false
		return nil
	})
	if err == nil && first {
		return picture.Errorf(picture.Malformed, "plain text without blocks")
	}
	return err
}

// appNames are the application identifiers that a report calls by name. Any other
// is of the sender's choice, and reports hold no content.
var appNames = map[string]string{"NETSCAPE2.0": "NETSCAPE2.0", "ANIMEXTS1.0": "ANIMEXTS1.0",
	"XMP DataXMP": "XMP", "ICCRGBG1012": "ICC", "C2PA_GIF\x01\x00\x00": "C2PA"}

// readApplication drops an application extension (§26), but for the loop count of
// the first NETSCAPE2.0, which settle keeps or reports.
func (s *stripper) readApplication(ctx context.Context) error {
	name, netscape, count, loop := "", false, 0, -1
	n, err := s.eachBlock(ctx, func(p []byte) error {
		if count++; count == 1 {
			name = string(p)
		}
		// OpenCV looks for the name in each block, and loses count in a block of
		// three bytes when it has not found it.
		netscape = netscape || string(p) == "NETSCAPE2.0"
		if len(p) == 3 && !netscape {
			return picture.Errorf(picture.Malformed, "a block of 3 bytes in an application extension")
		}
		if count == 2 && name == "NETSCAPE2.0" && len(p) == 3 && p[0] == 1 {
			loop = int(binary.LittleEndian.Uint16(p[1:]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Pillow reads on where it expects a block that is not there.
	if count == 0 || count == 1 && strings.HasPrefix(name, "NETSCAPE2.0") {
		return picture.Errorf(picture.Malformed, "an application extension without blocks")
	}
	if loop >= 0 && s.loop < 0 {
		s.loop, s.loopBytes = loop, n+2
		return s.budget.Metadata(n + 2)
	}
	display, ok := appNames[name]
	if !ok {
		display = "private"
	}
	s.result.Remove("application extension "+display, n+2)
	return s.budget.Metadata(n + 2)
}
