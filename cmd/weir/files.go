package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// findFiles lists the regular files that paths name, and those below the folders
// that paths name, in this order. skip is told of what else is in the folders:
// symbolic links, pipes, devices. The folder of the results is not walked.
func findFiles(paths []string, out string, skip func(path string)) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, err
		case info.Mode().IsRegular():
			files = append(files, path)
		case info.IsDir():
			below, err := walk(path, out, skip)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
		default:
			return nil, fmt.Errorf("%s: neither a file nor a folder", path)
		}
	}
	return files, nil
}

func walk(folder, out string, skip func(path string)) (files []string, err error) {
	root := folder + string(filepath.Separator) // also where folder is a symbolic link
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			if path != root && sameFile(path, out) {
				return fs.SkipDir
			}
		case e.Type().IsRegular():
			files = append(files, path)
		default:
			skip(path)
		}
		return nil
	})
	return files, err
}

// checkNames makes sure that every file has a place in the folder out: no two of
// one base name, and none whose result would stand where a file stands.
func checkNames(files []string, out string) error {
	seen := map[string]string{}
	for _, f := range files {
		base := filepath.Base(f)
		if first, ok := seen[base]; ok {
			return fmt.Errorf("%s and %s have the same base name", first, f)
		}
		seen[base] = f
		if sameFile(f, filepath.Join(out, base)) {
			return fmt.Errorf("%s would be written over; name another folder with --out", f)
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// readUpTo reads a regular file; of one longer than limit, the first limit+1
// bytes. A pipe that took the place of a file does not hold it up.
func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// writeFile puts data at path in one step: a reader sees all of it or nothing.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".weir-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
