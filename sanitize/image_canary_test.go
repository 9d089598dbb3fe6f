package sanitize_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	_ "image/gif" // samplePlanes decodes every format that Weir writes

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"weir/sanitize"
)

// place is one place of a format that has room for something that is not picture.
type place struct {
	name   string
	build  func(mark string) string // a file with the mark in the place
	refuse sanitize.Reason          // "" when the file must pass without the mark

	// underAlpha0 says that the mark is colour that nobody sees: a sample like any
	// other to who reads RGBA, hence the one kind of place that strip leaves alone
	// unless ZeroTransparent is set.
	underAlpha0 bool

	// absent is what must not be in the output: for places too small for the mark.
	absent string

	// options are what the file needs beside its format on the list, such as Animation.
	options sanitize.ImageOptions
}

// hidingPlaces are the places by format. The files beside this one fill it.
var hidingPlaces = map[string][]place{}

// registerPlaces adds places of a format. It is called where package variables are
// initialised: var _ = registerPlaces(sanitize.FormatGIF, gifPlaces()...).
func registerPlaces(format string, places ...place) bool {
	hidingPlaces[format] = append(hidingPlaces[format], places...)
	return true
}

// leastPlaces is how many places of a format there have to be.
var leastPlaces = map[string]int{sanitize.FormatJPEG: 103, sanitize.FormatPNG: 134, sanitize.FormatWebP: 62,
	sanitize.FormatGIF: 35, sanitize.FormatTIFF: 48, sanitize.FormatBMP: 26}

// extensions are how the files of a format are called.
var extensions = map[string]string{sanitize.FormatJPEG: "jpg", sanitize.FormatTIFF: "tif"}

// canary is a place with its file built.
type canary struct {
	place
	format string
	mark   string
	data   []byte
}

// file is a name for the canary's file.
func (c canary) file() string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, c.name)
	extension := c.format
	if e, ok := extensions[c.format]; ok {
		extension = e
	}
	return name + "." + extension
}

// strip sanitises the canary as its place needs it.
func (c canary) strip(t testing.TB, zeroTransparent bool) ([]byte, error) {
	t.Helper()
	return c.stripFile(t, c.data, zeroTransparent)
}

func (c canary) stripFile(t testing.TB, data []byte, zeroTransparent bool) ([]byte, error) {
	t.Helper()
	o := c.options
	o.Formats = []string{c.format}
	o.ZeroTransparent = o.ZeroTransparent || zeroTransparent
	out, _, err := sanitize.Image(context.Background(), data, o)
	return out, err
}

// canaries builds the files of all places, in the order of their formats.
func canaries(t testing.TB) []canary {
	t.Helper()
	var out []canary
	for _, format := range slices.Sorted(maps.Keys(hidingPlaces)) {
		for _, p := range hidingPlaces[format] {
			c := canary{place: p, format: format, mark: mark(format + " " + p.name)}
			c.data = []byte(p.build(c.mark))
			out = append(out, c)
		}
	}
	return out
}

// mark is a text that is unique to a place. Its first six letters are the same for
// all, which is what fits into the smallest of them.
func mark(place string) string { return fmt.Sprintf("CANARY%08X", crc32.ChecksumIEEE([]byte(place))) }

func stripOrRefuse(t testing.TB, data []byte) ([]byte, error) {
	t.Helper()
	out, _, err := sanitize.Image(context.Background(), data, sanitize.ImageOptions{})
	return out, err
}

// TestCanaries: no place hides its mark from strip, but colour under alpha 0, and
// with ZeroTransparent not that either.
func TestCanaries(t *testing.T) {
	for format, least := range leastPlaces {
		if n := len(hidingPlaces[format]); n < least {
			t.Errorf("%s: only %d places of %d", format, n, least)
		}
	}
	names := map[string]bool{}
	for _, c := range canaries(t) {
		if names[c.file()] {
			t.Errorf("two places have the file %s", c.file())
		}
		names[c.file()] = true
		t.Run(c.format+" "+c.name, func(t *testing.T) {
			if c.absent == "" && find(c.data, c.mark) == "" {
				t.Error("the search does not see the mark in the file itself")
			}
			if c.absent != "" && !bytes.Contains(c.data, []byte(c.absent)) {
				t.Errorf("%q is not in the file itself", c.absent)
			}
			c.check(t, false)
			c.check(t, true)
		})
	}
}

// check strips the canary, and once more.
func (c canary) check(t *testing.T, zeroTransparent bool) {
	t.Helper()
	out, err := c.strip(t, zeroTransparent)
	if c.refuse != "" {
		wantRefusal(t, err, c.refuse)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	stays := c.underAlpha0 && !zeroTransparent
	if where := find(out, c.mark); (where != "") != stays {
		t.Errorf("ZeroTransparent %v: mark found: %q", zeroTransparent, where)
	}
	if c.absent != "" && bytes.Contains(out, []byte(c.absent)) {
		t.Errorf("%q is still there", c.absent)
	}
	again, err := c.stripFile(t, out, zeroTransparent)
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("ZeroTransparent %v: strip is not idempotent: %v", zeroTransparent, err)
	}
}

// find looks for the first six letters of a mark: in the file, in every deflate
// stream in it, in its decoded samples, and in the hexadecimal digits of each; the
// letters may have a byte between each.
func find(data []byte, m string) string {
	spread := []byte{}
	for _, c := range []byte(m[:6]) {
		spread = append(spread, c, 0)
	}
	texts := map[string][]byte{"raw": data}
	for i := range data {
		if data[i] == 0x78 {
			r := flate.NewReader(bytes.NewReader(data[min(i+2, len(data)):]))
			inflated, _ := io.ReadAll(io.LimitReader(r, 1<<20)) // damaged tails end the text
			texts[fmt.Sprintf("inflated at %d", i)] = inflated
		}
	}
	for i, plane := range samplePlanes(data) {
		texts[fmt.Sprintf("samples %d", i)] = plane
	}
	for where, text := range texts {
		for _, needle := range [][]byte{[]byte(m[:6]), spread[:11], []byte(hex.EncodeToString([]byte(m[:6])))} {
			if bytes.Contains(bytes.ToLower(text), bytes.ToLower(needle)) {
				return where
			}
		}
	}
	return ""
}

// samplePlanes decodes a file and returns its samples as they lie in memory, without
// their alpha, and a plane for each channel. A file that does not decode has none.
func samplePlanes(data []byte) [][]byte {
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	var pix []byte
	channels, size := 1, 1
	switch img := img.(type) {
	case *image.NRGBA:
		pix, channels = img.Pix, 4
	case *image.RGBA:
		pix, channels = img.Pix, 4
	case *image.CMYK:
		pix, channels = img.Pix, 4
	case *image.NRGBA64:
		pix, channels, size = img.Pix, 4, 2
	case *image.RGBA64:
		pix, channels, size = img.Pix, 4, 2
	case *image.Gray:
		pix = img.Pix
	case *image.Gray16:
		pix, size = img.Pix, 2
	case *image.Paletted:
		pix = img.Pix
	case *image.YCbCr:
		return [][]byte{img.Y, img.Cb, img.Cr}
	case *image.NYCbCrA:
		return [][]byte{img.Y, img.Cb, img.Cr, img.A}
	}
	planes := make([][]byte, channels+2)
	planes[0] = pix
	for at := 0; at < len(pix); at += size {
		sample := pix[at : at+size]
		channel := at / size % channels
		planes[2+channel] = append(planes[2+channel], sample...)
		if channel < 3 {
			planes[1] = append(planes[1], sample...)
		}
	}
	return planes
}

// TestFind holds that the search sees what it should, so that its silence counts.
func TestFind(t *testing.T) {
	m := mark("find")
	colours := "\x00"
	for i := range 32 {
		colours += string([]byte{m[3*i%len(m)], m[(3*i+1)%len(m)], m[(3*i+2)%len(m)], 0xFF})
	}
	for _, text := range []string{m, "x" + deflate("abc"+m), hex.EncodeToString([]byte(m)), "C\x00A\x00N\x00A\x00R\x00Y",
		pngFile(8, 6, "", strings.Repeat(colours, 4))} {
		if find([]byte(text), m) == "" {
			t.Errorf("mark not found in %q", text)
		}
	}
	for _, text := range []string{deflate("nothing"), pngFile(8, 0, "", greyRows())} {
		if where := find([]byte(text), m); where != "" {
			t.Errorf("found in nothing: %s", where)
		}
	}
}
