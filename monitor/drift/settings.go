package drift

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// SamplesPerBlock is the length of a block when samples carry no time.
const SamplesPerBlock = 25

// Settings is what an operator decides. The zero value is not valid.
type Settings struct {
	// MeanTimeBetweenFalseAlarms is the promise; it is at least ten blocks long.
	MeanTimeBetweenFalseAlarms time.Duration `json:"mean_time_between_false_alarms"`
	// Block is how long samples are collected before they are judged together.
	// It should be longer than a burst of requests that resemble each other.
	Block time.Duration `json:"block"`
	// Tolerance is how far the expected share of a bin may move from the
	// baseline without an alarm, from 0 to below 0.5.
	Tolerance float64 `json:"tolerance"`
	// MinBlockRequests is how many samples a block has at least; a block with
	// fewer is continued for another Block. Samples without time ignore it.
	MinBlockRequests int `json:"min_block_requests"`
}

// DefaultSettings returns 30 days, blocks of 10 seconds and 100 samples, and a
// tolerance of 0.02.
func DefaultSettings() Settings {
	return Settings{
		MeanTimeBetweenFalseAlarms: 30 * 24 * time.Hour,
		Block:                      10 * time.Second,
		Tolerance:                  0.02,
		MinBlockRequests:           100,
	}
}

// Validate reports the first thing that is out of range.
func (s Settings) Validate() error {
	if s.Block < time.Millisecond || s.Block > 24*time.Hour {
		return fmt.Errorf("block of %s is not between 1ms and 24h", s.Block)
	}
	if s.MeanTimeBetweenFalseAlarms/10 < s.Block {
		return fmt.Errorf("mean time between false alarms of %s is shorter than ten blocks of %s",
			s.MeanTimeBetweenFalseAlarms, s.Block)
	}
	if !(s.Tolerance >= 0 && s.Tolerance < 0.5) {
		return fmt.Errorf("tolerance %v is not between 0 and 0.5", s.Tolerance)
	}
	if s.MinBlockRequests < 1 {
		return errors.New("a block needs at least one sample")
	}
	return nil
}

// Threshold returns what the statistic must reach for an alarm: the promised
// time in blocks.
func (s Settings) Threshold() float64 {
	return float64(s.MeanTimeBetweenFalseAlarms) / float64(s.Block)
}

// Promise says in a sentence what holds about false alarms; timed tells whether
// the samples carry a time.
func (s Settings) Promise(timed bool) string {
	what := fmt.Sprintf("mean time between false alarms >= %s", span(s.MeanTimeBetweenFalseAlarms))
	block := span(s.Block)
	if !timed {
		what = fmt.Sprintf("mean number of samples between false alarms >= %.0f",
			math.Ceil(s.Threshold()*SamplesPerBlock))
		block = fmt.Sprintf("%d samples", SamplesPerBlock)
	}
	return fmt.Sprintf("%s while in every block of %s the expected share of each bin, given the past, "+
		"stays within ±%g of the baseline (or within the baseline's own 95 %% sampling error where that is larger)",
		what, block, s.Tolerance)
}

// span writes whole days as such, which time.Duration does not.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d d", d/day)
	}
	return d.String()
}
