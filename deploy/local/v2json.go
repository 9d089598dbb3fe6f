package local

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
)

// V2Server is a running model server of the KServe V2 protocol without Triton's
// extensions. It serves the models of v2json/models.py.
type V2Server struct {
	*Process
	HTTP string // "127.0.0.1:port" of KServe V2 over HTTP

	record string
}

// Received returns what the models have received, oldest first. A request is in the
// record before it is answered.
func (s *V2Server) Received() ([]Received, error) { return readRecord(s.record) }

// StartMLServer starts MLServer on free ports and waits until its models are ready.
// logDir receives its log, mlserver.log, and the record of its models.
func StartMLServer(ctx context.Context, deps Deps, logDir string) (*V2Server, error) {
	home := v2json(deps)
	return startV2Server(ctx, logDir, 3, func(ports []int) Spec {
		return Spec{
			Name: "mlserver",
			Path: deps.MLServer,
			Args: []string{"start", filepath.Join(home, "mlserver")},
			Env: []string{
				"PYTHONPATH=" + home, // where the runtime is
				"MLSERVER_HOST=127.0.0.1",
				"MLSERVER_HTTP_PORT=" + strconv.Itoa(ports[0]),
				"MLSERVER_GRPC_PORT=" + strconv.Itoa(ports[1]),
				"MLSERVER_METRICS_PORT=" + strconv.Itoa(ports[2]),
				"MLSERVER_PARALLEL_WORKERS=0", // one process
			},
		}
	})
}

// StartKServe starts KServe's Python server on a free port and waits until its
// models are ready. logDir receives its log, kserve.log, and the record of its models.
func StartKServe(ctx context.Context, deps Deps, logDir string) (*V2Server, error) {
	return startV2Server(ctx, logDir, 1, func(ports []int) Spec {
		return Spec{
			Name: "kserve",
			Path: deps.KServe,
			Args: []string{filepath.Join(v2json(deps), "kserve_server.py"), strconv.Itoa(ports[0])},
		}
	})
}

// v2json is the directory of the models and of what serves them.
func v2json(deps Deps) string { return filepath.Join(deps.Root, "deploy", "local", "v2json") }

func startV2Server(ctx context.Context, logDir string, ports int, spec func(ports []int) Spec) (*V2Server, error) {
	logDir, err := filepath.Abs(logDir)
	if err != nil {
		return nil, fmt.Errorf("start a model server: %w", err)
	}
	var server *V2Server
	err = withPorts(ports, func(ports []int) error {
		one := spec(ports)
		record := filepath.Join(logDir, one.Name+".jsonl")
		one.LogDir, one.Dir = logDir, logDir
		one.Env = append(one.Env, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME="+logDir, "PYTHONDONTWRITEBYTECODE=1", "WEIR_RECORD="+record)
		process, err := Start(ctx, one)
		if err != nil {
			return err
		}
		server = &V2Server{Process: process, HTTP: loopback(ports[0]), record: record}
		for _, model := range []string{"echo", "classifier"} {
			if err := process.WaitReady(ctx, HTTPReady("http://"+server.HTTP+"/v2/models/"+model+"/ready")); err != nil {
				process.Stop(ctx)
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return server, nil
}
