//go:build e2e

package sanitize_test

import (
	"bytes"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/sanitize"
)

var _ = registerGrammar(sanitize.FormatJPEG, grammar{
	seeds: func(t testing.TB) [][]byte {
		out := smallSources(t, "*.jpg")
		for _, c := range canaries(t) {
			if c.format == sanitize.FormatJPEG && c.refuse == "" {
				out = append(out, c.data)
			}
		}
		r := rand.New(rand.NewPCG(7, 11))
		for range 600 {
			out = append(out, drawnJPEG(r))
		}
		return out
	},
	split: splitJPEG,
	luma: func(img image.Image) (int, string) {
		switch img.(type) {
		case *image.YCbCr, *image.Gray:
			return 2, "the first component as it is stored; the inverse DCTs round differently"
		case *image.RGBA:
			return 3, "three components that are rounded differently"
		}
		// Of unsubsampled CMYK it is 3; but YCCK goes through RGB, where colours that are
		// clipped take the difference of the two ways to scale chroma up into luma.
		return 64, "clipped colours of YCCK with subsampled chroma"
	},
})

// splitJPEG cuts a file into segments, each SOS with its scan.
func splitJPEG(data []byte) [][]byte {
	at := min(2, len(data))
	pieces := [][]byte{data[:at:at]}
	for at+4 <= len(data) && data[at] == 0xFF {
		end := at + 2
		if data[at+1] < 0xD0 || data[at+1] > 0xD9 {
			end += int(data[at+2])<<8 | int(data[at+3])
		}
		if end > len(data) {
			break
		}
		if data[at+1] == 0xDA {
			for end+1 < len(data) && (data[end] != 0xFF || data[end+1] == 0 || data[end+1]&0xF8 == 0xD0) {
				end++
			}
		}
		pieces = append(pieces, data[at:end:end])
		at = end
	}
	return append(pieces, data[at:])
}

// drawn is a JPEG in the making, of a random structure that the standard allows:
// sizes, sampling factors, scans, restart intervals, tables and colour spaces as
// encoders seldom write them.
type drawn struct {
	r             *rand.Rand
	out           bytes.Buffer
	width, height int
	components    []drawnComponent
	hmax, vmax    int
	restart       int
	dc, ac        int // largest values of coefficients before dequantisation

	acc  uint32 // bits that wait for a whole byte
	bits int
}

type drawnComponent struct{ id, h, v, predicted int }

// factors are sampling factors by component; none stands for random ones.
var factors = [][][2]int{
	{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, {{2, 1}, {1, 1}, {1, 1}, {2, 1}}, {{2, 2}, {1, 1}, {1, 1}, {2, 2}},
	{{1, 2}, {1, 1}, {1, 1}, {1, 2}}, {{4, 1}, {1, 1}, {1, 1}, {4, 1}}, {{4, 2}, {1, 1}, {1, 1}, {1, 1}},
	{{2, 2}, {2, 1}, {2, 1}, {2, 2}}, {{2, 2}, {1, 2}, {1, 2}, {2, 2}}, {{4, 1}, {2, 1}, {2, 1}, {4, 1}}, nil,
}

func drawnJPEG(r *rand.Rand) []byte {
	d := &drawn{r: r, width: 1 + r.IntN(70), height: 1 + r.IntN(70), dc: 20, ac: 6}
	if r.IntN(4) == 0 { // up to and beyond what a picture can give
		d.dc, d.ac = 1+r.IntN(1000), 1+r.IntN(1000)
	}
	d.out.WriteString("\xFF\xD8")
	d.pickComponents()
	d.tables()
	if r.IntN(3) == 0 {
		d.restart = 1 + r.IntN(9)
		d.segment(0xDD, string([]byte{0, byte(d.restart)}))
	}
	switch r.IntN(3) {
	case 0:
		d.frame(0xC0 + byte(r.IntN(2)))
		d.scan(d.all(), 0, 63, 0, 0)
	case 1:
		d.frame(0xC0 + byte(r.IntN(2)))
		for i := range d.components {
			d.scan([]int{i}, 0, 63, 0, 0)
		}
	case 2:
		d.progressive()
	}
	d.out.WriteString("\xFF\xD9")
	return d.out.Bytes()
}

// pickComponents picks the components and the markers that say what they mean.
func (d *drawn) pickComponents() {
	r := d.r
	ids := []int{1, 2, 3, 4}
	count := []int{1, 3, 3, 3, 4}[r.IntN(5)]
	sampling, marker := factors[r.IntN(len(factors))], r.IntN(6)
	if count == 4 && r.IntN(3) > 0 { // of these few pass otherwise
		sampling, marker = factors[2*r.IntN(2)], 2
	}
	switch marker {
	case 0, 1:
		d.segment(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
	case 2:
		d.segment(0xEE, "Adobe\x00\x64\x00\x00\x00\x00"+string([]byte{byte(r.IntN(3))}))
	case 3:
		ids = []int{'R', 'G', 'B', 'K'}
	case 4:
		ids = []int{0, 1, 2, 3}
	}
	for i := range count {
		c := drawnComponent{id: ids[i], h: 1 + r.IntN(4), v: 1 + r.IntN(4)}
		if sampling != nil {
			c.h, c.v = sampling[i][0], sampling[i][1]
		}
		d.hmax, d.vmax = max(d.hmax, c.h), max(d.vmax, c.v)
		d.components = append(d.components, c)
	}
}

func (d *drawn) all() []int {
	var all []int
	for i := range d.components {
		all = append(all, i)
	}
	return all
}

func (d *drawn) segment(marker byte, payload string) { d.out.WriteString(segment(marker, payload)) }

// tables writes one quantisation table and Huffman tables in which the code of a
// symbol is its place: 12 of 4 bits for DC, 176 of 8 bits for AC.
func (d *drawn) tables() {
	d.segment(0xDB, "\x00"+string(slices.Repeat([]byte{byte(1 + d.r.IntN(12))}, 64)))
	dc := "\x00\x00\x00\x00\x0C" + string(make([]byte, 12))
	for i := range 12 {
		dc += string(byte(i))
	}
	d.segment(0xC4, dc)
	ac := "\x10" + string(make([]byte, 7)) + "\xB0" + string(make([]byte, 8))
	for i := range 176 {
		ac += string([]byte{byte(i/11<<4 | i%11)})
	}
	d.segment(0xC4, ac)
}

func (d *drawn) frame(marker byte) {
	p := []byte{8, 0, byte(d.height), 0, byte(d.width), byte(len(d.components))}
	for _, c := range d.components {
		p = append(p, byte(c.id), byte(c.h<<4|c.v), 0)
	}
	d.segment(marker, string(p))
}

// progressive writes DC in one scan or one a component, perhaps in two steps, and
// the AC bands of each component.
func (d *drawn) progressive() {
	d.frame(0xC2)
	low := d.r.IntN(2)
	groups := [][]int{d.all()}
	if d.r.IntN(2) == 0 {
		groups = nil
		for i := range d.components {
			groups = append(groups, []int{i})
		}
	}
	for _, g := range groups {
		d.scan(g, 0, 0, 0, low)
	}
	for i := range d.components {
		if d.r.IntN(4) > 0 {
			d.scan([]int{i}, 1, 5, 0, 0)
		}
		if d.r.IntN(4) > 0 {
			d.scan([]int{i}, 6, 63, 0, 0)
		}
	}
	for _, g := range groups {
		if low > 0 {
			d.scan(g, 0, 0, 1, 0)
		}
	}
}

func (d *drawn) scan(members []int, first, last, high, low int) {
	p := []byte{byte(len(members))}
	for _, i := range members {
		p = append(p, byte(d.components[i].id), 0)
	}
	d.segment(0xDA, string(append(p, byte(first), byte(last), byte(high<<4|low))))
	columns, rows := ceil(d.width, 8*d.hmax), ceil(d.height, 8*d.vmax)
	if len(members) == 1 {
		c := d.components[members[0]]
		columns, rows = ceil(ceil(d.width*c.h, d.hmax), 8), ceil(ceil(d.height*c.v, d.vmax), 8)
	}
	d.resetPrediction()
	for mcu := range columns * rows {
		if d.restart > 0 && mcu > 0 && mcu%d.restart == 0 {
			d.flush()
			d.out.Write([]byte{0xFF, 0xD0 + byte((mcu/d.restart-1)%8)})
			d.resetPrediction()
		}
		for _, i := range members {
			blocks := d.components[i].h * d.components[i].v
			if len(members) == 1 {
				blocks = 1
			}
			for range blocks {
				d.block(&d.components[i], first, last, high)
			}
		}
	}
	d.flush()
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (d *drawn) resetPrediction() {
	for i := range d.components {
		d.components[i].predicted = 0
	}
}

// block writes one block of random values.
func (d *drawn) block(c *drawnComponent, first, last, high int) {
	if first == 0 {
		if high > 0 {
			d.put(d.r.IntN(2), 1)
			return
		}
		value := d.r.IntN(2*d.dc+1) - d.dc
		d.value(value-c.predicted, 0, 4)
		c.predicted = value
		first++
	}
	if last == 0 {
		return
	}
	for k := first; k <= last; k++ {
		run := d.r.IntN(24)
		if run > 15 || k+run > last {
			d.put(0, 8) // end of block
			return
		}
		k += run
		value := 1 + d.r.IntN(d.ac)
		if d.r.IntN(2) == 0 {
			value = -value
		}
		d.value(value, run*11, 8)
	}
}

// value writes the code of a value's size, an offset added, and its bits (F.1.2.1).
func (d *drawn) value(v, offset, codeBits int) {
	size := 0
	for m := max(v, -v); m > 0; m >>= 1 {
		size++
	}
	d.put(offset+size, codeBits)
	if v < 0 {
		v += 1<<size - 1
	}
	d.put(v, size)
}

func (d *drawn) put(v, n int) {
	d.acc = d.acc<<n | uint32(v)
	for d.bits += n; d.bits >= 8; {
		d.bits -= 8
		b := byte(d.acc >> d.bits)
		d.out.WriteByte(b)
		if b == 0xFF {
			d.out.WriteByte(0)
		}
	}
}

// flush fills the last byte with ones.
func (d *drawn) flush() {
	if d.bits > 0 {
		n := 8 - d.bits
		d.put(1<<n-1, n)
	}
}
