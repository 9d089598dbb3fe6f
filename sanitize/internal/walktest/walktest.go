// Package walktest is what the tests of the walkers share: their seeds, mutations of
// them, and decoders that are not Weir's to ask about the results. Nothing but tests
// imports it.
package walktest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/sanitize/internal/picture"
)

// Python is an interpreter with Pillow, OpenCV and NumPy: $WEIR_PYTHON, or the one that
// make deps installs.
func Python(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("WEIR_PYTHON"); p != "" {
		return p
	}
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := cmp.Or(os.Getenv("WEIR_DEPS"), filepath.Join(strings.TrimSpace(string(root)), ".deps"))
	return filepath.Join(deps, "venv", "bin", "python")
}

// Ask runs a Python script on a folder and returns the values that it prints, one JSON
// object a line.
func Ask[T any](t testing.TB, script, dir string) []T {
	t.Helper()
	cmd := exec.Command(Python(t), script, dir)
	var messages bytes.Buffer
	cmd.Stderr = &messages // OpenCV logs what it refuses
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, messages.Bytes()[max(0, messages.Len()-2000):])
	}
	var answers []T
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var answer T
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return answers
}

// EachCorpusFile calls try with the files of an extension in the folder that
// $WEIR_CORPUS names, if it does, and returns how many there are.
func EachCorpusFile(t testing.TB, ext string, try func(name string, data []byte)) int {
	t.Helper()
	corpus := os.Getenv("WEIR_CORPUS")
	if corpus == "" {
		return 0
	}
	paths, err := filepath.Glob(filepath.Join(corpus, "*."+ext))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		try("corpus-"+filepath.Base(path), data)
	}
	return len(paths)
}

// headBytes is where the headers of a file mostly are.
const headBytes = 100

// Mutate returns a copy of data with some bytes changed, dropped, added or copied, more
// often at the front.
func Mutate(r *rand.Rand, data []byte) []byte {
	out := bytes.Clone(data)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(out))
		if r.IntN(2) == 0 {
			at = r.IntN(min(len(out), headBytes))
		}
		switch r.IntN(8) {
		case 0:
			out = append(out[:at], out[min(len(out), at+1+r.IntN(4)):]...)
		case 1:
			out = append(out[:at], append([]byte{byte(r.Uint32())}, out[at:]...)...)
		case 2:
			out[at] = byte(r.IntN(4))
		case 3:
			out[at] ^= 1 << r.IntN(8)
		case 4:
			out[at]++
		case 5:
			from := r.IntN(len(out))
			copy(out[at:], out[from:min(len(out), from+8)])
		default:
			out[at] = byte(r.Uint32())
		}
		if len(out) == 0 {
			return bytes.Clone(data)
		}
	}
	return out
}

// Save keeps a file that fails a test in the folder that $WEIR_SAVE names, if it does.
func Save(t testing.TB, name string, data []byte) {
	t.Helper()
	if dir := os.Getenv("WEIR_SAVE"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// File returns the content of a file.
func File(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Files returns the files that a pattern names, by their base names. There have to be
// at least so many.
func Files(t testing.TB, pattern string, least int) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) < least {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		out[filepath.Base(p)] = File(t, p)
	}
	return out
}

// NoFault is none that a walker has.
const NoFault picture.Fault = 255

// Fault is the fault of an error of Strip, or NoFault.
func Fault(err error) picture.Fault {
	if e := (*picture.Error)(nil); errors.As(err, &e) {
		return e.Fault
	}
	return NoFault
}

// Decoded is what a script says of a file.
type Decoded struct {
	File   string
	Pillow View
	OpenCV View
}

// DecodeAll lets Pillow and OpenCV decode the files of a folder.
func DecodeAll(t testing.TB, script, dir string) map[string]Decoded {
	t.Helper()
	found := map[string]Decoded{}
	for _, d := range Ask[Decoded](t, script, dir) {
		found[d.File] = d
	}
	return found
}

// View is what Pillow or OpenCV makes of a file; nil if it refuses it.
type View map[string]any

// Size is that of the picture.
func (v View) Size() image.Point {
	size := v["size"].([]any)
	return image.Pt(int(size[0].(float64)), int(size[1].(float64)))
}

// Frames is how many there are.
func (v View) Frames() int { return int(v["frames"].(float64)) }
