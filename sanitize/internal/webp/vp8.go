package webp

import (
	"bytes"
	"context"
	"encoding/binary"

	"weir/sanitize/internal/picture"
)

const (
	vp8HeaderSize     = 10 // frame tag, start code, width and height (RFC 6386 §9.1)
	maxFirstPartition = 1<<19 - 1
	maxPartition      = 1<<24 - 1
)

// maxMagnitude is the most that the magnitudes of a block's coefficients may add up
// to. Residuals of up to 255 give about half of that. Above it, sums within the
// inverse transform, which grow by up to 1.307 in each direction, leave the 16 bits
// that decoders with vector instructions have for them, and decoders differ.
const maxMagnitude = 19_000

// vp8Header is what stands before the first partition.
type vp8Header struct {
	tag           byte // profile, with the other bits of a shown key frame
	first         int  // bytes of the first partition
	width, height int
	scaled        bool // the bits that ask a player to scale are set
}

// readVP8Header reads the 10 bytes that decoders read before anything else.
func readVP8Header(p []byte) (vp8Header, error) {
	if len(p) < vp8HeaderSize {
		return vp8Header{}, picture.Errorf(picture.Truncated, "VP8 data of %d bytes", len(p))
	}
	tag := int(p[0]) | int(p[1])<<8 | int(p[2])<<16
	w, h := binary.LittleEndian.Uint16(p[6:]), binary.LittleEndian.Uint16(p[8:])
	switch {
	case !bytes.Equal(p[3:6], []byte{0x9D, 0x01, 0x2A}):
		return vp8Header{}, picture.Errorf(picture.Malformed, "no VP8 start code")
	case tag&1 != 0 || tag>>4&1 == 0 || tag>>1&7 > 3:
		return vp8Header{}, picture.Errorf(picture.Malformed, "VP8 frame tag %06X: no key frame that is shown", tag)
	}
	return vp8Header{tag: byte(tag) & 0x1F, first: tag >> 5, width: int(w & 0x3FFF), height: int(h & 0x3FFF),
		scaled: w>>14 != 0 || h>>14 != 0}, nil
}

// vp8Walk is one walk over a key frame. Nothing is reconstructed: the walk reads
// every boolean that a decoder reads, to find where each partition ends and which
// parameters decide a sample.
type vp8Walk struct {
	ctx    context.Context
	header vp8Header
	frame  vp8Frame
	tokens []boolReader
	above  []macroblock
	left   macroblock
	used   usedParams
	most   int32 // of the sums of magnitudes of a block's coefficients
}

// macroblock is what its neighbours need to know (§13.3, §11.3).
type macroblock struct {
	modes   [4]uint8 // of the blocks at the edge
	luma    [4]uint8 // 1 for each block at the edge that has coefficients
	chroma  [4]uint8 // the same of two and two blocks
	lumaDC  uint8    // of the last macroblock that has such a block
	segment uint8
	skip    bool
	blocks  bool // the luma is predicted by blocks, not as a whole
}

// usedParams are the parameters that the data refers to.
type usedParams struct {
	filter   bool // the loop filter is on
	segments [4]bool
	probs    [planeCount][bandCount][contextCount]uint16 // a bit for each probability
}

// stripVP8 rewrites the payload of a VP8 chunk: without scaling bits, bytes that no
// decision is made from, and parameters that decide nothing. It notes in result
// what it left out.
func stripVP8(ctx context.Context, p []byte, h vp8Header, result *picture.Stripped) ([]byte, error) {
	w := &vp8Walk{ctx: ctx, header: h, above: make([]macroblock, (h.width+15)/16)}
	if h.first > len(p)-vp8HeaderSize {
		return nil, picture.Errorf(picture.Truncated, "ends inside the first VP8 partition")
	}
	first := p[vp8HeaderSize : vp8HeaderSize+h.first]
	rest := p[vp8HeaderSize+h.first:]
	c := &boolCopier{r: newBoolReader(first)}
	if c.r.outside() {
		return nil, picture.Errorf(picture.Malformed, "the first VP8 partition begins with FF")
	}
	w.frame.read(c, nil)
	if err := w.splitTokens(rest); err != nil {
		return nil, err
	}
	if err := w.macroblocks(c, true); err != nil {
		return nil, err
	}
	if c.r.used() > len(first) {
		return nil, picture.Errorf(picture.Truncated, "the first VP8 partition ends before the last macroblock")
	}
	w.used.filter = w.frame.level > 0
	rewritten, err := w.rewriteFirst(first)
	if err != nil {
		return nil, err
	}
	kept, changed := c.r.canonical(nil)
	result.Remove("VP8 first partition tail", len(first)-len(kept))
	switch {
	case !bytes.Equal(rewritten, kept):
		result.Remove("VP8 unused parameters", max(1, len(kept)-len(rewritten)))
	case changed:
		result.Remove("VP8 spare bits", 1)
	}
	if h.scaled {
		result.Remove("VP8 scaling bits", 1)
	}
	return w.write(rewritten, result)
}

// splitTokens finds the partitions of coefficients (§9.5).
func (w *vp8Walk) splitTokens(p []byte) error {
	n := w.frame.partitions
	sizes := 3 * (n - 1)
	if len(p) < sizes {
		return picture.Errorf(picture.Truncated, "ends inside the sizes of the VP8 partitions")
	}
	rows := (w.header.height + 15) / 16
	rest := p[sizes:]
	for i := range n {
		size := len(rest)
		if i < n-1 {
			size = int(p[3*i]) | int(p[3*i+1])<<8 | int(p[3*i+2])<<16
		}
		if size > len(rest) {
			return picture.Errorf(picture.Truncated, "ends inside VP8 partition %d", i+1)
		}
		if size > maxPartition {
			return picture.Errorf(picture.Unsupported, "VP8 partition of %d bytes", size)
		}
		// libwebp refuses an empty partition that it would read, or that is the last.
		if size == 0 && (i < rows || i == n-1) {
			return picture.Errorf(picture.Truncated, "VP8 partition %d is empty", i+1)
		}
		r := newBoolReader(rest[:size])
		if r.outside() && i < rows {
			return picture.Errorf(picture.Malformed, "VP8 partition %d begins with FF", i+1)
		}
		w.tokens = append(w.tokens, r)
		rest = rest[size:]
	}
	return nil
}

// macroblocks walks over all of them; with tokens, over their coefficients too.
func (w *vp8Walk) macroblocks(c *boolCopier, tokens bool) error {
	clear(w.above)
	for y := range (w.header.height + 15) / 16 {
		if err := picture.Checkpoint(w.ctx); err != nil {
			return err
		}
		w.left = macroblock{}
		r := &w.tokens[y%len(w.tokens)]
		for x := range w.above {
			w.frame.readMode(c, &w.above[x], &w.left)
			if tokens {
				w.used.segments[w.above[x].segment] = true
				w.coefficients(r, &w.above[x])
			}
		}
		if tokens && (r.used() > len(r.data) || c.r.used() > len(c.r.data)) {
			return picture.Errorf(picture.Truncated, "VP8 data ends in row %d of macroblocks", y+1)
		}
		if w.most > maxMagnitude {
			return picture.Errorf(picture.Malformed, "coefficients that add up to %d in row %d of macroblocks", w.most, y+1)
		}
	}
	return nil
}

// rewriteFirst encodes the first partition anew, with the parameters that decide
// nothing at their defaults.
func (w *vp8Walk) rewriteFirst(first []byte) ([]byte, error) {
	c := &boolCopier{r: newBoolReader(first), w: newBoolWriter(len(first) + 8)}
	w.frame = vp8Frame{}
	w.frame.read(c, &w.used)
	if err := w.macroblocks(c, false); err != nil {
		return nil, err
	}
	out := c.w.finish(len(first))
	if len(out) > maxFirstPartition {
		return nil, picture.Errorf(picture.Unsupported, "first VP8 partition of %d bytes", len(out))
	}
	return out, nil
}

// write puts the frame together. Its size is made even by a zero in the last
// partition, as libwebp's encoder does, which takes the place of a pad byte.
func (w *vp8Walk) write(first []byte, result *picture.Stripped) ([]byte, error) {
	last := len(w.tokens) - 1
	total := vp8HeaderSize + len(first) + 3*last
	for i := range w.tokens {
		total += w.tokens[i].size()
	}
	pad := total & 1
	h := w.header
	tag := int(h.tag) | len(first)<<5
	out := make([]byte, 0, total+pad)
	out = append(out, byte(tag), byte(tag>>8), byte(tag>>16), 0x9D, 0x01, 0x2A)
	out = binary.LittleEndian.AppendUint16(out, uint16(h.width))
	out = binary.LittleEndian.AppendUint16(out, uint16(h.height))
	out = append(out, first...)
	for i := range last {
		out = appendUint24(out, w.tokens[i].size())
	}
	for i := range w.tokens {
		r := &w.tokens[i]
		var changed bool
		if out, changed = r.canonical(out); changed {
			result.Remove("VP8 spare bits", 1)
		}
		cut := len(r.data) - r.size()
		if i == last {
			cut -= pad
		}
		result.Remove("VP8 partition tail", cut)
	}
	return append(out, make([]byte, pad)...), nil
}
