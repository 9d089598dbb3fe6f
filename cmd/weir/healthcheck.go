package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealthcheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running Weir whether it is ready",
		Long: `Ask a running Weir whether it is ready, for probes that run a command. With
--address it does not read the configuration, which may be under repair while
Weir goes on with the last good one.
Exit code 0: yes; 1: no, with the reasons; 2: no answer.`,
		Args: noArgs,
	}
	file := configFlag(c)
	live := c.Flags().Bool("live", false, "ask whether it is alive instead")
	timeout := durationFlag(c, "timeout", 2*time.Second, "how long to wait for the answer")
	address := textFlag(c, "address", "`HOST:PORT` of the public endpoint (default: that of the configuration)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *address == "" {
			cfg, err := loadConfig(*file)
			if err != nil {
				return err
			}
			*address = cfg.Public
		}
		path := "/readyz?verbose"
		if *live {
			path = "/healthz"
		}
		return askHealth(c, *address, path, timeout.Std())
	}
	return c
}

func askHealth(c *cobra.Command, address, path string, timeout time.Duration) error {
	client := http.Client{Timeout: timeout, Transport: direct()}
	request, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+reachable(address)+path, nil)
	if err != nil {
		return fail(exitUsage, "--address: expected HOST:PORT, got %q", address)
	}
	response, err := client.Do(request)
	if err != nil {
		return fail(exitUndecided, "no answer from %s: %w", address, cause(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fail(exitUndecided, "no whole answer from %s: %w", address, cause(err))
	}
	answer := strings.TrimSpace(string(body))
	switch response.StatusCode {
	case http.StatusOK:
		fmt.Fprintln(c.OutOrStdout(), answer)
		return nil
	case http.StatusServiceUnavailable:
		return fail(exitFindings, "%s", answer)
	default:
		return fail(exitUndecided, "%s answers %s; is it a Weir?", address, response.Status)
	}
}

// direct is a transport for one request to a Weir nearby: no proxy, no leftovers.
func direct() *http.Transport { return &http.Transport{DisableKeepAlives: true} }

// cause strips the URL from an error of package http.
func cause(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// reachable turns a listen address without a host into one to connect to.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
