package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/sanitize/redteam"
)

// maxBatch is that of the models' configuration.
const maxBatch = 32

// tritonModel is the configuration of every model of the lab.
const tritonModel = `name: %q
backend: "python"
max_batch_size: %d
input [ { name: "IMAGE", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "SCORES", data_type: TYPE_FP32, dims: [ %d ] } ]
instance_group [ { kind: KIND_CPU, count: 1 } ]
`

// addModel puts a model into a repository of Triton's. The code is that of
// deploy/local/lab/model below root.
func addModel(repository, root, name, architecture, weights string) error {
	version := filepath.Join(repository, name, "1")
	if err := os.MkdirAll(version, 0o755); err != nil {
		return err
	}
	config := fmt.Sprintf(tritonModel, name, maxBatch, classes)
	files := map[string]string{"weights.npz": weights}
	for _, code := range []string{"model.py", "network.py"} {
		files[code] = filepath.Join(root, "deploy", "local", "lab", "model", code)
	}
	for file, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(version, file), data, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(version, "architecture.txt"), []byte(architecture+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(repository, name, "config.pbtxt"), []byte(config), 0o644)
}

// askedAtOnce are the files of one call of a predictor. A busy machine changes between
// the processes less often when each has more to do.
const askedAtOnce = 8 * maxBatch

// predictor asks a model on Triton at address ("127.0.0.1:8000") over KServe V2 with
// binary tensors. A batch that holds a file which the model refuses is an error: the
// lab sends none.
func predictor(address, model string) redteam.Predict {
	at := "http://" + address + "/v2/models/" + url.PathEscape(model) + "/infer"
	return func(ctx context.Context, files [][]byte) ([][]float64, error) {
		rows := make([][]float64, len(files))
		group, ctx := errgroup.WithContext(ctx)
		for start := 0; start < len(files); start += maxBatch {
			end := min(start+maxBatch, len(files))
			group.Go(func() error {
				some, err := patiently(ctx, func() ([][]float64, error) { return infer(ctx, at, files[start:end]) })
				if err != nil {
					return fmt.Errorf("model %s: %w", model, err)
				}
				copy(rows[start:], some)
				return nil
			})
		}
		return rows, group.Wait()
	}
}

// errUnhealthy is a model that Triton is starting again. It does so with one that has
// got no time on a busy machine.
var errUnhealthy = errors.New("status 500")

// patiently asks again while the model is started again.
func patiently(ctx context.Context, ask func() ([][]float64, error)) ([][]float64, error) {
	const attempts, pause = 10, 3 * time.Second
	for i := 1; ; i++ {
		rows, err := ask()
		if i == attempts || !errors.Is(err, errUnhealthy) {
			return rows, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func infer(ctx context.Context, at string, files [][]byte) ([][]float64, error) {
	var tensor []byte
	for _, f := range files {
		tensor = binary.LittleEndian.AppendUint32(tensor, uint32(len(f)))
		tensor = append(tensor, f...)
	}
	header := fmt.Sprintf(`{"inputs":[{"name":"IMAGE","datatype":"BYTES","shape":[%d,1],`+
		`"parameters":{"binary_data_size":%d}}],`+
		`"outputs":[{"name":"SCORES","parameters":{"binary_data":true}}]}`, len(files), len(tensor))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(append([]byte(header), tensor...)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Inference-Header-Content-Length", strconv.Itoa(len(header)))
	request.Close = true // Triton waits for idle connections when it stops
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusInternalServerError {
		return nil, fmt.Errorf("%w: %s", errUnhealthy, body)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return scores(body, response.Header.Get("Inference-Header-Content-Length"), len(files))
}

// scores reads the one output of an answer: a JSON header of this length, then float32.
func scores(body []byte, headerLength string, n int) ([][]float64, error) {
	length, err := strconv.Atoi(headerLength)
	if err != nil || length < 0 || length > len(body) {
		return nil, fmt.Errorf("an answer of %d bytes with a header of %q", len(body), headerLength)
	}
	var header struct{ Outputs []struct{ Shape []int } }
	if err := json.Unmarshal(body[:length], &header); err != nil {
		return nil, err
	}
	values := body[length:]
	if len(header.Outputs) != 1 || len(header.Outputs[0].Shape) != 2 || header.Outputs[0].Shape[0] != n ||
		len(values) != 4*n*header.Outputs[0].Shape[1] {
		return nil, fmt.Errorf("an answer to %d files with the header %s", n, body[:length])
	}
	width := header.Outputs[0].Shape[1]
	rows := make([][]float64, n)
	for i := range rows {
		for range width {
			rows[i] = append(rows[i], float64(math.Float32frombits(binary.LittleEndian.Uint32(values))))
			values = values[4:]
		}
	}
	return rows, nil
}
