// Command weir is a sidecar inference firewall: an Envoy external processor that
// parses, sanitises and re-encodes what goes to a model server, and checks what
// comes back.
//
// What the subcommands print on standard output is data, what they print on
// standard error is for people. Every one of them ends with one of five exit
// codes; see their --help.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes of every subcommand.
const (
	exitPass      = 0
	exitFindings  = 1 // failed, or found something
	exitUndecided = 2 // could not decide: I/O, unreadable
	exitNothing   = 3 // nothing to do
	exitUsage     = 4 // usage, or an invalid configuration
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes the command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, messages io.Writer) int {
	data := &output{to: out}
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(data)
	root.SetErr(messages)
	c, err := root.ExecuteContextC(ctx)
	if data.failed != nil {
		err = fail(exitUndecided, "standard output: %w", data.failed)
	}
	if err == nil {
		return exitPass
	}
	var exit *exitError
	if !errors.As(err, &exit) { // it is of the command line itself
		exit = &exitError{exitUsage, fmt.Errorf("%w\nRun \"%s --help\" for usage.", err, c.CommandPath())}
	}
	if exit.err != nil {
		fmt.Fprintln(messages, "weir:", exit.err)
	}
	return exit.code
}

// output remembers that a write has failed, so that no subcommand has to look.
type output struct {
	to     io.Writer
	failed error
}

func (o *output) Write(data []byte) (int, error) {
	if o.failed != nil {
		return 0, o.failed
	}
	n, err := o.to.Write(data)
	o.failed = err
	return n, err
}

// jsonLines writes one JSON value a line. The text in it is for programs and
// people, not for web pages, and stays readable.
func jsonLines(w io.Writer) *json.Encoder {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder
}

// exitError is the error of a subcommand with the exit code it ends in. Errors
// of any other type are those of the command line itself.
type exitError struct {
	code int
	err  error // nil when everything was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// newRoot is the command line.
func newRoot() *cobra.Command {
	root := newGroup("weir", "A sidecar firewall for model servers",
		newServe(), newInit(), newCheck(), newExplain(), newSanitize(), newBaseline(), newDrift(), newProbe(),
		newEnvoyConfig(), newDoctor(), newHealthcheck(), newConfig(), newVersion())
	root.SilenceUsage, root.SilenceErrors = true, true
	root.Version = currentVersion()
	root.SetVersionTemplate(versionLine())
	completeRoot(root)
	return root
}

// newGroup is a command that only has subcommands.
func newGroup(use, short string, subcommands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	needSubcommand(c)
	c.AddCommand(subcommands...)
	return c
}

// needSubcommand makes it an error to call c itself. Without this, cobra prints
// the help and ends with success, also after a misspelt subcommand.
func needSubcommand(c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	c.FParseErrWhitelist.UnknownFlags = true // the unknown subcommand is the error to tell
	c.SuggestionsMinimumDistance = 2
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs a subcommand", c.CommandPath())
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return fmt.Errorf("unknown command %q; did you mean %q?", args[0], near[0])
		}
		return fmt.Errorf("unknown command %q", args[0])
	}
	c.RunE = func(*cobra.Command, []string) error { return nil } // not reached: Args fails
}

// noArgs refuses arguments, of which a configuration file is the likeliest.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.Flags().Lookup("config") != nil:
		return fmt.Errorf("unexpected argument %q; the configuration is named with --config", args[0])
	default:
		return fmt.Errorf("unexpected argument %q", args[0])
	}
}

// completeRoot adds cobra's own subcommands, which are as strict as ours.
func completeRoot(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			needSubcommand(c)
		case "help":
			c.Args = func(_ *cobra.Command, topic []string) error {
				if c, rest, err := root.Find(topic); err != nil || len(rest) > 0 && c.HasSubCommands() {
					return fmt.Errorf("no help about %q", strings.Join(topic, " "))
				}
				return nil
			}
		}
	}
}
