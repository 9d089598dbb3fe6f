package baseline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Options says what a new baseline records about how it was made.
type Options struct {
	Model   string    // name of the model; may be empty
	Version string    // version of the model; may be empty
	Source  string    // where the samples came from
	Tool    string    // name and version of the program
	Created time.Time // when; the zero time is kept as it is
}

// BuildFrom reads JSON lines (see [Reader]) to the end and builds a baseline.
func BuildFrom(r io.Reader, opts Options) (*Baseline, error) {
	builder := newBuilder()
	for reader := NewReader(r); ; {
		sample, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return builder.finish(opts)
		}
		if err != nil {
			return nil, err
		}
		if err := builder.add(sample); err != nil {
			return nil, fmt.Errorf("line %d: %w", reader.Line(), err)
		}
	}
}

// Build builds a baseline from samples, of which it keeps nothing. It is an
// error when there are fewer than [MinSamples], when a feature changes its kind
// or is missing in more than 1 - [MinPresence] of the samples, and when no
// feature is left.
func Build(samples []Sample, opts Options) (*Baseline, error) {
	builder := newBuilder()
	for i, sample := range samples {
		if err := builder.add(sample); err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return builder.finish(opts)
}

// builder keeps the values of each feature in columns: eight bytes a number, and
// a counter for each category.
type builder struct {
	samples    int64
	numbers    map[string][]float64
	categories map[string]map[string]int64
}

func newBuilder() *builder {
	return &builder{
		numbers:    make(map[string][]float64),
		categories: make(map[string]map[string]int64),
	}
}

func (b *builder) add(s Sample) error {
	b.samples++
	for name, v := range s.Values {
		switch v.kind {
		case Numeric:
			if math.IsInf(v.number, 0) {
				return fmt.Errorf("feature %q is infinite", name)
			}
			if b.categories[name] != nil {
				return fmt.Errorf("feature %q is a number here and was a category before", name)
			}
			b.numbers[name] = append(b.numbers[name], v.number)
		case Category:
			if b.numbers[name] != nil {
				return fmt.Errorf("feature %q is a category here and was a number before", name)
			}
			if err := b.addCategory(name, v.category); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) addCategory(name, category string) error {
	counts := b.categories[name]
	if counts == nil {
		counts = make(map[string]int64)
		b.categories[name] = counts
	}
	counts[category]++
	if len(counts) > MaxCategories {
		return fmt.Errorf("feature %q has more than %d categories", name, MaxCategories)
	}
	return nil
}

func (b *builder) finish(opts Options) (*Baseline, error) {
	if b.samples < MinSamples {
		return nil, tooFew(b.samples)
	}
	base := &Baseline{
		Format: Format, Model: opts.Model, Version: opts.Version, Created: opts.Created,
		Source: opts.Source, Tool: opts.Tool, Samples: b.samples,
	}
	for name, values := range b.numbers {
		base.Features = append(base.Features, numericFeature(name, values, b.samples))
	}
	for name, counts := range b.categories {
		base.Features = append(base.Features, categoricalFeature(name, counts, b.samples))
	}
	slices.SortFunc(base.Features, func(x, y Feature) int { return cmp.Compare(x.Name, y.Name) })
	for _, f := range base.Features {
		if present := b.samples - f.Missing; float64(present) < MinPresence*float64(b.samples) {
			return nil, fmt.Errorf("feature %q has a value in %d of %d samples; %g %% are needed",
				f.Name, present, b.samples, MinPresence*100)
		}
	}
	if err := base.Validate(); err != nil {
		return nil, err
	}
	return base, nil
}

func minCount(samples int64) int64 {
	return int64(math.Ceil(MinShare * float64(samples)))
}
