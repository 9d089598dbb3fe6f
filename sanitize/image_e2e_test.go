//go:build e2e

package sanitize_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weir/sanitize"
	"weir/sanitize/internal/walktest"
)

// TestPillowDecodesTheSame strips every source file and lets Pillow, that is
// libjpeg-turbo and libpng, decode source and output: modes, sizes and samples are
// equal, and those of the golden file.
func TestPillowDecodesTheSame(t *testing.T) {
	dir := t.TempDir()
	want := readGolden(t)
	for name := range want {
		out, _ := strip(t, source(t, name))
		if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range pillow(t, dir) {
		if got != want[name] {
			t.Errorf("%s: Pillow decodes %+v, want %+v", name, got, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("Pillow did not decode %v", want)
	}
}

// TestPillowReadsTheProfiles holds that the profiles with pixel steps write files of
// the size of the source, and of its mode but where the documentation of Image says
// otherwise; light leaves the samples of a PNG as they are.
func TestPillowReadsTheProfiles(t *testing.T) {
	for _, profile := range []string{"light", "standard"} {
		dir := t.TempDir()
		want := readGolden(t)
		for name, g := range want {
			if g.Mode == "CMYK" {
				delete(want, name)
				continue
			}
			out, _ := mustImage(t, source(t, name), sanitize.ImageOptions{Profile: profile, Key: testKey(t)})
			if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := pillow(t, dir)
		for name, w := range want {
			if profile == "standard" && w.Size != [2]int{1, 1} { // these palettes have transparent entries
				w.Mode = cmp.Or(map[string]string{"P": "RGBA", "1": "L"}[w.Mode], w.Mode)
			}
			if profile == "standard" && name == "keyed.png" {
				w.Mode = "LA"
			}
			g := got[name]
			if g.Mode != w.Mode || g.Size != w.Size {
				t.Errorf("%s, %s: mode %s, size %v; want %s, %v", profile, name, g.Mode, g.Size, w.Mode, w.Size)
			}
			if profile == "light" && filepath.Ext(name) == ".png" && g.SHA256 != w.SHA256 {
				t.Errorf("light, %s: samples change", name)
			}
		}
	}
}

// pillow decodes every file of a folder.
func pillow(t *testing.T, dir string) map[string]golden {
	t.Helper()
	cmd := exec.Command(walktest.Python(t), "testdata/image/decode.py", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]golden{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var line struct {
			File string `json:"file"`
			golden
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		found[line.File] = line.golden
	}
	return found
}
