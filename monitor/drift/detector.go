package drift

import (
	"fmt"
	"time"

	"weir/monitor/baseline"
)

// ceiling keeps a component from overflowing. It is far above any threshold.
const ceiling = 1e300

// Detector watches the features of one baseline. Its memory does not grow. It is
// not safe for concurrent use.
type Detector struct {
	base     *baseline.Baseline
	digest   string
	settings Settings
	features []feature
	bets     []bet
	shares   []float64 // of the block being judged; scratch
	state    State
}

// feature is one feature of the baseline and its part of the flat slices.
type feature struct {
	*baseline.Feature
	binner   *baseline.Binner
	firstBin int
	endBin   int
	firstBet int
	endBet   int
}

// New returns a Detector that knows no samples yet. It keeps b, which must not
// change.
func New(b *baseline.Baseline, s Settings) (*Detector, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("drift settings: %w", err)
	}
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("drift baseline: %w", err)
	}
	d := &Detector{base: b, digest: b.Digest(), settings: s}
	bins := binsOf(b)
	z := simultaneousZ(bins)
	first := 0
	for i := range b.Features {
		f := &b.Features[i]
		bets := featureBets(b, f, first, s.Tolerance, z, 1/float64(len(b.Features)))
		d.features = append(d.features, feature{
			Feature: f, binner: baseline.NewBinner(f),
			firstBin: first, endBin: first + f.Bins(),
			firstBet: len(d.bets), endBet: len(d.bets) + len(bets),
		})
		d.bets = append(d.bets, bets...)
		first += f.Bins()
	}
	d.shares = make([]float64, bins)
	d.state = d.emptyState()
	return d, nil
}

// Features returns the names of the features in the order of Observe's row.
func (d *Detector) Features() []string {
	names := make([]string, len(d.features))
	for i := range d.features {
		names[i] = d.features[i].Name
	}
	return names
}

// Bin returns the bin of feature i, in the order of [Detector.Features], that v
// falls into.
func (d *Detector) Bin(i int, v baseline.Value) int { return d.features[i].binner.Bin(v) }

// Observe counts one sample: its values in the order of [Detector.Features],
// and its time, or the zero time in a stream without times. It first ends the
// block when t is at or after its end; without times it then ends the block when
// it is full. When that raises an alarm Observe returns it, and the statistic
// has restarted. Observe allocates nothing unless there is an alarm.
func (d *Detector) Observe(t time.Time, row []baseline.Value) *Alarm {
	if t.IsZero() {
		d.count(row)
		return d.endFullBlock()
	}
	alarm := d.Tick(t)
	if d.state.SlotStart.IsZero() {
		d.state.SlotStart, d.state.BlockStart = t, t
	}
	d.count(row)
	return alarm
}

func (d *Detector) count(row []baseline.Value) {
	s := &d.state
	for i := range d.features {
		bin := d.features[i].firstBin + d.features[i].binner.Bin(row[i])
		s.Block[bin]++
		s.Total[bin]++
	}
	s.BlockSamples++
	s.Samples++
}

// Tick ends the block when its time is over and it has samples enough, and
// returns the alarm if that raises one. It does nothing before the first sample
// that has a time.
//
// Samples that come late are counted in the open block. When the clock was set
// back by more than a block, the end of the open block is counted from t.
func (d *Detector) Tick(t time.Time) *Alarm {
	s := &d.state
	if s.SlotStart.IsZero() {
		return nil
	}
	block := d.settings.Block
	elapsed := t.Sub(s.SlotStart)
	if elapsed < -block {
		s.SlotStart = t
		return nil
	}
	if elapsed < block {
		return nil
	}
	s.SlotStart = s.SlotStart.Add(elapsed / block * block)
	enough := s.BlockSamples >= int64(d.settings.MinBlockRequests)
	if s.BlockSamples > s.Carried {
		s.Carried = s.BlockSamples
		s.Slots++
		if !enough {
			s.MergedSpans++
		}
	}
	if enough {
		return d.endBlock(t)
	}
	if s.BlockSamples == 0 {
		s.BlockStart = s.SlotStart
	}
	return nil
}

func (d *Detector) endFullBlock() *Alarm {
	if d.state.BlockSamples < SamplesPerBlock {
		return nil
	}
	d.state.Slots = 1
	return d.endBlock(time.Time{})
}

// endBlock judges the open block, opens the next, and returns an alarm when the
// statistic has reached the threshold.
func (d *Detector) endBlock(t time.Time) *Alarm {
	s := &d.state
	for i, n := range s.Block {
		d.shares[i] = float64(n) / float64(s.BlockSamples)
	}
	s.Blocks++
	s.TotalBlocks++
	s.Statistic = 0
	for i := range d.features {
		d.judge(i)
		s.Statistic += s.Features[i].Statistic
	}
	clear(s.Block)
	s.BlockSamples, s.Carried, s.Slots = 0, 0, 0
	s.BlockStart = s.SlotStart
	if s.Statistic < d.settings.Threshold() {
		return nil
	}
	s.Alarms++
	alarm := d.alarm(t)
	d.restart()
	return alarm
}

// judge updates the statistic of feature i with the shares of the block.
//
// Beside each Shiryaev–Roberts component M ← (M+c)·L, where c is the number of
// spans of Block with samples that make up this block, it keeps for the feature
// a CUSUM of the same bets, each weighted by what it has won so far. Where the
// CUSUM was last at its floor is the usual estimate of when the change began
// (Page 1954), and the counts since then are the shares to show.
func (d *Detector) judge(i int) {
	s, f := &d.state, &d.features[i]
	fs := &s.Features[i]
	if fs.Cusum <= 1 {
		clear(s.Window[f.firstBin:f.endBin])
		fs.Cusum, fs.WindowSamples, fs.WindowStart = 1, 0, s.BlockStart
	}
	for bin := f.firstBin; bin < f.endBin; bin++ {
		s.Window[bin] += s.Block[bin]
	}
	fs.WindowSamples += s.BlockSamples

	var staked, won float64
	credit := float64(s.Slots)
	for j := f.firstBet; j < f.endBet; j++ {
		b := &d.bets[j]
		stake := s.Bets[j] + credit
		m := min(stake*b.factor(d.shares[b.bin]), ceiling)
		s.Bets[j] = m
		staked += b.weight * stake
		won += b.weight * m
	}
	fs.Statistic = won
	fs.Cusum = min(fs.Cusum*won/staked, ceiling)
}

// restart forgets the evidence, as after an alarm; totals and windows stay.
func (d *Detector) restart() {
	s := &d.state
	clear(s.Bets)
	s.Statistic, s.Samples, s.Blocks = 0, 0, 0
	for i := range s.Features {
		s.Features[i].Statistic, s.Features[i].Cusum = 0, 0
	}
}
