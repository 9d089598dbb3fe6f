package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawn are pictures of noise-free ramps, two of each class.
func drawn() *pictures {
	p := &pictures{}
	for i := range 2 * classes {
		for j := range side * side * 3 {
			p.pix = append(p.pix, byte(j/7+31*i))
		}
		p.labels = append(p.labels, i%classes)
	}
	return p
}

func TestPicturesAreReadAsWritten(t *testing.T) {
	dir, p := t.TempDir(), drawn()
	if err := p.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readPictures(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.pix, p.pix) || !slices.Equal(got.labels, p.labels) {
		t.Error("pictures differ from what was written")
	}
	again := &pictures{}
	for i := range got.len() {
		again.add(got.at(i), got.labels[i])
	}
	if !slices.Equal(again.pix, p.pix) {
		t.Error("pictures differ after at and add")
	}
}

func TestArraysThatAreRefused(t *testing.T) {
	good := func(t *testing.T) string {
		dir := t.TempDir()
		if err := drawn().write(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, change := range map[string]func(file string) string{
		"empty":       func(string) string { return "" },
		"version 2":   func(f string) string { return strings.Replace(f, "\x01\x00", "\x02\x00", 1) },
		"cut header":  func(f string) string { return f[:20] },
		"cut data":    func(f string) string { return f[:len(f)-1] },
		"other type":  func(f string) string { return strings.Replace(f, "|u1", "<f4", 1) },
		"other shape": func(f string) string { return strings.Replace(f, "64, 64, 3", "32, 128, 3", 1) },
		"Fortran":     func(f string) string { return strings.Replace(f, "False", "True ", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := good(t)
			path := filepath.Join(dir, "images.npy")
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(change(string(file))), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := readPictures(dir); err == nil {
				t.Error("read without an error")
			}
		})
	}
}
