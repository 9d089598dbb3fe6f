package baseline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Baseline is the content of a baseline file. It is not changed after it was
// built or loaded and may be shared between goroutines.
type Baseline struct {
	Format   string    `json:"format"`
	Model    string    `json:"model,omitempty"`
	Version  string    `json:"version,omitempty"`
	Created  time.Time `json:"created"`
	Source   string    `json:"source,omitempty"` // where the samples came from
	Tool     string    `json:"tool,omitempty"`   // what built the baseline, with its version
	Samples  int64     `json:"samples"`
	Features []Feature `json:"features"` // in the order of their names
}

// Feature is the frozen bins of one feature and how many samples each held.
type Feature struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Edges are the upper ends of all numeric bins but the last, rising.
	Edges []float64 `json:"edges,omitempty"`
	// Categories are those with a bin of their own.
	Categories []string `json:"categories,omitempty"`
	// OtherBuckets is the number of bins, one at least, that all other categories
	// are hashed into. A numeric feature has none.
	OtherBuckets int `json:"other_buckets,omitempty"`
	// Counts has the samples of each bin: of numbers one more than Edges, of
	// categories those of Categories and then those of the OtherBuckets.
	Counts []int64 `json:"counts"`
	// Missing is the number of samples without a value.
	Missing int64 `json:"missing"`
}

// Bins returns the number of bins, with "missing" as the last.
func (f *Feature) Bins() int { return len(f.Counts) + 1 }

// Count returns how many samples of the baseline bin i held.
func (f *Feature) Count(i int) int64 {
	if i == len(f.Counts) {
		return f.Missing
	}
	return f.Counts[i]
}

// Label names bin i for people, such as "(0.91, 0.95]", "stop" or
// "other 2/6".
func (f *Feature) Label(i int) string {
	switch {
	case i == len(f.Counts):
		return missingLabel
	case f.Kind == Numeric:
		return numericLabel(f.Edges, i)
	case i < len(f.Categories):
		return f.Categories[i]
	case f.OtherBuckets == 1:
		return otherLabel
	}
	return fmt.Sprintf("%s %d/%d", otherLabel, i-len(f.Categories)+1, f.OtherBuckets)
}

// numericLabel shows six digits of an edge; the file has all of them. Edges next
// to each other enclose a single value.
func numericLabel(edges []float64, i int) string {
	switch {
	case i == 0 && len(edges) > 1 && adjacent(edges[0], edges[1]):
		return fmt.Sprintf("< %.6g", edges[1])
	case i == 0:
		return fmt.Sprintf("<= %.6g", edges[0])
	case i == len(edges):
		return fmt.Sprintf("> %.6g", edges[i-1])
	case adjacent(edges[i-1], edges[i]):
		return fmt.Sprintf("= %.6g", edges[i])
	}
	return fmt.Sprintf("(%.6g, %.6g]", edges[i-1], edges[i])
}

func adjacent(x, y float64) bool { return before(y) == x }

// ruleOfThree is the count that a bin counts for at least: what an event that
// was not seen in m samples may have as its share is 3/m.
const ruleOfThree = 3

// Expected returns the share of all samples that falls into bin i, or the upper
// confidence bound of it when the bin was hardly ever seen.
func (b *Baseline) Expected(f *Feature, i int) float64 {
	return float64(max(f.Count(i), ruleOfThree)) / float64(b.Samples)
}

// Digest identifies the baseline by all of its content: "sha256:" and the digest
// of its canonical JSON in hex.
func (b *Baseline) Digest() string {
	data, err := b.encode()
	if err != nil { // no validated baseline holds what JSON cannot
		return ""
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (b *Baseline) encode() ([]byte, error) {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// Validate reports the first thing that keeps the baseline from being used.
func (b *Baseline) Validate() error {
	if b.Format != Format {
		return fmt.Errorf("format is %q, not %q", b.Format, Format)
	}
	if b.Samples < MinSamples {
		return tooFew(b.Samples)
	}
	if len(b.Features) == 0 || len(b.Features) > MaxFeatures {
		return fmt.Errorf("%d features, not 1 to %d", len(b.Features), MaxFeatures)
	}
	for i := range b.Features {
		f := &b.Features[i]
		if i > 0 && f.Name <= b.Features[i-1].Name {
			return fmt.Errorf("feature %q is twice there or not in the order of the names", f.Name)
		}
		if err := f.validate(b.Samples); err != nil {
			return fmt.Errorf("feature %q: %w", f.Name, err)
		}
	}
	return nil
}

func tooFew(n int64) error {
	return fmt.Errorf("%d samples are too few for a baseline, which needs %d and should have %d", n, MinSamples, AdvisedSamples)
}

func (f *Feature) validate(samples int64) error {
	if err := checkName("feature", f.Name); err != nil {
		return err
	}
	if f.Name == timeKey {
		return errors.New("the name is reserved")
	}
	var err error
	switch f.Kind {
	case Numeric:
		err = f.validateEdges()
	case Category:
		err = f.validateCategories()
	default:
		err = fmt.Errorf("kind %q is neither %q nor %q", f.Kind, Numeric, Category)
	}
	if err != nil {
		return err
	}
	return f.validateCounts(samples)
}

// maxBins follows from MinShare, with a bin to spare for the special ones.
const maxBins = int(1/MinShare) + 2

func (f *Feature) validateEdges() error {
	if len(f.Categories) > 0 || f.OtherBuckets != 0 {
		return errors.New("a numeric feature has no categories")
	}
	if len(f.Edges) == 0 || len(f.Counts) != len(f.Edges)+1 || f.Bins() > maxBins {
		return fmt.Errorf("%d counts for %d edges", len(f.Counts), len(f.Edges))
	}
	for i, e := range f.Edges {
		if math.IsNaN(e) || math.IsInf(e, 0) || i > 0 && e <= f.Edges[i-1] {
			return errors.New("edges are not finite and rising")
		}
	}
	return nil
}

func (f *Feature) validateCounts(samples int64) error {
	rest := samples
	for i := range f.Bins() {
		n := f.Count(i)
		if n < 0 || n > rest {
			return fmt.Errorf("counts do not add up to %d samples", samples)
		}
		rest -= n
	}
	if rest != 0 {
		return fmt.Errorf("counts do not add up to %d samples", samples)
	}
	return nil
}
