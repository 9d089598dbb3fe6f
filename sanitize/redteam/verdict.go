package redteam

// Verdict says what a profile does to a trigger. Better verdicts are greater; the zero
// value is NotMeasured.
//
// All of them compare with a bar: 10 % of the samples, or, where clean pictures are
// often taken for the target, their share (the base rate) and 5 points. Whatever the
// samples leave open counts against the profile: with 95 % intervals, at least 35
// samples are needed to show that a trigger without any success is below 10 %.
type Verdict uint8

// The verdicts.
const (
	NotMeasured    Verdict = iota // no samples, or the budget was too small
	NotNeutralised                // what is left is not shown to be less
	Reduced                       // less than raw (the intervals do not overlap), but not shown to be below the bar
	Neutralised                   // the upper bound of what is left is at or below the bar
	NoEffect                      // raw, without a profile, the lower bound is not above the bar: there is nothing to stop
)

var verdictNames = [...]string{"not measured", "not neutralised", "reduced", "neutralised", "no effect"}

// String returns the words of reports.
func (v Verdict) String() string {
	if int(v) >= len(verdictNames) {
		return verdictNames[NotMeasured]
	}
	return verdictNames[v]
}

// MarshalText writes the words of the verdict.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

const (
	leastBar  = 0.10
	aboveBase = 0.05

	leastSamples = 35 // without any success among them, the upper bound is below leastBar

	countsFrom = 0.90 // raw success and clean accuracy of a cell that says something
)

// bar is the success below which a trigger does not act.
func bar(base Share) float64 { return max(leastBar, base.Share+aboveBase) }

// judge compares the success after a profile with that before and with the base rate.
func judge(base, raw, after Share) Verdict {
	switch {
	case raw.Of == 0 || after.Of == 0:
		return NotMeasured
	case raw.Low <= bar(base):
		return NoEffect
	case after.High <= bar(base):
		return Neutralised
	case after.High < raw.Low:
		return Reduced
	}
	return NotNeutralised
}
