package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"weir/deploy/local"
)

// options say what to run.
type options struct {
	deps           local.Deps
	client, server string // fetched copies
	revisions      [2]string
	python         string // environment that deps.sh made
	dir            string // for files of the run
	only           *regexp.Regexp
	out            string // the report
	part           bool   // of everything is run
	again          bool   // nothing is run
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &runner{options: o}
	saved := filepath.Join(o.deps.Root, ".run", "conformance.json")
	if o.part || o.again {
		if err := r.load(saved); err != nil {
			return err
		}
	}
	if !o.again {
		if err := r.all(ctx); err != nil {
			return err
		}
		text, err := json.MarshalIndent(r.rows, "", "\t")
		if err != nil {
			return err
		}
		if err := write(saved, text); err != nil {
			return err
		}
	}
	return r.report()
}

// load reads the outcomes of the last run, if there are any.
func (r *runner) load(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &r.rows); err != nil {
		return fmt.Errorf("outcomes of the last run, %s: %w", path, err)
	}
	return nil
}

// all runs everything.
func (r *runner) all(ctx context.Context) (err error) {
	var ports [3]*forwarder
	for i, port := range []int{8000, 8001, 8002} {
		if ports[i], err = forward(port); err != nil {
			return err
		}
		defer ports[i].listener.Close()
	}
	if r.dir, err = os.MkdirTemp("", "weir-conformance-"); err != nil { // short, for sockets
		return err
	}
	logPath := filepath.Join(r.deps.Root, ".run", "log", "conformance.log")
	if err := os.MkdirAll(filepath.Dir(logPath), 0o755); err != nil {
		return err
	}
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	r.log = log
	for _, g := range groups {
		for _, p := range profiles {
			if err := r.group(ctx, g, p, ports); err != nil {
				return fmt.Errorf("%s, %v: %w\nlogs are in %s", g.name, p, err, r.dir)
			}
		}
	}
	fmt.Println("what failed and how is in", logPath)
	return os.RemoveAll(r.dir)
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&o.client, "client", "", "fetched copy of triton-inference-server/client")
	flags.StringVar(&o.server, "server", "", "fetched copy of triton-inference-server/server")
	only := flags.String("run", "", "run only scripts and files of tests that match; what the last run says of others stays")
	flags.BoolVar(&o.again, "again", false, "run nothing, write the report of the last run again")
	flags.StringVar(&o.revisions[0], "client-revision", "", "commit of the client, if the copy is no git repository")
	flags.StringVar(&o.revisions[1], "server-revision", "", "commit of the server, if the copy is no git repository")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if o.client == "" || o.server == "" {
		return nil, errors.New("-client and -server are needed: directories with fetched copies of NVIDIA's repositories")
	}
	for i, dir := range []*string{&o.client, &o.server} {
		var err error
		if *dir, err = filepath.Abs(*dir); err != nil {
			return nil, err
		}
		if o.revisions[i], err = revision(*dir, o.revisions[i]); err != nil {
			return nil, err
		}
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	if o.deps, err = local.FindDeps(); err != nil {
		return nil, err
	}
	o.python = filepath.Join(o.deps.Python, "..", "..", "..", "conformance")
	o.part = *only != ""
	o.out = filepath.Join(o.deps.Root, "deploy", "e2e", "conformance.md")
	return o, nil
}

// revision is the commit of a copy: given, or that of the git repository there.
func revision(dir, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		return "", fmt.Errorf("%s is no git repository: say which commit it is of, with -client-revision or -server-revision", dir)
	}
	out, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("revision of %s: %w", dir, err)
	}
	return strings.TrimSpace(string(out)), nil
}
