package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long after the first event the files are read: editors and
	// kubelet cause several events for one change.
	settle = 100 * time.Millisecond
	// recheck is how often the files are read without an event: network file
	// systems send none, and a folder that was replaced sends no more.
	recheck = 30 * time.Second
)

// Watch calls onChange each time that the content of one of the files which
// sources returns (Config.Sources of the configuration in force) is no longer
// what it was, until ctx is done; then it returns nil. It is an error if the
// folders cannot be watched.
//
// Contents are compared, so that a file which was only touched, or replaced by
// an equal one, does not count; and with those from which the configuration in
// force was made, so that nothing gets lost between Load and Watch. A change that
// onChange could not use is not reported again, the next one is. onChange is
// called on the goroutine of Watch.
//
// The folders are watched, not the files, because files are replaced by renaming,
// and mounted ConfigMaps by swapping a symbolic link beside them.
func Watch(ctx context.Context, sources func() map[string]string, onChange func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("config: watch: %w", err)
	}
	defer watcher.Close()
	seen := newTracker(sources())
	if err := follow(watcher, seen.sums); err != nil {
		return fmt.Errorf("config: watch: %w", err)
	}
	due := time.NewTimer(0) // what changed between Load and here
	defer due.Stop()
	pending := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
		case <-watcher.Errors: // events were lost
		case <-due.C:
			pending = seen.changed()
			if pending {
				onChange()
				seen.follow(sources())
			}
			// A folder that is missing for the moment comes back: see recheck.
			_ = follow(watcher, seen.sums)
			due.Reset(recheck)
			if pending { // a file may have changed before its folder was watched
				due.Reset(settle)
			}
			continue
		}
		if !pending {
			pending = true
			due.Reset(settle)
		}
	}
}

// follow watches the folders of the files, and of what they link to, and no others.
func follow(watcher *fsnotify.Watcher, files map[string]string) error {
	folders := map[string]bool{}
	for path := range files {
		folders[filepath.Dir(path)] = true
		if target, err := filepath.EvalSymlinks(path); err == nil {
			folders[filepath.Dir(target)] = true
		}
	}
	for _, old := range watcher.WatchList() {
		if !folders[old] {
			_ = watcher.Remove(old) // fails if the folder is gone, which is as good
		}
	}
	var failed error
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		failed = errors.Join(failed, watcher.Add(folder))
	}
	return failed
}

// tracker remembers what was last seen of some files.
type tracker struct{ sums map[string]string }

func newTracker(sums map[string]string) *tracker { return &tracker{maps.Clone(sums)} }

// changed reads the files and reports whether any is not what it was.
func (t *tracker) changed() bool {
	changed := false
	for path, last := range t.sums {
		if now := fileSum(path); now != last {
			t.sums[path], changed = now, true
		}
	}
	return changed
}

// follow goes on with the files of another configuration. What was already seen
// of a file stays, so that a change that could not be used is not seen twice.
func (t *tracker) follow(sums map[string]string) {
	next := maps.Clone(sums)
	for path := range next {
		if last, ok := t.sums[path]; ok {
			next[path] = last
		}
	}
	t.sums = next
}

// fileSum returns the SHA-256 of a file, or "" if it cannot be read.
func fileSum(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
