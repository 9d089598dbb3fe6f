package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"reflect"
	"slices"
	"strings"
	"testing"

	xwebp "golang.org/x/image/webp"

	"weir/sanitize/internal/exif"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

var limits = picture.Limits{MaxPixels: 1 << 22, MaxSide: 16384, MaxSegments: 64, MaxMetadataBytes: 1 << 16, MaxFrames: 16}

func seed(t testing.TB, name string) []byte {
	t.Helper()
	return walktest.File(t, "../../testdata/webp/"+name)
}

func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	return walktest.Files(t, "../../testdata/webp/*.webp", 1)
}

func options() picture.Options {
	return picture.Options{Limits: limits, Animation: picture.KeepAnimation}
}

func strip(t testing.TB, data []byte, o picture.Options) *picture.Stripped {
	t.Helper()
	s, err := Strip(context.Background(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples are what x/image decodes.
func samples(t testing.TB, data []byte) image.Image {
	t.Helper()
	img, err := xwebp.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func wantFault(t *testing.T, err error, want picture.Fault) {
	t.Helper()
	var fault *picture.Error
	if !errors.As(err, &fault) || fault.Fault != want {
		t.Errorf("error %v, want fault %d", err, want)
	}
}

// fourCC is a chunk.
func fourCC(name, payload string) string { return string(appendChunk(nil, name, []byte(payload))) }

// riff is a file of chunks.
func riff(chunks ...string) []byte {
	body := "WEBP" + strings.Join(chunks, "")
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// split returns the payloads of a file's chunks, of several the first.
func split(t testing.TB, data []byte) map[string]string {
	t.Helper()
	chunks := map[string]string{}
	c := chunkReader{data: data, pos: riffHeaderSize, result: &picture.Stripped{}}
	for c.more() {
		name, p, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := chunks[name]; !ok {
			chunks[name] = string(p)
		}
	}
	return chunks
}

// vp8x is the chunk of that name for a canvas of 40 × 24 pixels.
func vp8x(flags byte) string {
	return fourCC("VP8X", string([]byte{flags, 0, 0, 0, 39, 0, 0, 23, 0, 0}))
}

// clean are the seeds that hold nothing but a picture.
var clean = []string{"lossy.webp", "lossy_low.webp", "lossy_high.webp", "lossy_one.webp", "lossless.webp",
	"lossless_alpha.webp", "lossless_groups.webp", "alpha.webp", "alpha_raw.webp", "alpha_raw_gradient.webp",
	"exif6_prefix.webp", "exif6_lossless.webp"}

// TestSeeds: what the seeds lose is known, what is left decodes to the same, and has
// nothing more to lose.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		t.Run(name, func(t *testing.T) {
			s := strip(t, data, options())
			if slices.Contains(clean, name) && (!bytes.Equal(s.Data, data) || len(s.Removed) > 0) {
				t.Errorf("%v removed", s.Removed)
			}
			again := strip(t, s.Data, options())
			if !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
				t.Errorf("a second walk removes %v", again.Removed)
			}
			if again.Info != s.Info || again.Orientation != s.Orientation {
				t.Errorf("a second walk finds %v, not %v", again.Info, s.Info)
			}
			if strings.HasPrefix(name, "animation") {
				return // x/image reads none
			}
			if !reflect.DeepEqual(samples(t, data), samples(t, s.Data)) {
				t.Error("other samples")
			}
		})
	}
}

func TestInfo(t *testing.T) {
	for name, want := range map[string]picture.Info{
		"lossy.webp":             {Width: 70, Height: 50, Frames: 1, Channels: 3, Depth: 8},
		"lossless.webp":          {Width: 50, Height: 31, Frames: 1, Channels: 3, Depth: 8},
		"lossless_palette2.webp": {Width: 37, Height: 21, Frames: 1, Channels: 3, Depth: 8},
		"lossless_alpha.webp":    {Width: 40, Height: 30, Frames: 1, Channels: 4, Depth: 8, Alpha: true},
		"alpha.webp":             {Width: 60, Height: 40, Frames: 1, Channels: 4, Depth: 8, Alpha: true},
		"animation.webp":         {Width: 32, Height: 24, Frames: 3, Channels: 3, Depth: 8},
	} {
		if got := strip(t, seed(t, name), options()).Info; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestRemoves hides something in a seed. What is left is the stripped seed, and the
// report says what is gone.
func TestRemoves(t *testing.T) {
	lossy, lossless, alpha := split(t, seed(t, "exif6_prefix.webp"))["VP8 "], seed(t, "lossless.webp"), split(t, seed(t, "alpha_raw.webp"))
	vp8 := fourCC("VP8 ", lossy)
	for name, c := range map[string]struct {
		data []byte
		want []byte
		gone []picture.Removal
	}{
		"nothing":     {riff(vp8), riff(vp8), nil},
		"VP8X":        {riff(vp8x(0), vp8), riff(vp8), []picture.Removal{{Where: "VP8X", Bytes: 18}}},
		"after RIFF":  {append(riff(vp8), "tail"...), riff(vp8), []picture.Removal{{Where: "data after RIFF", Bytes: 4}}},
		"chunk":       {riff(vp8, fourCC("abcd", "odd")), riff(vp8), []picture.Removal{{Where: "private chunk", Bytes: 11}}},
		"pad byte":    {append(riff(vp8, fourCC("XMP ", "odd"))[:len(riff(vp8))+11], 'x'), riff(vp8), []picture.Removal{{Where: "pad byte", Bytes: 1}, {Where: "XMP", Bytes: 11}}},
		"before":      {riff(vp8x(flagICC), fourCC("ICCP", "icc."), vp8), riff(vp8), []picture.Removal{{Where: "ICCP", Bytes: 12}, {Where: "VP8X", Bytes: 18}}},
		"VP8 tail":    {riff(fourCC("VP8 ", lossy+"tail")), riff(vp8), []picture.Removal{{Where: "VP8 partition tail", Bytes: 4}}},
		"scaling":     {riff(fourCC("VP8 ", lossy[:7]+"\xC0"+lossy[8:])), riff(vp8), []picture.Removal{{Where: "VP8 scaling bits", Bytes: 1}}},
		"VP8L tail":   {riff(fourCC("VP8L", split(t, lossless)["VP8L"]+"tail")), lossless, []picture.Removal{{Where: "VP8L data after the last pixel", Bytes: 4}}},
		"ALPH tail":   {riff(fourCC("VP8X", alpha["VP8X"]), fourCC("ALPH", alpha["ALPH"]+"tail"), fourCC("VP8 ", alpha["VP8 "])), seed(t, "alpha_raw.webp"), []picture.Removal{{Where: "ALPH data after the last pixel", Bytes: 4}}},
		"ALPH hint":   {riff(fourCC("VP8X", alpha["VP8X"]), fourCC("ALPH", "\x10"+alpha["ALPH"][1:]), fourCC("VP8 ", alpha["VP8 "])), seed(t, "alpha_raw.webp"), []picture.Removal{{Where: "ALPH preprocessing hint", Bytes: 1}}},
		"reserved":    {riff(fourCC("VP8X", "\x10abc"+alpha["VP8X"][4:]), fourCC("ALPH", alpha["ALPH"]), fourCC("VP8 ", alpha["VP8 "])), seed(t, "alpha_raw.webp"), []picture.Removal{{Where: "VP8X reserved bits", Bytes: 3}}},
		"other flags": {riff(vp8x(flagXMP|flagICC|flagExif), vp8), riff(vp8), []picture.Removal{{Where: "VP8X", Bytes: 18}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := strip(t, c.data, options())
			if !bytes.Equal(s.Data, c.want) {
				t.Errorf("%d bytes are left, want %d", len(s.Data), len(c.want))
			}
			if !reflect.DeepEqual(s.Removed, c.gone) {
				t.Errorf("removed %v, want %v", s.Removed, c.gone)
			}
		})
	}
}

// TestRefuses: what decoders read differently, or not at all, does not pass.
func TestRefuses(t *testing.T) {
	lossy := split(t, seed(t, "exif6_prefix.webp"))["VP8 "]
	lossless := split(t, seed(t, "lossless.webp"))["VP8L"]
	raw := split(t, seed(t, "alpha_raw.webp"))
	vp8, rawVP8X, rawVP8 := fourCC("VP8 ", lossy), fourCC("VP8X", raw["VP8X"]), fourCC("VP8 ", raw["VP8 "])
	flag := func(s string, at int, bits byte) string { return s[:at] + string([]byte{s[at] | bits}) + s[at+1:] }
	for name, c := range map[string]struct {
		data []byte
		want picture.Fault
	}{
		"empty":                      {nil, picture.Malformed},
		"no WEBP":                    {[]byte("RIFF\x0C\x00\x00\x00WAVEVP8 \x00\x00\x00\x00"), picture.Malformed},
		"RIFF too long":              {riff(vp8)[:len(riff(vp8))-1], picture.Truncated},
		"RIFF empty":                 {riff(), picture.Malformed},
		"chunk too long":             {riff(vp8[:len(vp8)-2]), picture.Truncated},
		"no padding":                 {riff(vp8, "JUNK\x01\x00\x00\x00x"), picture.Truncated},
		"bytes behind the chunks":    {riff(vp8, "1234"), picture.Malformed},
		"first chunk":                {riff(fourCC("JUNK", ""), vp8), picture.Malformed},
		"no picture":                 {riff(vp8x(0)), picture.Truncated},
		"VP8X too short":             {riff(fourCC("VP8X", "123456789"), vp8), picture.Malformed},
		"VP8X twice":                 {riff(vp8x(0), vp8x(0), vp8), picture.Malformed},
		"reserved flag":              {riff(vp8x(1), vp8), picture.Malformed},
		"two pictures":               {riff(vp8, vp8), picture.TooManyFrames},
		"two pictures in VP8X":       {riff(vp8x(0), vp8, vp8), picture.TooManyFrames},
		"canvas":                     {riff(fourCC("VP8X", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), vp8), picture.Malformed},
		"alpha flag without ALPH":    {riff(vp8x(flagAlpha), vp8), picture.Malformed},
		"ALPH without flag":          {riff(flag(rawVP8X, 8, 0)[:8]+"\x00"+rawVP8X[9:], fourCC("ALPH", raw["ALPH"]), rawVP8), picture.Malformed},
		"ALPH alone":                 {riff(rawVP8X, fourCC("ALPH", raw["ALPH"])), picture.Truncated},
		"ALPH before VP8L":           {riff(vp8x(flagAlpha), fourCC("ALPH", "\x00\x00"), fourCC("VP8L", lossless)), picture.Malformed},
		"ALPH behind the picture":    {riff(vp8, fourCC("ALPH", "\x00\x00")), picture.Malformed},
		"chunk behind ALPH":          {riff(rawVP8X, fourCC("ALPH", raw["ALPH"]), fourCC("JUNK", ""), rawVP8), picture.Malformed},
		"ALPH too short":             {riff(rawVP8X, fourCC("ALPH", raw["ALPH"][:2000]), rawVP8), picture.Truncated},
		"ALPH empty":                 {riff(rawVP8X, fourCC("ALPH", ""), rawVP8), picture.Truncated},
		"ALPH reserved bits":         {riff(rawVP8X, fourCC("ALPH", flag(raw["ALPH"], 0, 0x40)), rawVP8), picture.Malformed},
		"ALPH compression":           {riff(rawVP8X, fourCC("ALPH", flag(raw["ALPH"], 0, 0x02)), rawVP8), picture.Malformed},
		"ANIM in a still":            {riff(vp8x(0), fourCC("ANIM", "123456"), vp8), picture.Malformed},
		"ANMF in a still":            {riff(vp8x(0), fourCC("ANMF", strings.Repeat("\x00", 16)), vp8), picture.Malformed},
		"VP8 too short":              {riff(fourCC("VP8 ", lossy[:9])), picture.Truncated},
		"no key frame":               {riff(fourCC("VP8 ", flag(lossy, 0, 1))), picture.Malformed},
		"hidden frame":               {riff(fourCC("VP8 ", string([]byte{lossy[0] &^ 0x10})+lossy[1:])), picture.Malformed},
		"VP8 profile":                {riff(fourCC("VP8 ", flag(lossy, 0, 8))), picture.Malformed},
		"VP8 start code":             {riff(fourCC("VP8 ", flag(lossy, 3, 0x60))), picture.Malformed},
		"VP8 width 0":                {riff(fourCC("VP8 ", lossy[:6]+"\x00\x00"+lossy[8:])), picture.Malformed},
		"VP8 first partition":        {riff(fourCC("VP8 ", flag(lossy, 2, 0xFF))), picture.Truncated},
		"VP8 first partition begins": {riff(fourCC("VP8 ", lossy[:10]+"\xFF"+lossy[11:])), picture.Malformed},
		"VP8L signature":             {riff(fourCC("VP8L", "/"+lossless[1:4]+"\xFF"+lossless[5:])), picture.Malformed},
		"VP8L too short":             {riff(fourCC("VP8L", lossless[:4])), picture.Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Strip(context.Background(), c.data, options())
			wantFault(t, err, c.want)
		})
	}
}

// TestTruncated cuts the payload of the picture, with sizes that fit. No cut passes
// but one in the zeros at the end of VP8.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"lossy.webp", "lossy_flat.webp", "lossless.webp", "lossless_palette4.webp", "lossless_groups.webp"} {
		data := strip(t, seed(t, name), options()).Data
		chunk, p := string(data[12:16]), string(data[20:])
		for n := 0; n < len(p)-4; n += 1 + len(p)/400 {
			s, err := Strip(context.Background(), riff(fourCC(chunk, p[:n])), options())
			if err == nil {
				t.Fatalf("%s: %d bytes of %d pass, %v removed", name, n, len(p), s.Removed)
			}
			var fault *picture.Error
			if !errors.As(err, &fault) || n > 10 && fault.Fault != picture.Truncated {
				t.Errorf("%s: %d bytes of %d: %v", name, n, len(p), err)
			}
		}
	}
}

// TestOrientation: the tag stays where a reader that looks for it finds it.
func TestOrientation(t *testing.T) {
	vp8 := fourCC("VP8 ", split(t, seed(t, "exif6_prefix.webp"))["VP8 "])
	block := string(exif.Minimal(6))
	for name, c := range map[string]struct {
		data []byte
		want string // EXIF of the output
	}{
		"plain":    {riff(vp8x(flagExif), vp8, fourCC("EXIF", block)), block},
		"first":    {riff(vp8x(flagExif), fourCC("EXIF", block), vp8), block},
		"prefixed": {riff(vp8x(flagExif), vp8, fourCC("EXIF", exifPrefix+block)), exifPrefix + block},
		"one":      {riff(vp8x(flagExif), vp8, fourCC("EXIF", string(exif.Minimal(1)))), ""},
		"no flag":  {riff(vp8x(0), vp8, fourCC("EXIF", block)), ""},
		"simple":   {riff(vp8, fourCC("EXIF", block)), ""},
		"second":   {riff(vp8x(flagExif), vp8, fourCC("EXIF", ""), fourCC("EXIF", block)), ""},
	} {
		s := strip(t, c.data, options())
		if got := split(t, s.Data)["EXIF"]; got != c.want || (s.Orientation == 6) != (c.want != "") {
			t.Errorf("%s: EXIF %q and orientation %d", name, got, s.Orientation)
		}
		o := options()
		o.DropOrientation = true
		if s := strip(t, c.data, o); s.Orientation != 0 || !bytes.Equal(s.Data, riff(vp8)) {
			t.Errorf("%s: %d bytes with an orientation of %d", name, len(s.Data), s.Orientation)
		}
	}
}

// TestLimits: sizes are refused by what the headers declare.
func TestLimits(t *testing.T) {
	data := seed(t, "lossy.webp") // 70 × 50 pixels
	for name, c := range map[string]struct {
		data []byte
		set  func(*picture.Limits)
		want picture.Fault
	}{
		"side":       {data, func(l *picture.Limits) { l.MaxSide = 69 }, picture.TooManyPixels},
		"pixels":     {data, func(l *picture.Limits) { l.MaxPixels = 3499 }, picture.TooManyPixels},
		"expansion":  {data, func(l *picture.Limits) { l.MaxExpansion = 10 }, picture.Expands},
		"canvas":     {seed(t, "alpha.webp"), func(l *picture.Limits) { l.MaxPixels = 2399 }, picture.TooManyPixels},
		"segments":   {riff(string(data[12:]), fourCC("JUNK", ""), fourCC("JUNK", "")), func(l *picture.Limits) { l.MaxSegments = 2 }, picture.TooManySegments},
		"metadata":   {riff(string(data[12:]), fourCC("JUNK", "12345678")), func(l *picture.Limits) { l.MaxMetadataBytes = 15 }, picture.TooManySegments},
		"frames":     {seed(t, "animation.webp"), func(l *picture.Limits) { l.MaxFrames = 2 }, picture.TooManyFrames},
		"one frame":  {seed(t, "animation.webp"), func(l *picture.Limits) { l.MaxFrames = 0 }, picture.TooManyFrames},
		"animation":  {seed(t, "animation.webp"), func(l *picture.Limits) { l.MaxExpansion = 3*32*24*4/int64(len(seed(t, "animation.webp"))) - 1 }, picture.Expands},
		"all frames": {seed(t, "animation.webp"), func(l *picture.Limits) { l.MaxPixels = 3*32*24 - 1 }, picture.TooManyPixels},
	} {
		o := options()
		c.set(&o.Limits)
		_, err := Strip(context.Background(), c.data, o)
		t.Run(name, func(t *testing.T) { wantFault(t, err, c.want) })
	}
	o := options()
	o.Limits.MaxExpansion = 70 * 50 * 3 / int64(len(data))
	o.Limits.MaxPixels, o.Limits.MaxSide, o.Limits.MaxSegments = 3500, 70, 1
	if _, err := Strip(context.Background(), data, o); err == nil {
		t.Error("the expansion is rounded down")
	}
	o.Limits.MaxExpansion++
	strip(t, data, o)
}

// TestContainerOnly: the payload of the picture stays as it is.
func TestContainerOnly(t *testing.T) {
	lossy := split(t, seed(t, "exif6_prefix.webp"))["VP8 "] + "tail"
	o := options()
	o.ContainerOnly = true
	s := strip(t, riff(vp8x(flagICC), fourCC("ICCP", "icc."), fourCC("VP8 ", lossy)), o)
	if !bytes.Equal(s.Data, riff(fourCC("VP8 ", lossy))) {
		t.Errorf("%d bytes, %v removed", len(s.Data), s.Removed)
	}
	raw := split(t, seed(t, "alpha_raw.webp"))
	s = strip(t, riff(fourCC("VP8X", raw["VP8X"]), fourCC("ALPH", raw["ALPH"]+"tail"), fourCC("VP8 ", raw["VP8 "])), o)
	if !bytes.Equal(s.Data, seed(t, "alpha_raw.webp")) {
		t.Error("the end of ALPH without compression is known without a walk")
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, data := range seeds(t) {
		if _, err := Strip(ctx, data, options()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSmall: OpenCV takes no file below 32 bytes, so that it gets a longer header.
func TestSmall(t *testing.T) {
	data := riff(fourCC("VP8L", "\x2F\x63\xC0\x18\x10\x88\x88\x08")) // 100 × 100 pixels of one colour
	s := strip(t, data, options())
	if len(s.Data) < minFile || !reflect.DeepEqual(samples(t, data), samples(t, s.Data)) {
		t.Errorf("%d bytes", len(s.Data))
	}
	if again := strip(t, s.Data, options()); !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
		t.Errorf("a second walk removes %v", again.Removed)
	}
}
