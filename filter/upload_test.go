package filter_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"strconv"
	"testing"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/codec/upload"
	"weir/filter/policy"
)

// newUpload is a filter with one model that takes a file at /predictions/m.
func newUpload(t *testing.T) *rig {
	r := newRig(t)
	r.model = &policy.Model{Pattern: "m", Protocol: codec.Upload, Inputs: map[string]policy.Input{"data": {Kind: policy.Image}}}
	template, err := upload.ParseTemplate("/predictions/{model}")
	if err != nil {
		t.Fatal(err)
	}
	c, err := upload.New(template, "", upload.Limits{MaxBodyBytes: 1 << 20, MaxResponseBytes: 1 << 20, MaxJSONDepth: 16, MaxParts: 4, MaxNameBytes: 64})
	if err != nil {
		t.Fatal(err)
	}
	r.use(signatures{upload.Signature("m", []string{"data"}, nil)})
	runtime := *r.filter.Runtime()
	runtime.Codecs = codec.Codecs{codec.Upload: c, codec.KServeHTTP: runtime.Codecs[codec.KServeHTTP]}
	r.filter.Use(&runtime)
	return r
}

// A file is sanitised as every other input, and in shadow mode it goes on as it came.
func TestUpload(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	hidden := append(bytes.Clone(picture.Bytes()), "behind the end"...)
	for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow, policy.Off} {
		r := newUpload(t)
		r.model.Mode = mode
		x := r.filter.Begin(context.Background(), filter.Head{Method: "PUT", Path: "/predictions/m?x", Headers: codec.Headers{{Name: "content-type", Value: "image/jpeg"}}})
		defer x.End(nil)
		if a := x.RequestHead(false); a.Refusal != nil || a.Pass || a.Path != "/predictions/m" || x.Protocol() != codec.Upload {
			t.Fatalf("%s: head: %+v", mode, a)
		}
		a := x.RequestBody(hidden)
		if a.Message == nil || a.Path != "/predictions/m" {
			t.Fatalf("%s: %+v", mode, a)
		}
		got, hides := a.Message.Body, bytes.Contains(a.Message.Body, []byte("behind"))
		if mode == policy.Enforce && hides || mode != policy.Enforce && !bytes.Equal(got, hidden) {
			t.Errorf("%s: upstream gets %q", mode, got)
		}
		if length, _ := a.Message.Headers.Get("content-length"); length != strconv.Itoa(len(a.Message.Body)) {
			t.Errorf("%s: %+v", mode, a.Message.Headers)
		}
		if media, lines := a.Message.Headers.Get("content-type"); media != "image/png" || lines != 1 {
			t.Errorf("%s: %+v", mode, a.Message.Headers)
		}
		if a := x.ResponseHead(200, typeJSON, false, false); a.Refusal != nil {
			t.Fatalf("%s: %+v", mode, a)
		}
		if a = x.ResponseBody(200, typeJSON, []byte(`{ "cat": 1 }`)); a.Message == nil || string(a.Message.Body) != `{"cat":1}` {
			t.Errorf("%s: the client gets %+v", mode, a)
		}
	}
	x := newUpload(t).filter.Begin(context.Background(), filter.Head{Method: "POST", Path: "/predictions/m"})
	defer x.End(nil)
	if a := x.RequestHead(false); a.Refusal != nil {
		t.Fatalf("%+v", a)
	}
	if a := x.RequestBody(nil); a.Refusal == nil || a.Refusal.Reason != "image_format_unknown" {
		t.Errorf("an empty file: %+v", a)
	}
}
