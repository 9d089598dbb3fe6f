//go:build !nightly

package extproc

// orders is how many random exchanges are played; a million each night.
const orders = 20000
