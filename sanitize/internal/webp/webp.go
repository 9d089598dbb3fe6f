package webp

import (
	"bytes"
	"context"
	"encoding/binary"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
)

// Flags of VP8X (RFC 9649 §2.7).
const (
	flagAnimation = 1 << 1
	flagXMP       = 1 << 2
	flagExif      = 1 << 3
	flagAlpha     = 1 << 4
	flagICC       = 1 << 5

	knownFlags = flagAnimation | flagXMP | flagExif | flagAlpha | flagICC
	vp8xSize   = 10
)

// exifPrefix stands before the TIFF header in the files of some writers. Readers
// that take it and readers that do not must go on to differ as they do.
const exifPrefix = "Exif\x00\x00"

type stripper struct {
	ctx    context.Context
	opts   picture.Options
	budget *picture.Budget
	result picture.Stripped
	size   int // bytes of the file

	extended      bool // the file has VP8X
	flags         byte // of VP8X
	width, height int  // of the canvas
	hasExif       bool
	exif          []byte // what is written
	loops         uint16 // of ANIM
	frames        []frame
}

// frame is one picture, ready to be written. Its payloads may alias the input.
type frame struct {
	lossless bool
	data     []byte // payload of VP8 or VP8L
	alpha    []byte // payload of ALPH; nil for none
	width    int
	height   int
	hasAlpha bool
	x, y     int
	duration uint32 // milliseconds
	disposal byte   // bits of ANMF
}

// Strip walks data and returns the rewritten file. The error is a *picture.Error,
// that of the context, or one of the encoder that ZeroTransparent needs.
func Strip(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	s, err := read(ctx, data, o)
	if err != nil {
		return nil, err
	}
	if o.ZeroTransparent {
		if err := s.zeroTransparent(); err != nil {
			return nil, err
		}
	}
	if err := s.write(); err != nil {
		return nil, err
	}
	return &s.result, nil
}

// read walks over a file up to what is to be written.
func read(ctx context.Context, data []byte, o picture.Options) (*stripper, error) {
	s := &stripper{ctx: ctx, opts: o, budget: picture.NewBudget(o.Limits), size: len(data)}
	c, err := readRIFF(data, &s.result)
	if err != nil {
		return nil, err
	}
	name, p, err := s.chunk(c)
	if err != nil {
		return nil, err
	}
	switch name {
	case "VP8 ", "VP8L":
		err = s.still(c, name, p, nil)
	case "VP8X":
		s.extended = true
		err = s.readExtended(c, p)
	default:
		err = picture.Errorf(picture.Malformed, "the first chunk is %s", display(name))
	}
	return s, err
}

// chunk reads a chunk and counts it.
func (s *stripper) chunk(c *chunkReader) (string, []byte, error) {
	if err := picture.Checkpoint(s.ctx); err != nil {
		return "", nil, err
	}
	if err := s.budget.Segment(); err != nil {
		return "", nil, err
	}
	return c.next()
}

// readExtended reads a file that begins with VP8X (RFC 9649 §2.7).
func (s *stripper) readExtended(c *chunkReader, p []byte) error {
	if len(p) != vp8xSize {
		return picture.Errorf(picture.Malformed, "VP8X of %d bytes", len(p))
	}
	s.flags = p[0]
	s.width = 1 + int(uint24(p[4:]))
	s.height = 1 + int(uint24(p[7:]))
	if err := s.opts.Limits.CheckSize(int64(s.width), int64(s.height)); err != nil {
		return err
	}
	if s.flags&^knownFlags != 0 { // refused by libwebp's demuxer, but not by its decoder
		return picture.Errorf(picture.Malformed, "VP8X flags %02X", s.flags)
	}
	if !bytes.Equal(p[1:4], []byte{0, 0, 0}) {
		s.result.Remove("VP8X reserved bits", 3)
	}
	if s.flags&flagAnimation != 0 {
		return s.animation(c)
	}
	for c.more() {
		name, p, err := s.chunk(c)
		if err != nil {
			return err
		}
		switch name {
		case "ALPH":
			return s.withAlpha(c, p)
		case "VP8 ", "VP8L":
			return s.still(c, name, p, nil)
		default:
			if err := s.metadata(name, p); err != nil {
				return err
			}
		}
	}
	return picture.Errorf(picture.Truncated, "no picture")
}

// withAlpha reads the picture behind ALPH. Readers differ on what stands between.
func (s *stripper) withAlpha(c *chunkReader, alpha []byte) error {
	if !c.more() {
		return picture.Errorf(picture.Truncated, "ALPH without a picture")
	}
	name, p, err := s.chunk(c)
	if err != nil {
		return err
	}
	if name != "VP8 " {
		return picture.Errorf(picture.Malformed, "%s behind ALPH", display(name))
	}
	return s.still(c, name, p, alpha)
}

// still reads the one picture of a file and what follows it.
func (s *stripper) still(c *chunkReader, name string, p, alpha []byte) error {
	f, err := s.picture(name, p, alpha)
	if err != nil {
		return err
	}
	// For whether there is alpha, OpenCV looks at the flag, libwebp at the picture,
	// and x/image at both.
	if s.extended && f.hasAlpha != (s.flags&flagAlpha != 0) {
		return picture.Errorf(picture.Malformed, "the alpha flag of VP8X is wrong")
	}
	s.frames = append(s.frames, f)
	s.width, s.height = f.width, f.height
	for c.more() {
		name, p, err := s.chunk(c)
		if err != nil {
			return err
		}
		if err := s.metadata(name, p); err != nil {
			return err
		}
	}
	return nil
}

// picture walks over one picture, with its ALPH chunk if there is one. Its size is
// checked first of all.
func (s *stripper) picture(name string, p, alpha []byte) (frame, error) {
	f := frame{lossless: name == "VP8L", hasAlpha: alpha != nil}
	var err error
	var lossy vp8Header
	var lossless vp8lHeader
	if f.lossless {
		lossless, err = readVP8LHeader(p)
		f.width, f.height, f.hasAlpha = lossless.width, lossless.height, lossless.alpha
	} else {
		lossy, err = readVP8Header(p)
		f.width, f.height = lossy.width, lossy.height
	}
	if err != nil {
		return f, err
	}
	if err := s.checkSize(f); err != nil {
		return f, err
	}
	switch {
	case s.opts.ContainerOnly:
		f.data = p
	case f.lossless:
		f.data, err = stripVP8L(s.ctx, p, lossless, &s.result)
	default:
		f.data, err = stripVP8(s.ctx, p, lossy, &s.result)
	}
	if err == nil && alpha != nil {
		f.alpha, err = stripAlpha(s.ctx, alpha, f.width, f.height, !s.opts.ContainerOnly, &s.result)
	}
	return f, err
}

// checkSize holds the size of a picture against the limits and, of a still, the canvas.
func (s *stripper) checkSize(f frame) error {
	if err := s.opts.Limits.CheckSize(int64(f.width), int64(f.height)); err != nil {
		return err
	}
	if s.extended && s.flags&flagAnimation == 0 && (f.width != s.width || f.height != s.height) {
		return picture.Errorf(picture.Malformed, "picture of %d × %d pixels on a canvas of %d × %d",
			f.width, f.height, s.width, s.height)
	}
	channels := int64(3)
	if f.hasAlpha {
		channels = 4
	}
	decoded := channels * int64(f.width) * int64(f.height)
	s.result.Decoded = max(s.result.Decoded, decoded) // frames are counted before
	return s.opts.Limits.CheckExpansion(decoded, int64(s.size))
}

// metadata drops a chunk that is no picture, but for the orientation.
func (s *stripper) metadata(name string, p []byte) error {
	switch name {
	case "VP8 ", "VP8L":
		return picture.Errorf(picture.TooManyFrames, "a second picture")
	case "VP8X", "ALPH", "ANIM", "ANMF":
		return picture.Errorf(picture.Malformed, "misplaced %s", name)
	case "EXIF":
		return s.readExif(p)
	}
	return s.drop(display(name), len(p)+chunkHeaderSize)
}

func (s *stripper) drop(where string, n int) error {
	s.result.Remove(where, n)
	return s.budget.Metadata(n)
}

// readExif keeps the orientation of the first EXIF chunk, which libwebp delivers if
// the flag of VP8X is set.
func (s *stripper) readExif(p []byte) error {
	size := len(p) + chunkHeaderSize
	if s.hasExif {
		return s.drop("EXIF repeated", size)
	}
	s.hasExif = true
	tiff, prefixed := bytes.CutPrefix(p, []byte(exifPrefix))
	found := exif.Inspect(tiff)
	if !s.opts.DropOrientation && s.flags&flagExif != 0 && found.Orientation != 0 {
		s.result.Orientation = found.Orientation
		s.exif = exif.Minimal(found.Orientation)
		if prefixed {
			s.exif = append([]byte(exifPrefix), s.exif...)
		}
		size -= len(s.exif) + chunkHeaderSize
	}
	return s.drop("EXIF"+found.Describe(), size)
}

// uint24 reads three bytes.
func uint24(p []byte) uint32 { return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 }

func appendUint24(out []byte, v int) []byte { return append(out, byte(v), byte(v>>8), byte(v>>16)) }

// minFile is the size of file from which OpenCV takes it for WebP.
const minFile = 32

// write puts the file together: VP8X if it is needed, pictures, EXIF.
func (s *stripper) write() error {
	size := riffHeaderSize + chunkHeaderSize + vp8xSize + chunkHeaderSize + len(s.exif) + 2
	for _, f := range s.frames {
		size += len(f.data) + len(f.alpha) + 64
	}
	out := append(make([]byte, 0, size), "RIFF\x00\x00\x00\x00WEBP"...)
	animated := s.flags&flagAnimation != 0
	small := riffHeaderSize+chunkHeaderSize+(len(s.frames[0].data)+1)&^1 < minFile
	if animated || s.exif != nil || s.frames[0].alpha != nil || small {
		out = s.appendVP8X(out, animated)
	} else if s.extended {
		s.result.Remove("VP8X", chunkHeaderSize+vp8xSize)
	}
	if animated {
		out = s.appendAnimation(out)
	} else {
		out = appendPicture(out, s.frames[0])
	}
	if s.exif != nil {
		out = appendChunk(out, "EXIF", s.exif)
	}
	if len(out)-chunkHeaderSize > maxRIFF {
		return picture.Errorf(picture.Unsupported, "%d bytes", len(out))
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-chunkHeaderSize))
	s.result.Data = out
	s.result.Info = s.info()
	return nil
}

func (s *stripper) appendVP8X(out []byte, animated bool) []byte {
	var flags byte
	if animated {
		flags |= s.flags & (flagAnimation | flagAlpha)
	} else if s.frames[0].hasAlpha {
		flags |= flagAlpha
	}
	if s.exif != nil {
		flags |= flagExif
	}
	p := []byte{flags, 0, 0, 0}
	p = appendUint24(p, s.width-1)
	p = appendUint24(p, s.height-1)
	return appendChunk(out, "VP8X", p)
}

// appendPicture writes the chunks of one picture.
func appendPicture(out []byte, f frame) []byte {
	if f.alpha != nil {
		out = appendChunk(out, "ALPH", f.alpha)
	}
	if f.lossless {
		return appendChunk(out, "VP8L", f.data)
	}
	return appendChunk(out, "VP8 ", f.data)
}

func (s *stripper) info() picture.Info {
	info := picture.Info{Width: s.width, Height: s.height, Frames: len(s.frames), Channels: 3, Depth: 8}
	for _, f := range s.frames {
		if f.hasAlpha {
			info.Channels, info.Alpha = 4, true
		}
	}
	return info
}
