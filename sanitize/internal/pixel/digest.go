package pixel

// digestSide is the number of cells of the digest, across and down.
const digestSide = 8

// Digest is the mean luma of 8 × 8 cells in 4 bits each, row by row. Pictures that
// differ by little, such as one pixel or the noise of an encoder, mostly have the
// same digest, in whatever format they come. Of a weighted picture alpha counts, so
// that colour that nobody sees does not.
func (p *Picture[T]) Digest() [digestSide * digestSide]byte {
	var out [digestSide * digestSide]byte
	for i := range out {
		x, y := i%digestSide, i/digestSide
		out[i] = byte(p.meanLuma(x*p.Width/digestSide, y*p.Height/digestSide,
			(x+1)*p.Width/digestSide, (y+1)*p.Height/digestSide) >> 4)
	}
	return out
}

// meanLuma is the rounded mean over a cell of ITU-R BT.601 luma (16-bit integer
// weights, as in JFIF), times alpha where that counts, of 8 bits; 0 for an empty cell.
func (p *Picture[T]) meanLuma(x0, y0, x1, y1 int) uint64 {
	sum, n := uint64(0), uint64((x1-x0)*(y1-y0))
	if n == 0 {
		return 0
	}
	alpha := p.alpha()
	for y := y0; y < y1; y++ {
		if alpha == nil || !p.Weighted {
			sum += p.sumLuma(y, x0, x1)
			continue
		}
		for x, a := range alpha.row(y)[x0:x1] {
			sum += p.sumLuma(y, x0+x, x0+x+1) * uint64(a) / uint64(top[T]())
		}
	}
	if top[T]() > 255 {
		sum /= 257
	}
	return (sum/n + 128) >> 8
}

// sumLuma adds up the luma of a piece of a row, times 256.
func (p *Picture[T]) sumLuma(y, x0, x1 int) (sum uint64) {
	first := p.Planes[0].row(y)[x0:x1]
	if !p.rgb() {
		for _, v := range first {
			sum += uint64(v)
		}
		return sum << 8
	}
	green, blue := p.Planes[1].row(y)[x0:x1], p.Planes[2].row(y)[x0:x1]
	for x, r := range first {
		sum += (19595*uint64(r) + 38470*uint64(green[x]) + 7471*uint64(blue[x])) >> 8
	}
	return sum
}

// rgb reports whether the planes are red, green and blue.
func (p *Picture[T]) rgb() bool { return len(p.Planes) >= 3 && p.Planes[1].Kind == Light }
