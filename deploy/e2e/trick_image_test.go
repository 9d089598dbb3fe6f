//go:build e2e

package e2e

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pictureTrick is a file that a model's decoder reads in its own way. The echo
// model gets it as it is without Weir; what a decoder makes of it Pillow tells.
type pictureTrick struct {
	name   string
	file   string
	opens  bool   // by Pillow, without Weir
	reason string // of Weir's refusal; "": the same picture reaches the model, without what hid
}

// show sends every file and returns what Pillow sees without Weir, and, of those
// that pass, the file that reaches the model and what Pillow sees in it.
func show(t *testing.T, tricks ...pictureTrick) (without []seenPicture, passed map[string]string, with map[string]seenPicture) {
	t.Helper()
	shared.ready(t)
	var files []string
	passed, with = map[string]string{}, map[string]seenPicture{}
	for _, p := range tricks {
		files = append(files, p.file)
		t.Run(p.name, func(t *testing.T) {
			k := pictureRequest(p.file)
			k.reason = p.reason
			k.withoutWeir(t)
			if p.reason != "" {
				k.withWeir(t)
				return
			}
			passed[p.name] = throughWeir(t, shared, k)
		})
	}
	without = see(t, files)
	for i, p := range tricks {
		if p.opens != (without[i].Error == "") {
			t.Errorf("%s: Pillow sees %+v", p.name, without[i])
		}
	}
	names := slices.Sorted(maps.Keys(passed))
	var clean []string
	for _, name := range names {
		clean = append(clean, passed[name])
	}
	for i, seen := range see(t, clean) {
		with[names[i]] = seen
	}
	return without, passed, with
}

// pictureRequest is a request of the echo model, whose answer is to be binary.
func pictureRequest(file string) trick {
	body, jsonBytes := message{Parameters: map[string]any{"binary_data_output": true},
		Inputs: []tensor{{Name: "IMAGE", DataType: "BYTES", Shape: []int64{1}, blob: elements(file)}}}.encode()
	return trick{body: string(body), headers: []string{fmt.Sprint(headerLength, jsonBytes)}, reads: file}
}

// throughWeir returns the file that reaches the model of a request that passes.
func throughWeir(t *testing.T, s *stack, k trick) string {
	t.Helper()
	r, _ := s.raw(t, k.wire())
	m, err := decode(r)
	if r.status != http.StatusOK || err != nil || len(m.Outputs) != 1 {
		t.Fatalf("with Weir: %v, %v", r, err)
	}
	file := string(m.Outputs[0].blob[4:])
	if got := lastReceived(t); got.Inputs[0].SHA256[0] != digest(file) {
		t.Fatalf("the model got %+v, the answer has another file", got)
	}
	return file
}

// same checks that every picture that passed is the one that Pillow saw before.
func same(t *testing.T, tricks []pictureTrick, without []seenPicture, with map[string]seenPicture) {
	t.Helper()
	for i, p := range tricks {
		if got, ok := with[p.name]; ok && (got.Pixels != without[i].Pixels || got.Frames != 1) {
			t.Errorf("%s: Pillow saw %+v, with Weir %+v", p.name, without[i], got)
		}
	}
}

// seenPicture is what Pillow reads.
type seenPicture struct {
	Format      string
	Frames      int
	Size        []int
	Orientation int
	Pixels      string // a digest
	Error       string
}

// see asks Pillow what it reads in each file.
func see(t *testing.T, files []string, options ...string) []seenPicture {
	t.Helper()
	var lines strings.Builder
	for _, f := range files {
		lines.WriteString(base64.StdEncoding.EncodeToString([]byte(f)) + "\n")
	}
	c := exec.CommandContext(t.Context(), deps.Python, append([]string{filepath.Join("testdata", "pictures.py"), "see"}, options...)...)
	c.Stdin, c.Stderr = strings.NewReader(lines.String()), os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []seenPicture
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var one seenPicture
		if err := decoder.Decode(&one); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != len(files) {
		t.Fatalf("Pillow told of %d files, want %d", len(all), len(files))
	}
	return all
}

// pillowFiles are files in every format that Pillow writes, by its name.
func pillowFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := tempDir(t)
	if out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "pictures.py"), "make", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(content)
	}
	return files
}

// painted is a picture in which all pixels differ from their neighbours.
func painted(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(13 * x), uint8(29 * y), uint8(7 * (x + y)), 255})
		}
	}
	return m
}

func jpegOf(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, painted(48, 32), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pngOf(t *testing.T, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, painted(width, height)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// chunk is a chunk of a PNG file (PNG specification §5.3).
func chunk(kind, data string) string {
	body := kind + data
	head := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	return string(head) + body + string(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

// header is the first chunk of an RGB picture of 8 bits.
func header(width, height uint32) string {
	return chunk("IHDR", string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height))+"\x08\x02\x00\x00\x00")
}

// Where the chunks after the first one of a PNG file begin.
const afterHeader = 8 + 25

// segment is a marker segment of a JPEG file (ITU-T T.81 §B.1.1.4).
func segment(marker byte, data string) string {
	n := len(data) + 2
	return string([]byte{0xff, marker, byte(n >> 8), byte(n)}) + data
}

// exif is a segment with nothing but an orientation (Exif 2.3 §4.6).
func exif(orientation byte) string {
	return segment(0xe1, "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"+string([]byte{orientation})+"\x00\x00\x00\x00\x00\x00")
}

func deflatedZeros(t *testing.T, n int64) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := io.CopyN(w, repeat(0), n); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	return b.String()
}
