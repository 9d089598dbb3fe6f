package png

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	stdpng "image/png"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// apng is an animation of grey frames, 8 × 4 pixels, as its chunks.
type apng struct{ chunks [][2]string }

func deflated(raw []byte) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(raw)
	z.Close()
	return b.String()
}

// frameRows are the filtered rows of a frame of one grey.
func frameRows(width, height int, grey byte) []byte {
	return bytes.Repeat(append([]byte{0}, bytes.Repeat([]byte{grey}, width)...), height)
}

func fcTL(sequence, width, height, x, y uint32, tail ...byte) string {
	var p []byte
	for _, v := range []uint32{sequence, width, height, x, y} {
		p = binary.BigEndian.AppendUint32(p, v)
	}
	return string(append(p, tail...))
}

func number(v uint32) string { return string(binary.BigEndian.AppendUint32(nil, v)) }

// animated is a valid animation of three frames; the second covers a part, and the
// third is split over two chunks.
func animated() apng {
	third := deflated(frameRows(8, 4, 3))
	return apng{[][2]string{
		{"IHDR", string(Header{Width: 8, Height: 4, Depth: 8}.payload())},
		{"acTL", number(3) + number(5)},
		{"fcTL", fcTL(0, 8, 4, 0, 0, 0, 50, 0, 0, 2, 0)},
		{"IDAT", deflated(frameRows(8, 4, 1))},
		{"fcTL", fcTL(1, 3, 2, 5, 2, 0, 1, 0, 10, 1, 1)},
		{"fdAT", number(2) + deflated(frameRows(3, 2, 2))},
		{"fcTL", fcTL(3, 8, 4, 0, 0, 0, 0, 0, 10, 0, 0)},
		{"fdAT", number(4) + third[:5]},
		{"fdAT", number(5) + third[5:]},
		{"IEND", ""},
	}}
}

func (a apng) bytes() []byte {
	out := []byte(signature)
	for _, c := range a.chunks {
		out = appendChunk(out, c[0], []byte(c[1]))
	}
	return out
}

// with replaces a chunk, or leaves it out if there is nothing in its place.
func (a apng) with(at int, chunks ...[2]string) apng {
	return apng{slices.Concat(a.chunks[:at], chunks, a.chunks[at+1:])}
}

func stripAnimation(data []byte, a picture.Animation, frames int) (*picture.Stripped, error) {
	l := limits
	l.MaxFrames = frames
	return Strip(context.Background(), data, picture.Options{Limits: l, Animation: a}, false)
}

// TestAnimationIsKept holds that a valid animation is written anew as it should be:
// fractions in lowest terms, a first frame that does not restore what was before it,
// each frame in one chunk, the rest as it was.
func TestAnimationIsKept(t *testing.T) {
	want := animated()
	want.chunks[2][1] = fcTL(0, 8, 4, 0, 0, 0, 1, 0, 2, 1, 0)
	want.chunks[6][1] = fcTL(3, 8, 4, 0, 0, 0, 0, 0, 1, 0, 0)
	want = want.with(7, [2]string{"fdAT", number(4) + deflated(frameRows(8, 4, 3))})
	want = want.with(8)
	for _, in := range []apng{animated(), want} {
		s, err := stripAnimation(in.bytes(), picture.KeepAnimation, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Data, want.bytes()) || s.Info.Frames != 3 {
			t.Errorf("%d frames:\n%q\nwant\n%q", s.Info.Frames, s.Data, want.bytes())
		}
	}
}

func TestAnimationPolicies(t *testing.T) {
	data := animated().bytes()
	if _, err := stripAnimation(data, picture.RefuseAnimation, 9); walktest.Fault(err) != picture.TooManyFrames {
		t.Errorf("refused with %v", err)
	}
	if _, err := stripAnimation(data, picture.KeepAnimation, 2); walktest.Fault(err) != picture.TooManyFrames {
		t.Errorf("three frames of two: %v", err)
	}
	s, err := stripAnimation(data, picture.FirstFrame, 0)
	if err != nil {
		t.Fatal(err)
	}
	still := appendChunk([]byte(signature), "IHDR", Header{Width: 8, Height: 4, Depth: 8}.payload())
	still = appendChunk(appendChunk(still, "IDAT", []byte(deflated(frameRows(8, 4, 1)))), "IEND", nil)
	if !bytes.Equal(s.Data, still) || s.Info.Frames != 0 {
		t.Errorf("the first frame is %q, want %q", s.Data, still)
	}
	if again, err := stripAnimation(s.Data, picture.RefuseAnimation, 0); err != nil || len(again.Removed) > 0 {
		t.Errorf("the first frame does not pass by itself: %v", err)
	}
}

func TestAnimationRefusals(t *testing.T) {
	a := animated()
	data := deflated(frameRows(8, 4, 9))
	for _, test := range []struct {
		name string
		in   apng
		want picture.Fault
	}{
		{"no acTL", a.with(1), picture.Malformed},
		{"acTL twice", a.with(1, a.chunks[1], a.chunks[1]), picture.Malformed},
		{"acTL after IDAT", a.with(1).with(3, a.chunks[1], a.chunks[4]), picture.Malformed},
		{"no frames", a.with(1, [2]string{"acTL", number(0) + number(0)}), picture.Malformed},
		{"fewer frames than said", a.with(1, [2]string{"acTL", number(4) + number(0)}), picture.Malformed},
		{"more frames than said", a.with(1, [2]string{"acTL", number(2) + number(0)}), picture.Malformed},
		{"the still picture is no frame", apng{slices.Concat(a.chunks[:1],
			[][2]string{{"acTL", number(1) + number(0)}, a.chunks[3], {"fcTL", fcTL(0, 8, 4, 0, 0, 0, 1, 0, 1, 0, 0)},
				{"fdAT", number(1) + data}, {"IEND", ""}})}, picture.Malformed},
		{"two fcTL before IDAT", a.with(2, a.chunks[2], [2]string{"fcTL", fcTL(1, 8, 4, 0, 0, 0, 1, 0, 1, 0, 0)}), picture.Malformed},
		{"first frame smaller", a.with(2, [2]string{"fcTL", fcTL(0, 7, 4, 0, 0, 0, 1, 0, 1, 0, 0)}), picture.Malformed},
		{"sequence gap", a.with(4, [2]string{"fcTL", fcTL(2, 3, 2, 5, 2, 0, 1, 0, 10, 1, 1)}), picture.Malformed},
		{"frame beyond the picture", a.with(4, [2]string{"fcTL", fcTL(1, 3, 2, 6, 2, 0, 1, 0, 10, 1, 1)}), picture.Malformed},
		{"frame beyond 32 bits", a.with(4, [2]string{"fcTL", fcTL(1, 3, 2, 1<<32-2, 2, 0, 1, 0, 10, 1, 1)}), picture.Malformed},
		{"empty frame", a.with(4, [2]string{"fcTL", fcTL(1, 0, 2, 5, 2, 0, 1, 0, 10, 1, 1)}), picture.Malformed},
		{"dispose", a.with(4, [2]string{"fcTL", fcTL(1, 3, 2, 5, 2, 0, 1, 0, 10, 3, 1)}), picture.Malformed},
		{"blend", a.with(4, [2]string{"fcTL", fcTL(1, 3, 2, 5, 2, 0, 1, 0, 10, 0, 2)}), picture.Malformed},
		{"frame without data", a.with(5), picture.Malformed},
		{"frame with empty data", a.with(5, [2]string{"fdAT", number(2)}), picture.Truncated},
		{"fdAT without fcTL", a.with(4), picture.Malformed},
		{"fdAT before IDAT", a.with(2, [2]string{"fdAT", number(0) + data}, a.chunks[2]), picture.Malformed},
		{"fdAT too short", a.with(5, [2]string{"fdAT", "\x00\x00"}), picture.Malformed},
		{"rows missing", a.with(5, [2]string{"fdAT", number(2) + deflated(frameRows(3, 1, 2))}), picture.Truncated},
		{"rows too many", a.with(5, [2]string{"fdAT", number(2) + deflated(frameRows(3, 3, 2))}), picture.Malformed},
	} {
		_, err := stripAnimation(test.in.bytes(), picture.KeepAnimation, 10)
		if walktest.Fault(err) != test.want {
			t.Errorf("%s: %v, want fault %d", test.name, err, test.want)
		}
	}
}

// TestAnimationPixelsAddUp holds that a limit on pixels is one on all frames.
func TestAnimationPixelsAddUp(t *testing.T) {
	l := limits
	l.MaxFrames, l.MaxPixels = 3, 8*4+3*2+8*4-1
	_, err := Strip(context.Background(), animated().bytes(), picture.Options{Limits: l, Animation: picture.KeepAnimation}, false)
	if walktest.Fault(err) != picture.TooManyPixels {
		t.Errorf("error %v", err)
	}
	l.MaxPixels++
	if _, err := Strip(context.Background(), animated().bytes(), picture.Options{Limits: l, Animation: picture.KeepAnimation}, false); err != nil {
		t.Error(err)
	}
}

// TestAnimationHidesNothing fills every place of an animation's chunks that no
// reader of pictures needs.
func TestAnimationHidesNothing(t *testing.T) {
	a := animated()
	a.chunks[1][1] = number(3) + "CANA"
	a.chunks[5][1] += "CANARY"
	a = a.with(9, [2]string{"tEXt", "Comment\x00CANARY"}, a.chunks[9])
	s, err := stripAnimation(append(a.bytes(), "CANARY"...), picture.KeepAnimation, 3)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s.Data, []byte("CANA")) {
		t.Errorf("left: %q", s.Data)
	}
	if _, err := stdpng.Decode(bytes.NewReader(s.Data)); err != nil {
		t.Error(err)
	}
}
