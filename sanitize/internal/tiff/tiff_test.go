package tiff

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"slices"
	"testing"

	stdtiff "golang.org/x/image/tiff"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var options = picture.Options{Limits: picture.Limits{MaxPixels: 1 << 20, MaxSide: 4096, MaxSegments: 64,
	MaxMetadataBytes: 1 << 12, MaxExpansion: 1000}}

func strip(data []byte) (*picture.Stripped, error) { return Strip(context.Background(), data, options) }

func seed(t testing.TB, name string) []byte {
	t.Helper()
	return walktest.File(t, "../../testdata/tiff/"+name)
}

// pages is the seed of two pages.
const pages = "pages.tif"

// seeds are the files that gen.py wrote, but for pages.
func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	out := walktest.Files(t, "../../testdata/tiff/*.tif", 50)
	delete(out, pages)
	return out
}

// TestSeeds holds that every seed passes, a second time unchanged, and decodes to the
// same with Go.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		s, err := strip(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := strip(s.Data)
		if err != nil || !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
			t.Errorf("%s: a second walk changes it: %v", name, err)
		}
		compare(t, name, data, s)
	}
}

// compare decodes a file before and after with Go, and with Decode.
func compare(t *testing.T, name string, data []byte, s *picture.Stripped) {
	t.Helper()
	before, err := stdtiff.Decode(bytes.NewReader(data))
	if err != nil {
		t.Errorf("%s: Go refuses the source: %v", name, err)
		return
	}
	after, err := stdtiff.Decode(bytes.NewReader(s.Data))
	if err != nil {
		t.Errorf("%s: Go refuses the output: %v", name, err)
		return
	}
	own, err := Decode(context.Background(), s.Data)
	if err != nil {
		t.Errorf("%s: Decode: %v", name, err)
		return
	}
	if after.Bounds().Size() != image.Pt(s.Info.Width, s.Info.Height) {
		t.Errorf("%s: decoded size %v", name, after.Bounds())
	}
	same(t, name+", before and after", before, after)
	same(t, name+", Decode", after, own)
}

// same compares 8 bits a sample, of 16 all: of palettes no more than 8 stay.
func same(t *testing.T, name string, a, b image.Image) {
	t.Helper()
	if a.Bounds() != b.Bounds() {
		t.Errorf("%s: %v and %v", name, a.Bounds(), b.Bounds())
		return
	}
	_, indexed := a.(*image.Paletted)
	_, premultiplied := a.(*image.RGBA) // with 8 bits, so that there are no more without
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p, q := color.NRGBA64Model.Convert(a.At(x, y)).(color.NRGBA64), color.NRGBA64Model.Convert(b.At(x, y)).(color.NRGBA64)
			if premultiplied && color.NRGBAModel.Convert(a.At(x, y)) == color.NRGBAModel.Convert(b.At(x, y)) {
				continue
			}
			if indexed && (p.R^q.R|p.G^q.G|p.B^q.B)>>8 != 0 || !indexed && p != q {
				t.Errorf("%s: pixel %d, %d is %v and %v", name, x, y, p, q)
				return
			}
		}
	}
}

// TestForm: what a file is stays.
func TestForm(t *testing.T) {
	tests := map[string]picture.Info{
		"1_packbits.tif":      {Width: 37, Height: 19, Frames: 1, Channels: 1, Depth: 1},
		"grey16_be.tif":       {Width: 37, Height: 19, Frames: 1, Channels: 1, Depth: 16},
		"palette_le.tif":      {Width: 37, Height: 19, Frames: 1, Channels: 1, Depth: 8, Palette: true},
		"rgba_associated.tif": {Width: 37, Height: 19, Frames: 1, Channels: 4, Depth: 8, Alpha: true},
		"rgb_large_lzw.tif":   {Width: 200, Height: 150, Frames: 1, Channels: 3, Depth: 8},
	}
	for name, want := range tests {
		s, err := strip(seed(t, name))
		if err != nil || s.Info != want {
			t.Errorf("%s: %v, %+v", name, err, s)
			continue
		}
		if s.Data[0] != seed(t, name)[0] {
			t.Errorf("%s: another byte order", name)
		}
	}
	for name, want := range map[string]uint8{"orientation6.tif": 6, "orientation3_long.tif": 3, "orientation0.tif": 0} {
		s, err := strip(seed(t, name))
		if err != nil || s.Orientation != want {
			t.Errorf("%s: %v, orientation %d", name, err, s.Orientation)
		}
		drop := options
		drop.DropOrientation = true
		s, err = Strip(context.Background(), seed(t, name), drop)
		if err != nil || s.Orientation != 0 {
			t.Errorf("%s, dropped: %v, orientation %d", name, err, s.Orientation)
		}
		if again, err := strip(s.Data); err != nil || again.Orientation != 0 {
			t.Errorf("%s, dropped: the tag is still there", name)
		}
	}
}

func TestPages(t *testing.T) {
	for animation, want := range map[picture.Animation]picture.Fault{picture.RefuseAnimation: picture.TooManyFrames,
		picture.KeepAnimation: picture.Unsupported} {
		o := options
		o.Animation = animation
		if _, err := Strip(context.Background(), seed(t, pages), o); walktest.Fault(err) != want {
			t.Errorf("animation %d: %v", animation, err)
		}
	}
	o := options
	o.Animation = picture.FirstFrame
	s, err := Strip(context.Background(), seed(t, pages), o)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "first page", seed(t, pages), s)
	if _, err := strip(s.Data); err != nil {
		t.Errorf("there is still another page: %v", err)
	}
}

// patch changes a field of the directory of a little-endian file.
func patch(t *testing.T, data []byte, tag uint16, change func(field []byte)) []byte {
	t.Helper()
	at := int(binary.LittleEndian.Uint32(data[4:]))
	n := int(binary.LittleEndian.Uint16(data[at:]))
	for i := range n {
		if field := data[at+2+12*i:][:12]; binary.LittleEndian.Uint16(field) == tag {
			change(field)
			return data
		}
	}
	t.Fatalf("no tag %d", tag)
	return nil
}

// value sets the only value of a field.
func value(v uint32) func([]byte) {
	return func(field []byte) { binary.LittleEndian.PutUint32(field[8:], v) }
}

func count(v uint32) func([]byte) {
	return func(field []byte) { binary.LittleEndian.PutUint32(field[4:], v) }
}

func typ(v uint16) func([]byte) {
	return func(field []byte) { binary.LittleEndian.PutUint16(field[2:], v) }
}

func renamed(tag uint16) func([]byte) {
	return func(field []byte) { binary.LittleEndian.PutUint16(field, tag) }
}

func TestFaults(t *testing.T) {
	edit := func(name string, tag uint16, change func([]byte)) []byte { return patch(t, seed(t, name), tag, change) }
	rgb, grey := "rgb_le.tif", "white_is_zero.tif"
	order := seed(t, rgb)
	copy(order[10:], order[22:34])
	looped := seed(t, grey)
	n := int(binary.LittleEndian.Uint16(looped[8:]))
	looped[10+12*n] = 8
	long := seed(t, rgb) // the lengths of its strips stand behind the directory and other values
	patch(t, long, 279, func(f []byte) { long[binary.LittleEndian.Uint32(f[8:])]++ })
	deflated, packed := seed(t, "grey16_deflate_le.tif"), seed(t, "packbits_strips.tif")
	tests := map[string]struct {
		data []byte
		want picture.Fault
	}{
		"no signature":               {[]byte("II*"), picture.Malformed},
		"other signature":            {[]byte("II*\x01\x08\x00\x00\x00"), picture.Malformed},
		"BigTIFF":                    {[]byte("II+\x00\x08\x00\x00\x00"), picture.Unsupported},
		"ends in the header":         {seed(t, rgb)[:6], picture.Truncated},
		"no directory":               {seed(t, rgb)[:8], picture.Truncated},
		"ends in the directory":      {seed(t, rgb)[:40], picture.Truncated},
		"directory in the header":    {append([]byte("II*\x00\x04\x00\x00\x00"), seed(t, rgb)[8:]...), picture.Truncated},
		"no entries":                 {[]byte("II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"), picture.Malformed},
		"too many entries":           {append([]byte("II*\x00\x08\x00\x00\x00\x01\x02"), make([]byte, 8000)...), picture.Malformed},
		"tag twice":                  {order, picture.Malformed},
		"directories in a loop":      {looped, picture.TooManyFrames},
		"value outside":              {edit(rgb, 258, value(1<<31)), picture.Truncated},
		"12 GiB of values":           {edit(rgb, 273, count(0xFFFFFFFF)), picture.Truncated},
		"no width":                   {edit(rgb, 256, value(0)), picture.Malformed},
		"width of a wrong type":      {edit(rgb, 256, typ(2)), picture.Malformed},
		"two widths":                 {edit(rgb, 256, func(f []byte) { typ(3)(f); count(2)(f) }), picture.Malformed},
		"large":                      {edit(rgb, 257, value(5000)), picture.TooManyPixels},
		"expands":                    {patch(t, edit("one.tif", 256, value(4000)), 257, value(200)), picture.Expands},
		"other bits":                 {edit(grey, 258, value(4)), picture.Unsupported},
		"one count of bits":          {edit(rgb, 258, func(f []byte) { count(1)(f); value(8)(f) }), picture.Malformed},
		"no photometric":             {edit(grey, 262, renamed(263)), picture.Unsupported},
		"CMYK":                       {edit("rgba_unassociated.tif", 262, value(5)), picture.Unsupported},
		"unspecified alpha":          {edit("rgba_unassociated.tif", 338, value(0)), picture.Unsupported},
		"no kind of alpha":           {edit("rgba_unassociated.tif", 338, renamed(342)), picture.Unsupported},
		"least value of text":        {patch(t, edit("l_raw.tif", 284, renamed(280)), 280, typ(2)), picture.Malformed},
		"greatest value of text":     {patch(t, edit("l_raw.tif", 284, renamed(341)), 341, typ(2)), picture.Malformed},
		"a least value of three":     {edit("rgb_raw.tif", 284, renamed(340)), picture.Malformed},
		"signed by another tag":      {edit("l_raw.tif", 284, renamed(32996)), picture.Unsupported},
		"five samples":               {edit(rgb, 277, value(5)), picture.Unsupported},
		"CCITT":                      {edit("white_is_zero1.tif", 259, value(4)), picture.Unsupported},
		"JPEG":                       {edit(rgb, 259, value(7)), picture.Unsupported},
		"floating predictor":         {edit("rgb16_deflate_le.tif", 317, value(3)), picture.Unsupported},
		"predictor of nothing":       {patch(t, edit("rgb16_deflate_le.tif", 317, value(2)), 259, value(1)), picture.Unsupported},
		"separate planes":            {patch(t, edit("rgb16_deflate_le.tif", 317, renamed(284)), 284, value(2)), picture.Unsupported},
		"signed":                     {edit("rgb16_deflate_le.tif", 317, renamed(339)), picture.Malformed},
		"orientation of text":        {edit("orientation0.tif", 274, typ(2)), picture.Malformed},
		"no strips":                  {edit(grey, 273, renamed(275)), picture.Malformed},
		"no lengths":                 {edit(grey, 279, renamed(280)), picture.Malformed},
		"strip outside":              {edit(grey, 273, value(1<<30)), picture.Truncated},
		"strip too short":            {edit(grey, 279, value(37*19-1)), picture.Truncated},
		"strip empty":                {edit(grey, 279, value(0)), picture.Malformed},
		"no rows per strip":          {edit(grey, 278, value(0)), picture.Malformed},
		"rows beyond memory":         {edit(grey, 278, value(1<<31)), picture.Malformed},
		"many rows per strip":        {edit(grey, 278, value(1<<24+1)), picture.Malformed},
		"long strip of several":      {long, picture.Malformed},
		"fewer strips":               {edit(rgb, 278, value(3)), picture.Malformed},
		"odd tiles":                  {edit("tiles_le.tif", 322, value(33)), picture.Malformed},
		"tiles and strips":           {edit("tiles_le.tif", 278, renamed(279)), picture.Malformed},
		"rows per strip of tiles":    {edit("tiles_le.tif", 278, typ(2)), picture.Malformed},
		"no rows per strip of tiles": {edit("tiles_le.tif", 278, value(0)), picture.Malformed},
		"map without a palette":      {edit("palette_le.tif", 262, value(1)), picture.Malformed},
		"small plain tiles":          {patch(t, edit("tiles_large.tif", 322, value(16)), 323, value(16)), picture.Unsupported},
		"huge tiles":                 {edit("tiles_large.tif", 322, value(1<<20)), picture.Malformed},
		"small colour map":           {edit("palette_le.tif", 320, count(767)), picture.Malformed},
		"deflate cut":                {deflated[:len(deflated)-9], picture.Truncated},
		"run cut":                    {packed[:len(packed)-1], picture.Truncated},
		"deflate of more":            {edit("grey16_deflate_le.tif", 257, value(18)), picture.Malformed},
		"LZW without a clear code":   {patch(t, seed(t, "l_lzw.tif"), 273, value(9)), picture.Malformed},
		"long plain tile":            {edit("tiles_large.tif", 323, value(128)), picture.Malformed},
		"LZW of more":                {edit("l_lzw.tif", 257, value(18)), 255},
	}
	for name, test := range tests {
		_, err := strip(test.data)
		if got := walktest.Fault(err); err == nil || test.want != 255 && got != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLimits: metadata is counted.
func TestLimits(t *testing.T) {
	o := options
	o.Limits.MaxMetadataBytes = 30
	if _, err := Strip(context.Background(), seed(t, "metadata.tif"), o); walktest.Fault(err) != picture.TooManySegments {
		t.Errorf("bytes: %v", err)
	}
	o = options
	o.Limits.MaxSegments = 2
	if _, err := Strip(context.Background(), seed(t, "metadata.tif"), o); walktest.Fault(err) != picture.TooManySegments {
		t.Errorf("tags: %v", err)
	}
}

// TestRemoved: what goes is reported by its place.
func TestRemoved(t *testing.T) {
	s, err := strip(seed(t, "metadata.tif"))
	if err != nil {
		t.Fatal(err)
	}
	want := []picture.Removal{{Where: "ImageDescription", Bytes: 24}, {Where: "Software", Bytes: 21}, {Where: "private tag", Bytes: 20},
		{Where: "bytes behind the rows of a block", Bytes: 6}, {Where: "unreferenced bytes", Bytes: 12}}
	if !slices.Equal(s.Removed, want) {
		t.Errorf("%v", s.Removed)
	}
	for _, text := range []string{"description", "software", "private!", "behind", "gap", "tail"} {
		if bytes.Contains(s.Data, []byte(text)) {
			t.Errorf("%q is still there", text)
		}
	}
}

func TestZeroTransparent(t *testing.T) {
	data := seed(t, "rgba_unassociated.tif")
	pixels := data[len(data)-37*19*4:]
	copy(pixels, "abc\x00")
	o := options
	for _, o.ZeroTransparent = range []bool{false, true} {
		s, err := Strip(context.Background(), data, o)
		if err != nil {
			t.Fatal(err)
		}
		if zeroed := !bytes.Contains(s.Data, []byte("abc\x00")); zeroed != o.ZeroTransparent {
			t.Errorf("ZeroTransparent %v", o.ZeroTransparent)
		}
	}
}

// TestXMPOrientation: Pillow turns a picture by its XMP when there is no tag.
func TestXMPOrientation(t *testing.T) {
	data := seed(t, "metadata.tif")
	text := []byte("x tiff:Orientation='6' x")
	data = append(data, text...)
	data = patch(t, data, 305, func(f []byte) {
		renamed(700)(f)
		count(uint32(len(text)))(f)
		value(uint32(len(data) - len(text)))(f)
	})
	if _, err := strip(data); walktest.Fault(err) != picture.Unsupported {
		t.Errorf("%v", err)
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Strip(ctx, seed(t, "rgb_large_lzw.tif"), options); !errors.Is(err, context.Canceled) {
		t.Errorf("Strip: %v", err)
	}
	if _, err := Decode(ctx, seed(t, "rgb_large_lzw.tif")); !errors.Is(err, context.Canceled) {
		t.Errorf("Decode: %v", err)
	}
	if _, err := Encode(ctx, image.NewGray(image.Rect(0, 0, 9, 9)), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Encode: %v", err)
	}
}

func FuzzTIFF(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Add(seed(f, pages))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := strip(data)
		if err != nil {
			if walktest.Fault(err) == walktest.NoFault {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := strip(s.Data)
		if err != nil || !bytes.Equal(s.Data, again.Data) || len(again.Removed) > 0 {
			t.Fatalf("a second walk changes it: %v", err)
		}
		compare(t, "fuzz", data, s)
	})
}
