//go:build e2e

package sanitize_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"weir/sanitize"
	"weir/sanitize/internal/walktest"
)

// grammar is what the agreement test has to know of a format. The files beside this
// one register theirs.
type grammar struct {
	seeds func(testing.TB) [][]byte           // valid files, small
	split func(data []byte) [][]byte          // into segments or chunks that may be moved about; joined they are the file
	mend  func(data []byte) []byte            // checksums and lengths that a mutation broke; nil for none
	luma  func(img image.Image) (int, string) // the largest difference of luma between decoders, and why there is one
	ways  []sanitize.ImageOptions             // how files are stripped, without Formats; nil: the zero options
}

var grammars = map[string]grammar{}

func registerGrammar(format string, g grammar) bool {
	grammars[format] = g
	return true
}

// reading is what a decoder says of a file.
type reading struct {
	Accepted bool
	Error    string
	Size     [2]int
	Frames   int
	SHA256   string
	Warnings string
	Step     int
	Luma     []byte // every Step-th sample of every Step-th row of the first frame
}

// readings are those of one file, by decoder.
type readings struct {
	Path     string
	Decoders map[string]reading
}

// oracle is a running testdata/oracle.py. Paths go in, and readings come out in the
// same order.
type oracle struct {
	in  io.WriteCloser
	out *json.Decoder
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	cmd := exec.Command(walktest.Python(t), "testdata/oracle.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oracle.py: %v", err)
		}
	})
	return &oracle{in: in, out: json.NewDecoder(bufio.NewReader(out))}
}

// ask lets the oracle read a file.
func (o *oracle) ask(t *testing.T, path string) map[string]reading {
	t.Helper()
	if _, err := fmt.Fprintln(o.in, path); err != nil {
		t.Fatal(err)
	}
	var r readings
	if err := o.out.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Path != path || len(r.Decoders) != 2 {
		t.Fatalf("asked for %s, told of %d decoders of %s", path, len(r.Decoders), r.Path)
	}
	return r.Decoders
}

// goReading is what the standard library and x/image say of a file.
func goReading(data []byte) (reading, image.Image) {
	img, format, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return reading{Error: err.Error()}, nil
	}
	r := reading{Accepted: true, Size: [2]int{img.Bounds().Dx(), img.Bounds().Dy()}}
	if format == sanitize.FormatGIF { // of the others Go reads one frame and does not count
		all, err := gif.DecodeAll(bytes.NewReader(data))
		if err != nil {
			return reading{Error: err.Error()}, nil
		}
		r.Frames = len(all.Image)
	}
	r.Step = max(1, (max(r.Size[0], r.Size[1])+255)/256)
	for y := 0; y < r.Size[1]; y += r.Step {
		for x := 0; x < r.Size[0]; x += r.Step {
			r.Luma = append(r.Luma, lumaAt(img, x, y))
		}
	}
	return r, img
}

// lumaAt is luma as oracle.py defines it.
func lumaAt(img image.Image, x, y int) byte {
	x, y = x+img.Bounds().Min.X, y+img.Bounds().Min.Y
	var r, g, b uint32
	switch img := img.(type) {
	case *image.YCbCr:
		return img.Y[img.YOffset(x, y)]
	case *image.Gray:
		return img.GrayAt(x, y).Y
	case *image.Gray16:
		return byte(img.Gray16At(x, y).Y >> 8)
	default:
		switch c := img.At(x, y).(type) {
		case color.NRGBA:
			r, g, b = uint32(c.R), uint32(c.G), uint32(c.B)
		case color.NRGBA64:
			r, g, b = uint32(c.R>>8), uint32(c.G>>8), uint32(c.B>>8)
		default:
			r, g, b, _ = c.RGBA()
			r, g, b = r>>8, g>>8, b>>8
		}
	}
	return byte((299*r + 587*g + 114*b + 500) / 1000)
}

// furthest is the largest difference of two samples.
func furthest(a, b []byte) int {
	most := 0
	for i := range a {
		most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return most
}

// disagreement says where the readings of an input that strip passed, and of its
// output, break the law: every decoder accepts both and reads the same from both,
// and all decoders read the same size, the same number of frames, and luma within
// the bound of the format.
func disagreement(g grammar, in, out []byte, before, after map[string]reading) string {
	var img image.Image
	before["go"], _ = goReading(in)
	after["go"], img = goReading(out)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		b, a := before[name], after[name]
		switch {
		case !a.Accepted:
			return fmt.Sprintf("%s refuses the output: %s", name, a.Error)
		case !b.Accepted:
			return fmt.Sprintf("%s refuses the input: %s", name, b.Error)
		case a.SHA256 != b.SHA256, !bytes.Equal(a.Luma, b.Luma):
			return fmt.Sprintf("%s reads other samples from the output", name)
		}
	}
	bound, _ := g.luma(img)
	whole := after["go"]
	for name, r := range after {
		switch {
		case r.Size != whole.Size:
			return fmt.Sprintf("%s reads a size of %v, Go one of %v", name, r.Size, whole.Size)
		case r.Frames > 0 && r.Frames != after["pillow"].Frames:
			return fmt.Sprintf("%s reads %d frames, Pillow %d", name, r.Frames, after["pillow"].Frames)
		case r.Step != whole.Step || len(r.Luma) != len(whole.Luma):
			return fmt.Sprintf("%s: %d samples of luma, Go has %d", name, len(r.Luma), len(whole.Luma))
		}
		if d := furthest(r.Luma, whole.Luma); d > bound {
			return fmt.Sprintf("luma of %s and of Go differ by %d, bound %d", name, d, bound)
		}
	}
	return ""
}

// TestDecodersAgree holds the law of disagreement for the seeds of every format and
// for files made from them by mutation: what does not obey it has to be refused.
// WEIR_KEEP names a folder for the files that break it.
func TestDecodersAgree(t *testing.T) {
	for _, format := range slices.Sorted(maps.Keys(grammars)) {
		g := grammars[format]
		if g.ways == nil {
			g.ways = []sanitize.ImageOptions{{}}
		}
		for i, o := range g.ways {
			o.Formats = []string{format}
			t.Run(fmt.Sprintf("%s/%d", format, i), func(t *testing.T) { decodersAgree(t, format, g, o) })
		}
	}
}

func decodersAgree(t *testing.T, format string, g grammar, options sanitize.ImageOptions) {
	o := startOracle(t)
	dir := t.TempDir()
	seeds := g.seeds(t)
	r := rand.New(rand.NewPCG(20, uint64(len(format))))
	passed, broken := 0, map[string]int{}
	total := len(seeds) + mutants
	for i := range total {
		data := seeds[i%len(seeds)]
		if i >= len(seeds) {
			data = mutate(r, g, data, seeds[r.IntN(len(seeds))])
		}
		out, _, err := sanitize.Image(t.Context(), data, options)
		if err != nil {
			continue
		}
		passed++
		in, stripped := filepath.Join(dir, "in."+format), filepath.Join(dir, "out."+format)
		write(t, in, data)
		write(t, stripped, out)
		if why := disagreement(g, data, out, o.ask(t, in), o.ask(t, stripped)); why != "" {
			if broken[why]++; broken[why] > 3 {
				continue
			}
			t.Errorf("file %d: %s", i, why)
			if keep := os.Getenv("WEIR_KEEP"); keep != "" {
				write(t, filepath.Join(keep, fmt.Sprintf("%d.%s", i, format)), data)
			}
		}
	}
	t.Logf("%d files of %d pass strip", passed, total)
	if passed < total/20 {
		t.Errorf("only %d files of %d pass strip: the mutations are too coarse to show anything", passed, total)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mutate damages a file in one to three places.
func mutate(r *rand.Rand, g grammar, data, other []byte) []byte {
	data = slices.Clone(data)
	for range 1 + r.IntN(3) {
		if len(data) < 4 {
			return data
		}
		if r.IntN(2) == 0 {
			data = mutateBytes(r, data, other)
		} else {
			data = mutatePieces(r, g.split(data), g.split(other))
		}
	}
	if g.mend != nil && r.IntN(10) > 0 {
		data = g.mend(data)
	}
	return data
}

// mutateBytes knows nothing of the format.
func mutateBytes(r *rand.Rand, data, other []byte) []byte {
	at := r.IntN(len(data) - 1)
	n := min(1+r.IntN(16), len(data)-at)
	switch r.IntN(9) {
	case 0, 1, 2:
		data[at] ^= 1 << r.IntN(8)
	case 3:
		data[at] = byte(r.Uint32())
	case 4: // a length or a count of 16 bits
		v := uint16(r.IntN(70))
		data[at], data[at+1] = byte(v>>8), byte(v)
	case 5:
		return slices.Concat(data[:at], data[at+n:])
	case 6:
		return slices.Concat(data[:at+n], data[at:])
	case 7:
		return slices.Concat(data[:at], other[min(at, len(other)):])
	case 8:
		return data[:len(data)-min(n, 4)]
	}
	return data
}

// mutatePieces moves, doubles, drops or exchanges whole segments, or damages one.
func mutatePieces(r *rand.Rand, pieces, others [][]byte) []byte {
	if len(pieces) == 0 || len(others) == 0 {
		return slices.Concat(pieces...)
	}
	i, j := r.IntN(len(pieces)), r.IntN(len(others))
	switch r.IntN(6) {
	case 0:
		pieces = slices.Insert(pieces, i, pieces[i])
	case 1:
		pieces = slices.Delete(pieces, i, i+1)
	case 2:
		pieces = slices.Insert(pieces, i, others[j])
	case 3:
		k := r.IntN(len(pieces))
		pieces[i], pieces[k] = pieces[k], pieces[i]
	case 4:
		pieces[i] = others[j]
	case 5:
		if n := len(pieces[i]); n > 0 { // one bit near the beginning, where the fields are
			pieces[i] = slices.Clone(pieces[i])
			pieces[i][r.IntN(min(n, 24))] ^= 1 << r.IntN(8)
		}
	}
	return slices.Concat(pieces...)
}

// smallSources are the committed files of a kind, up to 8 KiB.
func smallSources(t testing.TB, pattern string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(imageDir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	var out [][]byte
	for _, p := range paths {
		if data := read(t, p); len(data) <= 8192 {
			out = append(out, data)
		}
	}
	return out
}

var _ = jpeg.Decode // image.Decode knows the format by this import
