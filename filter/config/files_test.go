package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file in a new folder, or in the one given.
func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const referring = `keys: {sanitize_file: key}
state: {dir: state}
models:
  - name: a
    inputs: {A: {kind: text}}
    outputs: {P: {kind: probabilities, labels: labels}}
    drift: {baseline: baseline}
`

func TestReferencedFiles(t *testing.T) {
	key := strings.Repeat("k", 32)
	for _, test := range []struct {
		name, key, labels, baseline string
		want                        []string
	}{
		{"in order", key, "a\nb\n", "{}", nil},
		{"labels without last line end", key, "a\nb", "{}", nil},
		{"labels of Windows", key, "a\r\nb\r\n", "{}", nil},
		{"missing", "", "", "", []string{
			"1:23: keys.sanitize_file: %s/key: no such file or directory",
			"6:48: models[0].outputs.P.labels: %s/labels: no such file or directory",
			"7:23: models[0].drift.baseline: %s/baseline: no such file or directory"}},
		{"short key", key[:31], "a\n", "{}", []string{"1:23: keys.sanitize_file: %s/key: a key has at least 32 bytes, got 31"}},
		{"long key", strings.Repeat(key, 129), "a\n", "{}", []string{"1:23: keys.sanitize_file: %s/key: larger than 4KiB"}},
		{"empty label", key, "a\n\nb\n", "{}", []string{"6:48: models[0].outputs.P.labels: %s/labels: line 2 is empty"}},
		{"blank label", key, "a\n \n", "{}", []string{"6:48: models[0].outputs.P.labels: %s/labels: line 2 is empty"}},
		{"label twice", key, "a\nb\na\n", "{}", []string{"6:48: models[0].outputs.P.labels: %s/labels: line 3 repeats line 1"}},
		{"label with a tab", key, "a\tb\n", "{}", []string{"6:48: models[0].outputs.P.labels: %s/labels: line 1 holds the control character U+0009"}},
		{"labels not UTF-8", key, "a\xff\n", "{}", []string{"6:48: models[0].outputs.P.labels: %s/labels: not UTF-8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			config := write(t, folder, "weir.yaml", referring)
			if err := os.Mkdir(filepath.Join(folder, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"key": test.key, "labels": test.labels, "baseline": test.baseline} {
				if text != "" {
					write(t, folder, name, text)
				}
			}
			c, _, err := Load(config)
			if test.want == nil {
				if err != nil || string(c.Contents(c.Models[0].Outputs["P"].Labels)) != test.labels {
					t.Fatalf("got %v, %v", c, err)
				}
				return
			}
			want := config + ":" + strings.Join(test.want, "\n"+config+":")
			if want = strings.ReplaceAll(want, "%s", folder); fmt.Sprint(err) != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

func TestReferencedFileKinds(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "keys: {sanitize_file: .}\nstate: {dir: weir.yaml}\n")
	_, _, err := Load(config)
	want := fmt.Sprintf("%[1]s:1:23: keys.sanitize_file: %[2]s: %[2]s: not a regular file\n%[1]s:2:14: state.dir: %[1]s: not a folder", config, folder)
	if fmt.Sprint(err) != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestKeyThatAllCanRead(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "keys: {sanitize_file: key}\n")
	key := write(t, folder, "key", strings.Repeat("k", 32))
	for mode, want := range map[os.FileMode]string{0o640: "", 0o644: config + ":1:23: keys.sanitize_file: " + key + ": every user of the machine can read the key"} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := Load(config)
		if err != nil || strings.Contains(warnings.String(), "keys.") != (want != "") || !strings.Contains(warnings.String(), want) {
			t.Errorf("%o: got %q, %v; want %q", mode, warnings, err, want)
		}
	}
}

func TestUnreadableConfig(t *testing.T) {
	folder := t.TempDir()
	_, _, err := Load(filepath.Join(folder, "missing.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
	var issues Errors
	if _, _, err := Load(folder); err == nil || errors.As(err, &issues) {
		t.Errorf("folder: got %v; want an error that is not about the content", err)
	}
	large := write(t, folder, "large.yaml", strings.Repeat("#", 1<<20+1))
	if _, _, err := Load(large); fmt.Sprint(err) != large+":1:1: the file is larger than 1 MiB" {
		t.Errorf("large file: got %v", err)
	}
}

func TestPathsAreResolved(t *testing.T) {
	c, _, err := Load("testdata/good/readme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.Models[0].Drift.Baseline), filepath.Join(folder, "baselines/traffic-sign.json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c, _, err = Parse("conf/weir.yaml", []byte("keys: {sanitize_file: ../key}\nstate: {dir: /var/lib/weir}\n"), environment)
	if err != nil || c.Keys.SanitizeFile != "key" || c.State.Dir != "/var/lib/weir" {
		t.Errorf("got %q, %q, %v", c.Keys.SanitizeFile, c.State.Dir, err)
	}
}
