package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes is the largest configuration file.
const maxFileBytes = 1 << 20

// source is where a Config came from.
type source struct {
	path      string              // of the configuration file itself, absolute; "" without one
	data      []byte              // its bytes
	positions map[string]position // of every value that it gives, by path
	contents  map[string][]byte   // of the files that it refers to, by path
}

// Load reads a configuration file and the files that it refers to. The error is
// of type Errors if the file is not valid, and wraps the cause if it cannot be
// read.
func Load(path string) (*Config, Warnings, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	data, err := readFile(absolute, maxFileBytes+1)
	if err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	c, r := parse(path, filepath.Dir(absolute), data, os.LookupEnv)
	c.source.path, c.source.data = absolute, data
	c.readFiles(r)
	return r.result(c)
}

// Parse reads a configuration from data without looking at any other file; name
// stands in its errors, which are of type Errors, and relative paths start at
// its folder. It finds environment variables with env.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, Warnings, error) {
	c, r := parse(name, filepath.Dir(name), data, env)
	return r.result(c)
}

// parse returns what can be read of a file, and everything that is wrong with it.
func parse(name, folder string, data []byte, env func(string) (string, bool)) (*Config, *report) {
	c, r := Default(), &report{file: name, unread: map[string]bool{}}
	root := document(data, r)
	if root == nil {
		return c, r
	}
	d := &decoder{report: r, env: env, folder: folder, positions: map[string]position{}}
	d.value(root, reflect.ValueOf(c).Elem(), "")
	c.source.positions = d.positions
	c.complete()
	(&validator{c, r}).config()
	return c, r
}

// document returns the root node of a file that holds exactly one document, or
// nil after it has reported why not.
func document(data []byte, r *report) *yaml.Node {
	if !isText(data, r) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	err := decoder.Decode(&first)
	switch {
	case errors.Is(err, io.EOF):
		r.add(position{1, 1}, "", "the file is empty", "")
		return nil
	case err != nil:
		r.syntax(data, err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		r.add(at(&second), "", "a second document", "the file holds one document; remove --- and what follows")
	case !errors.Is(err, io.EOF):
		r.syntax(data, err)
	}
	return first.Content[0]
}

// isText reports whether data is a text of moderate size that looks the same to
// an editor and to the YAML parser.
func isText(data []byte, r *report) bool {
	if len(data) > maxFileBytes {
		r.add(position{1, 1}, "", "the file is larger than 1 MiB", "")
		return false
	}
	if !utf8.Valid(data) { // the parser would take UTF-16 too
		r.add(position{1, 1}, "", "the file is not UTF-8", "")
		return false
	}
	if i := hiddenBreak(data); i >= 0 {
		r.add(placeOf(data, i), "", "a line break that editors do not show", "end lines with LF or CR LF")
		return false
	}
	return true
}

var yamlPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntax reports an error of the YAML parser. The line that the parser names is
// often that of the enclosing block, so the place is where the shortest part of
// the file that fails in the same way ends.
func (r *report) syntax(data []byte, err error) {
	end := sort.Search(len(data), func(n int) bool {
		again := scan(data[:n])
		return again != nil && again.Error() == err.Error()
	})
	message := yamlPrefix.ReplaceAllString(err.Error(), "")
	hint := ""
	if end > 0 && data[end-1] == '\t' {
		hint = "indent with spaces"
	}
	r.add(placeOf(data, max(end-1, 0)), "", "not YAML: "+message, hint)
}

// hiddenBreak returns the index of the first character that ends a line for YAML
// but not for most editors, in which it could hide a key in a comment; or -1.
func hiddenBreak(data []byte) int {
	for i, c := range string(data) {
		switch c {
		case '\u0085', '\u2028', '\u2029':
			return i
		case '\r':
			if !bytes.HasPrefix(data[i+1:], []byte("\n")) {
				return i
			}
		}
	}
	return -1
}

// placeOf returns the place of the byte at index i.
func placeOf(data []byte, i int) position {
	before := data[:i]
	start := bytes.LastIndexByte(before, '\n') + 1
	return position{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1}
}

// scan returns the first syntax error of data.
func scan(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// readFile reads a regular file of at most limit bytes; of a larger one it
// returns the first limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would block, a device never end
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
