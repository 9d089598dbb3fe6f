package webp

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"reflect"
	"testing"

	"weir/sanitize/internal/picture"
)

// pack writes numbers and their widths.
func pack(pairs ...uint32) string {
	w := &bitWriter{}
	for i := 0; i < len(pairs); i += 2 {
		w.put(pairs[i], uint(pairs[i+1]))
	}
	w.put(0, 7)
	return string(w.out)
}

// head is the header of a VP8L picture of 2 × 1 pixels.
func head(more ...uint32) []uint32 { return append([]uint32{0x2F, 8, 1, 14, 0, 14, 0, 4}, more...) }

// one is a prefix code of one symbol, two one of two.
func one(symbol uint32) []uint32        { return []uint32{1, 1, 0, 1, 1, 1, symbol, 8} }
func two(first, second uint32) []uint32 { return []uint32{1, 1, 1, 1, 1, 1, first, 8, second, 8} }
func join(parts ...[]uint32) (all []uint32) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// TestLosslessRefused: codes and transforms that x/image and libwebp read
// differently, or not at all.
func TestLosslessRefused(t *testing.T) {
	rest := join(one(1), one(2), one(3), one(4)) // red, blue, alpha, distance
	plain := []uint32{0, 1, 0, 1, 0, 1}          // no transform, cache or meta codes
	for name, c := range map[string]struct {
		stream []uint32
		want   picture.Fault
		ok     bool
	}{
		"plain":                {stream: join(head(), plain, one(9), rest), ok: true},
		"two symbols":          {stream: join(head(), plain, two(9, 10), rest, []uint32{2, 2}), ok: true},
		"falling symbols":      {stream: join(head(), plain, two(10, 9), rest, []uint32{2, 2})},
		"equal symbols":        {stream: join(head(), plain, two(9, 9), rest, []uint32{2, 2})},
		"distance symbol":      {stream: join(head(), plain, one(9), one(1), one(2), one(3), one(40))},
		"cache of no bits":     {stream: join(head(), []uint32{0, 1, 1, 1, 0, 4}, rest)},
		"cache of 12 bits":     {stream: join(head(), []uint32{0, 1, 1, 1, 12, 4}, rest)},
		"transform twice":      {stream: join(head(), []uint32{1, 1, 2, 2, 1, 1, 2, 2}, plain, one(9), rest)},
		"predictor 13":         {stream: join(head(), predictor(13), plain, one(9), rest), ok: true},
		"predictor 14":         {stream: join(head(), predictor(14), plain, one(9), rest)},
		"no symbols":           {stream: join(head(), plain, []uint32{0, 1, 0, 4, 0, 12}, rest)},
		"incomplete code":      {stream: join(head(), plain, []uint32{0, 1, 0, 4, 2, 3, 2, 3, 0, 6}, rest)},
		"code beyond the end":  {stream: join(head(), plain, []uint32{0, 1, 0, 4, 1, 3, 1, 3, 0, 6, 0, 1, 1, 1, 127, 7, 1, 1, 127, 7, 1, 1, 127, 7})},
		"reference to nowhere": {stream: join(head(), plain, []uint32{1, 1, 0, 1, 1, 1, 255, 8}, rest), ok: true},
		"truncated":            {stream: join(head(), plain, one(9), one(1)), want: picture.Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Strip(context.Background(), riff(fourCC("VP8L", pack(c.stream...))), options())
			if c.ok {
				if err != nil {
					t.Fatal(err)
				}
				samples(t, s.Data)
				return
			}
			wantFault(t, err, c.want)
		})
	}
}

// predictor is a transform with one tile of a mode.
func predictor(mode uint32) []uint32 {
	return join([]uint32{1, 1, 0, 2, 7, 3, 0, 1}, one(mode), one(0), one(0), one(0), one(0))
}

// TestZeroTransparent: colour under alpha 0 becomes black, and nothing else changes.
func TestZeroTransparent(t *testing.T) {
	o := options()
	o.ZeroTransparent = true
	for name, data := range seeds(t) {
		s := strip(t, data, o)
		kept := strip(t, data, options())
		if again := strip(t, s.Data, o); !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk removes %v", name, again.Removed)
		}
		if s.Info.Frames > 1 {
			continue
		}
		before, err := Decode(context.Background(), kept.Data)
		if err != nil {
			t.Fatal(err)
		}
		after, err := Decode(context.Background(), s.Data)
		if err != nil {
			t.Fatal(err)
		}
		hidden := 0
		for y := range before.Rect.Dy() {
			for x := range before.Rect.Dx() {
				want := before.NRGBAAt(x, y)
				if want.A == 0 && want != (color.NRGBA{}) {
					hidden++
					want = color.NRGBA{}
				}
				if got := after.NRGBAAt(x, y); got != want {
					t.Fatalf("%s: %v at %d, %d, want %v", name, got, x, y, want)
				}
			}
		}
		if hidden == 0 && !bytes.Equal(s.Data, kept.Data) {
			t.Errorf("%s was encoded anew for nothing", name)
		}
		if name == "alpha.webp" && hidden == 0 {
			t.Error("the seed hides nothing")
		}
	}
}

// TestZeroTransparentAnimation: each frame is cleaned.
func TestZeroTransparentAnimation(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 24))
	for i := range img.Pix {
		img.Pix[i] = uint8(i + 1)
	}
	f, err := encode(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	head := string([]byte{0, 0, 0, 0, 0, 0, 39, 0, 0, 23, 0, 0, 50, 0, 0, 0})
	frame := fourCC("ANMF", head+fourCC("VP8L", string(f.data)))
	o := options()
	o.ZeroTransparent = true
	s := strip(t, riff(canvas(flagAnimation|flagAlpha, 64), fourCC("ANIM", loopTwice), frame, frame), o)
	for _, removed := range s.Removed {
		if removed.Where == "colour under alpha 0" && removed.Bytes == 2*15*3 { // alpha is 0 in 15 pixels
			return
		}
	}
	t.Errorf("removed %v", s.Removed)
}

// TestHidden: lossless streams with room beside the picture. What decodes stays, and
// is all that is left.
func TestHidden(t *testing.T) {
	wide := []uint32{0x2F, 8, 7, 14, 0, 14, 0, 4} // 8 × 1 pixels
	rest := join(one(1), one(2), one(3), one(4))  // red, blue, alpha, distance
	plain := []uint32{0, 1, 0, 1, 0, 1}           // no transform, cache or meta codes
	indexing := func(colours uint32, palette ...uint32) []uint32 {
		return join([]uint32{1, 1, transformIndexing, 2, colours - 1, 8, 0, 1}, palette)
	}
	none := join(one(0), one(0), one(0), one(0), one(0))
	for name, c := range map[string]struct {
		stream []uint32
		hides  bool
	}{
		"predictor modes":         {join(wide, []uint32{1, 1, transformPredictor, 2, 0, 3, 0, 1}, two(1, 2), one(0), one(0), one(0), one(0), []uint32{2, 2}, plain, one(9), rest), false},
		"beside predictor modes":  {join(wide, []uint32{1, 1, transformPredictor, 2, 0, 3, 0, 1}, one(1), two(0, 77), one(0), one(0), one(0), []uint32{2, 2}, plain, one(9), rest), true},
		"above predictor modes":   {join(wide, []uint32{1, 1, transformPredictor, 2, 0, 3, 0, 1}, two(1, 0x41), one(0), one(0), one(0), one(0), []uint32{2, 2}, plain, one(9), rest), true},
		"colour factors":          {join(wide, []uint32{1, 1, transformColour, 2, 0, 3, 0, 1}, two(1, 2), two(3, 4), two(5, 6), one(0), one(0), []uint32{0x38, 6}, plain, one(9), rest), false},
		"alpha of colour factors": {join(wide, []uint32{1, 1, transformColour, 2, 0, 3, 0, 1}, one(1), one(1), one(1), two(0, 77), one(0), []uint32{2, 2}, plain, one(9), rest), true},
		"two groups": {join(wide, []uint32{0, 1, 0, 1, 1, 1, 0, 3, 0, 1}, two(0, 1), one(0), one(0), one(0), one(0), []uint32{2, 2},
			one(9), rest, one(10), rest), false},
		"group without a tile": {join(wide, []uint32{0, 1, 0, 1, 1, 1, 0, 3, 0, 1}, one(1), one(0), one(0), one(0), one(0),
			one(9), rest, one(10), rest), true},
		"beside groups": {join(wide, []uint32{0, 1, 0, 1, 1, 1, 0, 3, 0, 1}, one(0), one(0), two(0, 77), one(0), one(0), []uint32{2, 2},
			one(9), rest), true},
		"palette":                {join(wide, indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...), plain, one(0x55), rest), false},
		"colour without a pixel": {join(wide, indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...), plain, one(0), rest), true},
		"beside indices":         {join(wide, indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...), plain, one(0x55), two(1, 2), one(2), one(3), one(4), []uint32{0, 1}), true},
		"behind indices":         {join(head(), indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...), plain, one(0x56), rest), true},
		"palette before a transform": {join(wide, indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...),
			[]uint32{1, 1, transformSubtractGreen, 2}, plain, one(0x55), rest), false},
		"colour without a pixel before a transform": {join(wide, indexing(2, join(two(5, 6), one(1), one(1), one(255), one(0), []uint32{2, 2})...),
			[]uint32{1, 1, transformSubtractGreen, 2}, plain, one(0), rest), true},
		"nothing": {join(wide, indexing(1, none...), plain, one(0), rest), false},
	} {
		t.Run(name, func(t *testing.T) {
			data := riff(fourCC("VP8L", pack(c.stream...)))
			s := strip(t, data, options())
			if hid := len(s.Removed) > 0 && s.Removed[0].Where == "VP8L data that decides nothing"; hid != c.hides {
				t.Errorf("removed %v", s.Removed)
			}
			if !reflect.DeepEqual(samples(t, data), samples(t, s.Data)) {
				t.Error("other samples")
			}
			again := strip(t, s.Data, options())
			if !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 || again.Info != s.Info {
				t.Errorf("a second walk removes %v", again.Removed)
			}
		})
	}
}

// TestHiddenInAlpha: of the stream in ALPH, green is alpha, and the rest is nothing.
func TestHiddenInAlpha(t *testing.T) {
	raw := split(t, seed(t, "alpha_raw.webp"))
	alpha := func(img *image.NRGBA) []byte {
		f, err := encode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		return riff(fourCC("VP8X", raw["VP8X"]), fourCC("ALPH", "\x01"+string(f.data[vp8lHeaderSize:])), fourCC("VP8 ", raw["VP8 "]))
	}
	img := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i >> 8)
	}
	hidden := alpha(img)
	for i := range img.Pix {
		if i%4 != 1 {
			img.Pix[i] = 0
		}
	}
	img.Pix[3] = 0
	plain := alpha(img)
	for name, c := range map[string]struct {
		data  []byte
		hides bool
	}{"hidden": {hidden, true}, "plain": {plain, false}} {
		s := strip(t, c.data, options())
		if hid := len(s.Removed) > 0; hid != c.hides {
			t.Errorf("%s: removed %v", name, s.Removed)
		}
		if !reflect.DeepEqual(samples(t, c.data), samples(t, s.Data)) {
			t.Errorf("%s: other samples", name)
		}
		if again := strip(t, s.Data, options()); !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk removes %v", name, again.Removed)
		}
	}
}
