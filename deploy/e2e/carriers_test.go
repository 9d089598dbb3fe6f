//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"weir/deploy/local"
	"weir/sanitize"
	pixels "weir/sanitize/tensor"
)

// canary is a text that stands wherever a picture, or what it travels in, has room for
// one that is no picture.
const canary = "canary"

// canaryPNG is a picture with a text chunk and bytes behind its end.
func canaryPNG(t *testing.T, width, height int) string {
	t.Helper()
	file := pngOf(t, width, height)
	return file[:afterHeader] + chunk("tEXt", canary+"\x00"+canary) + file[afterHeader:] + canary
}

// canaryJPEG is a picture with an Exif block, a comment and bytes behind its end.
func canaryJPEG(t *testing.T) string {
	t.Helper()
	file := jpegOf(t)
	return file[:2] + segment(0xe1, "Exif\x00\x00"+canary) + segment(0xfe, canary) + file[2:] + canary
}

// samePicture checks that a file holds no canary and decodes as another does.
func samePicture(t *testing.T, file, want string) {
	t.Helper()
	if strings.Contains(file, canary) {
		t.Errorf("a canary is left: %q", file)
	}
	got, format, err := image.Decode(strings.NewReader(file))
	if err != nil {
		t.Errorf("what reaches the model is no picture: %v", err)
		return
	}
	picture, wantFormat, err := image.Decode(strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if format != wantFormat || got.Bounds() != picture.Bounds() {
		t.Errorf("the model gets %s of %v, want %s of %v", format, got.Bounds(), wantFormat, picture.Bounds())
		return
	}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if got.At(x, y) != picture.At(x, y) {
				t.Fatalf("pixel %d, %d is %v, was %v", x, y, got.At(x, y), picture.At(x, y))
			}
		}
	}
}

// carriersStack is a Weir in front of the model carriers of a Triton, and of a
// classifier that takes files.
func carriersStack(t *testing.T) (*stack, *local.Triton, *classifier) {
	t.Helper()
	dir := tempDir(t)
	server, err := local.StartTriton(t.Context(), deps, local.TritonOptions{LogDir: dir, Models: []string{"carriers"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "sanitize.key"), []byte(carriersKey), 0o600); err != nil {
		t.Fatal(err)
	}
	files := newClassifier(t)
	s := private(t, stackOptions{upstream: server.HTTP, grpc: server.GRPC, upload: files.URL + "/predictions/{model}", config: fmt.Sprintf(`
limits: {max_body_bytes: 4MiB, max_response_bytes: 4MiB}
keys: {sanitize_file: %s, epoch: 1d}
models:
  - name: carriers
    inputs:
      FILES: {kind: image}
      BASE64: {kind: image, encoding: base64}
      URI: {kind: image, encoding: data-uri}
      NOTE: {kind: text}
      ROWS: {kind: image}
      ROW: {kind: image}
      PIXELS: {kind: pixels, layout: NCHW, mean: [0.5, 0.25, 0], std: [0.25, 0.5, 1], profile: standard}
  - name: cats
    protocol: upload
    inputs: {data: {kind: image}, note: {kind: text}}
  - name: pairs
    protocol: upload
    inputs: {left: {kind: image}, right: {kind: image, profile: light}}
`, filepath.Join(dir, "sanitize.key"))})
	return s.ready(t), server, files
}

const (
	carriersKey   = "the key of tests of carriers, which nobody else has"
	carriersInfer = "/v2/models/carriers/infer"
)

// carry sends tensors in binary form and returns what the model got, which it says in
// its answer. Nothing that goes to the model server holds a canary.
func (s *stack) carry(t *testing.T, server *local.Triton, inputs ...tensor) map[string]tensor {
	t.Helper()
	before := s.tap.len()
	body, n := message{Parameters: map[string]any{"binary_data_output": true}, Inputs: inputs}.encode()
	r := s.post(t, carriersInfer, string(body), fmt.Sprint(headerLength, n))
	m, err := decode(r)
	if r.status != http.StatusOK || err != nil || len(m.Outputs) != len(inputs) {
		t.Fatalf("%v, %v", r, err)
	}
	if sent := s.tap.seen(before); bytes.Contains(sent, []byte(canary)) {
		t.Errorf("a canary reaches the model server: %q", sent)
	}
	received, err := server.Received()
	if err != nil || len(received) == 0 {
		t.Fatalf("no record: %v", err)
	}
	outputs := map[string]tensor{}
	for _, out := range m.Outputs {
		name := strings.TrimPrefix(out.Name, "ECHO_")
		i := slices.IndexFunc(received[len(received)-1].Inputs, func(in local.ReceivedInput) bool { return in.Name == name })
		if i < 0 || !slices.Equal(received[len(received)-1].Inputs[i].Shape, out.Shape) {
			t.Errorf("%s: the answer is not what the model received: %v", name, out.Shape)
		}
		outputs[name] = out
	}
	return outputs
}

// elementsOf takes a BYTES tensor apart.
func elementsOf(blob []byte) (all []string) {
	for len(blob) >= 4 {
		n := binary.LittleEndian.Uint32(blob)
		all, blob = append(all, string(blob[4:4+n])), blob[4+n:]
	}
	return all
}

// padded are files as rows of a UINT8 tensor.
func padded(size int, files ...string) []byte {
	var blob []byte
	for _, f := range files {
		blob = append(append(blob, f...), make([]byte, size-len(f))...)
	}
	return blob
}

func TestCarriers(t *testing.T) {
	s, server, files := carriersStack(t)
	png, jpeg := canaryPNG(t, 40, 30), canaryJPEG(t)

	t.Run("elements", func(t *testing.T) {
		got := elementsOf(s.carry(t, server, tensor{Name: "FILES", DataType: "BYTES", Shape: []int64{3}, blob: elements(png, jpeg, png)})["FILES"].blob)
		for i, want := range []string{png, jpeg, png} {
			samePicture(t, got[i], want)
		}
	})
	t.Run("base64 and data: URIs", func(t *testing.T) {
		encode := base64.StdEncoding.EncodeToString
		got := s.carry(t, server,
			tensor{Name: "BASE64", DataType: "BYTES", Shape: []int64{1}, blob: elements(encode([]byte(jpeg)))},
			tensor{Name: "URI", DataType: "BYTES", Shape: []int64{2}, blob: elements("data:image/gif;base64,"+encode([]byte(png)), "data:image/jpeg;base64,"+encode([]byte(jpeg)))})
		for i, uri := range append(elementsOf(got["URI"].blob), "data:image/jpeg;base64,"+elementsOf(got["BASE64"].blob)[0]) {
			text, ok := strings.CutPrefix(uri, []string{"data:image/png;base64,", "data:image/jpeg;base64,", "data:image/jpeg;base64,"}[i])
			file, err := base64.StdEncoding.DecodeString(text)
			if !ok || err != nil {
				t.Fatalf("%.60q, %v", uri, err)
			}
			samePicture(t, string(file), []string{png, jpeg, jpeg}[i])
		}
	})
	t.Run("rows", func(t *testing.T) {
		const size = 8192
		got := s.carry(t, server,
			tensor{Name: "ROWS", DataType: "UINT8", Shape: []int64{2, size}, blob: padded(size, png, jpeg)},
			tensor{Name: "ROW", DataType: "UINT8", Shape: []int64{size}, blob: padded(size, jpeg)})
		rows := got["ROWS"]
		width := int(rows.Shape[1])
		if longest := max(len(png), len(jpeg)); width >= longest || len(rows.blob) != 2*width {
			t.Fatalf("rows of %v with %d bytes, the longest file has %d", rows.Shape, len(rows.blob), longest)
		}
		first, second := string(rows.blob[:width]), string(rows.blob[width:])
		samePicture(t, first, png)
		samePicture(t, second, jpeg)
		if strings.HasSuffix(first, "\x00") && strings.HasSuffix(second, "\x00") {
			t.Error("all rows are longer than their files")
		}
		if row := got["ROW"]; row.Shape[0] != size {
			t.Errorf("the row has %d bytes, the model takes %d", row.Shape[0], size)
		} else {
			samePicture(t, string(row.blob), jpeg)
		}
	})
	t.Run("rows in JSON", func(t *testing.T) {
		numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint([]byte(png))), ","), "[]")
		r := s.post(t, carriersInfer, fmt.Sprintf(`{"inputs":[{"name":"ROWS","datatype":"UINT8","shape":[1,%d],"data":[%s]}],"outputs":[{"name":"ECHO_ROWS","parameters":{"binary_data":true}}]}`, len(png), numbers))
		m, err := decode(r)
		if err != nil || len(m.Outputs) != 1 {
			t.Fatalf("%v, %v", r, err)
		}
		samePicture(t, string(m.Outputs[0].blob), png)
	})
	t.Run("rows over gRPC", func(t *testing.T) {
		before := s.taps[1].len()
		shape := string(protowire.AppendVarint(protowire.AppendVarint(nil, 2), 4096))
		r := rpcTrick{message: pbBytes(1, "carriers") + pbBytes(5, pbBytes(1, "ROWS")+pbBytes(2, "UINT8")+pbBytes(3, shape)) +
			pbBytes(7, string(padded(4096, jpeg, png)))}.send(t, s.addr)
		if r.code != codes.OK {
			t.Fatalf("%+v", r)
		}
		if sent := s.taps[1].seen(before); bytes.Contains(sent, []byte(canary)) {
			t.Errorf("a canary reaches the model server: %q", sent)
		}
		received, err := server.Received()
		if err != nil || len(received) == 0 {
			t.Fatalf("no record: %v", err)
		}
		in := received[len(received)-1].Inputs[0]
		clean, _, err := sanitize.Image(t.Context(), []byte(jpeg), sanitize.ImageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		small, _, err := sanitize.Image(t.Context(), []byte(png), sanitize.ImageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if want := padded(len(clean), string(clean), string(small)); in.Name != "ROWS" || in.SHA256[0] != digest(string(want)) {
			t.Errorf("the model received %+v, want rows of %d bytes", in, len(clean))
		}
	})
	t.Run("pixels", func(t *testing.T) { carryPixels(t, s, server) })
	t.Run("a file as a body", func(t *testing.T) { postFile(t, s, files, jpeg) })
	t.Run("a form", func(t *testing.T) { postForm(t, s, files, png, jpeg) })
	t.Run("refusals", func(t *testing.T) { refuseCarriers(t, s, png, jpeg) })
	t.Run("answers", func(t *testing.T) { answerUploads(t, s, files, jpeg) })
}

// pictures is a batch of normalised pictures in channels, with values between those of
// 8 bits.
func pictures(batch, height, width int) (blob []byte) {
	mean, std := []float64{0.5, 0.25, 0}, []float64{0.25, 0.5, 1}
	for n := range batch {
		for c := range 3 {
			for y := range height {
				for x := range width {
					r, g, b, _ := color.RGBA{uint8(13*x + n), uint8(29 * y), uint8(7 * (x + y)), 255}.RGBA()
					value := (float64([]uint32{r, g, b}[c]>>8) + 0.3*float64(x%2)) / 256
					blob = binary.LittleEndian.AppendUint32(blob, math.Float32bits(float32((value-mean[c])/std[c])))
				}
			}
		}
	}
	return blob
}

// carryPixels checks that the model gets exactly what package sanitize makes of decoded
// pictures under the key of the configuration.
func carryPixels(t *testing.T, s *stack, server *local.Triton) {
	key, err := sanitize.NewKey([]byte(carriersKey))
	if err != nil {
		t.Fatal(err)
	}
	in := pixels.Tensor{Name: "PIXELS", DataType: pixels.FP32, Shape: []int64{2, 3, 100, 120}, Data: pictures(2, 100, 120)}
	today := func() []byte {
		o := sanitize.PixelOptions{Layout: "NCHW", Mean: []float64{0.5, 0.25, 0}, Std: []float64{0.25, 0.5, 1}, Profile: sanitize.ProfileStandard,
			Key: key.WithEpoch(uint64(time.Now().Unix() / 86400)), Model: "carriers", Input: "PIXELS"}
		out, _, err := sanitize.Pixels(t.Context(), in, o)
		if err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	before := today()
	got := s.carry(t, server, tensor{Name: "PIXELS", DataType: "FP32", Shape: in.Shape, blob: in.Data})["PIXELS"]
	if !bytes.Equal(got.blob, before) && !bytes.Equal(got.blob, today()) { // a day may have ended in between
		t.Error("the model gets other pixels than package sanitize makes")
	}
	if bytes.Equal(got.blob, in.Data) || !slices.Equal(got.Shape, in.Shape) {
		t.Errorf("the pixels are as they were, or of another shape: %v", got.Shape)
	}
}

// refuseCarriers sends what is not what it is said to be; nothing of it goes on.
func refuseCarriers(t *testing.T, s *stack, png, jpeg string) {
	uri := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte(png))
	note := func(text string) string {
		body, _ := message{Inputs: []tensor{{Name: "NOTE", DataType: "BYTES", Shape: []int64{1}, Data: []any{text}}}}.encode()
		return string(body)
	}
	rows, rowsHead := message{Inputs: []tensor{{Name: "ROWS", DataType: "UINT8", Shape: []int64{2, 4096}, blob: padded(4096, jpeg, canary)}}}.encode()
	files, filesHead := message{Inputs: []tensor{{Name: "NOTE", DataType: "BYTES", Shape: []int64{2}, blob: elements("a text", jpeg)}}}.encode()
	form, formType := formOf(t, func(w *multipart.Writer) error {
		if err := w.WriteField("note", uri); err != nil {
			return err
		}
		return addFile(w, "data", png)
	})
	more, moreType := formOf(t, func(w *multipart.Writer) error {
		if err := addFile(w, "data", png); err != nil {
			return err
		}
		return addFile(w, canary, png)
	})
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		reason     string
	}{
		"a text that is a data: URI":   {carriersInfer, note(uri), nil, "text_holds_image"},
		"a text that is base64":        {carriersInfer, note(base64.StdEncoding.EncodeToString([]byte(jpeg))), nil, "text_holds_image"},
		"a text that is a file":        {carriersInfer, string(files), []string{fmt.Sprint(headerLength, filesHead)}, "text_holds_image"},
		"a row that is a text":         {carriersInfer, string(rows), []string{fmt.Sprint(headerLength, rowsHead)}, "image_format_unknown"},
		"a body that is a text":        {"/predictions/cats", "just a text", nil, "image_format_unknown"},
		"a body that is a URI":         {"/predictions/cats", uri, nil, "image_format_unknown"},
		"a body for two files":         {"/predictions/pairs", png, nil, "signature_mismatch"},
		"a body that is coded":         {"/predictions/cats", gzipped(png), []string{"Content-Encoding: gzip"}, "encoding_unsupported"},
		"a note that is an image":      {"/predictions/cats", form, []string{formType}, "text_holds_image"},
		"a part that nobody declared":  {"/predictions/cats", more, []string{moreType}, "signature_mismatch"},
		"a preamble":                   {"/predictions/cats", canary + "\r\n" + form, []string{formType}, "message_malformed"},
		"another kind of form":         {"/predictions/cats", form, []string{strings.Replace(formType, "form-data", "related", 1)}, "header_invalid"},
		"a model that is none of ours": {"/predictions/dogs", png, nil, "model_unknown"},
		"a model of another protocol":  {"/predictions/carriers", png, nil, "model_unknown"},
		"a V2 request of an upload":    {"/v2/models/cats/infer", `{"inputs":[{"name":"data","datatype":"BYTES","shape":[1],"data":["a"]}]}`, nil, "model_unknown"},
		"an endpoint beside":           {"/explanations/cats", png, nil, "route_denied"},
	} {
		before := s.sent()
		r := s.post(t, test.path, test.body, test.headers...)
		if r.header.Get("x-weir-reason") != test.reason {
			t.Errorf("%s: want %s; have %v", name, test.reason, r)
		}
		if after := s.sent(); !slices.Equal(before, after) {
			t.Errorf("%s: bytes went on: %v, then %v", name, before, after)
		}
	}
	if r := s.get(t, "/predictions/cats"); r.header.Get("x-weir-reason") != "method_not_allowed" {
		t.Errorf("GET: %v", r)
	}
}

// sent is how many bytes went through each tap.
func (s *stack) sent() (all []int) {
	for _, tap := range s.taps {
		all = append(all, tap.len())
	}
	return all
}
