package bmp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"testing"

	stdbmp "golang.org/x/image/bmp"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var options = picture.Options{Limits: picture.Limits{MaxPixels: 1 << 20, MaxSide: 4096, MaxSegments: 64,
	MaxMetadataBytes: 1 << 10, MaxExpansion: 1000}}

func strip(data []byte) (*picture.Stripped, error) { return Strip(context.Background(), data, options) }

func seed(t testing.TB, name string) []byte {
	t.Helper()
	return walktest.File(t, "../../testdata/bmp/"+name)
}

// seeds are the files that gen.py wrote.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	return walktest.Files(t, "../../testdata/bmp/*.bmp", 30)
}

// TestSeeds holds that every seed passes, a second time unchanged, and that Go, where
// it reads the source, decodes the same.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		s, err := strip(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := strip(s.Data)
		if err != nil || !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk changes it: %v", name, err)
		}
		compare(t, name, data, s)
	}
}

// compare decodes a file before and after with Go, as far as it reads it, and with
// Decode.
func compare(t *testing.T, name string, data []byte, s *picture.Stripped) {
	t.Helper()
	own, err := Decode(context.Background(), s.Data, options)
	if err != nil {
		t.Errorf("%s: Decode: %v", name, err)
		return
	}
	if size := own.Bounds().Size(); size != image.Pt(s.Info.Width, s.Info.Height) {
		t.Errorf("%s: decoded size %v", name, size)
	}
	for kind, file := range map[string][]byte{"before": data, "after": s.Data} {
		other, err := stdbmp.Decode(bytes.NewReader(file))
		if errors.Is(err, stdbmp.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Errorf("%s: Go refuses it %s: %v", name, kind, err)
		} else if !same(own, other) {
			t.Errorf("%s: Go decodes something else %s", name, kind)
		}
	}
}

func same(a, b image.Image) bool {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.NRGBAModel.Convert(a.At(x, y)) != color.NRGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return a.Bounds() == b.Bounds()
}

// TestRuns: run lengths are written as plain rows.
func TestRuns(t *testing.T) {
	s, err := strip(seed(t, "runs8.bmp"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := Decode(context.Background(), s.Data, options)
	if err != nil {
		t.Fatal(err)
	}
	// The row at the bottom begins with 18 pixels of index 0, then 19 of index 255.
	bottom := s.Info.Height - 1
	for x, want := range map[int]color.NRGBA{0: {255, 0, 0, 255}, 36: {0, 249, 219, 255}} {
		if got := img.At(x, bottom); got != want {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
}

func put16(data []byte, at int, v uint16) []byte {
	binary.LittleEndian.PutUint16(data[at:], v)
	return data
}

func put32(data []byte, at int, v uint32) []byte {
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestFaults(t *testing.T) {
	rgb := func() []byte { return seed(t, "rgb24.bmp") }
	indexed := func() []byte { return seed(t, "palette8_few.bmp") }
	runs := func(codes string) []byte {
		data := seed(t, "runs8.bmp")
		return append(data[:14+40+1024], codes...)
	}
	varying := seed(t, "rgb32_masks.bmp")
	varying[len(varying)-1] = 7
	tests := map[string]struct {
		data []byte
		want picture.Fault
	}{
		"no signature":             {[]byte("BX"), picture.Malformed},
		"ends in the file header":  {rgb()[:20], picture.Truncated},
		"ends in the header":       {rgb()[:50], picture.Truncated},
		"ends in the palette":      {indexed()[:60], picture.Truncated},
		"ends in a row":            {rgb()[:500], picture.Truncated},
		"ends in the last row":     {rgb()[:len(rgb())-1], picture.Truncated},
		"header size":              {put32(rgb(), 14, 41), picture.Unsupported},
		"no width":                 {put32(rgb(), 18, 0), picture.Malformed},
		"negative width":           {put32(rgb(), 18, 0xFFFFFFFF), picture.Malformed},
		"large":                    {put32(rgb(), 18, 5000), picture.TooManyPixels},
		"lowest height":            {put32(rgb(), 22, 0x80000000), picture.TooManyPixels},
		"expands":                  {put32(put32(seed(t, "one.bmp"), 18, 1000), 22, 1000), picture.Expands},
		"two planes":               {put16(rgb(), 26, 2), picture.Malformed},
		"2 bits":                   {put16(rgb(), 28, 2), picture.Unsupported},
		"JPEG":                     {put32(rgb(), 30, 4), picture.Unsupported},
		"masks of others":          {put32(seed(t, "rgb32_v4.bmp"), 54, 0xFF), picture.Unsupported},
		"16-bit masks of others":   {put32(seed(t, "rgb565.bmp"), 54, 0xF000), picture.Unsupported},
		"fourth byte":              {varying, picture.Unsupported},
		"pixels in the header":     {put32(rgb(), 10, 50), picture.Malformed},
		"pixels behind the end":    {put32(rgb(), 10, 1<<30), picture.Truncated},
		"too many colours":         {put32(indexed(), 46, 257), picture.Malformed},
		"index without an entry":   {put32(put32(indexed(), 46, 19), 10, 14+40+30*4), picture.Malformed},
		"large gap":                {append(put32(rgb(), 10, 54+1200), make([]byte, 1200)...), picture.TooManySegments},
		"one colour":               {put32(append(indexed()[:54], make([]byte, 4000)...), 46, 1), picture.Unsupported},
		"run of a row and one":     {runs("\x26\x00"), picture.Malformed},
		"literal of a row and one": {runs("\x00\x26" + string(make([]byte, 38))), picture.Malformed},
		"delta":                    {runs("\x00\x02\x01\x01"), picture.Unsupported},
		"empty row":                {runs("\x00\x00"), picture.Malformed},
		"early end":                {runs("\x25\x00\x00\x01"), picture.Truncated},
		"no end":                   {runs("\x25\x00\x00"), picture.Truncated},
		"a row more":               {runs(string(bytes.Repeat([]byte("\x25\x00\x00\x00"), 20))), picture.Malformed},
		"runs at an odd place":     {put32(append(seed(t, "runs8.bmp"), 0), 10, 14+40+1025), picture.Unsupported},
	}
	for name, test := range tests {
		if _, err := strip(test.data); walktest.Fault(err) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPaletteKind: blanking makes Pillow and OpenCV take the palette for no other kind.
func TestPaletteKind(t *testing.T) {
	for _, name := range []string{"grey8.bmp", "grey8_odd.bmp", "grey8_reversed.bmp", "palette8_unused.bmp", "black_white.bmp"} {
		kind := func(data []byte) (grey, coloured bool) {
			b, err := readHeader(data, options, &picture.Stripped{})
			if err != nil {
				t.Fatal(err)
			}
			return b.greyScale(), b.coloured()
		}
		data := seed(t, name)
		s, err := strip(data)
		if err != nil {
			t.Fatal(err)
		}
		grey, coloured := kind(data)
		if g, c := kind(s.Data); g != grey || c != coloured {
			t.Errorf("%s: grey %v, coloured %v", name, g, c)
		}
	}
}

func TestZeroTransparent(t *testing.T) {
	data := seed(t, "rgba32_v4.bmp")
	data[14+108], data[14+108+3] = 0x77, 0
	o := options
	for _, o.ZeroTransparent = range []bool{false, true} {
		s, err := Strip(context.Background(), data, o)
		if err != nil {
			t.Fatal(err)
		}
		if zeroed := s.Data[14+108] == 0; zeroed != o.ZeroTransparent {
			t.Errorf("ZeroTransparent %v: %x", o.ZeroTransparent, s.Data[14+108:][:4])
		}
	}
}

// TestEncode: what is encoded decodes to the same, and Strip leaves it as it is.
func TestEncode(t *testing.T) {
	opaque, alpha, grey := image.NewNRGBA(image.Rect(0, 0, 13, 7)), image.NewNRGBA(image.Rect(0, 0, 13, 7)), image.NewGray(image.Rect(0, 0, 13, 7))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i * 3)
		copy(opaque.Pix[4*i:], []byte{byte(i), byte(2 * i), byte(5 * i), 255})
		copy(alpha.Pix[4*i:], []byte{byte(i), byte(2 * i), byte(5 * i), byte(2 * i)})
	}
	for _, img := range []image.Image{opaque, alpha, grey} {
		data, err := Encode(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := strip(data); err != nil || !bytes.Equal(s.Data, data) {
			t.Errorf("%T: Strip changes it: %v", img, err)
		}
		own, err := Decode(context.Background(), data, options)
		if err != nil || !same(img, own) {
			t.Errorf("%T: decoded to something else: %v", img, err)
		}
	}
	if _, err := Encode(context.Background(), image.NewCMYK(image.Rect(0, 0, 1, 1))); err == nil {
		t.Error("CMYK is encoded")
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"rgb24.bmp", "runs8.bmp", "palette8.bmp"} {
		if _, err := Strip(ctx, seed(t, name), options); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBMP(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := strip(data)
		if err != nil {
			if walktest.Fault(err) == walktest.NoFault {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := strip(s.Data)
		if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk changes it: %v", err)
		}
		compare(t, "fuzz", data, s)
	})
}
