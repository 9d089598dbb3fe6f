// Package png rewrites a PNG file so that it holds the picture and nothing else.
//
// The walk follows the PNG specification (W3C, third edition) and is stricter than
// decoders are: every CRC must hold, chunks that stay must stand in their order and
// once, the image data must inflate to exactly the declared rows, and whatever
// decoders read differently is refused.
//
// What stays, in this order: IHDR; cICP, gAMA, sRGB, sBIT and cHRM when they are
// valid and in place; PLTE and tRNS of the colour types that have them, with the
// entries that no pixel uses blanked; eXIf with the orientation alone, if it is 2
// to 8; the zlib stream in IDAT chunks of 1 MiB; IEND. Everything ancillary but
// these goes, iCCP, pHYs, mDCV and cLLI too: no decoder's samples depend on them,
// and they have room for text.
//
// Refused: unknown critical chunks, a zlib stream that holds more or less than the
// rows or reaches back beyond its window, palette indices without an entry, and
// ancillary chunks over which libpng or Pillow give up on the whole file.
//
// An animation (APNG) is refused by default. With FirstFrame its chunks go and the
// still picture in IDAT stays. With KeepAnimation acTL, fcTL and fdAT are written
// anew: sequence numbers without a gap, as many frames as acTL says, each inside
// the canvas and inflating to exactly its rows, delays in lowest terms. The still
// picture must be the first frame; else readers of stills and of animations would
// be shown different things, and the file is refused.
//
// A zlib stream is copied, unless pad bits behind the last pixel of a row are set,
// or colour under alpha 0 and it has to go (ZeroTransparent): then its rows are
// compressed anew. ZeroTransparent also blanks the palette entries of alpha 0. A
// tRNS colour key hides nothing, since its colour is one for the whole picture.
//
// What copying leaves: colour under alpha 0 without ZeroTransparent, and choices of
// the encoder (filters, block splits, codes without use, padding between blocks).
// With ContainerOnly the image data is not inflated, which leaves also: rows that
// are missing or too many, bytes after the zlib stream, a wrong checksum in it, pad
// bits, palette entries that no pixel uses, indices without an entry. The palette's
// entries of alpha 0 are blanked all the same, and where alpha is a channel
// ZeroTransparent wins over ContainerOnly.
//
// Besides the output, a walk needs memory for a few rows and the inflater's window.
package png

import (
	"context"
	"encoding/binary"
	"hash/crc32"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
)

const (
	signature = "\x89PNG\r\n\x1a\n"
	maxIDAT   = 1 << 20
	minIDAT   = 4096 // smaller ones count as segments; encoders write 8192 or more
)

// Colour types (§11.2.1).
const (
	Grey      = 0
	RGB       = 2
	Palette   = 3
	GreyAlpha = 4
	RGBAlpha  = 6
)

// Header is IHDR.
type Header struct {
	Width, Height int
	Depth         int // bits a sample
	ColourType    uint8
	Interlaced    bool
}

// ancillary are the chunks that are kept, in the order in which they are written.
var ancillary = [...]string{"cICP", "gAMA", "sRGB", "sBIT", "cHRM"}

type stripper struct {
	data   []byte
	pos    int
	opts   picture.Options
	budget *picture.Budget
	result picture.Stripped

	header  Header
	palette []byte // PLTE of colour type 3; aliases the input
	alpha   []byte // tRNS; aliases the input
	kept    [len(ancillary)][]byte
	hasExif bool

	// planes are the picture in IDAT and, when an animation stays, its further frames.
	planes    []*plane
	animation animation

	inflated int64 // bytes of compressed texts and profiles so far

	hasPLTE, hasIDAT bool
	afterIDAT        bool // a chunk behind IDAT was seen
}

// plane is one zlib stream of rows: the picture in IDAT, or a frame in fdAT.
type plane struct {
	header  Header   // of the picture, with the size of the plane
	control *control // fcTL; nil for a still picture
	chunks  [][]byte // payloads; alias the input, none is empty
	length  int      // of the zlib stream; of all chunks if it is not inflated
	unclean bool     // the rows hold what has to go
}

// Strip walks data and returns the rewritten file; with recompress, the rows are
// filtered and compressed anew in any case. The error is a *picture.Error, or that
// of the context.
func Strip(ctx context.Context, data []byte, o picture.Options, recompress bool) (*picture.Stripped, error) {
	if len(data) < len(signature) || string(data[:len(signature)]) != signature {
		return nil, picture.Errorf(picture.Malformed, "no PNG signature")
	}
	s := &stripper{data: data, pos: len(signature), opts: o, budget: picture.NewBudget(o.Limits)}
	if err := s.chunks(); err != nil {
		return nil, err
	}
	s.result.Remove("data after IEND", len(data)-s.pos)
	if err := s.checkPlanes(); err != nil {
		return nil, err
	}
	var err error
	if o.ContainerOnly && !recompress && !s.seeksHidden() {
		s.blankHidden()
	} else if err = s.inspect(ctx); err != nil {
		return nil, err
	}
	s.result.Info = s.info()
	s.result.Data, err = s.write(ctx, recompress)
	if err != nil {
		return nil, err
	}
	return &s.result, nil
}

// chunks reads all chunks up to IEND.
func (s *stripper) chunks() error {
	for first := true; ; first = false {
		name, p, err := s.chunk()
		if err != nil {
			return err
		}
		if s.counts(name, len(p)) {
			if err := s.budget.Segment(); err != nil {
				return err
			}
		}
		if first != (name == "IHDR") {
			return picture.Errorf(picture.Malformed, "IHDR is not the first chunk, or not the only one")
		}
		if name == "IEND" {
			if len(p) > 0 {
				return picture.Errorf(picture.Malformed, "IEND holds %d bytes", len(p))
			}
			return nil
		}
		if err := s.take(name, p); err != nil {
			return err
		}
		s.afterIDAT = s.hasIDAT && name != "IDAT"
	}
}

// chunk reads one chunk and checks its framing (§5.3).
func (s *stripper) chunk() (string, []byte, error) {
	rest := s.data[s.pos:]
	if len(rest) < 12 {
		return "", nil, picture.Errorf(picture.Truncated, "no IEND")
	}
	n := uint64(binary.BigEndian.Uint32(rest))
	if n > 1<<31-1 {
		return "", nil, picture.Errorf(picture.Malformed, "chunk of %d bytes", n)
	}
	if n+12 > uint64(len(rest)) {
		return "", nil, picture.Errorf(picture.Truncated, "ends inside a chunk")
	}
	for _, c := range rest[4:8] {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return "", nil, picture.Errorf(picture.Malformed, "chunk type is not four letters")
		}
	}
	if rest[6]&0x20 != 0 {
		return "", nil, picture.Errorf(picture.Malformed, "chunk type with the reserved bit") // libpng refuses it
	}
	name := string(rest[4:8])
	if crc32.ChecksumIEEE(rest[4:8+n]) != binary.BigEndian.Uint32(rest[8+n:]) {
		return "", nil, picture.Errorf(picture.Malformed, "wrong CRC of %s", display(name))
	}
	s.pos += int(n) + 12
	return name, rest[8 : 8+n], nil
}

// counts tells whether a chunk counts against the limit of segments. Image data in
// chunks of a usual size does not, nor do the frames, which have a limit of their own.
func (s *stripper) counts(name string, n int) bool {
	switch name {
	case "IDAT":
		return n < minIDAT
	case "fcTL":
		return false
	case "fdAT":
		return n < minIDAT && s.opts.Animation == picture.KeepAnimation && !s.animation.begun
	}
	return true
}

// take keeps or drops one chunk.
func (s *stripper) take(name string, p []byte) error {
	switch name {
	case "IHDR":
		return s.readHeader(p)
	case "IDAT":
		return s.readImageData(p)
	case "PLTE":
		return s.readPalette(p)
	case "tRNS":
		return s.readAlpha(p)
	case "acTL", "fcTL", "fdAT":
		return s.animate(name, p)
	case "eXIf":
		return s.readExif(p)
	}
	for i, keep := range ancillary {
		if name == keep && !s.hasPLTE && !s.hasIDAT && s.valid(name, p) {
			if s.kept[i] != nil {
				return picture.Errorf(picture.Malformed, "%s twice", name)
			}
			s.kept[i] = p
			return nil
		}
	}
	if name[0]&0x20 == 0 {
		return picture.Errorf(picture.Malformed, "unknown critical chunk")
	}
	if err := s.checkDropped(name, p); err != nil {
		return err
	}
	return s.drop(display(name), len(p)+12)
}

func (s *stripper) readImageData(p []byte) error {
	if s.afterIDAT {
		return picture.Errorf(picture.Malformed, "IDAT chunks are not consecutive")
	}
	if !s.hasIDAT {
		s.hasIDAT = true
		s.planes = []*plane{{header: s.header}}
	}
	if len(p) == 0 {
		return s.drop("IDAT empty", 12)
	}
	s.planes[0].append(p)
	return nil
}

func (p *plane) append(chunk []byte) {
	p.chunks = append(p.chunks, chunk)
	p.length += len(chunk)
}

func (s *stripper) drop(where string, n int) error {
	s.result.Remove(where, n)
	return s.budget.Metadata(n)
}

func (s *stripper) readExif(p []byte) error {
	if s.hasExif {
		return s.drop("eXIf repeated", len(p)+12)
	}
	s.hasExif = true
	found := exif.Inspect(p)
	if s.opts.DropOrientation {
		found.Orientation = 0
	}
	s.result.Orientation = found.Orientation
	kept := 0
	if found.Orientation != 0 {
		kept = exif.MinimalSize + 12
	}
	return s.drop("eXIf"+found.Describe(), len(p)+12-kept)
}

// knownNames are the chunks that a report calls by name. Any other type is four
// letters of the sender's choice, and reports hold no content.
var knownNames = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "cICP": true, "gAMA": true,
	"sRGB": true, "sBIT": true, "cHRM": true, "iCCP": true, "mDCV": true, "cLLI": true, "tEXt": true,
	"zTXt": true, "iTXt": true, "eXIf": true, "tIME": true, "sPLT": true, "hIST": true, "bKGD": true,
	"pHYs": true, "oFFs": true, "pCAL": true, "sCAL": true, "sTER": true, "gIFg": true, "gIFx": true,
	"gIFt": true, "fRAc": true, "dSIG": true, "caBX": true, "iDOT": true, "vpAg": true, "orNT": true,
	"zxIf": true, "tXMP": true, "mkBF": true, "mkTS": true, "mkBS": true, "prVW": true, "cpIp": true,
	"meTa": true, "gdAT": true, "seAl": true,
}

func display(name string) string {
	if knownNames[name] {
		return name
	}
	return "private chunk"
}
