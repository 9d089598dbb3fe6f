package redteam

import "image"

// variant changes a picture as an attacker would who tries again, without what it
// shows: by index, it is a little brighter or darker, moved by a pixel or two, or has
// other low bits. Any of them may give the picture another draw of a keyed profile.
// Variant 0 is the picture itself. The trigger is put on afterwards.
func variant(img *image.NRGBA, k int) *image.NRGBA {
	if k == 0 {
		return img
	}
	step := (k-1)/3 + 1
	switch k % 3 {
	case 1:
		return brighter(img, (step+1)/2*(1-2*(step%2)))
	case 2:
		return moved(img, step)
	}
	return noisy(img, k)
}

// brighter adds to every sample.
func brighter(img *image.NRGBA, by int) *image.NRGBA {
	out := copyOf(img)
	each(out, out.Rect, func(_, _, i int) {
		for c := range 3 {
			out.Pix[i+c] = uint8(min(max(int(out.Pix[i+c])+by, 0), 255))
		}
	})
	return out
}

// moved shifts the picture in one of eight directions and repeats its edges.
func moved(img *image.NRGBA, step int) *image.NRGBA {
	directions := [8]image.Point{{X: 1}, {Y: 1}, {X: -1}, {Y: -1}, {X: 1, Y: 1}, {X: -1, Y: -1}, {X: 1, Y: -1}, {X: -1, Y: 1}}
	by := directions[(step-1)%8].Mul(1 + (step-1)/8)
	out, w, h := copyOf(img), img.Rect.Dx(), img.Rect.Dy()
	each(out, out.Rect, func(x, y, i int) {
		x, y = min(max(x-by.X, 0), w-1), min(max(y-by.Y, 0), h-1)
		copy(out.Pix[i:i+4], img.Pix[y*img.Stride+4*x:])
	})
	return out
}

// noisy changes every sixteenth pixel by at most two steps.
func noisy(img *image.NRGBA, k int) *image.NRGBA {
	out, s := copyOf(img), newStream("variant", uint64(k))
	each(out, out.Rect, func(_, _, i int) {
		if s.below(16) != 0 {
			return
		}
		for c := range 3 {
			out.Pix[i+c] = uint8(min(max(int(out.Pix[i+c])+s.below(5)-2, 0), 255))
		}
	})
	return out
}
