package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/sanitize"
)

func newSanitize() *cobra.Command {
	c := &cobra.Command{
		Use:   "sanitize [flags] --out DIR PATH...",
		Short: "Sanitise files as a running Weir would",
		Long: `Sanitise files, and the files in folders, as a running Weir would. Each result
goes under its base name into DIR; one JSON object a line, in the order of the
files, says what was done. A file that was rejected has no result. Symbolic links
in folders are not followed.
Exit code 0: all written; 1: at least one rejected; 2: an I/O error; 3: no files;
4: usage, or two files of the same base name.`,
		Args: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return errors.New("name at least one file or folder")
			}
			return nil
		},
	}
	kind := choiceFlag(c, "kind", "kind of the files, auto: told by content", "auto", "image", "text", "audio")
	profile := textFlag(c, "profile", "`NAME` of the profile, for the kinds that have it: strip (default), light, standard, strong (image); balanced (default), strict (text)")
	out := requiredFlag(c, "out", "`DIR` for the results")
	keyFile := textFlag(c, "key-file", "`FILE` with the key of keyed profiles, at least 32 bytes (default: a random key)")
	image := imageFlags(c)
	c.RunE = func(c *cobra.Command, paths []string) error {
		s, err := newSanitizer(*kind, *profile, *out, *keyFile, image())
		if err != nil {
			return err
		}
		files, err := findFiles(paths, *out, func(path string) {
			fmt.Fprintf(c.ErrOrStderr(), "weir: %s: skipped, it is not a regular file\n", path)
		})
		if err != nil {
			return fail(exitUndecided, "%w", err)
		}
		if len(files) == 0 {
			return fail(exitNothing, "no files")
		}
		if err := checkNames(files, *out); err != nil {
			return fail(exitUsage, "%w", err)
		}
		return s.run(c.Context(), files, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// imageFlags adds the options of images but the profile and the key. The function
// that it returns reads them.
func imageFlags(c *cobra.Command) func() sanitize.ImageOptions {
	all := sanitize.ImageFormats()
	formats := c.Flags().StringSlice("formats", all, "image formats that are let through")
	orientation := choiceFlag(c, "orientation", "what becomes of an orientation that is not upright; apply: the picture is turned", sanitize.OrientationKeep, sanitize.OrientationApply, sanitize.OrientationDrop)
	verify := choiceFlag(c, "verify", "how far an image is read; container: its data is copied unseen", sanitize.VerifyDecode, sanitize.VerifyContainer)
	animation := choiceFlag(c, "animation", "what becomes of an image with several frames", sanitize.AnimationRefuse, sanitize.AnimationFirst, sanitize.AnimationKeep)
	zero := c.Flags().Bool("zero-transparent", false, "set the colour of fully transparent pixels to 0")
	pixels := c.Flags().Int64("max-pixels", sanitize.DefaultImageLimits().MaxPixels, "`PIXELS` that an image may have, over all frames")
	return func() sanitize.ImageOptions {
		return sanitize.ImageOptions{Formats: *formats, Orientation: *orientation, Verify: *verify, Animation: *animation,
			ZeroTransparent: *zero, Limits: sanitize.ImageLimits{MaxPixels: *pixels}}
	}
}

// sanitizer is one run of the command.
type sanitizer struct {
	kind, out string
	image     sanitize.ImageOptions
	text      sanitize.TextOptions
}

// newSanitizer makes the options of both verbs. A profile counts for the kinds
// that have it; the others keep their default.
func newSanitizer(kind, profile, out, keyFile string, image sanitize.ImageOptions) (*sanitizer, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	image.Key = key
	if err := image.Validate(); err != nil {
		return nil, fail(exitUsage, "%w", err)
	}
	s := &sanitizer{kind: kind, out: out, image: image, text: sanitize.TextOptions{Profile: profile}}
	s.image.Profile = profile
	notImage, notText := s.image.Validate(), s.text.Validate()
	profiles := slices.DeleteFunc(sanitize.ImageProfiles(), func(p string) bool { return p == sanitize.ProfileCustom }) // a configuration has its steps
	switch {
	case notImage != nil && slices.Contains(profiles, profile):
		return nil, fail(exitUsage, "%w", notImage)
	case notImage != nil && notText != nil:
		return nil, fail(exitUsage, "--profile: no kind has a profile %q; there are %s, balanced and strict", profile, strings.Join(profiles, ", "))
	}
	if notImage != nil {
		s.image.Profile = ""
	}
	if notText != nil {
		s.text.Profile = ""
	}
	return s, nil
}

// readKey reads the key of keyed profiles; without a file it is random.
func readKey(path string) (*sanitize.Key, error) {
	const least, most = 32, 4 << 10 // as for the key file of a configuration
	secret := make([]byte, least)
	if path == "" {
		_, _ = rand.Read(secret) // never fails since Go 1.24
		return sanitize.NewKey(secret)
	}
	secret, err := readUpTo(path, most)
	if err != nil {
		return nil, fail(exitUndecided, "--key-file: %w", err)
	}
	if len(secret) < least || len(secret) > most {
		return nil, fail(exitUsage, "--key-file: %s: a key has %d to %d bytes", path, least, most)
	}
	return sanitize.NewKey(secret)
}

// outcome is what became of one file.
type outcome struct {
	line    line
	refusal error // why the file was rejected, for people
	err     error // of I/O; then there is no line
}

func (o outcome) code() int {
	switch {
	case o.err != nil:
		return exitUndecided
	case o.refusal != nil:
		return exitFindings
	default:
		return exitPass
	}
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

// run sanitises files and prints a line about each, in their order.
func (s *sanitizer) run(ctx context.Context, files []string, out, messages io.Writer) error {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return fail(exitUndecided, "%w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	queue := s.start(ctx, files)
	defer func() { // whatever happens, no file is left half-written
		cancel()
		for pending := range queue {
			<-pending
		}
	}()
	encoder := jsonLines(out)
	progress := newProgress(messages)
	defer progress.clear()
	code, done := exitPass, 0
	for pending := range queue {
		progress.show(bar(done, len(files), "files"))
		o := <-pending
		if ctx.Err() != nil {
			break
		}
		progress.clear()
		if err := errors.Join(o.err, o.refusal); err != nil {
			fmt.Fprintf(messages, "weir: %s: %v\n", files[done], err)
		}
		if o.err == nil {
			if err := encoder.Encode(o.line); err != nil {
				return fail(exitUndecided, "%w", err)
			}
		}
		code, done = max(code, o.code()), done+1
	}
	if done < len(files) {
		return fail(exitUndecided, "interrupted: %d of %d files are done", done, len(files))
	}
	if code != exitPass {
		return &exitError{code: code}
	}
	return nil
}

// start sanitises the files with all processors, as fast as their outcomes are
// taken. The outcomes come in the order of the files.
func (s *sanitizer) start(ctx context.Context, files []string) <-chan chan outcome {
	queue := make(chan chan outcome, runtime.GOMAXPROCS(0)-1) // the receiver has one more
	go func() {
		defer close(queue)
		for _, file := range files {
			pending := make(chan outcome, 1)
			select {
			case queue <- pending:
				go func() { pending <- s.file(ctx, file) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	return queue
}

// maxFile bounds what is read of one file: more than any limit lets through.
const maxFile = 64 << 20

// file sanitises one file.
func (s *sanitizer) file(ctx context.Context, path string) outcome {
	data, err := readUpTo(path, maxFile)
	if err != nil {
		return outcome{err: err}
	}
	l := line{File: path, Kind: s.kind, Removed: []sanitize.Removal{}}
	if l.Kind == "auto" {
		l.Kind = kindOf(data)
	}
	clean, report, err := s.value(ctx, l.Kind, data)
	l.Format, l.Action = report.Format, report.Action
	if refusal := (*sanitize.Refusal)(nil); errors.As(err, &refusal) {
		l.Action, l.Reason = sanitize.Rejected, string(refusal.Reason)
		return outcome{line: l, refusal: refusal}
	}
	if err != nil {
		return outcome{err: err}
	}
	if report.Removed != nil {
		l.Removed = report.Removed
	}
	l.Out = filepath.Join(s.out, filepath.Base(path))
	return outcome{line: l, err: writeFile(l.Out, clean)}
}

func (s *sanitizer) value(ctx context.Context, kind string, data []byte) ([]byte, sanitize.Report, error) {
	switch kind {
	case "image":
		return sanitize.Image(ctx, data, s.image)
	case "text":
		return sanitize.Text(data, s.text)
	default:
		return nil, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.KindNotSupported, Detail: "neither an image nor a text"}
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
