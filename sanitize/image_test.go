package sanitize_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/sanitize"
)

const imageDir = "testdata/image"

// golden is what Pillow decodes from a source file.
type golden struct {
	Mode   string `json:"mode"`
	Size   [2]int `json:"size"`
	SHA256 string `json:"sha256"`
}

func readGolden(t testing.TB) map[string]golden {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(read(t, filepath.Join(imageDir, "golden.json")), &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "_pillow")
	out := make(map[string]golden, len(raw))
	for name, text := range raw {
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		out[name] = g
	}
	if len(out) < 50 {
		t.Fatalf("only %d golden files", len(out))
	}
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func source(t testing.TB, name string) []byte {
	t.Helper()
	return read(t, filepath.Join(imageDir, name))
}

func testKey(t testing.TB) *sanitize.Key {
	t.Helper()
	key, err := sanitize.NewKey([]byte("a secret of the tests, not of use"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// strip sanitises with the zero options, which must succeed.
func strip(t testing.TB, data []byte) ([]byte, sanitize.Report) {
	t.Helper()
	return mustImage(t, data, sanitize.ImageOptions{})
}

func mustImage(t testing.TB, data []byte, o sanitize.ImageOptions) ([]byte, sanitize.Report) {
	t.Helper()
	out, report, err := sanitize.Image(context.Background(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	return out, report
}

// samples decodes with the standard library and lays the samples out as Pillow's
// tobytes does for the mode.
func samples(t testing.TB, data []byte, mode string) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		packed := byte(0)
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBA64Model.Convert(img.At(x, y)).(color.NRGBA64)
			r, g, bl, a := byte(c.R>>8), byte(c.G>>8), byte(c.B>>8), byte(c.A>>8)
			if n, ok := img.(*image.NRGBA); ok { // the conversion loses colour under alpha
				p := n.NRGBAAt(x, y)
				r, g, bl, a = p.R, p.G, p.B, p.A
			}
			switch mode {
			case "1":
				packed |= r >> 7 << (7 - x%8)
				if x%8 == 7 || x == b.Max.X-1 {
					out.WriteByte(packed)
					packed = 0
				}
			case "L":
				out.WriteByte(r)
			case "LA":
				out.Write([]byte{r, a})
			case "P":
				out.WriteByte(img.(*image.Paletted).ColorIndexAt(x, y))
			case "I;16":
				out.Write([]byte{byte(c.R), byte(c.R >> 8)})
			case "RGB":
				out.Write([]byte{r, g, bl})
			case "RGBA":
				out.Write([]byte{r, g, bl, a})
			default:
				t.Fatalf("mode %q", mode)
			}
		}
	}
	return out.Bytes()
}

// TestStripKeepsSamples compares the decoded samples of stripped files: for PNG
// with Pillow's, for JPEG, whose decoders round differently, with those of the
// source under the same decoder. The e2e tests compare JPEG with Pillow's.
func TestStripKeepsSamples(t *testing.T) {
	for name, want := range readGolden(t) {
		t.Run(name, func(t *testing.T) {
			in := source(t, name)
			out, _ := strip(t, in)
			if strings.HasSuffix(name, ".png") {
				sum := sha256.Sum256(samples(t, out, want.Mode))
				if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
					t.Errorf("samples differ from Pillow's in mode %s", want.Mode)
				}
				return
			}
			if before, after := decodeJPEG(t, in), decodeJPEG(t, out); !equalImages(before, after) {
				t.Error("samples differ from the source's")
			}
		})
	}
}

func decodeJPEG(t testing.TB, data []byte) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func equalImages(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

func TestStripIsIdempotent(t *testing.T) {
	for name := range readGolden(t) {
		once, _ := strip(t, source(t, name))
		twice, report := strip(t, once)
		if !bytes.Equal(once, twice) {
			t.Errorf("%s: a second strip changes the file", name)
		}
		if report.Action != sanitize.Unchanged || len(report.Removed) != 0 {
			t.Errorf("%s: a second strip reports %v %v", name, report.Action, report.Removed)
		}
	}
}

// TestStripLeavesCleanFilesAlone holds that what common encoders write comes out
// byte for byte.
func TestStripLeavesCleanFilesAlone(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "baseline444.jpg", "grey.jpg", "progressive.jpg",
		"progressive_restart.jpg", "optimised.jpg", "restart.jpg", "cmyk.jpg", "rgb.jpg",
		"rgb8.png", "rgba16_interlaced.png", "grey1.png", "greyalpha8.png"} {
		in := source(t, name)
		out, report := strip(t, in)
		if !bytes.Equal(in, out) || report.Action != sanitize.Unchanged {
			t.Errorf("%s: %v, removed %v", name, report.Action, report.Removed)
		}
	}
}

func TestImageReport(t *testing.T) {
	_, report := strip(t, source(t, "exif6.jpg"))
	if report.Kind != "image" || report.Format != "jpeg" || report.Action != sanitize.Stripped {
		t.Errorf("report %+v", report)
	}
	if len(report.Removed) != 1 {
		t.Fatalf("removed %v, want the Exif segment alone", report.Removed)
	}
	const names = "APP1 Exif: ExifIFDPointer, GPSInfoIFDPointer, GPSLatitude, GPSLatitudeRef, Make, Model, Orientation, UserComment"
	if got := report.Removed[0]; got.Where != names || got.Bytes <= 0 {
		t.Errorf("removed %+v, want %q", got, names)
	}
}

// TestImageReportNamesFraming: a file that is only laid out anew says so.
func TestImageReportNamesFraming(t *testing.T) {
	for _, in := range [][]byte{source(t, "split.png"), encodeJPEG(t, photo(64, 64), 90)} {
		_, report := strip(t, in)
		if report.Action != sanitize.Stripped || len(report.Removed) != 1 || report.Removed[0].Where != "framing" {
			t.Errorf("report %+v", report)
		}
	}
}

func TestOrientation(t *testing.T) {
	tests := []struct {
		file, policy string
		want         byte // 0: no Exif at all
	}{
		{"exif6.jpg", "", 6}, {"exif6.jpg", "keep", 6}, {"exif6.jpg", "drop", 0}, {"exif1.jpg", "", 0},
		{"exif.png", "keep", 8}, {"exif.png", "drop", 0}, {"baseline420.jpg", "", 0},
	}
	for _, profile := range []string{"strip", "light", "standard"} {
		for _, test := range tests {
			out, _ := mustImage(t, source(t, test.file),
				sanitize.ImageOptions{Profile: profile, Orientation: test.policy, Key: testKey(t)})
			at := bytes.Index(out, []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"))
			got := byte(0)
			if at >= 0 {
				got = out[at+19]
			}
			if got != test.want {
				t.Errorf("%s, %s, %q: orientation %d, want %d", profile, test.file, test.policy, got, test.want)
			}
		}
	}
}

func TestImageOptionsValidate(t *testing.T) {
	key := testKey(t)
	tests := []struct {
		name string
		o    sanitize.ImageOptions
		want string // "" for valid
	}{
		{"zero", sanitize.ImageOptions{}, ""},
		{"standard", sanitize.ImageOptions{Profile: "standard", Key: key}, ""},
		{"no key", sanitize.ImageOptions{Profile: "standard"}, "needs a key"},
		{"profile", sanitize.ImageOptions{Profile: "paranoid"}, "profile"},
		{"apply", sanitize.ImageOptions{Orientation: "apply"}, ""},
		{"orientation", sanitize.ImageOptions{Orientation: "turn"}, "orientation"},
		{"strong", sanitize.ImageOptions{Profile: "strong"}, "needs a key"},
		{"custom", sanitize.ImageOptions{Profile: "custom", Steps: []sanitize.Step{{Op: "median", Size: 3}}}, ""},
		{"custom without steps", sanitize.ImageOptions{Profile: "custom"}, "steps"},
		{"steps of light", sanitize.ImageOptions{Profile: "light", Steps: []sanitize.Step{{Op: "median", Size: 3}}}, "steps"},
		{"keyed step", sanitize.ImageOptions{Profile: "custom", Steps: []sanitize.Step{{Op: "rotate", MaxDegrees: 3}}}, "needs a key"},
		{"bad step", sanitize.ImageOptions{Profile: "custom", Steps: []sanitize.Step{{Op: "median", Size: 4}}}, "size"},
		{"apply to an animation", sanitize.ImageOptions{Orientation: "apply", Animation: "keep"}, "orientation"},
		{"format", sanitize.ImageOptions{Formats: []string{"avif"}}, "format"},
		{"no formats", sanitize.ImageOptions{Formats: []string{}}, "formats"},
		{"limit", sanitize.ImageOptions{Limits: sanitize.ImageLimits{MaxPixels: -1}}, "limit"},
	}
	for _, test := range tests {
		err := test.o.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if err == nil {
			continue
		}
		out, report, got := sanitize.Image(context.Background(), source(t, "one.png"), test.o)
		if got == nil || out != nil || report.Action != sanitize.Rejected {
			t.Errorf("%s: Image went on with invalid options", test.name)
		}
	}
}

// wantRefusal holds that err is a refusal for the reason.
func wantRefusal(t *testing.T, err error, want sanitize.Reason) {
	t.Helper()
	var r *sanitize.Refusal
	if !errors.As(err, &r) {
		t.Errorf("error %v, want a refusal for %s", err, want)
	} else if r.Reason != want {
		t.Errorf("refused for %v, want %s", r, want)
	}
}

func TestImageDeadline(t *testing.T) {
	past, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	for _, profile := range []string{"strip", "light", "standard"} {
		_, report, err := sanitize.Image(past, source(t, "large.jpg"),
			sanitize.ImageOptions{Profile: profile, Key: testKey(t)})
		wantRefusal(t, err, sanitize.DeadlineExceeded)
		if report.Action != sanitize.Rejected {
			t.Errorf("action %v", report.Action)
		}
	}
}

// countdown is a context that ends after so many looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestImageDeadlineInside lets the time run out at every place that looks at it.
func TestImageDeadlineInside(t *testing.T) {
	for _, name := range []string{"large.jpg", "large_progressive.jpg", "large.png", "large_rgba16.png"} {
		o := sanitize.ImageOptions{Profile: "standard", Key: testKey(t)}
		for left := 0; ; left++ {
			out, _, err := sanitize.Image(&countdown{context.Background(), left}, source(t, name), o)
			if err == nil {
				if left < 4 || len(out) == 0 {
					t.Errorf("%s: the deadline was looked at %d times", name, left)
				}
				break
			}
			wantRefusal(t, err, sanitize.DeadlineExceeded)
			left += left / 8 // sparser as it grows
		}
	}
}
