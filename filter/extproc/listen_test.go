package extproc

import (
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s.sock")
	l, err := Listen("unix://"+path, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v, want a socket of mode 0660 (%v)", info.Mode(), err)
	}
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		accepted <- err
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-accepted; err != nil {
		t.Errorf("the own user was refused: %v", err)
	}
	if _, err := Listen("unix://"+path, nil, quiet()); err == nil {
		t.Error("a second Weir took the socket of a running one")
	}
}

func TestOtherUsersAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := Listen("unix://"+path, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	l.(*peerListener).allowed = map[int64]bool{} // nobody, not even the test
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			t.Error("a user that is not allowed got in")
			_ = c.Close()
		}
	}()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Errorf("read %d, %v; want the connection closed", n, err)
	}
	_ = c.Close()
	_ = l.Close()
	<-done
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen("unix://"+path, nil, quiet())
	if err != nil {
		t.Fatalf("a socket left over from a killed process: %v", err)
	}
	_ = l.Close()
}

func TestListenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"tcp://127.0.0.1:1", "unix://relative", "unix://" + file, ""} {
		if l, err := Listen(address, nil, quiet()); err == nil {
			_ = l.Close()
			t.Errorf("Listen(%q) = nil, want an error", address)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "data" {
		t.Error("a file that is no socket was touched")
	}
}
