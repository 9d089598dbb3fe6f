package webp

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	xwebp "golang.org/x/image/webp"

	"weir/sanitize/internal/picture"
)

// FuzzStrip: whatever passes is decoded by x/image to the samples of the source, and
// strips to itself.
func FuzzStrip(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data, uint8(0))
		f.Add(data, uint8(picture.KeepAnimation))
	}
	f.Fuzz(func(t *testing.T, data []byte, choice uint8) {
		o := picture.Options{Limits: picture.Limits{MaxPixels: 1 << 18, MaxSide: 4096, MaxSegments: 64,
			MaxMetadataBytes: 1 << 16, MaxFrames: 4}}
		o.Animation = picture.Animation(choice % 3)
		o.ZeroTransparent = choice/3%2 != 0
		o.ContainerOnly = choice/6%2 != 0
		s, err := Strip(context.Background(), data, o)
		if err != nil {
			return
		}
		again, err := Strip(context.Background(), s.Data, o)
		if err != nil || !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk: %v, removes %v", err, again.Removed)
		}
		if again.Info != s.Info {
			t.Fatalf("a second walk finds %+v, not %+v", again.Info, s.Info)
		}
		if o.Animation != picture.RefuseAnimation || o.ContainerOnly {
			return // x/image reads no animation, nor what was not walked over
		}
		after, err := xwebp.Decode(bytes.NewReader(s.Data))
		if err != nil {
			t.Fatal(err)
		}
		if size := after.Bounds().Size(); size.X != s.Info.Width || size.Y != s.Info.Height {
			t.Fatalf("%v pixels, not %+v", size, s.Info)
		}
		if o.ZeroTransparent {
			return
		}
		before, err := xwebp.Decode(bytes.NewReader(data))
		if err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("other samples: %v", err)
		}
	})
}
