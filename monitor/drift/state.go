package drift

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// State is all that a Detector remembers, as it is kept over a restart. Written
// as JSON and restored, it continues to the bit.
type State struct {
	Baseline string   `json:"baseline"` // digest
	Settings Settings `json:"settings"`

	Statistic float64 `json:"statistic"`
	Samples   int64   `json:"samples"` // since the last restart
	Blocks    int64   `json:"blocks"`  // judged since the last restart
	Alarms    int64   `json:"alarms"`

	TotalBlocks int64 `json:"total_blocks"` // judged since the very beginning
	MergedSpans int64 `json:"merged_spans"` // see Blocks

	Bets     []float64      `json:"bets"` // one component for each bet
	Features []FeatureState `json:"features"`
	Total    []int64        `json:"total"`  // samples per bin since the very beginning
	Window   []int64        `json:"window"` // samples per bin since a change may have begun

	// The open block: its samples per bin; when it and the current span of
	// Settings.Block began; how many such spans with samples it has had; how many
	// samples came before the current span.
	Block        []int64   `json:"block"`
	BlockSamples int64     `json:"block_samples"`
	BlockStart   time.Time `json:"block_start"`
	SlotStart    time.Time `json:"slot_start"`
	Slots        int64     `json:"slots"`
	Carried      int64     `json:"carried"`
}

// FeatureState is the part of a State that is kept for each feature.
type FeatureState struct {
	Statistic     float64   `json:"statistic"`
	Cusum         float64   `json:"cusum"`
	WindowSamples int64     `json:"window_samples"`
	WindowStart   time.Time `json:"window_start"`
}

func (d *Detector) emptyState() State {
	bins := len(d.shares)
	return State{
		Baseline: d.digest,
		Settings: d.settings,
		Bets:     make([]float64, len(d.bets)),
		Features: make([]FeatureState, len(d.features)),
		Total:    make([]int64, bins),
		Window:   make([]int64, bins),
		Block:    make([]int64, bins),
	}
}

// State returns a copy of what d remembers.
func (d *Detector) State() State { return d.state.clone() }

func (s State) clone() State {
	s.Bets = slices.Clone(s.Bets)
	s.Features = slices.Clone(s.Features)
	s.Total = slices.Clone(s.Total)
	s.Window = slices.Clone(s.Window)
	s.Block = slices.Clone(s.Block)
	return s
}

// Restore makes d continue from s, of which it keeps a copy. A state of another
// baseline or other settings, or one that no Detector can have written, is an
// error and changes nothing.
func (d *Detector) Restore(s State) error {
	if s.Baseline != d.digest {
		return errors.New("drift state is of another baseline")
	}
	if s.Settings != d.settings {
		return errors.New("drift state is of other settings")
	}
	if err := d.validate(&s); err != nil {
		return fmt.Errorf("drift state: %w", err)
	}
	d.state = s.clone()
	return nil
}

func (d *Detector) validate(s *State) error {
	if len(s.Bets) != len(d.bets) || len(s.Features) != len(d.features) || len(s.Total) != len(d.shares) ||
		len(s.Window) != len(d.shares) || len(s.Block) != len(d.shares) {
		return errors.New("wrong number of elements")
	}
	if !(s.Statistic >= 0 && s.Statistic < d.settings.Threshold()) {
		return errors.New("statistic is out of range")
	}
	if slices.ContainsFunc(s.Bets, outOfRange) {
		return errors.New("component is out of range")
	}
	counters := []int64{s.Samples, s.Blocks, s.Alarms, s.TotalBlocks, s.MergedSpans, s.BlockSamples, s.Slots, s.Carried}
	if slices.Min(slices.Concat(counters, s.Total, s.Window, s.Block)) < 0 {
		return errors.New("negative count")
	}
	if s.TotalBlocks < s.Blocks {
		return errors.New("more blocks since the last restart than in all")
	}
	if s.Carried > s.BlockSamples || (s.Carried > 0) != (s.Slots > 0) {
		return errors.New("open block is inconsistent")
	}
	for i, fs := range s.Features {
		if outOfRange(fs.Statistic) || outOfRange(fs.Cusum) {
			return errors.New("statistic of a feature is out of range")
		}
		f := &d.features[i]
		if sum(s.Window[f.firstBin:f.endBin]) != fs.WindowSamples || sum(s.Block[f.firstBin:f.endBin]) != s.BlockSamples {
			return errors.New("counts do not add up")
		}
	}
	return nil
}

func outOfRange(x float64) bool { return !(x >= 0 && x <= math.MaxFloat64) }

func sum(counts []int64) int64 {
	var n int64
	for _, c := range counts {
		n += c
	}
	return n
}
