package sanitize_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"testing"

	"weir/sanitize"
	"weir/sanitize/tensor"
)

// Files that only others read are no numbers and no texts either: whoever declares an
// input as such does not mean what OpenCV or Pillow would make of them.
func TestFilesThatWeirDoesNotRead(t *testing.T) {
	bmp := func(header uint32, depth uint16, compression uint32) string {
		file := append([]byte("BM"), make([]byte, 60)...)
		binary.LittleEndian.PutUint32(file[14:], header)
		binary.LittleEndian.PutUint16(file[28:], depth)
		binary.LittleEndian.PutUint32(file[30:], compression)
		return string(file)
	}
	for file, want := range map[string]string{
		bmp(36, 24, 0): "bmp", bmp(44, 24, 0): "bmp", bmp(200, 8, 1): "bmp", bmp(1000, 32, 3): "bmp", // OpenCV 4.11 decodes these
		bmp(35, 24, 0): "", bmp(44, 3, 0): "", bmp(44, 24, 4): "", bmp(1<<31, 24, 0): "",
		"\x00\x00\x00\x0CjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 ": "jp2", "\xFF\x4F\xFF\x51\x00\x2F": "jp2",
		"\x00\x00\x00\x0CJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl ": "jxl", "#?RADIANCE\nFORMAT=32-bit": "hdr", "#?RGBE\n": "hdr",
		"\x76\x2F\x31\x01\x02\x00\x00\x00": "exr", "\x59\xA6\x6A\x95\x00\x00\x00\x08": "ras", "8BPS\x00\x01": "psd",
		"qoif\x00\x00\x00\x08": "qoi", "DDS |\x00\x00\x00\x0F": "dds", "qoif is a format": "", "#?RADIANCE is another": "",
	} {
		if got := sanitize.SniffImage([]byte(file)); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
		file += string(make([]byte, 64))
		in := tensor.Tensor{DataType: tensor.Uint8, Shape: []int64{int64(len(file))}, Data: []byte(file)}
		_, _, err := sanitize.Tensor(in, sanitize.TensorOptions{})
		var refusal *sanitize.Refusal
		if (want != "") != (errors.As(err, &refusal) && refusal.Reason == sanitize.TensorHoldsImage) {
			t.Errorf("%q as numbers: %v", file, err)
		}
		_, _, err = sanitize.Text([]byte(base64.StdEncoding.EncodeToString([]byte(file))), sanitize.TextOptions{})
		if (want != "") != (errors.As(err, &refusal) && refusal.Reason == sanitize.TextHoldsImage) {
			t.Errorf("%q as a text: %v", file, err)
		}
		if _, _, err = sanitize.Image(t.Context(), []byte(file), sanitize.ImageOptions{Formats: sanitize.ImageFormats()}); err == nil {
			t.Errorf("%q as an image passes", file)
		}
	}
}
