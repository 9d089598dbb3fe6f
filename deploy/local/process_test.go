package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell returns a Spec for a shell script; dir is also its $1, so that its
// process can be found by it.
func shell(dir, script string) Spec {
	return Spec{Name: "script", Path: "/bin/sh", Args: []string{"-c", script, "sh", dir}, LogDir: dir}
}

func TestWaitReportsHowTheProcessEnded(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string // parts of the error; none: no error
	}{
		{"success", "exit 0", nil},
		{"status", "echo to stdout; echo to stderr >&2; exit 3", []string{"exit status 3", "/bin/sh -c", "| to stdout", "| to stderr", "script.log"}},
		{"a signal that nobody here sent", "kill -SEGV $$", []string{"segmentation fault"}},
		{"long log", "seq 1 5000; exit 1", []string{"| 4981\n", "| 5000\n"}},
		{"one long line", "head -c 300000 /dev/zero | tr '\\0' x; exit 1", []string{"| xxx"}},
		{"not UTF-8", "printf 'a\\377b'; exit 1", []string{"| a?b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := start(t, shell(t.TempDir(), test.script)).Wait()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			var failure *Failure
			if err != nil && (!errors.As(err, &failure) || len(failure.Tail) > 20) {
				t.Fatalf("error is not a Failure with at most 20 lines: %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	if _, err := Start(t.Context(), Spec{Name: "x", Path: filepath.Join(dir, "absent"), LogDir: dir}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("program that does not exist: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, shell(dir, "exit 0")); !errors.Is(err, context.Canceled) {
		t.Errorf("context that has ended: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), shell(filepath.Join(file, "sub"), "exit 0")); err == nil {
		t.Error("log directory that cannot be made: no error")
	}
}

// ready waits until the script has written "ready" to its log.
func ready(t *testing.T, p *Process) {
	t.Helper()
	err := p.WaitReady(t.Context(), func(context.Context) error {
		text, err := os.ReadFile(p.LogPath)
		if err == nil && !strings.Contains(string(text), "ready\n") {
			err = errors.New("not yet")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStop(t *testing.T) {
	tests := []struct {
		name, script string
		before       func(*Process)
		want         string // part of the error; empty: none
	}{
		{"no handler", "echo ready; while :; do sleep 0.05; done", nil, ""},
		{"handler", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", nil, ""},
		{"handler that fails", "trap 'echo lost; exit 66' TERM; echo ready; while :; do sleep 0.05; done", nil, "exit status 66"},
		{"children left alone", "tail -f $1/script.log & trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done", nil, ""},
		{"stopped by a signal", "echo ready; while :; do sleep 0.05; done", func(p *Process) { p.Signal(syscall.SIGSTOP) }, ""},
		{"killed before", "echo ready; while :; do sleep 0.05; done", func(p *Process) { p.Signal(syscall.SIGKILL) }, ""},
		{"ended before", "exit 4", nil, "exit status 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			p := start(t, shell(dir, test.script))
			if strings.HasPrefix(test.script, "exit") {
				<-p.Done()
			} else {
				ready(t, p)
			}
			if test.before != nil {
				test.before(p)
			}
			err := p.Stop(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("stop: %v, want an error with %q", err, test.want)
			}
			wantGone(t, dir)
			if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("signal after the end: %v", err)
			}
		})
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	dir := t.TempDir()
	p := start(t, shell(dir, "trap '' TERM; tail -f $1/script.log & echo ready; while :; do sleep 0.05; done"))
	ready(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("stop: %v", err)
	}
	wantGone(t, dir)
}

func TestProcessEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Start(ctx, shell(dir, "echo ready; while :; do sleep 0.05; done"))
	if err != nil {
		t.Fatal(err)
	}
	ready(t, p)
	cancel()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	wantGone(t, dir)
}

func TestProcessEndsWithItsKilledParent(t *testing.T) {
	dir := t.TempDir()
	helper := startHelper(t, "tail", dir)
	if found := processesWith(t, dir); len(found) != 2 {
		t.Fatalf("want the helper and its child, have %q", found)
	}
	if err := helper.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantGone(t, dir)
}

// The kernel sends the parent-death signal when the thread that started the
// child ends, which must not happen while the process lives.
func TestProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	started := make(chan *Process)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		p, err := Start(t.Context(), shell(t.TempDir(), "echo ready; while :; do sleep 0.05; done"))
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	p := <-started
	if p == nil {
		return
	}
	ready(t, p)
	select {
	case <-p.Done():
		t.Errorf("ended by itself: %v", p.Wait())
	case <-time.After(300 * time.Millisecond):
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWaitReadyGivesUp(t *testing.T) {
	never := func(context.Context) error { return errors.New("the reason") }
	t.Run("exit status 0", func(t *testing.T) {
		err := start(t, shell(t.TempDir(), "exit 0")).WaitReady(t.Context(), never)
		if err == nil || !strings.Contains(err.Error(), "ended before it was ready: the reason") {
			t.Error(err)
		}
	})
	t.Run("exit status 1", func(t *testing.T) {
		err := start(t, shell(t.TempDir(), "echo why; exit 1")).WaitReady(t.Context(), never)
		if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "| why") {
			t.Error(err)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := start(t, shell(t.TempDir(), "sleep 100")).WaitReady(ctx, never)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the reason") {
			t.Error(err)
		}
	})
}

func TestSignalReachesTheGroup(t *testing.T) {
	dir := t.TempDir()
	p := start(t, shell(dir, "tail -f $1/script.log & echo ready; wait"))
	ready(t, p)
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Both are in state T once they have taken the signal.
	for _, line := range processesWith(t, dir) {
		stat := strings.TrimSuffix(strings.Fields(line)[0], "cmdline") + "stat"
		for deadline := time.Now().Add(30 * time.Second); ; {
			text, err := os.ReadFile(stat)
			if err == nil && strings.Contains(string(text), ") T ") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s did not stop: %q, %v", line, text, err)
			}
		}
	}
}
