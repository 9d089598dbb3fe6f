package extproc

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Listen opens the Unix socket of an address "unix:///path", in a folder that it
// makes if there is none. The socket is made
// with mode 0660, and a peer is accepted only if it runs as this process's user,
// as root, or as one of peers. A socket left over from a killed process is
// replaced; one that somebody answers on is an error.
func Listen(address string, peers []int64, log *slog.Logger) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("listen: %q is not of the form unix:///path", address)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	old := unix.Umask(0o117)
	listener, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	allowed := map[int64]bool{0: true, int64(os.Geteuid()): true}
	for _, uid := range peers {
		allowed[uid] = true
	}
	return &peerListener{Listener: listener, allowed: allowed, log: log}, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return fmt.Errorf("%s is in use by another process", path)
	}
	return os.Remove(path)
}

// peerListener refuses connections of other users than those allowed.
type peerListener struct {
	net.Listener
	allowed map[int64]bool
	log     *slog.Logger
}

// Accept waits for the next connection of a user that is allowed.
func (l *peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && l.allowed[int64(uid)] {
			return c, nil
		}
		l.log.Warn("connection refused: peer is not allowed", "uid", uid, "error", err)
		_ = c.Close()
	}
}

// peerUID is the user of the process at the other end, as the kernel knows it.
func peerUID(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}
