//go:build nightly

package extproc

// orders is how many random exchanges are played.
const orders = 1000000
