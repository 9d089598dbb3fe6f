package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// predict asks about files. The row of a file that the model refuses is nil.
func (m *servedModel) predict(ctx context.Context, files [][]byte) ([][]float64, error) {
	var rows [][]float64
	for some := range slices.Chunk(files, m.batch()) {
		got, err := m.rows(ctx, some)
		if refusal := (*modelRefusal)(nil); errors.As(err, &refusal) && len(some) > 1 {
			got, err = m.oneByOne(ctx, some) // one of them is at fault
		} else if refusal != nil {
			got, err = make([][]float64, 1), nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

func (m *servedModel) oneByOne(ctx context.Context, files [][]byte) ([][]float64, error) {
	rows := make([][]float64, len(files))
	for i := range files {
		got, err := m.rows(ctx, files[i:i+1])
		if refusal := (*modelRefusal)(nil); errors.As(err, &refusal) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rows[i] = got[0]
	}
	return rows, nil
}

// request is one inference of pictures.
func (m *servedModel) request(pictures [][]byte) (*codec.Request, error) {
	var in tensor.Tensor
	if m.form != nil {
		in = m.form.tensor(m.input, pictures)
	} else {
		var err error
		if in, err = m.files(pictures); err != nil {
			return nil, err
		}
	}
	return &codec.Request{Operation: codec.Infer, Model: m.signature.Model, Version: m.signature.Version,
		Inputs: []codec.Input{{Tensor: in}}, Signature: m.signature}, nil
}

// files is the input of files.
func (m *servedModel) files(files [][]byte) (tensor.Tensor, error) {
	spec := m.signature.Input(m.input)
	in := tensor.Tensor{Name: m.input, DataType: spec.DataType, Shape: slices.Clone(spec.Shape)}
	for i := range in.Shape {
		in.Shape[i] = 1
	}
	if len(in.Shape) > 0 {
		in.Shape[0] = int64(len(files)) // 1 without batches
	}
	if spec.DataType == tensor.Bytes {
		for _, file := range files {
			in.Data = tensor.AppendElement(in.Data, m.encode(file))
		}
		return in, nil
	}
	length, last := 0, len(in.Shape)-1
	for _, file := range files {
		length = max(length, len(file))
	}
	if fixed := spec.Shape[last]; fixed >= 0 {
		if int64(length) > fixed {
			return in, &modelRefusal{fmt.Sprintf("%d bytes do not fit into %d", length, fixed)}
		}
		length = int(fixed)
	}
	in.Shape[last] = int64(length)
	for _, file := range files {
		in.Data = append(append(in.Data, file...), make([]byte, length-len(file))...)
	}
	return in, nil
}

// encode is a file in the form of an element.
func (m *servedModel) encode(file []byte) []byte {
	var text []byte
	switch m.encoded {
	case policy.Base64:
	case policy.DataURI:
		text = fmt.Appendf(nil, "data:image/%s;base64,", sanitize.SniffImage(file))
	default:
		return file
	}
	return base64.StdEncoding.AppendEncode(text, file)
}

// modelRefusal is the answer of a model to an input that it does not take.
type modelRefusal struct{ status string }

func (e *modelRefusal) Error() string { return "the model refuses it: " + e.status }

// busyError is the answer of a server that has no room for a request.
type busyError struct{ status string }

func (e *busyError) Error() string { return e.status }

// Retries of a request for which the server has no room: a long measurement is not to
// end for one of them.
const (
	busyRetries = 4
	firstPause  = 100 * time.Millisecond // it doubles
)

// exchange sends a request as Weir sends those of clients.
func (m *servedModel) exchange(ctx context.Context, r *codec.Request) (*codec.Response, error) {
	message, err := m.codec.EncodeRequest(r, []string{m.output.Name})
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		response, err := m.send(ctx, r, message)
		var busy *busyError
		if !errors.As(err, &busy) || try == busyRetries {
			return response, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(firstPause << try):
		}
	}
}

// send sends a request once.
func (m *servedModel) send(ctx context.Context, r *codec.Request, message *codec.Message) (*codec.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.server+m.codec.Path(r), bytes.NewReader(message.Body))
	if err != nil {
		return nil, err
	}
	for _, h := range message.Headers {
		request.Header.Set(h.Name, h.Value)
	}
	request.Header.Set("Accept-Encoding", "identity")
	answer, err := m.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(m.limits.MaxResponseBytes)+1))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode == http.StatusBadRequest:
		return nil, &modelRefusal{answer.Status}
	case answer.StatusCode == http.StatusServiceUnavailable, answer.StatusCode == http.StatusTooManyRequests:
		return nil, &busyError{fmt.Sprintf("%s: %s", m.server, answer.Status)}
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", m.server, answer.Status)
	}
	var headers codec.Headers
	for name, values := range answer.Header {
		for _, value := range values {
			headers = append(headers, codec.Header{Name: strings.ToLower(name), Value: value})
		}
	}
	response, err := m.codec.DecodeResponse(r, headers, body)
	if err != nil {
		return nil, err
	}
	return response, m.signature.MatchResponse(response, []string{m.output.Name})
}

// rows asks about one batch.
func (m *servedModel) rows(ctx context.Context, files [][]byte) ([][]float64, error) {
	request, err := m.request(files)
	if err != nil {
		return nil, err
	}
	response, err := m.exchange(ctx, request)
	if err != nil {
		return nil, err
	}
	out := &response.Outputs[0]
	if out.DataType == tensor.Bytes {
		return m.named(out, len(files))
	}
	values, _ := out.Floats()
	n := len(values) / len(files)
	if n == 0 || n*len(files) != len(values) {
		return nil, fmt.Errorf("output %q has %d values for %d pictures", out.Name, len(values), len(files))
	}
	return slices.Collect(slices.Chunk(values, n)), nil
}

// named makes scores of names of classes.
func (m *servedModel) named(out *tensor.Tensor, files int) ([][]float64, error) {
	var rows [][]float64
	err := tensor.EachElement(out.Data, int64(files), func(_ int64, name []byte) error {
		i := slices.Index(m.classes, string(name))
		if i < 0 {
			return fmt.Errorf("output %q has a class that is not in the list of classes", out.Name)
		}
		row := make([]float64, len(m.classes))
		row[i] = 1
		rows = append(rows, row)
		return nil
	})
	return rows, err
}
