package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// EnvoyOptions says how Envoy runs.
type EnvoyOptions struct {
	// ConfigPath is the bootstrap. It needs an admin address; that and the
	// listeners may have port 0.
	ConfigPath string
	// LogDir receives Envoy's log, envoy.log.
	LogDir string
	// Concurrency is the number of worker threads; 0: one for each CPU.
	Concurrency int
	// Args are added to the command line.
	Args []string
}

// Envoy is a running Envoy.
type Envoy struct {
	*Process
	Admin     string            // "127.0.0.1:port" of the admin interface
	Listeners map[string]string // "host:port" of each listener by its name
}

// StartEnvoy starts Envoy and waits until it is live: all listeners are open.
// Hot restart is off, so any number of them can run side by side.
func StartEnvoy(ctx context.Context, deps Deps, options EnvoyOptions) (*Envoy, error) {
	if err := os.MkdirAll(options.LogDir, 0o755); err != nil {
		return nil, fmt.Errorf("start envoy: %w", err)
	}
	admin := filepath.Join(options.LogDir, "envoy.admin")
	// What an earlier Envoy wrote there would be taken for this one's.
	if err := os.RemoveAll(admin); err != nil {
		return nil, fmt.Errorf("start envoy: %w", err)
	}
	args := []string{
		"--config-path", options.ConfigPath,
		"--disable-hot-restart",
		"--admin-address-path", admin,
		"--log-level", "warning", // so that the end of the log says what went wrong
	}
	if options.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(options.Concurrency))
	}
	process, err := Start(ctx, Spec{
		Name:   "envoy",
		Path:   deps.Envoy,
		Args:   append(args, options.Args...),
		LogDir: options.LogDir,
	})
	if err != nil {
		return nil, err
	}
	e := &Envoy{Process: process}
	if err := e.WaitReady(ctx, func(ctx context.Context) error { return e.live(ctx, admin) }); err != nil {
		e.Stop(ctx)
		return nil, err
	}
	return e, nil
}

// live asks Envoy whether it is live and which addresses it has. Envoy writes
// its admin address to a file as soon as it has one.
func (e *Envoy) live(ctx context.Context, adminPath string) error {
	address, err := os.ReadFile(adminPath)
	if err != nil {
		return fmt.Errorf("no admin address yet: %w", err)
	}
	e.Admin = string(bytes.TrimSpace(address))
	state, err := get(ctx, "http://"+e.Admin+"/ready")
	if err != nil {
		return err
	}
	if string(bytes.TrimSpace(state)) != "LIVE" {
		return fmt.Errorf("envoy is %s", state)
	}
	e.Listeners, err = listeners(ctx, e.Admin)
	return err
}

func listeners(ctx context.Context, admin string) (map[string]string, error) {
	body, err := get(ctx, "http://"+admin+"/listeners?format=json")
	if err != nil {
		return nil, err
	}
	var reply struct {
		Statuses []struct {
			Name    string
			Address struct {
				Socket struct {
					Address string
					Port    int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, fmt.Errorf("envoy's listeners: %w", err)
	}
	addresses := make(map[string]string)
	for _, status := range reply.Statuses {
		socket := status.Address.Socket
		addresses[status.Name] = net.JoinHostPort(socket.Address, strconv.Itoa(socket.Port))
	}
	return addresses, nil
}
