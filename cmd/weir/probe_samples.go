package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"weir/filter/config"
	"weir/sanitize"
	"weir/sanitize/redteam"
)

// sampleFile is one picture of the folder.
type sampleFile struct {
	name string // relative to the folder, with slashes
	file []byte
}

// findSamples reads the pictures of a folder, at most limit of them, taken evenly.
func findSamples(folder string, limit int, messages io.Writer) ([]sampleFile, error) {
	skip := func(path string) { fmt.Fprintf(messages, "weir: %s: skipped, it is not a regular file\n", path) }
	paths, err := findFiles([]string{folder}, "", skip)
	if err != nil {
		return nil, fail(exitUndecided, "--samples: %w", err)
	}
	var samples []sampleFile
	n := min(limit, len(paths))
	for i := range n {
		path := paths[i*len(paths)/n]
		data, err := readUpTo(path, maxFile)
		if err != nil {
			return nil, fail(exitUndecided, "--samples: %w", err)
		}
		if len(data) > maxFile || sanitize.SniffImage(data) == "" {
			fmt.Fprintf(messages, "weir: %s: skipped, it is not an image\n", path)
			continue
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return nil, fail(exitUndecided, "--samples: %w", err)
		}
		samples = append(samples, sampleFile{filepath.ToSlash(name), data})
	}
	if len(samples) == 0 {
		return nil, fail(exitNothing, "%s: no pictures", folder)
	}
	return samples, nil
}

// readClasses reads the names of the classes.
func readClasses(path string) ([]string, error) {
	data, err := readUpTo(path, maxFile)
	if err != nil {
		return nil, fail(exitUndecided, "--classes: %w", err)
	}
	classes, err := config.ParseLabels(data)
	if err != nil {
		return nil, fail(exitUsage, "--classes: %s: %w", path, err)
	}
	return classes, nil
}

// Where the classes of samples are.
const (
	labelsAuto    = "auto"    // from folders if these are classes, else none
	labelsFolders = "folders" // the first folder below DIR is the class
	labelsNone    = "none"
)

// label says what the samples show; another how than those above is a file of lines
// "NAME,CLASS", with names relative to the folder of the samples.
func (p *probe) label(how string) ([]redteam.Sample, error) {
	var class func(name string) (string, error)
	switch how {
	case labelsNone:
		return p.labelled(nil)
	case labelsAuto, labelsFolders:
		class = func(name string) (string, error) {
			folder, _, below := strings.Cut(name, "/")
			if !below {
				return "", errors.New("it is in no folder")
			}
			return folder, nil
		}
	default:
		listed, err := readLabels(how)
		if err != nil {
			return nil, err
		}
		class = func(name string) (string, error) {
			if c, ok := listed[name]; ok {
				return c, nil
			}
			return "", fmt.Errorf("%s does not list it", how)
		}
	}
	samples, err := p.labelled(class)
	if err != nil && how == labelsAuto {
		return p.labelled(nil)
	}
	return samples, err
}

// labelled gives samples the classes of their names; without class they have none.
func (p *probe) labelled(class func(name string) (string, error)) ([]redteam.Sample, error) {
	samples := make([]redteam.Sample, len(p.samples))
	for i, s := range p.samples {
		samples[i] = redteam.Sample{File: s.file, Class: -1}
		if class == nil {
			continue
		}
		name, err := class(s.name)
		if err != nil {
			return nil, fail(exitUsage, "--labels: %s: %w", s.name, err)
		}
		n, ok := p.model.class(name)
		if !ok {
			return nil, fail(exitUsage, "--labels: %s: the model has no class %q", s.name, name)
		}
		samples[i].Class = n
	}
	return samples, nil
}

// readLabels reads a file of lines "NAME,CLASS" (RFC 4180).
func readLabels(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fail(exitUndecided, "--labels: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(io.LimitReader(f, maxFile))
	r.FieldsPerRecord = 2
	records, err := r.ReadAll()
	if err != nil {
		return nil, fail(exitUsage, "--labels: %s: %w", path, err)
	}
	classes := map[string]string{}
	for _, r := range records {
		classes[r[0]] = r[1]
	}
	return classes, nil
}
