package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// committed reads results.json.
func committed(t *testing.T) *summary {
	t.Helper()
	text, err := os.ReadFile("results.json")
	if err != nil {
		t.Fatal(err)
	}
	s := new(summary)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReadmeSaysWhatWasMeasured(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := withSection(string(readme), committed(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(readme) != want {
		t.Error("the README does not say what results.json says; run: bin/weir-lab publish")
	}
}
