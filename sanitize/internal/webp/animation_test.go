package webp

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"reflect"
	"strings"
	"testing"

	"weir/sanitize/internal/picture"
)

// frameChunk is an ANMF chunk of a picture of the seed exif6_prefix.webp, 40 × 24 pixels.
func frameChunk(t *testing.T, x, y byte, flags byte, more ...string) string {
	t.Helper()
	vp8 := fourCC("VP8 ", split(t, seed(t, "exif6_prefix.webp"))["VP8 "])
	return fourCC("ANMF", string([]byte{x, 0, 0, y, 0, 0, 39, 0, 0, 23, 0, 0, 50, 1, 0, flags})+vp8+strings.Join(more, ""))
}

func canvas(flags byte, side byte) string {
	return fourCC("VP8X", string([]byte{flags, 0, 0, 0, side - 1, 0, 0, side - 1, 0, 0}))
}

const loopTwice = "\x00\x00\x00\x00\x02\x00"

// TestAnimationKept: what decides what is shown stays, and nothing else.
func TestAnimationKept(t *testing.T) {
	head := canvas(flagAnimation, 64)
	want := riff(head, fourCC("ANIM", loopTwice), frameChunk(t, 0, 0, 0), frameChunk(t, 12, 20, 3))
	for name, data := range map[string][]byte{
		"nothing":       want,
		"background":    riff(head, fourCC("ANIM", "abcd\x02\x00"), frameChunk(t, 0, 0, 0), frameChunk(t, 12, 20, 3)),
		"ANIM tail":     riff(head, fourCC("ANIM", loopTwice+"tail"), frameChunk(t, 0, 0, 0), frameChunk(t, 12, 20, 3)),
		"reserved bits": riff(head, fourCC("ANIM", loopTwice), frameChunk(t, 0, 0, 0xFC), frameChunk(t, 12, 20, 0xFF)),
		"chunks": riff(canvas(flagAnimation|flagICC|flagXMP, 64), fourCC("ICCP", "icc"), fourCC("ANIM", loopTwice),
			frameChunk(t, 0, 0, 0, fourCC("JUNK", "odd")), fourCC("JUNK", "odd"), frameChunk(t, 12, 20, 3), fourCC("XMP ", "xmp")),
	} {
		s := strip(t, data, options())
		if !bytes.Equal(s.Data, want) {
			t.Errorf("%s: %d bytes, want %d; removed %v", name, len(s.Data), len(want), s.Removed)
		}
		if s.Info.Frames != 2 || s.Info.Width != 64 || (name == "nothing") != (len(s.Removed) == 0) {
			t.Errorf("%s: %+v, removed %v", name, s.Info, s.Removed)
		}
	}
}

func TestAnimationRefused(t *testing.T) {
	head, anim := canvas(flagAnimation, 64), fourCC("ANIM", loopTwice)
	alpha := split(t, seed(t, "animation_alpha.webp"))["ANMF"]
	for name, c := range map[string]struct {
		data []byte
		want picture.Fault
	}{
		"no frame":           {riff(head, anim), picture.Truncated},
		"no ANIM":            {riff(head, frameChunk(t, 0, 0, 0)), picture.Malformed},
		"ANIM twice":         {riff(head, anim, anim, frameChunk(t, 0, 0, 0)), picture.Malformed},
		"ANIM too short":     {riff(head, fourCC("ANIM", "1234"), frameChunk(t, 0, 0, 0)), picture.Truncated},
		"outside, right":     {riff(head, anim, frameChunk(t, 13, 0, 0)), picture.Malformed},
		"outside, below":     {riff(head, anim, frameChunk(t, 0, 21, 0)), picture.Malformed},
		"picture beside":     {riff(head, anim, frameChunk(t, 0, 0, 0), frameChunk(t, 0, 0, 0)[24:]), picture.Malformed},
		"two pictures":       {riff(head, anim, frameChunk(t, 0, 0, 0, frameChunk(t, 0, 0, 0)[24:])), picture.Malformed},
		"chunk first":        {riff(head, anim, fourCC("ANMF", frameChunk(t, 0, 0, 0)[8:24]+fourCC("JUNK", ""))), picture.Malformed},
		"empty frame":        {riff(head, anim, fourCC("ANMF", frameChunk(t, 0, 0, 0)[8:24])), picture.Malformed},
		"frame too short":    {riff(head, anim, fourCC("ANMF", "123456789012345")), picture.Truncated},
		"another size":       {riff(head, anim, strings.Replace(frameChunk(t, 0, 0, 0), "\x27\x00\x00\x17", "\x26\x00\x00\x17", 1)), picture.Malformed},
		"alpha without flag": {riff(head, anim, fourCC("ANMF", alpha)), picture.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Strip(context.Background(), c.data, options())
			wantFault(t, err, c.want)
		})
	}
	_, err := Strip(context.Background(), riff(head, anim, frameChunk(t, 0, 0, 0)), picture.Options{Limits: limits})
	wantFault(t, err, picture.TooManyFrames)
}

// TestFirstFrame: the first frame becomes a picture of its own, if it is all of one.
func TestFirstFrame(t *testing.T) {
	o := picture.Options{Limits: limits, Animation: picture.FirstFrame}
	o.Limits.MaxFrames = 1
	for _, name := range []string{"animation.webp", "animation_alpha.webp", "animation_mixed.webp"} {
		s := strip(t, seed(t, name), o)
		if s.Info.Frames != 1 || s.Info.Width != 32 || s.Info.Height != 24 {
			t.Errorf("%s: %+v", name, s.Info)
		}
		samples(t, s.Data)
		if again := strip(t, s.Data, o); !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk removes %v", name, again.Removed)
		}
	}
	vp8 := split(t, seed(t, "exif6_prefix.webp"))["VP8 "]
	head := fourCC("VP8X", "\x02\x00\x00\x00\x27\x00\x00\x17\x00\x00")
	s := strip(t, riff(head, fourCC("ANIM", loopTwice), frameChunk(t, 0, 0, 3), frameChunk(t, 0, 0, 0)), o)
	if want := riff(fourCC("VP8 ", vp8)); !reflect.DeepEqual(s.Data, want) {
		t.Errorf("%d bytes, want %d", len(s.Data), len(want))
	}
}

// TestFirstFrameIsPart: a first frame that is smaller than the canvas is drawn on it.
func TestFirstFrameIsPart(t *testing.T) {
	o := picture.Options{Limits: limits, Animation: picture.FirstFrame}
	for _, flags := range []byte{flagAnimation, flagAnimation | flagAlpha} {
		s := strip(t, riff(canvas(flags, 64), fourCC("ANIM", loopTwice), frameChunk(t, 3, 4, 0)), o)
		got, err := Decode(context.Background(), s.Data)
		if err != nil {
			t.Fatal(err)
		}
		part, err := Decode(context.Background(), riff(frameChunk(t, 0, 0, 0)[24:]))
		if err != nil {
			t.Fatal(err)
		}
		for y := range 64 {
			for x := range 64 {
				want := color.NRGBA{}
				if flags&flagAlpha == 0 {
					want.A = 255
				}
				if image.Pt(x-6, y-8).In(part.Rect) {
					want = part.NRGBAAt(x-6, y-8)
				}
				if got.NRGBAAt(x, y) != want {
					t.Fatalf("flags %02X: %v at %d, %d, want %v", flags, got.NRGBAAt(x, y), x, y, want)
				}
			}
		}
	}
}
