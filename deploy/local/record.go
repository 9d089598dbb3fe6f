package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Received is one request as an echo model got it.
type Received struct {
	Model      string          `json:"model"`
	Version    string          `json:"version"`
	ID         string          `json:"id"`         // the request's id, empty when it had none
	Parameters map[string]any  `json:"parameters"` // the request's custom parameters
	Inputs     []ReceivedInput `json:"inputs"`     // those that were sent
	// Headers are those of the request where the server shows them to the model, as
	// MLServer and KServe do; names are as it writes them.
	Headers map[string]string `json:"headers"`

	// What Triton acts on itself; the zero value if the request has none.
	SequenceID any    `json:"sequence_id"` // a number or text
	Flags      uint   `json:"flags"`       // 1: the sequence starts, 2: it ends
	Timeout    uint64 `json:"timeout"`     // in microseconds
}

// ReceivedInput is one tensor. Bytes and SHA256 have an entry for each element
// of a BYTES tensor in row-major order, and one entry for the little-endian
// contents of any other.
type ReceivedInput struct {
	Name     string   `json:"name"`
	Datatype string   `json:"datatype"`
	Shape    []int64  `json:"shape"`
	Bytes    []int64  `json:"bytes"`
	SHA256   []string `json:"sha256"` // lower-case hexadecimal
}

// Received returns what the echo models of this Triton have received, oldest
// first; other models keep no record. A request is in the record before it is
// answered.
func (t *Triton) Received() ([]Received, error) { return readRecord(t.record) }

func readRecord(path string) ([]Received, error) { return readLines[Received](path) }

// readLines reads a record of one JSON value a line; one that does not exist is empty.
func readLines[T any](path string) ([]T, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of received requests: %w", err)
	}
	var all []T
	for line := range bytes.Lines(text) {
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("record of received requests, line %d: %w", len(all)+1, err)
		}
		all = append(all, one)
	}
	return all, nil
}
