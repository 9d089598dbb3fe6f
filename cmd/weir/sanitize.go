package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/sanitize"
)

func newSanitize() *cobra.Command {
	c := &cobra.Command{
		Use:   "sanitize [flags] --out DIR PATH...",
		Short: "Sanitise files as a running Weir would",
		Long: `Sanitise files, and the files in folders, as a running Weir would. Each result
goes under its base name into DIR; one JSON object a line says what was done.
Exit code 0: all written; 1: at least one rejected; 2: an I/O error; 3: no files;
4: usage, or two files of the same base name.`,
		Args: cobra.MinimumNArgs(1),
	}
	s := &sanitizer{}
	c.Flags().StringVar(&s.kind, "kind", "auto", "kind of the files: auto, image, text or audio")
	c.Flags().StringVar(&s.profile, "profile", "", "profile, for the kinds that have it: strip, light, standard; balanced, strict")
	c.Flags().StringVar(&s.out, "out", "", "folder for the results (required)")
	c.Flags().StringVar(&s.keyFile, "key-file", "", "key of keyed profiles, at least 32 bytes (default: a random one)")
	_ = c.MarkFlagRequired("out")
	c.RunE = func(c *cobra.Command, paths []string) error {
		if err := s.prepare(); err != nil {
			return err
		}
		files, err := findFiles(paths, s.out)
		if err != nil {
			return err
		}
		return s.run(c.Context(), files, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// sanitizer is one run of the command.
type sanitizer struct {
	kind, profile, out, keyFile string

	image sanitize.ImageOptions
	text  sanitize.TextOptions
}

// line is what is printed about one file.
type line struct {
	File    string             `json:"file"`
	Out     string             `json:"out"`
	Kind    string             `json:"kind"`
	Format  string             `json:"format"`
	Action  sanitize.Action    `json:"action"`
	Removed []sanitize.Removal `json:"removed"`
	Reason  string             `json:"reason"`
}

// prepare checks the flags and makes the options of both verbs.
func (s *sanitizer) prepare() error {
	if !slices.Contains([]string{"auto", "image", "text", "audio"}, s.kind) {
		return fail(exitUsage, "--kind: %q is none of auto, image, text, audio", s.kind)
	}
	key, err := readKey(s.keyFile)
	if err != nil {
		return err
	}
	s.image = sanitize.ImageOptions{Key: key, Profile: s.profile}
	s.text = sanitize.TextOptions{Profile: s.profile}
	if s.image.Validate() != nil {
		s.image.Profile = ""
	}
	if s.text.Validate() != nil {
		s.text.Profile = ""
	}
	if s.profile != "" && s.image.Profile == "" && s.text.Profile == "" {
		return fail(exitUsage, "--profile: no kind has a profile %q", s.profile)
	}
	return nil
}

// findFiles lists the regular files of all paths. Two of one base name, and a
// result that would stand where its file stands, are errors.
func findFiles(paths []string, out string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, fail(exitUndecided, "%w", err)
		}
	}
	if len(files) == 0 {
		return nil, fail(exitNothing, "no files")
	}
	seen := map[string]string{}
	for _, f := range files {
		base := filepath.Base(f)
		if first, ok := seen[base]; ok {
			return nil, fail(exitUsage, "%s and %s have the same base name", first, f)
		}
		seen[base] = f
		if sameFile(f, filepath.Join(out, base)) {
			return nil, fail(exitUsage, "%s would be written over", f)
		}
	}
	return files, nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (s *sanitizer) run(ctx context.Context, files []string, out, messages io.Writer) error {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return fail(exitUndecided, "%w", err)
	}
	code := exitPass
	encoder := json.NewEncoder(out)
	for _, file := range files {
		if ctx.Err() != nil {
			return fail(exitUndecided, "%w", ctx.Err())
		}
		l, err := s.file(ctx, file)
		if err != nil {
			fmt.Fprintln(messages, "weir:", err)
			code = exitUndecided
			continue
		}
		if l.Action == sanitize.Rejected && code == exitPass {
			code = exitFindings
		}
		if err := encoder.Encode(l); err != nil {
			return fail(exitUndecided, "%w", err)
		}
	}
	if code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

// maxFile bounds what is read of one file: more than any limit lets through.
const maxFile = 64 << 20

// file sanitises one file. The error is one of I/O; a refusal is in the line.
func (s *sanitizer) file(ctx context.Context, path string) (line, error) {
	data, err := readUpTo(path, maxFile)
	if err != nil {
		return line{}, err
	}
	l := line{File: path, Kind: s.kind, Removed: []sanitize.Removal{}}
	if l.Kind == "auto" {
		l.Kind = kindOf(data)
	}
	clean, report, err := s.value(ctx, l.Kind, data)
	if report.Format != "" {
		l.Format = report.Format
	}
	var refusal *sanitize.Refusal
	if errors.As(err, &refusal) {
		l.Reason = string(refusal.Reason)
		return l, nil
	}
	if err != nil {
		return line{}, fmt.Errorf("%s: %w", path, err)
	}
	l.Action, l.Out = report.Action, filepath.Join(s.out, filepath.Base(path))
	if report.Removed != nil {
		l.Removed = report.Removed
	}
	return l, writeFile(l.Out, clean)
}

func (s *sanitizer) value(ctx context.Context, kind string, data []byte) ([]byte, sanitize.Report, error) {
	switch kind {
	case "image":
		return sanitize.Image(ctx, data, s.image)
	case "text":
		return sanitize.Text(data, s.text)
	default:
		return nil, sanitize.Report{}, &sanitize.Refusal{Reason: "kind_not_supported", Detail: "neither an image nor a text"}
	}
}

// kindOf tells the kind of a file by its content.
func kindOf(data []byte) string {
	switch {
	case sanitize.SniffImage(data) != "":
		return "image"
	case utf8.Valid(data):
		return "text"
	default:
		return "unknown"
	}
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// writeFile puts data at path in one step: a reader sees all of it or nothing.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".weir-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// readKey reads the key of keyed profiles; without a file it is random.
func readKey(path string) (*sanitize.Key, error) {
	secret := make([]byte, 32)
	if path == "" {
		_, _ = rand.Read(secret) // never fails since Go 1.24
		return sanitize.NewKey(secret)
	}
	secret, err := readUpTo(path, 4<<10)
	if err != nil {
		return nil, fail(exitUndecided, "%w", err)
	}
	if len(secret) < 32 {
		return nil, fail(exitUsage, "%s: a key has at least 32 bytes, got %d", path, len(secret))
	}
	return sanitize.NewKey(secret)
}
