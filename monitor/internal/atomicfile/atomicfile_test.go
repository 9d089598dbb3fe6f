package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteReplacesWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for _, content := range []string{"a long first content", "short", ""} {
		if err := Write(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("read %q, %v; want %q", got, err, content)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	leftOver(t, filepath.Dir(path), 1)
}

func TestWriteFailureLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	if err := Write(filepath.Join(folder, "absent", "x"), nil, 0o600); err == nil {
		t.Error("no error for a folder that does not exist")
	}
	target := filepath.Join(folder, "is-a-folder")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(target, []byte("x"), 0o600); err == nil {
		t.Error("no error for a path that is a folder")
	}
	leftOver(t, folder, 1)
}

func leftOver(t *testing.T, folder string, want int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != want {
		t.Errorf("folder holds %v, %v; want %d entries", entries, err, want)
	}
}
