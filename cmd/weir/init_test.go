package main

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/filter/config"
)

// Every draft is refused for its inputs alone, and valid once a person has written
// a kind of those that the comment names, and has switched the checks on.
func TestDraftsWaitForAPersonOnly(t *testing.T) {
	files, err := filepath.Glob("../../filter/draft/testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no drafts: %v", err)
	}
	environment := func(string) (string, bool) { return "", false }
	for _, file := range files {
		text := read(t, file)
		var faults config.Errors
		if _, _, err := config.Parse(file, []byte(text), environment); !errors.As(err, &faults) {
			t.Errorf("%s: %v, want it refused", file, err)
		}
		if want := strings.Count(text, "{kind: unconfirmed}"); len(faults) != want {
			t.Errorf("%s: %d faults, want %d, one for each input\n%v", file, len(faults), want, faults)
		}
		for _, fault := range faults {
			if fault.Message != "nobody has confirmed what this input holds" {
				t.Errorf("%s: %s", file, fault)
			}
		}
		text = regexp.MustCompile(`\{kind: unconfirmed\}(  # .*; by its shape pixels with layout: (\w+))`).ReplaceAllString(text, "{kind: pixels, layout: $2}$1")
		first := regexp.MustCompile(`\{kind: unconfirmed\}(  # .*: (image|tensor)[, ].*)`).ReplaceAllString(text, "{kind: $2}$1")
		first = strings.ReplaceAll(first, "{kind: image}  # BYTES [-1, 1]: image with encoding: base64", "{kind: image, encoding: base64}  #")
		on := strings.NewReplacer("    # checks:", "    checks:", "    #   - {", "      - {").Replace(first)
		on = strings.ReplaceAll(on, `"?": {kind: unconfirmed}`, "X: {kind: tensor}")
		cfg, _, err := config.Parse(file, []byte(on), environment)
		if err != nil {
			t.Fatalf("%s, confirmed: %v\n%s", file, err, on)
		}
		if len(cfg.Models) != strings.Count(text, "  - name: ") {
			t.Errorf("%s: %d models are read", file, len(cfg.Models))
		}
	}
}
