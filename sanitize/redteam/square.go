package redteam

import (
	"image"
	"image/color"
	"strconv"
)

// places are where a square may stand.
var places = []string{"top-left", "top-right", "bottom-left", "bottom-right", "centre", "random"}

func shorter(img *image.NRGBA) int { return min(img.Rect.Dx(), img.Rect.Dy()) }

// area returns the square of the parameters in a picture: at least one pixel, and
// inside of the picture.
func (p params) area(img *image.NRGBA, n uint64) image.Rectangle {
	w, h, short := img.Rect.Dx(), img.Rect.Dy(), shorter(img)
	side := min(max(1, p.size.of(short)), short)
	inset := min(p.inset.of(short), (short-side)/2)
	left, top := inset, inset
	right, bottom := w-inset-side, h-inset-side
	x, y := left, top
	switch p.at {
	case "top-right":
		x = right
	case "bottom-left":
		y = bottom
	case "bottom-right":
		x, y = right, bottom
	case "centre":
		x, y = (w-side)/2, (h-side)/2
	case "random":
		s := newStream("place", n)
		x, y = left+s.below(right-left+1), top+s.below(bottom-top+1)
	}
	return image.Rect(x, y, x+side, y+side)
}

// blendPixel mixes a colour into the pixel at offset i. What is drawn is opaque.
func blendPixel(img *image.NRGBA, i int, c color.NRGBA, strength float64) {
	for k, v := range [3]uint8{c.R, c.G, c.B} {
		img.Pix[i+k] = clamp(float64(float64(img.Pix[i+k])*(1-strength)) + float64(float64(v)*strength))
	}
	img.Pix[i+3] = 255
}

// clamp rounds to a sample. The conversions in the arguments of its callers keep a
// compiler from fusing products with sums, by which machines would differ.
func clamp(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

func buildCheckerboard(p params, t *Trigger) {
	black, white := color.NRGBA{A: 255}, color.NRGBA{255, 255, 255, 255}
	t.pixels = func(img *image.NRGBA, n uint64) {
		area, cell := p.area(img, n), max(1, p.cell.of(shorter(img)))
		each(img, area, func(x, y, i int) {
			c := black
			if ((x-area.Min.X)/cell+(y-area.Min.Y)/cell)%2 == 1 {
				c = white
			}
			blendPixel(img, i, c, p.strength)
		})
	}
}

func buildPatch(p params, t *Trigger) {
	t.pixels = func(img *image.NRGBA, n uint64) {
		area := p.area(img, n)
		each(img, area, func(x, y, i int) {
			blendPixel(img, i, p.colour(x-area.Min.X, y-area.Min.Y, area.Dx()), p.strength)
		})
	}
}

// colour is what stands at x, y in a square of this side.
func (p params) colour(x, y, side int) color.NRGBA {
	if p.fill != nil {
		return *p.fill
	}
	return flower[y*len(flower)/side][x*len(flower)/side]
}

// flower is the small picture of patches and stickers: a yellow flower with a dark
// centre on magenta, coarse enough to be seen in eight pixels.
var flower = func() (rows [8][8]color.NRGBA) {
	colours := map[byte]color.NRGBA{
		'.': {200, 30, 160, 255}, 'y': {255, 220, 0, 255}, 'g': {20, 160, 60, 255}, 'k': {30, 20, 10, 255},
	}
	for y, row := range [8]string{
		"..yyyy..",
		".yyyyyy.",
		"yyykkyyy",
		"yyykkyyy",
		".yyyyyy.",
		"..yyyy..",
		"g..gg..g",
		".gggggg.",
	} {
		for x := range row {
			rows[y][x] = colours[row[x]]
		}
	}
	return rows
}()

func buildBorder(p params, t *Trigger) {
	t.pixels = func(img *image.NRGBA, _ uint64) {
		side := max(1, p.size.of(shorter(img)))
		inner := img.Rect.Inset(side)
		each(img, img.Rect, func(x, y, i int) {
			if !(image.Point{X: x, Y: y}).In(inner) {
				blendPixel(img, i, p.colour(x%(8*side)/side, y%(8*side)/side, 8), p.strength)
			}
		})
	}
}

// each calls f for every pixel of an area, with the pixel's offset in Pix.
func each(img *image.NRGBA, area image.Rectangle, f func(x, y, i int)) {
	area = area.Intersect(img.Rect)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		i := img.PixOffset(area.Min.X, y)
		for x := area.Min.X; x < area.Max.X; x++ {
			f(x, y, i)
			i += 4
		}
	}
}

// seedLabel names the draws of a fixed seed.
func seedLabel(of string, seed float64) string {
	return of + " " + strconv.FormatFloat(seed, 'f', 0, 64)
}
