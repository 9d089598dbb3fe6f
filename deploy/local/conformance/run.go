package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	perfAnalyzer = "perf_analyzer"
	patience     = 3 * time.Minute  // for a script
	longPatience = 20 * time.Minute // for a file of tests
)

// outcome is what became of one script or test under one profile.
type outcome struct {
	Passed  bool
	Crashed bool     // Triton
	Reasons []string // codes of Weir's refusals meanwhile
}

// row is a line of the report: a script or a test under each profile.
type row struct {
	Group, File, Name string
	Outcomes          [3]outcome // by profile
}

// runner runs everything and collects the rows.
type runner struct {
	*options
	rows []*row
	log  io.Writer // what failed and how, for whoever looks into it
}

func (r *runner) row(group, file, name string) *row {
	for _, have := range r.rows {
		if have.Group == group && have.File == file && have.Name == name {
			return have
		}
	}
	r.rows = append(r.rows, &row{Group: group, File: file, Name: name})
	return r.rows[len(r.rows)-1]
}

// group runs one group under one profile.
func (r *runner) group(ctx context.Context, g group, p profile, ports [3]*forwarder) (err error) {
	scripts := slices.DeleteFunc(slices.Clone(g.scripts), func(s script) bool { return !r.only.MatchString(s.title()) })
	suites := slices.DeleteFunc(slices.Clone(g.suites), func(s suite) bool { return !r.only.MatchString(s.file) })
	if len(scripts)+len(suites) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(r.dir, fmt.Sprintf("%d-", p))
	if err != nil {
		return err
	}
	models := filepath.Join(dir, "models")
	if err := repository(r.deps, r.server, models, g.models); err != nil {
		return err
	}
	s := &stack{profile: p, deps: r.deps, group: g, repository: models, dir: dir, ports: ports}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	for _, script := range scripts {
		passed, detail, err := r.script(ctx, script)
		if err != nil {
			return err
		}
		if err := r.record(ctx, s, r.row(g.name, "", script.title()), passed, detail); err != nil {
			return err
		}
	}
	for _, suite := range suites {
		if err := r.suite(ctx, s, suite, dir); err != nil {
			return fmt.Errorf("%s: %w", suite.file, err)
		}
	}
	return nil
}

// record notes an outcome, and starts everything again when Triton has crashed or the
// group wants it.
func (r *runner) record(ctx context.Context, s *stack, line *row, passed bool, detail string) error {
	o := outcome{Passed: passed}
	var err error
	if o.Crashed, err = s.crashed(ctx); err != nil {
		return err
	}
	if o.Reasons, err = s.reasons(ctx); err != nil {
		return err
	}
	line.Outcomes[s.profile] = o
	fmt.Printf("%-13s %-80s %s\n", s.profile, strings.TrimSpace(line.File+" "+line.Name), o)
	if !passed {
		fmt.Fprintf(r.log, "== %v: %s %s: %v\n%s\n", s.profile, line.File, line.Name, o, detail)
	}
	if o.Crashed || s.group.fresh {
		return errors.Join(s.stop(), s.start(ctx))
	}
	return nil
}

func (o outcome) String() string {
	text := "failed"
	if o.Passed {
		text = "passed"
	}
	if o.Crashed {
		text += ", Triton crashed"
	}
	if len(o.Reasons) > 0 {
		text += " (" + strings.Join(o.Reasons, ", ") + ")"
	}
	return text
}

// title is how a script is called, without the name of the picture.
func (s script) title() string { return strings.Join(append([]string{s.name}, s.args...), " ") }

// script runs a client example or perf_analyzer.
func (r *runner) script(ctx context.Context, s script) (passed bool, detail string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := slices.Clone(s.args)
	if s.image {
		args = append(args, filepath.Join(r.deps.Root, "sanitize", "testdata", "image", "baseline420.jpg"))
	}
	program := filepath.Join(r.python, "bin", perfAnalyzer)
	if s.name != perfAnalyzer {
		program = filepath.Join(r.python, "bin", "python")
		args = append([]string{filepath.Join(r.client, "src", "python", "examples", s.name)}, args...)
	}
	c := r.command(ctx, program, args...)
	c.Dir = r.dir
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return false, "", err
	}
	return err == nil, string(out), nil
}

// command is a program in a process group of its own, which ends with ctx.
func (r *runner) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "LD_LIBRARY_PATH="+
		filepath.Join(r.python, "lib")+":"+filepath.Join(r.python, "lib", "python3.11", "site-packages", "nvidia", "cuda_runtime", "lib"))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second
	return c
}

// suite runs a file of tests, one after the other.
func (r *runner) suite(ctx context.Context, s *stack, f suite, dir string) error {
	limited, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	qa := filepath.Join(r.server, "qa")
	home, err := suiteHome(dir, qa, s, f)
	if err != nil {
		return err
	}
	args := append([]string{filepath.Join(r.deps.Root, "deploy", "local", "conformance", "run_tests.py"), filepath.Join(qa, f.file)}, f.only...)
	for name := range notRun {
		if test, ok := strings.CutPrefix(name, f.file+" "); ok {
			args = append(args, "-"+test)
		}
	}
	c := r.command(limited, filepath.Join(r.python, "bin", "python"), args...)
	// TEST_JETSON is NVIDIA's own word for tests without a look into the memory that
	// Triton shares with its models; the library for that is in none of the packages.
	c.Env = append(c.Env, "TEST_JETSON=1", fmt.Sprintf("SERVER_PID=%d", s.triton.Pid), "SERVER_LOG="+f.log)
	c.Dir, c.Env, c.Stderr = home, append(c.Env, f.env...), r.log
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	if err := r.tests(ctx, s, f, in, out); err != nil {
		return errors.Join(err, c.Cancel(), c.Wait())
	}
	return c.Wait()
}

// suiteHome makes the directory where the tests of a file run. They look for ../common
// or ../../common from there, for Triton's log if they read it, and write there.
func suiteHome(dir, qa string, s *stack, f suite) (string, error) {
	home := filepath.Join(dir, "qa", filepath.Dir(f.file))
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	links := map[string]string{filepath.Join(dir, "qa", "common"): filepath.Join(qa, "common")}
	if f.log != "" {
		links[filepath.Join(home, f.log)] = s.triton.LogPath
	}
	for name, to := range links {
		if err := os.Symlink(to, name); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return home, nil
}

// tests reads a line for each test that has ended, and lets the next one begin.
func (r *runner) tests(ctx context.Context, s *stack, f suite, in io.Writer, out io.Reader) error {
	title := strings.TrimSpace(f.file + " " + strings.Join(f.env, " "))
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one struct {
			Test   string
			Passed bool
			Detail string
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return fmt.Errorf("run_tests.py said %q: %w", lines.Text(), err)
		}
		if err := r.record(ctx, s, r.row(s.group.name, title, one.Test), one.Passed, one.Detail); err != nil {
			return err
		}
		if _, err := io.WriteString(in, "\n"); err != nil {
			return err
		}
	}
	return lines.Err()
}
