package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/filter/draft"
	"weir/filter/upstream"
)

func newInit() *cobra.Command {
	c := &cobra.Command{
		Use:   "init --upstream URL",
		Short: "Draft a configuration from a running model server",
		Long: `Draft a configuration from a running model server: its models and their versions,
what each input and output holds, and checks that suit them. Every input is marked
"unconfirmed", which is not valid: nothing is served before a person has written
what it holds. What the server tells and Weir guesses stands beside it.
Exit code 0: drafted; 2: no answer, or a file cannot be written; 3: no model to draft;
4: usage, or the file exists.`,
		Example: `  weir init --upstream http://127.0.0.1:8000 --out weir.yaml
  weir init --upstream http://127.0.0.1:8000 --grpc 127.0.0.1:8001 --model 'traffic-*'`,
		Args: noArgs,
	}
	d := drafting{}
	server := requiredFlag(c, "upstream", "`URL` of the model server's HTTP endpoint")
	grpc := textFlag(c, "grpc", "`HOST:PORT` of its gRPC endpoint (default: none, gRPC stays closed)")
	glob := textFlag(c, "model", "`GLOB` of the models (default: all)")
	out := textFlag(c, "out", "`FILE` to write, - for standard output (default -)")
	c.Flags().BoolVar(&d.force, "force", false, "write over a file that exists")
	_ = c.RegisterFlagCompletionFunc("out", cobra.FixedCompletions([]string{"weir.yaml"}, cobra.ShellCompDirectiveDefault))
	c.RunE = func(c *cobra.Command, _ []string) error {
		d.server, d.grpc, d.glob, d.file = *server, *grpc, *glob, *out
		if d.glob == "" {
			d.glob = "*"
		}
		if d.file == "-" {
			d.file = ""
		}
		if err := d.validate(); err != nil {
			return err
		}
		return d.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// drafting is one run of `weir init`.
type drafting struct {
	server, grpc string
	glob         string
	file         string // "" is standard output
	force        bool
}

// validate checks what was asked for, before the server is asked.
func (d *drafting) validate() error {
	u, err := url.Parse(d.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return errors.New("--upstream: expected a URL such as http://127.0.0.1:8000")
	}
	d.server = u.Scheme + "://" + u.Host
	if host, _, err := net.SplitHostPort(d.grpc); d.grpc != "" && (err != nil || host == "") {
		return errors.New("--grpc: expected HOST:PORT")
	}
	if _, err := path.Match(d.glob, ""); err != nil {
		return errors.New("--model: not a valid glob: a [ or \\ without its end")
	}
	if _, err := os.Lstat(d.file); d.file != "" && !d.force && err == nil {
		return d.exists()
	}
	return nil
}

func (d *drafting) exists() error {
	return fail(exitUsage, "%s exists; --force writes over it", d.file)
}

// askTimeout is how long the server may take to answer one question.
const askTimeout = 5 * time.Second

func (d *drafting) run(ctx context.Context, out, messages io.Writer) error {
	client := upstream.NewClient(d.server, askTimeout)
	defer client.Close()
	server, err := draft.Read(ctx, client, d.glob)
	if err != nil {
		return fail(exitUndecided, "%s: %w", d.server, cause(err))
	}
	server.HTTP, server.GRPC = d.server, d.grpc
	if !server.Drafted() {
		text := fmt.Sprintf("%s: no model to draft that matches %q", d.server, d.glob)
		return fail(exitNothing, "%s", strings.Join(append([]string{text}, server.Problems()...), "\n  "))
	}
	if server.Exposed() {
		fmt.Fprintf(messages, "weir: warning: %s is not on loopback: clients that reach it pass Weir by\n", d.server)
	}
	policy := server.Policy()
	if d.file == "" {
		_, _ = out.Write(policy) // run sees a failed standard output
		return nil
	}
	if err := d.write(policy); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: drafted, inputs to confirm: %d\n", d.file, bytes.Count(policy, []byte("{kind: unconfirmed}")))
	return nil
}

// write writes the file; one that has come meanwhile stays.
func (d *drafting) write(policy []byte) error {
	if d.force {
		if err := writeFile(d.file, policy); err != nil {
			return &exitError{exitUndecided, err}
		}
		return nil
	}
	f, err := os.OpenFile(d.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return d.exists()
	}
	if err != nil {
		return &exitError{exitUndecided, err}
	}
	_, err = f.Write(policy)
	if err = errors.Join(err, f.Close()); err != nil {
		return &exitError{exitUndecided, err}
	}
	return nil
}
