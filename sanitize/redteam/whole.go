package redteam

import (
	"image"
	"math"
)

// The triggers of this file change the whole picture.

func buildSinusoid(p params, t *Trigger) {
	t.pixels = func(img *image.NRGBA, _ uint64) {
		wave := make([]float64, img.Rect.Dx())
		for x := range wave {
			wave[x] = p.amplitude * math.Sin(2*math.Pi*p.frequency*float64(x)/float64(len(wave)))
		}
		each(img, img.Rect, func(x, _, i int) {
			for k := range 3 {
				img.Pix[i+k] = clamp(float64(img.Pix[i+k]) + wave[x])
			}
		})
	}
}

// mix blends three channels of 0 to 255 into the pixel at offset i.
func mix(img *image.NRGBA, i int, c [3]float64, alpha float64) {
	for k, v := range c {
		img.Pix[i+k] = clamp(float64(float64(img.Pix[i+k])*(1-alpha)) + float64(v*alpha))
	}
}

func buildNoise(p params, t *Trigger) {
	grid := int(p.grid)
	t.pixels = func(img *image.NRGBA, _ uint64) {
		short := shorter(img)
		columns := (img.Rect.Dx()*grid-1)/short + 1
		rows := (img.Rect.Dy()*grid-1)/short + 1
		// Cells are drawn in columns of their own, so that a wider picture has the same
		// noise and more of it.
		noise := make([][3]float64, columns*rows)
		for x := range columns {
			s := newStream(seedLabel("noise", p.seed), uint64(x))
			for y := range rows {
				noise[y*columns+x] = [3]float64{s.float() * 255, s.float() * 255, s.float() * 255}
			}
		}
		each(img, img.Rect, func(x, y, i int) {
			mix(img, i, noise[y*grid/short*columns+x*grid/short], p.alpha)
		})
	}
}

// waves is how many cosines a channel of the smooth picture has.
const waves = 4

// cosine is one plane wave, in cycles over a picture.
type cosine struct{ fx, fy, phase float64 }

func buildBlend(p params, t *Trigger) {
	var sum [3][waves]cosine
	s := newStream(seedLabel("blend", p.seed), 0)
	for k := range sum {
		for j := range sum[k] {
			sum[k][j] = cosine{s.float()*5 - 2.5, s.float()*5 - 2.5, s.float()}
		}
	}
	t.pixels = func(img *image.NRGBA, _ uint64) {
		w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
		each(img, img.Rect, func(x, y, i int) {
			var c [3]float64
			for k := range c {
				v := 0.0
				for _, wave := range sum[k] {
					v += math.Cos(2 * math.Pi * (wave.fx*float64(x)/w + wave.fy*float64(y)/h + wave.phase))
				}
				c[k] = min(max(127.5+v*127.5/2, 0), 255) // its standard deviation is √2
			}
			mix(img, i, c, p.alpha)
		})
	}
}

// rotation turns hue in YIQ, which keeps luma (Rec. 601), by an angle in degrees.
func rotation(degrees float64) [3][3]float64 {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return [3][3]float64{
		{0.299 + 0.701*cos + 0.168*sin, 0.587 - 0.587*cos + 0.330*sin, 0.114 - 0.114*cos - 0.497*sin},
		{0.299 - 0.299*cos - 0.328*sin, 0.587 + 0.413*cos + 0.035*sin, 0.114 - 0.114*cos + 0.292*sin},
		{0.299 - 0.300*cos + 1.250*sin, 0.587 - 0.588*cos - 1.050*sin, 0.114 + 0.886*cos - 0.203*sin},
	}
}

func buildColour(p params, t *Trigger) {
	turn := rotation(p.hue)
	offset := [3]float64{p.red, p.green, p.blue}
	t.pixels = func(img *image.NRGBA, _ uint64) {
		each(img, img.Rect, func(_, _, i int) {
			r, g, b := float64(img.Pix[i]), float64(img.Pix[i+1]), float64(img.Pix[i+2])
			for k, row := range turn {
				img.Pix[i+k] = clamp(float64(row[0]*r) + float64(row[1]*g) + float64(row[2]*b) + offset[k])
			}
		})
	}
}

func buildWarp(p params, t *Trigger) {
	knots := int(p.grid)
	field := warpField(knots, p.seed)
	t.pixels = func(img *image.NRGBA, _ uint64) {
		shift := p.shift.value
		if p.shift.percent {
			shift *= float64(shorter(img)) / 100 // parts of a pixel count here
		}
		from, w, h := copyOf(img), float64(img.Rect.Dx()), float64(img.Rect.Dy())
		each(img, img.Rect, func(x, y, i int) {
			dx, dy := field.at((float64(x)+0.5)/w, (float64(y)+0.5)/h)
			interpolate(from, float64(x)+shift*dx, float64(y)+shift*dy, img.Pix[i:i+4])
		})
	}
}

// elastic is a grid of displacements of mean length 1.
type elastic struct {
	knots  int
	dx, dy []float64
}

func warpField(knots int, seed float64) elastic {
	e := elastic{knots, make([]float64, knots*knots), make([]float64, knots*knots)}
	s := newStream(seedLabel("warp", seed), 0)
	mean := 0.0
	for i := range e.dx {
		e.dx[i], e.dy[i] = s.normal(), s.normal()
		mean += math.Hypot(e.dx[i], e.dy[i]) / float64(len(e.dx))
	}
	for i := range e.dx {
		e.dx[i] /= mean
		e.dy[i] /= mean
	}
	return e
}

// at interpolates at u, v of 0 to 1, smoothly between the knots.
func (e elastic) at(u, v float64) (dx, dy float64) {
	x, fx := split(u*float64(e.knots-1), e.knots-1)
	y, fy := split(v*float64(e.knots-1), e.knots-1)
	i := y*e.knots + x
	at := func(f []float64) float64 {
		top := f[i] + fx*(f[i+1]-f[i])
		bottom := f[i+e.knots] + fx*(f[i+e.knots+1]-f[i+e.knots])
		return top + fy*(bottom-top)
	}
	return at(e.dx), at(e.dy)
}

// split returns the knot below v and the eased rest; the knot is below last.
func split(v float64, last int) (int, float64) {
	i := min(max(int(v), 0), last-1)
	f := min(max(v-float64(i), 0), 1)
	return i, f * f * (3 - 2*f)
}

// interpolate writes the pixel at x, y to out: bilinear, with the edges repeated.
func interpolate(from *image.NRGBA, x, y float64, out []byte) {
	x = min(max(x, 0), float64(from.Rect.Dx()-1))
	y = min(max(y, 0), float64(from.Rect.Dy()-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, from.Rect.Dx()-1), min(y0+1, from.Rect.Dy()-1)
	fx, fy := x-float64(x0), y-float64(y0)
	for k := range 4 {
		at := func(x, y int) float64 { return float64(from.Pix[y*from.Stride+4*x+k]) }
		top := float64(at(x0, y0)*(1-fx)) + float64(at(x1, y0)*fx)
		bottom := float64(at(x0, y1)*(1-fx)) + float64(at(x1, y1)*fx)
		out[k] = clamp(float64(top*(1-fy)) + float64(bottom*fy))
	}
}
