package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"weir/monitor/internal/atomicfile"
)

// Load reads and validates the baseline file at path.
func Load(path string) (*Baseline, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading baseline: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("loading baseline: %w", err)
	}
	b, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("loading baseline %s: %w", path, err)
	}
	return b, nil
}

// Parse decodes and validates the content of a baseline file. Unknown keys are
// errors: they belong to a format that this program does not know.
func Parse(data []byte) (*Baseline, error) {
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxFileBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var b Baseline
	if err := dec.Decode(&b); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", unexpectedEOF(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the JSON object")
	}
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return &b, nil
}

// Save writes the baseline to path, replacing what was there as a whole.
func (b *Baseline) Save(path string) error {
	if err := b.Validate(); err != nil {
		return fmt.Errorf("saving baseline: %w", err)
	}
	data, err := b.encode()
	if err != nil {
		return fmt.Errorf("saving baseline: %w", err)
	}
	return atomicfile.Write(path, data, 0o644)
}
