package sanitize_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weir/sanitize"
)

// replaced returns the text with the first old changed to new.
func replaced(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the file", old)
	}
	return strings.Replace(text, old, new, 1)
}

// frame is a JPEG that begins with SOF.
func frame(marker byte, payload string) string { return "\xFF\xD8" + segment(marker, payload) }

func TestImageRefusals(t *testing.T) {
	base := string(source(t, "baseline420.jpg"))
	progressive := string(source(t, "progressive.jpg"))
	restart := string(source(t, "restart.jpg"))
	png8 := pngFile(8, 0, "", greyRows())
	cmyk := source(t, "cmyk.jpg")
	limits := func(l sanitize.ImageLimits) sanitize.ImageOptions { return sanitize.ImageOptions{Limits: l} }
	light := sanitize.ImageOptions{Profile: "light"}
	tests := []struct {
		name string
		data string
		o    sanitize.ImageOptions
		want sanitize.Reason
	}{
		{"empty", "", sanitize.ImageOptions{}, sanitize.ImageFormatUnknown},
		{"text", "just a text", sanitize.ImageOptions{}, sanitize.ImageFormatUnknown},
		{"gif", "GIF89a\x01\x00\x01\x00", sanitize.ImageOptions{}, sanitize.ImageFormatNotAllowed},
		{"webp", "RIFF\x00\x00\x00\x00WEBPVP8 ", sanitize.ImageOptions{}, sanitize.ImageFormatNotAllowed},
		{"png not on the list", png8, sanitize.ImageOptions{Formats: []string{"jpeg"}}, sanitize.ImageFormatNotAllowed},
		{"jpeg not on the list", base, sanitize.ImageOptions{Formats: []string{"png"}}, sanitize.ImageFormatNotAllowed},
		{"bytes", base, limits(sanitize.ImageLimits{MaxBytes: len(base) - 1}), sanitize.ImageTooLarge},
		{"jpeg pixels", base, limits(sanitize.ImageLimits{MaxPixels: 61*45 - 1}), sanitize.ImageTooManyPixels},
		{"png pixels", png8, limits(sanitize.ImageLimits{MaxPixels: 127}), sanitize.ImageTooManyPixels},
		{"jpeg side", base, limits(sanitize.ImageLimits{MaxSide: 60}), sanitize.ImageTooManyPixels},
		{"png side", png8, limits(sanitize.ImageLimits{MaxSide: 31}), sanitize.ImageTooManyPixels},
		{"jpeg segments", base, limits(sanitize.ImageLimits{MaxSegments: 3}), sanitize.ImageTooManySegments},
		{"png chunks", png8, limits(sanitize.ImageLimits{MaxSegments: 2}), sanitize.ImageTooManySegments},
		{"small IDAT chunks", string(source(t, "split.png")), limits(sanitize.ImageLimits{MaxSegments: 10}), sanitize.ImageTooManySegments},
		{"jpeg metadata", replaced(t, base, "\xFF\xDB", segment(0xFE, strings.Repeat("x", 999))+"\xFF\xDB"),
			limits(sanitize.ImageLimits{MaxMetadataBytes: 500}), sanitize.ImageTooManySegments},
		{"png metadata", pngFile(8, 0, chunk("tEXt", strings.Repeat("x", 999)), greyRows()),
			limits(sanitize.ImageLimits{MaxMetadataBytes: 500}), sanitize.ImageTooManySegments},
		{"scans", progressive, limits(sanitize.ImageLimits{MaxScans: 9}), sanitize.ImageTooManySegments},
		{"decoded bytes", base, sanitize.ImageOptions{Profile: "light",
			Limits: sanitize.ImageLimits{MaxDecodedBytes: 61 * 45}}, sanitize.ImageTooManyPixels},
		{"progressive costs more", progressive, sanitize.ImageOptions{Profile: "light",
			Limits: sanitize.ImageLimits{MaxDecodedBytes: 61 * 45 * 4}}, sanitize.ImageTooManyPixels},

		{"SOI alone", "\xFF\xD8\xFF", sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"no scan", "\xFF\xD8\xFF\xD9", sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"no EOI", strings.TrimSuffix(base, "\xFF\xD9"), sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"half a scan", base[:len(base)*3/4], sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"half a scan with EOI", base[:len(base)*3/4] + "\xFF\xD9", sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"half a progressive scan", progressive[:len(progressive)/2] + "\xFF\xD9", sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"second SOI", replaced(t, base, "\xFF\xDB", "\xFF\xD8\xFF\xDB"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"segment too short", replaced(t, base, "\xFF\xDB", "\xFF\xFE\x00\x01\xFF\xDB"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"segment beyond the end", "\xFF\xD8\xFF\xFE\xFF\xFF", sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"second frame", replaced(t, base, "\xFF\xC4", segment(0xC0, "\x08\x00\x08\x00\x08\x01\x01\x11\x00")+"\xFF\xC4"),
			sanitize.ImageOptions{}, sanitize.ImageTooManyFrames},
		{"arithmetic", replaced(t, base, "\xFF\xC0", "\xFF\xC9"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"lossless", replaced(t, base, "\xFF\xC0", "\xFF\xC3"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"hierarchical", replaced(t, base, "\xFF\xC0", "\xFF\xC5"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"12 bits", frame(0xC1, "\x0C\x00\x08\x00\x08\x01\x01\x11\x00"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"two components", frame(0xC0, "\x08\x00\x08\x00\x08\x02\x01\x11\x00\x02\x11\x00"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"factor 3", frame(0xC0, "\x08\x00\x08\x00\x08\x01\x01\x31\x00"), sanitize.ImageOptions{}, sanitize.ImageUnsupported},
		{"height by DNL", frame(0xC0, "\x08\x00\x00\x00\x08\x01\x01\x11\x00"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"component twice", frame(0xC0, "\x08\x00\x08\x00\x08\x03\x01\x11\x00\x01\x11\x00\x02\x11\x00"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"65500 pixels square", frame(0xC0, "\x08\xFF\xDC\xFF\xDC\x01\x01\x11\x00"), sanitize.ImageOptions{}, sanitize.ImageTooManyPixels},
		{"wrong RST", replaced(t, restart, "\xFF\xD1", "\xFF\xD2"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"no tables", replaced(t, base, "\xFF\xC4", "\xFF\xFE"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"quantisation table changes", strings.TrimSuffix(base, "\xFF\xD9") + segment(0xDB, "\x00"+strings.Repeat("\x09", 64)) + "\xFF\xD9",
			sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"table of too many codes", replaced(t, base, "\xFF\xC4\x00\x1F\x00\x00", "\xFF\xC4\x00\x1F\x00\x0C"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"CMYK encoded anew", string(cmyk), light, sanitize.ImageUnsupported},

		{"signature alone", png8[:8], sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"half a PNG", png8[:len(png8)/2], sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"no IEND", strings.TrimSuffix(png8, chunk("IEND", "")), sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"no IDAT", pngHead(8, 0) + chunk("IEND", ""), sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"IHDR not first", "\x89PNG\r\n\x1a\n" + chunk("tEXt", "a\x00b") + png8[8:], sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"wrong CRC of IHDR", replaced(t, png8, "IHDR\x00\x00\x00\x20", "IHDR\x00\x00\x00\x21"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"wrong CRC of a text", replaced(t, pngFile(8, 0, chunk("tEXt", "a\x00b"), greyRows()), "a\x00b", "a\x00c"), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"chunk type", pngFile(8, 0, chunk("tE t", ""), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"chunk with the reserved bit", pngFile(8, 0, chunk("gAmA", "\x00\x00\xB1\x8F"), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"chunk of 4 GiB", pngHead(8, 0) + "\xFF\xFF\xFF\xFFIDATxxxx", sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"chunk beyond the end", pngHead(8, 0) + "\x00\x00\xFF\xFFIDATxxxx", sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"depth", pngFile(3, 0, "", greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"colour type", pngFile(8, 1, "", greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"row missing", pngFile(8, 0, "", greyRows()[:99]), sanitize.ImageOptions{}, sanitize.ImageTruncated},
		{"filter type", pngFile(8, 0, "", "\x05"+greyRows()[1:]), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"not a zlib stream", pngHead(8, 0) + chunk("IDAT", "no stream") + chunk("IEND", ""), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"no palette", pngFile(8, 3, "", greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"index without entry", pngFile(8, 3, chunk("PLTE", "ABCDEF"), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"palette of a grey file", pngFile(8, 0, chunk("PLTE", "ABCDEF"), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"transparency before the palette", pngFile(8, 3, chunk("tRNS", "A")+chunk("PLTE", strings.Repeat("ABC", 99)), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"transparent grey beyond the depth", pngFile(8, 0, chunk("tRNS", "\x01\x00"), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"gAMA twice", pngFile(8, 0, strings.Repeat(chunk("gAMA", "\x00\x00\xB1\x8F"), 2), greyRows()), sanitize.ImageOptions{}, sanitize.ImageMalformed},
		{"IDAT not consecutive", pngHead(8, 0) + chunk("IDAT", deflate(greyRows())[:9]) + chunk("tEXt", "a\x00b") +
			chunk("IDAT", deflate(greyRows())[9:]) + chunk("IEND", ""), sanitize.ImageOptions{}, sanitize.ImageMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, report, err := sanitize.Image(context.Background(), []byte(test.data), test.o)
			wantRefusal(t, err, test.want)
			if out != nil || report.Action != sanitize.Rejected || len(report.Removed) != 0 {
				t.Errorf("a refused file has output or a report: %+v", report)
			}
			if !slices.Contains(sanitize.Reasons(), test.want) {
				t.Errorf("%s is not on the list of reasons", test.want)
			}
		})
	}
}

// TestTruncationIsFound cuts a file at every byte: no part of it passes.
func TestTruncationIsFound(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "progressive.jpg", "restart.jpg", "exif6.jpg", "palette4.png", "rgba8_interlaced.png"} {
		data := source(t, name)
		for n := range data {
			if out, err := stripOrRefuse(t, data[:n:n]); err == nil || out != nil {
				t.Errorf("%s passes when cut at %d of %d", name, n, len(data))
			}
		}
	}
}

// TestExifBomb: an Exif block of 26 bytes for which goexif, given the raw bytes,
// allocates 12 GiB: one RATIONAL tag with a count whose size wraps to 8.
func TestExifBomb(t *testing.T) {
	block := "II*\x00\x08\x00\x00\x00" + "\x01\x00" + "\x12\x01\x05\x00\x01\x00\x00\x20\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	if len(block) != 26 {
		t.Fatalf("%d bytes", len(block))
	}
	base := string(source(t, "baseline420.jpg"))
	files := map[string]string{
		"jpeg": replaced(t, base, "\xFF\xDB", segment(0xE1, "Exif\x00\x00"+block)+"\xFF\xDB"),
		"png":  pngFile(8, 0, chunk("eXIf", block), greyRows()),
	}
	for name, data := range files {
		if n := allocated(func() { strip(t, []byte(data)) }); n > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
	out, _ := strip(t, []byte(files["jpeg"]))
	if want, _ := strip(t, []byte(base)); !bytes.Equal(out, want) {
		t.Error("the block left a trace")
	}
}

// TestRemovalsDoNotPileUp: a byte hidden before each of 8,000 restart markers makes
// one line of the report, and no memory beyond the output.
func TestRemovalsDoNotPileUp(t *testing.T) {
	grey := "\x08\x00\x08\xFA\x00\x01\x01\x11\x00" // 64,000 × 8 pixels: 8,000 blocks
	var b strings.Builder
	b.WriteString("\xFF\xD8" + segment(0xDB, "\x00"+strings.Repeat("\x01", 64)) + segment(0xC0, grey))
	one := "\x01" + strings.Repeat("\x00", 15) + "\x00" // one code of one bit, 0, for symbol 0
	b.WriteString(segment(0xC4, "\x00"+one) + segment(0xC4, "\x10"+one) + segment(0xDD, "\x00\x01"))
	b.WriteString(segment(0xDA, "\x01\x01\x00\x00\x3F\x00"))
	for i := range 8000 {
		b.WriteString("\x3Fx") // DC 0, end of block, pad bits; and the byte
		if i < 7999 {
			b.WriteString("\xFF" + string([]byte{0xD0 + byte(i%8)}))
		}
	}
	data := []byte(b.String() + "\xFF\xD9")
	o := sanitize.ImageOptions{Limits: sanitize.ImageLimits{MaxSide: 65535}}
	var report sanitize.Report
	n := allocated(func() { _, report = mustImage(t, data, o) })
	want := []sanitize.Removal{{Where: "bytes after scan data", Bytes: 8000}}
	if !slices.Equal(report.Removed, want) {
		t.Errorf("removed %v, want %v", report.Removed, want)
	}
	if n > 2*uint64(len(data))+1<<16 {
		t.Errorf("%d bytes allocated for %d", n, len(data))
	}
}

// allocated is the number of bytes that f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestSniffImage(t *testing.T) {
	ftyp := func(brands string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(brands)))) + "ftyp" + brands
	}
	for data, want := range map[string]string{
		"\xFF\xD8\xFF\xE0": "jpeg", "\x89PNG\r\n\x1a\n": "png", "GIF87a": "gif", "GIF89a": "gif",
		"RIFF\x24\x00\x00\x00WEBP": "webp", "RIFF\x24\x00\x00\x00WAVE": "", "II*\x00\x08": "tiff", "MM\x00*\x00": "tiff",
		"II+\x00\x08": "tiff", "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00": "bmp",
		"BMW is a maker of cars, of course": "", ftyp("avif\x00\x00\x00\x00avifmif1"): "avif",
		ftyp("mif1\x00\x00\x00\x00mif1avif"): "avif", ftyp("heic\x00\x00\x00\x00mif1heic"): "heic",
		ftyp("mp42\x00\x00\x00\x00isom"): "", "": "", "\xFF\xD8": "", "\x89PNG\n": "", "a text": "", "\x00\x00\x00\x0Cftyp": "",
	} {
		if got := sanitize.SniffImage([]byte(data)); got != want {
			t.Errorf("%q: %q, want %q", data, got, want)
		}
	}
}

// TestExpansionOfTheResult holds the expansion of what is written, too: data that is
// dropped must not let a picture through that is refused without it.
func TestExpansionOfTheResult(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "grey8.png", "../webp/exif6_prefix.webp", "../gif/palette2.gif"} {
		o := sanitize.ImageOptions{Formats: sanitize.ImageFormats()}
		clean, _, err := sanitize.Image(context.Background(), source(t, name), o)
		if err != nil {
			t.Fatal(name, err)
		}
		// The least limit that lets the clean file pass.
		for o.Limits.MaxExpansion = 1; ; o.Limits.MaxExpansion++ {
			if _, _, err = sanitize.Image(context.Background(), clean, o); err == nil {
				break
			}
		}
		o.Limits.MaxExpansion--
		if o.Limits.MaxExpansion == 0 {
			t.Fatalf("%s does not expand", name)
		}
		padded := append(bytes.Clone(clean), make([]byte, 10*len(clean))...)
		_, report, err := sanitize.Image(context.Background(), padded, o)
		if refusal, ok := err.(*sanitize.Refusal); !ok || refusal.Reason != sanitize.ImageExpands {
			t.Errorf("%s with a tail: %v, %v", name, report.Action, err)
		}
	}
}
