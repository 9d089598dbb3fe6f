package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
)

// TritonOptions says what Triton serves.
type TritonOptions struct {
	// Repository is the model repository; empty: the models of this package.
	Repository string
	// Models are loaded, others of the repository are not; empty: all. With a
	// list, Triton obeys requests to load and unload models.
	Models []string
	// LogDir receives Triton's log, triton.log, and the echo models' record,
	// received.jsonl.
	LogDir string
	// Env is added to the environment of Triton and its models.
	Env []string
	// Args are added to the command line.
	Args []string
}

// Triton is a running Triton Inference Server.
type Triton struct {
	*Process
	HTTP    string // "127.0.0.1:port" of KServe V2 over HTTP
	GRPC    string // "127.0.0.1:port" of KServe V2 over gRPC
	Metrics string // "127.0.0.1:port" of /metrics

	record string
}

var tritons atomic.Int64 // started by this process, to name each one's shared memory

// StartTriton starts Triton on free ports and waits until it and all its
// models are ready.
func StartTriton(ctx context.Context, deps Deps, options TritonOptions) (*Triton, error) {
	var triton *Triton
	err := withPorts(3, func(ports []int) error {
		var err error
		triton, err = startTriton(ctx, deps, options, ports)
		return err
	})
	return triton, err
}

func startTriton(ctx context.Context, deps Deps, options TritonOptions, ports []int) (*Triton, error) {
	logDir, err := filepath.Abs(options.LogDir)
	if err != nil {
		return nil, fmt.Errorf("start triton: %w", err)
	}
	t := &Triton{
		HTTP:    loopback(ports[0]),
		GRPC:    loopback(ports[1]),
		Metrics: loopback(ports[2]),
		record:  filepath.Join(logDir, "received.jsonl"),
	}
	sharedMemory := fmt.Sprintf("weir-%d-%d-", os.Getpid(), tritons.Add(1))
	t.Process, err = Start(ctx, Spec{
		Name:   "triton",
		Path:   deps.tritonServer(),
		Args:   append(tritonArgs(deps, options, ports, sharedMemory), options.Args...),
		Env:    append(tritonEnv(deps, t.record), options.Env...),
		LogDir: logDir,
		onExit: func() { removeSharedMemory(sharedMemory) },
	})
	if err != nil {
		return nil, err
	}
	for _, url := range []string{"http://" + t.HTTP + "/v2/health/ready", "http://" + t.Metrics + "/metrics"} {
		if err := t.WaitReady(ctx, HTTPReady(url)); err != nil {
			t.Stop(ctx)
			return nil, err
		}
	}
	return t, nil
}

func tritonArgs(deps Deps, options TritonOptions, ports []int, sharedMemory string) []string {
	repository := options.Repository
	if repository == "" {
		repository = deps.Models
	}
	args := []string{
		"--model-repository=" + repository,
		"--backend-directory=" + filepath.Join(deps.Triton, "backends"),
		"--backend-config=python,shm-region-prefix-name=" + sharedMemory,
		"--http-address=127.0.0.1", "--http-port=" + strconv.Itoa(ports[0]),
		"--grpc-address=127.0.0.1", "--grpc-port=" + strconv.Itoa(ports[1]),
		"--metrics-address=127.0.0.1", "--metrics-port=" + strconv.Itoa(ports[2]),
		"--allow-gpu-metrics=false",
		"--log-info=false", // so that the end of the log says what went wrong
		"--exit-timeout-secs=5",
	}
	if len(options.Models) > 0 {
		args = append(args, "--model-control-mode=explicit")
	}
	for _, model := range options.Models {
		args = append(args, "--load-model="+model)
	}
	return args
}

// tritonEnv returns the whole environment of Triton. Its Python backend takes
// the packages of the first python3 in PATH, and nothing from PYTHONPATH.
func tritonEnv(deps Deps, record string) []string {
	return []string{
		"PATH=" + filepath.Dir(deps.Python) + ":/usr/bin:/bin",
		"LD_LIBRARY_PATH=" + filepath.Join(deps.Triton, "lib"),
		"LANG=C.UTF-8",
		"WEIR_RECORD=" + record,
	}
}

// removeSharedMemory removes what a Triton that was killed left in /dev/shm.
func removeSharedMemory(prefix string) {
	paths, err := filepath.Glob("/dev/shm/" + prefix + "*")
	if err != nil {
		return
	}
	for _, path := range paths {
		os.Remove(path)
	}
}

// Counts are Triton's own statistics of a model since it was loaded.
type Counts struct {
	Success    uint64 // requests answered
	Failure    uint64 // requests that Triton counts as failed
	Inferences uint64 // rows: a request of batch size n counts n
	Executions uint64 // calls of the model, each with one or more requests
}

// Counts returns the statistics of a model, summed over its versions.
func (t *Triton) Counts(ctx context.Context, model string) (Counts, error) {
	body, err := get(ctx, "http://"+t.HTTP+"/v2/models/"+url.PathEscape(model)+"/stats")
	if err != nil {
		return Counts{}, fmt.Errorf("statistics of model %q: %w", model, err)
	}
	var reply struct {
		ModelStats []struct {
			InferenceCount uint64 `json:"inference_count"`
			ExecutionCount uint64 `json:"execution_count"`
			InferenceStats struct {
				Success, Fail struct{ Count uint64 }
			} `json:"inference_stats"`
		} `json:"model_stats"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return Counts{}, fmt.Errorf("statistics of model %q: %w", model, err)
	}
	if len(reply.ModelStats) == 0 {
		return Counts{}, fmt.Errorf("statistics of model %q: triton has none", model)
	}
	var counts Counts
	for _, version := range reply.ModelStats {
		counts.Success += version.InferenceStats.Success.Count
		counts.Failure += version.InferenceStats.Fail.Count
		counts.Inferences += version.InferenceCount
		counts.Executions += version.ExecutionCount
	}
	return counts, nil
}
