package redteam

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // what samples may be
	"image/jpeg"
	"image/png"
	"sync"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// Carrier writes pictures in the form in which the model gets them, and reads what a
// profile has made of them. Format is the name of the sample's own format.
type Carrier interface {
	Encode(img *image.NRGBA, format string) ([]byte, error)
	Decode(data []byte) (image.Image, error)
}

// Files carries pictures as image files. It implements Carrier.
type Files struct {
	// Format is "jpeg", "png", or "" for that of the sample. What Weir cannot write is
	// written as PNG.
	Format string
	// Quality of JPEG, 1 to 100; 0: 95.
	Quality int
}

// Encode writes one file.
func (f Files) Encode(img *image.NRGBA, format string) ([]byte, error) {
	if f.Format != "" {
		format = f.Format
	}
	var out bytes.Buffer
	var err error
	if format == "jpeg" {
		quality := f.Quality
		if quality == 0 {
			quality = 95
		}
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
	} else {
		err = pngEncoder.Encode(&out, img)
	}
	return out.Bytes(), err
}

// pngEncoder keeps the state of its compressors, which is far larger than the pictures.
var pngEncoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &pngBuffers{}}

type pngBuffers struct{ pool sync.Pool }

// Get returns a buffer that was put back, or nil.
func (b *pngBuffers) Get() *png.EncoderBuffer {
	buffer, _ := b.pool.Get().(*png.EncoderBuffer)
	return buffer
}

// Put gives a buffer to the next call of Get.
func (b *pngBuffers) Put(buffer *png.EncoderBuffer) { b.pool.Put(buffer) }

// Decode reads one file.
func (f Files) Decode(data []byte) (image.Image, error) {
	img, _, err := decode(data)
	return img, err
}

// format is that of the files which Encode writes for a sample.
func (f Files) format(sample string) string {
	switch {
	case f.Format != "":
		return f.Format
	case sample == "jpeg":
		return sample
	}
	return "png"
}

// maxPixels bounds a sample. Samples are the operator's own, but a file may be broken.
const maxPixels = 40_000_000

func decode(data []byte) (image.Image, string, error) {
	about, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, "", err
	}
	if n := int64(about.Width) * int64(about.Height); n > maxPixels {
		return nil, "", fmt.Errorf("%d pixels; the limit is %d", n, maxPixels)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	return img, format, err
}
