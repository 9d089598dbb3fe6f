package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// photo is a file that was sent, or what the echo model got of it.
type photo struct {
	File       string
	Bytes      int
	SameBytes  bool     `json:"same_bytes"`
	SamePixels bool     `json:"same_pixels"` // as Pillow decodes them
	Hidden     []string // private parts that are in the file
}

func privatePhoto(ctx context.Context, d *demo, r *row) error {
	var seen struct{ Sent, Bare, Weir photo }
	if err := d.client(ctx, &seen, "photo", d.bare(), d.through()); err != nil {
		return err
	}
	tags, err := d.exifTags(ctx, seen.Sent.File, seen.Bare.File, seen.Weir.File)
	if err != nil {
		return err
	}
	if err := d.provenReceived(seen.Weir.File); err != nil {
		return err
	}
	d.out.tell("sent: %d bytes, exiftool finds %d tags", seen.Sent.Bytes, tags[0])
	d.out.tell("the bare model got %d bytes, %d tags, and in them: %s", seen.Bare.Bytes, tags[1], listed(seen.Bare.Hidden))
	d.out.tell("the model behind Weir got %d bytes, %d tags, and in them: %s; same pixels: %t",
		seen.Weir.Bytes, tags[2], listed(seen.Weir.Hidden), seen.Weir.SamePixels)
	r.bare = fmt.Sprintf("%d of %d arrive", len(seen.Bare.Hidden), len(seen.Sent.Hidden))
	r.weir = fmt.Sprintf("%d arrive, pixels identical", len(seen.Weir.Hidden))
	if !seen.Weir.SamePixels {
		r.weir = fmt.Sprintf("%d arrive, pixels differ", len(seen.Weir.Hidden))
	}
	r.held = seen.Bare.SameBytes && tags[0] > 0 && len(seen.Weir.Hidden) == 0 && tags[2] == 0 && seen.Weir.SamePixels
	return nil
}

// exifTags returns how many Exif tags and comments exiftool finds in each file.
func (d *demo) exifTags(ctx context.Context, files ...string) ([]int, error) {
	args := append([]string{"-json", "-G1", "-a", "-EXIF:all", "-File:Comment"}, files...)
	var messages strings.Builder
	command := exec.CommandContext(ctx, d.deps.Exiftool, args...)
	command.Stderr = &messages
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, messages.String())
	}
	var all []map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("exiftool: %w", err)
	}
	if len(all) != len(files) {
		return nil, errors.New("exiftool did not read every file")
	}
	tags := make([]int, len(all))
	for i, one := range all {
		tags[i] = len(one) - 1 // without SourceFile
	}
	return tags, nil
}

// provenReceived compares a file with the record that the echo model keeps
// itself, which no answer passes through.
func (d *demo) provenReceived(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	received, err := d.triton.Received()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	for _, input := range received[len(received)-1].Inputs {
		if input.Name == "IMAGE" && input.SHA256[0] == hex.EncodeToString(sum[:]) {
			return nil
		}
	}
	return errors.New("the model's own record has another picture than the one it returned")
}
