package filter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

func jpegFile(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// rows is a UINT8 tensor with a file in each row, padded to size.
func rows(size int, files ...[]byte) tensor.Tensor {
	in := tensor.Tensor{Name: "I", DataType: tensor.Uint8, Shape: []int64{int64(len(files)), int64(size)}}
	for _, f := range files {
		in.Data = append(append(in.Data, f...), make([]byte, size-len(f))...)
	}
	return in
}

func reason(err error) string {
	var (
		s *sanitize.Refusal
		c *codec.Refusal
	)
	switch {
	case errors.As(err, &s):
		return string(s.Reason)
	case errors.As(err, &c):
		return string(c.Reason)
	case err != nil:
		return err.Error()
	}
	return ""
}

func TestFilesInRows(t *testing.T) {
	clean, text, photo := pngWithText(t), pngWithText(t), jpegFile(t)
	rule := policy.Input{Kind: policy.Image}
	stripped, _, err := sanitize.Image(t.Context(), clean, sanitize.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	jpegOnly, _, err := sanitize.Image(t.Context(), photo, sanitize.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	longest := max(len(stripped), len(jpegOnly))
	open := &codec.Spec{Name: "I", DataType: tensor.Uint8, Shape: []int64{-1, -1}}
	fixed := &codec.Spec{Name: "I", DataType: tensor.Uint8, Shape: []int64{-1, 4096}}
	for name, tc := range map[string]struct {
		in   tensor.Tensor
		spec *codec.Spec
		want tensor.Tensor // but for its name
		hid  int           // bytes that the report says are gone; -1: not looked at
	}{
		"as long as the longest file": {rows(4096, text, photo), open, rows(longest, stripped, jpegOnly), -1},
		"as long as the model says":   {rows(4096, text, photo), fixed, rows(4096, stripped, jpegOnly), -1},
		"zeros behind are no finding": {rows(len(stripped)+900, stripped), open, rows(len(stripped), stripped), 0},
		"what is behind the zeros is": {rows(4096, slices.Concat(stripped, make([]byte, 90), []byte("secret"))), open, rows(len(stripped), stripped), 96},
		"no pictures":                 {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{0, 4096}}, open, tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{0, 0}, Data: []byte{}}, 0},
		"one file": {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{int64(len(text))}, Data: text}, &codec.Spec{Shape: []int64{-1}},
			tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{int64(len(stripped))}, Data: stripped}, -1},
	} {
		before := bytes.Clone(tc.in.Data)
		out, report, err := sanitizeInput(t.Context(), rule, tc.in, tc.spec, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(out.Shape, tc.want.Shape) || !bytes.Equal(out.Data, tc.want.Data) {
			t.Errorf("%s: shape %v with %d bytes, want %v with %d", name, out.Shape, len(out.Data), tc.want.Shape, len(tc.want.Data))
		}
		if tc.hid >= 0 && removed(report) != tc.hid {
			t.Errorf("%s: %+v, want %d bytes gone", name, report, tc.hid)
		}
		if !bytes.Equal(before, tc.in.Data) {
			t.Errorf("%s: the client's bytes are changed", name)
		}
	}
	for name, tc := range map[string]struct {
		in   tensor.Tensor
		spec *codec.Spec
		room int
		want string
	}{
		"a file that is none":       {rows(4096, text, []byte("text")), open, 1 << 20, "image_format_unknown"},
		"an empty row":              {rows(4096, text, nil), open, 1 << 20, "image_format_unknown"},
		"a shape that says more":    {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{2, 4096}, Data: text}, open, 1 << 20, "tensor_shape"},
		"three dimensions":          {tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{1, 1, int64(len(text))}, Data: text}, open, 1 << 20, "tensor_shape"},
		"no room for the files":     {rows(4096, text, photo), open, len(stripped), "body_too_large"},
		"no room for the zeros":     {rows(4096, text, photo), fixed, 5000, "body_too_large"},
		"a file in the wrong place": {rows(4096, append([]byte{0}, text...)), open, 1 << 20, "image_format_unknown"},
	} {
		if _, _, err := sanitizeInput(t.Context(), rule, tc.in, tc.spec, tc.room); reason(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// Padding changes nothing, in files of every format, and counts as nothing but in TIFF,
// which does not say where it ends.
func TestRowsOfEveryFormat(t *testing.T) {
	files, err := filepath.Glob("../sanitize/testdata/*/*.*")
	if err != nil {
		t.Fatal(err)
	}
	rule := policy.Input{Kind: policy.Image, Image: sanitize.ImageOptions{Formats: sanitize.ImageFormats(), Animation: sanitize.AnimationKeep}}
	tried := map[string]int{}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, wantReport, err := sanitize.Image(t.Context(), file, rule.Image)
		if err != nil || bytes.HasSuffix(file, []byte{0}) && wantReport.Format != sanitize.FormatTIFF && wantReport.Format != sanitize.FormatBMP {
			continue // none that a model would get, or zeros that are behind the file
		}
		tried[wantReport.Format]++
		in := rows(len(file)+100, file)
		out, report, err := sanitizeInput(t.Context(), rule, in, &codec.Spec{Shape: []int64{-1, -1}}, 1<<24)
		if err != nil || !bytes.Equal(out.Data, want) {
			t.Errorf("%s: %d bytes, want %d (%v)", path, len(out.Data), len(want), err)
		}
		if report.Format != sanitize.FormatTIFF && removed(report) != removed(wantReport) {
			t.Errorf("%s: %+v, without padding %+v", path, report, wantReport)
		}
	}
	for _, format := range sanitize.ImageFormats() {
		if tried[format] == 0 {
			t.Errorf("no file of format %s", format)
		}
	}
}

// A file that grows has to fit into the rows of the model's input.
func TestFilesThatGrow(t *testing.T) {
	grow := func(file []byte) ([]byte, sanitize.Report, error) {
		return append(bytes.Clone(file), "more"...), sanitize.Report{Action: sanitize.Renormalised}, nil
	}
	in := rows(8, []byte("12345678"), []byte("1234"))
	out, _, err := eachRow(t.Context(), in, &codec.Spec{Shape: []int64{-1, -1}}, 100, grow)
	if err != nil || !slices.Equal(out.Shape, []int64{2, 12}) || string(out.Data) != "12345678more1234more\x00\x00\x00\x00" {
		t.Errorf("%v %q, %v", out.Shape, out.Data, err)
	}
	_, _, err = eachRow(t.Context(), in, &codec.Spec{Shape: []int64{-1, 8}}, 100, grow)
	if reason(err) != "body_too_large" {
		t.Errorf("%+v", err)
	}
	// In shadow mode the model gets what the client sent, whatever would have become of it.
	if limits(err) {
		t.Errorf("a limit that holds in shadow mode: %v", err)
	}
}

// The limits that hold in shadow mode are those of what the client sent.
func TestLimits(t *testing.T) {
	text := policy.Input{Kind: policy.Text, Text: sanitize.TextOptions{MaxBytes: 20}}
	element := func(value string) tensor.Tensor {
		return tensor.Tensor{DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, []byte(value))}
	}
	for name, tc := range map[string]struct {
		rule policy.Input
		in   tensor.Tensor
		want bool
	}{
		"a long text":                {text, element(strings.Repeat("a", 21)), true},
		"a text with a long form":    {text, element(strings.Repeat("\U0001D160", 4)), false}, // 12 bytes each in NFC
		"a text that is not UTF-8":   {text, element("\xff"), false},
		"a large image":              {policy.Input{Kind: policy.Image, Image: sanitize.ImageOptions{Limits: sanitize.ImageLimits{MaxBytes: 9}}}, element(string(jpegFile(t))), true},
		"a large image, in rows":     {policy.Input{Kind: policy.Image, Image: sanitize.ImageOptions{Limits: sanitize.ImageLimits{MaxBytes: 9}}}, rows(4096, jpegFile(t)), true},
		"an image of many pixels":    {policy.Input{Kind: policy.Image, Image: sanitize.ImageOptions{Limits: sanitize.ImageLimits{MaxPixels: 9}}}, element(string(jpegFile(t))), true},
		"an image that is malformed": {policy.Input{Kind: policy.Image}, element("\xff\xd8\xff\xe0"), false},
	} {
		_, _, err := sanitizeInput(t.Context(), tc.rule, tc.in, &codec.Spec{Shape: []int64{-1, -1}}, 1<<20)
		if err == nil || limits(err) != tc.want {
			t.Errorf("%s: %v is a limit: %t, want %t", name, err, limits(err), tc.want)
		}
	}
}

// Formats whose files may end in zeros keep theirs, as far as they say how long they are.
func TestUnpadded(t *testing.T) {
	webp := append([]byte("RIFF\x0e\x00\x00\x00WEBPVP8L"), 1, 0, 0, 0, 0, 0)
	bmp := append([]byte("BM\x20\x00\x00\x00\x00\x00\x00\x00\x1a\x00\x00\x00\x0c\x00\x00\x00"), make([]byte, 14)...)
	tiff := append([]byte("II*\x00\x08\x00\x00\x00"), make([]byte, 9)...)
	padding := make([]byte, 20)
	for name, tc := range map[string]struct {
		row  []byte
		want int
	}{
		"PNG":                     {append([]byte("\x89PNG\r\n\x1a\n...."), padding...), 12},
		"nothing":                 {padding, 0},
		"WebP":                    {append(webp, padding...), len(webp)},
		"WebP, longer than it is": {append([]byte("RIFF\xff\xff\xff\xffWEBPVP8L"), padding...), 16 + len(padding)},
		"BMP":                     {append(bmp, padding...), 32},
		"BMP, shorter than it is": {append(append(bmp[:2:2], 5), append(bmp[3:], 1)...), len(bmp) + 1},
		"TIFF":                    {append(tiff, padding...), len(tiff) + len(padding)},
	} {
		if got := len(unpadded(tc.row)); got != tc.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tc.want)
		}
	}
}

func TestImageInDataURI(t *testing.T) {
	file := pngWithText(t)
	rule := policy.Input{Kind: policy.Image, Encoding: policy.DataURI}
	uri := func(head string, file []byte) tensor.Tensor {
		return tensor.Tensor{Name: "I", DataType: tensor.Bytes, Shape: []int64{1},
			Data: tensor.AppendElement(nil, []byte(head+base64.StdEncoding.EncodeToString(file)))}
	}
	// The type is that of the content, whatever the client calls it.
	out, _, err := sanitizeInput(t.Context(), rule, uri("data:image/jpeg;base64,", file), nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(string(out.Data[4:]), "data:image/png;base64,")
	clean, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || !bytes.HasPrefix(clean, file[:8]) || bytes.Contains(clean, []byte("secret")) {
		t.Errorf("%q, %v", out.Data, err)
	}
	if size := binary.LittleEndian.Uint32(out.Data); int(size) != len(out.Data)-4 {
		t.Errorf("an element of %d bytes says %d", len(out.Data)-4, size)
	}
	for name, tc := range map[string]struct {
		in   tensor.Tensor
		want string
	}{
		"bytes":              {tensor.Tensor{DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, file)}, "remote_content_denied"},
		"a URL":              {uri("https://example.com/", file), "remote_content_denied"},
		"in capitals":        {uri("DATA:image/png;base64,", file), "remote_content_denied"},
		"a parameter":        {uri("data:image/png;charset=utf-8;base64,", file), "input_data_invalid"},
		"no base64":          {uri("data:image/png,", file), "input_data_invalid"},
		"no comma":           {uri("data:image/png;base64", nil), "input_data_invalid"},
		"no image":           {uri("data:application/octet-stream;base64,", file), "input_data_invalid"},
		"an unknown type":    {uri("data:image/avif;base64,", file), "input_data_invalid"},
		"a space":            {uri("data:image/png;base64, ", file), "input_data_invalid"},
		"a type, no picture": {uri("data:image/png;base64,", []byte("text")), "image_format_unknown"},
		"rows":               {rows(4096, file), "tensor_datatype"},
	} {
		if _, _, err := sanitizeInput(t.Context(), rule, tc.in, nil, 1<<20); reason(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}

// Pixels go through their own verb, whatever their datatype.
func TestPixels(t *testing.T) {
	rule := policy.Input{Kind: policy.Pixels, Pixels: sanitize.PixelOptions{Layout: "HW", Profile: sanitize.ProfileLight}}
	in := tensor.Tensor{Name: "I", DataType: tensor.FP32, Shape: []int64{2, 1}, Data: []byte{0, 0, 0, 0, 1, 0, 0x80, 0x3f}} // 0, and a bit more than 1
	out, report, err := sanitizeInput(t.Context(), rule, in, nil, 1<<20)
	if err != nil || report.Action != sanitize.Renormalised || !bytes.Equal(out.Data, []byte{0, 0, 0, 0, 0, 0, 0x80, 0x3f}) {
		t.Errorf("%v, %+v, %v", out.Data, report, err)
	}
	in.Data[7] = 0x40
	if _, _, err := sanitizeInput(t.Context(), rule, in, nil, 1<<20); reason(err) != "tensor_range" {
		t.Errorf("a sample of 4: %v", err)
	}
}

// FuzzRows holds that rows in the same size never fail for their size, and that what
// comes out is as long as its shape says.
func FuzzRows(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00"), uint8(5), true)
	f.Add([]byte("RIFF\xff\xff\xff\xffWEBP\x00\x00\x00"), uint8(15), false)
	f.Fuzz(func(t *testing.T, data []byte, width uint8, fixed bool) {
		if width == 0 {
			return
		}
		n := len(data) / int(width)
		in := tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{int64(n), int64(width)}, Data: data[:n*int(width)]}
		spec := &codec.Spec{Shape: []int64{-1, -1}}
		if fixed {
			spec.Shape[1] = int64(width)
		}
		var files [][]byte
		out, _, err := eachRow(t.Context(), in, spec, 1<<20, func(file []byte) ([]byte, sanitize.Report, error) {
			files = append(files, file)
			return file, sanitize.Report{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Validate(); err != nil || len(files) != n || fixed && out.Shape[1] != int64(width) {
			t.Fatalf("%v of %d files, %v", out.Shape, len(files), err)
		}
		for i, file := range files {
			row := out.Data[i*int(out.Shape[1]) : (i+1)*int(out.Shape[1])]
			if !bytes.HasPrefix(row, file) || len(bytes.Trim(row[len(file):], "\x00")) > 0 {
				t.Fatalf("row %d is %q, its file %q", i, row, file)
			}
		}
	})
}
