package webp

import (
	"bytes"
	"context"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
)

// pictures are pictures of many kinds, small ones and flat ones among them.
func pictures(seed uint64, n int) []*image.NRGBA {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]*image.NRGBA, n)
	for i := range all {
		img := image.NewNRGBA(image.Rect(0, 0, 1+r.IntN(40), 1+r.IntN(40)))
		var palette [4][4]uint8
		for j := range palette {
			for c := range 4 {
				palette[j][c] = uint8(r.Uint32())
			}
			if r.IntN(2) == 0 {
				palette[j][3] = 255
			}
			if r.IntN(3) == 0 {
				palette[j] = [4]uint8{}
			}
		}
		colours := 1 + r.IntN(4)
		for p := 0; p < len(img.Pix); p += 4 {
			switch i % 4 {
			case 0: // flat, or random colours of a palette
				copy(img.Pix[p:], palette[r.IntN(colours)][:])
			case 1: // stripes
				copy(img.Pix[p:], palette[p/img.Stride%colours][:])
			case 2: // noise
				copy(img.Pix[p:], []uint8{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32())})
			case 3: // gradients
				copy(img.Pix[p:], []uint8{uint8(p), uint8(p / 3), uint8(p >> 6), 255})
			}
		}
		all[i] = img
	}
	return all
}

// TestEncode: what is encoded decodes to the same samples, twice to the same file,
// and is as Strip would leave it.
func TestEncode(t *testing.T) {
	for i, img := range pictures(1, 200) {
		orientation := uint8(i % 9)
		file, err := Encode(context.Background(), img, orientation, options())
		if err != nil {
			t.Fatal(i, err)
		}
		got, err := Decode(context.Background(), file)
		if err != nil || !bytes.Equal(got.Pix, img.Pix) {
			t.Errorf("picture %d has other samples: %v", i, err)
		}
		s := strip(t, file, options())
		if !bytes.Equal(s.Data, file) || len(s.Removed) > 0 {
			t.Errorf("picture %d: Strip removes %v", i, s.Removed)
		}
		if want := [9]uint8{2: 2, 3, 4, 5, 6, 7, 8}[orientation]; s.Orientation != want {
			t.Errorf("orientation %d, want %d", s.Orientation, want)
		}
		again, err := Encode(context.Background(), img, orientation, options())
		if err != nil || !bytes.Equal(again, file) {
			t.Errorf("picture %d is encoded differently a second time: %v", i, err)
		}
	}
}

// TestPlainEncode: the encoder that takes over from nativewebp writes every picture.
func TestPlainEncode(t *testing.T) {
	for i, img := range pictures(2, 200) {
		payload, err := plainEncode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := encoded(context.Background(), payload, img); err != nil {
			t.Errorf("picture %d: %v", i, err)
		}
	}
}

// TestEncodeLarge: a large picture is a photo, which is written without references,
// or a drawing; one is of a kind for which nativewebp panics.
func TestEncodeLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		sample func(p int) uint8
		plain  bool
	}{
		"noise":   {func(p int) uint8 { return uint8(p*p>>9) ^ uint8(r.Uint32()&3) }, true},
		"drawing": {func(p int) uint8 { return uint8(p >> 12 * 77) }, false},
	} {
		img := image.NewNRGBA(image.Rect(0, 0, 800, 400))
		for p := range img.Pix {
			img.Pix[p] = c.sample(p)
		}
		f, err := encode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := plainEncode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(f.data) == len(plain); got != c.plain {
			t.Errorf("%s: plain %v, %d bytes", name, got, len(f.data))
		}
	}
}

// TestCodeLengths: lengths stay within 15 and make a complete code.
func TestCodeLengths(t *testing.T) {
	fibonacci := [256]int{0: 1, 1: 1}
	for i := 2; i < 40; i++ {
		fibonacci[i] = fibonacci[i-1] + fibonacci[i-2]
	}
	even := [256]int{}
	for i := range even {
		even[i] = 7
	}
	for name, counts := range map[string][256]int{"fibonacci": fibonacci, "even": even, "two": {3: 1, 250: 1000}} {
		lengths := codeLengths(counts)
		if longest := slices.Max(lengths[:]); longest > maxCodeLength {
			t.Errorf("%s: a length of %d", name, longest)
		}
		if _, err := newPrefixCode(lengths[:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if one := codeLengths([256]int{9: 5}); slices.Max(one[:]) != 0 {
		t.Errorf("a code of one symbol has the length %d", one[9])
	}
}

// TestEncodeRefuses: a picture that has no place in VP8L is refused.
func TestEncodeRefuses(t *testing.T) {
	for _, size := range []image.Point{{0, 1}, {1, 0}, {maxSide + 1, 1}} {
		_, err := Encode(context.Background(), image.NewNRGBA(image.Rect(0, 0, size.X, size.Y)), 0, options())
		wantFault(t, err, picture.Unsupported)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Encode(ctx, image.NewNRGBA(image.Rect(0, 0, 1, 1)), 0, options()); err == nil {
		t.Error("Encode does not look at the context")
	}
}
