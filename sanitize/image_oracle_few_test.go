//go:build e2e && !nightly

package sanitize_test

// mutants is how many mutated files of a format TestDecodersAgree makes.
const mutants = 3000
