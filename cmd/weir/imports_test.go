package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers are the packages from the bottom up; a package may import packages of
// earlier lines only. A line ending in /... stands for all packages below it.
var layers = []string{
	"sanitize/internal/...",
	"sanitize/tensor",
	"sanitize",
	"sanitize/redteam",
	"monitor/internal/...",
	"monitor/baseline",
	"monitor/drift",
	"monitor/decision",
	"monitor/telemetry",
	"monitor",
	"filter/codec",
	"filter/codec/frame",
	"filter/policy",
	"filter/codec/strictjson",
	"filter/codec/kserve",
	"filter/codec/openai",
	"filter/codec/upload",
	"filter/check",
	"filter/upstream",
	"filter/draft",
	"deploy/envoy",
	"deploy/envoy/doctor/doctortest",
	"deploy/envoy/doctor",
	"filter",
	"filter/config",
	"filter/extproc",
	"cmd/weir",
	"deploy/local",
	"deploy/local/demo",
	"deploy/local/lab",
	"deploy/local/conformance",
	"deploy/local/conformance",
	"deploy/prometheus",
	"deploy/e2e",
}

// owners are the only packages that may import a module of others' making.
var owners = map[string][]string{
	"github.com/envoyproxy/go-control-plane": {"filter/extproc"},
	"github.com/disintegration/imaging":      {"sanitize"},
	"github.com/rwcarlsen/goexif":            {"sanitize"},
	"go.yaml.in/yaml":                        {"filter/config", "deploy/envoy/doctor"},
	"github.com/fsnotify/fsnotify":           {"filter/config"},
	"github.com/spf13/cobra":                 {"cmd/weir"},
}

func layer(pkg string) int {
	return slices.IndexFunc(layers, func(l string) bool {
		below, all := strings.CutSuffix(l, "/...")
		return l == pkg || all && strings.HasPrefix(pkg, below+"/")
	})
}

func TestImportsPointDown(t *testing.T) {
	packages := 0
	eachImport(t, func(pkg, file, imported string) {
		packages++
		own, isOwn := strings.CutPrefix(imported, "weir/")
		if isOwn {
			checkLayer(t, pkg, file, own)
			return
		}
		for module, of := range owners {
			own := slices.ContainsFunc(of, func(owner string) bool { return pkg == owner || strings.HasPrefix(pkg, owner+"/") })
			if strings.HasPrefix(imported, module) && !own && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports %s, which is for %s to use", file, imported, strings.Join(of, " and "))
			}
		}
	})
	if packages == 0 {
		t.Fatal("no imports found")
	}
}

func checkLayer(t *testing.T, pkg, file, imported string) {
	t.Helper()
	from, to := layer(pkg), layer(imported)
	switch {
	case from < 0:
		t.Errorf("package %s has no layer; add it to the list in this test", pkg)
	case to < 0:
		t.Errorf("package %s has no layer; add it to the list in this test", imported)
	case pkg == imported || layers[from] == layers[to] && strings.HasSuffix(layers[from], "/..."):
	case to >= from:
		t.Errorf("%s: %s imports %s, which is not below it", file, pkg, imported)
	case area(pkg) == "sanitize" && area(imported) == "monitor", area(pkg) == "monitor" && area(imported) == "sanitize":
		t.Errorf("%s: %s and %s are not to know each other", file, pkg, imported)
	}
}

func area(pkg string) string { return strings.SplitN(pkg, "/", 2)[0] }

// eachImport calls f for every import of every Go file of the project.
func eachImport(t *testing.T, f func(pkg, file, imported string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f(filepath.ToSlash(filepath.Dir(relative)), relative, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
