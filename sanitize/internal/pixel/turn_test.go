package pixel

import (
	"image"
	"math"
	"testing"

	"github.com/disintegration/imaging"
)

// TestRotate compares with interpolation at the turned place, and turns by 90 degrees
// exactly.
func TestRotate(t *testing.T) {
	src := grain(33, 33)
	p := planes8(t, src)
	if err := p.Rotate(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	if got := farthest(t, image8(t, p), imaging.Rotate270(src)); got > 0 { // imaging counts the other way
		t.Errorf("90 degrees: %d from an exact turn", got)
	}
	p = planes8(t, src)
	if err := p.Rotate(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	sin, cos := math.Sincos(7 * math.Pi / 180)
	at := func(i, j int) float64 {
		return float64(src.NRGBAAt(min(max(i, 0), 32), min(max(j, 0), 32)).G)
	}
	for y := range 33 {
		for x := range 33 {
			dx, dy := float64(x)-16, float64(y)-16
			sx, sy := min(max(cos*dx+sin*dy+16, 0), 32), min(max(-sin*dx+cos*dy+16, 0), 32)
			if got, want := float64(p.Planes[1].row(y)[x]), bilinear(at, sx, sy); math.Abs(got-want) > 1 {
				t.Fatalf("%v at %d, %d; want %.2f", got, x, y, want)
			}
		}
	}
}

// TestTurn compares with the operations of imaging, for whole and for odd sizes.
func TestTurn(t *testing.T) {
	for _, size := range [][2]int{{40, 24}, {33, 7}, {1, 1}, {70, 65}} {
		src := grain(size[0], size[1])
		for orientation, want := range map[uint8]*image.NRGBA{1: src, 2: imaging.FlipH(src), 3: imaging.Rotate180(src),
			4: imaging.FlipV(src), 5: imaging.Transpose(src), 6: imaging.Rotate270(src), 7: imaging.Transverse(src), 8: imaging.Rotate90(src)} {
			p := planes8(t, src)
			if err := p.Turn(t.Context(), orientation); err != nil {
				t.Fatal(err)
			}
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			if got := farthest(t, image8(t, p), want); got > 0 {
				t.Errorf("%v, orientation %d: differs by %d", size, orientation, got)
			}
		}
	}
}

// TestTurnSubsampled holds that colour stays where its luma is, also where the
// samples of colour reach beyond the picture.
func TestTurnSubsampled(t *testing.T) {
	for hv, ratio := range ratios {
		for _, size := range [][2]int{{64, 48}, {61, 43}} {
			for orientation := uint8(2); orientation <= 8; orientation++ {
				img := image.NewYCbCr(image.Rect(0, 0, size[0], size[1]), ratio)
				for y := range size[1] {
					for x := range size[0] { // colour is a ramp of which luma is the same
						img.Y[img.YOffset(x, y)] = uint8(20 + 2*x + y)
						cx, cy := float64(x/hv[0]*hv[0])+float64(hv[0]-1)/2, float64(y/hv[1]*hv[1])+float64(hv[1]-1)/2
						img.Cb[img.COffset(x, y)] = uint8(20 + 2*cx + cy)
						img.Cr[img.COffset(x, y)] = img.Cb[img.COffset(x, y)]
					}
				}
				p := planes8(t, img)
				if err := p.Turn(t.Context(), orientation); err != nil {
					t.Fatal(err)
				}
				if err := p.Check(); err != nil {
					t.Fatal(err)
				}
				if _, err := Image8(p); err != nil {
					t.Errorf("%v, orientation %d: %v", ratio, orientation, err)
				}
				q := &p.Planes[1]
				for y := 2; y < q.Height-2; y++ { // beyond the edge nothing can be known
					for x := 2; x < q.Width-2; x++ {
						sum, n := 0, 0 // mean luma of what the sample covers
						for j := y * q.V; j < (y+1)*q.V; j++ {
							for i := x * q.H; i < (x+1)*q.H; i++ {
								sum, n = sum+int(p.Planes[0].row(j)[i]), n+1
							}
						}
						if got, want := float64(q.row(y)[x]), float64(sum)/float64(n); math.Abs(got-want) > 1.6 {
							t.Fatalf("%v %v, orientation %d: colour %v at %d, %d of luma %.1f", ratio, size, orientation, got, x, y, want)
						}
					}
				}
			}
		}
	}
}
