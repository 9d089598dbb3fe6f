//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is a directory with weir and weir-demo as the sources have them now.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if built, err = os.MkdirTemp("", "weir-demo-test"); err == nil {
			defer os.RemoveAll(built)
			err = build()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func build() error {
	for name, pkg := range map[string]string{"weir": "weir/cmd/weir", "weir-demo": "weir/deploy/local/demo"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(built, name), pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}

// output is what a program has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor waits for a text in what was printed, for up to ten minutes.
func (o *output) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); !strings.Contains(o.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not printed:\n%s", text, o)
		}
	}
}

// running is a demonstration that was started.
type running struct {
	*exec.Cmd
	out *output
}

func startDemo(t *testing.T, env []string, args ...string) running {
	t.Helper()
	d := running{exec.Command(filepath.Join(built, "weir-demo"), args...), new(output)}
	d.Env, d.Stdout, d.Stderr = append(os.Environ(), env...), d.out, d.out
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Process.Kill() // fails when it has ended, as it should have
		os.RemoveAll(d.dir())
	})
	return d
}

// dir is the run directory.
func (d running) dir() string {
	return filepath.Join("..", "..", "..", ".run", fmt.Sprintf("demo-%d", d.Process.Pid))
}

// wantEnd waits for the end of a demonstration, wants an exit code, and wants
// nothing of it to be left.
func (d running) wantEnd(t *testing.T, code int) {
	t.Helper()
	d.Wait()
	if have := d.ProcessState.ExitCode(); have != code {
		t.Errorf("exit code %d, want %d:\n%s", have, code, d.out)
	}
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	pid := d.Process.Pid
	own := regexp.MustCompile(fmt.Sprintf(`demo-%d/|weir-%d-`, pid, pid)) // run directory, shared memory
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err == nil && own.Match(line) {
			t.Errorf("left behind: %s %q", path, line)
		}
	}
	if left, err := filepath.Glob(fmt.Sprintf("/dev/shm/weir-%d-*", pid)); err != nil || len(left) > 0 {
		t.Errorf("shared memory left behind: %q, %v", left, err)
	}
}

var heldRow = regexp.MustCompile(`(?m)^\([a-j]\) .* yes$`)

// Two demonstrations side by side, one of which is kept running until Ctrl-C.
func TestEveryLineHolds(t *testing.T) {
	weir := "-weir=" + filepath.Join(built, "weir")
	kept, plain := startDemo(t, []string{"KEEP=1"}, weir), startDemo(t, []string{"KEEP="}, weir)
	plain.wantEnd(t, exitHeld)
	kept.out.waitFor(t, "Press Ctrl-C")
	if err := kept.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	kept.wantEnd(t, exitHeld)
	for _, d := range []running{kept, plain} {
		if rows := heldRow.FindAllString(d.out.String(), -1); len(rows) != len(lines) {
			t.Errorf("%d of %d rows held:\n%s", len(rows), len(lines), d.out)
		}
		if strings.Contains(d.out.String(), "\x1b") {
			t.Error("control characters in what is no terminal")
		}
	}
}

func TestInterruptStopsEverything(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		for _, moment := range []string{"Start Triton", "(b)"} {
			d := startDemo(t, nil, "-weir="+filepath.Join(built, "weir"))
			d.out.waitFor(t, moment)
			if err := d.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			d.wantEnd(t, exitInterrupted)
		}
	}
}

func TestFailureIsExplained(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "weir")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho this weir is broken >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, nil, "-weir="+broken)
	d.wantEnd(t, exitNotHeld)
	for _, want := range []string{"failed\n", "command: " + broken + " serve", "  | this weir is broken", "log: ", "weir.log"} {
		if !strings.Contains(d.out.String(), want) {
			t.Errorf("no %q in\n%s", want, d.out)
		}
	}
	unknown := startDemo(t, nil, "nonsense")
	unknown.wantEnd(t, exitUsage)
}
