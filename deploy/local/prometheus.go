package local

import (
	"context"
	"path/filepath"
)

// PrometheusOptions says how Prometheus runs.
type PrometheusOptions struct {
	ConfigPath string // prometheus.yml; its rule files are relative to it
	DataDir    string // for the time series; created when missing
	LogDir     string // receives prometheus.log
}

// Prometheus is a running Prometheus.
type Prometheus struct {
	*Process
	HTTP string // "127.0.0.1:port" of its pages and its API
}

// StartPrometheus starts Prometheus on a free port and waits until it is
// ready.
func StartPrometheus(ctx context.Context, deps Deps, options PrometheusOptions) (*Prometheus, error) {
	var prometheus *Prometheus
	err := withPorts(1, func(ports []int) error {
		address := loopback(ports[0])
		process, err := Start(ctx, Spec{
			Name: "prometheus",
			Path: deps.Prometheus,
			Args: []string{
				"--config.file=" + options.ConfigPath,
				"--storage.tsdb.path=" + filepath.Clean(options.DataDir),
				"--web.listen-address=" + address,
			},
			LogDir: options.LogDir,
		})
		if err != nil {
			return err
		}
		if err := process.WaitReady(ctx, HTTPReady("http://"+address+"/-/ready")); err != nil {
			process.Stop(ctx)
			return err
		}
		prometheus = &Prometheus{Process: process, HTTP: address}
		return nil
	})
	return prometheus, err
}
