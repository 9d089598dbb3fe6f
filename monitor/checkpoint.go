package monitor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"weir/monitor/drift"
	"weir/monitor/internal/atomicfile"
)

const (
	stateFormat   = "weir-drift-state/1"
	maxStateBytes = 256 << 20
)

// stateFile is what SaveState writes. The digest finds what the file system
// damaged; it is no protection against somebody who may write the file.
type stateFile struct {
	Format string          `json:"format"`
	Digest string          `json:"digest"` // of the bytes of Models
	Models json.RawMessage `json:"models"`
}

type modelState struct {
	Model   string      `json:"model"`
	Version string      `json:"version"`
	State   drift.State `json:"state"`
}

// SaveState writes what the detectors know to path, replacing what was there as
// a whole.
func (m *Monitor) SaveState(path string) error {
	models, err := json.Marshal(m.states())
	if err != nil {
		return fmt.Errorf("saving drift state: %w", err)
	}
	data, err := json.Marshal(stateFile{Format: stateFormat, Digest: digest(models), Models: models})
	if err != nil {
		return fmt.Errorf("saving drift state: %w", err)
	}
	return atomicfile.Write(path, data, 0o640)
}

func (m *Monitor) states() []modelState {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := make([]modelState, 0, len(m.models))
	for key, n := range m.models {
		if n.detector != nil {
			states = append(states, modelState{key.model, key.version, n.detector.State()})
		}
	}
	return states
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// LoadState reads what SaveState wrote, for models that are configured
// afterwards with the same baseline and settings; call it before the first
// Configure. A file that does not exist is no error. After any error the
// detectors begin anew, which is safe: the promise holds from every restart.
func (m *Monitor) LoadState(path string) error {
	states, err := readState(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("loading drift state: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restored = make(map[modelKey]drift.State, len(states))
	for _, s := range states {
		m.restored[modelKey{s.Model, s.Version}] = s.State
	}
	return nil
}

func readState(path string) ([]modelState, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStateBytes))
	if err != nil {
		return nil, err
	}
	states, err := parseState(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return states, nil
}

func parseState(data []byte) ([]modelState, error) {
	var file stateFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	if file.Format != stateFormat {
		return nil, fmt.Errorf("format is %q, not %q", file.Format, stateFormat)
	}
	if file.Digest != digest(file.Models) {
		return nil, errors.New("content does not match its digest")
	}
	dec := json.NewDecoder(bytes.NewReader(file.Models))
	dec.DisallowUnknownFields()
	var states []modelState
	if err := dec.Decode(&states); err != nil {
		return nil, fmt.Errorf("broken models: %w", err)
	}
	return states, nil
}

// restore gives the detector of a new model the state that was loaded for it. It
// is called with the Monitor locked.
func (m *Monitor) restore(n *model) {
	state, ok := m.restored[n.key]
	if !ok {
		return
	}
	delete(m.restored, n.key)
	// What is refused is of another baseline or other settings, which the operator
	// changed; the detector then stays as new.
	_ = n.detector.Restore(state)
}
