package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// helperEnv makes the test binary play a parent that is killed: it starts the
// processes that the variable names, with their files in the directory that is
// its last argument, and sleeps.
const helperEnv = "WEIR_LOCAL_TEST_HELPER"

var helpers = map[string]func(ctx context.Context, dir string) error{
	"tail": func(ctx context.Context, dir string) error {
		_, err := Start(ctx, Spec{Name: "tail", Path: "tail", Args: []string{"-f", filepath.Join(dir, "helper.log")}, LogDir: dir})
		return err
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](context.Background(), os.Args[len(os.Args)-1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("started")
		time.Sleep(time.Hour)
	}
	goleak.VerifyTestMain(m)
}

// startHelper starts this test binary as a helper and waits until it has
// started its processes.
func startHelper(t *testing.T, name, dir string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), helperEnv+"="+name)
	helper := start(t, Spec{Name: "helper", Path: self, Args: []string{dir}, Env: env, LogDir: dir})
	err = helper.WaitReady(t.Context(), func(context.Context) error {
		text, err := os.ReadFile(helper.LogPath)
		if err == nil && !strings.Contains(string(text), "started\n") {
			err = errors.New("nothing started yet")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return helper
}

// start starts a process and makes sure that it is gone after the test.
func start(t *testing.T, spec Spec) *Process {
	t.Helper()
	p, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.Background()) })
	return p
}

// processesWith returns the living processes with text in their command line.
func processesWith(t *testing.T, text string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		line, err := os.ReadFile(path) // empty for a zombie
		if err == nil && strings.Contains(string(line), text) {
			found = append(found, path+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// wantGone fails unless all processes with text in their command line end
// within half a minute.
func wantGone(t *testing.T, text string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		left := processesWith(t, text)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes left behind: %q", left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
