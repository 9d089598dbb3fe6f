package local

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
)

// OpenAI is a running KServe with OpenAI endpoints. It serves the models of
// openai/server.py.
type OpenAI struct {
	*Process
	Addr string // "127.0.0.1:port"
	URL  string // of the endpoints, "http://127.0.0.1:port/openai"

	record string
}

// OpenAIRequest is one request as the server got it.
type OpenAIRequest struct {
	Path    string            `json:"path"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"` // names in lower case
}

// StartOpenAI starts the server on a free port and waits until it is ready. logDir
// receives its log, openai.log, and its record, openai.jsonl.
func StartOpenAI(ctx context.Context, deps Deps, logDir string) (*OpenAI, error) {
	logDir, err := filepath.Abs(logDir)
	if err != nil {
		return nil, fmt.Errorf("start the OpenAI endpoints: %w", err)
	}
	record := filepath.Join(logDir, "openai.jsonl")
	o, err := startOpenAI(ctx, "/openai", func(port string) Spec {
		return Spec{
			Name: "openai",
			Path: deps.OpenAI,
			Args: []string{filepath.Join(deps.Root, "deploy", "local", "openai", "server.py"), port},
			Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + logDir, "PYTHONDONTWRITEBYTECODE=1",
				"WEIR_RECORD=" + record},
			LogDir: logDir,
		}
	})
	if err != nil {
		return nil, err
	}
	o.record = record
	return o, nil
}

// startOpenAI starts a server with the endpoints of the API below a path, on a free
// port, and waits until it is ready.
func startOpenAI(ctx context.Context, path string, spec func(port string) Spec) (*OpenAI, error) {
	o := &OpenAI{}
	err := withPorts(1, func(ports []int) (err error) {
		o.Addr = loopback(ports[0])
		o.URL = "http://" + o.Addr + path
		if o.Process, err = Start(ctx, spec(strconv.Itoa(ports[0]))); err != nil {
			return err
		}
		if err := o.WaitReady(ctx, HTTPReady(o.URL+"/v1/models")); err != nil {
			o.Stop(ctx)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Received returns what has reached the inference endpoints, oldest first. A request
// is in the record before it is answered.
func (o *OpenAI) Received() ([]OpenAIRequest, error) { return readLines[OpenAIRequest](o.record) }
