package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline ends a test that would wait for ever; no test measures against it.
const deadline = time.Minute

// watched runs Watch on the sources of a configuration file, and reports on seen
// what the file holds each time that onChange is called.
func watched(t *testing.T, config string) (seen chan string) {
	t.Helper()
	c, _ := load(t, config)
	seen = make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Watch(ctx, func() map[string]string { return c.Sources() }, func() {
			data, _ := os.ReadFile(config)
			if next, _, err := Load(config); err == nil {
				c = next
			}
			seen <- string(data)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return seen
}

// until waits for onChange to see a text.
func until(t *testing.T, seen chan string, text string) {
	t.Helper()
	timeout := time.After(deadline)
	for {
		select {
		case got := <-seen:
			if got == text {
				return
			}
		case <-timeout:
			t.Fatalf("no change to %q was seen", text)
		}
	}
}

func TestWatchWrite(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "log: {level: info}\n")
	seen := watched(t, config)
	for _, text := range []string{"log: {level: debug}\n", "log: {level: warn}\n"} {
		write(t, folder, "weir.yaml", text)
		until(t, seen, text)
	}
}

func TestWatchRename(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "log: {level: info}\n")
	seen := watched(t, config)
	for _, text := range []string{"log: {level: debug}\n", "log: {level: warn}\n"} {
		if err := os.Rename(write(t, folder, "weir.yaml.tmp", text), config); err != nil {
			t.Fatal(err)
		}
		until(t, seen, text)
	}
}

// TestWatchConfigMap replaces the file as kubelet does for a mounted ConfigMap: the
// file is a link through ..data, which is swapped for a link to a new folder.
func TestWatchConfigMap(t *testing.T) {
	mount := t.TempDir()
	config := filepath.Join(mount, "weir.yaml")
	publish := func(version, text string) {
		t.Helper()
		folder := filepath.Join(mount, version)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, folder, "weir.yaml", text)
		if err := os.Symlink(version, filepath.Join(mount, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("..1", "log: {level: info}\n")
	if err := os.Symlink("..data/weir.yaml", config); err != nil {
		t.Fatal(err)
	}
	seen := watched(t, config)
	publish("..2", "log: {level: debug}\n")
	until(t, seen, "log: {level: debug}\n")
	if err := os.RemoveAll(filepath.Join(mount, "..1")); err != nil {
		t.Fatal(err)
	}
	publish("..3", "log: {level: error}\n")
	until(t, seen, "log: {level: error}\n")
}

// TestWatchLink changes the file that a link leads to, in another folder.
func TestWatchLink(t *testing.T) {
	there, here := t.TempDir(), t.TempDir()
	config := filepath.Join(here, "weir.yaml")
	if err := os.Symlink(write(t, there, "weir.yaml", "log: {level: info}\n"), config); err != nil {
		t.Fatal(err)
	}
	seen := watched(t, config)
	write(t, there, "weir.yaml", "log: {level: debug}\n")
	until(t, seen, "log: {level: debug}\n")
}

func TestWatchBadFileThenGood(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "log: {level: info}\n")
	seen := watched(t, config)
	for _, text := range []string{"log: {level: [\n", "log: {level: none}\n", "log: {level: info}\n"} {
		write(t, folder, "weir.yaml", text)
		until(t, seen, text)
	}
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	until(t, seen, "")
	write(t, folder, "weir.yaml", "log: {level: info}\n")
	until(t, seen, "log: {level: info}\n")
}

// TestWatchBetweenLoadAndWatch changes the file before Watch begins.
func TestWatchBetweenLoadAndWatch(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "log: {level: info}\n")
	c, _ := load(t, config)
	write(t, folder, "weir.yaml", "log: {level: debug}\n")
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	calls := 0
	if err := Watch(ctx, c.Sources, func() { calls++; cancel() }); err != nil || calls != 1 {
		t.Errorf("got %d calls, %v", calls, err)
	}
}

// TestWatchReferencedFile changes files that the configuration refers to, the
// second of which only the second configuration knows.
func TestWatchReferencedFile(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	text := func(labels string) string {
		return "models: [{name: a, inputs: {A: {kind: text}}, outputs: {P: {kind: probabilities, labels: " + labels + "}}}]\n"
	}
	first, second := write(t, elsewhere, "first", "a\n"), write(t, t.TempDir(), "second", "a\n")
	config := write(t, folder, "weir.yaml", text(first))
	seen := watched(t, config)
	if err := os.WriteFile(first, []byte("b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, seen, text(first))
	write(t, folder, "weir.yaml", text(second))
	until(t, seen, text(second))
	if err := os.WriteFile(second, []byte("b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, seen, text(second))
}

func TestWatchMissingFolder(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone", "weir.yaml")
	sources := func() map[string]string { return map[string]string{gone: ""} }
	if err := Watch(t.Context(), sources, func() {}); err == nil {
		t.Error("a folder that does not exist can be watched")
	}
}

// TestTracker holds what counts as a change.
func TestTracker(t *testing.T) {
	folder := t.TempDir()
	a, b := write(t, folder, "a", "1"), write(t, folder, "b", "1")
	seen := newTracker(map[string]string{a: sum([]byte("1"))})
	expect := func(what string, want bool) {
		t.Helper()
		if got := seen.changed(); got != want {
			t.Errorf("%s: changed is %v, want %v", what, got, want)
		}
	}
	expect("nothing", false)
	write(t, folder, "a", "1")
	if err := os.Chtimes(a, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	expect("touched", false)
	write(t, folder, "a", "2")
	expect("new content", true)
	expect("the same content again", false)
	seen.follow(map[string]string{a: sum([]byte("1")), b: sum([]byte("1"))})
	expect("a change that could not be used", false)
	write(t, folder, "b", "2")
	expect("another file", true)
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	expect("removed", true)
	expect("still missing", false)
	seen.follow(map[string]string{b: sum([]byte("2"))})
	write(t, folder, "a", "3")
	expect("a file that no longer counts", false)
}
