package webp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/HugoSmits86/nativewebp"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
)

// maxSide is the longest side of a VP8L picture (14 bits).
const maxSide = 1 << 14

// EncodeBytesPerPixel is what Encode allocates for each pixel at most, beside the
// picture itself: nativewebp keeps the symbols of all pixels as words.
const EncodeBytesPerPixel = 72

// Encode writes a picture lossless, with an orientation of 2 to 8 in EXIF unless
// the options drop it. Equal pictures give equal files. The encoder does not look
// at the context; the walk over what it wrote does. The error is a *picture.Error,
// that of the context, or one of the encoder.
func Encode(ctx context.Context, img *image.NRGBA, orientation uint8, o picture.Options) ([]byte, error) {
	f, err := encode(ctx, img)
	if err != nil {
		return nil, err
	}
	s := &stripper{ctx: ctx, opts: o, budget: picture.NewBudget(o.Limits), width: f.width, height: f.height,
		frames: []frame{f}}
	if orientation >= 2 && orientation <= 8 && !o.DropOrientation {
		s.exif = exif.Minimal(orientation)
	}
	if err := s.write(); err != nil {
		return nil, err
	}
	return s.result.Data, nil
}

// A large picture that takes this many bits a pixel without references is a photo:
// nativewebp needs six times as long for it, and makes it no smaller.
const (
	largePicture = 1 << 18 // pixels
	photoBits    = 10
)

// encode returns the picture as a lossless frame. Photos, and what nativewebp cannot
// write, are written without its search for references.
func encode(ctx context.Context, img *image.NRGBA) (frame, error) {
	if err := picture.Checkpoint(ctx); err != nil {
		return frame{}, err
	}
	size := img.Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X > maxSide || size.Y > maxSide {
		return frame{}, picture.Errorf(picture.Unsupported, "%d × %d pixels cannot be encoded as WebP", size.X, size.Y)
	}
	var plain []byte
	var err error
	if pixels := size.X * size.Y; pixels >= largePicture {
		if plain, err = plainEncode(ctx, img); err != nil {
			return frame{}, err
		}
		if 8*len(plain) >= photoBits*pixels {
			return encoded(ctx, plain, img)
		}
	}
	if payload, err := nativeEncode(img); err == nil {
		if f, err := encoded(ctx, payload, img); err == nil || ctx.Err() != nil {
			return f, err
		}
	}
	if plain == nil {
		if plain, err = plainEncode(ctx, img); err != nil {
			return frame{}, err
		}
	}
	return encoded(ctx, plain, img)
}

// encoded walks over a payload of VP8L, decodes it, and compares it with the picture
// it was made of: one that came out changed is no result.
func encoded(ctx context.Context, payload []byte, img *image.NRGBA) (frame, error) {
	h, err := readVP8LHeader(payload)
	if err != nil {
		return frame{}, err
	}
	w, err := walkVP8L(ctx, payload, vp8lHeaderSize, h.width, h.height)
	if err != nil {
		return frame{}, err
	}
	if w.hidden {
		return frame{}, errors.New("webp: the encoder wrote more than the picture")
	}
	f := frame{lossless: true, data: w.cut("VP8L", &picture.Stripped{}), width: h.width, height: h.height, hasAlpha: h.alpha}
	return f, verify(f, img)
}

// nativeEncode returns the payload of VP8L that nativewebp writes. It panics for
// some pictures with much noise.
func nativeEncode(img *image.NRGBA) (payload []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			payload, err = nil, fmt.Errorf("webp: nativewebp panicked: %v", p)
		}
	}()
	var out bytes.Buffer
	if err := nativewebp.Encode(&out, img, nil); err != nil {
		return nil, fmt.Errorf("webp: %w", err)
	}
	c, err := readRIFF(out.Bytes(), &picture.Stripped{})
	if err != nil {
		return nil, err
	}
	_, payload, err = c.next()
	return payload, err
}

// verify compares what was encoded with the picture it was made of.
func verify(f frame, img *image.NRGBA) error {
	got, err := decode(f)
	if err != nil {
		return err
	}
	size := img.Bounds().Size()
	if got.Bounds().Size() != size {
		return fmt.Errorf("webp: the encoder wrote %v pixels, not %v", got.Bounds().Size(), size)
	}
	for y := range size.Y {
		want := img.Pix[y*img.Stride:][:4*size.X]
		if !bytes.Equal(got.Pix[y*got.Stride:][:4*size.X], want) {
			return fmt.Errorf("webp: the encoder wrote other samples in row %d", y)
		}
	}
	return nil
}
