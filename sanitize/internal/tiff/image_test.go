package tiff

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"testing"
)

// TestEncode: what is encoded decodes to the same, and Strip leaves it as it is.
func TestEncode(t *testing.T) {
	bounds := image.Rect(0, 0, 300, 400) // several strips
	grey, grey16 := image.NewGray(bounds), image.NewGray16(bounds)
	opaque, alpha := image.NewNRGBA(bounds), image.NewNRGBA(bounds)
	deep, deepAlpha := image.NewNRGBA64(bounds), image.NewNRGBA64(bounds)
	for y := range 400 {
		for x := range 300 {
			v := uint16(x*211 + y*97)
			grey.SetGray(x, y, color.Gray{uint8(v)})
			grey16.SetGray16(x, y, color.Gray16{v})
			opaque.SetNRGBA(x, y, color.NRGBA{uint8(v), uint8(x), uint8(y), 255})
			alpha.SetNRGBA(x, y, color.NRGBA{uint8(v), uint8(x), uint8(y), uint8(x + y)})
			deep.SetNRGBA64(x, y, color.NRGBA64{v, uint16(x), uint16(y * 100), 65535})
			deepAlpha.SetNRGBA64(x, y, color.NRGBA64{v, uint16(x), uint16(y * 100), v + 9})
		}
	}
	for _, img := range []image.Image{grey, grey16, opaque, alpha, deep, deepAlpha} {
		data, err := Encode(context.Background(), img, 5)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := strip(data); err != nil || !bytes.Equal(s.Data, data) || s.Orientation != 5 {
			t.Errorf("%T: Strip changes it: %v", img, err)
		}
		own, err := Decode(context.Background(), data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "encoded", img, own)
	}
	if _, err := Encode(context.Background(), image.NewCMYK(bounds), 0); err == nil {
		t.Error("CMYK is encoded")
	}
}
