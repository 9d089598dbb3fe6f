// Package baseline holds what a model's features looked like when somebody said
// that they were good, as counts over frozen bins, and the file that keeps it.
//
// # Features
//
// A feature is a named number (confidence, entropy) or category (predicted
// class) of one sample; one sample is one row of one response. Every sample
// falls into exactly one bin of every feature:
//
//   - A numeric feature has the half-open bins (-Inf, e0], (e0, e1] … (en, +Inf).
//     The edges are the deciles of the samples; a decile that alone holds
//     [MinShare] or more shares its bin with no other value that was seen; bins
//     below MinShare are joined to their smaller neighbour. A feature that is constant, or nearly so, has
//     three bins: below, at and above its commonest value.
//   - A categorical feature has one bin for each category with at least MinShare
//     of the samples. All others, whether the baseline has seen them or not, are
//     hashed into the buckets "other 1/H" to "other H/H": a name falls into
//     bucket FNV-1a(name) mod H, with the 64-bit hash of draft-eastlake-fnv. H is
//     the largest number, but one at least, at which a bucket holds 2·MinShare of
//     the samples on average; with H = 1 the bucket is just "other".
//   - The last bin of every feature is "missing": the sample has no value of this
//     feature, or its value is null or NaN. A model that begins to return NaN
//     therefore shows as drift and is not silently left out.
//
// Bins never move with the data that is later compared with them. Counts over
// equal bins can be added, so baselines of several replicas can be merged.
//
// # Long tails
//
// A model with many rare classes shows names every hour that no baseline has
// seen. A bin that is defined by its names, such as "all that are not listed",
// would then hold more of live traffic than of the samples that the list was
// made from. The bucket of a name does not depend on the samples, so that the
// share of a bucket in the baseline estimates its share of live traffic without
// that bias, and a shift among rare names still moves it from bucket to bucket.
//
// # Shares
//
// The expected share of a bin is count/samples, except that a count below three
// is taken as three: when a bin was never seen in m samples, 3/m is the upper
// 95 % confidence bound of its true share (the rule of three; Hanley and
// Lippman-Hand, JAMA 249, 1983).
package baseline

// The bounds of a baseline, a sample and a file.
const (
	// Format is the first field of every baseline file.
	Format = "weir-baseline/1"
	// MinSamples is the smallest number of samples a baseline is built from.
	MinSamples = 200
	// AdvisedSamples is the smallest number of samples a baseline should have.
	AdvisedSamples = 10_000
	// MinShare is the share of all samples that the bin of an interval or of a
	// single category holds at least.
	MinShare = 0.02
	// MinPresence is the share of samples that must have a value of a feature.
	MinPresence = 0.2
	// MaxFeatures is the largest number of features of a baseline or a stream.
	MaxFeatures = 256
	// MaxCategories is the largest number of distinct categories that the samples
	// of a baseline may have in one feature.
	MaxCategories = 10_000
	// MaxNameBytes is the longest name of a feature or category.
	MaxNameBytes = 256
	// MaxLineBytes is the longest line that a Reader takes, with its newline.
	MaxLineBytes = 64 << 10
	// MaxFileBytes is the largest file that Load takes.
	MaxFileBytes = 16 << 20
)

// quantiles is the number of bins that a continuous feature is cut into.
const quantiles = 10

// The labels of the bins that are not made from values.
const (
	otherLabel   = "other"
	missingLabel = "missing"
)
