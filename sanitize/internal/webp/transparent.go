package webp

import "image"

// zeroTransparent makes the colour under alpha 0 black. A picture in which that
// changes something is encoded anew, lossless: the samples of a lossy picture under
// other alpha values become those that libwebp decodes.
func (s *stripper) zeroTransparent() error {
	for i, f := range s.frames {
		if !f.hasAlpha {
			continue
		}
		img, err := decode(f)
		if err != nil {
			return err
		}
		n := zeroColour(img)
		if n == 0 {
			continue
		}
		s.result.Remove("colour under alpha 0", n)
		made, err := encode(s.ctx, img)
		if err != nil {
			return err
		}
		f.lossless, f.data, f.alpha, f.hasAlpha = true, made.data, nil, made.hasAlpha
		s.frames[i] = f
	}
	return nil
}

// zeroColour returns how many bytes it changed.
func zeroColour(img *image.NRGBA) (n int) {
	for p := img.Pix; len(p) > 0; p = p[4:] {
		if p[3] != 0 {
			continue
		}
		for i := range 3 {
			if p[i] != 0 {
				p[i] = 0
				n++
			}
		}
	}
	return n
}
