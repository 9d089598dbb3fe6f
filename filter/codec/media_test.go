package codec_test

import (
	"errors"
	"testing"

	"weir/filter/codec"
)

func TestImageURI(t *testing.T) {
	files := map[string]string{"png": "\x89PNG\r\n\x1a\n", "jpeg": "\xff\xd8\xff", "gif": "GIF89a", "tiff": "II*\x00",
		"webp": "RIFF\x00\x00\x00\x00WEBP", "bmp": "BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00"}
	for format, file := range files {
		uri, err := codec.AppendImageURI([]byte("x"), []byte(file))
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		text, err := codec.CutImageURI(uri[1:])
		if err != nil || string(uri[1:len(uri)-len(text)]) != "data:image/"+format+";base64," {
			t.Errorf("%s: %q, %v", format, uri, err)
		}
		if got, err := codec.AppendBase64(nil, text); err != nil || string(got) != file {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
	if text, err := codec.CutImageURI([]byte("data:image/jpg;base64,/9j/")); err != nil || string(text) != "/9j/" {
		t.Errorf("jpg: %q, %v", text, err)
	}
	for _, file := range []string{"", "text", "\x00\x00\x00\x10ftypavif\x00\x00\x00\x00"} {
		var refusal *codec.Refusal
		if uri, err := codec.AppendImageURI(nil, []byte(file)); !errors.As(err, &refusal) || uri != nil {
			t.Errorf("%q as %q, %v", file, uri, err)
		}
	}
}
