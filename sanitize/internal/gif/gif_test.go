package gif

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	stdgif "image/gif"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var limits = picture.Limits{MaxPixels: 1 << 20, MaxSide: 4096, MaxSegments: 64, MaxMetadataBytes: 1 << 16, MaxFrames: 16}

func strip(data []byte, a picture.Animation) (*picture.Stripped, error) {
	return Strip(context.Background(), data, picture.Options{Limits: limits, Animation: a})
}

func seed(t testing.TB, name string) []byte {
	t.Helper()
	return walktest.File(t, "../../testdata/gif/"+name)
}

// seeds are the files that gen.py wrote.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	return walktest.Files(t, "../../testdata/gif/*.gif", 20)
}

// TestSeeds holds that every seed passes with the same pixels, and a second time
// unchanged.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		s, err := strip(data, picture.KeepAnimation)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := strip(s.Data, picture.KeepAnimation)
		if err != nil || !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk changes it: %v", name, err)
		}
		before, after := decodeAll(t, data), decodeAll(t, s.Data)
		if s.Info.Frames != len(before) || len(after) != len(before) {
			t.Errorf("%s: %d frames, then %d", name, len(before), len(after))
			continue
		}
		for i := range before {
			if !samePixels(before[i], after[i]) {
				t.Errorf("%s: frame %d has other pixels", name, i)
			}
		}
	}
}

func decodeAll(t testing.TB, data []byte) []*image.Paletted {
	t.Helper()
	g, err := stdgif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return g.Image
}

// samePixels compares where the first picture is: the second may be larger.
func samePixels(a, b *image.Paletted) bool {
	for y := a.Rect.Min.Y; y < a.Rect.Max.Y; y++ {
		for x := a.Rect.Min.X; x < a.Rect.Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

// TestFrameFillsTheCanvas: around a small frame is what decoders show there.
func TestFrameFillsTheCanvas(t *testing.T) {
	s, err := strip(seed(t, "partial.gif"), picture.RefuseAnimation)
	if err != nil {
		t.Fatal(err)
	}
	img := decodeAll(t, s.Data)[0]
	if img.Rect != image.Rect(0, 0, 20, 9) || img.ColorIndexAt(19, 8) != 0 || img.ColorIndexAt(4, 2) == 0 {
		t.Errorf("%v, %d, %d", img.Rect, img.ColorIndexAt(19, 8), img.ColorIndexAt(4, 2))
	}
	if s, err = strip(seed(t, "partial_transparent.gif"), picture.RefuseAnimation); err != nil {
		t.Fatal(err)
	}
	if img := decodeAll(t, s.Data)[0]; img.ColorIndexAt(19, 8) != 3 || s.Data[11] != 7 {
		t.Errorf("index %d around the frame, background %d", img.ColorIndexAt(19, 8), s.Data[11])
	}
	data := seed(t, "partial.gif")
	data[11] = 5 // the background, which OpenCV shows around the frame and Pillow does not
	if _, err = strip(data, picture.RefuseAnimation); walktest.Fault(err) != picture.Unsupported {
		t.Errorf("background 5: %v", err)
	}
}

// TestAnimation: what becomes of several frames is the policy's.
func TestAnimation(t *testing.T) {
	data := seed(t, "animation.gif")
	if _, err := strip(data, picture.RefuseAnimation); walktest.Fault(err) != picture.TooManyFrames {
		t.Errorf("refused: %v", err)
	}
	first, err := strip(data, picture.FirstFrame)
	if err != nil || first.Info.Frames != 1 {
		t.Fatalf("%v: %+v", err, first)
	}
	if frames := decodeAll(t, first.Data); len(frames) != 1 || !samePixels(decodeAll(t, data)[0], frames[0]) {
		t.Error("the first frame is another")
	}
	if bytes.Contains(first.Data, []byte("NETSCAPE")) {
		t.Error("a still picture loops")
	}
	kept, err := strip(data, picture.KeepAnimation)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := stdgif.DecodeAll(bytes.NewReader(data))
	after, _ := stdgif.DecodeAll(bytes.NewReader(kept.Data))
	if !slices.Equal(before.Delay, after.Delay) || !bytes.Equal(before.Disposal, after.Disposal) || before.LoopCount != after.LoopCount {
		t.Errorf("delays %v, disposals %v, loop %d", after.Delay, after.Disposal, after.LoopCount)
	}
	few := limits
	few.MaxFrames = 2
	_, err = Strip(context.Background(), data, picture.Options{Limits: few, Animation: picture.KeepAnimation})
	if walktest.Fault(err) != picture.TooManyFrames {
		t.Errorf("two frames of three: %v", err)
	}
	few = limits
	few.MaxPixels = 30 * 21 * 2
	_, err = Strip(context.Background(), data, picture.Options{Limits: few, Animation: picture.KeepAnimation})
	if walktest.Fault(err) != picture.TooManyPixels {
		t.Errorf("pixels of two frames of three: %v", err)
	}
}

// build makes a GIF of 4 × 2 pixels with a table of four colours. between stands in
// front of the frame, image is its data with the code width.
func build(between, image string) []byte {
	return []byte("GIF89a\x04\x00\x02\x00\x81\x00\x00" + "\x01\x02\x03\x11\x12\x13\x21\x22\x23\x31\x32\x33" + between +
		",\x00\x00\x00\x00\x04\x00\x02\x00\x00" + image + ";")
}

// codes packs codes of three bits into one sub-block behind the code width 2.
func codes(values ...int) string {
	n := uint64(0)
	for i, v := range values {
		n |= uint64(v) << (3 * i)
	}
	packed := binary.LittleEndian.AppendUint64(nil, n)[:(3*len(values)+7)/8]
	return "\x02" + string(byte(len(packed))) + string(packed) + "\x00"
}

// good are the codes of eight pixels: clear codes keep them three bits wide.
var good = []int{4, 0, 1, 4, 2, 3, 4, 0, 1, 4, 2, 3, 5}

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		data []byte
		want picture.Fault
	}{
		"no signature":                {[]byte("GIF88a\x01\x00\x01\x00\x00\x00\x00;"), picture.Malformed},
		"no frame":                    {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), picture.Malformed},
		"empty canvas":                {[]byte("GIF89a\x00\x00\x01\x00\x00\x00\x00;"), picture.Malformed},
		"large canvas":                {[]byte("GIF89a\xff\xff\x01\x00\x00\x00\x00;"), picture.TooManyPixels},
		"ends in the header":          {[]byte("GIF89a\x01\x00"), picture.Truncated},
		"ends in the table":           {build("", "")[:20], picture.Truncated},
		"stray byte":                  {build("\x00", codes(good...)), picture.Malformed},
		"unknown extension":           {build("!\x42\x01x\x00", codes(good...)), picture.Malformed},
		"plain text of a wrong size":  {build("!\x01\x01x\x00", codes(good...)), picture.Malformed},
		"plain text without blocks":   {build("!\x01\x00", codes(good...)), picture.Malformed},
		"application without blocks":  {build("!\xFF\x00", codes(good...)), picture.Malformed},
		"loop without blocks":         {build("!\xFF\x0BNETSCAPE2.0\x00", codes(good...)), picture.Malformed},
		"long graphic control":        {build("!\xF9\x05\x00\x00\x00\x00\x00\x00", codes(good...)), picture.Malformed},
		"two graphic controls":        {build("!\xF9\x04\x00\x00\x00\x00\x00!\xF9\x04\x00\x00\x00\x00\x00", codes(good...)), picture.Malformed},
		"disposal 4":                  {build("!\xF9\x04\x10\x00\x00\x00\x00", codes(good...)), picture.Malformed},
		"block of three":              {build("!\xFF\x0BSOMEAPP 1.0\x03abc\x00", codes(good...)), picture.Malformed},
		"too many extensions":         {build(string(bytes.Repeat([]byte("!\xFE\x00"), 65)), codes(good...)), picture.TooManySegments},
		"too much metadata":           {build("!\xFE"+string(bytes.Repeat([]byte("\xFF"), 256*256))+"\x00", codes(good...)), picture.TooManySegments},
		"code width 1":                {build("", "\x01"+codes(good...)[1:]), picture.Malformed},
		"code width 9":                {build("", "\x09"+codes(good...)[1:]), picture.Malformed},
		"ends early":                  {build("", codes(4, 0, 1, 4, 2, 3, 5)), picture.Truncated},
		"no more codes":               {build("", codes(4, 0, 1, 4, 2, 3)), picture.Truncated},
		"one pixel more":              {build("", codes(4, 0, 1, 4, 2, 3, 4, 0, 1, 4, 2, 3, 0, 5)), picture.Malformed},
		"undefined code":              {build("", codes(4, 0, 7)), picture.Malformed},
		"undefined code after clear":  {build("", codes(4, 6)), picture.Malformed},
		"byte behind code-sized bits": {build("", "\x02\x07"+codes(append([]int{4, 4}, good...)...)[2:8]+"a\x00"), picture.Malformed},
		"bytes behind the end":        {build("", "\x02\x08"+codes(good...)[2:7]+"abc\x00"), picture.Malformed},
		"no terminator":               {build("", codes(good...)[:7]), picture.Truncated},
		"control without a frame":     {bytes.Replace(build("", codes(good...)), []byte("\x00;"), []byte("\x00!\xF9\x04\x00\x00\x00\x00\x00;"), 1), picture.Malformed},
		"frame off the canvas":        {bytes.Replace(build("", codes(good...)), []byte(",\x00"), []byte(",\x01"), 1), picture.Malformed},
		"background out of the table": {bytes.Replace(build("", codes(good...)), []byte("\x81\x00"), []byte("\x81\x04"), 1), picture.Malformed},
		"index out of the table":      {bytes.Replace(build("", codes(good...)), []byte("\x81\x00\x00\x01\x02\x03\x11\x12\x13"), []byte("\x80\x00\x00"), 1), picture.Malformed},
	}
	for name, test := range tests {
		if _, err := strip(test.data, picture.RefuseAnimation); walktest.Fault(err) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{
		"plain":            build("", codes(good...)),
		"no end code":      build("", codes(append([]int{4}, good[:12]...)...)),
		"clear before end": build("", codes(append(slices.Clone(good[:12]), 4, 5)...)),
		"one byte more":    build("", "\x02\x06"+codes(good...)[2:7]+"a\x00"),
		"old version":      append([]byte("GIF87a"), build("", codes(good...))[6:]...),
	} {
		s, err := strip(data, picture.RefuseAnimation)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if pix := decodeAll(t, s.Data)[0].Pix; !bytes.Equal(pix, []byte{0, 1, 2, 3, 0, 1, 2, 3}) {
			t.Errorf("%s: pixels %v", name, pix)
		}
	}
}

// TestExpansion: a canvas of many pixels in a few bytes.
func TestExpansion(t *testing.T) {
	l := limits
	l.MaxExpansion = 100
	data := append([]byte("GIF89a\x00\x04\x00\x04"), build("", codes(good...))[10:]...)
	_, err := Strip(context.Background(), data, picture.Options{Limits: l})
	if walktest.Fault(err) != picture.Expands {
		t.Errorf("%v", err)
	}
}

// TestZeroTransparent: the colour under the transparent index goes when asked.
func TestZeroTransparent(t *testing.T) {
	data := build("!\xF9\x04\x01\x00\x00\x02\x00", codes(good...))
	data[11] = 2
	kept, err := strip(data, picture.RefuseAnimation)
	if err != nil || !bytes.Contains(kept.Data, []byte("\x21\x22\x23")) || !kept.Info.Alpha {
		t.Errorf("kept: %v", err)
	}
	zeroed, err := Strip(context.Background(), data, picture.Options{Limits: limits, ZeroTransparent: true})
	if err != nil || bytes.Contains(zeroed.Data, []byte("\x21\x22\x23")) || !bytes.Contains(zeroed.Data, []byte("\x11\x12\x13\x00\x00\x00\x31")) {
		t.Errorf("zeroed: %v % x", err, zeroed.Data)
	}
}

// TestLZW holds that the reader reads what compress/lzw writes, through a full table.
func TestLZW(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for literals := 2; literals <= 8; literals++ {
		for _, kind := range []string{"noise", "flat", "runs"} {
			pix := make([]byte, 50_000)
			for i := range pix {
				switch {
				case kind == "noise", kind == "runs" && i%(1+r.IntN(9)) == 0:
					pix[i] = byte(r.IntN(1 << literals))
				case kind == "runs" && i > 0:
					pix[i] = pix[i-1]
				}
			}
			data, err := appendImageData(context.Background(), nil, pix, literals)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(pix))
			reader := &lzwReader{s: &stripper{data: data, pos: 1}, literals: uint(literals)}
			if err := reader.decode(context.Background(), got); err != nil || !bytes.Equal(got, pix) {
				t.Errorf("%d bits, %s: %v", literals, kind, err)
			}
		}
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Strip(ctx, seed(t, "palette16.gif"), picture.Options{Limits: limits}); !errors.Is(err, context.Canceled) {
		t.Errorf("Strip: %v", err)
	}
	if _, err := Encode(ctx, image.NewNRGBA(image.Rect(0, 0, 3, 3))); !errors.Is(err, context.Canceled) {
		t.Errorf("Encode: %v", err)
	}
}

func FuzzGIF(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data, byte(0))
		f.Add(data, byte(2))
	}
	f.Fuzz(func(t *testing.T, data []byte, options byte) {
		o := picture.Options{Limits: limits, Animation: picture.Animation(options % 3), ZeroTransparent: options&4 != 0}
		s, err := Strip(context.Background(), data, o)
		if err != nil {
			if walktest.Fault(err) == walktest.NoFault {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Strip(context.Background(), s.Data, o)
		if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk changes it: %v", err)
		}
		before, err := stdgif.DecodeAll(bytes.NewReader(data))
		if err != nil && o.Animation != picture.FirstFrame {
			t.Fatalf("Go refuses the input: %v", err)
		}
		after, err := stdgif.DecodeAll(bytes.NewReader(s.Data))
		if err != nil {
			t.Fatalf("the output does not decode: %v", err)
		}
		if o.Animation == picture.FirstFrame {
			return
		}
		for i := range before.Image {
			if !samePixels(before.Image[i], after.Image[i]) {
				t.Fatal("the output decodes to something else")
			}
		}
	})
}
