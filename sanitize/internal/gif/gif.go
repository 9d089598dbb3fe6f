// Package gif rewrites a GIF file so that it holds the picture and nothing else.
//
// The walk follows the GIF89a specification and is stricter than decoders are.
// What they read differently is refused: stray bytes between blocks, unknown
// extensions, image data that ends early or goes on behind the last pixel, a colour
// index without a colour, a frame without a colour table or outside the canvas, a
// background index outside the table, two graphic controls for one frame.
//
// The image data is decoded to the last pixel and compressed anew, so that the
// choices of an encoder (clear codes, code widths, sub-blocks, interlacing) and what
// hides in them are gone, and a second walk changes nothing.
//
// What stays: the canvas, the colour tables with the entries that no pixel uses
// blanked, the transparent index, and the background index where a decoder shows its
// colour (OpenCV does, in place of transparent pixels). Comments, application and
// plain text extensions, delay and disposal of a still picture, the aspect ratio, the
// sort flags, and all bytes behind the trailer go. A still picture whose frame is
// smaller than the canvas becomes one that fills it as decoders do; when they differ,
// it is refused.
//
// An animation that is kept has its frames where they were, their delays and
// disposals, and the loop count in canonical form. Decoders compose the frames of
// some animations differently; Weir does not compose them.
package gif

import (
	"context"
	"encoding/binary"

	"weir/sanitize/internal/picture"
)

const (
	signature87 = "GIF87a"
	signature89 = "GIF89a"
)

// Block introducers and extension labels (GIF89a, appendix A).
const (
	introducer    = 0x21
	separator     = 0x2C
	trailer       = 0x3B
	labelText     = 0x01
	labelControl  = 0xF9
	labelComment  = 0xFE
	labelApp      = 0xFF
	flagTable     = 0x80
	flagInterlace = 0x40
)

// stripper reads one file.
type stripper struct {
	data   []byte
	pos    int
	opts   picture.Options
	budget *picture.Budget
	result picture.Stripped

	width, height int
	global        []byte // colour table; nil for none
	background    int    // index in it
	loop          int    // of NETSCAPE2.0; -1 for none
	loopBytes     int    // of the extension that holds it
	control       *control
	frames        []*frame
}

// Strip walks data and returns the rewritten file. The image data is decoded even if
// o.ContainerOnly is set. The error is a *picture.Error, or that of the context.
func Strip(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	s := &stripper{data: data, opts: o, budget: picture.NewBudget(o.Limits), loop: -1}
	if err := s.readScreen(); err != nil {
		return nil, err
	}
	if err := s.blocks(ctx); err != nil {
		return nil, err
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	s.result.Info = s.info()
	var err error
	if s.result.Data, err = s.write(ctx); err != nil {
		return nil, err
	}
	return &s.result, nil
}

func (s *stripper) info() picture.Info {
	alpha := false
	for _, f := range s.frames {
		alpha = alpha || f.transparent() >= 0
	}
	return picture.Info{Width: s.width, Height: s.height, Frames: len(s.frames),
		Channels: 1, Depth: 8, Palette: true, Alpha: alpha}
}

// take returns the next n bytes of the file.
func (s *stripper) take(n int) ([]byte, error) {
	if n > len(s.data)-s.pos {
		return nil, picture.Errorf(picture.Truncated, "ends before the trailer")
	}
	s.pos += n
	return s.data[s.pos-n : s.pos], nil
}

// readScreen reads the header, the logical screen descriptor and the global colour
// table (§17 to §19).
func (s *stripper) readScreen() error {
	p, err := s.take(13)
	if err != nil {
		return err
	}
	if version := string(p[:6]); version != signature87 && version != signature89 {
		return picture.Errorf(picture.Malformed, "no GIF signature")
	}
	s.width, s.height = int(binary.LittleEndian.Uint16(p[6:])), int(binary.LittleEndian.Uint16(p[8:]))
	if err := s.opts.Limits.CheckSize(int64(s.width), int64(s.height)); err != nil {
		return err
	}
	if p[12] != 0 {
		s.result.Remove("aspect ratio", 1)
	}
	if p[10]&flagTable == 0 {
		return nil
	}
	if s.global, err = s.take(tableSize(p[10])); err != nil {
		return err
	}
	// OpenCV refuses a background outside the table, others do not look at it.
	if s.background = int(p[11]); 3*s.background >= len(s.global) {
		return picture.Errorf(picture.Malformed, "background index %d of %d", s.background, len(s.global)/3)
	}
	return nil
}

// tableSize is the length in bytes of the colour table that flags declare.
func tableSize(flags byte) int { return 3 << (flags&7 + 1) }

// blocks reads all blocks to the trailer. If nothing but the first frame is to stay, it
// walks over the others without decoding them: the file must be whole, since decoders
// count its frames before they show one.
func (s *stripper) blocks(ctx context.Context) error {
	behindFirst, skipped := 0, false
	for {
		p, err := s.take(1)
		if err != nil {
			return err
		}
		switch {
		case p[0] == introducer:
			err = s.readExtension(ctx)
		case p[0] == separator && behindFirst > 0:
			skipped = true
			err = s.skipFrame(ctx)
		case p[0] == separator:
			err = s.readFrame(ctx)
			if s.opts.Animation == picture.FirstFrame {
				behindFirst = s.pos
			}
		case p[0] == trailer:
			if skipped {
				s.result.Remove("frames after the first", s.pos-1-behindFirst)
			}
			return s.end()
		default:
			err = picture.Errorf(picture.Malformed, "a byte that begins no block")
		}
		if err != nil {
			return err
		}
	}
}

// end checks what the trailer closes.
func (s *stripper) end() error {
	s.result.Remove("data after the trailer", len(s.data)-s.pos)
	switch {
	case len(s.frames) == 0:
		return picture.Errorf(picture.Malformed, "no frame")
	case s.control != nil:
		return picture.Errorf(picture.Malformed, "a graphic control without a frame")
	}
	return nil
}
