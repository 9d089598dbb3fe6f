package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	readyTimeout  = 2 * time.Minute       // for a process to become ready
	probeInterval = 20 * time.Millisecond // between two probes
	probeTimeout  = 5 * time.Second       // for one probe
	maxReply      = 16 << 20              // bytes of a reply that are read
)

// WaitReady calls probe again and again until it returns nil. It gives up with
// a [*Failure] when the process ends, when ctx ends, or after two minutes; the
// process is left as it is.
func (p *Process) WaitReady(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			if p.err != nil {
				return p.err
			}
			return p.fail(fmt.Errorf("ended before it was ready: %w", err))
		case <-ctx.Done():
			return p.fail(fmt.Errorf("not ready: %w (last probe: %w)", context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

// HTTPReady returns a probe for WaitReady that asks for the URL and wants
// status 200.
func HTTPReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, url)
		return err
	}
}

// client keeps no connection, so that it holds neither goroutines nor sockets
// between two requests, and goes through no proxy.
var client = &http.Client{
	Timeout:   probeTimeout,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// get returns the body of a reply with status 200.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s: %.200s", url, response.Status, body)
	}
	return body, nil
}
