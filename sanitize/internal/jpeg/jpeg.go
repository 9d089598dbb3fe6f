// Package jpeg rewrites a JPEG file so that it holds the picture and nothing else.
//
// The walk follows ITU-T T.81 (the marker syntax of annex B, the entropy-coded
// data of annexes F and G) and is stricter than decoders are: where libjpeg and
// others would read a file differently, or repair it with a warning, it is
// refused. Every Huffman code of every scan is read, baseline and progressive, so
// that a truncated scan is found and bytes behind the last block are cut off.
//
// What stays, in this order: SOI; APP0 JFIF without density and thumbnail, if there was one;
// APP1 Exif with the orientation alone, if it is 2 to 8; APP14 Adobe, if there was
// one (it decides the colour transform); the DQT that the frame names; SOF, its
// components named as libjpeg's encoder does (from 1, or RGB or CMYK); for each scan
// the DHT that it names, DRI if it changed, SOS and the entropy-coded
// data, its pad bits set to 1. The order is that of libjpeg's encoder. Nothing is
// added that was not there: a JFIF marker would change how RGB files are read.
//
// What a walk without re-encoding leaves: choices of the encoder (lengths of Huffman
// codes, steps of coefficients that are 0, low bits of coefficients, the split into
// scans and restart intervals), and blocks beyond the right and lower edge of the
// picture. With ContainerOnly the entropy-coded data is copied up to the next marker
// without a walk, which leaves also: scans that end too early or hold invalid codes,
// bytes behind the last block of a scan or of a restart interval, unused symbols of a
// used Huffman table, and pad bits. Missing markers are found all the same.
//
// Besides the output, a walk needs memory for progressive files only: 16 bytes for
// each block of 64 samples.
//
// Not read, hence refused, because libjpeg and Go do not both read it, or not to the
// same picture: arithmetic coding, lossless and hierarchical frames, 12 bits, two
// components, four without APP14, sampling factors of 3 or other than those of
// chroma, DNL, tables taken for granted (Motion JPEG), restart intervals in a scan of
// one component out of several with more than one block an MCU, progressive files
// that lack a scan, coefficients beyond what any picture of 8 bits gives.
package jpeg

import (
	"bytes"
	"context"

	"weir/sanitize/internal/picture"
)

// Markers, T.81 table B.1.
const (
	mSOF0  = 0xC0
	mSOF1  = 0xC1
	mSOF2  = 0xC2
	mDHT   = 0xC4
	mRST0  = 0xD0
	mRST7  = 0xD7
	mSOI   = 0xD8
	mEOI   = 0xD9
	mSOS   = 0xDA
	mDQT   = 0xDB
	mDNL   = 0xDC
	mDRI   = 0xDD
	mDHP   = 0xDE
	mEXP   = 0xDF
	mAPP0  = 0xE0
	mAPP1  = 0xE1
	mAPP14 = 0xEE
	mAPP15 = 0xEF
	mCOM   = 0xFE
)

// stripper is one walk over a file.
type stripper struct {
	ctx    context.Context
	data   []byte
	pos    int
	out    []byte
	opts   picture.Options
	budget *picture.Budget
	result picture.Stripped

	header header
	frame  *frame // nil before SOF
	quant  [4]quantTable
	huff   [2][4]huffTable // by class (0 DC, 1 AC) and destination
	tables []sentTable     // in the order of the output

	restart, restartSent int // MCUs in a restart interval; 0 for none
	scans                int // so far
	afterScan            bool
}

// Strip walks data and returns the rewritten file. The error is a *picture.Error,
// or that of the context.
func Strip(ctx context.Context, data []byte, o picture.Options) (*picture.Stripped, error) {
	if len(data) < 2 || data[0] != 0xFF || data[1] != mSOI {
		return nil, picture.Errorf(picture.Malformed, "no SOI marker")
	}
	s := &stripper{ctx: ctx, data: data, pos: 2, opts: o, budget: picture.NewBudget(o.Limits)}
	s.out = make([]byte, 0, len(data)+64)
	for {
		marker, err := s.nextMarker()
		if err != nil {
			return nil, err
		}
		if marker == mEOI {
			break
		}
		if err := s.segment(marker); err != nil {
			return nil, err
		}
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return &s.result, nil
}

// nextMarker moves behind the next marker. What it passes over is dropped, as
// libjpeg does: bytes up to 0xFF, 0xFF 0x00, fill bytes (T.81 B.1.1.2), and RSTn
// between segments.
func (s *stripper) nextMarker() (byte, error) {
	start := s.pos
	for {
		i := bytes.IndexByte(s.data[s.pos:], 0xFF)
		if i < 0 {
			return 0, picture.Errorf(picture.Truncated, "no EOI marker")
		}
		s.pos += i + 1
		for s.pos < len(s.data) && s.data[s.pos] == 0xFF {
			s.pos++
		}
		if s.pos == len(s.data) {
			return 0, picture.Errorf(picture.Truncated, "no EOI marker")
		}
		marker := s.data[s.pos]
		s.pos++
		if marker == 0 || marker >= mRST0 && marker <= mRST7 {
			continue
		}
		dropped := s.pos - 2 - start
		where := "bytes between segments"
		if s.afterScan {
			where, s.afterScan = "bytes after scan data", false
		}
		s.result.Remove(where, dropped)
		return marker, s.budget.Metadata(dropped)
	}
}

// payload moves behind the segment whose marker was read and returns its bytes.
func (s *stripper) payload() ([]byte, error) {
	if err := s.budget.Segment(); err != nil {
		return nil, err
	}
	if s.pos+2 > len(s.data) {
		return nil, picture.Errorf(picture.Truncated, "ends inside a segment")
	}
	n := int(s.data[s.pos])<<8 | int(s.data[s.pos+1])
	if n < 2 {
		return nil, picture.Errorf(picture.Malformed, "segment length %d", n)
	}
	if s.pos+n > len(s.data) {
		return nil, picture.Errorf(picture.Truncated, "ends inside a segment")
	}
	p := s.data[s.pos+2 : s.pos+n]
	s.pos += n
	return p, nil
}

func (s *stripper) segment(marker byte) error {
	switch {
	case marker == mSOI || marker < mSOF0 || marker >= 0xF0 && marker != mCOM:
		return picture.Errorf(picture.Malformed, "marker %02X between segments", marker)
	case marker == mDNL || marker == mDHP || marker == mEXP || marker >= mSOF0 && marker < mRST0 &&
		marker != mDHT && marker > mSOF2:
		return picture.Errorf(picture.Unsupported, "marker %02X: DNL, arithmetic, lossless or hierarchical", marker)
	}
	p, err := s.payload()
	if err != nil {
		return err
	}
	switch marker {
	case mSOF0, mSOF1, mSOF2:
		return s.startOfFrame(marker, p)
	case mDHT:
		return s.defineHuffman(p)
	case mDQT:
		return s.defineQuant(p)
	case mDRI:
		if len(p) != 2 {
			return picture.Errorf(picture.Malformed, "DRI of %d bytes", len(p))
		}
		s.restart = int(p[0])<<8 | int(p[1])
		return nil
	case mSOS:
		return s.scan(p)
	}
	return s.application(marker, p)
}

// finish writes the end of the file, with the cursor behind EOI.
func (s *stripper) finish() error {
	if s.frame == nil || s.scans == 0 {
		return picture.Errorf(picture.Malformed, "no picture before EOI")
	}
	if err := s.frame.complete(); err != nil {
		return err
	}
	if err := s.checkColours(); err != nil {
		return err
	}
	s.out = append(s.out, 0xFF, mEOI)
	s.dropUnsentTables()
	s.dropUnusedSymbols()
	if s.restart > 0 && s.restartSent == 0 {
		s.result.Remove("DRI without effect", 6)
	}
	s.result.Remove("data after EOI", len(s.data)-s.pos)
	s.result.Info = s.frame.info()
	if q := &s.quant[s.frame.components[0].quant]; q.sent {
		s.result.Info.Quality = q.quality()
	}
	s.result.Data = s.out
	return nil
}

// write appends one segment. Payloads are shorter than 65,534 bytes.
func (s *stripper) write(marker byte, payload ...byte) {
	s.out = appendSegment(s.out, marker, payload)
}

func appendSegment(out []byte, marker byte, payload []byte) []byte {
	n := len(payload) + 2
	out = append(out, 0xFF, marker, byte(n>>8), byte(n))
	return append(out, payload...)
}
