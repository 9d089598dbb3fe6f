//go:build e2e

package e2e

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// declared is a stack whose policy says of two inputs how they carry pictures.
func declared(t *testing.T) *stack {
	t.Helper()
	return private(t, stackOptions{upstream: triton.HTTP, config: `
models:
  - name: echo
    inputs:
      IMAGE: {kind: image, encoding: base64}
  - name: identity
    inputs:
      UINT8: {kind: tensor}
`}).ready(t)
}

// Models take the bytes of a picture in many forms. What an input carries is the
// policy's to say; a picture in another form is refused, not passed.
func TestTrick32PicturesInOtherForms(t *testing.T) {
	picture := jpegOf(t)
	text := base64.StdEncoding.EncodeToString([]byte(picture))
	show(t,
		pictureTrick{"base64", text, false, "image_format_unknown"},
		pictureTrick{"a data URI", "data:image/jpeg;base64," + text, false, "image_format_unknown"},
		pictureTrick{"JSON", `{"b64":"` + text + `"}`, false, "image_format_unknown"},
		pictureTrick{"a path", "/etc/hostname", false, "image_format_unknown"},
		pictureTrick{"a URL", "http://127.0.0.1/a.jpg", false, "image_format_unknown"},
		pictureTrick{"nothing", "", false, "image_format_unknown"},
	)
	// The bytes of a file as numbers, as NVIDIA DALI takes them.
	s := declared(t)
	k := binaryRequest(tensor{Name: "UINT8", DataType: "UINT8", Shape: []int64{1, int64(len(picture))}, blob: []byte(picture)})
	k.path, k.reads = identityInfer, picture
	k.withoutWeir(t)
	s.unmoved(t, func() {
		r, _ := s.raw(t, k.wire())
		wantReason(t, r, "tensor_holds_image")
	})
	// A picture on an input for text or numbers.
	asText := binaryRequest(tensor{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements(picture)})
	asText.name, asText.reads, asText.reason = "on an input for text", picture, "text_holds_image"
	asNumber := binaryRequest(tensor{Name: "FP32", DataType: "BYTES", Shape: []int64{1, 1}, blob: elements(picture)})
	asNumber.name, asNumber.path, asNumber.fails, asNumber.reason = "on an input for numbers", identityInfer, bad, "signature_mismatch"
	run(t, asText, asNumber)
}

// Python reads base64 without looking at what does not belong there, so that one
// picture has many texts, of which other parsers read something else.
func TestTrick33Base64(t *testing.T) {
	s := declared(t)
	picture := jpegOf(t) + "!" // so that the text ends in padding
	for len(picture)%3 != 1 {
		picture += "!"
	}
	text := base64.StdEncoding.EncodeToString([]byte(picture))
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", text[len(text)-3])
	names := []string{"canonical", "line breaks", "spaces", "other characters", "bits left over", "no padding", "padding inside", "the alphabet of URLs", "a data URI"}
	texts := []string{text, text[:40] + "\r\n" + text[40:], " " + text, text[:40] + "!*-" + text[40:],
		text[:len(text)-3] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[last+1]) + "==",
		strings.TrimRight(text, "="), text + text, strings.NewReplacer("+", "-", "/", "_").Replace(text), "data:image/jpeg;base64," + text}
	var opened []string
	for i, seen := range see(t, texts, "base64") {
		if seen.Error == "" {
			opened = append(opened, names[i])
		}
	}
	if want := []string{"canonical", "line breaks", "spaces", "other characters", "bits left over", "padding inside"}; !slices.Equal(opened, want) {
		t.Errorf("Python reads a picture from %q, want %q", opened, want)
	}
	for i, text := range texts {
		t.Run(names[i], func(t *testing.T) {
			k := pictureRequest(text)
			k.withoutWeir(t)
			if i > 0 {
				s.unmoved(t, func() {
					r, _ := s.raw(t, k.wire())
					wantReason(t, r, "input_data_invalid")
				})
				return
			}
			file, err := base64.StdEncoding.Strict().DecodeString(throughWeir(t, s, k))
			if err != nil || strings.Contains(string(file), "!!") || see(t, []string{string(file)})[0].Format != "JPEG" {
				t.Errorf("the model got %.80q, %v", file, err)
			}
		})
	}
}

// Pillow reads some forty formats, told by the first bytes, whatever a file is called.
func TestTrick34FormatsToldByContent(t *testing.T) {
	known := map[string]bool{"GIF": true, "WEBP": true, "BMP": true, "TIFF": true, "AVIF": true, "QOI": true, "JPEG2000": true, "DDS": true}
	var tricks []pictureTrick
	for name, file := range pillowFiles(t) {
		if strings.HasSuffix(name, "-frames") || name == "JPEG" || name == "PNG" || name == "MPO" {
			continue
		}
		reason := "image_format_unknown"
		if known[name] {
			reason = "image_format_not_allowed"
		}
		tricks = append(tricks, pictureTrick{name, file, true, reason})
	}
	if len(tricks) < 15 {
		t.Fatalf("%d formats", len(tricks))
	}
	tricks = append(tricks,
		pictureTrick{"text in the form of a picture", "P3 1 1 255 1 2 3 ", true, "image_format_unknown"},
		pictureTrick{"SVG", `<svg xmlns="http://www.w3.org/2000/svg"/>`, false, "image_format_unknown"},
		pictureTrick{"EPS", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", false, "image_format_unknown"})
	show(t, tricks...)
}

// Pillow takes the first picture and ignores what follows; other programs read
// archives, scripts and documents from their end.
func TestTrick35MoreThanOneFile(t *testing.T) {
	picture, lossless := jpegOf(t), pngOf(t, 48, 32)
	const archive = "PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	tricks := []pictureTrick{
		{"JPEG and a script", picture + "<script>evil</script>", true, ""},
		{"JPEG and an archive", picture + archive, true, ""},
		{"JPEG and a JPEG", picture + picture, true, ""},
		{"JPEG and a PNG", picture + lossless, true, ""},
		{"PNG and a script", lossless + "<script>evil</script>", true, ""},
		{"PNG and a PNG", lossless + lossless, true, ""},
		{"a comment", picture[:2] + segment(0xfe, "<script>evil</script>") + picture[2:], true, ""},
		{"a text chunk", lossless[:afterHeader] + chunk("tEXt", "Comment\x00<script>evil</script>") + lossless[afterHeader:], true, ""},
		{"a private chunk", lossless[:afterHeader] + chunk("evIl", "evil") + lossless[afterHeader:], true, ""},
		{"something before JPEG", "evil" + picture, false, "image_format_unknown"},
		{"a line before PNG", "\n" + lossless, false, "image_format_unknown"},
	}
	without, passed, with := show(t, tricks...)
	same(t, tricks, without, with)
	if len(passed) != 9 {
		t.Errorf("%d files passed", len(passed))
	}
	for name, file := range passed {
		if strings.Contains(file, "evil") || strings.Contains(file, archive) || strings.Count(file, "\xff\xd8\xff")+strings.Count(file, "\x89PNG") != 1 {
			t.Errorf("%s: the model got %q", name, file)
		}
	}
}

// Pillow takes the last of two heads and does not compare the checksums of pixels;
// libpng refuses both.
func TestTrick36StructureOfPNG(t *testing.T) {
	file := pngOf(t, 48, 32)
	at := strings.Index(file, "IDAT")
	flip := func(i int) string { return file[:i] + string([]byte{file[i] ^ 1}) + file[i+1:] }
	end := strings.Index(file, "IEND") - 4
	show(t,
		pictureTrick{"two heads", file[:8] + header(1, 1) + file[8:], true, "image_malformed"},
		pictureTrick{"two heads, the second smaller", file[:afterHeader] + header(24, 16) + file[afterHeader:], false, "image_malformed"},
		pictureTrick{"a wrong checksum of pixels", flip(end - 1), true, "image_malformed"},
		pictureTrick{"a wrong checksum of the head", flip(afterHeader - 1), false, "image_malformed"},
		pictureTrick{"pixels before the head", file[:8] + file[at-4:end] + file[8:at-4] + file[end:], false, "image_malformed"},
		pictureTrick{"pixels apart", file[:end] + chunk("tEXt", "a\x00b") + file[at-4:end] + file[end:], true, "image_malformed"},
		pictureTrick{"no pixels", file[:at-4] + file[end:], false, "image_truncated"},
		pictureTrick{"a chunk that must be known", file[:afterHeader] + chunk("EVIL", "a") + file[afterHeader:], true, "image_malformed"},
	)
}

// Pillow shows the first of several pictures, other decoders all of them.
func TestTrick37SeveralFrames(t *testing.T) {
	files := pillowFiles(t)
	tricks := []pictureTrick{
		{"GIF", files["GIF-frames"], true, "image_format_not_allowed"},
		{"WebP", files["WEBP-frames"], true, "image_format_not_allowed"},
		{"TIFF", files["TIFF-frames"], true, "image_format_not_allowed"},
		{"AVIF", files["AVIF-frames"], true, "image_format_not_allowed"},
		{"APNG", files["PNG-frames"], true, "image_too_many_frames"},
		{"MPO", files["MPO-frames"], true, ""},
	}
	without, passed, with := show(t, tricks...)
	for i, seen := range without {
		if seen.Frames != 2 {
			t.Errorf("%s: Pillow sees %+v", tricks[i].name, seen)
		}
	}
	same(t, tricks, without, with) // the first picture of an MPO file is a whole JPEG
	if strings.Contains(passed["MPO"], "MPF\x00") {
		t.Errorf("the model got an index of pictures: %q", passed["MPO"])
	}
}

// Decoders differ in how much of a picture has to be there.
func TestTrick38FilesCutShort(t *testing.T) {
	picture, lossless := jpegOf(t), pngOf(t, 48, 32)
	show(t,
		pictureTrick{"JPEG without its end", picture[:len(picture)-2], false, "image_truncated"},
		pictureTrick{"JPEG in its data", picture[:len(picture)-200], false, "image_truncated"},
		pictureTrick{"JPEG in a segment", picture[:100], false, "image_truncated"},
		pictureTrick{"JPEG without a picture", picture[:2] + "\xff\xd9", false, "image_malformed"},
		pictureTrick{"PNG without its end", lossless[:len(lossless)-12], true, "image_truncated"},
		pictureTrick{"PNG in its data", lossless[:len(lossless)/2], false, "image_truncated"},
		pictureTrick{"PNG in its head", lossless[:20], false, "image_truncated"},
	)
}

// A few bytes may stand for gigabytes: of pixels, or of text that is compressed.
func TestTrick39Bombs(t *testing.T) {
	picture, lossless := jpegOf(t), pngOf(t, 48, 32)
	at := strings.Index(picture, "\xff\xc0") + 5
	sized := func(height, width string) string { return picture[:at] + height + width + picture[at+4:] }
	zeros := deflatedZeros(t, 4<<20)
	tricks := []pictureTrick{
		{"a JPEG of 16,000 by 16,000", sized("\x3e\x80", "\x3e\x80"), false, "image_too_many_pixels"},
		{"a JPEG of 65,535 by 1", sized("\x00\x01", "\xff\xff"), false, "image_too_many_pixels"},
		{"a PNG of 60,000 by 60,000", lossless[:8] + header(60000, 60000) + lossless[afterHeader:], false, "image_too_many_pixels"},
		{"a PNG of 2^31 by 1", lossless[:8] + header(1<<31-1, 1) + lossless[afterHeader:], false, "image_too_many_pixels"},
		{"pixels beyond the size", lossless[:8] + header(8, 8) + chunk("IDAT", zeros) + chunk("IEND", ""), true, "image_malformed"},
		// Pillow gives up on the whole file, others do not look.
		{"text", lossless[:afterHeader] + chunk("zTXt", "a\x00\x00"+zeros) + lossless[afterHeader:], false, "image_expands"},
		{"international text", lossless[:afterHeader] + chunk("iTXt", "a\x00\x01\x00\x00\x00"+zeros) + lossless[afterHeader:], false, "image_expands"},
		{"a profile", lossless[:afterHeader] + chunk("iCCP", "a\x00\x00"+zeros) + lossless[afterHeader:], false, "image_expands"},
	}
	if _, passed, _ := show(t, tricks...); len(passed) != 0 {
		t.Errorf("%d files passed", len(passed))
	}
}

// Of two orientations decoders take the first or the last; there may be one.
func TestTrick40TwoOrientations(t *testing.T) {
	picture := jpegOf(t)
	tricks := []pictureTrick{
		{"6 and 3", picture[:2] + exif(6) + exif(3) + picture[2:], true, ""},
		{"1 and 8", picture[:2] + exif(1) + exif(8) + picture[2:], true, ""},
		{"6 and nothing", picture[:2] + exif(6) + segment(0xe1, "Exif\x00\x00") + picture[2:], true, ""},
		{"one", picture[:2] + exif(6) + picture[2:], true, ""},
	}
	without, passed, with := show(t, tricks...)
	same(t, tricks, without, with)
	for i, p := range tricks {
		if n := strings.Count(passed[p.name], "Exif\x00\x00"); n > 1 {
			t.Errorf("%s: the model got %d segments", p.name, n)
		}
		if before, after := without[i].Orientation, with[p.name].Orientation; max(before, 1) != max(after, 1) {
			t.Errorf("%s: Pillow saw the orientation %d, with Weir %d", p.name, before, after)
		}
	}
}
