package filter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// upper is a verb that shows what it was given.
func upper(value []byte) ([]byte, sanitize.Report, error) {
	if len(value) == 0 {
		return nil, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.ImageMalformed}
	}
	return bytes.ToUpper(value), sanitize.Report{Kind: "k", Action: sanitize.Stripped}, nil
}

func TestInBase64(t *testing.T) {
	verb, write := encoded(policy.Base64, upper)
	for text, want := range map[string]string{"YQ==": "QQ==", "YWI=": "QUI=", "YWJj": "QUJD", "Pz8/": "Pz8/", "YWJjZA==": "QUJDRA=="} {
		value, report, err := verb([]byte(text))
		if err != nil || report.Kind != "k" {
			t.Errorf("%s: %+v, %v", text, report, err)
		}
		if got, err := write([]byte(">"), value); err != nil || string(got) != ">"+want {
			t.Errorf("%s: %s, %v, want >%s", text, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"no padding": "YQ", "half a padding": "YQ=", "too much padding": "YQ===", "padding within": "YQ==YQ==", "padding alone": "==",
		"bits left over": "YR==", "bits left over in the third": "YWJ=", "line break": "YW\nJj", "line break at the end": "YWJj\n",
		"carriage return": "\rYWJj", "space": "YW Jj", "another character": "YWJj!", "URL alphabet": "-_-_", "one character": "Y",
		"data URI": "data:image/png;base64,YWJj", "NUL": "YWJj\x00", "not ASCII": "YWJé",
	} {
		got, _, err := verb([]byte(text))
		var refusal *codec.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != codec.InputDataInvalid || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	var refusal *sanitize.Refusal
	if _, _, err := verb(nil); !errors.As(err, &refusal) {
		t.Errorf("what the verb refuses: %v", err)
	}
}

// pngWithText is a picture with a text chunk behind its header.
func pngWithText(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25 // signature and IHDR
	chunk := []byte("tEXtComment\x00secret")
	text := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	text = binary.BigEndian.AppendUint32(append(text, chunk...), crc32.ChecksumIEEE(chunk))
	return slices.Concat(file.Bytes()[:header], text, file.Bytes()[header:])
}

// The rule of an image in base64 sanitises the picture within it.
func TestImageInBase64(t *testing.T) {
	file := pngWithText(t)
	rule := policy.Input{Kind: policy.Image, Encoding: policy.Base64, Image: sanitize.ImageOptions{Profile: sanitize.ProfileStrip}}
	in := tensor.Tensor{Name: "I", DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, []byte(base64.StdEncoding.EncodeToString(file)))}
	out, report, err := sanitizeInput(t.Context(), rule, in, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	clean, err := base64.StdEncoding.DecodeString(string(out.Data[4:]))
	if err != nil || !bytes.HasPrefix(clean, file[:8]) || strings.Contains(string(clean), "secret") || removed(report) == 0 {
		t.Errorf("%q, %+v, %v", clean, report, err)
	}
	rule.Encoding = policy.Raw
	if _, _, err := sanitizeInput(t.Context(), rule, in, nil, 1<<20); err == nil {
		t.Error("base64 passes as the bytes of a file")
	}
	rule.Encoding, in.Data = policy.Base64, tensor.AppendElement(nil, file)
	if _, _, err := sanitizeInput(t.Context(), rule, in, nil, 1<<20); err == nil {
		t.Error("the bytes of a file pass as base64")
	}
}

// What one large value takes beside itself is the file in it, what is made of the file,
// and the value anew: never the value twice.
func TestMemoryOfEncodings(t *testing.T) {
	file := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 3<<20)...)
	text := base64.StdEncoding.EncodeToString(file)
	for encoding, value := range map[policy.Encoding]string{policy.Base64: text, policy.DataURI: "data:image/png;base64," + text} {
		verb, write := encoded(encoding, func(file []byte) ([]byte, sanitize.Report, error) {
			return bytes.Clone(file), sanitize.Report{}, nil
		})
		in := tensor.Tensor{DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, []byte(value))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, _, err := eachElement(t.Context(), in, 2*len(in.Data), verb, write)
		runtime.ReadMemStats(&after)
		if err != nil || !bytes.Equal(out.Data, in.Data) {
			t.Fatalf("encoding %d: %d bytes become %d, %v", encoding, len(in.Data), len(out.Data), err)
		}
		if took := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(in.Data)); took > 2.6 {
			t.Errorf("encoding %d takes %.2f times the value", encoding, took)
		}
	}
}

// A value may not grow beyond what there is room for, whatever form it travels in.
func TestNoRoomForBase64(t *testing.T) {
	in := tensor.Tensor{DataType: tensor.Bytes, Shape: []int64{1}, Data: tensor.AppendElement(nil, []byte("YWJjZGVm"))}
	verb, write := encoded(policy.Base64, upper)
	for room, want := range map[int]string{12: "", 11: "body_too_large", 10: "body_too_large", 9: "body_too_large"} {
		if _, _, err := eachElement(t.Context(), in, room, verb, write); reason(err) != want {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

// FuzzInBase64 holds that nothing has two spellings: what is taken is what encoding
// its value gives.
func FuzzInBase64(f *testing.F) {
	for _, text := range []string{"YQ==", "YWJj", "YR==", "YW\nJj", "-_-_"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var value []byte
		_, _, err := fromBase64(func(v []byte) ([]byte, sanitize.Report, error) { value = v; return v, sanitize.Report{}, nil })(text)
		if err == nil && base64.StdEncoding.EncodeToString(value) != string(text) {
			t.Fatalf("%q is taken as %q", text, value)
		}
	})
}
