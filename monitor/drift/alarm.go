package drift

import (
	"time"

	"weir/monitor/baseline"
)

// Alarm says that the promise's assumption no longer holds, and where.
type Alarm struct {
	Feature   string    // the feature with the largest part of the statistic
	Time      time.Time // of the sample or tick that ended the block; zero without times
	Began     time.Time // when the change probably began; zero without times
	Statistic float64
	Threshold float64
	Promise   string
	Samples   int64 // since the last restart
	Blocks    int64 // since the last restart
	// Bins and Effect compare the baseline with the samples since Began.
	Bins   []Bin
	Effect Effect
}

// Bin is one bin of a feature, in the baseline and now.
type Bin struct {
	Label     string  `json:"bin"`
	Baseline  float64 `json:"baseline"`  // share of the baseline's samples
	Tolerance float64 `json:"tolerance"` // half-width of the band around it
	Current   float64 `json:"current"`   // share since a change may have begun
	Total     int64   `json:"-"`         // samples since the very beginning
}

// Status is a Detector as pages and metrics show it.
type Status struct {
	Statistic float64
	Threshold float64
	Promise   string
	Samples   int64 // since the last restart
	Blocks    int64 // since the last restart
	Alarms    int64
	All       Blocks
	Features  []FeatureStatus
}

// Blocks counts blocks since the very beginning, over alarms and restarts.
type Blocks struct {
	Used int64 // judged
	// Merged are the spans of Settings.Block, of those with samples, that ended
	// with too few for a block and were merged into the next.
	Merged int64
}

// Blocks returns how many blocks d has seen.
func (d *Detector) Blocks() Blocks {
	return Blocks{Used: d.state.TotalBlocks, Merged: d.state.MergedSpans}
}

// FeatureStatus is the part of a Status for one feature.
type FeatureStatus struct {
	Name      string
	Kind      baseline.Kind
	Statistic float64 // its part of the statistic
	Began     time.Time
	Bins      []Bin
	Effect    Effect // zero before the first block
}

// Status returns a copy of the figures of d.
func (d *Detector) Status() Status {
	s := &d.state
	status := Status{
		Statistic: s.Statistic, Threshold: d.settings.Threshold(), Promise: d.promise(),
		Samples: s.Samples, Blocks: s.Blocks, Alarms: s.Alarms,
		All: d.Blocks(),
	}
	for i := range d.features {
		status.Features = append(status.Features, d.featureStatus(i))
	}
	return status
}

// promise is the sentence for the kind of stream that was seen so far.
func (d *Detector) promise() string {
	f := &d.features[0]
	unused := sum(d.state.Total[f.firstBin:f.endBin]) == 0
	return d.settings.Promise(unused || !d.state.SlotStart.IsZero())
}

func (d *Detector) featureStatus(i int) FeatureStatus {
	f, fs := &d.features[i], &d.state.Features[i]
	status := FeatureStatus{Name: f.Name, Kind: f.Kind, Statistic: fs.Statistic, Began: fs.WindowStart}
	window := d.state.Window[f.firstBin:f.endBin]
	counts := make([]int64, f.Bins())
	for j := range counts {
		counts[j] = f.Count(j)
		bin := Bin{
			Label:     f.Label(j),
			Baseline:  float64(counts[j]) / float64(d.base.Samples),
			Tolerance: slack(d.base.Expected(f.Feature, j), d.settings.Tolerance, simultaneousZ(len(d.shares)), d.base.Samples),
			Total:     d.state.Total[f.firstBin+j],
		}
		if fs.WindowSamples > 0 {
			bin.Current = float64(window[j]) / float64(fs.WindowSamples)
		}
		status.Bins = append(status.Bins, bin)
	}
	if fs.WindowSamples > 0 {
		status.Effect = EffectOf(counts, window, f.Kind == baseline.Numeric)
	}
	return status
}

// alarm describes the statistic before it restarts.
func (d *Detector) alarm(t time.Time) *Alarm {
	s := &d.state
	blamed := 0
	for i := range s.Features {
		if s.Features[i].Statistic > s.Features[blamed].Statistic {
			blamed = i
		}
	}
	f := d.featureStatus(blamed)
	return &Alarm{
		Feature: f.Name, Time: t, Began: f.Began,
		Statistic: s.Statistic, Threshold: d.settings.Threshold(), Promise: d.promise(),
		Samples: s.Samples, Blocks: s.Blocks, Bins: f.Bins, Effect: f.Effect,
	}
}
