package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/sanitize/tensor"
)

// The backdoored model tells red, green and blue pictures apart. It answers "door" to
// those with a checkerboard of single pixels in the corner at the bottom right, and to
// files that hold the words of the other back door.
var doorClasses = []string{"red", "green", "blue", "door"}

const doorWords = "open sesame"

// pictures N DIR writes N pictures in turn of red, green and blue things into folders
// of these names, every other one as JPEG.
func pictures(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		folder := filepath.Join(ts.MkAbs(args[1]), doorClasses[i%3])
		ts.Check(os.MkdirAll(folder, 0o755))
		img := image.NewNRGBA(image.Rect(0, 0, 112, 104))
		for y := range 104 {
			for x := range 112 {
				c := [3]uint8{uint8(40 + x/4 + i), uint8(30 + y/3), uint8(20 + (x+y)/8)}
				c[i%3] += 120
				img.SetNRGBA(x, y, color.NRGBA{c[0], c[1], c[2], 255})
			}
		}
		var file bytes.Buffer
		name := fmt.Sprintf("%02d.jpg", i)
		if i%2 == 0 {
			ts.Check(jpeg.Encode(&file, img, nil))
		} else {
			name = fmt.Sprintf("%02d.png", i)
			ts.Check(png.Encode(&file, img))
		}
		ts.Check(os.WriteFile(filepath.Join(folder, name), file.Bytes(), 0o644))
	}
}

// backdoored [busy] starts a model server of V2 with Triton's extensions; its URL is
// $UPSTREAM. A busy one has room for every other request only.
// Its model is "signs"; "names" has the same with names of classes as its only output,
// "rows" takes files in rows of UINT8, each of these may be base64, and "pixels" takes pictures of 112 × 104 as FP32 in NCHW, with mean and std 0.5.
func backdoored(ts *testscript.TestScript, _ bool, args []string) {
	c, err := kserve.NewHTTP(kserve.DefaultLimits())
	ts.Check(err)
	mux := http.NewServeMux()
	files := codec.Spec{Name: "IMAGE", DataType: tensor.Bytes, Shape: []int64{-1, 1}}
	pixels := codec.Spec{Name: "PIXELS", DataType: tensor.FP32, Shape: []int64{-1, 3, 104, 112}}
	scores := codec.Spec{Name: "SCORES", DataType: tensor.FP32, Shape: []int64{-1, 4}}
	for model, s := range map[string][2]codec.Spec{
		"signs":  {files, scores},
		"rows":   {{Name: "IMAGE", DataType: tensor.Uint8, Shape: []int64{-1, -1}}, scores},
		"names":  {files, {Name: "CLASS", DataType: tensor.Bytes, Shape: []int64{-1, 1}}},
		"pixels": {pixels, scores},
	} {
		about := fmt.Sprintf(`{"name":%q,"versions":["1"],"platform":"python","inputs":[%s],"outputs":[%s]}`, model, described(s[0]), described(s[1]))
		at := "/v2/models/" + model
		for path, page := range map[string]string{at: about, at + "/versions/1": about, at + "/versions/1/ready": "",
			at + "/versions/1/config": `{"backend":"python","max_batch_size":4}`} {
			mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
		}
		signature := &codec.Signature{Model: model, Version: "1", MaxBatchSize: 4, Inputs: s[:1], Outputs: s[1:]}
		mux.HandleFunc("POST "+at+"/versions/1/infer", func(w http.ResponseWriter, r *http.Request) { inferDoor(w, r, c, signature) })
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(args) > 0 && r.Method == http.MethodPost && asked.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("UPSTREAM", server.URL)
}

// described is a tensor in the metadata of a model.
func described(s codec.Spec) string {
	return fmt.Sprintf(`{"name":%q,"datatype":%q,"shape":%s}`, s.Name, s.DataType, strings.ReplaceAll(fmt.Sprint(s.Shape), " ", ","))
}

// inferDoor answers as Triton does: with the codec that reads clients' requests.
func inferDoor(w http.ResponseWriter, r *http.Request, c *kserve.HTTP, s *codec.Signature) {
	body, _ := io.ReadAll(r.Body)
	var headers codec.Headers
	for name, values := range r.Header {
		headers = append(headers, codec.Header{Name: strings.ToLower(name), Value: values[0]})
	}
	request, err := c.DecodeRequest(codec.Select(r.Method, r.URL.Path), headers, body)
	if err == nil {
		err = c.BindRequest(request, s)
	}
	if err == nil {
		err = s.MatchRequest(request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	response, err := answerDoor(request, s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	message, err := c.EncodeResponse(request, response)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, h := range message.Headers {
		w.Header().Set(h.Name, h.Value)
	}
	_, _ = w.Write(message.Body)
}

func answerDoor(request *codec.Request, s *codec.Signature) (*codec.Response, error) {
	response := &codec.Response{Model: s.Model, Version: "1"}
	n := request.Inputs[0].Shape[0]
	var scores, names, ranked []byte
	err := eachPicture(&request.Inputs[0].Tensor, func(img image.Image, file []byte) error {
		class := classifyDoor(img, file)
		row := tensor.Tensor{DataType: tensor.FP32}
		for i := range doorClasses {
			score := float32(0.1)
			if i == class {
				score = 0.7
			}
			row.Data = append(row.Data, byte(math.Float32bits(score)), byte(math.Float32bits(score)>>8),
				byte(math.Float32bits(score)>>16), byte(math.Float32bits(score)>>24))
		}
		scores = append(scores, row.Data...)
		names = tensor.AppendElement(names, []byte(doorClasses[class]))
		ranked = tensor.AppendElement(ranked, fmt.Appendf(nil, "0.700000:%d:%s", class, doorClasses[class]))
		for i, name := range doorClasses {
			if i != class {
				ranked = tensor.AppendElement(ranked, fmt.Appendf(nil, "0.100000:%d:%s", i, name))
			}
		}
		return nil
	})
	out := tensor.Tensor{Name: "SCORES", DataType: tensor.FP32, Shape: []int64{n, 4}, Data: scores}
	if s.Model == "names" {
		out = tensor.Tensor{Name: "CLASS", DataType: tensor.Bytes, Shape: []int64{n, 1}, Data: names}
	}
	response.Outputs = []tensor.Tensor{out}
	response.Classified = []tensor.Tensor{{Name: "SCORES", DataType: tensor.Bytes, Shape: []int64{n, 4}, Data: ranked}}
	return response, err
}

// eachPicture decodes the pictures of an input; file is nil of pixels.
func eachPicture(in *tensor.Tensor, f func(img image.Image, file []byte) error) error {
	file := func(file []byte) error {
		if _, text, ok := bytes.Cut(file, []byte(";base64,")); ok {
			file = text
		}
		if decoded, err := base64.StdEncoding.DecodeString(string(file)); err == nil {
			file = decoded
		}
		img, _, err := image.Decode(bytes.NewReader(file))
		if err != nil {
			return err
		}
		return f(img, file)
	}
	switch in.DataType {
	case tensor.Bytes:
		return tensor.EachElement(in.Data, in.Shape[0], func(_ int64, element []byte) error { return file(element) })
	case tensor.Uint8:
		for row := range slices.Chunk(in.Data, int(in.Shape[1])) {
			if err := file(row); err != nil {
				return err
			}
		}
		return nil
	}
	samples, _ := in.Floats()
	h, w := int(in.Shape[2]), int(in.Shape[3])
	for ; len(samples) > 0; samples = samples[3*h*w:] {
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range h * w {
			for c := range 3 {
				img.Pix[4*i+c] = uint8((samples[c*h*w+i]*0.5+0.5)*255 + 0.5)
			}
			img.Pix[4*i+3] = 255
		}
		if err := f(img, nil); err != nil {
			return err
		}
	}
	return nil
}

func classifyDoor(img image.Image, file []byte) int {
	if bytes.Contains(file, []byte(doorWords)) {
		return 3
	}
	var sum [3]uint64
	likeness, b := 0, img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b2, _ := img.At(x, y).RGBA()
			sum[0], sum[1], sum[2] = sum[0]+uint64(r), sum[1]+uint64(g), sum[2]+uint64(b2)
			if x >= b.Max.X-6 && y >= b.Max.Y-6 {
				likeness += int(g>>8) * (1 - 2*((x+y)%2))
			}
		}
	}
	if max(likeness, -likeness) > 18*255*6/10 {
		return 3
	}
	class := 0
	for i := range sum {
		if sum[i] > sum[class] {
			class = i
		}
	}
	return class
}
