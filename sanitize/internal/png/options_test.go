package png

import (
	"bytes"
	"context"
	"image"
	"image/color"
	stdpng "image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// transparent is a picture whose alpha is 0 in every third pixel, with colour there.
func transparent(t *testing.T, colour uint8, depth int, interlaced bool) []byte {
	t.Helper()
	h := Header{Width: 21, Height: 13, Depth: depth, ColourType: colour, Interlaced: interlaced}
	c, err := newCompressor(h)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range h.reduced() {
		above := make([]byte, h.rowBytes(size[0]))
		for range size[1] {
			row := make([]byte, h.rowBytes(size[0]))
			for i := range row {
				row[i] = byte(r.Uint32())
			}
			for x := 0; x < size[0]; x += 3 {
				end := (x + 1) * h.pixelBytes()
				clear(row[end-depth/8 : end])
			}
			if err := c.row(row, above); err != nil {
				t.Fatal(err)
			}
			above = row
		}
	}
	compressed, err := c.finish()
	if err != nil {
		t.Fatal(err)
	}
	out := appendChunk([]byte(signature), "IHDR", h.payload())
	return appendChunk(appendChunk(out, "IDAT", compressed), "IEND", nil)
}

func TestZeroTransparent(t *testing.T) {
	o := picture.Options{Limits: limits, ZeroTransparent: true}
	for _, test := range []struct {
		colour     uint8
		depth      int
		interlaced bool
	}{{GreyAlpha, 8, false}, {GreyAlpha, 16, false}, {RGBAlpha, 8, false}, {RGBAlpha, 16, false},
		{GreyAlpha, 8, true}, {RGBAlpha, 16, true}} {
		in := transparent(t, test.colour, test.depth, test.interlaced)
		kept, err := strip(in, false)
		if err != nil || !bytes.Equal(kept.Data, in) {
			t.Fatalf("%+v: strip changes the file: %v", test, err)
		}
		for _, containerOnly := range []bool{false, true} {
			o.ContainerOnly = containerOnly
			s, err := Strip(context.Background(), in, o, false)
			if err != nil {
				t.Fatal(err)
			}
			checkZeroed(t, in, s.Data)
			again, err := Strip(context.Background(), s.Data, o, false)
			if err != nil || !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
				t.Errorf("%+v: a second strip: %v, %v", test, err, again)
			}
			if len(s.Removed) == 0 || s.Removed[0].Where != hiddenColour {
				t.Errorf("%+v: removed %v", test, s.Removed)
			}
		}
	}
}

// checkZeroed holds that pixels of alpha 0 are 0, and all others as they were.
func checkZeroed(t *testing.T, in, out []byte) {
	t.Helper()
	before, err := stdpng.Decode(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	after, err := stdpng.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for y := range before.Bounds().Dy() {
		for x := range before.Bounds().Dx() {
			want := pixelAt(before, x, y)
			if want.A == 0 {
				n++
				want = color.NRGBA64{}
			}
			if got := pixelAt(after, x, y); got != want {
				t.Fatalf("pixel %d, %d is %v, want %v", x, y, got, want)
			}
		}
	}
	if n == 0 {
		t.Error("no pixel of alpha 0")
	}
}

// pixelAt returns a pixel without the detour over colours multiplied by alpha.
func pixelAt(img image.Image, x, y int) color.NRGBA64 {
	switch c := img.At(x, y).(type) {
	case color.NRGBA:
		return color.NRGBA64{R: uint16(c.R), G: uint16(c.G), B: uint16(c.B), A: uint16(c.A)}
	case color.NRGBA64:
		return c
	}
	return color.NRGBA64{A: 1}
}

// paletted is a picture of one row of eight indices.
func paletted(palette, alpha, indices string) []byte {
	out := appendChunk([]byte(signature), "IHDR", Header{Width: len(indices), Height: 1, Depth: 8, ColourType: Palette}.payload())
	out = appendChunk(out, "PLTE", []byte(palette))
	if alpha != "" {
		out = appendChunk(out, "tRNS", []byte(alpha))
	}
	out = appendChunk(out, "IDAT", []byte(deflated([]byte("\x00"+indices))))
	return appendChunk(out, "IEND", nil)
}

func TestZeroTransparentPalette(t *testing.T) {
	in := paletted("ABCDEFGHI", "\xFF\x00\x01", "\x00\x01\x02")
	want := paletted("ABC\x00\x00\x00GHI", "\xFF\x00\x01", "\x00\x01\x02")
	for _, containerOnly := range []bool{false, true} {
		o := picture.Options{Limits: limits, ZeroTransparent: true, ContainerOnly: containerOnly}
		for _, data := range [][]byte{in, want} {
			s, err := Strip(context.Background(), data, o, false)
			if err != nil || !bytes.Equal(s.Data, want) {
				t.Errorf("%v: %q, want %q", err, s.Data, want)
			}
		}
	}
	if s, err := strip(in, false); err != nil || !bytes.Equal(s.Data, in) {
		t.Errorf("without the option: %v", err)
	}
}

// TestZeroTransparentColourKey holds that a colour key, which is one colour that the
// header spells out, stays.
func TestZeroTransparentColourKey(t *testing.T) {
	out := appendChunk([]byte(signature), "IHDR", Header{Width: 2, Height: 1, Depth: 8, ColourType: RGB}.payload())
	out = appendChunk(out, "tRNS", []byte("\x00A\x00B\x00C"))
	out = appendChunk(out, "IDAT", []byte(deflated([]byte("\x00ABCDEF"))))
	out = appendChunk(out, "IEND", nil)
	s, err := Strip(context.Background(), out, picture.Options{Limits: limits, ZeroTransparent: true}, false)
	if err != nil || !bytes.Equal(s.Data, out) {
		t.Errorf("%v: %q", err, s.Data)
	}
}

// TestContainerOnly holds what this option leaves and what it does not.
func TestContainerOnly(t *testing.T) {
	o := picture.Options{Limits: limits, ContainerOnly: true}
	rows := deflated([]byte("\x00\x00\x01\x02"))
	for _, tail := range []string{"", "after the zlib stream"} {
		in := paletted("ABCDEFGHI", "", "\x00\x01\x02")
		in = []byte(strings.Replace(string(in), string(appendChunk(nil, "IDAT", []byte(rows))),
			string(appendChunk(appendChunk(nil, "IDAT", []byte(rows+tail)), "tEXt", []byte("a\x00text"))), 1))
		s, err := Strip(context.Background(), in, o, false)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(s.Data, []byte("tEXt")) || !bytes.Contains(s.Data, []byte(rows+tail)) {
			t.Errorf("the output is %q", s.Data)
		}
		again, err := Strip(context.Background(), s.Data, o, false)
		if err != nil || !bytes.Equal(again.Data, s.Data) {
			t.Errorf("a second strip: %v", err)
		}
		for n := range s.Data {
			if _, err := Strip(context.Background(), s.Data[:n], o, false); err == nil {
				t.Errorf("a file cut at %d of %d passes", n, len(s.Data))
			}
		}
	}
	empty := appendChunk([]byte(signature), "IHDR", Header{Width: 2, Height: 1, Depth: 8, ColourType: RGB}.payload())
	empty = appendChunk(appendChunk(empty, "IDAT", nil), "IEND", nil)
	if _, err := Strip(context.Background(), empty, o, false); walktest.Fault(err) != picture.Truncated {
		t.Errorf("no image data: %v", err)
	}
}

// TestExpansion holds that the declared size counts, not what can be inflated.
func TestExpansion(t *testing.T) {
	data := paletted("ABC", "", strings.Repeat("\x00", 2000))
	o := picture.Options{Limits: limits, ContainerOnly: true}
	o.Limits.MaxExpansion = int64(2000/len(data)) + 1
	if _, err := Strip(context.Background(), data, o, false); err != nil {
		t.Error(err)
	}
	o.Limits.MaxExpansion--
	if _, err := Strip(context.Background(), data, o, false); walktest.Fault(err) != picture.Expands {
		t.Errorf("error %v", err)
	}
}
