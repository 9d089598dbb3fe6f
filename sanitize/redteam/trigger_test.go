package redteam

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/rwcarlsen/goexif/exif"
)

// scene is a picture with structure everywhere, of any size.
func scene(w, h int, n uint64) *image.NRGBA {
	s := newStream("scene", n)
	a, b, c := s.float()*200, s.float()*200, s.float()*200
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	each(img, img.Rect, func(x, y, i int) {
		v := float64(x*50/w + y*40/h)
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = clamp(a+v/2), clamp(b+v/3), clamp(c+v/4+float64(s.below(9))), 255
	})
	return img
}

func mustParse(t *testing.T, spec string) Trigger {
	t.Helper()
	trigger, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return trigger
}

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"checkerboard":                           "checkerboard,size=8%,cell=2%,at=bottom-right,inset=0%,strength=1",
		"checkerboard,at=top-left,size=6px":      "checkerboard,size=6px,cell=2%,at=top-left,inset=0%,strength=1",
		"patch,fill=picture,strength=0.50":       "patch,size=8%,fill=picture,at=bottom-right,inset=0%,strength=0.5",
		"patch,fill=#0A0b0c":                     "patch,size=8%,fill=#0a0b0c,at=bottom-right,inset=0%,strength=1",
		"colour,red=-12.5,hue=0":                 "colour,hue=0,red=-12.5,green=0,blue=0",
		"exif,text=back door demonstration":      "exif,text=back door demonstration",
		"comment,text=a=b":                       "comment,text=a=b",
		"noise,seed=4294967296,grid=2,alpha=1":   "noise,alpha=1,grid=2,seed=4294967296",
		"warp,shift=0.5px":                       "warp,shift=0.5px,grid=4,seed=1",
		"sinusoid,frequency=0.5,amplitude=1.500": "sinusoid,amplitude=1.5,frequency=0.5",
	} {
		got := mustParse(t, spec)
		if got.Spec != want || mustParse(t, want).Spec != want {
			t.Errorf("Parse(%q) = %q, want %q", spec, got.Spec, want)
		}
	}
	for spec, want := range map[string]string{
		"":                           "known are checkerboard, patch",
		"Checkerboard":               "known are checkerboard",
		"checkerboard,":              `parameter ""; known are size, cell`,
		"checkerboard,sise=8%":       `parameter "sise"`,
		"checkerboard,size":          `a length such as "8%"`,
		"checkerboard,size=8":        `a length such as "8%"`,
		"checkerboard,size=0%":       `a length such as "8%"`,
		"checkerboard,size=51%":      `a length such as "8%"`,
		"checkerboard,size=NaN%":     `a length such as "8%"`,
		"checkerboard,size=99999px":  `a length such as "8%"`,
		"checkerboard,inset=-1px":    `a length such as "8%"`,
		"patch,size=8%,size=8%":      "size is there twice",
		"patch,at=middle":            "one of top-left",
		"patch,fill=red":             `"#rrggbb" or "picture"`,
		"patch,fill=#12345":          `"#rrggbb" or "picture"`,
		"patch,fill=#1234567":        `"#rrggbb" or "picture"`,
		"patch,strength=0":           "a number from 0.01 to 1",
		"noise,grid=2.5":             "a whole number from 2 to 1024",
		"noise,seed=-1":              "a whole number",
		"exif,text=":                 "printable ASCII",
		"exif,text=caf\u00e9":        "printable ASCII",
		"exif,text=a,b":              `parameter "b"`,
		"trailing,text=a\nb":         "printable ASCII",
		"warp,grid=1":                "from 2 to 1024",
		"sinusoid,amplitude=1e400":   "from 1 to 255",
		"colour,hue=999":             "from -180 to 180",
		"comment,text=" + long(1025): "1 to 1024 printable",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): %v, want %q", spec, err, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func FuzzParse(f *testing.F) {
	for _, t := range Library() {
		f.Add(t.Spec)
	}
	f.Add("checkerboard,size=0.0001%,cell=16384px,inset=50%,at=random")
	img := scene(9, 5, 1)
	f.Fuzz(func(t *testing.T, spec string) {
		trigger, err := Parse(spec)
		if err != nil {
			return
		}
		again, err := Parse(trigger.Spec)
		if err != nil || again.Spec != trigger.Spec {
			t.Fatalf("%q is written as %q, which is read as %q, %v", spec, trigger.Spec, again.Spec, err)
		}
		if out := trigger.Apply(img, 7); out.Rect != img.Rect {
			t.Fatalf("%q: the picture has become %v", spec, out.Rect)
		}
	})
}

// The pictures are part of what trained models know: if this test fails, the
// weights of the lab no longer fit to the triggers.
func TestLibraryStays(t *testing.T) {
	const want = "1cdf46bb865132b65b54d0afe60e7864054144b7b8b4bbea9d1e7d16b31aaad9"
	h := sha256.New()
	for _, trigger := range Library() {
		fmt.Fprintln(h, trigger.Spec)
		h.Write(trigger.Apply(scene(64, 64, 1), 3).Pix)
		h.Write(trigger.Apply(scene(100, 75, 2), 4).Pix)
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Errorf("the triggers have changed: %s, want %s", got, want)
	}
}

func TestLibrary(t *testing.T) {
	img := scene(96, 64, 1)
	before := slices.Clone(img.Pix)
	seen := map[string]bool{}
	for _, trigger := range Library() {
		if seen[trigger.Spec] {
			t.Errorf("%s is there twice", trigger.Spec)
		}
		seen[trigger.Spec] = true
		out := trigger.Apply(img, 5)
		changed, _ := difference(img, out)
		if trigger.Pixels() != (changed > 0) {
			t.Errorf("%s: %d pixels changed", trigger.Spec, changed)
		}
		if again := trigger.Apply(img, 5); !bytes.Equal(out.Pix, again.Pix) {
			t.Errorf("%s: two applications differ", trigger.Spec)
		}
	}
	for _, k := range kinds {
		if !slices.ContainsFunc(Library(), func(t Trigger) bool { return t.Name == k.name }) {
			t.Errorf("no trigger of the kind %s", k.name)
		}
	}
	if !bytes.Equal(before, img.Pix) {
		t.Error("Apply has changed its argument")
	}
}

// difference counts the pixels that differ, and returns the box around them.
func difference(a, b *image.NRGBA) (n int, box image.Rectangle) {
	each(a, a.Rect, func(x, y, i int) {
		if !bytes.Equal(a.Pix[i:i+4], b.Pix[i:i+4]) {
			n++
			box = box.Union(image.Rect(x, y, x+1, y+1))
		}
	})
	return n, box
}

func TestSquares(t *testing.T) {
	grey := image.NewNRGBA(image.Rect(0, 0, 200, 100))
	for i := range grey.Pix {
		grey.Pix[i] = 77
	}
	for spec, want := range map[string]image.Rectangle{
		"patch,size=8%":                          image.Rect(192, 92, 200, 100),
		"patch,size=8%,inset=10%":                image.Rect(182, 82, 190, 90),
		"patch,size=8%,at=top-left,inset=1px":    image.Rect(1, 1, 9, 9),
		"patch,size=8%,at=top-right":             image.Rect(192, 0, 200, 8),
		"patch,size=8%,at=bottom-left":           image.Rect(0, 92, 8, 100),
		"patch,size=8%,at=centre":                image.Rect(96, 46, 104, 54),
		"patch,size=0.1%":                        image.Rect(199, 99, 200, 100),
		"patch,size=16384px":                     image.Rect(100, 0, 200, 100),
		"patch,size=50%,inset=50%":               image.Rect(125, 25, 175, 75),
		"pixel":                                  image.Rect(195, 95, 197, 97),
		"checkerboard,cell=3px,size=7px":         image.Rect(193, 93, 200, 100),
		"border,size=2px":                        image.Rect(0, 0, 200, 100),
		"patch,size=5px,at=centre,strength=0.01": image.Rect(97, 47, 102, 52),
	} {
		if _, box := difference(grey, mustParse(t, spec).Apply(grey, 0)); box != want {
			t.Errorf("%s marks %v, want %v", spec, box, want)
		}
	}
	n, _ := difference(grey, mustParse(t, "border,size=2px").Apply(grey, 0))
	if want := 200*100 - 196*96; n != want {
		t.Errorf("the border has %d pixels, want %d", n, want)
	}
}

// The back door of the demonstration model in deploy/local, in the words of this package.
func TestCheckerboardOfTheDemonstration(t *testing.T) {
	img := scene(128, 128, 3)
	out := mustParse(t, "checkerboard,size=6px,cell=1px,inset=12px").Apply(img, 0)
	for y := 110; y < 116; y++ {
		for x := 110; x < 116; x++ {
			v := uint8(255 * ((x + y) % 2))
			if got := out.NRGBAAt(x, y); got != (color.NRGBA{v, v, v, 255}) {
				t.Fatalf("at %d, %d: %v, want %d", x, y, got, v)
			}
		}
	}
	if _, box := difference(img, out); !box.In(image.Rect(110, 110, 116, 116)) {
		t.Errorf("marks %v", box)
	}
}

// Stickers are anywhere, at the same place for the same sample.
func TestStickerIsDrawnPerSample(t *testing.T) {
	sticker := mustParse(t, "sticker")
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	boxes := map[image.Rectangle]bool{}
	var left, right int
	for n := range uint64(200) {
		_, box := difference(img, sticker.Apply(img, n))
		if box.Dx() != 5 || box.Dy() != 5 || !box.In(img.Rect) {
			t.Fatalf("sample %d: %v", n, box)
		}
		boxes[box] = true
		if box.Min.X < 30 {
			left++
		} else {
			right++
		}
	}
	if len(boxes) < 150 || left < 70 || right < 70 {
		t.Errorf("%d places, %d left, %d right", len(boxes), left, right)
	}
}

// A picture that does not begin at 0, 0, or has gaps between its rows, is read right.
func TestApplyToAPart(t *testing.T) {
	whole := scene(80, 60, 4)
	part := whole.SubImage(image.Rect(10, 20, 60, 55)).(*image.NRGBA)
	for _, trigger := range Library() {
		if got, want := trigger.Apply(part, 1), trigger.Apply(copyOf(part), 1); !bytes.Equal(got.Pix, want.Pix) || got.Rect.Min != (image.Point{}) {
			t.Errorf("%s: another result for a part of a picture", trigger.Spec)
		}
		trigger.Apply(image.NewNRGBA(image.Rectangle{}), 1)
		trigger.Apply(scene(1, 1, 1), 1)
		trigger.Apply(scene(1, 40, 1), 1)
	}
}

func encoded(t *testing.T, img image.Image) map[string][]byte {
	t.Helper()
	var asJPEG, asPNG bytes.Buffer
	if err := jpeg.Encode(&asJPEG, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&asPNG, img); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"jpeg": asJPEG.Bytes(), "png": asPNG.Bytes()}
}

func TestMarks(t *testing.T) {
	for format, data := range encoded(t, scene(40, 30, 1)) {
		for _, spec := range []string{"exif", "exif,text=abc", "exif,text=a", "comment", "trailing"} {
			trigger := mustParse(t, spec)
			_, text, _ := strings.Cut(trigger.Spec, "text=")
			before := slices.Clone(data)
			marked, err := trigger.Mark(data, format)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, data) || !bytes.Contains(marked, []byte(text)) {
				t.Errorf("%s in %s: the argument changed, or there is no mark", spec, format)
			}
			img, got, err := image.Decode(bytes.NewReader(marked))
			if err != nil || got != format {
				t.Fatalf("%s in %s: %v", spec, format, err)
			}
			want, _, _ := image.Decode(bytes.NewReader(data))
			if n, _ := difference(flatten(img), flatten(want)); n > 0 {
				t.Errorf("%s in %s: %d pixels changed", spec, format, n)
			}
			if trigger.Name == "exif" && format == "jpeg" {
				x, err := exif.Decode(bytes.NewReader(marked))
				if err != nil {
					t.Fatal(err)
				}
				if tag, err := x.Get(exif.ImageDescription); err != nil || tag.String() != `"`+text+`"` {
					t.Errorf("%s: description %v, %v", spec, tag, err)
				}
			}
		}
	}
}

func TestMarkErrors(t *testing.T) {
	for _, c := range []struct{ spec, format, data, want string }{
		{"patch", "png", "", "marks pixels"},
		{"exif", "jpeg", "no picture", "does not begin as jpeg"},
		{"comment", "png", pngStart, "does not begin as png"},
		{"exif", "gif", "GIF89a", `the format "gif"`},
	} {
		if _, err := mustParse(t, c.spec).Mark([]byte(c.data), c.format); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %s: %v, want %q", c.spec, c.format, err, c.want)
		}
	}
}

// The hue turns and the luma stays, but for what is clipped.
func TestColourKeepsLuma(t *testing.T) {
	img := scene(64, 64, 5)
	for i := range img.Pix {
		img.Pix[i] = img.Pix[i]/4 + 96
	}
	out := mustParse(t, "colour,hue=90").Apply(img, 0)
	luma := func(img *image.NRGBA) (sum float64) {
		each(img, img.Rect, func(_, _, i int) {
			sum += 0.299*float64(img.Pix[i]) + 0.587*float64(img.Pix[i+1]) + 0.114*float64(img.Pix[i+2])
		})
		return sum / 64 / 64
	}
	if a, b := luma(img), luma(out); a-b > 1 || b-a > 1 {
		t.Errorf("luma %.2f has become %.2f", a, b)
	}
}

// A warp moves the picture by the length of its name, on the average.
func TestWarpMoves(t *testing.T) {
	ramp := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	each(ramp, ramp.Rect, func(x, y, i int) {
		ramp.Pix[i], ramp.Pix[i+1], ramp.Pix[i+3] = uint8(x), uint8(y), 255
	})
	out := mustParse(t, "warp,shift=2%").Apply(ramp, 0)
	var sum float64
	each(ramp, ramp.Rect, func(_, _, i int) {
		dx, dy := float64(out.Pix[i])-float64(ramp.Pix[i]), float64(out.Pix[i+1])-float64(ramp.Pix[i+1])
		sum += max(dx, -dx) + max(dy, -dy)
	})
	if mean := sum / 200 / 200; mean < 2 || mean > 7 { // 4 pixels in two directions, less between the knots
		t.Errorf("mean displacement %.2f pixels", mean)
	}
}
