package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/filter/config"
)

// text is a flag whose value is never empty, as it would be when a script's
// variable is not set.
type text string

func (t *text) String() string { return string(*t) }
func (t *text) Type() string   { return "string" }
func (t *text) Set(value string) error {
	if value == "" {
		return errors.New("it is empty")
	}
	*t = text(value)
	return nil
}

// textFlag adds a flag that may be left out; usage names its value in backquotes.
func textFlag(c *cobra.Command, name, usage string) *string {
	value := new(string)
	c.Flags().Var((*text)(value), name, usage)
	return value
}

// requiredFlag adds a flag that must be there.
func requiredFlag(c *cobra.Command, name, usage string) *string {
	value := textFlag(c, name, usage+" (required)")
	_ = c.MarkFlagRequired(name) // fails only for a flag that does not exist
	return value
}

// durationFlag adds a duration, which may have days, such as 30d.
func durationFlag(c *cobra.Command, name string, standard time.Duration, usage string) *config.Duration {
	value := config.Duration(standard)
	c.Flags().Var(&value, name, usage)
	return &value
}

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }
func (c *choice) Set(value string) error {
	if !slices.Contains(c.words, value) {
		return fmt.Errorf("it is none of %s", strings.Join(c.words, ", "))
	}
	c.value = value
	return nil
}

// choiceFlag adds a flag that takes one of words, the first by default.
func choiceFlag(c *cobra.Command, name, usage string, words ...string) *string {
	value := &choice{words[0], words}
	c.Flags().Var(value, name, usage)
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return &value.value
}

// outputFlag adds --output text|json.
func outputFlag(c *cobra.Command) *string {
	return choiceFlag(c, "output", "form of the output", "text", "json")
}

// configFlag adds -c/--config and returns where its value goes.
func configFlag(c *cobra.Command) *string {
	file := new(string)
	c.Flags().VarP((*text)(file), "config", "c", "configuration `FILE` (default ./weir.yaml, then /etc/weir/weir.yaml)")
	return file
}

// controlFlag adds --control and returns where its value goes.
func controlFlag(c *cobra.Command) *string {
	return textFlag(c, "control", "`HOST:PORT` of the control endpoint (default: that of the configuration)")
}

// controlAddress is the address of the flag, else that of the configuration.
func controlAddress(flag, file string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	cfg, err := loadConfig(file)
	if err != nil {
		return "", err
	}
	return cfg.Control, nil
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

// loadConfig loads the configuration of the flag. Its warnings are for check and
// serve to tell.
func loadConfig(flag string) (*config.Config, error) {
	path, err := findConfig(flag)
	if err != nil {
		return nil, err
	}
	cfg, _, err := config.Load(path)
	return cfg, configError(err)
}

// configError gives the error of a load its exit code.
func configError(err error) error {
	var invalid config.Errors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return fail(exitUsage, "the configuration is not valid:\n%w", err)
	default:
		return &exitError{exitUndecided, err}
	}
}
