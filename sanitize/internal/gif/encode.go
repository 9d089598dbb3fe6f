package gif

import (
	"context"
	"image"

	"weir/sanitize/internal/picture"
)

// Encode writes a picture of one frame, in the form that Strip leaves as it is. A
// picture of at most 256 colours, the transparent one among them, keeps them; another
// gets a palette by median cut over 5 bits a channel, and each pixel the entry nearest
// to its colour, without dithering. Pixels below half of the alpha are transparent,
// others are opaque. Equal pictures have equal files. The origin of img is 0.
func Encode(ctx context.Context, img *image.NRGBA) ([]byte, error) {
	p := &paletter{index: make(map[uint32]byte)}
	pix, err := p.exact(ctx, img)
	if err != nil {
		return nil, err
	}
	if pix == nil {
		if pix, err = p.quantised(ctx, img); err != nil {
			return nil, err
		}
	}
	size := img.Rect.Size()
	f := &frame{rect: image.Rectangle{Max: size}, pix: pix}
	s := &stripper{width: size.X, height: size.Y, global: p.table, loop: -1, frames: []*frame{f}}
	if p.transparent {
		f.control = &control{transparent: 0}
	}
	entries := 2
	for 3*entries < len(p.table) {
		entries *= 2
	}
	s.global = append(s.global, make([]byte, 3*entries-len(s.global))...)
	if err := s.countColours(f); err != nil {
		return nil, err
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	return s.write(ctx)
}

// paletter finds the colour table of a picture. Index 0 is the transparent one, if
// there are transparent pixels.
type paletter struct {
	table       []byte
	transparent bool
	index       map[uint32]byte // of a colour, red in the highest byte
}

const maxColours = 256

func isTransparent(pixel []byte) bool { return pixel[3] < 0x80 }

func rgb(pixel []byte) uint32 { return uint32(pixel[0])<<16 | uint32(pixel[1])<<8 | uint32(pixel[2]) }

// eachRow calls visit with the pixels of each row.
func eachRow(ctx context.Context, img *image.NRGBA, visit func(y int, row []byte) bool) error {
	for y := range img.Rect.Dy() {
		if err := picture.Checkpoint(ctx); err != nil {
			return err
		}
		if !visit(y, img.Pix[y*img.Stride:][:4*img.Rect.Dx()]) {
			return nil
		}
	}
	return nil
}

// exact returns the indices of a picture of few colours, in the order in which they
// occur, or nil.
func (p *paletter) exact(ctx context.Context, img *image.NRGBA) ([]byte, error) {
	err := eachRow(ctx, img, func(_ int, row []byte) bool {
		for ; len(row) > 0 && !p.transparent; row = row[4:] {
			p.transparent = isTransparent(row)
		}
		return !p.transparent
	})
	if err != nil {
		return nil, err
	}
	p.reset()
	pix := make([]byte, 0, img.Rect.Dx()*img.Rect.Dy())
	few := true
	err = eachRow(ctx, img, func(_ int, row []byte) bool {
		for ; len(row) > 0 && few; row = row[4:] {
			if isTransparent(row) {
				pix = append(pix, 0)
				continue
			}
			i, ok := p.index[rgb(row)]
			if !ok {
				if few = len(p.table) < 3*maxColours; !few {
					break
				}
				i = byte(len(p.table) / 3)
				p.index[rgb(row)] = i
				p.table = append(p.table, row[:3]...)
			}
			pix = append(pix, i)
		}
		return few
	})
	if !few {
		pix = nil
	}
	return pix, err
}

// reset empties the table but for the transparent entry.
func (p *paletter) reset() {
	clear(p.index)
	p.table = nil
	if p.transparent {
		p.table = make([]byte, 3)
	}
}

// quantised returns the indices of a picture of many colours.
func (p *paletter) quantised(ctx context.Context, img *image.NRGBA) ([]byte, error) {
	bins := make([]bin, 1<<15)
	err := eachRow(ctx, img, func(_ int, row []byte) bool {
		for ; len(row) > 0; row = row[4:] {
			if !isTransparent(row) {
				bins[binOf(row)].add(row)
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	p.reset()
	p.table = append(p.table, medianCut(bins, maxColours-len(p.table)/3)...)
	nearest := p.nearest(bins)
	pix := make([]byte, 0, img.Rect.Dx()*img.Rect.Dy())
	err = eachRow(ctx, img, func(_ int, row []byte) bool {
		for ; len(row) > 0; row = row[4:] {
			if isTransparent(row) {
				pix = append(pix, 0)
			} else {
				pix = append(pix, nearest[binOf(row)])
			}
		}
		return true
	})
	return pix, err
}

// nearest returns the index of the entry that is nearest to the mean of each bin.
func (p *paletter) nearest(bins []bin) []byte {
	first := 0
	if p.transparent {
		first = 1
	}
	out := make([]byte, len(bins))
	for i, b := range bins {
		if b.n == 0 {
			continue
		}
		best := int64(-1)
		for j := first; j < len(p.table)/3; j++ {
			distance := int64(0)
			for c := range 3 {
				d := int64(b.sum[c]/b.n) - int64(p.table[3*j+c])
				distance += d * d
			}
			if best < 0 || distance < best {
				best, out[i] = distance, byte(j)
			}
		}
	}
	return out
}
