package monitor

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"weir/monitor/drift"
)

func TestStateSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drift.json")
	b := signsBaseline(t, 1)
	one, two := newMonitor(Options{}), newMonitor(Options{})
	defer closeNow(t, one)
	defer closeNow(t, two)
	configure(t, one, b)
	src := newSource(6)
	for range 3333 {
		observe(one, src.next(false))
	}
	if err := one.SaveState(path); err != nil {
		t.Fatal(err)
	}
	if err := two.LoadState(path); err != nil {
		t.Fatal(err)
	}
	configure(t, two, b)
	for range 100 {
		s := src.next(true)
		observe(one, s)
		observe(two, s)
	}
	if x, y := one.Snapshot()[1].Drift, two.Snapshot()[1].Drift; x.Blocks != 17 || !reflect.DeepEqual(x, y) {
		t.Errorf("%+v\n%+v", x, y)
	}
}

func TestLoadStateErrors(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "drift.json")
	m := newMonitor(Options{})
	defer closeNow(t, m)
	b := signsBaseline(t, 1)
	if err := m.LoadState(path); err != nil {
		t.Errorf("no file: %v", err)
	}
	configure(t, m, b)
	if err := m.SaveState(path); err != nil {
		t.Fatal(err)
	}
	valid, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":     nil,
		"truncated": valid[:len(valid)/2],
		"changed":   bytes.Replace(valid, []byte(`"blocks":0`), []byte(`"blocks":1`), 1),
		"format":    bytes.Replace(valid, []byte("state/1"), []byte("state/2"), 1),
		"null":      []byte("null"),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.LoadState(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	configure(t, m, signsBaseline(t, 2)) // begins anew
	if got := m.Snapshot()[1].Drift; got.Blocks != 0 {
		t.Errorf("%+v", got)
	}
	if err := m.SaveState(filepath.Join(folder, "absent", "x")); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}

// FuzzParseState restores what it can from the models of a state file and goes on
// from there.
func FuzzParseState(f *testing.F) {
	b := signsBaseline(f, 1)
	seed, err := drift.New(b, DefaultSettings())
	if err != nil {
		f.Fatal(err)
	}
	models, err := json.Marshal([]modelState{{Model: "signs", Version: "1", State: seed.State()}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(models)
	f.Add([]byte("[]"))
	f.Add([]byte("null"))
	f.Add([]byte(`[{"model":1}]`))
	f.Fuzz(func(t *testing.T, models []byte) {
		if !json.Valid(models) {
			return
		}
		data, err := json.Marshal(stateFile{Format: stateFormat, Digest: digest(models), Models: models})
		if err != nil {
			t.Fatal(err)
		}
		states, err := parseState(data)
		if err != nil {
			return
		}
		m, err := newModel(ModelConfig{Model: "signs", Version: "1", Baseline: b, Settings: DefaultSettings()})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if m.detector.Restore(s.State) != nil {
				continue
			}
			src := newSource(1)
			for range 500 {
				sample := src.next(false)
				m.observe(&sample)
			}
			if x := m.status().Drift.Statistic; !(x >= 0 && x < 1e300) {
				t.Errorf("statistic %g", x)
			}
		}
	})
}
