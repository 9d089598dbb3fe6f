package jpeg

import (
	"bytes"
	"context"
	"errors"
	"image"
	stdjpeg "image/jpeg"
	"slices"
	"strings"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var limits = picture.Limits{MaxPixels: 1 << 18, MaxSide: 4096, MaxSegments: 512, MaxMetadataBytes: 1 << 20, MaxScans: 100}

func strip(data []byte) (*picture.Stripped, error) {
	return Strip(context.Background(), data, picture.Options{Limits: limits})
}

// sources are the JPEG files that Pillow wrote.
func sources(t testing.TB) map[string][]byte {
	t.Helper()
	return walktest.Files(t, "../../testdata/image/*.jpg", 15)
}

func TestInfo(t *testing.T) {
	files := sources(t)
	for name, want := range map[string]picture.Info{
		"baseline420.jpg": {Width: 61, Height: 45, Channels: 3, Depth: 8, Quality: 90},
		"baseline422.jpg": {Width: 61, Height: 45, Channels: 3, Depth: 8, Quality: 80},
		"grey.jpg":        {Width: 61, Height: 45, Channels: 1, Depth: 8, Quality: 85},
		"optimised.jpg":   {Width: 61, Height: 45, Channels: 3, Depth: 8, Quality: 60},
		"progressive.jpg": {Width: 61, Height: 45, Channels: 3, Depth: 8, Quality: 88, Progressive: true},
		"cmyk.jpg":        {Width: 40, Height: 30, Channels: 4, Depth: 8, Quality: 90},
	} {
		got, err := strip(files[name])
		if err != nil {
			t.Fatal(err)
		}
		if got.Info != want {
			t.Errorf("%s: %+v, want %+v", name, got.Info, want)
		}
	}
}

// removed adds up what was removed at places that begin with the prefix.
func removed(s *picture.Stripped, prefix string) int {
	n := 0
	for _, r := range s.Removed {
		if strings.HasPrefix(r.Where, prefix) {
			n += r.Bytes
		}
	}
	return n
}

// TestPadBits clears the pad bits of a file, which an encoder sets to 1: the output
// has them set again.
func TestPadBits(t *testing.T) {
	for name, want := range sources(t) {
		if strings.Contains(name, "exif") {
			continue
		}
		s, err := strip(want)
		if err != nil {
			t.Fatal(err)
		}
		cleared, n := clearPadBits(t, s.Data)
		if n == 0 {
			continue // the last byte happens to be full
		}
		got, err := strip(cleared)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(got.Data, s.Data) {
			t.Errorf("%s: the pad bits stay", name)
		}
		if removed(got, "pad bits") == 0 {
			t.Errorf("%s: the pad bits are not reported", name)
		}
	}
}

// clearPadBits clears as many of the trailing ones of the last byte as the decoder
// of the standard library does not notice, and returns their number.
func clearPadBits(t *testing.T, data []byte) ([]byte, int) {
	t.Helper()
	at := bytes.LastIndex(data, []byte{0xFF, mEOI}) - 1
	want, err := stdjpeg.Decode(bytes.NewReader(data))
	if err != nil || data[at] == 0 {
		return nil, 0
	}
	for n := 7; n > 0; n-- {
		mask := byte(1<<n - 1)
		if data[at]&mask != mask {
			continue
		}
		out := slices.Clone(data)
		out[at] &^= mask
		if got, err := stdjpeg.Decode(bytes.NewReader(out)); err == nil && equal(got, want) {
			if s, err := strip(out); err == nil && removed(s, "pad bits") > 0 {
				return out, n
			}
		}
	}
	return nil, 0
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

// TestBitReader reads stuffed data across all lengths and finds its end.
func TestBitReader(t *testing.T) {
	data := []byte{0xA5, 0xFF, 0x00, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xFF, 0x00, 0xFF, 0x00, 0x01, 0xFF, mEOI}
	plain := []byte{0xA5, 0xFF, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xFF, 0xFF, 0x01}
	ends := []int{1, 3, 4, 5, 6, 7, 8, 10, 12, 13} // behind each plain byte
	for bits := 1; bits <= 8*len(plain); bits++ {
		b := bitReader{data: data}
		b.restart(0)
		for i := range bits {
			if got, want := b.take(1), uint32(plain[i/8]>>(7-i%8)&1); got != want {
				t.Fatalf("bit %d is %d, want %d", i, got, want)
			}
		}
		end, pad := b.end()
		if want := ends[(bits-1)/8]; end != want || int(pad) != 8*((bits+7)/8)-bits || b.short {
			t.Errorf("%d bits: end %d with %d pad bits, want %d", bits, end, pad, want)
		}
	}
	b := bitReader{data: data}
	b.restart(0)
	for range 8*len(plain) + 1 {
		b.skip(1)
	}
	if !b.short {
		t.Error("reading beyond the end is not noticed")
	}
}

// TestHuffmanTable builds the AC luma table of T.81 K.3.3.2 and reads its codes of
// every length.
func TestHuffmanTable(t *testing.T) {
	def := []byte{0x10, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}
	for i := range 162 {
		def = append(def, byte(i))
	}
	table := huffTable{def: def, used: new([256]bool)}
	if err := table.build(false); err != nil {
		t.Fatal(err)
	}
	code, symbol := uint32(0), 0
	for length := 1; length <= 16; length++ {
		for range def[length] {
			v := code << (16 - length)
			data := []byte{byte(v >> 8), byte(v), 0, 0}
			if data[0] == 0xFF {
				data = []byte{0xFF, 0, byte(v), 0, 0}
			}
			b := bitReader{data: data}
			if got := b.symbol(&table); int(got) != symbol {
				t.Fatalf("code %b of %d bits is symbol %d, want %d", code, length, got, symbol)
			}
			code++
			symbol++
		}
		code <<= 1
	}
	for name, bad := range map[string][]byte{
		"three codes of one bit": append([]byte{0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 2, 3),
		"the code of all ones":   append([]byte{0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 2),
		"a DC symbol of 16":      append([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 16),
	} {
		if err := (&huffTable{def: bad}).build(true); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestWithOrientation holds that a file that gets an orientation is one that Strip
// would have left with it.
func TestWithOrientation(t *testing.T) {
	for name, data := range sources(t) {
		s, err := strip(data)
		if err != nil {
			t.Fatal(err)
		}
		if s.Orientation != 0 {
			continue
		}
		turned := WithOrientation(s.Data, 5)
		again, err := strip(turned)
		if err != nil || again.Orientation != 5 || !bytes.Equal(again.Data, turned) {
			t.Errorf("%s: orientation %d, error %v", name, again.Orientation, err)
		}
		if !bytes.Equal(WithOrientation(s.Data, 1), s.Data) {
			t.Errorf("%s: orientation 1 is written", name)
		}
	}
}

// FuzzJPEG holds for every file: no panic; what passes is stable under a second walk,
// and the standard library decodes it and the source, to the same. A walk over the
// container alone is as stable.
func FuzzJPEG(f *testing.F) {
	for _, data := range sources(f) {
		if len(data) < 4096 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := stripContainer(data); err == nil {
			again, err := stripContainer(s.Data)
			if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
				t.Fatalf("a second walk over the container: %v %v", err, again)
			}
		}
		s, err := strip(data)
		if err != nil {
			if fault := (*picture.Error)(nil); !errors.As(err, &fault) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := strip(s.Data)
		if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk: %v %v", err, again)
		}
		before, err := stdjpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("the source does not decode: %v", err)
		}
		after, err := stdjpeg.Decode(bytes.NewReader(s.Data))
		if err != nil {
			t.Fatalf("the output does not decode: %v", err)
		}
		if !equal(before, after) {
			t.Fatal("the output decodes to something else")
		}
	})
}
