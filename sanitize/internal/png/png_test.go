package png

import (
	"bytes"
	"context"
	"errors"
	"image"
	stdpng "image/png"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var limits = picture.Limits{MaxPixels: 1 << 18, MaxSide: 4096, MaxSegments: 512, MaxMetadataBytes: 1 << 20}

func strip(data []byte, recompress bool) (*picture.Stripped, error) {
	return Strip(context.Background(), data, picture.Options{Limits: limits}, recompress)
}

// sources are the PNG files that gen.py wrote.
func sources(t testing.TB) map[string][]byte {
	t.Helper()
	return walktest.Files(t, "../../testdata/image/*.png", 30)
}

// TestFilters applies and undoes every filter type.
func TestFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, bpp := range []int{1, 2, 3, 4, 6, 8} {
		row, above := make([]byte, 24), make([]byte, 24)
		for i := range row {
			row[i], above[i] = byte(r.Uint32()), byte(r.Uint32())
		}
		for filter := byte(0); filter < filterCount; filter++ {
			out := make([]byte, 25)
			applyFilter(filter, out, row, above, bpp)
			if out[0] != filter {
				t.Errorf("filter type %d written as %d", filter, out[0])
			}
			undoFilter(filter, out[1:], above, bpp)
			if !bytes.Equal(out[1:], row) {
				t.Errorf("filter %d with %d bytes a pixel is not undone", filter, bpp)
			}
		}
	}
}

// TestReduced holds that the passes of Adam7 hold each pixel once.
func TestReduced(t *testing.T) {
	for w := 1; w < 20; w++ {
		for h := 1; h < 20; h++ {
			n := 0
			for _, size := range (Header{Width: w, Height: h, Interlaced: true}).reduced() {
				n += size[0] * size[1]
			}
			if n != w*h {
				t.Errorf("%d × %d: %d pixels", w, h, n)
			}
		}
	}
}

// TestLargeImageData holds that a long stream is cut into chunks that decoders take.
func TestLargeImageData(t *testing.T) {
	h := Header{Width: 1000, Height: 1200, Depth: 8, ColourType: RGB}
	r := rand.New(rand.NewPCG(3, 4))
	data, err := Encode(context.Background(), h, 0, func(_ int, row []byte) {
		for i := range row {
			row[i] = byte(r.Uint32())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("IDAT")); n != 4 {
		t.Errorf("%d IDAT chunks of %d bytes", n, len(data))
	}
	img, err := stdpng.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds() != image.Rect(0, 0, 1000, 1200) {
		t.Errorf("decoded: %v", err)
	}
	l := limits
	l.MaxPixels = 2_000_000
	s, err := Strip(context.Background(), data, picture.Options{Limits: l}, false)
	if err != nil || !bytes.Equal(s.Data, data) {
		t.Errorf("strip changes what Encode wrote: %v", err)
	}
}

// TestEncode holds that the standard library reads what Encode writes.
func TestEncode(t *testing.T) {
	for _, colour := range []uint8{Grey, RGB, GreyAlpha, RGBAlpha} {
		for _, depth := range []int{8, 16} {
			h := Header{Width: 33, Height: 21, Depth: depth, ColourType: colour}
			data, err := Encode(context.Background(), h, 3, func(y int, row []byte) {
				for i := range row {
					row[i] = byte(i*7 + y*13)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			s, err := strip(data, false)
			if err != nil || !bytes.Equal(s.Data, data) || s.Orientation != 3 {
				t.Errorf("type %d, depth %d: strip changes it: %v", colour, depth, err)
			}
			img, err := stdpng.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if r, _, _, _ := img.At(2, 5).RGBA(); colour == RGB && depth == 8 && byte(r>>8) != byte(6*7+5*13) {
				t.Errorf("sample is %x", r)
			}
		}
	}
	if _, err := Encode(context.Background(), Header{Width: 1, Height: 1, Depth: 8, ColourType: Palette}, 0, nil); err == nil {
		t.Error("a palette is encoded")
	}
}

func equal(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

// FuzzPNG holds for every file and every way to strip it: no panic; what passes is
// stable under a second walk. Unless only the container is read, the standard library
// decodes it and the source, to the same but for colour that ZeroTransparent takes.
func FuzzPNG(f *testing.F) {
	for _, data := range sources(f) {
		if len(data) < 8192 {
			f.Add(data, uint8(0))
		}
	}
	for ways := range uint8(fuzzWays) {
		f.Add(animated().bytes(), ways)
	}
	f.Fuzz(func(t *testing.T, data []byte, ways uint8) {
		data = withCRCs(data)
		o := fuzzOptions(ways)
		recompress := ways&fuzzRecompress != 0
		s, err := Strip(context.Background(), data, o, recompress)
		if err != nil {
			if fault := (*picture.Error)(nil); !errors.As(err, &fault) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Strip(context.Background(), s.Data, o, recompress)
		if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk: %v %v", err, again)
		}
		after, err := stdpng.Decode(bytes.NewReader(s.Data))
		if err != nil && o.ContainerOnly {
			return
		} else if err != nil {
			t.Fatalf("the output does not decode: %v", err)
		}
		before, err := stdpng.Decode(bytes.NewReader(data))
		if err != nil && !o.ContainerOnly {
			t.Fatalf("the source does not decode: %v", err)
		}
		if err == nil && !o.ZeroTransparent && !equal(before, after) {
			t.Fatal("the output decodes to something else")
		}
	})
}

// The bits of the number that picks the way to strip.
const (
	fuzzRecompress = 1 << iota
	fuzzZero
	fuzzContainer
	fuzzAnimation // two bits
	fuzzWays      = fuzzAnimation * 4
)

func fuzzOptions(ways uint8) picture.Options {
	o := picture.Options{Limits: limits, ZeroTransparent: ways&fuzzZero != 0, ContainerOnly: ways&fuzzContainer != 0,
		Animation: picture.Animation(ways / fuzzAnimation % 3)}
	o.Limits.MaxFrames = 4
	return o
}

// withCRCs mends the CRCs of a mutated file, so that the fuzzer gets behind them.
func withCRCs(data []byte) []byte {
	data = slices.Clone(data)
	for at := len(signature); at+12 <= len(data); {
		n := int(data[at])<<24 | int(data[at+1])<<16 | int(data[at+2])<<8 | int(data[at+3])
		if n > len(data)-at-12 {
			break
		}
		chunk := appendChunk(nil, string(data[at+4:at+8]), data[at+8:at+8+n])
		copy(data[at:], chunk)
		at += 12 + n
	}
	return data
}
