//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io/fs"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/config"
)

// limit is a key of limits: in weir.yaml. A request of exactly this size passes, one
// that is larger by one is refused, and nothing of it reaches the model server.
type limit struct {
	key    string
	value  int
	reason string
	http   func(n int) trick    // a request that is n large in this respect
	rpc    func(n int) rpcTrick // the same over gRPC, if there is such a thing
}

// elsewhere are the keys that this table cannot hold, and the tests that hold them.
var elsewhere = map[string]string{
	"max_response_bytes":      "TestLargestResponse",
	"max_image_scans":         "TestImageRefusals", // two limits beside one picture
	"max_image_decoded_bytes": "TestPixelStepsShareMemory",
	"max_streams_in_flight":   "TestStreamsInFlight",
	"max_bytes_in_flight":     "TestBytesInFlight",
	"max_stream_requests":     "TestGRPC",
	"admission_timeout":       "TestTooMuchInFlight",
	"body_timeout":            "TestSlowBodyIsGivenUp",
	"stream_idle_timeout":     "TestSilentStreamIsGivenUp",
	"request_timeout":         "TestWeirIsLate",
}

// limits are small, so that requests are.
func limits(t *testing.T) []limit {
	const body = 256 << 10
	return []limit{
		{"max_body_bytes", body, "body_too_large", func(n int) trick { return trick{body: noise(n-len(good)) + good} },
			func(n int) rpcTrick { return rpcTrick{message: rpcBlob(n)} }},
		{"max_body_bytes", body, "body_too_large", // inflated
			func(n int) trick { return trick{body: huffman(noise(n-len(good)) + good), headers: gzipHeader} },
			func(n int) rpcTrick {
				return rpcTrick{frames: frame(1, huffman(rpcBlob(n))), headers: []string{"Grpc-Encoding: gzip"}}
			}},
		{"max_json_header_bytes", 400, "json_too_large", func(n int) trick {
			body, head := message{Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements("a")}}}.encode()
			padding := strings.Repeat(" ", n-head)
			return trick{body: string(body[:head]) + padding + string(body[head:]), headers: []string{fmt.Sprint(headerLength, n)}}
		}, nil},
		{"max_json_depth", 5, "json_too_deep", func(n int) trick {
			// The message, its inputs, and an input are three of them.
			data := strings.Repeat("[", n-3) + "1" + strings.Repeat("]", n-3)
			return trick{path: identityInfer, body: `{"inputs":[{"data":` + data + `,"name":"UINT8","shape":[1,1],"datatype":"UINT8"}]}`}
		}, nil},
		{"max_inputs", 3, "inputs_too_many", func(n int) trick {
			return trick{path: identityInfer, body: `{"inputs":[` + integers(n, `{"name":"%[1]s","shape":[1,1],"datatype":"%[1]s","data":[1]}`) + `]}`}
		}, func(n int) rpcTrick {
			m := pbBytes(1, "identity")
			for _, name := range integerTypes[:n] {
				m += matrix(name, 1, pbBytes(5, pbVarint(contentsField(name), 1)))
			}
			return rpcTrick{message: m}
		}},
		{"max_outputs", 3, "outputs_too_many", func(n int) trick {
			return trick{path: identityInfer, body: `{"inputs":[` + integers(3, `{"name":"%[1]s","shape":[1,1],"datatype":"%[1]s","data":[1]}`) + `],"outputs":[` + integers(n, `{"name":"ECHO_%s"}`) + `]}`}
		}, func(n int) rpcTrick {
			m := pbBytes(1, "identity")
			for i, name := range integerTypes[:n] {
				if i < 3 {
					m += matrix(name, 1, pbBytes(5, pbVarint(contentsField(name), 1)))
				}
				m += pbBytes(6, pbBytes(1, "ECHO_"+name))
			}
			return rpcTrick{message: m}
		}},
		{"max_parameters", 2, "parameter_invalid", func(n int) trick {
			return trick{body: `{"parameters":{` + strings.Join([]string{`"a":1`, `"b":2`, `"c":3`}[:n], ",") + `},"inputs":[` + goodInput + `]}`}
		}, func(n int) rpcTrick {
			var more []string
			for _, name := range []string{"a", "b", "c"}[:n] {
				more = append(more, rpcParameter(4, name, pbVarint(2, 1)))
			}
			return rpcTrick{message: rpcText("a", more...)}
		}},
		{"max_rank", 2, "shape_invalid", func(n int) trick {
			return trick{path: identityInfer, body: numbers("UINT8", repeated(n, "1"), "1")}
		}, func(n int) rpcTrick {
			return rpcTrick{message: pbBytes(1, "identity") + pbBytes(5, pbBytes(1, "UINT8")+pbBytes(2, "UINT8")+pbBytes(3, strings.Repeat("\x01", n))) + pbBytes(7, "a")}
		}},
		{"max_elements", 6, "shape_invalid", func(n int) trick {
			return trick{path: identityInfer, body: numbers("UINT8", fmt.Sprintf("1,%d", n), repeated(n, "1"))}
		}, func(n int) rpcTrick {
			return rpcTrick{message: pbBytes(1, "identity") + matrix("UINT8", n) + pbBytes(7, strings.Repeat("a", n))}
		}},
		{"max_bytes_elements", 4, "shape_invalid", func(n int) trick {
			return trick{body: fmt.Sprintf(`{"inputs":[{"name":"TEXT","shape":[%d],"datatype":"BYTES","data":[%s]}]}`, n, repeated(n, `"a"`))}
		}, func(n int) rpcTrick {
			return rpcTrick{message: pbBytes(1, "echo") + rpcInput("TEXT", "BYTES", n) + pbBytes(7, strings.Repeat(string(elements("a")), n))}
		}},
		{"max_name_bytes", 40, "name_invalid", func(n int) trick {
			return trick{body: `{"id":"` + strings.Repeat("i", n) + `","inputs":[` + goodInput + `]}`}
		}, func(n int) rpcTrick {
			return rpcTrick{message: rpcText("a", pbBytes(3, strings.Repeat("i", n)))}
		}},
		{"max_text_bytes", 100, "text_too_long", func(n int) trick {
			return trick{body: text(`"` + strings.Repeat("a", n) + `"`)}
		}, func(n int) rpcTrick {
			return rpcTrick{message: rpcText(strings.Repeat("a", n))}
		}},
		{"max_inflate_ratio", 20, "body_too_large", func(n int) trick {
			return trick{body: inflating(t, 5000*20+n-20), headers: gzipHeader}
		}, nil},
		{"max_image_bytes", 1600, "image_too_large", func(n int) trick {
			file := pngOf(t, 30, 30)
			return pictureRequest(withChunk(file, n-len(file)))
		}, nil},
		{"max_image_pixels", 2000, "image_too_many_pixels", func(n int) trick {
			return pictureRequest(pngOf(t, map[int]int{2000: 80, 2001: 87}[n], map[int]int{2000: 25, 2001: 23}[n]))
		}, nil},
		{"max_image_frames", 2, "image_too_many_frames", func(n int) trick { return pictureRequest(gifOf(t, n)) }, nil},
		{"max_image_expansion", 60, "image_expands", func(n int) trick {
			under, over := aroundPNG(t, 44, 45, 60)
			return pictureRequest(map[int]string{60: under, 61: over}[n])
		}, nil},
		{"max_image_side", 90, "image_too_many_pixels", func(n int) trick { return pictureRequest(pngOf(t, n, 1)) }, nil},
		{"max_image_segments", 8, "image_too_many_segments", func(n int) trick {
			file := pngOf(t, 4, 4) // head, pixels and end
			return pictureRequest(file[:afterHeader] + strings.Repeat(chunk("tEXt", "a\x00b"), n-3) + file[afterHeader:])
		}, nil},
		{"max_image_metadata_bytes", 1500, "image_too_many_segments", func(n int) trick {
			return pictureRequest(withChunk(pngOf(t, 4, 4), n))
		}, nil},
	}
}

// rpcBlob is a message of n bytes.
func rpcBlob(n int) string {
	blob := func(size int) string {
		return pbBytes(1, "identity") + matrix("BYTES", 1) + pbBytes(7, string(elements(noise(size))))
	}
	around := len(blob(n)) - n // with the lengths, which take as many bytes either way
	return blob(n - around)
}

// integerTypes are those inputs of the identity model that take small integers.
var integerTypes = []string{"UINT8", "INT8", "UINT16", "INT16"}

// integers writes n of them, each in a pattern that takes the name.
func integers(n int, pattern string) string {
	var all []string
	for _, name := range integerTypes[:n] {
		all = append(all, fmt.Sprintf(pattern, name))
	}
	return strings.Join(all, ",")
}

// contentsField is the list of InferTensorContents that holds elements of a type.
func contentsField(datatype string) protowire.Number {
	if datatype[0] == 'U' {
		return 4
	}
	return 2
}

// matrix is an input of the identity model with one row.
func matrix(datatype string, columns int, more ...string) string {
	return pbBytes(5, pbBytes(1, datatype)+pbBytes(2, datatype)+pbBytes(3, "\x01"+string([]byte{byte(columns)}))+strings.Join(more, ""))
}

// gifOf is an animation of n frames.
func gifOf(t *testing.T, n int) string {
	t.Helper()
	var a gif.GIF
	for i := range n {
		frame := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
		frame.Pix[i] = 1
		a.Image, a.Delay = append(a.Image, frame), append(a.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// aroundPNG returns two pictures of 8 bytes a pixel, nearly of one colour: one that
// decodes to at most limit times its file, and one to a little more.
func aroundPNG(t *testing.T, width, height, limit int) (under, over string) {
	t.Helper()
	img := image.NewNRGBA64(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if len(img.Pix) <= limit*b.Len() {
			return b.String(), over
		}
		over = b.String()
		img.Pix[i] = byte(i*i + 7*i + 1)
	}
	t.Fatal("no such picture")
	return "", ""
}

// withChunk adds a chunk of n bytes to a PNG file.
func withChunk(file string, n int) string {
	const framing = 12 // length, type and checksum
	return file[:afterHeader] + chunk("tEXt", "a\x00"+strings.Repeat("b", n-framing-2)) + file[afterHeader:]
}

// inflating is a request of 5000 bytes of gzip that inflates to n.
func inflating(t *testing.T, n int) string {
	t.Helper()
	pack := func(extra int) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Extra = make([]byte, extra)
		if _, err := w.Write([]byte(strings.Repeat(" ", n-len(good)) + good)); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		return out.String()
	}
	return pack(5000 - len(pack(0)))
}

func TestLimits(t *testing.T) {
	all := limits(t)
	var yaml []string
	for _, l := range all {
		if line := fmt.Sprintf("%s: %d", l.key, l.value); !slices.Contains(yaml, line) {
			yaml = append(yaml, line)
		}
	}
	inputs := strings.Join(append(integerTypes, "BYTES"), ": {kind: opaque}, ") + ": {kind: opaque}"
	s := private(t, stackOptions{upstream: triton.HTTP, grpc: triton.GRPC, config: fmt.Sprintf(`limits: {%s}
models:
  - {name: echo, parameters: [a, b, c], inputs: {TEXT: {kind: text}, IMAGE: {kind: image, formats: [jpeg, png, gif], animation: keep}}}
  - {name: identity, inputs: {%s}}
`, strings.Join(yaml, ", "), inputs)}).ready(t)
	for _, l := range all {
		t.Run(l.key, func(t *testing.T) {
			if r, _ := s.raw(t, l.http(l.value).wire()); r.status != http.StatusOK {
				t.Errorf("at the limit: %v", r)
			}
			s.unmoved(t, func() {
				r, _ := s.raw(t, l.http(l.value+1).wire())
				wantReason(t, r, l.reason)
			})
			if l.rpc == nil {
				return
			}
			if r := l.rpc(l.value).send(t, s.addr); r.code != codes.OK {
				t.Errorf("at the limit, over gRPC: %+v", r)
			}
			s.unmoved(t, func() { wantRPCReason(t, l.rpc(l.value+1).send(t, s.addr), l.reason) })
		})
	}
}

// Every key of limits: has a row in the table, or a test elsewhere.
func TestEveryLimitIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, l := range limits(t) {
		tested[l.key] = true
	}
	tests := testFunctions(t, filepath.Join("..", ".."))
	keys := reflect.TypeFor[config.Limits]()
	for i := range keys.NumField() {
		key, _, _ := strings.Cut(keys.Field(i).Tag.Get("yaml"), ",")
		if name, ok := elsewhere[key]; ok && !tests[name] {
			t.Errorf("%s: there is no %s", key, name)
		} else if ok == tested[key] {
			t.Errorf("%s has %t a row and %t a test elsewhere, want one of them", key, tested[key], ok)
		}
		delete(elsewhere, key)
		delete(tested, key)
	}
	if len(elsewhere) > 0 || len(tested) > 0 {
		t.Errorf("no limits: %v, %v", elsewhere, tested)
	}
}

// testFunctions are the names of all tests below a folder.
func testFunctions(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
