package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindDepsNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("WEIR_DEPS", dir)
	t.Setenv("PATH", dir)
	t.Setenv("WEIR_ENVOY", "")
	_, err := FindDeps()
	if err == nil {
		t.Fatal("found in an empty directory")
	}
	for _, part := range []string{"make deps", "envoy/envoy", "venv/bin/python", "bin/tritonserver", "triton_python_backend_stub", "prometheus", "promtool", "exiftool"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q: %v", part, err)
		}
	}

	for _, name := range []string{
		"envoy/envoy", "venv/bin/python", "triton/bin/tritonserver", "triton/backends/python/triton_python_backend_stub",
		"prometheus", "promtool", "exiftool",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	deps, err := FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(deps.Models, "echo", "config.pbtxt")); err != nil {
		t.Errorf("models: %v", err)
	}

	if err := os.Chmod(filepath.Join(dir, "envoy", "envoy"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := FindDeps(); err == nil || !strings.Contains(err.Error(), "envoy/envoy") {
		t.Errorf("Envoy that cannot be executed: %v", err)
	}
	t.Setenv("WEIR_ENVOY", "1.37")
	if _, err := FindDeps(); err == nil || !strings.Contains(err.Error(), "envoy-1.37/envoy") {
		t.Errorf("another Envoy: %v", err)
	}
	t.Setenv("WEIR_ENVOY", "1.3")
	if _, err := FindDeps(); err == nil || !strings.Contains(err.Error(), `"1.3", which is none of 1.36`) {
		t.Errorf("no such Envoy: %v", err)
	}
	t.Chdir("/")
	if _, err := FindDeps(); err == nil || !strings.Contains(err.Error(), "not inside") {
		t.Errorf("outside the repository: %v", err)
	}
}
