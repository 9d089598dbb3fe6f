package drift

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"weir/monitor/baseline"
)

// AlarmLine is one alarm as `weir drift run` prints it.
type AlarmLine struct {
	// Index is the sample, from 0, that ended the alarming block: the first at or
	// after its end, or in a stream without times the last of its 25.
	Index     int64       `json:"index"`
	Feature   string      `json:"feature"`
	Statistic float64     `json:"statistic"`
	Threshold float64     `json:"threshold"`
	Effect    AlarmEffect `json:"effect"`
}

// AlarmEffect is the size of the change and, bin by bin, what changed since it
// probably began.
type AlarmEffect struct {
	Effect
	Began *time.Time `json:"began,omitempty"`
	Bins  []Bin      `json:"bins"`
}

// Summary is the account of a whole run.
type Summary struct {
	Samples int64 `json:"samples"`
	Blocks  int64 `json:"blocks"`
	// Unfinished samples stood in the last block, which the stream did not end;
	// they were not judged.
	Unfinished int64   `json:"unfinished_samples"`
	Alarms     int64   `json:"alarms"`
	Statistic  float64 `json:"statistic"` // at the end, since the last alarm
	Threshold  float64 `json:"threshold"`
	// Missing has the samples without a value of each feature of the baseline.
	Missing map[string]int64 `json:"missing"`
	// Unknown are the features of the stream that the baseline does not have and
	// that were ignored.
	Unknown []string `json:"unknown_features"`
	Promise string   `json:"promise"`
}

// Run reads samples as JSON lines (see [baseline.Reader]), compares them with b
// and calls emit for each alarm. A feature of the baseline that a sample does not
// have is counted as missing; one that the baseline does not have is ignored and
// named in the Summary; one whose kind differs from the baseline's is an error.
func Run(r io.Reader, b *baseline.Baseline, s Settings, emit func(AlarmLine) error) (Summary, error) {
	d, err := New(b, s)
	if err != nil {
		return Summary{}, err
	}
	run := run{detector: d, unknown: make(map[string]bool), row: make([]baseline.Value, len(d.features))}
	for reader := baseline.NewReader(r); ; run.samples++ {
		sample, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return run.summary(), nil
		}
		if err != nil {
			return Summary{}, err
		}
		if err := run.fill(sample); err != nil {
			return Summary{}, fmt.Errorf("line %d: %w", reader.Line(), err)
		}
		if err := run.observe(sample.Time, emit); err != nil {
			return Summary{}, err
		}
	}
}

type run struct {
	detector *Detector
	row      []baseline.Value
	unknown  map[string]bool
	samples  int64
}

// fill puts the values of sample into the row.
func (r *run) fill(sample baseline.Sample) error {
	known := 0
	for i := range r.detector.features {
		f := &r.detector.features[i]
		v, ok := sample.Values[f.Name]
		if ok {
			known++
		}
		if v.Kind() != baseline.Missing && v.Kind() != f.Kind {
			return fmt.Errorf("feature %q is %s here and %s in the baseline", f.Name, v.Kind(), f.Kind)
		}
		r.row[i] = v
	}
	if known == len(sample.Values) {
		return nil
	}
	for name := range sample.Values {
		if !slices.ContainsFunc(r.detector.features, func(f feature) bool { return f.Name == name }) {
			r.unknown[name] = true
		}
	}
	return nil
}

func (r *run) observe(t time.Time, emit func(AlarmLine) error) error {
	alarm := r.detector.Observe(t, r.row)
	if alarm == nil {
		return nil
	}
	line := AlarmLine{
		Index: r.samples, Feature: alarm.Feature, Statistic: alarm.Statistic, Threshold: alarm.Threshold,
		Effect: AlarmEffect{Effect: alarm.Effect, Bins: alarm.Bins},
	}
	if !alarm.Began.IsZero() {
		line.Effect.Began = &alarm.Began
	}
	return emit(line)
}

func (r *run) summary() Summary {
	d, s := r.detector, &r.detector.state
	missing := make(map[string]int64, len(d.features))
	for i := range d.features {
		missing[d.features[i].Name] = s.Total[d.features[i].endBin-1]
	}
	unknown := slices.Sorted(maps.Keys(r.unknown))
	if unknown == nil {
		unknown = []string{} // an empty list in JSON, not null
	}
	return Summary{
		Samples: r.samples, Blocks: s.TotalBlocks, Unfinished: s.BlockSamples, Alarms: s.Alarms,
		Statistic: s.Statistic, Threshold: d.settings.Threshold(),
		Missing: missing, Unknown: unknown, Promise: d.promise(),
	}
}
