package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/filter/config"
)

func newCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and everything it refers to",
		Long: `Check a configuration and everything it refers to, and say all that is wrong
with it at once. Exit code 0: valid; 2: a file cannot be read; 4: not valid.`,
		Args: noArgs,
	}
	file := configFlag(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := findConfig(*file)
		if err != nil {
			return err
		}
		cfg, warnings, err := config.Load(path)
		if err == nil {
			_, err = cfg.Build(make([]byte, 32)) // stands in for a random key
		}
		if *output == "json" {
			return checkJSON(c, warnings, err)
		}
		if len(warnings) > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "weir: warnings:\n%s\n", warnings)
		}
		if err != nil {
			return configError(err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: valid, models: %d, digest: %s\n", path, len(cfg.Models), cfg.Digest())
		return nil
	}
	return c
}

// checkJSON prints one object with all issues.
func checkJSON(c *cobra.Command, warnings config.Warnings, err error) error {
	result := struct {
		Valid    bool            `json:"valid"`
		Errors   config.Errors   `json:"errors"`
		Warnings config.Warnings `json:"warnings"`
	}{Valid: err == nil, Errors: config.Errors{}, Warnings: warnings}
	if err != nil && !errors.As(err, &result.Errors) {
		return configError(err)
	}
	if result.Warnings == nil {
		result.Warnings = config.Warnings{}
	}
	_ = jsonLines(c.OutOrStdout()).Encode(result) // run sees a failed standard output
	if err != nil {
		return &exitError{code: exitUsage}
	}
	return nil
}
