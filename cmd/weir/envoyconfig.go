package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"weir/deploy/envoy"
	"weir/filter/config"
)

func newEnvoyConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "envoy-config",
		Short: "Print the Envoy bootstrap that fits a configuration",
		Long: `Print the Envoy bootstrap that fits a configuration: ext_proc that fails closed,
with body, buffer, gRPC message and timeout limits taken from the one file. With
--envoy, Envoy itself checks it before it is printed.
Exit code 0: printed; 1: Envoy refuses it; 2: a file cannot be read, or Envoy cannot
be run; 4: usage or an invalid configuration.`,
		Args: noArgs,
	}
	file := configFlag(c)
	listen := c.Flags().String("listen", "0.0.0.0:8080", "`IP:PORT` where clients connect")
	admin := c.Flags().String("admin", "127.0.0.1:9901", "`IP:PORT` of Envoy's admin interface")
	accessLog := c.Flags().String("access-log", "/dev/stdout", "`FILE` of the access log")
	upstreamTimeout := durationFlag(c, "upstream-timeout", time.Minute, "how long the model server may take for an answer")
	binary := textFlag(c, "envoy", "`PROGRAM` of Envoy that must accept the bootstrap")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		o := envoyOptions(cfg)
		o.Listen, o.Admin, o.AccessLog, o.UpstreamTimeout = *listen, *admin, *accessLog, upstreamTimeout.Std()
		bootstrap, err := envoy.Bootstrap(o)
		if err != nil {
			return fail(exitUsage, "%w", err)
		}
		if *binary != "" {
			if err := validate(c.Context(), *binary, bootstrap); err != nil {
				return err
			}
		}
		_, _ = c.OutOrStdout().Write(bootstrap) // run sees a failed standard output
		return nil
	}
	return c
}

// validate lets Envoy check a bootstrap.
func validate(ctx context.Context, binary string, bootstrap []byte) error {
	file, err := os.CreateTemp("", "weir-*.yaml")
	if err != nil {
		return &exitError{exitUndecided, err}
	}
	defer os.Remove(file.Name())
	_, err = file.Write(bootstrap)
	if err := errors.Join(err, file.Close()); err != nil {
		return &exitError{exitUndecided, err}
	}
	var exit *exec.ExitError
	switch out, err := exec.CommandContext(ctx, binary, "--mode", "validate", "--log-level", "error", "--config-path", file.Name()).CombinedOutput(); {
	case errors.As(err, &exit):
		return fail(exitFindings, "%s refuses the bootstrap: %w\n%s", binary, err, bytes.TrimSpace(out))
	case err != nil:
		return &exitError{exitUndecided, err}
	}
	return nil
}

// envoyOptions are the options that the configuration decides.
func envoyOptions(cfg *config.Config) envoy.Options {
	return envoy.Options{
		Socket:            cfg.Listen,
		Upstream:          cfg.Upstream.HTTP,
		GRPC:              cfg.Upstream.OpenGRPC(),
		OpenAI:            cfg.Upstream.OpenAI,
		Upload:            cfg.Upstream.Upload,
		OTLPEndpoint:      cfg.Telemetry.OTLPEndpoint,
		MaxBodyBytes:      int64(cfg.Limits.MaxBodyBytes),
		MaxResponseBytes:  int64(cfg.Limits.MaxResponseBytes),
		BodyTimeout:       cfg.Limits.BodyTimeout.Std(),
		PhaseTimeout:      cfg.Limits.RequestTimeout.Std(),
		StreamIdleTimeout: cfg.Limits.StreamIdleTimeout.Std(),
		MaxStreams:        uint32(cfg.Limits.MaxStreamsInFlight),
	}
}
