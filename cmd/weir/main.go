// Command weir is a sidecar inference firewall: an Envoy external processor that
// parses, sanitises and re-encodes what goes to a model server, and checks what
// comes back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"weir/filter/config"
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
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, messages io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(messages)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPass
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitUsage, err}
	}
	if exit.err != nil {
		fmt.Fprintln(messages, "weir:", exit.err)
	}
	return exit.code
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
	root := &cobra.Command{
		Use:           "weir",
		Short:         "A sidecar firewall for model servers",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	root.AddCommand(newServe(), newCheck(), newSanitize(), newBaseline(), newDrift(),
		newEnvoyConfig(), newHealthcheck(), newConfig(), newVersion())
	return root
}

// configFlag adds -c/--config and returns where its value goes.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "", "configuration file (default ./weir.yaml, then /etc/weir/weir.yaml)")
}

// findConfig returns the file of the flag, or the first default that exists.
func findConfig(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	for _, path := range []string{"weir.yaml", "/etc/weir/weir.yaml"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fail(exitUsage, "no configuration: neither ./weir.yaml nor /etc/weir/weir.yaml exists; name one with --config")
}

// loadConfig loads the configuration of the flag and prints warnings and errors.
func loadConfig(c *cobra.Command, flag string) (*config.Config, error) {
	path, err := findConfig(flag)
	if err != nil {
		return nil, err
	}
	cfg, warnings, err := config.Load(path)
	if len(warnings) > 0 {
		fmt.Fprintln(c.ErrOrStderr(), warnings.String())
	}
	return cfg, configError(err)
}

// configError gives the error of a load its exit code.
func configError(err error) error {
	var invalid config.Errors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return &exitError{exitUsage, fmt.Errorf("the configuration is not valid:\n%w", err)}
	default:
		return &exitError{exitUndecided, err}
	}
}
