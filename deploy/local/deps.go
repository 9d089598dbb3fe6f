package local

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Deps says where the parts of the stack are.
type Deps struct {
	Root   string // the repository
	Models string // the Triton model repository of this package
	Triton string // directory with Triton's bin, lib and backends
	Envoy  string // program
	// EnvoyVersion is that of Envoy: $WEIR_ENVOY, or the newest of EnvoyVersions.
	EnvoyVersion string
	Python       string // program, with numpy, Pillow and tritonclient
	Prometheus   string // program
	Promtool     string // program
	Exiftool     string // program

	// What "deps.sh demo" does not install; that it is there is not checked.
	MLServer string // program
	KServe   string // Python, with KServe's server
	OpenAI   string // Python, with KServe's OpenAI endpoints and OpenAI's client
	LiteLLM  string // program of LiteLLM's proxy
}

// FindDeps finds the repository above the working directory and what deps.sh
// installed: in $WEIR_DEPS, by default .deps in the repository, and in $PATH.
// The error names every part that is missing.
func FindDeps() (Deps, error) {
	root, err := findRoot()
	if err != nil {
		return Deps{}, err
	}
	dir := os.Getenv("WEIR_DEPS")
	if dir == "" {
		dir = filepath.Join(root, ".deps")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Deps{}, fmt.Errorf("find the local stack: %w", err)
	}
	return findDeps(root, dir)
}

func findDeps(root, dir string) (Deps, error) {
	var missing []string
	file := func(path string) string {
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			missing = append(missing, path)
		}
		return path
	}
	command := func(name string) string {
		path, err := exec.LookPath(name)
		if err != nil {
			missing = append(missing, name)
		}
		return path
	}
	deps := Deps{
		Root:       root,
		Models:     filepath.Join(root, "deploy", "local", "models"),
		Triton:     filepath.Join(dir, "triton"),
		Python:     file(filepath.Join(dir, "venv", "bin", "python")),
		Prometheus: command("prometheus"),
		Promtool:   command("promtool"),
		Exiftool:   command("exiftool"),
		MLServer:   filepath.Join(dir, "mlserver", "bin", "mlserver"),
		KServe:     filepath.Join(dir, "kserve", "bin", "python"),
		OpenAI:     filepath.Join(dir, "openai", "bin", "python"),
		LiteLLM:    filepath.Join(dir, "litellm", "bin", "litellm"),
	}
	var err error
	if deps.EnvoyVersion, err = envoyVersion(); err != nil {
		return Deps{}, err
	}
	deps.Envoy = file(filepath.Join(dir, envoyDir(deps.EnvoyVersion), "envoy"))
	file(deps.tritonServer())
	file(filepath.Join(deps.Triton, "backends", "python", "triton_python_backend_stub"))
	if len(missing) > 0 {
		return Deps{}, fmt.Errorf("parts of the local stack are missing, run \"make deps\": %s", strings.Join(missing, ", "))
	}
	return deps, nil
}

// EnvoyVersions are the versions that Weir serves, the newest last.
func EnvoyVersions() []string { return []string{"1.36", "1.37", "1.38", "1.39", "1.40"} }

// envoyVersion is the one that was chosen for this run.
func envoyVersion() (string, error) {
	versions := EnvoyVersions()
	version := cmp.Or(os.Getenv("WEIR_ENVOY"), versions[len(versions)-1])
	if !slices.Contains(versions, version) {
		return "", fmt.Errorf("WEIR_ENVOY is %q, which is none of %s", version, strings.Join(versions, ", "))
	}
	return version, nil
}

// envoyDir is where deps.sh puts a version.
func envoyDir(version string) string {
	if version == "1.40" {
		return "envoy"
	}
	return "envoy-" + version
}

func (d Deps) tritonServer() string { return filepath.Join(d.Triton, "bin", "tritonserver") }

// findRoot returns the nearest directory, from the working directory upwards,
// that holds this module's go.mod.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module weir\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the repository: %s is not inside it", start)
		}
	}
}
