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
//     [MinShare] or more shares its bin with no other value that was seen; bins below MinShare are joined
//     to their smaller neighbour. A feature that is constant, or nearly so, has
//     three bins: below, at and above its commonest value.
//   - A categorical feature has one bin for each category with at least MinShare
//     of the samples. Rarer categories are joined in the order of their names
//     into groups of at least MinShare; those that are left, and every category
//     that the baseline has never seen, share the bin "other".
//   - The last bin of every feature is "missing": the sample has no value of this
//     feature, or its value is null or NaN. A model that begins to return NaN
//     therefore shows as drift and is not silently left out.
//
// Bins never move with the data that is later compared with them. Counts over
// equal bins can be added, so baselines of several replicas can be merged.
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
	// MinShare is the share of all samples that a regular bin holds at least.
	MinShare = 0.02
	// MinPresence is the share of samples that must have a value of a feature.
	MinPresence = 0.2
	// MaxFeatures is the largest number of features of a baseline or a stream.
	MaxFeatures = 256
	// MaxCategories is the largest number of known categories of one feature.
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
