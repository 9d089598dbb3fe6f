package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// The largest files that a configuration may refer to, in bytes.
const (
	maxKeyBytes      = 4 << 10
	maxLabelsBytes   = 4 << 20
	maxBaselineBytes = 64 << 20
)

// minKeyBytes is the least that a key must hold: as much as HMAC-SHA-256 gives.
const minKeyBytes = 32

// readFiles reads the files that the configuration refers to, and checks what can
// be told without knowing what they are for.
func (c *Config) readFiles(r *report) {
	v := &validator{c, r}
	if file := c.Keys.SanitizeFile; file != "" {
		v.keyFile("keys.sanitize_file", file)
	}
	for i, m := range c.Models {
		path := fmt.Sprintf("models[%d]", i)
		for _, name := range sorted(m.Outputs) {
			if file := m.Outputs[name].Labels; file != "" {
				at := join(path+".outputs", name) + ".labels"
				if data, ok := v.file(at, file, maxLabelsBytes); ok {
					if _, err := ParseLabels(data); err != nil {
						v.fail(at, "%s: %v", file, err)
					}
				}
			}
		}
		if file := m.Drift.Baseline; file != "" {
			v.file(path+".drift.baseline", file, maxBaselineBytes)
		}
	}
	if dir := c.State.Dir; dir != "" {
		if info, err := os.Stat(string(dir)); err != nil {
			v.fail("state.dir", "%s: %v", dir, cause(err))
		} else if !info.IsDir() {
			v.fail("state.dir", "%s: not a folder", dir)
		}
	}
}

func (v *validator) keyFile(path string, file File) {
	data, ok := v.file(path, file, maxKeyBytes)
	if !ok {
		return
	}
	if len(data) < minKeyBytes {
		v.fail(path, "%s: a key has at least %d bytes, got %d", file, minKeyBytes, len(data))
	}
	if info, err := os.Stat(string(file)); err == nil && info.Mode().Perm()&0o004 != 0 {
		v.warn(path, "%s: every user of the machine can read the key", file)
	}
}

// file reads a file that is not empty and keeps its bytes.
func (v *validator) file(path string, file File, limit int64) ([]byte, bool) {
	data, err := readFile(string(file), limit+1)
	switch {
	case err != nil:
		v.fail(path, "%s: %v", file, cause(err))
	case int64(len(data)) > limit:
		v.fail(path, "%s: larger than %s", file, Bytes(limit))
	case len(data) == 0:
		v.fail(path, "%s: empty", file)
	default:
		v.c.source.contents[string(file)] = data
		return data, true
	}
	return nil, false
}

// cause strips the operation and the path from an error of package os.
func cause(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// ParseLabels reads names of classes, one a line. The end of the last line may be
// missing; an empty line, a name that comes twice, bytes that are not UTF-8 and
// control characters are errors.
func ParseLabels(data []byte) ([]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	labels := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	first := make(map[string]int, len(labels))
	for i, label := range labels {
		if strings.TrimSpace(label) == "" {
			return nil, fmt.Errorf("line %d is empty", i+1)
		}
		if fault := fault(label); fault != "" {
			return nil, fmt.Errorf("line %d %s", i+1, fault)
		}
		if j, twice := first[label]; twice {
			return nil, fmt.Errorf("line %d repeats line %d", i+1, j+1)
		}
		first[label] = i
	}
	return labels, nil
}

// Contents returns the bytes of a file that the configuration refers to, as Load
// read them, or nil. They belong to the Config and are not to be changed.
func (c *Config) Contents(file File) []byte { return c.source.contents[string(file)] }

// Sources returns the SHA-256, in hexadecimal, of every file that this
// configuration was made from, the configuration file among them, by path.
func (c *Config) Sources() map[string]string {
	sums := make(map[string]string, len(c.source.contents)+1)
	if c.source.path != "" {
		sums[c.source.path] = sum(c.source.data)
	}
	for path, data := range c.source.contents {
		sums[path] = sum(data)
	}
	return sums
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
