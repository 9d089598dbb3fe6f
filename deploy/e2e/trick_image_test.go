//go:build e2e

package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// painted is a picture in which all pixels differ from their neighbours.
func painted(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(13 * x), uint8(29 * y), uint8(7 * (x + y)), 255})
		}
	}
	return m
}

func jpegOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, painted(48, 32), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
