//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/deploy/local"
)

// since reports whether this Envoy is of that version or a later one.
func since(version string) bool {
	versions := local.EnvoyVersions()
	return slices.Index(versions, deps.EnvoyVersion) >= slices.Index(versions, version)
}

// wantLocal checks what a client gets when Envoy answers by itself after Weir has
// seen the request. Weir makes a refusal of it, as Envoy shows it to Weir; Envoy
// 1.36 does not, and its error goes out in the form of the protocol.
func wantLocal(t *testing.T, r reply, status int, reason string) {
	t.Helper()
	if since("1.37") {
		wantRefused(t, r, status, reason)
		return
	}
	statuses := []int{status}
	if status == http.StatusBadGateway {
		statuses = append(statuses, http.StatusServiceUnavailable)
	}
	wantError(t, r, statuses...)
}

// What the Makefile names for the older Envoys must not go with a renamed test.
func TestNamesInTheMakefile(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(deps.Root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(makefile), "DIFFERS := ")
	list, _, _ = strings.Cut(list, "\n\n")
	names := regexp.MustCompile(`\w+(\.\*)?`).FindAllString(list, -1)
	if len(names) == 0 {
		t.Fatal("the Makefile names no test")
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, name := range names {
		start, more := strings.CutSuffix(name, ".*")
		if !more {
			start += "(t *testing.T)"
		}
		if !strings.Contains(source.String(), "func "+start) {
			t.Errorf("there is no %s", name)
		}
	}
}
