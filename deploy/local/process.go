package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stopTimeout is how long a process may take to end after SIGTERM.
const stopTimeout = 15 * time.Second

// Spec describes a process to start.
type Spec struct {
	Name   string   // for messages and the log file, LogDir/Name.log
	Path   string   // program; looked up in $PATH when it has no slash
	Args   []string // without the program's name
	Env    []string // "KEY=value"; nil: the environment of this process
	Dir    string   // working directory; empty: that of this process
	LogDir string   // created when missing

	onExit func() // runs once the whole group is dead, before Done
}

// Process is a running program with its children, in a process group of its
// own.
type Process struct {
	Name    string
	Command string // the program and its arguments, for messages
	LogPath string // where standard output and standard error go, appended
	Pid     int    // also the id of the process group

	done chan struct{}

	mu    sync.Mutex
	sent  map[syscall.Signal]bool
	ended bool
	err   error
}

// Start starts a process. It runs until it ends by itself, is stopped, ctx
// ends (as [Process.Stop] does), or this process dies, in which case the
// kernel kills it, but not its children: those of Triton notice and end.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	if err := os.MkdirAll(spec.LogDir, 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	logPath := filepath.Join(spec.LogDir, spec.Name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	defer log.Close()

	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Env, spec.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{
		Name:    spec.Name,
		Command: strings.Join(cmd.Args, " "),
		LogPath: logPath,
		done:    make(chan struct{}),
		sent:    make(map[syscall.Signal]bool),
	}
	started := make(chan error)
	go p.run(cmd, started, spec.onExit)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go func() {
		select {
		case <-ctx.Done():
			p.Stop(context.Background())
		case <-p.done:
		}
	}()
	return p, nil
}

// run starts the program and sees it to its end. It keeps one operating system
// thread for all that time: the parent-death signal is sent when the thread
// that started the child ends, not the process.
func (p *Process) run(cmd *exec.Cmd, started chan<- error, onExit func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if err == nil {
		p.Pid = cmd.Process.Pid
	}
	started <- err
	if err != nil {
		return
	}
	awaitExit(p.Pid)

	// The leader is dead but not yet reaped, so the group's id is still its
	// own, and no signal can reach somebody else's process.
	p.mu.Lock()
	syscall.Kill(-p.Pid, syscall.SIGKILL)
	p.err = p.failure(cmd.Wait())
	p.ended = true
	p.mu.Unlock()
	if onExit != nil {
		onExit()
	}
	close(p.done)
}

// awaitExit blocks until a child has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// failure returns nil for an exit status of 0 and for death by a signal that
// was sent on purpose.
func (p *Process) failure(err error) error {
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && p.sent[status.Signal()] {
			return nil
		}
	}
	return p.fail(err)
}

// Done is closed when the process and its whole group have ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process. It returns a [*Failure] for an exit
// status other than 0 and for death by a signal that neither Signal nor Stop
// sent.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Signal sends a signal to the whole group.
func (p *Process) Signal(signal syscall.Signal) error {
	return p.signal(-p.Pid, signal)
}

func (p *Process) signal(target int, signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return fmt.Errorf("signal %s: %w", p.Name, os.ErrProcessDone)
	}
	p.sent[signal] = true
	if err := syscall.Kill(target, signal); err != nil {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// Stop asks the process to end with SIGTERM, kills its group when ctx ends or
// after 15 seconds, and waits until nothing of it is left. It returns what
// Wait does, or a [*Failure] when the process had to be killed. Stopping a
// process that has ended is fine.
func (p *Process) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	// Children are the leader's to end. A stopped group has to run to do so.
	if err := p.signal(p.Pid, syscall.SIGTERM); err != nil {
		return p.Wait()
	}
	p.Signal(syscall.SIGCONT)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return p.Wait()
	}
	<-p.done
	return p.fail(fmt.Errorf("killed, because it did not end after SIGTERM: %w", context.Cause(ctx)))
}

// Failure is the end of a process, or its failing to become ready, with what
// is needed to find out why.
type Failure struct {
	Name    string
	Command string
	LogPath string
	Tail    []string // the last lines of the log, at most 20
	Err     error
}

func (p *Process) fail(err error) *Failure {
	return &Failure{Name: p.Name, Command: p.Command, LogPath: p.LogPath, Tail: tail(p.LogPath, 20), Err: err}
}

func (f *Failure) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %v\ncommand: %s\n", f.Name, f.Err, f.Command)
	for _, line := range f.Tail {
		fmt.Fprintf(&text, "  | %s\n", line)
	}
	fmt.Fprintf(&text, "log: %s", f.LogPath)
	return text.String()
}

func (f *Failure) Unwrap() error { return f.Err }

// tail returns the last n lines of a file, looking at no more than its last
// 64 KiB, and nothing when the file cannot be read.
func tail(path string, n int) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	const window = 64 << 10
	buffer := make([]byte, window)
	var start int64
	if info, err := file.Stat(); err == nil {
		start = max(0, info.Size()-window)
	}
	size, _ := file.ReadAt(buffer, start)
	text := strings.ToValidUTF8(string(bytes.TrimSpace(buffer[:size])), "?")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}
