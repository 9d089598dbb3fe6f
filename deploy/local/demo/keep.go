package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"weir/deploy/local"
)

// keep starts Prometheus with the shipped rules, waits until it shows the drift
// alert, prints the addresses and returns when the demonstration is interrupted.
func (d *demo) keep(ctx context.Context) error {
	err := d.out.step("Start Prometheus, wait for its alert", func() error { return d.startPrometheus(ctx) })
	if err != nil {
		return err
	}
	listener := d.envoy.Listeners[inference]
	for _, address := range [][2]string{
		{"Envoy, with Weir behind it (HTTP)", "http://" + listener + "/v2"},
		{"bare Triton (HTTP)", "http://" + d.triton.HTTP + "/v2"},
		{"bare Triton (gRPC)", d.triton.GRPC},
		{"Prometheus: the drift alert", "http://" + d.prometheus.HTTP + "/alerts"},
		{"Weir: metrics", "http://" + d.weir.Public + "/metrics"},
		{"Weir: state of the drift detectors", "http://" + d.weir.Control + "/-/drift"},
		{"Envoy: admin", "http://" + d.envoy.Admin},
		{"Weir's configuration, reloaded on change", d.weir.Config},
	} {
		fmt.Fprintf(d.out.w, "  %-42s %s\n", address[0], address[1])
	}
	fmt.Fprintln(d.out.w, "\nPress Ctrl-C to stop everything.")
	<-ctx.Done()
	fmt.Fprintln(d.out.w)
	return nil
}

func (d *demo) startPrometheus(ctx context.Context) (err error) {
	// JSON is YAML.
	config, err := json.Marshal(map[string]any{
		"global":     map[string]string{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{filepath.Join(d.deps.Root, "deploy", "prometheus", "rules.yaml")},
		"scrape_configs": []any{map[string]any{
			"job_name":       "weir",
			"static_configs": []any{map[string]any{"targets": []string{d.weir.Public}}},
		}},
	})
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "prometheus.yml")
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return err
	}
	d.prometheus, err = local.StartPrometheus(ctx, d.deps, local.PrometheusOptions{
		ConfigPath: path, DataDir: filepath.Join(d.dir, "prometheus"), LogDir: d.dir})
	if err != nil {
		return err
	}
	return d.prometheus.WaitReady(ctx, d.alerting)
}

// alerting returns an error unless Prometheus shows the drift alert as firing.
func (d *demo) alerting(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.prometheus.HTTP+"/api/v1/alerts", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var reply struct {
		Data struct {
			Alerts []struct {
				Labels struct{ Alertname, Model string }
				State  string
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	for _, alert := range reply.Data.Alerts {
		if alert.Labels.Alertname == "WeirModelDriftAlarm" && alert.Labels.Model == signs && alert.State == "firing" {
			return nil
		}
	}
	return fmt.Errorf("%d alerts, none of them on drift of %s", len(reply.Data.Alerts), signs)
}
