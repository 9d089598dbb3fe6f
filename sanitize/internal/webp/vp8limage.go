package webp

import "weir/sanitize/internal/picture"

const (
	literals      = 256
	lengthCodes   = 24
	distanceCodes = 40
)

// codeGroup are the prefix codes that one tile is coded with (§6.2).
type codeGroup struct {
	green, red, blue, alpha, distance *prefixCode
}

// imageWalk is one entropy-coded image.
type imageWalk struct {
	*vp8lWalk
	width, height int
	cacheBits     uint32
	groups        []codeGroup
	tileBits      uint
	tileGroups    []uint16 // the group of each tile; nil when there is one group

	out   []uint32 // the pixels, when they are followed
	cache colourCache
}

// readGroups reads the prefix codes and which tile uses which (§6.2.2). Codes of a
// group that no tile uses are checked and forgotten.
func (d *imageWalk) readGroups(outermost bool) error {
	count := 1
	if outermost && d.r.take(1) != 0 {
		var err error
		if count, err = d.readTiles(); err != nil {
			return err
		}
	}
	used := make([]int, count)
	if d.tileGroups != nil {
		for _, g := range d.tileGroups {
			used[g] = 1
		}
	} else {
		used[0] = 1
	}
	kept := 0
	for g := range used {
		if err := picture.Checkpoint(d.ctx); err != nil {
			return err
		}
		if d.short() {
			return picture.Errorf(picture.Truncated, "lossless data ends in its prefix codes")
		}
		group, err := d.readGroup()
		if err != nil {
			return err
		}
		if used[g] != 0 {
			used[g] = kept
			kept++
			d.groups = append(d.groups, group)
		}
	}
	for i, g := range d.tileGroups {
		d.tileGroups[i] = uint16(used[g])
	}
	d.hidden = d.hidden || kept < count
	if outermost {
		d.inspectGroups()
	}
	return nil
}

// inspectGroups looks for samples that vary beside green.
func (d *imageWalk) inspectGroups() {
	first, varies := d.groups[0], false
	for _, g := range d.groups {
		varies = varies || g.red.single < 0 || g.blue.single < 0 || g.alpha.single < 0 ||
			g.red.single != first.red.single || g.blue.single != first.blue.single || g.alpha.single != first.alpha.single
	}
	d.mixed = d.mixed || varies
	d.hidden = d.hidden || varies && d.palette != nil
}

// readTiles reads the entropy image, and returns how many groups follow.
func (d *imageWalk) readTiles() (int, error) {
	d.tileBits = uint(d.r.take(3)) + 2
	pixels, err := d.image(tiles(d.width, d.tileBits), tiles(d.height, d.tileBits), false, true)
	if err != nil {
		return 0, err
	}
	d.hidden = d.hidden || !constant(pixels, 0xFF0000FF)
	count := 0
	d.tileGroups = make([]uint16, len(pixels))
	for i, argb := range pixels {
		group := uint16(argb >> 8)
		d.tileGroups[i] = group
		count = max(count, int(group)+1)
	}
	if count > maxGroups {
		return 0, picture.Errorf(picture.Unsupported, "%d groups of prefix codes", count)
	}
	return count, nil
}

func (d *imageWalk) readGroup() (codeGroup, error) {
	var g codeGroup
	green := literals + lengthCodes
	if d.cacheBits > 0 {
		green += 1 << d.cacheBits
	}
	for _, code := range []struct {
		to       **prefixCode
		alphabet int
	}{{&g.green, green}, {&g.red, literals}, {&g.blue, literals}, {&g.alpha, literals}, {&g.distance, distanceCodes}} {
		c, err := d.prefixCode(code.alphabet)
		if err != nil {
			return g, err
		}
		*code.to = c
	}
	return g, nil
}

// pixels walks over the pixels (§5.2). With room for them in out, they are followed.
func (d *imageWalk) pixels(out []uint32) error {
	d.out = out
	if out != nil && d.cacheBits > 0 {
		d.cache = colourCache{entries: make([]uint32, 1<<d.cacheBits), shift: 32 - d.cacheBits}
	}
	group := &d.groups[0]
	perRow := tiles(d.width, d.tileBits)
	for at, x, y, checked := 0, 0, 0, -1; at < d.width*d.height; {
		if y > checked {
			checked = y
			if err := d.checkRow(y); err != nil {
				return err
			}
		}
		if d.tileGroups != nil {
			group = &d.groups[d.tileGroups[y>>d.tileBits*perRow+x>>d.tileBits]]
		}
		n, err := d.symbol(group, at)
		if err != nil {
			return err
		}
		at += n
		for x += n; x >= d.width; x -= d.width {
			y++
		}
	}
	return nil
}

// symbol reads what stands for the next pixels, and returns how many they are.
func (d *imageWalk) symbol(group *codeGroup, at int) (int, error) {
	d.r.fill()
	green := group.green.read(&d.r)
	switch {
	case green < literals:
		argb := group.literal(&d.r, green)
		if d.out != nil {
			d.out[at] = argb
		}
	case green < literals+lengthCodes:
		n, distance := d.reference(green-literals, group.distance)
		if total := d.width * d.height; distance > at || n > total-at {
			return 0, picture.Errorf(picture.Malformed, "reference of %d pixels back %d at pixel %d of %d", n, distance, at, total)
		}
		for i := at; d.out != nil && i < at+n; i++ {
			d.out[i] = d.out[i-distance]
		}
		return n, nil
	case d.out != nil:
		d.cache.insert(d.out[:at])
		d.out[at] = d.cache.entries[green-literals-lengthCodes]
	}
	return 1, nil
}

// checkRow is called at the start of a row. Behind the end of the data all rows may
// look like pixels.
func (d *imageWalk) checkRow(y int) error {
	if y&15 != 0 && d.width < 1024 {
		return nil
	}
	if d.short() {
		return picture.Errorf(picture.Truncated, "lossless data ends in row %d", y)
	}
	return picture.Checkpoint(d.ctx)
}

// literal reads the other samples of a pixel. At least 41 bits must be loaded.
func (g *codeGroup) literal(r *bitReader, green int) uint32 {
	red := g.red.read(r)
	blue := g.blue.read(r)
	if r.n < maxCodeLength {
		r.fill()
	}
	alpha := g.alpha.read(r)
	return uint32(alpha)<<24 | uint32(red)<<16 | uint32(green)<<8 | uint32(blue)
}

// reference reads how many pixels are repeated from how far back (§5.2.2).
func (d *imageWalk) reference(lengthCode int, distances *prefixCode) (length, distance int) {
	length = d.extended(lengthCode)
	d.r.fill()
	code := d.extended(distances.read(&d.r))
	if code > len(nearby) {
		return length, code - len(nearby)
	}
	at := nearby[code-1]
	return length, max(1, int(at>>4)*d.width+8-int(at&0xF))
}

// extended reads the extra bits of a length or distance code.
func (d *imageWalk) extended(code int) int {
	if code < 4 {
		return code + 1
	}
	extra := uint(code-2) >> 1
	return (2+code&1)<<extra + int(d.r.take(extra)) + 1
}

// nearby are the distances of short codes: rows up in the upper four bits, and 8
// less the columns to the left in the lower four.
var nearby = [120]uint8{
	0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1A, 0x26, 0x2A, 0x38, 0x05, 0x37, 0x39,
	0x15, 0x1B, 0x36, 0x3A, 0x25, 0x2B, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1C, 0x35, 0x3B, 0x46, 0x4A,
	0x24, 0x2C, 0x58, 0x45, 0x4B, 0x34, 0x3C, 0x03, 0x57, 0x59, 0x13, 0x1D, 0x56, 0x5A, 0x23, 0x2D,
	0x44, 0x4C, 0x55, 0x5B, 0x33, 0x3D, 0x68, 0x02, 0x67, 0x69, 0x12, 0x1E, 0x66, 0x6A, 0x22, 0x2E,
	0x54, 0x5C, 0x43, 0x4D, 0x65, 0x6B, 0x32, 0x3E, 0x78, 0x01, 0x77, 0x79, 0x53, 0x5D, 0x11, 0x1F,
	0x64, 0x6C, 0x42, 0x4E, 0x76, 0x7A, 0x21, 0x2F, 0x75, 0x7B, 0x31, 0x3F, 0x63, 0x6D, 0x52, 0x5E,
	0x00, 0x74, 0x7C, 0x41, 0x4F, 0x10, 0x20, 0x62, 0x6E, 0x30, 0x73, 0x7D, 0x51, 0x5F, 0x40, 0x72,
	0x7E, 0x61, 0x6F, 0x50, 0x71, 0x7F, 0x60, 0x70,
}

// colourCache holds pixels by their hash (§5.2.3).
type colourCache struct {
	entries []uint32
	shift   uint32
	done    int // pixels inserted
}

// insert inserts the pixels that were not inserted before.
func (c *colourCache) insert(pixels []uint32) {
	for ; c.done < len(pixels); c.done++ {
		argb := pixels[c.done]
		c.entries[argb*0x1E35A7BD>>c.shift] = argb
	}
}
