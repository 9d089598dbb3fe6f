package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newHealthcheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running Weir whether it is ready",
		Long: `Ask a running Weir whether it is ready, for probes that run a command.
Exit code 0: yes; 1: no, with the reasons; 2: no answer.`,
		Args: cobra.NoArgs,
	}
	file := configFlag(c)
	live := c.Flags().Bool("live", false, "ask whether it is alive instead")
	timeout := c.Flags().Duration("timeout", 2*time.Second, "how long to wait for the answer")
	address := c.Flags().String("address", "", "host:port of the public endpoint (default: that of the configuration)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *address == "" {
			cfg, err := loadConfig(c, *file)
			if err != nil {
				return err
			}
			*address = cfg.Public
		}
		path := "/readyz?verbose"
		if *live {
			path = "/healthz"
		}
		return askHealth(c, "http://"+reachable(*address)+path, *timeout)
	}
	return c
}

func askHealth(c *cobra.Command, url string, timeout time.Duration) error {
	client := http.Client{Timeout: timeout}
	response, err := client.Get(url)
	if err != nil {
		return fail(exitUndecided, "%w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fail(exitUndecided, "%w", err)
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return fail(exitFindings, "not ready: %s", text)
	}
	_, err = io.WriteString(c.OutOrStdout(), text+"\n")
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
